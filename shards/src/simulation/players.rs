//! Players. Each calls a few times under keys of its own, calls again while the answer may change,
//! and sometimes repeats a call that was answered. Most calls draw, some give the player chances.
//! Some players buy several times at once, and may have the points for one purchase only. Operators
//! give chances too.
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join, join_all};
use market::adjust::{PointsAsk, PointsChange};
use market::draw::DrawAsk;
use market::exchange::ExchangeAsk;
use market::grant::{ChanceCount, GrantAsk};
use market::reward::RewardAsk;
use market::sign_in::SignInAsk;
use market::{
    ActivityId, Ask, BusinessNumber, Command, DrawCount, Made, Points, RequestId, UserId,
};
use tokio::time::{Instant, timeout};

use super::checks::ANSWERED_WITHIN;
use super::dice::Dice;
use super::scenario::{GATEWAYS, activities, behaviour, items, sku};
use super::store::POISONED;
use super::wire::pause;
use super::world::World;
use crate::error::CommandError;
use crate::lane::Timeouts;

/// One player with one phone, from the first call to the last.
pub(super) async fn play(world: Arc<World>, user: u64, phone: u64) {
    let user = UserId::new(&format!("u{user}")).expect("a user");
    let mut made = Vec::new();
    for call in 0..world.scenario.calls {
        let (idle, command) = next_call(&world, &user, format!("{phone}-{call}"), &made);
        let more = more_purchases(&world, &command);
        let rival = if more.is_empty() {
            rival(&world, &command)
        } else {
            None
        };
        pause(idle).await;
        match &rival {
            Some((first, rival)) => {
                let second = (first + 1) % GATEWAYS;
                let one = insist(&world, &command, Some(*first));
                join(one, insist(&world, rival, Some(second))).await;
            }
            None if more.is_empty() => insist(&world, &command, None).await,
            None => {
                let gateway = Some(world.state().dice.place(GATEWAYS));
                let all = [&command].into_iter().chain(&more);
                join_all(all.map(|command| insist(&world, command, gateway))).await;
            }
        }
        made.push(command);
        made.extend(more);
        made.extend(rival.map(|(_, rival)| rival));
    }
    for command in &made {
        insist(&world, command, None).await;
    }
    world.state().book.playing -= 1;
}

/// Operators sometimes give chances to users.
pub(super) async fn give(world: Arc<World>) {
    for number in 0..world.scenario.gifts {
        let (idle, command) = {
            let mut state = world.state();
            let user = state.dice.below(world.scenario.users);
            let user = UserId::new(&format!("u{user}")).expect("a user");
            let activity = activities()[state.dice.place(2)];
            let ask = Ask::Grant(grant(&mut state.dice, activity));
            let idle = state.dice.millis(0, 4_000);
            (idle, command(&user, &format!("gift{number}"), ask))
        };
        pause(idle).await;
        insist(&world, &command, None).await;
    }
    world.state().book.playing -= 1;
}

/// Draws once through one lane of one gateway, until it answers.
pub(super) async fn probe(world: Arc<World>, gateway: usize, lane: usize) {
    let users =
        (0..).map(|number| UserId::new(&format!("probe{gateway}{number}")).expect("a user"));
    let user = users
        .into_iter()
        .find(|user| world.lane_of(user) == lane)
        .expect("some user lives there");
    let activity = activities()[world.state().dice.place(2)];
    let command = draw(&user, activity, "probe", DrawCount::ONE);
    insist(&world, &command, Some(gateway)).await;
    world.state().book.playing -= 1;
}

/// Draws an item that all draws of its activity want, until nothing is left: each unit can be had.
pub(super) async fn sell_out(world: Arc<World>) {
    let [.., item] = items();
    let left = world.state().left_of(item);
    for number in 0..=left {
        let user = UserId::new(&format!("late{number}")).expect("a user");
        let command = draw(&user, item.activity, "late", DrawCount::ONE);
        // Two at once could each hold the last unit while the other is answered that there is none.
        insist(
            &world,
            &command,
            Some(usize::try_from(number).expect("few") % GATEWAYS),
        )
        .await;
        let mut state = world.state();
        if state.was_stocked(&command) != (number < left) {
            state.violate(|| {
                format!("draw {number} of the last {left} units of {item:?} went wrong")
            });
        }
    }
    world.state().book.playing -= 1;
}

