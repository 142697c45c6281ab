//! The numbers of stock servers and of their epochs.
use std::fmt;

/// The number of an independent stock server, from 1 to 15. 0 means stock in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServerId(pub u8);

impl ServerId {
    /// No server.
    pub const NONE: Self = Self(0);
    /// The largest number of a server.
    pub const MAX: u8 = 15;
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of times that a stock server was rebuilt. Units granted under one epoch cannot be
/// issued under a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
