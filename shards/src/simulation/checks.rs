//! The invariants: what must hold at every commit, at every answer, and when all has come to rest.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use market::batch::Prize;
use market::calendar::Day;
use market::call::{Fingerprint, Kind};
use market::chances::Account;
use market::draw::DrawAsk;
use market::grant::GrantAsk;
use market::{
    ActivityId, Ask, Call, Command, Made, Order, OrderId, RechargeOrder, Refusal, RequestId, UserId,
};
use tokio::time::Instant;

use super::clocks::{VERY_WRONG_MS, right_time};
use super::scenario::{CHANCES, is_all_or_nothing, prizes};
use super::store::POISONED;
use super::tables::{Counts, Tables, Write};
use super::world::State;
use crate::error::CommandError;
use crate::stock::ServerId;
use crate::store::tables::calls::ids_of;

/// Whoever has nothing to do with a gateway that stands still is answered within this time: what a
/// batch waits for a lock that it meets when it writes, twice, and some.
pub(super) const ANSWERED_WITHIN: Duration = Duration::from_secs(2);

/// So long after a gateway has gone on its users may still be told that they are held.
const TOLD_AFTERWARDS: Duration = Duration::from_secs(3);

/// A lane that stood still with a batch half done.
struct Still {
    /// The gateway, and which of its lanes.
    lane: (usize, usize),
    /// Whose rows its transaction had.
    users: BTreeSet<UserId>,
    until: Instant,
}

/// What was seen so far.
#[derive(Default)]
pub(super) struct Book {
    stills: Vec<Still>,
    /// Orders that took a unit.
    issued: BTreeMap<Prize, u64>,
    /// The units that they took, by segment.
    used: Counts,
    /// Of orders and recharge orders.
    ids: BTreeSet<OrderId>,
    calls: BTreeSet<(UserId, RequestId)>,
    /// What players were told first.
    answers: BTreeMap<(UserId, RequestId), Made>,
    /// Players who are not done yet.
    pub(super) playing: usize,
    /// Whether operators are done.
    pub(super) operated: bool,
}

/// What was known when a command was sent.
pub(super) struct Before {
    /// Whether its sender was answered already that it was made.
    knew: bool,
    /// The chances that the user had been granted.
    granted: u32,
}

impl State {
    /// Checks what a commit has changed.
    pub(super) fn check_commit(&mut self, shard: usize, writes: &[Write]) {
        let mut took: BTreeMap<Prize, u64> = BTreeMap::new();
        let mut noted: BTreeMap<Prize, u64> = BTreeMap::new();
        let (mut counted, mut receipt) = (Counts::new(), Counts::new());
        for write in writes {
            match write {
                Write::Call(call) => self.check_call(call),
                Write::RechargeOrder(order) => {
                    self.check_id(order.id);
                    self.check_account(shard, &order.user, order.activity);
                }
                Write::Order(order) => {
                    self.check_id(order.id);
                    if order.stocked {
                        *took
                            .entry(Prize {
                                activity: order.activity,
                                award: order.award,
                            })
                            .or_default() += 1;
                    }
                }
                Write::Count((prize, segment, ..), units) => {
                    *self.book.used.entry((*prize, *segment)).or_default() += units;
                    *counted.entry((*prize, *segment)).or_default() += units;
                    *noted.entry(*prize).or_default() += units;
                }
                Write::Receipt(_, row) => {
                    for part in &row.used {
                        *receipt.entry((part.prize, part.segment)).or_default() +=
                            u64::from(part.count);
                    }
                }
                Write::Account(user, activity, _) => self.check_account(shard, user, *activity),
                Write::Epoch(..) | Write::Delete(..) | Write::Fold(..) => {}
            }
        }
        if let Some(torn) = torn(writes) {
            self.violate(|| torn);
        }
        if took != noted {
            self.violate(|| format!("a batch's orders took {took:?}, its counters say {noted:?}"));
        }
        if receipt != counted {
            self.violate(|| format!("a batch counted {counted:?}, its receipt says {receipt:?}"));
        }
        for (prize, units) in took {
            *self.book.issued.entry(prize).or_default() += units;
        }
        self.check_totals();
    }

