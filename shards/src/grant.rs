//! The name of one try of one batch, for stock, lanes and shards.
use std::fmt;

/// Names one try of one batch, for ever. It is built from a run number and a counter, never from a
/// clock.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GrantId(pub u64);

impl fmt::Debug for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GrantId({:#x})", self.0)
    }
}
