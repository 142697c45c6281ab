//! What a migration reports.

/// What a migration did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Migrated {
    /// What was done, one line for each.
    pub done: Vec<String>,
    /// Why gateways would not start on it, one line for each.
    pub strangers: Vec<String>,
}