    /// A key has one call, of whatever kind.
    fn check_call(&mut self, call: &Call) {
        let key = (call.user.clone(), call.request.clone());
        if !self.book.calls.insert(key) {
            self.violate(|| format!("a key has two calls, one of them {call:?}"));
        }
        let ahead = call.created_at.duration_since(right_time());
        if ahead.as_millis() > i128::from(VERY_WRONG_MS) {
            self.violate(|| format!("call {} is of the future, by {ahead}", call.first_id));
        }
    }

    /// An id has one row.
    fn check_id(&mut self, id: OrderId) {
        if !self.book.ids.insert(id) {
            self.violate(|| format!("id {id} was used twice"));
        }
    }

    /// Issued is never above the total, of any prize and any segment.
    pub(super) fn check_totals(&mut self) {
        let total = |key| self.meta.totals.get(key).copied().unwrap_or(0);
        let above = self
            .book
            .used
            .iter()
            .find(|&(key, &used)| used > total(key));
        let above = above
            .map(|(key, used)| format!("{used} of {} units of {key:?} are issued", total(key)));
        let oversold = self
            .book
            .issued
            .iter()
            .find(|&(&prize, &issued)| issued > self.meta.total_of(prize));
        let oversold = oversold.map(|(prize, issued)| format!("{issued} of {prize:?} are issued"));
        if let Some(what) = oversold.or(above) {
            self.violate(|| what);
        }
    }

    /// Chances used are orders, chances granted are the welcome chances and the recharge orders;
    /// limits hold; days never go back.
    fn check_account(&mut self, shard: usize, user: &UserId, activity: ActivityId) {
        let tables = &self.shards[shard];
        let account = tables.accounts.get(&(user.clone(), activity)).copied();
        let orders = orders_of(tables, user, activity);
        let recharged = tables.recharged(user, activity);
        if let Some(why) = account.and_then(|account| wrong_account(account, recharged, &orders)) {
            self.violate(|| {
                format!(
                    "{} in {activity}: {why}: {account:?}, {recharged} given, {orders:?}",
                    user.as_str()
                )
            });
        }
    }

    /// A lane stands still with its batch half done.
    pub(super) fn note_still(
        &mut self,
        lane: (usize, usize),
        users: BTreeSet<UserId>,
        length: Duration,
    ) {
        self.note("stands still", || {
            format!("{lane:?} with {users:?} for {length:?}")
        });
        self.book.stills.push(Still {
            lane,
            users,
            until: Instant::now() + length,
        });
    }

    /// Whoever has nothing to do with those who stand still, and nothing else is wrong, is answered
    /// soon, and with more than that something is unavailable.
    pub(super) fn check_answered(
        &mut self,
        lane: (usize, usize),
        command: &Command,
        asked: Instant,
        answer: &Result<Made, CommandError>,
    ) {
        let concerns = |still: &&Still| still.lane == lane || still.users.contains(&command.user);
        let lasts = |still: &&Still| asked < still.until + TOLD_AFTERWARDS;
        if self
            .book
            .stills
            .iter()
            .filter(lasts)
            .any(|still| concerns(&still))
        {
            return;
        }
        if self.book.stills.iter().any(|still| asked < still.until) {
            self.note("answer: while others stand still", String::new);
        }
        let is_answer = match answer {
            Ok(_) => true,
            // One that says that it stops has not begun yet.
            Err(error) => matches!(
                error,
                CommandError::Refused(_)
                    | CommandError::DataRefused
                    | CommandError::QueueFull
                    | CommandError::Stopping
            ),
        };
        let took = asked.elapsed();
        if !is_answer || took > ANSWERED_WITHIN {
            let who = command.user.as_str();
            self.violate(|| format!("{who} has nothing to do with who stands still and got {answer:?} after {took:?}"));
        }
    }

    /// What this very command was answered before.
    fn answered(&self, command: &Command) -> Option<&Made> {
        let key = (command.user.clone(), command.request.clone());
        let made = self.book.answers.get(&key)?;
        answers(command, made).then_some(made)
    }

    /// Whether it was answered with a unit.
    pub(super) fn was_stocked(&self, command: &Command) -> bool {
        self.answered(command).is_some_and(took_unit)
    }

