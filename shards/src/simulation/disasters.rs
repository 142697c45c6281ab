//! What happens to servers, databases and gateways, and what operators do meanwhile.
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::clocks::step_clock;
use super::gateway::Gateway;
use super::meta::FakeMeta;
use super::process::Server;
use super::scenario::{GATEWAYS, SHARDS, items};
use super::wire::{Link, pause};
use super::world::{World, WorldState};
use crate::stock::ServerId;

/// Keeps one gateway running. It ends at each of these moments, and starts again.
pub(super) async fn keep_up(world: Arc<World>, place: usize, ends: Vec<Instant>) {
    for end in ends {
        let gateway = Gateway::start(&world, place);
        sleep_until(end).await;
        let (drains, down) = {
            let mut state = world.state();
            (state.dice.per_mille(300), state.dice.millis(10, 3_000))
        };
        if drains {
            gateway.drain().await;
        } else {
            gateway.crash();
        }
        pause(down).await;
    }
    let _runs_on = Gateway::start(&world, place);
    std::future::pending::<()>().await;
}

/// Lets disasters happen for as long as the bad weather lasts.
pub(super) async fn befall(world: Arc<World>) {
    for _ in 0..world.scenario.disasters {
        let most =
            2 * world.scenario.trouble / u32::try_from(world.scenario.disasters).expect("few");
        let length = world
            .state()
            .dice
            .millis(0, u64::try_from(most.as_millis()).expect("short"));
        pause(length).await;
        if !world.state().weather.is_calm() {
            strike(&world);
        }
    }
}

/// Something that hits a part of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disaster {
    ServerCrash,
    FlushAll,
    KeyLost,
    /// The replica takes over.
    FailOver,
    /// The replica takes over, and a gateway is left alone with the process before it.
    SplitBrain,
    ServerHeld,
    ServerUnavailable,
    ShardHeld,
    ShardUnavailable,
    ShardSlow,
    ShardCrash,
    MetaUnavailable,
    ClockStep,
    /// An operator empties a server for another cluster, and notices later.
    Intruder,
    /// A gateway's clock is forty days ahead or behind.
    ClockWrong,
}

impl Disaster {
    pub(super) const ALL: [Self; 15] = [
        Self::ServerCrash,
        Self::FlushAll,
        Self::KeyLost,
        Self::FailOver,
        Self::SplitBrain,
        Self::ServerHeld,
        Self::ServerUnavailable,
        Self::ShardHeld,
        Self::ShardUnavailable,
        Self::ShardSlow,
        Self::ShardCrash,
        Self::MetaUnavailable,
        Self::ClockStep,
        Self::Intruder,
        Self::ClockWrong,
    ];
}

const FORTY_DAYS_MS: i64 = 40 * 24 * 3_600_000;

