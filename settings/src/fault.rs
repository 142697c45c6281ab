//! What is wrong with a file, and the proof that it was recorded.
use std::fmt::{self, Display};

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line and the path of the key, such as `line 12, award[3].rate`. The line is left out
    /// for a key that the file does not have, and the path for a fault of the whole file. Entries
    /// of lists and tables count from 1.
    pub location: String,
    /// What is wrong there.
    pub message: String,
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.location, self.message)
    }
}

/// Proof that a fault was recorded. Only a document makes one, so a reader that returns it
/// instead of a value cannot hide a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faulted(());

impl Faulted {
    /// For the document, which has just recorded a fault.
    pub(crate) fn recorded() -> Self {
        Self(())
    }
}

/// Returns every value, or [`Faulted`] if one is missing. (Collecting straight into a `Result`
/// would stop reading at the first fault.)
pub fn all<T>(values: impl IntoIterator<Item = Result<T, Faulted>>) -> Result<Vec<T>, Faulted> {
    let values: Vec<_> = values.into_iter().collect();
    values.into_iter().collect()
}
