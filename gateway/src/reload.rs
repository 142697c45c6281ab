//! A changed configuration, read while the server runs. What may change is applied section by
//! section: one that fails keeps none of the others from changing. What may not change is named. A
//! file with faults changes nothing.
//!
//! Files of keys and tokens are read each time: they change under the same name.
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use market::document::Override;
use serde::Serialize;
use shards::Shards;

use crate::admin::token::TokenStore;
use crate::config::effective::{Effective, Overridden, ShownKey};
use crate::config::{Config, LiveConfig};
use crate::edge::Tls;
use crate::identity::Identity;
use crate::limits::RateLimits;
use crate::log_level::LogLevel;
use crate::reload_metrics::{ReloadMetrics, ReloadOutcome};
use crate::trace::AccessLog;

/// Where the configuration came from, but for the environment, which does not change.
pub struct Source {
    /// The config file, if not the environment names it.
    pub file: Option<PathBuf>,
    /// What the command line laid over it.
    pub options: Box<dyn Fn() -> Vec<Override> + Send + Sync>,
}

/// What can be changed.
pub struct Parts {
    /// Who may call.
    pub identity: Arc<Identity>,
    /// How much may be asked.
    pub limits: Arc<RateLimits>,
    /// Their breakers.
    pub shards: Arc<Shards>,
    /// How many lines.
    pub access: Arc<AccessLog>,
    /// What is logged.
    pub log_level: Arc<LogLevel>,
    /// Who may use the admin address.
    pub tokens: Arc<TokenStore>,
    /// The certificate of the admin address.
    pub admin_tls: Option<Arc<Tls>>,
}

/// A part of the configuration that is applied by itself.
struct Section {
    name: &'static str,
    /// Keys, or beginnings of keys, that belong to it.
    keys: &'static [&'static str],
    /// Whether it depends on files, which are looked at even when no key has changed.
    has_files: bool,
    /// Applies it; returns whether that changed something.
    apply: fn(&Parts, &LiveConfig) -> Result<bool, String>,
}

/// The section whose files say who is trusted.
const IDENTITY_KEYS: &str = "identity_keys";

const SECTIONS: [Section; 6] = [
    Section {
        name: "limits",
        keys: &["limits."],
        has_files: false,
        apply: |parts, live| {
            parts.limits.replace(&live.limits);
            Ok(true)
        },
    },
    Section {
        name: "breakers",
        keys: &["breakers."],
        has_files: false,
        apply: |parts, live| {
            parts.shards.breakers().replace(live.breakers);
            Ok(true)
        },
    },
    Section {
        name: "log",
        keys: &["log.filter", "log.access_lines_per_second_max"],
        has_files: false,
        apply: |parts, live| {
            parts.log_level.configure(&live.log.filter)?;
            parts
                .access
                .set_lines_per_second_max(live.log.access_lines_per_second_max);
            Ok(true)
        },
    },
    Section {
        name: IDENTITY_KEYS,
        keys: &[],
        has_files: true,
        apply: |parts, _| parts.identity.reload(),
    },
    Section {
        name: "tokens",
        keys: &[
            "admin.token_file",
            "admin.viewer_token_file",
            "admin.tokens_dir",
        ],
        has_files: true,
        apply: |parts, live| parts.tokens.reload(&live.admin),
    },
    Section {
        name: "admin_tls",
        keys: &[],
        has_files: true,
        apply: apply_admin_tls,
    },
];

fn apply_admin_tls(parts: &Parts, _: &LiveConfig) -> Result<bool, String> {
    let Some(tls) = &parts.admin_tls else {
        return Ok(false);
    };
    let reloaded = tls.reload().map(|()| true);
    reloaded.map_err(|error| format!("admin.tls_certificate_file, admin.tls_key_file: {error}"))
}

/// What became of a section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SectionReport {
    /// Which one.
    pub name: &'static str,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: SectionOutcome,
}

/// What a reload did with a section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum SectionOutcome {
    /// It is in force.
    Applied,
    /// There was nothing to do.
    Unchanged,
    /// It stays as it was.
    Failed {
        /// Why.
        why: String,
    },
}

impl SectionOutcome {
    const fn has_failed(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }
}

