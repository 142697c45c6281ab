//! What must hold of answers.
use std::collections::BTreeSet;
use std::time::Duration;

use market::adjust::{PointsAsk, PointsChange};
use market::batch::AccountKey;
use market::command::Fingerprint;
use market::{Ask, Command, Kind, Made, MadeCall, Refusal, UserId};
use tokio::time::Instant;

use super::kinds::{answers, name_of, took_unit};
use crate::error::CommandError;
use crate::simulation::scenario::{CHANCES, is_all_or_nothing, price};
use crate::simulation::store::POISONED;
use crate::simulation::world::WorldState;

/// A user who has nothing to do with a gateway that stands still is answered within this time. A
/// batch waits for a lock that it meets when it writes; this is twice that wait, and some.
pub(in crate::simulation) const ANSWERED_WITHIN: Duration = Duration::from_secs(2);

/// For this long after a gateway has gone on, its users may still be answered that they are held.
const ANSWERED_AFTERWARDS: Duration = Duration::from_secs(3);

/// A lane stood still with a batch half done.
pub(super) struct Standstill {
    /// The gateway, and which of its lanes.
    lane: (usize, usize),
    /// The users whose rows its transaction had locked.
    users: BTreeSet<UserId>,
    until: Instant,
}

/// What was known when a command was sent.
pub(in crate::simulation) struct Before {
    /// Whether its sender was already answered that it was made.
    knew: bool,
    /// The chances that the user had been granted, where the command draws.
    granted: u32,
    /// The points that the user had ever been given, in hundredths.
    points: i64,
}

impl WorldState {
    /// A lane stands still with its batch half done.
    pub(in crate::simulation) fn note_still(
        &mut self,
        lane: (usize, usize),
        users: BTreeSet<UserId>,
        length: Duration,
    ) {
        self.note("stands still", || {
            format!("{lane:?} with {users:?} for {length:?}")
        });
        self.book.standstills.push(Standstill {
            lane,
            users,
            until: Instant::now() + length,
        });
    }

    /// A user who has nothing to do with the lanes that stand still is answered soon, when nothing
    /// else is wrong, and with more than that something is unavailable.
    pub(in crate::simulation) fn check_answered(
        &mut self,
        lane: (usize, usize),
        command: &Command,
        asked: Instant,
        answer: &Result<Made, CommandError>,
    ) {
        let concerns = |standstill: &&Standstill| {
            standstill.lane == lane || standstill.users.contains(&command.user)
        };
        let lasts = |standstill: &&Standstill| asked < standstill.until + ANSWERED_AFTERWARDS;
        if self
            .book
            .standstills
            .iter()
            .filter(lasts)
            .any(|standstill| concerns(&standstill))
        {
            return;
        }
        if self
            .book
            .standstills
            .iter()
            .any(|standstill| asked < standstill.until)
        {
            self.note("answer: while others stand still", String::new);
        }
        let is_answer = match answer {
            Ok(_) => true,
            // A gateway that stops has not begun the command.
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
            self.violate(|| {
                format!(
                    "{who} has nothing to do with the lanes that stand still and got {answer:?} \
                     after {took:?}"
                )
            });
        }
    }

    /// What this very command was answered before.
    fn answered(&self, command: &Command) -> Option<&Made> {
        let key = (command.user.clone(), command.request.clone());
        let made = self.book.answers.get(&key)?;
        self.book
            .calls
            .get(&key)
            .filter(|earlier| is_repeat(command, earlier))?;
        Some(made)
    }

    /// Whether it was answered with a unit.
    pub(in crate::simulation) fn was_stocked(&self, command: &Command) -> bool {
        self.answered(command).is_some_and(took_unit)
    }

    /// What is known before a command is sent.
    pub(in crate::simulation) fn before(&self, shard: usize, command: &Command) -> Before {
        let account = drawn_from(command).and_then(|key| self.shards[shard].accounts.get(&key));
        Before {
            knew: self.answered(command).is_some(),
            granted: account.map_or(CHANCES.welcome, |account| account.granted),
            points: self.points_of(&command.user).0,
        }
    }

    /// Checks what the sender of a command was answered. Returns whether that is final.
    pub(in crate::simulation) fn check_answer(
        &mut self,
        shard: usize,
        command: &Command,
        before: &Before,
        answer: &Result<Made, CommandError>,
    ) -> bool {
        self.note(event_of(answer), || {
            let (user, request) = (command.user.as_str(), command.request.as_str());
            format!("{user} {request} {answer:?}")
        });
        match answer {
            Ok(made) => self.check_made(shard, command, made),
            Err(CommandError::Refused(refusal)) => {
                return self.check_refusal(shard, command, before, *refusal);
            }
            Err(CommandError::DataRefused) if command.request.as_str() == POISONED => {}
            Err(CommandError::DataRefused) => {
                self.violate(|| format!("{command:?} was refused as data"));
            }
            Err(_) => return false,
        }
        true
    }

