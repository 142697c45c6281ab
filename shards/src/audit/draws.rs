//! A walk through the draws of a table pair: users one by one, each activity's account followed by
//! its orders. What the checks need to know of the rows before is a [`History`], which holds one
//! user's counters in one activity, so the walk needs little memory whatever the table's size.
use std::collections::VecDeque;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use market::UserId;
use market::calendar::Day;
use router::{Route, SlotMap};

use super::checks::{DrawCheck, DrawChecks};
use super::known::Known;
use super::pages::Stored;
use super::rows::{LabelRepair, StoredAccount, StoredOrder};

/// Lanes whose clock differs from their database's by more than a minute draw nothing, and a label
/// can have been written as long ago as this page was read.
const CLOCKS_DIFFER_MAX: SignedDuration = SignedDuration::from_mins(5);

/// Which table pair is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) shard: u16,
    pub(super) table: u16,
}

/// What rows are judged by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) place: Place,
    pub(super) map: &'a SlotMap,
    pub(super) known: &'a Known,
    /// By the database's clock, when the rows were read.
    pub(super) now: Timestamp,
}

impl Place {
    pub(super) fn of(route: Route) -> Self {
        Self {
            shard: route.shard().get(),
            table: route.table().get(),
        }
    }
}

impl Context<'_> {
    /// The latest label that an order of an activity can have now; `None` when nobody knows the
    /// activity's time zone.
    pub(super) fn latest_label(&self, activity: i64) -> Option<i64> {
        let zone = self.known.versions.time_zone(activity)?;
        Some(Day::of(self.now + CLOCKS_DIFFER_MAX, zone).number().into())
    }
}

/// What an account says of its latest day, as its orders say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Labels {
    /// The day of the latest order, 0 before the first.
    pub(super) day: i64,
    pub(super) day_orders: i64,
    pub(super) month_orders: i64,
}

/// One user's draws in one activity, as far as they were gone through.
#[derive(Debug, Default)]
pub(super) struct History {
    user: String,
    pub(super) id: Option<UserId>,
    pub(super) activity: i64,
    pub(super) account: Option<StoredAccount>,
    pub(super) orders: i64,
    /// The sum of the recharge orders.
    pub(super) recharged: i64,
    /// The version of the first order.
    pub(super) first_version: Option<i64>,
    pub(super) labels: Labels,
    /// Those that are still ahead, earliest first.
    repairs: VecDeque<LabelRepair>,
    /// How the labels stood before the first order that the next repair leaves out.
    before_ahead: Option<Labels>,
}

impl History {
    fn new(
        user: &str,
        activity: i64,
        account: Option<StoredAccount>,
        repairs: VecDeque<LabelRepair>,
    ) -> Self {
        let id = UserId::new(user).ok();
        let mut history = Self {
            user: user.to_owned(),
            id,
            activity,
            account,
            repairs,
            ..Self::default()
        };
        if history.is_repaired_here() {
            history.repair();
        }
        history
    }

    /// Where the user's rows belong.
    pub(super) fn route(&self, map: &SlotMap) -> Route {
        map.route(&self.user)
    }

    /// Whether a repair has said already that the order's label was ahead.
    pub(super) fn is_excused(&self, order: &StoredOrder) -> bool {
        self.leaves_out(order.day)
    }

    /// Takes the next order, of this day.
    fn take(&mut self, day: i64) {
        if self.leaves_out(day) {
            self.before_ahead.get_or_insert(self.labels);
        }
        self.orders += 1;
        self.labels = self.labels.and(day);
    }

    /// Whether the next repair leaves out an order of this day.
    fn leaves_out(&self, day: i64) -> bool {
        self.repairs
            .front()
            .is_some_and(|repair| day > repair.today)
    }

    /// Whether the account was set back after the order that was taken last.
    fn is_repaired_here(&self) -> bool {
        self.repairs
            .front()
            .is_some_and(|repair| repair.used == self.orders)
    }

    /// Sets the labels back, as the repair did.
    fn repair(&mut self) {
        self.repairs.pop_front();
        self.labels = self.before_ahead.take().unwrap_or(self.labels);
    }
}

impl Labels {
    fn and(self, day: i64) -> Self {
        let day_orders = if day == self.day { self.day_orders } else { 0 };
        let month_orders = if month(day) == month(self.day) {
            self.month_orders
        } else {
            0
        };
        Self {
            day,
            day_orders: day_orders + 1,
            month_orders: month_orders + 1,
        }
    }

    /// Whether `order` begins another day, and another month.
    fn ended_by(self, order: &StoredOrder) -> (bool, bool) {
        (self.day != order.day, month(self.day) != month(order.day))
    }
}

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
        let recharges = stored.recharges.iter();
        let of_activity = recharges.filter(|recharge| recharge.activity == activity);
        let history = History {
            recharged: of_activity.map(|recharge| recharge.chances).sum(),
            ..History::new(user, activity, account, repairs)
        };
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

/// How the labels of an account have to be set that is labelled later than `latest`, by the days
/// of all its orders, by ordinal. `None` where these are not as many as the account says: then it
/// has another fault, and nobody knows which of them is right.
pub(super) fn labels_set_back(
    account: StoredAccount,
    repairs: &[LabelRepair],
    days: impl IntoIterator<Item = i64>,
    latest: i64,
) -> Option<Labels> {
    let of_account = repairs
        .iter()
        .copied()
        .filter(|repair| repair.activity == account.activity);
    let this = LabelRepair {
        activity: account.activity,
        used: account.used,
        today: latest,
    };
    let mut history = History::new(
        "",
        account.activity,
        Some(account),
        of_account.chain([this]).collect(),
    );
    for day in days {
        history.take(day);
        if history.is_repaired_here() {
            history.repair();
        }
    }
    (history.orders == account.used && history.repairs.is_empty()).then_some(history.labels)
}

/// The month of a day's label.
pub(super) fn month(day: i64) -> i64 {
    day / 100
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {}, table {}", self.shard, self.table)
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user {:?} in activity {}", self.user, self.activity)
    }
}
