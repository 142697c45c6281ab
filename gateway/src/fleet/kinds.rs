//! Kinds of settings: what each value says, and what is done about it.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use market::UserId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shards::Shards;
use shards::breaker::{Force, Mode, Order as BreakerOrder};

use super::registry::{Obey, Order};
use crate::limits::Limits;

/// Settings of breakers, by their names.
pub const BREAKER: &str = "breaker";
/// Users whose cooldown ends.
pub const COOLDOWN_CLEAR: &str = "cooldown_clear";
/// Gateways that are out of rotation, by their names.
pub const ROTATION: &str = "rotation";

/// What operations tell a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerMode {
    /// It decides itself, and begins closed.
    Automatic,
    /// It refuses all.
    ForcedOpen,
    /// It lets all in.
    ForcedClosed,
}

/// Obeys what is set for breakers.
pub struct Breakers(pub Arc<Shards>);

impl Obey for Breakers {
    fn kind(&self) -> &'static str {
        BREAKER
    }

    fn check(&self, target: &str, value: &Value) -> Result<(), String> {
        BreakerMode::deserialize(value).map_err(|error| error.to_string())?;
        if self.0.breakers().has(target) { Ok(()) } else { Err(format!("there is no breaker {target:?}")) }
    }

    fn apply(&self, order: &Order<'_>) -> Result<(), String> {
        let mode = match order.value {
            Some(value) => BreakerMode::deserialize(value).map_err(|error| error.to_string())?,
            // What was forced has ended: one that decides itself is left as it stands.
            None if self.0.breakers().status(order.target).is_some_and(|status| status.mode == Mode::Automatic) => {
                return Ok(());
            }
            None => BreakerMode::Automatic,
        };
        let lasts = order.expires_at.map(|at| left(at, Timestamp::now()));
        let mode = match mode {
            BreakerMode::Automatic => Mode::Automatic,
            BreakerMode::ForcedOpen => Mode::Forced { to: Force::Open, lasts },
            BreakerMode::ForcedClosed => Mode::Forced { to: Force::Closed, lasts },
        };
        let (who, why) = match order.value {
            Some(_) => (order.who, order.why),
            None => ("drawbridge", "the setting was taken back or has ended"),
        };
        let told = BreakerOrder { mode, who: who.to_owned(), why: why.to_owned() };
        self.0.breakers().order(order.target, &told).map_err(|error| error.to_string())
    }
}

fn left(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
}

/// Ends users' cooldowns.
pub struct CooldownClear(pub Arc<Limits>);

impl Obey for CooldownClear {
    fn kind(&self) -> &'static str {
        COOLDOWN_CLEAR
    }

    fn is_event(&self) -> bool {
        true
    }

    fn apply(&self, order: &Order<'_>) -> Result<(), String> {
        let user = UserId::new(order.target).map_err(|error| error.to_string())?;
        // On most gateways there is nothing to end.
        self.0.revoke(&user);
        Ok(())
    }
}

/// Which gateways are out of rotation: each looks for its own name.
#[derive(Debug, Default)]
pub struct Rotation(Mutex<BTreeMap<String, String>>);

impl Rotation {
    /// Why a gateway is out of rotation; `None` while it is not.
    pub fn out_because(&self, name: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }
}

impl Obey for Arc<Rotation> {
    fn kind(&self) -> &'static str {
        ROTATION
    }

    fn apply(&self, order: &Order<'_>) -> Result<(), String> {
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match order.value {
            Some(_) => out.insert(order.target.to_owned(), format!("by {}: {}", order.who, order.why)),
            None => out.remove(order.target),
        };
        Ok(())
    }
}