    /// What is known before a command is sent.
    pub(super) fn before(&self, shard: usize, command: &Command) -> Before {
        let key = (command.user.clone(), command.ask.fingerprint().activity);
        let account = self.shards[shard].accounts.get(&key);
        Before {
            knew: self.answered(command).is_some(),
            granted: account.map_or(CHANCES.welcome, |account| account.granted),
        }
    }

    /// Checks what the sender of a command was answered; whether that was the last word.
    pub(super) fn hear(
        &mut self,
        shard: usize,
        command: &Command,
        before: &Before,
        answer: &Result<Made, CommandError>,
    ) -> bool {
        self.note(kind_of(answer), || {
            let (user, request) = (command.user.as_str(), command.request.as_str());
            format!("{user} {request} {answer:?}")
        });
        match answer {
            Ok(made) => self.hear_made(shard, command, made),
            Err(CommandError::Refused(refusal)) => {
                return self.hear_refusal(shard, command, before, *refusal);
            }
            Err(CommandError::DataRefused) if command.request.as_str() == POISONED => {}
            Err(CommandError::DataRefused) => {
                self.violate(|| format!("{command:?} was refused as data"));
            }
            Err(_) => return false,
        }
        true
    }

    fn hear_made(&mut self, shard: usize, command: &Command, made: &Made) {
        if let (Ask::Draw(ask), Made::Draws(orders)) = (command.ask, made) {
            if orders.len() > 1 {
                self.note("answer: several draws", String::new);
            }
            if orders.len() < usize::from(ask.count.get()) {
                self.note("answer: fewer draws", String::new);
            }
        }
        let key = (command.user.clone(), command.request.clone());
        let stored = self.shards[shard].earlier(&key);
        if !matches!(&stored, Ok(Some(earlier)) if earlier.made == *made) {
            self.violate(|| format!("answered {made:?}, stored {stored:?}"));
        }
        if !answers(command, made) {
            self.violate(|| format!("{command:?} was answered {made:?}"));
        }
        let first = self
            .book
            .answers
            .entry(key)
            .or_insert_with(|| made.clone())
            .clone();
        if first != *made {
            self.violate(|| format!("answered {made:?} after {first:?}"));
        }
    }

    fn hear_refusal(
        &mut self,
        shard: usize,
        command: &Command,
        before: &Before,
        refusal: Refusal,
    ) -> bool {
        let asked = command.ask.fingerprint();
        let account = self.shards[shard]
            .accounts
            .get(&(command.user.clone(), asked.activity));
        let earlier = self.shards[shard]
            .calls
            .get(&(command.user.clone(), command.request.clone()))
            .map(Call::fingerprint);
        let used = account.map_or(0, |account| account.used);
        let right = is_right(refusal, asked, earlier, used, before.granted);
        if before.knew || !right {
            let what =
                format!("{command:?} was refused ({refusal}), with {account:?} and {earlier:?}");
            self.violate(|| what);
        }
        refusal != Refusal::StockUnavailable
    }

    /// What still moves, or has to be mended yet.
    pub(super) fn unrest(&mut self) -> Option<String> {
        if self.weather.strays() > 0 {
            return Some(format!("{} requests are under way", self.weather.strays()));
        }
        if !self.book.operated {
            return Some("operators are not done".to_owned());
        }
        if self.meta.waiting() > 0 {
            return Some(format!("{} operations wait", self.meta.waiting()));
        }
        (0..self.servers.len()).find_map(|place| self.unrest_of(place))
    }

