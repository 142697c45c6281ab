//! `/admin/switches`: how the degrade switches stand, setting them, and who did so before.
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use market::ActivityId;
use market::switches::{Setting, Share, Switch, Switches};
use serde::{Deserialize, Serialize};
use shards::switches::{PastChange, SwitchChange};

/// A switch is set for at most this long, if not for ever.
pub(super) const FOR_MAX: Duration = Duration::from_hours(24 * 366);
/// Longest name and reason.
pub(super) const TEXT_CHARS_MAX: usize = 500;

/// A request to set a switch.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Asked {
    name: String,
    value: String,
    activity: Option<u64>,
    who: String,
    reason: String,
    for_seconds: Option<u64>,
    #[serde(default)]
    observe: bool,
}

impl Asked {
    /// The change that is asked for, or which field is wrong.
    pub(super) fn change(self, now: Timestamp) -> Result<SwitchChange, String> {
        let switch: Switch = self.name.parse().map_err(|error| format!("name: {error}"))?;
        let share: Share = self.value.parse().map_err(|error| format!("value: {error}"))?;
        let activity = self.activity.map(|id| ActivityId::new(id).ok_or("activity: expected 1 to 2^63-1"));
        let expires_at = self.for_seconds.map(|seconds| expiry(now, seconds)).transpose()?;
        let setting = Setting { switch, activity: activity.transpose()?, share, observe: self.observe, expires_at };
        Ok(SwitchChange {
            setting,
            who: text("who", &self.who, TEXT_CHARS_MAX)?,
            why: text("reason", &self.reason, TEXT_CHARS_MAX)?,
        })
    }
}

fn expiry(now: Timestamp, seconds: u64) -> Result<Timestamp, String> {
    if seconds == 0 || seconds > FOR_MAX.as_secs() {
        return Err(format!("forSeconds: expected 1 to {}", FOR_MAX.as_secs()));
    }
    let lasts = SignedDuration::from_secs(i64::try_from(seconds).expect("bounded above"));
    now.checked_add(lasts).map_err(|error| format!("forSeconds: {error}"))
}

/// A field that must say something.
pub(super) fn text(name: &str, text: &str, chars_max: usize) -> Result<String, String> {
    super::text::checked(name, text, chars_max)
}

/// A setting, to be shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    name: &'static str,
    /// `null` for all.
    activity: Option<u64>,
    value: String,
    /// Only counted, not obeyed.
    observe: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

impl From<&Setting> for Shown {
    fn from(setting: &Setting) -> Self {
        Self {
            name: setting.switch.name(),
            activity: setting.activity.map(ActivityId::get),
            value: setting.share.to_string(),
            observe: setting.observe,
            expires_at: setting.expires_at.map(|at| at.to_string()),
        }
    }
}

/// All switches: those that nobody has set, or whose setting has expired, in their normal state.
pub(super) fn list(switches: &Switches, now: Timestamp) -> String {
    #[derive(Serialize)]
    struct List {
        switches: Vec<Shown>,
    }
    let current: Vec<Setting> =
        switches.settings().filter(|setting| setting.expires_at.is_none_or(|at| now < at)).collect();
    let mut shown = Vec::new();
    for switch in Switch::ALL {
        let obeyed = |setting: &Setting| setting.switch == switch && setting.activity.is_none() && !setting.observe;
        if !current.iter().any(obeyed) {
            shown.push(Shown::from(&Setting {
                switch,
                activity: None,
                share: switch.normal(),
                observe: false,
                expires_at: None,
            }));
        }
        shown.extend(current.iter().filter(|setting| setting.switch == switch).map(Shown::from));
    }
    serde_json::to_string(&List { switches: shown }).expect("plain values")
}

/// What was changed, newest first.
pub(super) fn history(changes: &[PastChange]) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Entry<'a> {
        at: String,
        who: &'a str,
        reason: &'a str,
        before: &'a str,
        #[serde(flatten)]
        after: Shown,
    }
    #[derive(Serialize)]
    struct History<'a> {
        changes: Vec<Entry<'a>>,
    }
    let changes = changes.iter().map(|past| Entry {
        at: past.at.to_string(),
        who: &past.change.who,
        reason: &past.change.why,
        before: &past.before,
        after: Shown::from(&past.change.setting),
    });
    serde_json::to_string(&History { changes: changes.collect() }).expect("plain values")
}
