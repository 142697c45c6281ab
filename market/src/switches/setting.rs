//! How one switch was set.
use jiff::Timestamp;

use super::share::{InvalidShare, Share};
use super::switch::Switch;
use crate::ids::ActivityId;

/// How one switch was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Which switch.
    pub switch: Switch,
    /// For one activity, or for all.
    pub activity: Option<ActivityId>,
    /// For which users it is on.
    pub share: Share,
    /// Only count what the setting would do; do not obey it.
    pub observe: bool,
    /// From this moment the setting is ignored.
    pub expires_at: Option<Timestamp>,
}

/// The prefix of the share of a switch that is only observed.
const OBSERVE: &str = "observe ";

impl Setting {
    /// The share and whether it is only observed, as one string: `30%`, `observe 30%`.
    pub fn value(&self) -> String {
        format!("{}{}", if self.observe { OBSERVE } else { "" }, self.share)
    }

    /// Parses what [`Setting::value`] returns.
    pub fn parse_value(text: &str) -> Result<(Share, bool), InvalidShare> {
        let observed = text.strip_prefix(OBSERVE);
        Ok((observed.unwrap_or(text).parse()?, observed.is_some()))
    }
}

/// The key of a setting: the switch, and the activity unless it is for all.
pub type SettingKey = (Switch, Option<ActivityId>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_and_shown() {
        for text in ["off", "30%", "observe off", "observe 0.5%"] {
            let (share, observe) = Setting::parse_value(text).expect("a value");
            let setting = Setting {
                switch: Switch::Draw,
                activity: None,
                share,
                observe,
                expires_at: None,
            };
            assert_eq!(setting.value(), text);
        }
        for text in ["observe", "observe  on", "on observe", "observed on"] {
            assert!(Setting::parse_value(text).is_err(), "{text}");
        }
    }
}
