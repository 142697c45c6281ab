//! The invariants: what must hold at every commit, at every answer, and when all has come to rest.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use market::batch::Prize;
use market::calendar::Day;
use market::call::{EarlierCall, Kind};
use market::chances::Account;
use market::draw::DrawAsk;
use market::{ActivityId, Ask, Command, Made, Order, OrderId, Refusal, RequestId, UserId};
use tokio::time::Instant;

use super::clocks::{VERY_WRONG_MS, right_time};
use super::scenario::{CHANCES, is_all_or_nothing, prizes};
use super::store::POISONED;
use super::tables::{Counts, Tables, Write};
use super::world::State;
use crate::error::CommandError;
use crate::stock::ServerId;

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
    order_ids: BTreeSet<OrderId>,
    /// What players were told first.
    answers: BTreeMap<(UserId, RequestId), Made>,
    /// Players who are not done yet.
    pub(super) playing: usize,
    /// Whether operators are done.
    pub(super) operated: bool,
}

impl State {
    /// Checks what a commit has changed.
    pub(super) fn check_commit(&mut self, shard: usize, writes: &[Write]) {
        let mut took: BTreeMap<Prize, u64> = BTreeMap::new();
        let mut noted: BTreeMap<Prize, u64> = BTreeMap::new();
        let (mut counted, mut receipt) = (Counts::new(), Counts::new());
        let mut calls: BTreeMap<(&UserId, &RequestId), Vec<&Order>> = BTreeMap::new();
        for write in writes {
            match write {
                Write::Order(order) => {
                    calls
                        .entry((&order.user, &order.request))
                        .or_default()
                        .push(order);
                    if !self.book.order_ids.insert(order.id) {
                        self.violate(|| format!("order id {} was used twice", order.id));
                    }
                    let ahead = order.created_at.duration_since(right_time());
                    if ahead.as_millis() > i128::from(VERY_WRONG_MS) {
                        self.violate(|| format!("order {} is of the future, by {ahead}", order.id));
                    }
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
        if let Some(call) = calls.values().find(|orders| !is_whole(orders)) {
            self.violate(|| format!("a call was torn: {call:?}"));
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

    /// Chances used are orders; limits hold; days never go back.
    fn check_account(&mut self, shard: usize, user: &UserId, activity: ActivityId) {
        let tables = &self.shards[shard];
        let account = tables.accounts.get(&(user.clone(), activity)).copied();
        let orders = orders_of(tables, user, activity);
        if let Some(why) = account.and_then(|account| wrong_account(account, &orders)) {
            self.violate(|| {
                format!(
                    "{} in {activity}: {why}: {account:?}, {orders:?}",
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

    /// Whether this very command was answered with what it made before.
    pub(super) fn was_made(&self, command: &Command) -> bool {
        self.answered(command).is_some()
    }

    /// Whether it was answered with a unit.
    pub(super) fn was_stocked(&self, command: &Command) -> bool {
        self.answered(command).is_some_and(took_unit)
    }

    /// Checks what a player was answered, who `knew` already that the command was made or did not;
    /// whether that was the last word.
    pub(super) fn hear(
        &mut self,
        shard: usize,
        command: &Command,
        knew: bool,
        answer: &Result<Made, CommandError>,
    ) -> bool {
        self.note(kind_of(answer), || {
            let (user, request) = (command.user.as_str(), command.request.as_str());
            format!("{user} {request} {answer:?}")
        });
        match answer {
            Ok(made) => self.hear_made(shard, command, made),
            Err(CommandError::Refused(refusal)) => {
                return self.hear_refusal(shard, command, knew, *refusal);
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
        let stored = self.shards[shard].call(&command.user, &command.request);
        let stored = EarlierCall::of_orders(stored).map(|earlier| earlier.made);
        if stored.as_ref() != Some(made) {
            self.violate(|| format!("answered {made:?}, stored {stored:?}"));
        }
        if !answers(command, made) {
            self.violate(|| format!("{command:?} was answered {made:?}"));
        }
        let key = (command.user.clone(), command.request.clone());
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
        knew: bool,
        refusal: Refusal,
    ) -> bool {
        let asked = command.ask.fingerprint();
        let account = self.shards[shard]
            .accounts
            .get(&(command.user.clone(), asked.activity));
        let stored = self.shards[shard].call(&command.user, &command.request);
        let earlier = EarlierCall::of_orders(stored).map(|earlier| earlier.call.fingerprint());
        let is_reused = |same_draws: bool| {
            earlier.is_some_and(|earlier| {
                let draws_there = (asked.kind, asked.activity) == (Kind::Draw, earlier.activity)
                    && earlier.kind == Kind::Draw;
                earlier != asked && draws_there == same_draws
            })
        };
        let used = account.map_or(0, |account| u64::from(account.used));
        // As far as the chances go is at least one draw.
        let needed = if is_all_or_nothing(asked.activity) {
            asked.asked
        } else {
            1
        };
        let right = match refusal {
            Refusal::RequestIdReused => is_reused(false),
            Refusal::RequestCountDiffers => is_reused(true),
            Refusal::NoChancesLeft => used + needed > CHANCES.welcome.into(),
            Refusal::StockUnavailable | Refusal::MonthLimit | Refusal::DayLimit => true,
            Refusal::ActivityUnknown
            | Refusal::ActivityNotOpen
            | Refusal::OutsideWindow
            | Refusal::TooManyChances => false,
        };
        if knew || !right {
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
        let orders = |shard: &Tables| shard.orders.values().map(BTreeMap::len).sum::<usize>();
        let used = |shard: &Tables| {
            shard
                .accounts
                .values()
                .map(|account| account.used as usize)
                .sum::<usize>()
        };
        let (orders, used): (usize, usize) = (
            self.shards.iter().map(orders).sum(),
            self.shards.iter().map(used).sum(),
        );
        if orders != used {
            self.violate(|| format!("{used} chances were used for {orders} orders"));
        }
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
        _ => false,
    }
}

/// Whether a unit was made into it.
fn took_unit(made: &Made) -> bool {
    matches!(made, Made::Draws(orders) if orders.iter().any(|order| order.stocked))
}

fn kind_of(answer: &Result<Made, CommandError>) -> &'static str {
    match answer {
        Ok(made) if took_unit(made) => "answer: a unit",
        Ok(_) => "answer: no unit",
        Err(CommandError::Refused(Refusal::StockUnavailable)) => "answer: stock unavailable",
        Err(CommandError::Refused(Refusal::NoChancesLeft)) => "answer: no chances",
        Err(CommandError::Refused(Refusal::RequestIdReused)) => "answer: request id reused",
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

/// Whether the orders of a call, committed together, are all that it made: in one go, from its
/// first place on, and as many as it asked for unless its activity makes fewer.
fn is_whole(orders: &[&Order]) -> bool {
    let mut orders = orders.to_vec();
    orders.sort_unstable_by_key(|order| order.seq);
    let first = orders[0];
    let made = u8::try_from(orders.len()).unwrap_or(u8::MAX);
    let asked = first.asked.get();
    orders.iter().zip(0..).all(|(order, seq)| {
        let follows = order.seq == seq && order.ordinal == first.ordinal + u32::from(seq);
        follows
            && (order.activity, order.asked, order.version)
                == (first.activity, first.asked, first.version)
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

fn wrong_account(account: Account, orders: &[(u32, Day)]) -> Option<&'static str> {
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
    if account.used > account.granted || account.granted != CHANCES.welcome {
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
