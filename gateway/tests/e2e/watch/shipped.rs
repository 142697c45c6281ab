//! What is shipped: rules, dashboards, and what the documents say of them.
use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

pub const OPERATIONS: &str = include_str!("../../../../docs/operations.md");
pub const METRICS: &str = include_str!("../../../../docs/metrics.md");
/// The tests of the alerts, one after the other.
pub const ALERT_TESTS: &str = concat!(
    include_str!("../../../../deploy/prometheus/tests/alerts.test.yml"),
    include_str!("../../../../deploy/prometheus/tests/nginx.test.yml"),
    include_str!("../../../../deploy/prometheus/tests/players.test.yml"),
);

/// A file or folder of `deploy/`.
pub fn deploy(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy")).join(path)
}

/// A dashboard, as Grafana reads it.
pub struct Dashboard(Value);

impl Dashboard {
    /// All that are shipped.
    pub fn all() -> Vec<Self> {
        let files = std::fs::read_dir(deploy("grafana/dashboards")).expect("dashboards");
        let read = |file: std::io::Result<std::fs::DirEntry>| {
            let text = std::fs::read_to_string(file.expect("a file").path()).expect("a dashboard");
            Self(serde_json::from_str(&text).expect("JSON"))
        };
        files.map(read).collect()
    }

    pub fn text(&self, name: &str) -> &str {
        self.0[name].as_str().expect("a text")
    }

    pub fn panels(&self) -> &[Value] {
        self.0["panels"].as_array().expect("panels")
    }

    /// What a panel asks for, with all its variables set to all there is.
    pub fn queries(&self, panel: &Value) -> Vec<String> {
        let targets = panel["targets"].as_array().expect("targets");
        let query = |target: &Value| {
            let mut query = target["expr"]
                .as_str()
                .expect("an expression")
                .replace("$__rate_interval", "1m");
            for (name, _) in self.listed() {
                query = query.replace(&format!("\"${name}\""), "\".*\"");
            }
            assert!(!query.contains('$'), "an unknown variable in {query}");
            query
        };
        targets.iter().map(query).collect()
    }

    /// Queries that find something when a variable has something to choose from.
    pub fn variables(&self) -> Vec<String> {
        let choice = |(_, query): (&str, &str)| {
            let inner = query
                .strip_prefix("label_values(")
                .and_then(|query| query.strip_suffix(')'));
            let (metric, label) = inner
                .and_then(|inner| inner.rsplit_once(", "))
                .expect("label_values(METRIC, LABEL)");
            format!("{metric}{{{label}!=\"\"}}")
        };
        self.listed().map(choice).collect()
    }

    fn listed(&self) -> impl Iterator<Item = (&str, &str)> {
        let list = self.0["templating"]["list"].as_array().expect("variables");
        list.iter().map(|variable| {
            (
                variable["name"].as_str().expect("a name"),
                variable["query"].as_str().expect("a query"),
            )
        })
    }
}

/// Names of metrics in an expression, or in a text. What stands between quotes is a value.
pub fn metric_names(text: &str) -> BTreeSet<String> {
    let unquoted: String = text.split('"').step_by(2).collect::<Vec<_>>().join(" ");
    let words =
        unquoted.split(|letter: char| !letter.is_ascii_alphanumeric() && !"_:".contains(letter));
    let is_metric = |word: &&str| {
        *word == "up"
            || word
                .strip_prefix("drawbridge")
                .is_some_and(|rest| rest.starts_with(['_', ':']))
    };
    words.filter(is_metric).map(str::to_owned).collect()
}

/// What can be linked to in a text: its headings, as they are made into anchors.
pub fn anchors(markdown: &str) -> BTreeSet<String> {
    let headings = markdown.lines().filter_map(|line| line.strip_prefix('#'));
    let anchor = |heading: &str| {
        let heading = heading
            .trim_start_matches('#')
            .trim()
            .to_lowercase()
            .replace(' ', "-");
        heading
            .chars()
            .filter(|letter| letter.is_alphanumeric() || "-_".contains(*letter))
            .collect()
    };
    headings.map(anchor).collect()
}
