//! Which results are wanted, and how hard to look for them.
use jiff::Timestamp;
use market::{ActivityId, AwardId, Call, Kind, Order};

/// Which results.
#[derive(Debug, Clone)]
pub struct ResultsFilter {
    /// What calls of this kind made.
    pub kind: Kind,
    /// In this activity.
    pub activity: ActivityId,
    /// Draws of this prize only.
    pub award: Option<AwardId>,
    /// Made then or later.
    pub since: Option<Timestamp>,
    /// Made before then.
    pub until: Option<Timestamp>,
}

impl ResultsFilter {
    /// All that calls of a kind made in an activity.
    pub fn all(kind: Kind, activity: ActivityId) -> Self {
        Self {
            kind,
            activity,
            award: None,
            since: None,
            until: None,
        }
    }

    /// Whether what a call made may be wanted.
    pub(super) fn wants_call(&self, call: &Call) -> bool {
        call.kind == self.kind
            && call.activity == self.activity
            && self.since.is_none_or(|since| call.created_at >= since)
            && self.until.is_none_or(|until| call.created_at < until)
    }

    /// Whether an order of such a call is wanted.
    pub(super) fn wants_order(&self, order: &Order) -> bool {
        self.award.is_none_or(|award| order.award == award)
    }
}

/// How hard to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    pub(super) tables_at_once: usize,
    /// Calls in a page.
    pub(crate) rows_max: usize,
}

impl Effort {
    /// As fast as the databases are: for a command, which has a process to itself.
    pub const ALONE: Self = Self {
        tables_at_once: 4,
        rows_max: 4_000,
    };

    /// One table at a time, in short steps, for work within a server: a page is decoded between two
    /// batches, in about a millisecond.
    pub const BESIDE_DRAWS: Self = Self {
        tables_at_once: 1,
        rows_max: 400,
    };

    /// For a caller who takes this number of calls in a second: no page is worth more than a tenth
    /// of a second, so little is read ahead.
    #[must_use]
    pub fn paced(self, calls_per_second: u32) -> Self {
        let tenth = usize::try_from(calls_per_second / 10).unwrap_or(usize::MAX);
        Self {
            tables_at_once: 1,
            rows_max: tenth.clamp(1, self.rows_max),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paced_pages_are_worth_a_tenth_of_a_second() {
        let rows = |effort: Effort, rate| effort.paced(rate).rows_max;
        assert_eq!(rows(Effort::ALONE, 1_000), 100);
        assert_eq!(rows(Effort::ALONE, 1), 1);
        assert_eq!(rows(Effort::ALONE, u32::MAX), 4_000);
        assert_eq!(rows(Effort::BESIDE_DRAWS, 50_000), 400);
    }
}
