//! This gateway among others: its report, and what it obeys.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use market::switches::Origin;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shards::Shards;
use shards::meta::{GatewayReport, ReportOutcome};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use super::kinds::{RELOAD, RELOAD_ALL, RotationObeyer};
use super::metrics::FleetMetrics;
use super::registry::{Obeyer, SettingFailure, SettingOverride, SettingRegistry};
use crate::text::to_the_second;

/// A gateway with nothing new to say reports this often.
const REPORT_PAUSE: Duration = Duration::from_secs(2);

/// A report that takes longer is given up; the next one follows.
const REPORT_TIMEOUT: Duration = Duration::from_secs(3);

/// Taking a gateway off the list must not hold up its stop.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);

/// A change is answered when the gateway that was asked obeys, or after this time.
const OWN_OBEDIENCE_MAX: Duration = Duration::from_secs(1);

/// While nothing ends by itself this long may pass before a look at it.
const LOOK_PAUSE: Duration = Duration::from_mins(1);

/// What a report says of overrides and failures at most, each.
const NOTES_MAX: usize = 12;
/// And in characters, which is what the meta database has room for.
const NOTES_CHARS_MAX: usize = 8_192;
/// And of a value.
const VALUE_CHARS_MAX: usize = 100;

/// What is in force on one gateway alone, in its report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OverrideNote {
    /// `switch`, or the kind of setting.
    pub kind: String,
    /// What it is for: a switch, with its activity behind it; a breaker, ...
    pub target: String,
    /// What holds.
    pub value: String,
    /// When it ends by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// Who this gateway is.
#[derive(Debug, Clone)]
pub struct GatewayIdentity {
    /// As it is configured, or by its host and port.
    pub name: String,
    /// Where operations reach it.
    pub admin: String,
}

/// Its configuration in short, as it is in force just now.
pub type ConfigHash = Box<dyn Fn() -> String + Send + Sync>;

/// What this gateway obeys, and its report.
pub struct Fleet {
    shards: Arc<Shards>,
    registry: Mutex<SettingRegistry>,
    rotation: Arc<RotationObeyer>,
    config_hash: ConfigHash,
    report: watch::Sender<GatewayReport>,
    woken: Notify,
    metrics: FleetMetrics,
}

impl Fleet {
    /// For a gateway that has not reported yet. Everything that holds is in force when this
    /// returns.
    pub fn new(
        shards: Arc<Shards>,
        own: GatewayIdentity,
        config_hash: ConfigHash,
        rotation: Arc<RotationObeyer>,
        obeyers: Vec<Box<dyn Obeyer>>,
        metrics: FleetMetrics,
    ) -> Self {
        let followed = shards.followed().borrow().clone();
        let report = GatewayReport {
            name: own.name,
            instance: shards.instance().to_owned(),
            admin: own.admin,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: 0,
            config_hash: config_hash(),
            overrides: "[]".to_owned(),
            failures: "[]".to_owned(),
            out_because: String::new(),
            started_at: Timestamp::now(),
        };
        let registry = Mutex::new(SettingRegistry::new(obeyers, followed.revision));
        let fleet = Self {
            shards,
            registry,
            rotation,
            config_hash,
            report: watch::Sender::new(report),
            woken: Notify::new(),
            metrics,
        };
        fleet.obey(Timestamp::now());
        fleet
    }

    /// The name under which this gateway reports.
    pub fn name(&self) -> String {
        self.report.borrow().name.clone()
    }

    /// Waits until it obeys a revision, but not for long: a caller that changes something on a
    /// gateway expects that one to obey when it answers.
    pub async fn obeyed(&self, revision: u64) {
        let mut report = self.report.subscribe();
        let _ = timeout(
            OWN_OBEDIENCE_MAX,
            report.wait_for(|report| report.revision >= revision),
        )
        .await;
    }

    /// Why this gateway is out of rotation; `None` while it is not.
    pub fn out_because(&self) -> Option<String> {
        self.rotation.out_because(&self.report.borrow().name)
    }

    /// Something has changed on this process alone: looks at it.
    pub fn wake(&self) {
        self.woken.notify_one();
    }

    /// Whether a value may be set; what is wrong with it.
    pub fn check(&self, kind: &str, target: &str, value: &Value) -> Result<(), String> {
        self.check_target(kind, target)?;
        self.registry()
            .obeyer(kind)
            .map_or(Ok(()), |obeyer| obeyer.check(value))
    }

