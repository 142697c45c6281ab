//! Who controls a breaker, and its status.
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::chart::BreakerState;
use super::guard::{ForcedState, ForcedUntil};

/// What operators command a breaker to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerCommand {
    /// What to do.
    pub mode: BreakerControl,
    /// The operator.
    pub who: String,
    /// The operator's reason.
    pub why: String,
}

/// Who decides about calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerControl {
    /// The breaker itself, beginning closed.
    Automatic,
    /// Operators.
    Forced {
        /// What it does.
        to: ForcedState,
        /// For how long; `None` until the next command.
        lasts: Option<Duration>,
    },
}

impl BreakerControl {
    /// Its name in the admin API.
    pub const fn name(self) -> &'static str {
        match self {
            BreakerControl::Automatic => "automatic",
            BreakerControl::Forced {
                to: ForcedState::Open,
                ..
            } => "forced_open",
            BreakerControl::Forced {
                to: ForcedState::Closed,
                ..
            } => "forced_closed",
        }
    }

    /// What is forced, if anything is, with its end.
    pub(super) fn forced(self, now: Instant) -> Option<ForcedUntil> {
        match self {
            BreakerControl::Automatic => None,
            BreakerControl::Forced { to, lasts } => Some(ForcedUntil {
                to,
                until: lasts.map(|lasts| now + lasts),
            }),
        }
    }

    /// The same, with the time that is left.
    pub(super) fn of(forced: Option<ForcedUntil>, now: Instant) -> Self {
        match forced {
            None => BreakerControl::Automatic,
            Some(ForcedUntil { to, until }) => BreakerControl::Forced {
                to,
                lasts: until.map(|until| until.saturating_duration_since(now)),
            },
        }
    }
}

/// The state of a breaker, and how it got there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerStatus {
    /// Its name: `shard-0`, `redis-1`.
    pub name: String,
    /// What it does with calls.
    pub state: BreakerState,
    /// Who decides; `lasts` is the time that is left.
    pub mode: BreakerControl,
    /// Whether it only counts the calls that it would refuse.
    pub observe: bool,
    /// Why the state or the mode changed last.
    pub reason: String,
    /// When that was.
    pub changed_at: Timestamp,
    /// The time until probes are let in; only while it is open by its own decision.
    pub probes_in: Option<Duration>,
}