fn strike(world: &Arc<World>) {
    let mut state = world.state();
    let place = state.dice.place(world.scenario.kinds.len());
    let disaster = world.scenario.kinds[place];
    let server = state.dice.place(usize::from(world.scenario.spread.servers));
    let shard = state.dice.place(usize::from(SHARDS));
    let gateway = state.dice.place(GATEWAYS);
    let length = state.dice.millis(100, 4_000);
    state.note("disaster", || format!("{disaster:?}"));
    match disaster {
        Disaster::ServerCrash => state.hit_server(server, Server::crash),
        Disaster::FlushAll => state.hit_server(server, Server::flush_all),
        Disaster::KeyLost => {
            let first = state.dice.per_mille(500);
            state.hit_server(server, |server| server.lose_key(first));
        }
        Disaster::FailOver => state.hit_server(server, |server| server.fail_over(None)),
        Disaster::SplitBrain => {
            state.hit_server(server, |server| server.fail_over(Some(gateway)));
            state.stay_unavailable(Link::Meta(gateway), 3 * length);
        }
        Disaster::ServerHeld => state.hold(Link::Server(server), length),
        Disaster::ServerUnavailable => state.stay_unavailable(Link::Server(server), length),
        Disaster::ShardHeld => state.hold(Link::Shard(shard), length),
        Disaster::ShardUnavailable => state.stay_unavailable(Link::Shard(shard), 2 * length),
        Disaster::ShardSlow => state.slow_down(Link::Shard(shard), 3 * length),
        Disaster::ShardCrash => {
            state.shards[shard].crash();
            drop(state);
            world.released[shard].notify_waiters();
        }
        Disaster::MetaUnavailable => {
            (0..=GATEWAYS).for_each(|gateway| state.stay_unavailable(Link::Meta(gateway), length));
        }
        Disaster::ClockStep => {
            let ahead_ms = i64::try_from(state.dice.below(20_000)).expect("small") - 10_000;
            state.note("clock", || format!("{gateway} is {ahead_ms} ms ahead"));
            step_clock(gateway, ahead_ms);
        }
        Disaster::Intruder => {
            let registered = state
                .meta
                .registered(ServerId(u8::try_from(server + 1).expect("few servers")));
            let segments = 0..world.scenario.spread.segments;
            let many: Vec<_> = segments
                .flat_map(|segment| items().map(|item| (item, segment, 100)))
                .collect();
            state.hit_server(server, |server| server.intrude(registered.epoch, &many));
            drop(state);
            let world = world.clone();
            tokio::spawn(async move {
                pause(length).await;
                world.state().hit_server(server, Server::evict);
            });
        }
        Disaster::ClockWrong => {
            let ahead_ms = FORTY_DAYS_MS * if state.dice.per_mille(700) { 1 } else { -1 };
            state.note("clock", || format!("{gateway} is {ahead_ms} ms ahead"));
            step_clock(gateway, ahead_ms);
        }
    }
}

impl WorldState {
    fn hit_server(&mut self, place: usize, hit: impl FnOnce(&mut Server)) {
        hit(&mut self.servers[place]);
        self.note("server hit", || (place + 1).to_string());
    }

    fn hold(&mut self, link: Link, length: Duration) {
        self.note("held", || format!("{link:?} for {length:?}"));
        self.weather.hold(link, length);
    }

    fn stay_unavailable(&mut self, link: Link, length: Duration) {
        self.note("unavailable", || format!("{link:?} for {length:?}"));
        self.weather.stay_unavailable(link, length);
    }

    fn slow_down(&mut self, link: Link, length: Duration) {
        self.note("slow", || format!("{link:?} for {length:?}"));
        self.weather.slow_down(link, length);
    }
}

/// Replicas catch up at intervals.
pub(super) async fn replicate(world: Arc<World>) {
    loop {
        let (place, length) = {
            let mut state = world.state();
            let place = state.dice.place(usize::from(world.scenario.spread.servers));
            (place, state.dice.millis(200, 3_000))
        };
        pause(length).await;
        let mut state = world.state();
        if state.weather.is_calm() {
            return;
        }
        state.servers[place].replicate();
    }
}

/// Operators add and withdraw units.
pub(super) async fn operate(world: Arc<World>) {
    let meta = FakeMeta::new(world.clone(), GATEWAYS);
    for _ in 0..world.scenario.operations {
        let (length, item, units, adds) = {
            let mut state = world.state();
            let item = items()[state.dice.place(items().len())];
            (
                state.dice.millis(0, 3_000),
                item,
                state.dice.between(1, 6),
                !state.dice.per_mille(world.scenario.withdrawals),
            )
        };
        pause(length).await;
        // Without an answer an operator would look it up. Here no one needs to know.
        let _ = meta
            .at_once(move |state| {
                state.note("operation", || {
                    format!(
                        "{item:?} {units} {}",
                        if adds { "added" } else { "withdrawn" }
                    )
                });
                if adds {
                    state.meta.add(item, units);
                } else {
                    state.meta.ask_withdrawal(item, units);
                }
            })
            .await;
    }
    world.state().book.operated = true;
}