/// What a reload did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reloaded {
    /// What became of each section.
    pub sections: Vec<SectionReport>,
    /// Keys whose new values are in force.
    pub applied: Vec<String>,
    /// Keys whose new values wait for a restart.
    pub needs_restart: Vec<String>,
    /// Keys that the file changes in vain, because something else replaces them.
    pub overridden: Vec<Overridden>,
}

impl Reloaded {
    /// Whether each section is as the file says.
    pub fn is_whole(&self) -> bool {
        self.failures().next().is_none()
    }

    /// One line for records.
    pub fn summary(&self) -> String {
        let list = |name: &str, keys: &[String]| match keys {
            [] => String::new(),
            keys => format!("; {name}: {}", keys.join(", ")),
        };
        let failed: Vec<String> = self.failures().map(|(name, _)| name.to_owned()).collect();
        let overridden: Vec<String> = self
            .overridden
            .iter()
            .map(|Overridden { key, by }| format!("{key} by {by}"))
            .collect();
        let parts = [
            list("applied", &self.applied),
            list("failed", &failed),
            list("overridden", &overridden),
            list("waits for a restart", &self.needs_restart),
        ];
        format!(
            "{}{}",
            if failed.is_empty() { "ok" } else { "partly" },
            parts.concat()
        )
    }

    fn failures(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.sections
            .iter()
            .filter_map(|section| match &section.outcome {
                SectionOutcome::Failed { why } => Some((section.name, why.as_str())),
                _ => None,
            })
    }
}

/// Reads the configuration while the server runs.
pub struct Reloader {
    source: Source,
    parts: Parts,
    metrics: ReloadMetrics,
    state: Mutex<ReloadState>,
}

/// What is known of the configuration.
struct ReloadState {
    in_force: Effective,
    /// What the last reload has left for a restart.
    needs_restart: Vec<String>,
}

/// The configuration of a running server, to be shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// The config file.
    pub file: Option<String>,
    /// The same on all gateways that are configured alike.
    pub hash: String,
    /// Keys that the file has changed and that wait for a restart.
    pub needs_restart: Vec<String>,
    /// The filter of the log that counts instead of the configured one.
    pub log_filter_set: Option<String>,
    /// All keys.
    pub keys: Vec<ShownKey>,
}

impl Reloader {
    /// For a server that was started with what is `in_force`.
    pub fn new(source: Source, in_force: Effective, parts: Parts, metrics: ReloadMetrics) -> Self {
        let state = Mutex::new(ReloadState {
            in_force,
            needs_restart: Vec::new(),
        });
        Self {
            source,
            parts,
            metrics,
            state,
        }
    }

    /// Reads the file and applies what may be applied. On an error all stays as it was.
    pub fn reload(&self) -> Result<Reloaded, String> {
        // One line, as answers, reports and the log want it.
        let reloaded = self
            .read_and_apply()
            .map_err(|error| error.replace('\n', ""));
        self.metrics.ended(match &reloaded {
            Ok(reloaded) if reloaded.is_whole() => ReloadOutcome::Whole,
            Ok(_) => ReloadOutcome::Partly,
            Err(_) => ReloadOutcome::Failed,
        });
        match &reloaded {
            Ok(reloaded) => {
                tracing::info!(
                    summary = reloaded.summary(),
                    "the configuration was read again"
                );
                for (section, why) in reloaded.failures() {
                    tracing::error!(
                        section,
                        why,
                        "a section of the configuration stays as it was"
                    );
                }
            }
            Err(error) => tracing::error!(
                error,
                "the configuration was not read again: all stays as it was"
            ),
        }
        reloaded
    }

