//! All switches at one moment, and what they mean for a user.
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::layer::{Layer, SettingValue};
use super::setting::{Setting, SettingKey};
use super::share::Share;
use super::switch::Switch;
use crate::ids::{ActivityId, UserId};

/// All switches at one moment: the settings for all gateways, and the overrides of this one. An
/// override replaces the setting of the same switch and activity until it expires.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Switches {
    fleet: Layer,
    overrides: Layer,
}

/// Which gateways obey a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// All gateways.
    Fleet,
    /// This process alone, from memory.
    Here,
}

/// The effect of a setting that differs from the normal one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It was obeyed.
    Applied,
    /// It would have been obeyed, but is only observed.
    Observed,
}

impl Switches {
    /// Switches with these settings for all gateways. Of two with one key the later one counts.
    pub fn new(settings: impl IntoIterator<Item = Setting>) -> Self {
        Self {
            fleet: Layer::new(settings),
            overrides: Layer::default(),
        }
    }

    /// The same switches, with the revision of the store that they were read at.
    #[must_use]
    pub fn as_of(self, revision: u64) -> Self {
        Self {
            fleet: Layer {
                revision,
                ..self.fleet
            },
            ..self
        }
    }

    /// The newer settings for all gateways of both, and the newer overrides of both.
    #[must_use]
    pub fn newest(&self, other: &Self) -> Self {
        Self {
            fleet: self.fleet.newest(&other.fleet).clone(),
            overrides: self.overrides.newest(&other.overrides).clone(),
        }
    }

    /// The same with one more override.
    #[must_use]
    pub fn with_override(&self, setting: &Setting) -> Self {
        self.overriding(|by_key| by_key.extend(Layer::new([setting.clone()]).by_key))
    }

    /// The same without an override: the setting for all gateways holds again.
    #[must_use]
    pub fn without_override(&self, key: SettingKey) -> Self {
        self.overriding(|by_key| {
            by_key.remove(&key);
        })
    }

    fn overriding(&self, change: impl FnOnce(&mut BTreeMap<SettingKey, SettingValue>)) -> Self {
        let mut overrides = self.overrides.clone();
        change(&mut overrides.by_key);
        overrides.revision += 1;
        Self {
            overrides,
            ..self.clone()
        }
    }

    /// Whether a switch is on for this user in this activity, now. Of the settings for all and for
    /// the activity the stricter one holds, and expired ones are ignored. Calls that name no
    /// activity obey the settings for all.
    pub fn is_on(
        &self,
        switch: Switch,
        activity: impl Into<Option<ActivityId>>,
        user: &UserId,
        now: Timestamp,
    ) -> bool {
        // Nearly always nothing is set.
        if self.is_untouched() {
            return switch.is_normally_on();
        }
        self.strictest(switch, activity.into(), user, false, now)
            .unwrap_or(switch.is_normally_on())
    }

    /// Whether a switch changes anything for this user in this activity, now. Metrics count it.
    pub fn effect(
        &self,
        switch: Switch,
        activity: impl Into<Option<ActivityId>>,
        user: &UserId,
        now: Timestamp,
    ) -> Option<Effect> {
        if self.is_untouched() {
            return None;
        }
        let activity = activity.into();
        let normal = switch.is_normally_on();
        let differs = |observe| {
            self.strictest(switch, activity, user, observe, now)
                .is_some_and(|is_on| is_on != normal)
        };
        if differs(false) {
            Some(Effect::Applied)
        } else {
            differs(true).then_some(Effect::Observed)
        }
    }

    /// Whether a switch is on for at least one user, now, by its setting for all activities. It
    /// serves calls where neither user nor activity is known.
    pub fn is_on_for_some(&self, switch: Switch, now: Timestamp) -> bool {
        let obeyed = self
            .value((switch, None), now)
            .filter(|value| !value.observe);
        obeyed.map_or(switch.normal(), |value| value.share) != Share::OFF
    }

    fn is_untouched(&self) -> bool {
        self.fleet.by_key.is_empty() && self.overrides.by_key.is_empty()
    }

    /// Whether the strictest of the obeyed (or the observed) settings is on for a user; `None`
    /// where nothing is set.
    fn strictest(
        &self,
        switch: Switch,
        activity: Option<ActivityId>,
        user: &UserId,
        observe: bool,
        now: Timestamp,
    ) -> Option<bool> {
        let strict = switch.restricts_when_on();
        let is_on = |key| {
            let value = self
                .value(key, now)
                .filter(|value| value.observe == observe)?;
            Some(value.share.covers(switch, user))
        };
        let own = activity.and_then(|activity| is_on((switch, Some(activity))));
        own.into_iter()
            .chain(is_on((switch, None)))
            .reduce(|one, other| if one == strict { one } else { other })
    }

    fn value(&self, key: SettingKey, now: Timestamp) -> Option<SettingValue> {
        let own = self.overrides.current(key, now);
        own.or_else(|| self.fleet.current(key, now))
    }

    /// The settings that hold now, by switch and activity, each with its origin.
    pub fn current(&self, now: Timestamp) -> impl Iterator<Item = (Setting, Origin)> + '_ {
        let keys = self.fleet.by_key.keys().chain(self.overrides.by_key.keys());
        let keys: BTreeSet<SettingKey> = keys.copied().collect();
        keys.into_iter().filter_map(move |key| {
            let origin = if self.overrides.current(key, now).is_some() {
                Origin::Here
            } else {
                Origin::Fleet
            };
            Some((self.value(key, now)?.of(key), origin))
        })
    }
}

#[cfg(test)]
mod tests;
