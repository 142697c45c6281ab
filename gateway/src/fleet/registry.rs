//! Which settings hold on this gateway, and what must be done so that they are in force. Whatever
//! a kind does is done through [`Obeyer`]; time is a parameter.
use std::cmp::Reverse;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use shards::meta::FleetSetting;

/// An override lasts in memory only, so there are few.
pub const OVERRIDES_MAX: usize = 64;

/// The longest reason of a failure in a report.
const WHY_CHARS_MAX: usize = 200;

/// A setting to apply, or to end.
#[derive(Debug)]
pub struct SettingChange<'a> {
    /// What the setting is for.
    pub target: &'a str,
    /// Its value; `None` where it was taken back or has ended.
    pub value: Option<&'a Value>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Who set it; empty where it has ended.
    pub who: &'a str,
    /// And why.
    pub why: &'a str,
}

/// Obeys one kind of settings.
pub trait Obeyer: Send + Sync {
    /// Its name in the meta database.
    fn kind(&self) -> &'static str;
    /// Whether it happens once, where it is set, rather than to last.
    fn is_event(&self) -> bool {
        false
    }
    /// Checks that there is what a setting is for; what there is if not.
    fn check_target(&self, target: &str) -> Result<(), String> {
        let _ = target;
        Ok(())
    }
    /// Checks a value before it is set; what is wrong with it.
    fn check(&self, value: &Value) -> Result<(), String> {
        let _ = value;
        Ok(())
    }
    /// Does it, at once; or why it cannot be done.
    fn apply(&self, change: &SettingChange<'_>) -> Result<(), String>;
}

/// Kind and target.
type Key = (String, String);

/// Where a setting comes from; another stamp is another setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stamp {
    /// Set for all gateways, under this revision.
    Fleet(u64),
    /// Set on this process alone, under this ordinal.
    Here(u64),
}

/// A setting of this process alone.
#[derive(Debug, Clone)]
pub struct SettingOverride {
    /// What sort of setting it is.
    pub kind: String,
    /// What it is for.
    pub target: String,
    /// Its value.
    pub value: Value,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Who set it.
    pub who: String,
    /// And why.
    pub why: String,
}

/// A setting that should be in force.
#[derive(Debug, Clone)]
struct WantedSetting {
    stamp: Stamp,
    /// `None` where it cannot be read.
    value: Option<Value>,
    expires_at: Option<Timestamp>,
    who: String,
    why: String,
}

/// A setting that was dealt with.
#[derive(Debug, Clone)]
struct AppliedSetting {
    stamp: Stamp,
    failed: Option<String>,
}

/// A setting that this gateway could not obey.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingFailure {
    /// What sort of setting it is.
    pub kind: String,
    /// What it is for.
    pub target: String,
    /// What is in the way.
    pub why: String,
}

/// What this gateway obeys.
pub struct SettingRegistry {
    obeyers: Vec<Box<dyn Obeyer>>,
    /// Events up to here happened before this process began.
    start_revision: u64,
    overrides: BTreeMap<Key, (u64, SettingOverride)>,
    overrides_made: u64,
    applied: BTreeMap<Key, AppliedSetting>,
}

impl SettingRegistry {
    /// For a process that begins under this revision.
    pub fn new(obeyers: Vec<Box<dyn Obeyer>>, start_revision: u64) -> Self {
        Self {
            obeyers,
            start_revision,
            overrides: BTreeMap::new(),
            overrides_made: 0,
            applied: BTreeMap::new(),
        }
    }

    /// The obeyer of a kind.
    pub fn obeyer(&self, kind: &str) -> Option<&dyn Obeyer> {
        self.obeyers
            .iter()
            .map(AsRef::as_ref)
            .find(|obeyer| obeyer.kind() == kind)
    }

