//! What the checks know of a user's rows before the current one: a [`DrawHistory`], which holds one
//! user's counters in one activity.
use std::collections::VecDeque;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use market::UserId;
use market::calendar::Day;
use router::{Route, SlotMap};

use super::known::Known;
use super::rows::{LabelRepair, StoredAccount, StoredOrder};

/// Lanes draw nothing while their clock differs from their database's by more than a minute. The
/// rest is for the time between reading the clock and reading the page.
const CLOCKS_DIFFER_MAX: SignedDuration = SignedDuration::from_mins(5);

/// A table pair: its shard and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TableLocation {
    pub(super) shard: u16,
    pub(super) table: u16,
}

/// What the checks compare rows with.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowContext<'a> {
    /// Where the rows are.
    pub(super) at: TableLocation,
    pub(super) map: &'a SlotMap,
    pub(super) known: &'a Known,
    /// By the database's clock, when the rows were read.
    pub(super) now: Timestamp,
}

impl TableLocation {
    pub(super) fn of(route: Route) -> Self {
        Self {
            shard: route.shard().get(),
            table: route.table().get(),
        }
    }
}

impl RowContext<'_> {
    /// The latest label that an order of an activity can have now; `None` when no version of the
    /// activity says its time zone.
    pub(super) fn latest_label(&self, activity: i64) -> Option<i64> {
        let zone = self.known.versions.time_zone(activity)?;
        Some(Day::of(self.now + CLOCKS_DIFFER_MAX, zone).number().into())
    }
}

/// What the account of these orders must say of its latest day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct DayLabels {
    /// The day of the latest order, 0 before the first.
    pub(super) day: i64,
    pub(super) day_orders: i64,
    pub(super) month_orders: i64,
}

/// One user's draws in one activity, up to the order that was taken last.
#[derive(Debug, Default)]
pub(super) struct DrawHistory {
    user: String,
    pub(super) id: Option<UserId>,
    pub(super) activity: i64,
    pub(super) account: Option<StoredAccount>,
    /// The chances of the user's recharge orders there.
    pub(super) recharged: i64,
    pub(super) orders: i64,
    /// The version of the first order.
    pub(super) first_version: Option<i64>,
    pub(super) labels: DayLabels,
    /// Repairs that come after this order, earliest first.
    repairs: VecDeque<LabelRepair>,
    /// The labels before the first order that the next repair leaves out.
    pub(super) before_ahead: Option<DayLabels>,
}

impl DrawHistory {
    pub(super) fn new(
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

    /// Whether a repair has noted that the order's label was ahead.
    pub(super) fn is_excused(&self, order: &StoredOrder) -> bool {
        self.leaves_out(order.day)
    }

    /// Takes the next order, of this day.
    pub(super) fn take(&mut self, day: i64) {
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
    pub(super) fn is_repaired_here(&self) -> bool {
        self.repairs
            .front()
            .is_some_and(|repair| repair.used == self.orders)
    }

    /// Sets the labels back, as the repair did.
    pub(super) fn repair(&mut self) {
        self.repairs.pop_front();
        self.labels = self.before_ahead.take().unwrap_or(self.labels);
    }
}

impl DayLabels {
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
    pub(super) fn ended_by(self, order: &StoredOrder) -> (bool, bool) {
        (self.day != order.day, month(self.day) != month(order.day))
    }
}

/// The labels to which an account must be set back that is labelled later than `latest`. `days` are
/// those of all its orders, by ordinal. `None` where their number differs from the account's: then
/// it has another fault, and it is unknown which of them is right.
pub(super) fn labels_set_back(
    account: StoredAccount,
    repairs: &[LabelRepair],
    days: impl IntoIterator<Item = i64>,
    latest: i64,
) -> Option<DayLabels> {
    let of_account = repairs
        .iter()
        .copied()
        .filter(|repair| repair.activity == account.activity);
    let this = LabelRepair {
        activity: account.activity,
        used: account.used,
        today: latest,
    };
    let mut history = DrawHistory::new(
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

impl fmt::Display for TableLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {}, table {}", self.shard, self.table)
    }
}

impl fmt::Display for DrawHistory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user {:?} in activity {}", self.user, self.activity)
    }
}