    fn read_and_apply(&self) -> Result<Reloaded, String> {
        // One at a time: two would apply their files in different orders.
        let mut state = self.lock();
        let text = Config::text(self.source.file.as_deref()).map_err(|error| error.to_string())?;
        let (live, found) = LiveConfig::of_text(&text, (self.source.options)())
            .map_err(|error| error.to_string())?;
        let changed = state.in_force.changed(&found);
        let overridden = state.in_force.overridden(&found);
        let sections: Vec<_> = SECTIONS
            .iter()
            .map(|section| section.report(&self.parts, &live, &changed))
            .collect();
        if !sections
            .iter()
            .any(|section| section.name == IDENTITY_KEYS && section.outcome.has_failed())
        {
            self.metrics.keys_read(&self.parts.identity);
        }
        let applies = |key: &str| is_applied(key, &sections);
        let (applied, rest): (Vec<_>, Vec<_>) = changed.into_iter().partition(|key| applies(key));
        let needs_restart: Vec<_> = rest
            .into_iter()
            .filter(|key| section_of(key).is_none())
            .collect();
        state.in_force = state.in_force.applied(&found, applies);
        state.needs_restart.clone_from(&needs_restart);
        Ok(Reloaded {
            sections,
            applied,
            needs_restart,
            overridden,
        })
    }

    /// The configuration in force.
    pub fn shown(&self) -> Shown {
        let state = self.lock();
        Shown {
            file: Config::file(self.source.file.as_deref()).map(|path| path.display().to_string()),
            hash: state.in_force.hash(),
            needs_restart: state.needs_restart.clone(),
            log_filter_set: self.parts.log_level.filter_set(),
            keys: state.in_force.shown(),
        }
    }

    /// A hash of the configuration in force, the same on all gateways that are configured alike.
    pub fn config_hash(&self) -> String {
        self.lock().in_force.hash()
    }

    fn lock(&self) -> MutexGuard<'_, ReloadState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Section {
    fn has(&self, key: &str) -> bool {
        self.keys.iter().any(|begin| key.starts_with(begin))
    }

    fn report(&self, parts: &Parts, live: &LiveConfig, changed: &[String]) -> SectionReport {
        let outcome = if self.has_files || changed.iter().any(|key| self.has(key)) {
            match (self.apply)(parts, live) {
                Ok(true) => SectionOutcome::Applied,
                Ok(false) => SectionOutcome::Unchanged,
                Err(why) => SectionOutcome::Failed { why },
            }
        } else {
            SectionOutcome::Unchanged
        };
        SectionReport {
            name: self.name,
            outcome,
        }
    }
}

fn section_of(key: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|section| section.has(key))
}

/// Whether a key is in force: it may change while the server runs, and its section did not fail.
fn is_applied(key: &str, sections: &[SectionReport]) -> bool {
    let Some(section) = section_of(key) else {
        return false;
    };
    let failed = |report: &SectionReport| {
        report.name == section.name && matches!(report.outcome, SectionOutcome::Failed { .. })
    };
    !sections.iter().any(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_belong_to_the_section_that_applies_them() {
        let name = |key| section_of(key).map(|section| section.name);
        assert_eq!(name("limits.user.burst"), Some("limits"));
        assert_eq!(name("log.filter"), Some("log"));
        assert_eq!(name("admin.tokens_dir"), Some("tokens"));
        assert_eq!(
            [
                name("log.format"),
                name("http.listen"),
                name("identity.key_file")
            ],
            [None; 3]
        );
    }

    #[test]
    fn what_failed_is_not_in_force_and_nothing_else_suffers() {
        let report = |name, outcome| SectionReport { name, outcome };
        let sections = [
            report("limits", SectionOutcome::Applied),
            report(
                "tokens",
                SectionOutcome::Failed {
                    why: "no such file".to_owned(),
                },
            ),
        ];
        assert!(
            is_applied("limits.user.burst", &sections)
                && !is_applied("admin.tokens_dir", &sections)
        );
        let overridden = vec![Overridden {
            key: "log.filter".to_owned(),
            by: "--x".to_owned(),
        }];
        let applied = vec!["limits.user.burst".to_owned()];
        let reloaded = Reloaded {
            sections: sections.to_vec(),
            applied,
            needs_restart: Vec::new(),
            overridden,
        };
        assert!(!reloaded.is_whole());
        let expected =
            "partly; applied: limits.user.burst; failed: tokens; overridden: log.filter by --x";
        assert_eq!(reloaded.summary(), expected);
        let json = serde_json::to_value(&reloaded).expect("plain values");
        assert_eq!(
            json["sections"][1],
            serde_json::json!({"name": "tokens", "outcome": "failed", "why": "no such file"})
        );
    }
}
