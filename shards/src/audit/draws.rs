//! The fold over one table pair: accounts, each followed by its orders. It remembers one user's
//! counters in one activity at a time, so it needs little memory whatever the table's size.
use std::fmt;

use market::UserId;
use router::{Slot, SlotMap, slot_of};

use super::campaigns::{Drawer, Versions};
use super::report::Checks;
use super::rows::{Content, StoredAccount, StoredOrder, StoredRow};
use super::stock::Counts;

/// Which table pair is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) shard: u16,
    pub(super) table: u16,
}

/// The fold. Rows come by user and activity: the account, then its orders by ordinal.
pub(super) struct Fold<'a> {
    pub(super) place: Place,
    pub(super) map: &'a SlotMap,
    pub(super) versions: &'a Versions,
    pub(super) checks: &'a mut Checks,
    /// The orders that took a unit of stock, by prize.
    pub(super) stocked: &'a mut Counts,
    pub(super) history: Option<History>,
}

/// One user's draws in one activity, as far as they were read.
#[derive(Debug, Default)]
pub(super) struct History {
    user: String,
    id: Option<UserId>,
    activity: i64,
    account: Option<StoredAccount>,
    orders: i64,
    /// The day of the latest order, 0 before the first.
    day: i64,
    day_orders: i64,
    month_orders: i64,
    /// One report of an ordinal out of order will do: all that follow are too.
    misnumbered: bool,
    /// The call for several draws whose orders are being read.
    call: Option<Call>,
}

/// A call for several draws. Its draws follow one another: a lane makes all of them in one go.
#[derive(Debug)]
struct Call {
    request: String,
    asked: i64,
    version: i64,
    /// How many of its orders were read, were none missing.
    made: i64,
}

