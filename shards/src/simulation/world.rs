//! All that there is in a run, behind one lock. Nothing waits while it has the lock.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use market::UserId;
use router::SlotMap;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::checks::Book;
use super::dice::Dice;
use super::fault::Fault;
use super::log::Log;
use super::meta::MetaTables;
use super::process::Server;
use super::refused_debits::KeptUnits;
use super::scenario::{SHARDS, Scenario};
use super::tables::ShardTables;
use super::wire::Weather;
use crate::lane::Entrance;
use crate::stock::ServerId;

/// One run's world.
pub(super) struct World {
    pub(super) scenario: Scenario,
    /// The rule that is broken, if any is.
    pub(super) fault: Option<Fault>,
    pub(super) map: SlotMap,
    /// Notified when a transaction of a shard ends.
    pub(super) released: Vec<Notify>,
    state: Mutex<WorldState>,
}

/// What changes.
pub(super) struct WorldState {
    pub(super) fault: Option<Fault>,
    pub(super) dice: Dice,
    pub(super) weather: Weather,
    pub(super) shards: Vec<ShardTables>,
    pub(super) servers: Vec<Server>,
    pub(super) meta: MetaTables,
    pub(super) book: Book,
    pub(super) kept: KeptUnits,
    /// The lanes of each gateway, by shard and table; none while it is down.
    pub(super) gateways: Vec<Option<Vec<Entrance>>>,
    pub(super) log: Log,
    began: Instant,
    /// The first rule that was found broken.
    violation: Option<String>,
}

impl World {
    pub(super) fn new(
        mut dice: Dice,
        scenario: Scenario,
        fault: Option<Fault>,
        trace: bool,
    ) -> Arc<Self> {
        let servers = (1..=scenario.spread.servers)
            .map(|id| Server::new(ServerId(id), fault))
            .collect();
        let began = Instant::now();
        let weather = Weather::new(scenario.storm, scenario.mishaps.clone());
        let state = WorldState {
            fault,
            weather,
            shards: (0..SHARDS)
                .map(|_| ShardTables::new(scenario.spread))
                .collect(),
            servers,
            meta: MetaTables::new(scenario.spread),
            book: Book::default(),
            kept: KeptUnits::default(),
            gateways: Vec::new(),
            log: Log::new(trace),
            began,
            violation: None,
            dice: Dice::new(dice.below(u64::MAX)),
        };
        Arc::new(Self {
            map: SlotMap::even(1, SHARDS, scenario.tables).expect("a small map"),
            released: (0..SHARDS).map(|_| Notify::new()).collect(),
            scenario,
            fault,
            state: Mutex::new(state),
        })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, WorldState> {
        // A check that panics is reported by the panic itself.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn breaks(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// The index of a user's lane among those of a gateway.
    pub(super) fn lane_of(&self, user: &UserId) -> usize {
        let route = self.map.route(user.as_str());
        usize::from(route.shard().get() * self.scenario.tables + route.table().get())
    }
}

impl WorldState {
    pub(super) fn note(&mut self, event: &'static str, detail: impl FnOnce() -> String) {
        self.log.note(self.began.elapsed(), event, detail);
    }

    /// Notes that an invariant does not hold.
    pub(super) fn violate(&mut self, what: impl FnOnce() -> String) {
        if self.violation.is_none() {
            let what = what();
            self.note("VIOLATION", || what.clone());
            self.violation = Some(what);
        }
    }

    pub(super) fn violation(&self) -> Option<&str> {
        self.violation.as_deref()
    }
}