    fn unrest_of(&mut self, place: usize) -> Option<String> {
        let id = ServerId(u8::try_from(place + 1).expect("few servers"));
        let registered = self.meta.registered(id);
        if registered.run_id.as_deref() != Some(&self.servers[place].run_id_now()) {
            return Some(format!("server {id} is not the registered one"));
        }
        match self.servers[place].process().snapshot() {
            Err(_) => return Some(format!("server {id} has lost its units")),
            Ok((epoch, ..)) if epoch != registered.epoch => {
                return Some(format!("server {id} is behind"));
            }
            Ok((_, _, open)) if open > 0 => {
                return Some(format!("{open} grants are open on server {id}"));
            }
            Ok(_) => {}
        }
        let epochs: Vec<_> = self.shards.iter().map(|shard| shard.epoch(id)).collect();
        if epochs.iter().any(|&epoch| epoch != registered.epoch) {
            return Some(format!(
                "shards are at {epochs:?} of server {id}, not at {}",
                registered.epoch
            ));
        }
        let receipts: u64 = self
            .shards
            .iter()
            .map(|shard| shard.count_old(Duration::ZERO))
            .sum();
        (receipts > 0).then(|| format!("{receipts} receipts are not deleted"))
    }

    /// Units of a prize that can be taken.
    pub(super) fn left_of(&mut self, prize: Prize) -> u64 {
        let snapshots = self
            .servers
            .iter_mut()
            .filter_map(|server| server.process().snapshot().ok());
        let counts = snapshots.flat_map(|(_, left, _)| left);
        counts
            .filter(|((of, _), _)| *of == prize)
            .map(|(_, units)| units)
            .sum()
    }

    /// Checks the sums when nothing moves any more.
    pub(super) fn check_rest(&mut self) {
        let mut left = Counts::new();
        let mut issued = Counts::new();
        for place in 0..self.servers.len() {
            let id = ServerId(u8::try_from(place + 1).expect("few servers"));
            if let Ok((_, units, _)) = self.servers[place].process().snapshot() {
                left.extend(units);
            }
            for shard in &self.shards {
                for (key, units) in shard.issued_of(id) {
                    *issued.entry(key).or_default() += units;
                }
            }
        }
        if issued != self.book.used {
            let used = self.book.used.clone();
            self.violate(|| format!("the shards counted {issued:?}, their batches used {used:?}"));
        }
        for (key, total) in self.meta.totals.clone() {
            let [left, issued] =
                [&left, &issued].map(|counts| counts.get(&key).copied().unwrap_or(0));
            if left + issued != total {
                self.violate(|| {
                    format!("{key:?}: {left} left and {issued} issued are not {total}")
                });
            }
        }
        self.check_orders();
    }

    /// Orders, counters and accounts agree.
    fn check_orders(&mut self) {
        for prize in prizes() {
            let of_prize =
                |order: &&Order| (order.activity, order.award) == (prize.activity, prize.award);
            let orders = self
                .shards
                .iter()
                .flat_map(|shard| shard.orders.values())
                .flat_map(BTreeMap::values);
            let stocked = orders
                .filter(of_prize)
                .filter(|order| order.stocked)
                .count() as u64;
            let used: u64 = self
                .book
                .used
                .iter()
                .filter(|((of, _), _)| *of == prize)
                .map(|(_, units)| units)
                .sum();
            if stocked != used {
                self.violate(|| format!("{prize:?}: {stocked} orders took {used} units"));
            }
        }
        for shard in 0..self.shards.len() {
            let accounts: Vec<_> = self.shards[shard].accounts.keys().cloned().collect();
            for (user, activity) in accounts {
                self.check_account(shard, &user, activity);
            }
        }
        let orders: usize = self.shards.iter().map(count_orders).sum();
        let used = sum(&self.shards, |account| account.used);
        let granted = sum(&self.shards, |account| account.granted);
        let given: u64 = self.shards.iter().map(given).sum();
        if orders as u64 != used {
            self.violate(|| format!("{used} chances were used for {orders} orders"));
        }
        if given != granted {
            self.violate(|| format!("{granted} chances were granted, {given} were given"));
        }
    }
}

fn count_orders(shard: &Tables) -> usize {
    shard.orders.values().map(BTreeMap::len).sum()
}

/// Chances of all accounts.
fn sum(shards: &[Tables], chances: fn(&Account) -> u32) -> u64 {
    let accounts = shards.iter().flat_map(|shard| shard.accounts.values());
    accounts.map(chances).map(u64::from).sum()
}

/// The welcome chances of all accounts, and all recharge orders.
fn given(shard: &Tables) -> u64 {
    let orders = shard.recharge_orders.values().flat_map(BTreeMap::values);
    let recharged: u64 = orders.map(|order| u64::from(order.chances)).sum();
    recharged + shard.accounts.len() as u64 * u64::from(CHANCES.welcome)
}

