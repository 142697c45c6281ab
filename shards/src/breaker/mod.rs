//! Circuit breakers: one before each shard, for draws and reads of its users, and one before each
//! stock server. What does not answer is refused at once, instead of keeping callers waiting, and
//! a few probes find out when it is back.
//!
//! From `failsafe` come the states and the ways between them (`chart.rs`). All else is ours,
//! because the crate does not have it: sliding windows with slow calls (`window.rs`); a bounded
//! number of probes which must all succeed, calls of before a change that do not count after it,
//! force, and time as a parameter (`guard.rs`); permits, so that a call whose caller has gone is
//! seen too (`permit.rs`).
//!
//! Each process has breakers of its own, in memory: a gateway judges by what it sees itself.
mod chart;
mod guard;
mod metrics;
mod permit;
mod settings;
#[cfg(test)]
mod tests;
mod window;

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

pub use self::chart::State;
pub use self::guard::Force;
use self::guard::Forced;
pub(crate) use self::guard::{Kind, Verdict};
pub use self::metrics::BreakerMetrics;
pub(crate) use self::permit::{Breaker, Permit, Refused};
pub use self::settings::Settings;
use crate::stock::ids::ServerId;

/// The breakers of a process.
pub struct Breakers {
    shards: Vec<Breaker>,
    /// By server, from number 1 on.
    stock_servers: Vec<Breaker>,
}

/// What operations tell a breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// What to do.
    pub mode: Mode,
    /// Who says so.
    pub who: String,
    /// And why.
    pub why: String,
}

/// Who decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// The breaker itself; it begins closed.
    Automatic,
    /// Operations.
    Forced {
        /// What it does.
        to: Force,
        /// For how long; `None` until told otherwise.
        lasts: Option<Duration>,
    },
}

impl Mode {
    /// Its name in the admin API.
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Automatic => "automatic",
            Mode::Forced {
                to: Force::Open, ..
            } => "forced_open",
            Mode::Forced {
                to: Force::Closed, ..
            } => "forced_closed",
        }
    }
}

/// How a breaker stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Its name: `shard-0`, `redis-1`.
    pub name: String,
    /// What it does with calls.
    pub state: State,
    /// Who decides; `lasts` is what is left of the time.
    pub mode: Mode,
    /// Whether it counts what it would refuse, and refuses nothing.
    pub observe: bool,
    /// Why state or mode changed last.
    pub reason: String,
    /// When that was.
    pub changed_at: Timestamp,
    /// How long until probes are let in; only while it is open by itself.
    pub probes_in: Option<Duration>,
}

/// There is no breaker of this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no breaker of this name")]
pub struct UnknownBreaker;

impl Breakers {
    /// Breakers for shards from 0 on and stock servers from 1 on.
    pub(crate) fn new(
        settings: Settings,
        shards: u16,
        stock_servers: u8,
        metrics: &BreakerMetrics,
    ) -> Self {
        let breaker =
            |name: String, kind| Breaker::new(metrics.breaker(&name), name, kind, settings);
        Self {
            shards: (0..shards)
                .map(|shard| breaker(format!("shard-{shard}"), Kind::Shard))
                .collect(),
            stock_servers: (1..=stock_servers)
                .map(|server| breaker(format!("redis-{server}"), Kind::StockServer))
                .collect(),
        }
    }

    /// How all breakers stand.
    pub fn list(&self) -> Vec<Status> {
        self.all().map(Breaker::status).collect()
    }

    /// Whether there is a breaker of this name.
    pub fn has(&self, name: &str) -> bool {
        self.all().any(|breaker| breaker.name() == name)
    }

    /// How one of them stands.
    pub fn status(&self, name: &str) -> Option<Status> {
        self.all()
            .find(|breaker| breaker.name() == name)
            .map(Breaker::status)
    }

    /// Lets all breakers decide by other settings from now on. How they stand does not change.
    pub fn replace(&self, settings: Settings) {
        self.all().for_each(|breaker| breaker.replace(settings));
    }

    /// Notices that time has passed: what was forced for a while may be over.
    pub(crate) fn look(&self) {
        self.all().for_each(Breaker::look);
    }

    /// Does what operations say, at once.
    pub fn order(&self, name: &str, order: &Order) -> Result<(), UnknownBreaker> {
        self.all()
            .find(|breaker| breaker.name() == name)
            .ok_or(UnknownBreaker)?
            .order(order);
        Ok(())
    }

    pub(crate) fn shard(&self, shard: usize) -> &Breaker {
        &self.shards[shard]
    }

    pub(crate) fn stock_server(&self, server: ServerId) -> &Breaker {
        &self.stock_servers[usize::from(server.0) - 1]
    }

    fn all(&self) -> impl Iterator<Item = &Breaker> {
        self.shards.iter().chain(&self.stock_servers)
    }
}

impl Mode {
    fn forced(self, now: Instant) -> Option<Forced> {
        match self {
            Mode::Automatic => None,
            Mode::Forced { to, lasts } => Some(Forced {
                to,
                until: lasts.map(|lasts| now + lasts),
            }),
        }
    }

    fn of(forced: Option<Forced>, now: Instant) -> Self {
        match forced {
            None => Mode::Automatic,
            Some(Forced { to, until }) => Mode::Forced {
                to,
                lasts: until.map(|until| until.saturating_duration_since(now)),
            },
        }
    }
}
