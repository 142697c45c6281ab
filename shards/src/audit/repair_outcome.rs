//! Rows whose label may be of a day that has not begun, and what becomes of them.
use jiff::Timestamp;

use super::history::RowContext;

/// How often the repair tries again with a row that changes meanwhile.
pub(super) const TRIES_MAX: usize = 10;

/// A row whose label may be ahead.
pub(super) struct Suspect<'a> {
    pub(super) user: &'a str,
    pub(super) activity: i64,
    /// The latest label of a day that has begun.
    pub(super) latest: i64,
    pub(super) now: Timestamp,
}

/// Those of a page's rows whose label is ahead of the clock. `label` is a row's activity and day.
pub(super) fn suspects<'r, T>(
    rows: &'r [(String, T)],
    context: &RowContext<'_>,
    label: fn(&T) -> (i64, i64),
) -> Vec<Suspect<'r>> {
    let suspect = |(user, row): &'r (String, T)| {
        let (activity, day) = label(row);
        let latest = context.latest_label(activity);
        Some(Suspect {
            user,
            activity,
            latest: latest.filter(|&latest| day > latest)?,
            now: context.now,
        })
    };
    rows.iter().filter_map(suspect).collect()
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LabelRepaired {
    SetBack,
    Correct,
    Left,
}
