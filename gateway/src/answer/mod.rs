//! What every caller gets at every door: a code, what is known beyond it, and the
//! envelope around both.
//!
//! These are ground words: all rooms of the gateway may use them, and they use none.
mod causes;
mod code;
mod endpoint;
mod envelope;
mod failure;
mod language;

pub use code::Code;
pub use endpoint::Endpoint;
pub use envelope::{Data, envelope};
pub use failure::{Failure, LimitReached, whole_seconds};
pub use language::Language;
