//! A walk through the draws of a table pair: users one by one, each activity's account followed by
//! its orders. It remembers one user's counters in one activity (`history`), so it needs little
//! memory whatever the table's size.
use super::checks::{DrawCheck, DrawChecks};
use super::history::{Context, History};
use super::pages::Stored;
use super::rows::{StoredAccount, StoredOrder};
use crate::store::StoredMade;

/// The walk. Rows come by user and activity: the account, then its orders by ordinal.
pub(super) struct Walk<'a> {
    checks: &'a mut DrawChecks,
    history: Option<History>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(checks: &'a mut DrawChecks) -> Self {
        Self {
            checks,
            history: None,
        }
    }

    /// Goes through all that is stored of a user.
    pub(super) fn user(&mut self, context: &Context<'_>, user: &str, stored: Stored) {
        let stored = stored.by_ordinal();
        self.part(context, user, &stored, true);
    }

    /// Goes through some orders of a user, by activity and ordinal, who may have more behind them
    /// unless this is the `last` part. Accounts and repairs come with each part.
    pub(super) fn part(&mut self, context: &Context<'_>, user: &str, stored: &Stored, last: bool) {
        let mut accounts = stored.accounts.iter().copied().peekable();
        let open = |account: &StoredAccount, walk: &mut Self| {
            walk.open(context, user, account.activity, Some(*account), stored);
        };
        let behind = self
            .history
            .as_ref()
            .map_or(i64::MIN, |history| history.activity);
        // Those before were gone through with an earlier part.
        while accounts
            .next_if(|account| self.history.is_some() && account.activity <= behind)
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
        context: &Context<'_>,
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
        let others = stored.others.iter();
        let of_activity = others.filter(|other| other.activity() == activity);
        let mut history = History::new(user, activity, account, repairs);
        history.recharged = of_activity.filter_map(StoredMade::recharged).sum();
        self.each(|check| check.begin(context, &history));
        self.history = Some(history);
    }

    fn order(&mut self, context: &Context<'_>, order: &StoredOrder) {
        let Some(mut history) = self.history.take() else {
            return;
        };
        let (day_ended, month_ended) = history.labels.ended_by(order);
        // What a repair goes back to does not end here.
        let goes_on = history.is_excused(order) && history.before_ahead.is_none();
        if day_ended && !goes_on {
            self.each(|check| check.day_over(context, &history));
        }
        if month_ended && !goes_on {
            self.each(|check| check.month_over(context, &history));
        }
        self.each(|check| check.order(context, &history, order));
        history.first_version.get_or_insert(order.version);
        history.take(order.day);
        if history.is_repaired_here() {
            self.each(|check| check.day_over(context, &history));
            self.each(|check| check.month_over(context, &history));
            history.repair();
        }
        self.history = Some(history);
    }

    fn close(&mut self, context: &Context<'_>) {
        let Some(history) = self.history.take() else {
            return;
        };
        self.each(|check| check.day_over(context, &history));
        self.each(|check| check.month_over(context, &history));
        self.each(|check| check.end(context, &history));
    }

    fn each(&mut self, mut tell: impl FnMut(&mut dyn DrawCheck)) {
        for check in self.checks.each() {
            tell(check);
        }
    }
}
