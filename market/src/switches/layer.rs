//! The settings of one origin: those for all gateways, or those of this process alone.
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::setting::{Setting, SettingKey};
use super::share::Share;

/// The value of a setting, without its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SettingValue {
    pub(super) share: Share,
    pub(super) observe: bool,
    expires_at: Option<Timestamp>,
}

impl SettingValue {
    fn is_current(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|expires_at| now < expires_at)
    }

    pub(super) fn of(self, (switch, activity): SettingKey) -> Setting {
        Setting {
            switch,
            activity,
            share: self.share,
            observe: self.observe,
            expires_at: self.expires_at,
        }
    }
}

/// Settings of one origin, and how new they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Layer {
    pub(super) by_key: BTreeMap<SettingKey, SettingValue>,
    pub(super) revision: u64,
}

impl Layer {
    pub(super) fn new(settings: impl IntoIterator<Item = Setting>) -> Self {
        let entry = |setting: Setting| {
            let value = SettingValue {
                share: setting.share,
                observe: setting.observe,
                expires_at: setting.expires_at,
            };
            ((setting.switch, setting.activity), value)
        };
        Self {
            by_key: settings.into_iter().map(entry).collect(),
            revision: 0,
        }
    }

    /// The setting of a key, unless it has expired.
    pub(super) fn current(&self, key: SettingKey, now: Timestamp) -> Option<SettingValue> {
        let value = self.by_key.get(&key).copied();
        value.filter(|value| value.is_current(now))
    }

    pub(super) fn newest<'a>(&'a self, other: &'a Self) -> &'a Self {
        if self.revision < other.revision {
            other
        } else {
            self
        }
    }
}
