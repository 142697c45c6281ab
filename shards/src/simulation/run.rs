//! One run, from its beginning until nothing moves any more.
use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{set_hook, take_hook};
use std::sync::{Arc, Once};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::{Instant, sleep};

use super::clocks::{mend_clocks, set_clocks};
use super::dice::Dice;
use super::disasters::{befall, keep_up, operate, replicate};
use super::fault::Fault;
use super::players::{give, play, probe, sell_out};
use super::process::Server;
use super::scenario::{GATEWAYS, SHARDS, Scenario, items};
use super::world::{World, WorldState};

/// How long it may take after the bad weather until all players are answered and nothing moves.
const REST_WITHIN: Duration = Duration::from_mins(2);

thread_local! {
    /// Panics of this thread. A lane survives them, and a job that has ended is not missed at once.
    static PANICS: Cell<u32> = const { Cell::new(0) };
}

fn count_panics() {
    static HOOKED: Once = Once::new();
    HOOKED.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            PANICS.set(PANICS.get() + 1);
            before(panic);
        }));
    });
    PANICS.set(0);
}

/// How a run ended.
pub(super) struct RunOutcome {
    /// The rule that did not hold.
    pub(super) violation: Option<String>,
    /// What happened, in words; empty without a trace.
    pub(super) trace: Vec<String>,
    /// How often each kind of event happened.
    pub(super) tally: BTreeMap<&'static str, u64>,
    /// Stands for all that happened.
    pub(super) digest: u64,
}

/// Runs one seed.
pub(super) fn run(seed: u64, fault: Option<Fault>, trace: bool) -> RunOutcome {
    count_panics();
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut dice = Dice::new(seed);
        let scenario = Scenario::of(&mut dice, fault.and_then(Fault::theme));
        set_clocks(&mut dice);
        let world = World::new(dice, scenario, fault, trace);
        let ended = play_out(&world).await;
        let mut state = world.state();
        if let Err(Broken(Some(why))) = ended {
            state.violate(|| why);
        }
        RunOutcome {
            violation: state.violation().map(str::to_owned),
            trace: state.log.lines().to_vec(),
            tally: state.log.tally.clone(),
            digest: state.log.digest(),
        }
    })
}

/// The run ended early: for this reason, or for the violation that is noted already.
struct Broken(Option<String>);

async fn play_out(world: &Arc<World>) -> Result<(), Broken> {
    begin(world);
    let calm = Instant::now() + world.scenario.trouble;
    until(world, Duration::MAX, |_| {
        (Instant::now() < calm).then(String::new)
    })
    .await?;
    world.state().calm();
    let players = |world: &World| {
        let playing = world.state().book.playing;
        (playing > 0).then(|| format!("{playing} players wait for answers"))
    };
    until(world, REST_WITHIN, players).await?;
    let lanes = usize::from(SHARDS * world.scenario.tables);
    world.state().book.playing = GATEWAYS * lanes;
    for gateway in 0..GATEWAYS {
        for lane in 0..lanes {
            tokio::spawn(probe(world.clone(), gateway, lane));
        }
    }
    until(world, REST_WITHIN, players).await?;
    until(world, REST_WITHIN, |world| world.state().unrest()).await?;
    world.state().check_rest();
    // What gateways believe of servers and sold out items is forgotten by then.
    sleep(Duration::from_secs(2)).await;
    world.state().book.playing = 1;
    tokio::spawn(sell_out(world.clone()));
    until(world, REST_WITHIN, players).await
}

impl WorldState {
    /// From now on nothing more goes wrong. Requests that travel already still do.
    fn calm(&mut self) {
        self.weather.calm();
        self.servers.iter_mut().for_each(Server::heal);
        mend_clocks();
        self.note("calm", String::new);
    }
}

/// Starts gateways, players, operators and disasters.
fn begin(world: &Arc<World>) {
    let Scenario {
        players,
        users,
        units,
        trouble,
        ..
    } = world.scenario;
    let mut state = world.state();
    let published = items()
        .into_iter()
        .zip(units)
        .filter(|(_, units)| *units > 0);
    published.for_each(|(item, units)| state.meta.add(item, units));
    state.gateways = (0..GATEWAYS).map(|_| None).collect();
    // And the operator who gives chances.
    state.book.playing = usize::try_from(players).expect("few") + 1;
    for place in 0..GATEWAYS {
        let ends = state.dice.per_mille(600) && !world.scenario.only_standstills;
        let count = state.dice.below(3) * u64::from(ends);
        let trouble_ms = u64::try_from(trouble.as_millis()).expect("short");
        let mut ends: Vec<_> = (0..count)
            .map(|_| Instant::now() + state.dice.millis(0, trouble_ms))
            .collect();
        ends.sort_unstable();
        tokio::spawn(keep_up(world.clone(), place, ends));
    }
    drop(state);
    tokio::spawn(befall(world.clone()));
    tokio::spawn(replicate(world.clone()));
    tokio::spawn(operate(world.clone()));
    tokio::spawn(give(world.clone()));
    for number in 0..players {
        // Some have two phones.
        tokio::spawn(play(world.clone(), number % users, number / users));
    }
}

/// Waits until nothing is left to wait for.
async fn until(
    world: &World,
    within: Duration,
    against: impl Fn(&World) -> Option<String>,
) -> Result<(), Broken> {
    let began = Instant::now();
    loop {
        if world.state().violation().is_some() {
            return Err(Broken(None));
        }
        if PANICS.get() > 0 {
            return Err(Broken(Some("something panicked".to_owned())));
        }
        let Some(why) = against(world) else {
            return Ok(());
        };
        if began.elapsed() >= within {
            return Err(Broken(Some(format!("no rest: {why}"))));
        }
        sleep(Duration::from_millis(200)).await;
    }
}