/// Whether rules could refuse this call, whose user had been granted so many chances when it was
/// sent and has used so many by now. `earlier` is the call that has its key.
fn is_right(
    refusal: Refusal,
    asked: Fingerprint,
    earlier: Option<Fingerprint>,
    used: u32,
    granted: u32,
) -> bool {
    let differs = |earlier: Fingerprint| {
        if earlier.kind != asked.kind {
            Refusal::RequestIdReused
        } else if earlier.activity != asked.activity {
            Refusal::RequestActivityDiffers
        } else if asked.kind == Kind::Draw {
            Refusal::RequestCountDiffers
        } else {
            Refusal::RequestIdReused
        }
    };
    let reused = earlier.filter(|&earlier| earlier != asked).map(differs);
    // As far as the chances go is at least one draw.
    let needed = if is_all_or_nothing(asked.activity) {
        asked.asked
    } else {
        1
    };
    match refusal {
        Refusal::RequestIdReused
        | Refusal::RequestActivityDiffers
        | Refusal::RequestCountDiffers => reused == Some(refusal),
        _ if asked.kind != Kind::Draw => false,
        Refusal::NoChancesLeft => u64::from(used) + needed > granted.into(),
        Refusal::StockUnavailable | Refusal::MonthLimit | Refusal::DayLimit => true,
        Refusal::ActivityUnknown
        | Refusal::ActivityNotOpen
        | Refusal::OutsideWindow
        | Refusal::TooManyChances => false,
    }
}

/// Whether this can be the answer of this command.
fn answers(command: &Command, made: &Made) -> bool {
    match (command.ask, made) {
        (Ask::Draw(DrawAsk { activity, count }), Made::Draws(orders)) => {
            let is_of = |order: &Order| {
                (&order.user, &order.request, order.activity, order.asked)
                    == (&command.user, &command.request, activity, count)
            };
            !orders.is_empty() && orders.iter().all(is_of)
        }
        (Ask::Grant(GrantAsk { activity, chances }), Made::Grant(order)) => {
            (&order.user, &order.request, order.activity, order.chances)
                == (&command.user, &command.request, activity, chances.get())
        }
        (Ask::Draw(_), Made::Grant(_)) | (Ask::Grant(_), Made::Draws(_)) => false,
    }
}

/// Whether a unit was made into it.
fn took_unit(made: &Made) -> bool {
    matches!(made, Made::Draws(orders) if orders.iter().any(|order| order.stocked))
}

fn kind_of(answer: &Result<Made, CommandError>) -> &'static str {
    match answer {
        Ok(Made::Grant(_)) => "answer: chances given",
        Ok(made) if took_unit(made) => "answer: a unit",
        Ok(_) => "answer: no unit",
        Err(CommandError::Refused(Refusal::StockUnavailable)) => "answer: stock unavailable",
        Err(CommandError::Refused(Refusal::NoChancesLeft)) => "answer: no chances",
        Err(CommandError::Refused(Refusal::RequestIdReused | Refusal::RequestActivityDiffers)) => {
            "answer: request id reused"
        }
        Err(CommandError::Refused(Refusal::RequestCountDiffers)) => "answer: count differs",
        Err(CommandError::Refused(_)) => "answer: limit",
        Err(CommandError::DataRefused) => "answer: data refused",
        Err(CommandError::QueueFull) => "answer: queue full",
        Err(CommandError::TooOld) => "answer: too old",
        Err(CommandError::OutcomeUnknown) => "answer: unknown",
        Err(CommandError::ShardUnavailable) => "answer: shard unavailable",
        Err(CommandError::Held) => "answer: held",
        Err(CommandError::ClocksDiffer { .. }) => "answer: clocks differ",
        Err(CommandError::Stopping) => "answer: stopping",
        // The breakers of shards stand before the lanes, where the players come in.
        Err(CommandError::BreakerOpen { .. }) => unreachable!("the players ask the lanes"),
    }
}

