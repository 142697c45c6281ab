//! A changed config file, read while the server runs: what may change is applied at once, what may
//! not is named. A file with faults changes nothing.
//!
//! Keys of tokens are read anew each time: they change under the same name.
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use market::document::Override;
use serde::Serialize;
use shards::Shards;
use toml::{Table, Value};

use crate::config::Config;
use crate::edge::Tls;
use crate::identity::Identity;
use crate::limits::Limits;
use crate::trace::AccessLog;

/// Keys, or beginnings of keys, that may change while the server runs.
const LIVE: [&str; 4] = ["limits.", "breakers.", "log.filter", "log.access_lines_per_second_max"];

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
    pub limits: Arc<Limits>,
    /// Their breakers.
    pub shards: Arc<Shards>,
    /// How many lines.
    pub access: Arc<AccessLog>,
    /// What is logged.
    pub log_filter: LogFilter,
    /// The certificate of the admin address.
    pub admin_tls: Option<Arc<Tls>>,
}

/// Changes the filter of the log.
pub type LogFilter = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// Reads the config file anew.
pub struct Reloader {
    source: Source,
    parts: Parts,
    /// The file's keys as they are in force.
    in_force: Mutex<BTreeMap<String, String>>,
}

/// What a reload did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reloaded {
    /// Keys whose new values are in force.
    pub applied: Vec<String>,
    /// Keys whose new values wait for a restart.
    pub needs_restart: Vec<String>,
}

impl Reloader {
    /// For a server that was started with this `text`.
    pub fn new(source: Source, text: &str, parts: Parts) -> Self {
        Self { source, parts, in_force: Mutex::new(keys(text)) }
    }

    /// Reads the file and applies what may be applied. On an error all stays as it was.
    pub fn reload(&self) -> Result<Reloaded, String> {
        // One at a time: two would apply their files in different orders.
        let mut in_force = self.in_force.lock().unwrap_or_else(PoisonError::into_inner);
        let text = Config::text(self.source.file.as_deref()).map_err(|error| error.to_string())?;
        let config = Config::of_text(&text, (self.source.options)()).map_err(|error| error.to_string())?;
        self.parts.identity.reload()?;
        if let Some(tls) = &self.parts.admin_tls {
            tls.reload().map_err(|error| format!("admin.tls_certificate_file, admin.tls_key_file: {error}"))?;
        }
        (self.parts.log_filter)(&config.log.filter)?;
        self.parts.limits.replace(&config.limits);
        self.parts.shards.breakers().replace(config.sizes.breakers);
        self.parts.access.set_lines_per_second_max(config.log.access_lines_per_second_max);
        let found = keys(&text);
        let (applied, needs_restart): (Vec<_>, Vec<_>) =
            changed(&in_force, &found).into_iter().partition(|key| is_live(key));
        for key in &applied {
            match found.get(key) {
                Some(value) => in_force.insert(key.clone(), value.clone()),
                None => in_force.remove(key),
            };
        }
        tracing::info!(?applied, ?needs_restart, "the configuration was read anew");
        Ok(Reloaded { applied, needs_restart })
    }
}

fn is_live(key: &str) -> bool {
    LIVE.iter().any(|live| key.starts_with(live))
}

/// The keys of a config text that reads well, and their values as text.
fn keys(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    if let Ok(table) = text.parse::<Table>() {
        collect("", &Value::Table(table), &mut found);
    }
    found
}

fn collect(path: &str, value: &Value, found: &mut BTreeMap<String, String>) {
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect(&path, value, found);
            }
        }
        // A list of tables is named as one key: that a shard was added is all there is to say.
        value => {
            found.insert(path.to_owned(), value.to_string());
        }
    }
}

fn changed(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<String> {
    let mut keys: Vec<String> = before.keys().chain(after.keys()).cloned().collect();
    keys.sort_unstable();
    keys.dedup();
    keys.retain(|key| before.get(key) != after.get(key));
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_came_went_or_changed_are_named() {
        let before =
            "[http]\nlisten = \"a\"\n[limits.user]\nper_second = 1\nburst = 2\n[[storage.shard]]\nhost = \"x\"\n";
        let after = "[http]\nlisten = \"b\"\n[limits.user]\nper_second = 1\n[log]\nfilter = \"debug\"\n\
                     [[storage.shard]]\nhost = \"x\"\n[[storage.shard]]\nhost = \"y\"\n";
        let named = changed(&keys(before), &keys(after));
        assert_eq!(named, ["http.listen", "limits.user.burst", "log.filter", "storage.shard"]);
        let live: Vec<_> = named.iter().filter(|key| is_live(key)).collect();
        assert_eq!(live, ["limits.user.burst", "log.filter"]);
        assert!(changed(&keys(after), &keys(after)).is_empty());
    }
}