    fn check_made(&mut self, shard: usize, command: &Command, made: &Made) {
        if let (Ask::Draw(ask), Made::Draws(orders)) = (&command.ask, made) {
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

    fn check_refusal(
        &mut self,
        shard: usize,
        command: &Command,
        before: &Before,
        refusal: Refusal,
    ) -> bool {
        let asked = command.ask.fingerprint();
        let account = drawn_from(command).and_then(|key| self.shards[shard].accounts.get(&key));
        let key = (command.user.clone(), command.request.clone());
        let earlier = self.book.calls.get(&key);
        let used = account.map_or(0, |account| account.used);
        let right = match refusal {
            Refusal::RequestIdReused
            | Refusal::RequestActivityDiffers
            | Refusal::RequestCountDiffers => earlier.is_some_and(|earlier| {
                !is_repeat(command, earlier)
                    && differs(asked, earlier.call.fingerprint()) == refusal
            }),
            Refusal::PointsShort => {
                let least = before.points - self.points_of(&command.user).1;
                least < needed_points(&command.ask)
            }
            Refusal::NothingToReward => {
                asked.kind == Kind::SignIn && self.has_signed_in(&command.user)
            }
            Refusal::SkuSoldOut => matches!(asked.kind, Kind::Exchange | Kind::Reward),
            Refusal::StockUnavailable => !matches!(asked.kind, Kind::Grant | Kind::Points),
            refusal => asked.kind == Kind::Draw && is_right(refusal, asked, used, before.granted),
        };
        if before.knew || !right {
            let what =
                format!("{command:?} was refused ({refusal}), with {account:?} and {earlier:?}");
            self.violate(|| what);
        }
        refusal != Refusal::StockUnavailable
    }
}

/// Whether a command asks for what the call under its key has asked for.
fn is_repeat(command: &Command, earlier: &MadeCall) -> bool {
    command.ask.fingerprint() == earlier.call.fingerprint() && answers(command, &earlier.made)
}

/// The account that a command draws from, if it draws.
fn drawn_from(command: &Command) -> Option<AccountKey> {
    match &command.ask {
        Ask::Draw(ask) => Some((command.user.clone(), ask.activity)),
        _ => None,
    }
}

/// How many points a command takes, in hundredths.
fn needed_points(ask: &Ask) -> i64 {
    let points = match ask {
        Ask::Exchange(_) => price(),
        Ask::Points(PointsAsk {
            change: PointsChange::Take(points),
        }) => *points,
        _ => return 0,
    };
    points.hundredths().cast_signed()
}

/// How a call that is no repeat of an earlier one under its key is refused.
fn differs(asked: Fingerprint, earlier: Fingerprint) -> Refusal {
    if earlier.kind != asked.kind {
        Refusal::RequestIdReused
    } else if earlier.activity != asked.activity {
        Refusal::RequestActivityDiffers
    } else if asked.kind == Kind::Draw {
        Refusal::RequestCountDiffers
    } else {
        Refusal::RequestIdReused
    }
}

/// Whether rules could refuse this call for draws. Its user had been granted these chances when it
/// was sent, and has used these by now.
fn is_right(refusal: Refusal, asked: Fingerprint, used: u32, granted: u32) -> bool {
    // A call that goes as far as the chances do makes at least one draw.
    let needed = if asked.activity.is_some_and(is_all_or_nothing) {
        asked.asked
    } else {
        1
    };
    match refusal {
        Refusal::NoChancesLeft => u64::from(used) + needed > granted.into(),
        Refusal::MonthLimit | Refusal::DayLimit => true,
        _ => false,
    }
}

fn event_of(answer: &Result<Made, CommandError>) -> &'static str {
    match answer {
        Ok(made) => name_of(made),
        Err(CommandError::Refused(Refusal::StockUnavailable)) => "answer: stock unavailable",
        Err(CommandError::Refused(Refusal::NoChancesLeft)) => "answer: no chances",
        Err(CommandError::Refused(Refusal::RequestIdReused | Refusal::RequestActivityDiffers)) => {
            "answer: request id reused"
        }
        Err(CommandError::Refused(Refusal::RequestCountDiffers)) => "answer: count differs",
        Err(CommandError::Refused(Refusal::PointsShort)) => "answer: too few points",
        Err(CommandError::Refused(Refusal::SkuSoldOut)) => "answer: sold out",
        Err(CommandError::Refused(Refusal::NothingToReward)) => "answer: nothing to reward",
        Err(CommandError::Refused(_)) => "answer: limit",
        Err(CommandError::DataRefused) => "answer: data refused",
        Err(CommandError::QueueFull) => "answer: queue full",
        Err(CommandError::TooOld) => "answer: too old",
        Err(CommandError::OutcomeUnknown) => "answer: unknown",
        Err(CommandError::ShardUnavailable) => "answer: shard unavailable",
        Err(CommandError::Held) => "answer: held",
        Err(CommandError::ClocksDiffer { .. }) => "answer: clocks differ",
        Err(CommandError::Stopping) => "answer: stopping",
        // Players call the lanes directly, behind the breakers of shards.
        Err(CommandError::BreakerOpen { .. }) => unreachable!("players call the lanes"),
    }
}