impl Fold<'_> {
    /// Takes the next row.
    pub(super) fn row(&mut self, row: &StoredRow<'_>) {
        let mut history = match self.history.take() {
            Some(history) if history.is_of(row) => history,
            previous => {
                self.close(previous);
                History::new(row)
            }
        };
        self.check_place(row);
        match &row.content {
            Content::Account(account) => history.account = Some(*account),
            Content::Order(order) => self.order(&mut history, order),
        }
        self.history = Some(history);
    }

    /// Ends with the last user.
    pub(super) fn finish(mut self) {
        let last = self.history.take();
        self.close(last);
    }

    fn order(&mut self, history: &mut History, order: &StoredOrder<'_>) {
        if order.stocked == 1 {
            *self.stocked.entry((history.activity, order.award)).or_default() += 1;
        }
        self.checks.one_order_per_request.checked += 1;
        self.check_campaign(history, order);
        self.check_sequence(history, order);
        self.check_call(history, order);
        if !history.is_same_day(order) {
            self.end_day(history);
        }
        if !history.is_same_month(order) {
            self.end_month(history);
        }
        history.orders += 1;
        history.day = order.day;
        history.day_orders += 1;
        history.month_orders += 1;
    }

    fn check_place(&mut self, row: &StoredRow<'_>) {
        let check = &mut self.checks.rows_on_their_shard;
        check.checked += 1;
        let route = self.map.route(row.user);
        let belongs = Place { shard: route.shard().get(), table: route.table().get() };
        if belongs != self.place {
            check.violation(|| format!("{}: {row} belongs to {belongs}", self.place));
        }
        let Content::Order(order) = &row.content else { return };
        let slot = u64::try_from(order.id).map(slot_of);
        if slot != Ok(route.slot()) {
            let slot = slot.map_or_else(|_| "none".to_owned(), |slot: Slot| slot.to_string());
            check
                .violation(|| format!("{}: {row} carries the slot {slot}, its user's is {}", self.place, route.slot()));
        }
    }

    fn check_campaign(&mut self, history: &History, order: &StoredOrder<'_>) {
        let check = &mut self.checks.orders_match_their_campaign;
        check.checked += 1;
        let drawer = Drawer { user: history.id.as_ref(), activity: history.activity, day_before: history.day };
        let faults = self.versions.faults(drawer, order);
        if !faults.is_empty() {
            let (place, id, version) = (self.place, order.id, order.version);
            check.violation(|| format!("{place}: order {id} of {history}, version {version}: {}", faults.join("; ")));
        }
    }

    fn check_sequence(&mut self, history: &mut History, order: &StoredOrder<'_>) {
        let check = &mut self.checks.chances_match_orders;
        let (place, id) = (self.place, order.id);
        let expected = history.orders + 1;
        if order.ordinal != expected && !history.misnumbered {
            history.misnumbered = true;
            check.violation(|| {
                format!("{place}: order {id} of {history} is numbered {}, not {expected}", order.ordinal)
            });
        }
        if order.day < history.day {
            let (day, before) = (order.day, history.day);
            check.violation(|| format!("{place}: order {id} of {history} is of day {day}, the one before of {before}"));
        }
    }

    /// Orders of one call stand one after the other, from its first place on.
    fn check_call(&mut self, history: &mut History, order: &StoredOrder<'_>) {
        let (seq, asked, request) = (order.seq, order.asked, order.request);
        let follows = |call: &&mut Call| (&*call.request, call.asked, call.made) == (request, asked, seq);
        if let Some(call) = history.call.as_mut().filter(follows) {
            call.made += 1;
        } else {
            self.end_call(history);
            self.checks.calls_are_whole.checked += 1;
            if seq != 0 {
                self.call_violation(history, order, "and the one before it is not there");
            }
            let several = (asked, seq) != (1, 0);
            let call = || Call { request: request.to_owned(), asked, version: order.version, made: seq + 1 };
            history.call = several.then(call);
        }
        if seq == asked {
            self.call_violation(history, order, "which is one too many");
        }
    }

    fn call_violation(&mut self, history: &History, order: &StoredOrder<'_>, what: &str) {
        let (place, StoredOrder { id, seq, asked, request, .. }) = (self.place, order);
        self.checks.calls_are_whole.violation(|| {
            format!(
                "{place}: order {id} of {history} is draw {} of {asked} under request id {request:?}, {what}",
                seq + 1
            )
        });
    }

    /// A call that made fewer draws than it asked for needs a version that allows it.
    fn end_call(&mut self, history: &mut History) {
        let Some(Call { request, asked, version, made }) = history.call.take() else { return };
        if made < asked && self.versions.is_all_or_nothing(history.activity, version) {
            let place = self.place;
            self.checks.calls_are_whole.violation(|| {
                format!("{place}: request id {request:?} of {history} has {made} draws of {asked}, the version makes all or none")
            });
        }
    }

    /// Compares an account with the orders that were made from it.
    fn close(&mut self, history: Option<History>) {
        let Some(mut history) = history else { return };
        self.end_call(&mut history);
        let check = &mut self.checks.chances_match_orders;
        check.checked += 1;
        let (place, orders) = (self.place, history.orders);
        match history.account {
            None => check.violation(|| format!("{place}: {history} has {orders} orders and no account")),
            Some(account) => {
                let faults = history.account_faults(account);
                if !faults.is_empty() {
                    check.violation(|| format!("{place}: the account of {history}: {}", faults.join("; ")));
                }
            }
        }
        self.end_day(&mut history);
        self.end_month(&mut history);
    }

    fn end_day(&mut self, history: &mut History) {
        let limit = self.versions.limits(history.activity).map(|limits| limits.day);
        self.check_limit(history, history.day_orders, limit, history.day);
        history.day_orders = 0;
    }

    fn end_month(&mut self, history: &mut History) {
        let limit = self.versions.limits(history.activity).map(|limits| limits.month);
        self.check_limit(history, history.month_orders, limit, month(history.day));
        history.month_orders = 0;
    }

    fn check_limit(&mut self, history: &History, orders: i64, limit: Option<i64>, label: i64) {
        let Some(limit) = limit.filter(|_| orders > 0) else { return };
        let check = &mut self.checks.day_and_month_limits;
        check.checked += 1;
        if orders > limit {
            check.violation(|| {
                format!("{}: {history} has {orders} orders in {label}, the limit is {limit}", self.place)
            });
        }
    }
}

impl History {
    fn new(row: &StoredRow<'_>) -> Self {
        Self { user: row.user.to_owned(), id: UserId::new(row.user).ok(), activity: row.activity, ..Self::default() }
    }

    fn is_of(&self, row: &StoredRow<'_>) -> bool {
        self.activity == row.activity && self.user == row.user
    }

    fn is_same_day(&self, order: &StoredOrder<'_>) -> bool {
        self.day == order.day
    }

    fn is_same_month(&self, order: &StoredOrder<'_>) -> bool {
        month(self.day) == month(order.day)
    }

    fn account_faults(&self, account: StoredAccount) -> Vec<String> {
        let counted = [
            ("used", account.used, self.orders),
            ("day", account.day, self.day),
            ("day_used", account.day_used, self.day_orders),
            ("month_used", account.month_used, self.month_orders),
        ];
        let differ = counted.into_iter().filter(|(_, stored, counted)| stored != counted);
        let differ = differ.map(|(name, stored, counted)| format!("{name} is {stored}, its orders say {counted}"));
        let (used, granted) = (account.used, account.granted);
        let exceeded = (used > granted).then(|| format!("{used} chances are used and {granted} were granted"));
        differ.chain(exceeded).collect()
    }
}

/// The month of a day's label.
fn month(day: i64) -> i64 {
    day / 100
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {}, table {}", self.shard, self.table)
    }
}

impl fmt::Display for StoredRow<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.content {
            Content::Account(_) => f.write_str("the account")?,
            Content::Order(order) => write!(f, "order {}", order.id)?,
        }
        write!(f, " of user {:?} in activity {}", self.user, self.activity)
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "user {:?} in activity {}", self.user, self.activity)
    }
}
