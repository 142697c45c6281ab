//! Reads the configuration while the server runs.
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use settings::Override;

use super::metrics::{ReloadMetrics, ReloadOutcome};
use super::report::Reloaded;
use super::sections::{IDENTITY_KEYS, ReloadParts, SECTIONS, is_applied, section_of};
use crate::config::effective::{EffectiveConfig, ShownKey};
use crate::config::{Config, LiveConfig};

/// Where the configuration came from, but for the environment, which does not change.
pub struct ConfigSource {
    /// The config file, if not the environment names it.
    pub file: Option<PathBuf>,
    /// What the command line laid over it.
    pub options: Box<dyn Fn() -> Vec<Override> + Send + Sync>,
}

/// Reads the configuration while the server runs.
pub struct Reloader {
    source: ConfigSource,
    parts: ReloadParts,
    metrics: ReloadMetrics,
    state: Mutex<ReloadState>,
}

/// What is known of the configuration.
struct ReloadState {
    in_force: EffectiveConfig,
    /// What the last reload has left for a restart.
    needs_restart: Vec<String>,
}

/// The configuration of a running server, to be shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShownConfig {
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
    pub fn new(
        source: ConfigSource,
        in_force: EffectiveConfig,
        parts: ReloadParts,
        metrics: ReloadMetrics,
    ) -> Self {
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
    pub fn shown(&self) -> ShownConfig {
        let state = self.lock();
        ShownConfig {
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
