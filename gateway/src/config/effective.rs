//! The configuration in force: each key with its value and where the value comes from.
use std::collections::BTreeMap;
use std::fmt::Write;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use settings::SettingEntry;

/// Keys, or beginnings of keys, that are one gateway's own. All others should be the same on every
/// gateway of a cluster.
const OF_ONE_GATEWAY: [&str; 5] = [
    "admin.",
    "gateway.",
    "http.admin",
    "http.listen",
    "http.probes",
];

/// Every key that has a value.
#[derive(Debug, Clone, Default)]
pub struct EffectiveConfig(Vec<SettingEntry>);

/// A key, to be shown. Secrets are masked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ShownKey {
    /// Its path, such as `http.listen`.
    pub key: String,
    /// The value in force.
    pub value: Value,
    /// Where it comes from: `default`, `file, line 3`, `environment variable NAME`, `--option`.
    pub origin: String,
    /// What the file says, where something else replaces it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub replaced: Option<Value>,
}

/// A key that the file has changed in vain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OverriddenKey {
    /// Its path.
    pub key: String,
    /// What replaces the file's value.
    pub by: String,
}

impl EffectiveConfig {
    /// Of the keys that were read.
    pub fn new(entries: Vec<SettingEntry>) -> Self {
        Self(entries)
    }

    /// All keys, in the order in which they are read.
    pub fn shown(&self) -> Vec<ShownKey> {
        let shown = |entry: &SettingEntry| ShownKey {
            key: entry.path.clone(),
            value: json_of(&entry.value()),
            origin: entry.origin.to_string(),
            replaced: entry.replaced().as_deref().map(json_of),
        };
        self.0.iter().map(shown).collect()
    }

    /// A hash of all values but secrets and what is one gateway's own: gateways that have the same
    /// one are configured alike.
    pub fn hash(&self) -> String {
        let own =
            |entry: &&SettingEntry| OF_ONE_GATEWAY.iter().any(|own| entry.path.starts_with(own));
        let mut lines: Vec<String> = (self.0.iter())
            .filter(|entry| !entry.is_secret() && !own(entry))
            .map(|entry| format!("{} = {}\n", entry.path, entry.value()))
            .collect();
        lines.sort_unstable();
        let hash = digest(&SHA256, lines.concat().as_bytes());
        hash.as_ref()[..8]
            .iter()
            .fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            })
    }

    /// The keys whose values differ, wherever these come from.
    pub fn changed(&self, after: &Self) -> Vec<String> {
        let (before, after) = (self.by_path(), after.by_path());
        let mut keys: Vec<&str> = before.keys().chain(after.keys()).copied().collect();
        keys.sort_unstable();
        keys.dedup();
        let same = |key: &str| match (before.get(key), after.get(key)) {
            (Some(before), Some(after)) => before.is_same_value(after),
            _ => false,
        };
        keys.into_iter()
            .filter(|key| !same(key))
            .map(str::to_owned)
            .collect()
    }

    /// The keys whose values in the file differ, and are replaced by something else.
    pub fn overridden(&self, after: &Self) -> Vec<OverriddenKey> {
        let before = self.by_path();
        let in_vain = |entry: &&SettingEntry| match before.get(entry.path.as_str()) {
            Some(before) => entry.replaced().is_some() && !entry.replaces_the_same(before),
            None => false,
        };
        let overridden = |entry: &SettingEntry| OverriddenKey {
            key: entry.path.clone(),
            by: entry.origin.to_string(),
        };
        after.0.iter().filter(in_vain).map(overridden).collect()
    }

    /// What is in force once `after` is, for the keys that `applies` to; the other keys stay, with
    /// what the file says of them now.
    #[must_use]
    pub fn applied(&self, after: &Self, applies: impl Fn(&str) -> bool) -> Self {
        let new = after.by_path();
        let kept = self.0.iter().filter(|entry| !applies(&entry.path));
        let kept = kept.map(|entry| match new.get(entry.path.as_str()) {
            // The same value from elsewhere: a line that moved.
            Some(new) if new.is_same_value(entry) => (*new).clone(),
            _ => entry.clone(),
        });
        let applied = after.0.iter().filter(|entry| applies(&entry.path)).cloned();
        Self(kept.chain(applied).collect())
    }

    fn by_path(&self) -> BTreeMap<&str, &SettingEntry> {
        self.0
            .iter()
            .map(|entry| (entry.path.as_str(), entry))
            .collect()
    }
}

/// A value of TOML as JSON.
fn json_of(toml: &str) -> Value {
    let table = format!("value = {toml}").parse::<toml::Table>().ok();
    let value = table.and_then(|mut table| table.remove("value"));
    value
        .and_then(|value| serde_json::to_value(value).ok())
        .unwrap_or_else(|| Value::String(toml.to_owned()))
}

/// The keys as a config file, with the origin of each value as a comment.
pub fn to_toml(keys: &[ShownKey]) -> String {
    let mut sections: Vec<(&str, Vec<&ShownKey>)> = Vec::new();
    for shown in keys {
        let (section, _) = split(&shown.key);
        match sections.iter_mut().find(|(name, _)| *name == section) {
            Some((_, keys)) => keys.push(shown),
            None => sections.push((section, vec![shown])),
        }
    }
    // The order of a table's parts matters in TOML: a list of tables comes after its parent.
    sections.sort_by_key(|(section, _)| order_of(section));
    let mut text = String::new();
    for (section, keys) in sections {
        let gap = if text.is_empty() { "" } else { "\n" };
        let _ = writeln!(text, "{gap}{}", header(section));
        let lines: Vec<(String, String)> = keys.iter().map(|shown| line(shown)).collect();
        let width = lines
            .iter()
            .map(|(line, _)| line.chars().count())
            .max()
            .unwrap_or_default()
            .min(WIDTH_MAX);
        for (line, comment) in lines {
            let _ = writeln!(text, "{line:<width$}  # {comment}");
        }
    }
    text
}

