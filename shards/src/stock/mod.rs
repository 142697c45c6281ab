//! Stock: units of limited items, taken by batches under grants.
//!
//! A lane takes units for a whole batch under a grant id. It settles the grant after the batch has
//! committed, or gives it back after the batch was undone. Both change only a grant that is still
//! open, so doing them twice is harmless.
//!
//! [`MemoryStock`] is the stock of the embedded default. A cluster's stock is on servers of its
//! own.
pub mod cluster;
#[cfg(test)]
pub(crate) mod conformance;
pub(crate) mod grants;
pub mod ids;
pub(crate) mod live;
mod memory;
pub(crate) mod snapshot;
mod source;
pub(crate) mod spread;

pub use self::grants::{Granted, Part, Receipt};
pub use self::ids::{Epoch, ServerId};
pub use self::live::Left;
pub use self::memory::MemoryStock;
pub use self::snapshot::Snapshot;
pub use self::source::{Stock, StockUnavailable};
