//! Which results are wanted, and how hard to look for them.
use jiff::Timestamp;
use market::points::PointsEntry;
use market::{ActivityId, AwardId, Call, Kind, Order, RechargeOrder};

/// Results of which kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultKind {
    /// Orders of draws.
    Draws,
    /// Recharge orders: what users were given or have bought.
    Recharges,
    /// Entries of the ledgers of points.
    Points,
}

/// Which results.
#[derive(Debug, Clone)]
pub struct ResultsFilter {
    /// Of which kind.
    pub kind: ResultKind,
    /// In this activity; `None` for all, and for what is of none.
    pub activity: Option<ActivityId>,
    /// Draws of this prize only.
    pub award: Option<AwardId>,
    /// Made then or later.
    pub since: Option<Timestamp>,
    /// Made before then.
    pub until: Option<Timestamp>,
}

impl ResultsFilter {
    /// All of a kind, in an activity or everywhere.
    pub fn all(kind: ResultKind, activity: impl Into<Option<ActivityId>>) -> Self {
        Self {
            kind,
            activity: activity.into(),
            award: None,
            since: None,
            until: None,
        }
    }

    /// Whether what a call made may be wanted.
    pub(super) fn wants_call(&self, call: &Call) -> bool {
        let of_kind = match self.kind {
            ResultKind::Draws => call.kind == Kind::Draw && self.is_in(call.activity),
            // Such a call may name no activity, and make recharge orders in several.
            ResultKind::Recharges => call.kind != Kind::Draw,
            ResultKind::Points => false,
        };
        of_kind && self.is_of_time(call.created_at)
    }

    fn is_in(&self, activity: Option<ActivityId>) -> bool {
        self.activity.is_none() || self.activity == activity
    }

    fn is_of_time(&self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| at >= since) && self.until.is_none_or(|until| at < until)
    }

    /// Whether an entry of a ledger is wanted.
    pub(super) fn wants_entry(&self, entry: &PointsEntry) -> bool {
        self.is_in(entry.activity) && self.is_of_time(entry.created_at)
    }

    /// Whether a recharge order of such a call is wanted.
    pub(super) fn wants_recharge(&self, order: &RechargeOrder) -> bool {
        self.is_in(order.activity)
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
    /// Calls or entries in a page.
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