    /// Brings into force what holds now, and ends what does not hold any more. Returns when the
    /// next setting ends.
    pub fn obey(&mut self, settings: &[FleetSetting], now: Timestamp) -> Option<Timestamp> {
        self.overrides
            .retain(|_, (_, here)| here.expires_at.is_none_or(|at| now < at));
        let wanted = self.wanted(settings, now);
        let ended: Vec<Key> = self
            .applied
            .keys()
            .filter(|key| !wanted.contains_key(*key))
            .cloned()
            .collect();
        for key in ended {
            self.applied.remove(&key);
            self.end(&key);
        }
        for (key, wanted) in &wanted {
            if self
                .applied
                .get(key)
                .is_none_or(|applied| applied.stamp != wanted.stamp)
            {
                let failed = self
                    .apply(key, wanted)
                    .err()
                    .map(|why| why.chars().take(WHY_CHARS_MAX).collect());
                self.applied.insert(
                    key.clone(),
                    AppliedSetting {
                        stamp: wanted.stamp,
                        failed,
                    },
                );
            }
        }
        wanted.values().filter_map(|wanted| wanted.expires_at).min()
    }

    /// Has this process alone obey, at once. An event happens; anything else lasts and stands for
    /// what is set for all gateways.
    pub fn override_setting(&mut self, here: SettingOverride) -> Result<(), String> {
        let Some(obeyer) = self.obeyer(&here.kind) else {
            return Err(unknown(&here.kind));
        };
        let key = (here.kind.clone(), here.target.clone());
        if self.overrides.len() >= OVERRIDES_MAX && !self.overrides.contains_key(&key) {
            return Err(format!(
                "there are {OVERRIDES_MAX} overrides on this gateway already: take some back first"
            ));
        }
        let SettingOverride {
            target,
            value,
            expires_at,
            who,
            why,
            ..
        } = &here;
        obeyer.apply(&SettingChange {
            target,
            value: Some(value),
            expires_at: *expires_at,
            who,
            why,
        })?;
        if !obeyer.is_event() {
            self.overrides_made += 1;
            let stamp = Stamp::Here(self.overrides_made);
            self.applied.insert(
                key.clone(),
                AppliedSetting {
                    stamp,
                    failed: None,
                },
            );
            self.overrides.insert(key, (self.overrides_made, here));
        }
        Ok(())
    }

    /// Ends an override: what is set for all gateways holds again with the next
    /// [`SettingRegistry::obey`].
    pub fn clear_override(&mut self, kind: &str, target: &str) -> bool {
        self.overrides
            .remove(&(kind.to_owned(), target.to_owned()))
            .is_some()
    }

    /// What this process could not obey has been put right: an event that has happened since.
    pub fn put_right(&mut self, kind: &str, target: &str) {
        if let Some(applied) = self.applied.get_mut(&(kind.to_owned(), target.to_owned())) {
            applied.failed = None;
        }
    }

    /// What is in force on this process alone.
    pub fn overrides(&self) -> impl Iterator<Item = &SettingOverride> {
        self.overrides.values().map(|(_, here)| here)
    }

    /// What this gateway could not obey, what was set last first: a report has room for some of
    /// them, and a command that waits for a setting must find it there.
    pub fn failures(&self) -> Vec<SettingFailure> {
        let failure = |((kind, target), applied): (&Key, &AppliedSetting)| {
            let why = applied.failed.clone()?;
            Some((
                applied.stamp,
                SettingFailure {
                    kind: kind.clone(),
                    target: target.clone(),
                    why,
                },
            ))
        };
        let mut failed: Vec<_> = self.applied.iter().filter_map(failure).collect();
        failed.sort_by_key(|(stamp, _)| Reverse(*stamp));
        failed.into_iter().map(|(_, failure)| failure).collect()
    }

    fn wanted(&self, settings: &[FleetSetting], now: Timestamp) -> BTreeMap<Key, WantedSetting> {
        let current = settings
            .iter()
            .filter(|setting| setting.expires_at.is_none_or(|at| now < at));
        let fleet = current.map(|setting| {
            let wanted = WantedSetting {
                stamp: Stamp::Fleet(setting.revision),
                value: serde_json::from_str(&setting.value).ok(),
                expires_at: setting.expires_at,
                who: setting.who.clone(),
                why: setting.why.clone(),
            };
            ((setting.kind.clone(), setting.target.clone()), wanted)
        });
        let here = self.overrides.iter().map(|(key, (number, here))| {
            let wanted = WantedSetting {
                stamp: Stamp::Here(*number),
                value: Some(here.value.clone()),
                expires_at: here.expires_at,
                who: here.who.clone(),
                why: here.why.clone(),
            };
            (key.clone(), wanted)
        });
        // The later one stands: an override takes the place of the setting of its key.
        fleet.chain(here).collect()
    }