fn draw(user: &UserId, activity: ActivityId, key: &str, count: DrawCount) -> Command {
    command(user, key, Ask::Draw(DrawAsk { activity, count }))
}

fn command(user: &UserId, key: &str, ask: Ask) -> Command {
    Command {
        user: user.clone(),
        request: RequestId::new(key).expect("a key"),
        ask,
    }
}

fn next_call(world: &World, user: &UserId, key: String, made: &[Command]) -> (Duration, Command) {
    let mut state = world.state();
    let idle = state.dice.millis(0, 2_000);
    // Most draw again and again in the same one.
    let favourite = user.as_str().bytes().map(usize::from).sum::<usize>();
    let activity = activities()[if state.dice.per_mille(700) {
        favourite % 2
    } else {
        state.dice.place(2)
    }];
    if !made.is_empty() && state.dice.per_mille(100) {
        // The same key again, sometimes for the other activity or another number of draws.
        let earlier = made[state.dice.place(made.len())].clone();
        let [other, more] = [300, 200].map(|chance| state.dice.per_mille(chance));
        let ask = vary(
            &mut state.dice,
            earlier.ask,
            other.then_some(activity),
            more,
        );
        return (idle, Command { ask, ..earlier });
    }
    let poisoned = state.dice.per_mille(10);
    let key = if poisoned { POISONED.to_owned() } else { key };
    let ask = match state.dice.below(100) {
        0..6 => Ask::Grant(grant(&mut state.dice, activity)),
        6..14 => Ask::Exchange(ExchangeAsk { sku: sku() }),
        14..24 => sign_in(&mut state.dice, activity),
        24..30 => {
            let command = report(&mut state.dice, user);
            return (idle, command);
        }
        30..34 => Ask::Points(points(&mut state.dice)),
        _ => {
            let count = count(&mut state.dice);
            Ask::Draw(DrawAsk { activity, count })
        }
    };
    (idle, command(user, &key, ask))
}

/// In all activities, or in one.
fn sign_in(dice: &mut Dice, activity: ActivityId) -> Ask {
    let activity = dice.per_mille(300).then_some(activity);
    Ask::SignIn(SignInAsk { activity })
}

/// A report of one of a few numbers: its key follows from it.
fn report(dice: &mut Dice, user: &UserId) -> Command {
    let number = dice.below(3).to_string();
    let ask = RewardAsk {
        behaviour: behaviour(),
        number: BusinessNumber::new(&number).expect("a number"),
    };
    Command {
        user: user.clone(),
        request: ask.request(),
        ask: Ask::Reward(ask),
    }
}

fn points(dice: &mut Dice) -> PointsAsk {
    let amount = Points::from_hundredths(dice.between(1, 2_000)).expect("an amount");
    let change = if dice.per_mille(600) {
        PointsChange::Add(amount)
    } else {
        PointsChange::Take(amount)
    };
    PointsAsk { change }
}

/// The same, or for another activity, or for more or less.
fn vary(dice: &mut Dice, ask: Ask, other: Option<ActivityId>, more: bool) -> Ask {
    match ask {
        Ask::Draw(mut ask) => {
            ask.activity = other.unwrap_or(ask.activity);
            if more {
                ask.count = count(dice);
            }
            Ask::Draw(ask)
        }
        Ask::Grant(mut ask) => {
            ask.activity = other.unwrap_or(ask.activity);
            if more {
                ask.chances = chances(dice);
            }
            Ask::Grant(ask)
        }
        Ask::SignIn(ask) => Ask::SignIn(SignInAsk {
            activity: other.or(ask.activity),
        }),
        Ask::Points(_) if more => Ask::Points(points(dice)),
        // Their keys say all, or there is nothing else to ask for.
        other => other,
    }
}

