//! Who decides for a breaker, and how it stands.
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::chart::State;
use super::guard::{Force, Forced};

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

    pub(super) fn forced(self, now: Instant) -> Option<Forced> {
        match self {
            Mode::Automatic => None,
            Mode::Forced { to, lasts } => Some(Forced {
                to,
                until: lasts.map(|lasts| now + lasts),
            }),
        }
    }

    pub(super) fn of(forced: Option<Forced>, now: Instant) -> Self {
        match forced {
            None => Mode::Automatic,
            Some(Forced { to, until }) => Mode::Forced {
                to,
                lasts: until.map(|until| until.saturating_duration_since(now)),
            },
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