    /// Whether there is what a setting is for; what there is if not.
    pub fn check_target(&self, kind: &str, target: &str) -> Result<(), String> {
        let registry = self.registry();
        registry
            .obeyer(kind)
            .ok_or_else(|| format!("there is no kind {kind:?}"))?
            .check_target(target)
    }

    /// Has this process alone obey, at once and until it ends.
    pub fn override_setting(&self, here: SettingOverride) -> Result<(), String> {
        self.registry().override_setting(here)?;
        self.obey(Timestamp::now());
        self.wake();
        Ok(())
    }

    /// This process alone has read its configuration. One that failed for all gateways before is
    /// put right by one that is whole.
    pub fn reloaded(&self, is_whole: bool) {
        if is_whole {
            self.registry().put_right(RELOAD, RELOAD_ALL);
        }
        self.wake();
    }

    /// Ends an override; `false` where there is none.
    pub fn clear_override(&self, kind: &str, target: &str) -> bool {
        let was_there = self.registry().clear_override(kind, target);
        self.obey(Timestamp::now());
        self.wake();
        was_there
    }

    /// Obeys and reports until it is stopped.
    pub async fn run(self: Arc<Self>, stop: watch::Receiver<bool>) {
        let reporting = tokio::spawn(self.clone().report_always(stop.clone()));
        self.obey_always(stop).await;
        if let Err(error) = reporting.await {
            tracing::error!(%error, "the reports did not end as they should");
        }
    }

    async fn obey_always(&self, mut stop: watch::Receiver<bool>) {
        let mut followed = self.shards.followed();
        loop {
            followed.mark_unchanged();
            let pause = self.obey(Timestamp::now());
            tokio::select! {
                changed = followed.changed() => if changed.is_err() { return },
                () = self.woken.notified() => {}
                () = sleep(pause) => {}
                _ = stop.wait_for(|&stop| stop) => return,
            }
        }
    }

    /// Brings into force what holds now, and has it reported. Returns when to look again.
    fn obey(&self, now: Timestamp) -> Duration {
        let mut registry = self.registry();
        // Under the lock: a second caller must not bring back what was read before.
        let followed = self.shards.followed().borrow().clone();
        let ends_at = registry.obey(&followed.settings, now);
        let (overrides, switch_ends_at) = self.override_notes(&registry, now);
        let failures = registry.failures();
        drop(registry);
        let shown = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics
            .revision
            .set(i64::try_from(followed.revision).unwrap_or(i64::MAX));
        self.metrics.overrides.set(shown(overrides.len()));
        self.metrics.failures.set(shown(failures.len()));
        self.renew_report(followed.revision, &overrides, &failures);
        let next = [ends_at, switch_ends_at].into_iter().flatten().min();
        let left = next.and_then(|at| Duration::try_from(at.duration_since(now)).ok());
        left.map_or(LOOK_PAUSE, |left| left.min(LOOK_PAUSE))
    }

    fn renew_report(&self, revision: u64, overrides: &[OverrideNote], failures: &[SettingFailure]) {
        let overrides = notes(overrides);
        let failures = notes(failures);
        self.report.send_if_modified(|report| {
            let out_because = self.rotation.out_because(&report.name).unwrap_or_default();
            let config_hash = (self.config_hash)();
            let new = GatewayReport {
                revision,
                config_hash,
                overrides,
                failures,
                out_because,
                ..report.clone()
            };
            let is_new = new != *report;
            *report = new;
            is_new
        });
    }