/// Sometimes another kind of command is sent under the same key at the same time: `command` to the
/// gateway that is returned, its rival to the other.
fn rival(world: &World, command: &Command) -> Option<(usize, Command)> {
    let mut state = world.state();
    if !state.dice.per_mille(40) {
        return None;
    }
    state.note("two kinds under one key", String::new);
    // In different activities the account of neither keeps the other from writing its call.
    let activity = activities()[state.dice.place(2)];
    let ask = match &command.ask {
        Ask::Draw(_) => Ask::Grant(grant(&mut state.dice, activity)),
        // No other kind can have such a key.
        Ask::Reward(_) => return None,
        Ask::Grant(_) | Ask::Exchange(_) | Ask::SignIn(_) | Ask::Points(_) => {
            let count = count(&mut state.dice);
            Ask::Draw(DrawAsk { activity, count })
        }
    };
    let rival = Command {
        ask,
        ..command.clone()
    };
    Some((state.dice.place(GATEWAYS), rival))
}

/// Some who buy do so three times at once, through one gateway: in one batch, if it has room.
fn more_purchases(world: &World, command: &Command) -> Vec<Command> {
    let is_purchase =
        matches!(command.ask, Ask::Exchange(_)) && command.request.as_str() != POISONED;
    if !is_purchase || !world.state().dice.per_mille(500) {
        return Vec::new();
    }
    let again = |number: u8| {
        let key = format!("{}+{number}", command.request.as_str());
        self::command(&command.user, &key, command.ask.clone())
    };
    [1, 2].map(again).into()
}

fn grant(dice: &mut Dice, activity: ActivityId) -> GrantAsk {
    let chances = chances(dice);
    GrantAsk { activity, chances }
}

fn chances(dice: &mut Dice) -> ChanceCount {
    let chances = u32::try_from(dice.between(1, 3)).expect("few");
    ChanceCount::new(chances).expect("a count")
}

/// Most draw once. Some draw more often than a day allows.
fn count(dice: &mut Dice) -> DrawCount {
    let count = if dice.per_mille(600) {
        1
    } else {
        [2, 2, 3, 3, 4, 10][dice.place(6)]
    };
    DrawCount::new(count).expect("a count")
}

/// Calls until the answer is final; through any gateway, or through this one.
async fn insist(world: &Arc<World>, command: &Command, gateway: Option<usize>) {
    loop {
        let (first, twice) = {
            let mut state = world.state();
            (
                gateway.unwrap_or(state.dice.place(GATEWAYS)),
                gateway.is_none() && state.dice.per_mille(150),
            )
        };
        let last = if twice {
            let other = (first + 1) % GATEWAYS;
            let (one, two) = join(ask(world, command, first), ask(world, command, other)).await;
            one || two
        } else {
            ask(world, command, first).await
        };
        if last {
            return;
        }
        let length = world.state().dice.millis(50, 800);
        pause(length).await;
    }
}

/// Calls once. Returns whether the answer is final.
async fn ask(world: &Arc<World>, command: &Command, gateway: usize) -> bool {
    let lane = world.lane_of(&command.user);
    let shard = lane / usize::from(world.scenario.tables);
    let (before, asked) = (world.state().before(shard, command), Instant::now());
    let (answer, patient) = call(world, command, gateway, lane).await;
    let mut state = world.state();
    if patient && world.scenario.only_standstills {
        state.check_answered((gateway, lane), command, asked, &answer);
    }
    state.check_answer(shard, command, &before, &answer)
}

/// The answer, and whether the player waited for it to the end.
async fn call(
    world: &Arc<World>,
    command: &Command,
    gateway: usize,
    lane: usize,
) -> (Result<Made, CommandError>, bool) {
    let (entrance, timeouts, stays) = {
        let mut state = world.state();
        let entrance = state.gateways[gateway]
            .as_ref()
            .map(|lanes| lanes[lane].clone());
        let queue = state.dice.millis(500, 4_000);
        let timeouts = Timeouts {
            queue,
            answer: queue + state.dice.millis(0, 8_000),
        };
        // Some players hang up.
        let stays = if state.dice.per_mille(80) {
            state.dice.millis(0, 30)
        } else {
            Duration::MAX
        };
        (entrance, timeouts, stays)
    };
    let patient = stays == Duration::MAX && timeouts.queue > ANSWERED_WITHIN;
    let answered = async {
        let mut pending = entrance
            .ok_or(CommandError::Stopping)?
            .submit(command.clone())?;
        timeout(stays, pending.answer(timeouts))
            .await
            .unwrap_or(Err(CommandError::OutcomeUnknown))
    };
    (answered.await, patient)
}