    fn apply(&self, (kind, target): &Key, wanted: &WantedSetting) -> Result<(), String> {
        let obeyer = self.obeyer(kind).ok_or_else(|| unknown(kind))?;
        if obeyer.is_event()
            && matches!(wanted.stamp, Stamp::Fleet(revision) if revision <= self.start_revision)
        {
            return Ok(());
        }
        let value = wanted.value.as_ref().ok_or("its value cannot be read")?;
        let WantedSetting {
            expires_at,
            who,
            why,
            ..
        } = wanted;
        obeyer.apply(&SettingChange {
            target,
            value: Some(value),
            expires_at: *expires_at,
            who,
            why,
        })?;
        // Not the target: it may be a user.
        tracing::info!(kind, who, why, "a setting is obeyed");
        Ok(())
    }

    fn end(&self, (kind, target): &Key) {
        let Some(obeyer) = self.obeyer(kind).filter(|obeyer| !obeyer.is_event()) else {
            return;
        };
        let ended = SettingChange {
            target,
            value: None,
            expires_at: None,
            who: "",
            why: "",
        };
        match obeyer.apply(&ended) {
            Ok(()) => tracing::info!(kind, "a setting has ended"),
            Err(why) => tracing::warn!(kind, why, "a setting cannot be ended"),
        }
    }
}

