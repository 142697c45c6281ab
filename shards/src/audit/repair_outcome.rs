//! What becomes of a row whose label may be of a day that has not begun.

/// How often the repair tries again with a row that changes meanwhile.
pub(super) const TRIES_MAX: usize = 10;

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LabelRepaired {
    SetBack,
    Correct,
    Left,
}