/// What is wrong with calls that were committed together: each has the rows that it made, which are
/// found by the ids that follow from it, and there are no other rows.
fn torn(writes: &[Write]) -> Option<String> {
    let mut orders: BTreeMap<OrderId, &Order> = BTreeMap::new();
    let mut recharges: BTreeMap<OrderId, &RechargeOrder> = BTreeMap::new();
    for write in writes {
        match write {
            Write::Order(order) => drop(orders.insert(order.id, order)),
            Write::RechargeOrder(order) => drop(recharges.insert(order.id, order)),
            _ => {}
        }
    }
    for write in writes {
        let Write::Call(call) = write else { continue };
        let is_whole = match call.kind {
            Kind::Draw => {
                let made: Vec<&Order> = ids_of(call).filter_map(|id| orders.remove(&id)).collect();
                made.len() == usize::from(call.made) && is_whole(call, &made)
            }
            Kind::Grant => {
                let made = recharges.remove(&call.first_id);
                call.made == 1 && made.is_some_and(|order| is_given(call, order))
            }
        };
        if !is_whole {
            return Some(format!("a call was torn: {call:?}"));
        }
    }
    let strays = !orders.is_empty() || !recharges.is_empty();
    strays.then(|| format!("rows of no call: {orders:?}, {recharges:?}"))
}

/// Whether this is the recharge order that a call asked for.
fn is_given(call: &Call, order: &RechargeOrder) -> bool {
    (&order.user, &order.request, order.activity) == (&call.user, &call.request, call.activity)
        && u64::from(order.chances) == call.asked
}

/// Whether these orders are what their call made: in one go, from its first place on, and as many
/// as it asked for unless its activity makes fewer.
fn is_whole(call: &Call, orders: &[&Order]) -> bool {
    let Some(&first) = orders.first() else {
        return false;
    };
    let made = u8::try_from(orders.len()).unwrap_or(u8::MAX);
    let asked = first.asked.get();
    orders.iter().zip(0..).all(|(order, seq)| {
        let follows = order.seq == seq && order.ordinal == first.ordinal + u32::from(seq);
        let is_of_call = (
            &order.user,
            &order.request,
            order.activity,
            order.created_at,
        ) == (&call.user, &call.request, call.activity, call.created_at)
            && u64::from(order.asked.get()) == call.asked;
        follows && is_of_call && order.version == first.version
    }) && (made == asked || made < asked && !is_all_or_nothing(first.activity))
}

/// A user's orders in an activity, in the order of their numbers.
fn orders_of(tables: &Tables, user: &UserId, activity: ActivityId) -> Vec<(u32, Day)> {
    let orders = tables
        .orders
        .get(user)
        .into_iter()
        .flat_map(BTreeMap::values);
    let mut orders: Vec<_> = orders
        .filter(|order| order.activity == activity)
        .map(|order| (order.ordinal, order.day))
        .collect();
    orders.sort_unstable();
    orders
}

fn wrong_account(account: Account, recharged: u32, orders: &[(u32, Day)]) -> Option<&'static str> {
    let count = |same: &dyn Fn(Day) -> bool| orders.iter().filter(|(_, day)| same(*day)).count();
    let on = |of: Day| count(&|day| day == of);
    let in_month = |of: Day| count(&|day| day.month() == of.month());
    if !orders
        .iter()
        .map(|(ordinal, _)| *ordinal)
        .eq(1..=account.used)
    {
        return Some("chances used are not the orders");
    }
    if account.used > account.granted || account.granted != CHANCES.welcome + recharged {
        return Some("chances came from nowhere");
    }
    if !orders.is_sorted_by_key(|(_, day)| *day)
        || orders.last().is_some_and(|(_, day)| *day != account.day)
    {
        return Some("a day came back");
    }
    if orders
        .iter()
        .any(|(_, day)| on(*day) > CHANCES.day_limit as usize)
    {
        return Some("a day's limit was passed");
    }
    if orders
        .iter()
        .any(|(_, day)| in_month(*day) > CHANCES.month_limit as usize)
    {
        return Some("a month's limit was passed");
    }
    let counters = (account.day_used as usize, account.month_used as usize);
    (counters != (on(account.day), in_month(account.day)))
        .then_some("the counters are not the orders")
}
