//! Kinds of settings: what each value says, and what is done about it.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use market::UserId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shards::Shards;
use shards::breaker::{BreakerCommand, BreakerControl, ForcedState};

use tracing_subscriber::EnvFilter;

use super::registry::{Obeyer, SettingChange};
use crate::limits::RateLimits;
use crate::limits::overrides::{self, LimitTarget};
use crate::log_level::LogLevel;
use crate::reload::Reloader;

/// Settings of breakers, by their names.
pub const BREAKER: &str = "breaker";
/// Cooldowns of users that an operator sets or clears, by user id.
pub const COOLDOWN: &str = "cooldown";
/// Limits that stand for the configured ones, by their names.
pub const LIMIT: &str = "limit";
/// What is logged, for the target [`LOG_FILTER`].
pub const LOG: &str = "log";
/// The configuration is read again, for the target [`RELOAD_ALL`].
pub const RELOAD: &str = "reload";
/// Gateways that are out of rotation, by their names.
pub const ROTATION: &str = "rotation";

/// The one target of [`LOG`].
pub const LOG_FILTER: &str = "filter";
/// The one target of [`RELOAD`].
pub const RELOAD_ALL: &str = "all";

/// How operators set a breaker.
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
pub struct BreakerObeyer(pub Arc<Shards>);

impl Obeyer for BreakerObeyer {
    fn kind(&self) -> &'static str {
        BREAKER
    }

    fn check_target(&self, target: &str) -> Result<(), String> {
        if self.0.breakers().has(target) {
            return Ok(());
        }
        let names: Vec<String> = self
            .0
            .breakers()
            .list()
            .into_iter()
            .map(|status| status.name)
            .collect();
        Err(format!(
            "name: there is no breaker {target:?}; there are {}",
            names.join(", ")
        ))
    }

    fn check(&self, value: &Value) -> Result<(), String> {
        BreakerMode::deserialize(value)
            .map(drop)
            .map_err(|error| error.to_string())
    }

    fn apply(&self, change: &SettingChange<'_>) -> Result<(), String> {
        let mode = match change.value {
            Some(value) => BreakerMode::deserialize(value).map_err(|error| error.to_string())?,
            // What was forced has ended: one that decides itself is left as it stands.
            None if self
                .0
                .breakers()
                .status(change.target)
                .is_some_and(|status| status.mode == BreakerControl::Automatic) =>
            {
                return Ok(());
            }
            None => BreakerMode::Automatic,
        };
        let lasts = change.expires_at.map(|at| left(at, Timestamp::now()));
        let mode = match mode {
            BreakerMode::Automatic => BreakerControl::Automatic,
            BreakerMode::ForcedOpen => BreakerControl::Forced {
                to: ForcedState::Open,
                lasts,
            },
            BreakerMode::ForcedClosed => BreakerControl::Forced {
                to: ForcedState::Closed,
                lasts,
            },
        };
        let (who, why) = match change.value {
            Some(_) => (change.who, change.why),
            None => ("drawbridge", "the setting was taken back or has ended"),
        };
        let command = BreakerCommand {
            mode,
            who: who.to_owned(),
            why: why.to_owned(),
        };
        self.0
            .breakers()
            .obey(change.target, &command)
            .map_err(|error| error.to_string())
    }
}

fn left(at: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
}

/// How an operator changes a user's cooldown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CooldownSetting {
    /// The user does not draw, for as long as the setting lasts.
    Set,
    /// The user draws again; from now on the limits decide. A gateway that starts has nothing to
    /// clear, so it does no harm that the setting stands for a while.
    Clear,
}

/// Sets and clears users' cooldowns.
pub struct CooldownObeyer(pub Arc<RateLimits>);

impl Obeyer for CooldownObeyer {
    fn kind(&self) -> &'static str {
        COOLDOWN
    }

    fn apply(&self, change: &SettingChange<'_>) -> Result<(), String> {
        let user = UserId::new(change.target).map_err(|error| error.to_string())?;
        match change
            .value
            .map(CooldownSetting::deserialize)
            .transpose()
            .map_err(|error| error.to_string())?
        {
            Some(CooldownSetting::Set) => {
                let until = change.expires_at.ok_or("a cooldown needs an end")?;
                self.0
                    .set_cooldown(&user, left(until, Timestamp::now()))
                    .map_err(|error| error.to_string())
            }
            // On most gateways there is nothing to clear.
            Some(CooldownSetting::Clear) => {
                self.0.clear_cooldown(&user);
                Ok(())
            }
            None => {
                self.0.clear_cooldown_by_hand(&user);
                Ok(())
            }
        }
    }
}

/// Lays limits over the configured ones.
pub struct LimitObeyer(pub Arc<RateLimits>);

impl Obeyer for LimitObeyer {
    fn kind(&self) -> &'static str {
        LIMIT
    }

    fn check_target(&self, target: &str) -> Result<(), String> {
        target
            .parse::<LimitTarget>()
            .map(drop)
            .map_err(|error| format!("target: {error}, found {target:?}"))
    }

    fn check(&self, value: &Value) -> Result<(), String> {
        overrides::parse(value).map(drop)
    }

    fn apply(&self, change: &SettingChange<'_>) -> Result<(), String> {
        self.0
            .override_limit_json(change.target, change.value, change.expires_at)
    }
}

/// Logs by another filter than the configured one.
pub struct LogObeyer(pub Arc<LogLevel>);

impl Obeyer for LogObeyer {
    fn kind(&self) -> &'static str {
        LOG
    }

    fn check(&self, value: &Value) -> Result<(), String> {
        const EXPECTED: &str = "expected one such as debug or shards=debug,info";
        let filter = value
            .as_str()
            .ok_or_else(|| format!("filter: expected a string, found {value}"))?;
        match EnvFilter::try_new(filter) {
            _ if filter.trim().is_empty() => Err(format!("filter: is empty; {EXPECTED}")),
            Ok(_) => Ok(()),
            Err(error) => Err(format!("filter: {error}; {EXPECTED}")),
        }
    }

    fn apply(&self, change: &SettingChange<'_>) -> Result<(), String> {
        match change.value {
            Some(value) => self.0.set(value.as_str().ok_or("expected a string")?),
            None => self.0.restore(),
        }
    }
}

/// Reads the configuration again.
pub struct ReloadObeyer(pub Arc<Reloader>);

impl Obeyer for ReloadObeyer {
    fn kind(&self) -> &'static str {
        RELOAD
    }

    fn is_event(&self) -> bool {
        true
    }

    fn apply(&self, _change: &SettingChange<'_>) -> Result<(), String> {
        let reloaded = self.0.reload()?;
        if reloaded.is_whole() {
            Ok(())
        } else {
            Err(reloaded.summary())
        }
    }
}

/// Which gateways are out of rotation: each looks for its own name.
#[derive(Debug, Default)]
pub struct RotationObeyer(Mutex<BTreeMap<String, String>>);

impl RotationObeyer {
    /// Why a gateway is out of rotation; `None` while it is not.
    pub fn out_because(&self, name: &str) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned()
    }
}

impl Obeyer for Arc<RotationObeyer> {
    fn kind(&self) -> &'static str {
        ROTATION
    }

    fn apply(&self, change: &SettingChange<'_>) -> Result<(), String> {
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match change.value {
            Some(_) => out.insert(
                change.target.to_owned(),
                format!("by {}: {}", change.who, change.why),
            ),
            None => out.remove(change.target),
        };
        Ok(())
    }
}
