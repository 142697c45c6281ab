//! The walk through the draws of a table pair. It goes user by user and activity by activity: the
//! account, then its orders by ordinal. It remembers one user's counters in one activity
//! ([`DrawHistory`]), so it needs little memory whatever the table's size.
use super::checks::{RowCheck, RowChecks};
use super::history::{DrawHistory, RowContext, TableLocation};
use super::pages::Stored;
use super::report::CheckReport;
use super::rows::{StoredAccount, StoredCall, StoredEntry, StoredOrder};

/// Hands rows to the checks, in the order of the walk.
pub(super) struct Walk<'a> {
    checks: &'a mut RowChecks,
    history: Option<DrawHistory>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(checks: &'a mut RowChecks) -> Self {
        Self {
            checks,
            history: None,
        }
    }

    /// Goes through everything that is stored of a user.
    pub(super) fn user(&mut self, context: &RowContext<'_>, user: &str, stored: Stored) {
        for call in &stored.calls {
            self.call(context.at, user, call);
        }
        let stored = stored.by_ordinal();
        self.beside_draws(context, user, &stored);
        self.part(context, user, &stored, true);
        for entry in &stored.entries {
            self.entry(context, user, entry);
        }
        self.entries_over(context, user, true);
    }

    /// Takes what is stored of a user beside orders and entries.
    pub(super) fn beside_draws(&mut self, context: &RowContext<'_>, user: &str, stored: &Stored) {
        let beside = stored.beside_draws(user);
        self.each(|check, report| check.user(report, context, &beside));
        for order in beside.recharges {
            self.checks.count_sku(order);
        }
    }

    /// Takes the user's next entry, after some of the user's orders or all.
    pub(super) fn entry(&mut self, context: &RowContext<'_>, user: &str, entry: &StoredEntry) {
        self.each(|check, report| check.entry(report, context, user, entry));
    }

    /// All entries were taken. The user may have more orders after them unless they came after the
    /// `last` part.
    pub(super) fn entries_over(&mut self, context: &RowContext<'_>, user: &str, last: bool) {
        self.each(|check, report| check.entries_over(report, context, user, last));
    }

    /// Takes the next call of a user.
    pub(super) fn call(&mut self, at: TableLocation, user: &str, call: &StoredCall) {
        self.each(|check, report| check.call(report, at, user, call));
    }

    /// Goes through some orders of a user, by activity and ordinal. The user may have more orders
    /// after them unless this is the `last` part. Accounts and repairs come with each part.
    pub(super) fn part(
        &mut self,
        context: &RowContext<'_>,
        user: &str,
        stored: &Stored,
        last: bool,
    ) {
        let mut accounts = stored.accounts.iter().copied().peekable();
        let open = |account: &StoredAccount, walk: &mut Self| {
            walk.open(context, user, account.activity, Some(*account), stored);
        };
        let walked = self
            .history
            .as_ref()
            .map_or(i64::MIN, |history| history.activity);
        // An earlier part went through the accounts up to here.
        while accounts
            .next_if(|account| self.history.is_some() && account.activity <= walked)
            .is_some()
        {}
        for order in &stored.orders {
            while let Some(account) = accounts.next_if(|account| account.activity <= order.activity)
            {
                open(&account, self);
            }
            if self
                .history
                .as_ref()
                .is_none_or(|history| history.activity != order.activity)
            {
                self.open(context, user, order.activity, None, stored);
            }
            self.order(context, order);
        }
        if last {
            for account in accounts {
                open(&account, self);
            }
            self.close(context);
        }
    }

    fn open(
        &mut self,
        context: &RowContext<'_>,
        user: &str,
        activity: i64,
        account: Option<StoredAccount>,
        stored: &Stored,
    ) {
        self.close(context);
        let repairs = stored
            .repairs
            .iter()
            .copied()
            .filter(|repair| repair.activity == activity)
            .collect();
        let mut history = DrawHistory::new(user, activity, account, repairs);
        let recharges = stored.recharges.iter();
        let of_activity = recharges.filter(|order| order.activity == activity);
        history.recharged = of_activity.map(|order| order.chances).sum();
        self.each(|check, report| check.begin(report, context, &history));
        self.history = Some(history);
    }

    fn order(&mut self, context: &RowContext<'_>, order: &StoredOrder) {
        let Some(mut history) = self.history.take() else {
            return;
        };
        let (day_ended, month_ended) = history.labels.ended_by(order);
        // The labels that a repair goes back to continue after this order.
        let goes_on = history.is_excused(order) && history.before_ahead.is_none();
        if day_ended && !goes_on {
            self.each(|check, report| check.day_over(report, context, &history));
        }
        if month_ended && !goes_on {
            self.each(|check, report| check.month_over(report, context, &history));
        }
        self.each(|check, report| check.order(report, context, &history, order));
        self.checks.count_unit(history.activity, order);
        history.first_version.get_or_insert(order.version);
        history.take(order.day);
        if history.is_repaired_here() {
            self.each(|check, report| check.day_over(report, context, &history));
            self.each(|check, report| check.month_over(report, context, &history));
            history.repair();
        }
        self.history = Some(history);
    }

    fn close(&mut self, context: &RowContext<'_>) {
        let Some(history) = self.history.take() else {
            return;
        };
        self.each(|check, report| check.day_over(report, context, &history));
        self.each(|check, report| check.month_over(report, context, &history));
        self.each(|check, report| check.end(report, context, &history));
    }

    fn each(&mut self, method: impl FnMut(&mut dyn RowCheck, &mut CheckReport)) {
        self.checks.each(method);
    }
}