/// Comments of longer lines stand where they may.
const WIDTH_MAX: usize = 60;

/// Sections as they are read, those of one table together.
fn order_of(section: &str) -> (String, usize, String) {
    let first = section.split(['.', '[']).next().unwrap_or_default();
    // `shard[10]` after `shard[2]`.
    let padded = section.split('[').map(|part| match part.split_once(']') {
        Some((number, rest)) => format!("{number:0>6}{rest}"),
        None => part.to_owned(),
    });
    (
        first.to_owned(),
        usize::from(section.contains(['.', '['])),
        padded.collect::<Vec<_>>().join("["),
    )
}

fn split(key: &str) -> (&str, &str) {
    key.rsplit_once('.').unwrap_or(("", key))
}

fn header(section: &str) -> String {
    match section.rsplit_once('[') {
        Some((list, _)) => format!("[[{list}]]"),
        None => format!("[{section}]"),
    }
}

fn line(shown: &ShownKey) -> (String, String) {
    let (_, key) = split(&shown.key);
    let replaced = shown
        .replaced
        .as_ref()
        .map(|value| format!(" (the file says {})", toml_of(value)));
    (
        format!("{key} = {}", toml_of(&shown.value)),
        format!("{}{}", shown.origin, replaced.unwrap_or_default()),
    )
}

fn toml_of(value: &Value) -> String {
    match value {
        Value::String(text) => toml::Value::String(text.clone()).to_string(),
        Value::Array(values) => format!(
            "[{}]",
            values.iter().map(toml_of).collect::<Vec<_>>().join(", ")
        ),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use settings::Override;

    use super::super::load::{Config, VARIABLE_PREFIX};
    use super::super::values::NamedFiles;
    use super::*;

    fn effective(text: &str, overrides: Vec<Override>) -> EffectiveConfig {
        Config::read(text, overrides, NamedFiles::Read)
            .expect("a config")
            .1
    }

    fn variable(name: &str, value: &str) -> Override {
        Override::variable(VARIABLE_PREFIX, name, value).expect("a setting")
    }

    const CLUSTER: &str = "[storage]\nkind = \"cluster\"\n\
         [storage.meta]\nhost = \"m\"\nuser = \"u\"\npassword = \"hush\"\ndatabase = \"m\"\n\
         [[storage.shard]]\nhost = \"a\"\nuser = \"u\"\ndatabase = \"s\"\n\
         [[storage.shard]]\nhost = \"b\"\nuser = \"u\"\ndatabase = \"s\"\n\
         [[storage.redis]]\nhost = \"r\"\n";

    #[test]
    fn what_is_shown_is_a_configuration_that_means_the_same() {
        let text = format!(
            "{CLUSTER}[limits.user]\nper_second = 0.5\n[http]\ntrusted_proxies = [\"10.0.0.0/8\"]\n"
        );
        let first = effective(&text, vec![variable("DRAWBRIDGE_LOG_FILTER", "warn")]);
        let shown = to_toml(&first.shown());
        assert!(
            !shown.contains("hush") && shown.contains("password = \"***\""),
            "{shown}"
        );
        assert!(
            shown.contains("filter = \"warn\"")
                && shown.contains("# environment variable DRAWBRIDGE_LOG_FILTER")
        );
        let again = effective(&shown, Vec::new());
        // The mask stands for the password now.
        let changed = first.changed(&again);
        assert_eq!(changed, ["storage.meta.password"], "{shown}");
        assert_eq!(first.hash(), again.hash());
    }

    #[test]
    fn gateways_that_differ_by_addresses_and_secrets_only_are_configured_alike() {
        let one = effective(CLUSTER, Vec::new());
        let address = Override::option("http.listen", "127.0.0.1:9", "--listen");
        let other = effective(&CLUSTER.replace("hush", "quiet"), vec![address]);
        assert_eq!(one.hash(), other.hash());
        assert_eq!(
            one.changed(&other),
            ["http.listen", "storage.meta.password"]
        );
        assert_ne!(
            one.hash(),
            effective(&format!("{CLUSTER}[lanes]\nbatch_max = 7\n"), Vec::new()).hash()
        );
    }

    #[test]
    fn what_the_file_changes_under_an_override_is_no_change() {
        let overrides = || vec![variable("DRAWBRIDGE_LIMITS_USER_PER_SECOND", "5")];
        let before = effective("[limits.user]\nper_second = 1\n", overrides());
        let after = effective("[limits.user]\nper_second = 2\nburst = 3\n", overrides());
        assert_eq!(before.changed(&after), ["limits.user.burst"]);
        let by = "environment variable DRAWBRIDGE_LIMITS_USER_PER_SECOND".to_owned();
        assert_eq!(
            before.overridden(&after),
            [OverriddenKey {
                key: "limits.user.per_second".to_owned(),
                by
            }]
        );
        assert!(after.overridden(&after).is_empty());
    }

    #[test]
    fn keys_that_wait_keep_the_value_that_is_in_force() {
        let before = effective(
            "[http]\nheader_timeout_ms = 5\n[log]\nfilter = \"warn\"\n",
            Vec::new(),
        );
        let after = effective(
            "\n[http]\nheader_timeout_ms = 6\n[log]\nfilter = \"debug\"\n",
            Vec::new(),
        );
        let in_force = before.applied(&after, |key| key.starts_with("log."));
        assert_eq!(in_force.changed(&after), ["http.header_timeout_ms"]);
        assert_eq!(before.changed(&in_force), ["log.filter"]);
    }
}