fn unknown(kind: &str) -> String {
    format!("this version of the program knows no setting of the kind {kind:?}")
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::json;

    use super::*;

    /// Notes each change; refuses the target `bad`.
    struct Noting {
        kind: &'static str,
        event: bool,
        notes: Arc<Mutex<Vec<String>>>,
    }

    impl Obeyer for Noting {
        fn kind(&self) -> &'static str {
            self.kind
        }

        fn is_event(&self) -> bool {
            self.event
        }

        fn apply(&self, change: &SettingChange<'_>) -> Result<(), String> {
            if change.target == "bad" {
                return Err("no".repeat(1_000));
            }
            let value = change.value.map_or("ended".to_owned(), Value::to_string);
            self.notes
                .lock()
                .expect("sound")
                .push(format!("{} {}: {value}", self.kind, change.target));
            Ok(())
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn setting(kind: &str, target: &str, value: &str, revision: u64) -> FleetSetting {
        FleetSetting {
            kind: kind.to_owned(),
            target: target.to_owned(),
            value: value.to_owned(),
            who: "w".to_owned(),
            why: "y".to_owned(),
            set_at: at(0),
            expires_at: None,
            revision,
        }
    }

    fn here(
        kind: &str,
        target: &str,
        value: Value,
        expires_at: Option<Timestamp>,
    ) -> SettingOverride {
        let (who, why) = ("w".to_owned(), "y".to_owned());
        SettingOverride {
            kind: kind.to_owned(),
            target: target.to_owned(),
            value,
            expires_at,
            who,
            why,
        }
    }

    struct Bench {
        registry: SettingRegistry,
        notes: Arc<Mutex<Vec<String>>>,
    }

    impl Bench {
        fn new() -> Self {
            let notes = Arc::<Mutex<Vec<String>>>::default();
            let noting = |kind, event| {
                Box::new(Noting {
                    kind,
                    event,
                    notes: notes.clone(),
                }) as Box<dyn Obeyer>
            };
            Self {
                registry: SettingRegistry::new(
                    vec![noting("lasting", false), noting("event", true)],
                    10,
                ),
                notes,
            }
        }

        fn obeyed(&mut self, settings: &[FleetSetting], second: i64) -> Vec<String> {
            self.registry.obey(settings, at(second));
            std::mem::take(&mut self.notes.lock().expect("sound"))
        }
    }

    #[test]
    fn new_changed_and_ended_settings_are_obeyed_once() {
        let mut bench = Bench::new();
        let (one, other) = (
            setting("lasting", "a", "1", 3),
            setting("lasting", "a", "2", 11),
        );
        assert_eq!(
            bench.obeyed(std::slice::from_ref(&one), 0),
            ["lasting a: 1"]
        );
        assert!(bench.obeyed(&[one], 0).is_empty());
        assert_eq!(
            bench.obeyed(std::slice::from_ref(&other), 0),
            ["lasting a: 2"]
        );
        let ending = FleetSetting {
            expires_at: Some(at(5)),
            revision: 12,
            ..other
        };
        assert_eq!(
            bench.registry.obey(std::slice::from_ref(&ending), at(4)),
            Some(at(5))
        );
        assert_eq!(
            bench.obeyed(std::slice::from_ref(&ending), 4),
            ["lasting a: 2"]
        );
        assert_eq!(
            bench.obeyed(std::slice::from_ref(&ending), 5),
            ["lasting a: ended"]
        );
        assert!(bench.obeyed(&[ending], 6).is_empty());
    }

    #[test]
    fn events_of_before_the_start_do_not_happen_again_and_do_not_end() {
        let mut bench = Bench::new();
        assert!(
            bench
                .obeyed(&[setting("event", "u", "1", 10)], 0)
                .is_empty()
        );
        assert_eq!(
            bench.obeyed(&[setting("event", "u", "1", 11)], 0),
            ["event u: 1"]
        );
        assert!(bench.obeyed(&[], 0).is_empty());
    }

    #[test]
    fn an_override_stands_for_the_setting_until_it_ends() {
        let mut bench = Bench::new();
        let fleet = [setting("lasting", "a", "1", 3)];
        bench.obeyed(&fleet, 0);
        bench
            .registry
            .override_setting(here("lasting", "a", json!(9), Some(at(5))))
            .expect("obeyed");
        assert_eq!(bench.obeyed(&fleet, 1), ["lasting a: 9"]);
        // What is set for all meanwhile waits.
        let fleet = [setting("lasting", "a", "2", 12)];
        assert!(bench.obeyed(&fleet, 4).is_empty());
        assert_eq!(bench.registry.overrides().count(), 1);
        assert_eq!(bench.obeyed(&fleet, 5), ["lasting a: 2"]);
        bench
            .registry
            .override_setting(here("lasting", "b", json!(7), None))
            .expect("obeyed");
        assert_eq!(bench.obeyed(&fleet, 6), ["lasting b: 7"]);
        assert!(
            bench.registry.clear_override("lasting", "b")
                && !bench.registry.clear_override("lasting", "b")
        );
        assert_eq!(bench.obeyed(&fleet, 6), ["lasting b: ended"]);
        bench
            .registry
            .override_setting(here("event", "u", json!(1), None))
            .expect("obeyed");
        assert_eq!(
            (bench.obeyed(&fleet, 7), bench.registry.overrides().count()),
            (vec!["event u: 1".to_owned()], 0)
        );
    }

    #[test]
    fn what_cannot_be_obeyed_is_a_failure_until_it_is_taken_back() {
        let mut bench = Bench::new();
        let settings = [
            setting("future", "x", "1", 3),
            setting("lasting", "a", "{", 3),
            setting("lasting", "bad", "1", 4),
        ];
        assert!(bench.obeyed(&settings, 0).is_empty());
        let failures = bench.registry.failures();
        let targets: Vec<&str> = failures
            .iter()
            .map(|failure| failure.target.as_str())
            .collect();
        assert_eq!(targets, ["bad", "x", "a"], "the latest first");
        assert!(
            failures
                .iter()
                .all(|failure| failure.why.chars().count() <= WHY_CHARS_MAX)
        );
        bench.obeyed(&[setting("lasting", "a", "1", 5)], 0);
        assert!(bench.registry.failures().is_empty());
        let event = [setting("event", "bad", "1", 11)];
        bench.obeyed(&event, 0);
        assert_eq!(bench.registry.failures().len(), 1);
        bench.registry.put_right("event", "bad");
        assert!(bench.obeyed(&event, 0).is_empty() && bench.registry.failures().is_empty());
        assert!(
            bench
                .registry
                .override_setting(here("lasting", "bad", json!(1), None))
                .is_err()
        );
        assert_eq!(bench.registry.overrides().count(), 0);
    }

    #[test]
    fn overrides_are_bounded() {
        let mut bench = Bench::new();
        for number in 0..OVERRIDES_MAX {
            bench
                .registry
                .override_setting(here("lasting", &number.to_string(), json!(1), None))
                .expect("room");
        }
        assert!(
            bench
                .registry
                .override_setting(here("lasting", "more", json!(1), None))
                .is_err()
        );
        bench
            .registry
            .override_setting(here("lasting", "0", json!(2), None))
            .expect("one that is there may change");
    }
}
