//! A changed configuration, read while the server runs. What may change is applied section by
//! section: one that fails keeps none of the others from changing. What may not change is named. A
//! file with faults changes nothing.
//!
//! Files of keys and tokens are read each time: they change under the same name.
mod metrics;
mod reloader;
mod report;
mod sections;

pub use metrics::ReloadMetrics;
pub use reloader::{ConfigSource, Reloader};
pub use report::Reloaded;
pub use sections::ReloadParts;