    /// What is in force on this process alone, and when the first of its switches ends.
    fn override_notes(
        &self,
        registry: &SettingRegistry,
        now: Timestamp,
    ) -> (Vec<OverrideNote>, Option<Timestamp>) {
        let catalogue = self.shards.catalogue();
        let switches: Vec<_> = catalogue
            .switches()
            .current(now)
            .filter(|(_, origin)| *origin == Origin::Here)
            .collect();
        let ends_at = switches
            .iter()
            .filter_map(|(setting, _)| setting.expires_at)
            .min();
        let of_switches = switches.iter().map(|(setting, _)| OverrideNote {
            kind: "switch".to_owned(),
            target: match setting.activity {
                Some(activity) => format!("{}/{activity}", setting.switch),
                None => setting.switch.to_string(),
            },
            value: setting.value(),
            expires_at: setting.expires_at.map(to_the_second),
        });
        let of_settings = registry.overrides().map(|here| OverrideNote {
            kind: here.kind.clone(),
            target: here.target.clone(),
            value: match &here.value {
                Value::String(text) => text.chars().take(VALUE_CHARS_MAX).collect(),
                other => other.to_string().chars().take(VALUE_CHARS_MAX).collect(),
            },
            expires_at: here.expires_at.map(to_the_second),
        });
        (of_switches.chain(of_settings).collect(), ends_at)
    }

    async fn report_always(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut reports = self.report.subscribe();
        let (mut first, mut failing) = (true, false);
        loop {
            let report = reports.borrow_and_update().clone();
            let reported = tokio::select! {
                reported = timeout(REPORT_TIMEOUT, self.shards.report(&report, first)) => reported,
                _ = stop.wait_for(|&stop| stop) => return,
            };
            let failed = match reported {
                Ok(Ok(ReportOutcome::Noted)) => {
                    first = false;
                    None
                }
                Ok(Ok(ReportOutcome::NameTaken { by })) => {
                    self.rename(&by);
                    first = true;
                    continue;
                }
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some(format!("no answer within {REPORT_TIMEOUT:?}")),
            };
            match &failed {
                Some(why) if !failing => {
                    tracing::warn!(why, "this gateway cannot be reported to the meta database");
                }
                None if failing => {
                    tracing::info!("this gateway is reported to the meta database again");
                }
                _ => {}
            }
            failing = failed.is_some();
            tokio::select! {
                changed = reports.changed() => if changed.is_err() { return },
                () = sleep(REPORT_PAUSE) => {}
                _ = stop.wait_for(|&stop| stop) => return,
            }
        }
    }

    /// Takes another name: one that hides the other would be worse than two.
    fn rename(&self, by: &str) {
        self.report.send_modify(|report| {
            let own = report.name.split('~').next().unwrap_or_default();
            let new = format!("{own}~{}", &report.instance[..4]);
            tracing::error!(
                name = report.name,
                new,
                other = by,
                "another gateway has this name: set gateway.name"
            );
            report.name = new;
        });
        self.wake();
    }

    /// Takes this gateway off the list: a clean stop.
    pub async fn leave(&self) {
        let GatewayReport { name, instance, .. } = self.report.borrow().clone();
        if !matches!(
            timeout(LEAVE_TIMEOUT, self.shards.remove_gateway(&name, &instance)).await,
            Ok(Ok(()))
        ) {
            tracing::warn!("this gateway stays in the list of gateways until it is taken for gone");
        }
    }

    fn registry(&self) -> MutexGuard<'_, SettingRegistry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The notes that a report has room for. The database refuses a longer report, and the gateway
/// would be silent.
fn notes<T: Serialize>(notes: &[T]) -> String {
    let shown = |count: usize| serde_json::to_string(&notes[..count]).expect("plain values");
    let fits = |text: &String| text.chars().count() <= NOTES_CHARS_MAX;
    (0..=notes.len().min(NOTES_MAX))
        .rev()
        .map(shown)
        .find(fits)
        .unwrap_or_else(|| shown(0))
}

/// The name of a gateway that was given none: unique on its machine, and mostly beyond it.
pub fn default_name(admin_port: u16) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host: String = host
        .trim()
        .chars()
        .filter(char::is_ascii_graphic)
        .take(60)
        .collect();
    format!(
        "{}:{admin_port}",
        if host.is_empty() { "gateway" } else { &host }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_no_longer_than_a_report_takes() {
        let texts = |count: usize, length: usize| vec!["\"".repeat(length); count];
        let of = |text: &str| {
            serde_json::from_str::<Vec<String>>(text)
                .expect("JSON")
                .len()
        };
        assert_eq!(of(&notes(&texts(40, 10))), NOTES_MAX);
        let long = notes(&texts(40, 1_000));
        assert!(
            of(&long) == 4 && long.chars().count() <= NOTES_CHARS_MAX,
            "{}",
            long.len()
        );
        assert_eq!(notes(&texts(1, 10_000)), "[]");
    }
}
