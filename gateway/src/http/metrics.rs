//! What is measured of requests and their answers. Names and units are listed in
//! `docs/metrics.md`.
use std::sync::Arc;
use std::time::Duration;

use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts, Registry,
};

use crate::answer::{Code, Endpoint};

/// Metrics of the public API. Labels are endpoints and codes, both from fixed lists.
#[derive(Clone)]
pub struct HttpMetrics {
    /// By endpoint and code, in the order of their lists: looked up by number, because the
    /// request path has better things to do than hashing labels.
    answered: Arc<Vec<Vec<IntCounter>>>,
    seconds: Arc<Vec<Histogram>>,
    received: IntCounter,
}

impl HttpMetrics {
    /// Registers the metrics.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let requests = Opts::new("drawbridge_http_requests_total", "Answered requests");
        let requests = IntCounterVec::new(requests, &["endpoint", "code"])?;
        let seconds = HistogramOpts::new(
            "drawbridge_http_request_seconds",
            "Time from a request's head to its answer",
        )
        .buckets(prometheus::exponential_buckets(0.0005, 2.0, 15)?);
        let seconds = HistogramVec::new(seconds, &["endpoint"])?;
        let received = IntCounter::new(
            "drawbridge_commands_received_total",
            "Commands (calls that change something) that have come in, whatever became of them",
        )?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        registry.register(Box::new(received.clone()))?;
        let counters = |endpoint: &Endpoint| {
            let counter =
                |code: &Code| requests.with_label_values(&[endpoint.label(), code.as_str()]);
            Code::ALL.iter().map(counter).collect()
        };
        let timer = |endpoint: &Endpoint| seconds.with_label_values(&[endpoint.label()]);
        Ok(Self {
            answered: Arc::new(Endpoint::ALL.iter().map(counters).collect()),
            seconds: Arc::new(Endpoint::ALL.iter().map(timer).collect()),
            received,
        })
    }

    /// Counts a command that has come in, whatever becomes of it.
    pub fn received_command(&self) {
        self.received.inc();
    }

    /// Counts an answer.
    pub fn answered(&self, endpoint: Endpoint, code: Code, took: Duration) {
        self.answered[endpoint as usize][code as usize].inc();
        self.seconds[endpoint as usize].observe(took.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::Value;

    use super::*;

    const ALERTS: &str = include_str!("../../../deploy/prometheus/rules/alerts.yml");
    const RECORDING: &str = include_str!("../../../deploy/prometheus/rules/recording.yml");
    const DOCUMENTED: &str = include_str!("../../../docs/metrics.md");

    type Codes = BTreeSet<String>;

    /// The rules of a file: group, name and expression.
    fn rules(text: &str) -> Vec<[String; 3]> {
        let file: Value = serde_yaml_ng::from_str(text).expect("YAML");
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let groups = file["groups"].as_array().expect("groups").iter();
        let of_group = |group: &Value| {
            let name = |rule: &Value| {
                if rule["alert"].is_null() {
                    word(&rule["record"])
                } else {
                    word(&rule["alert"])
                }
            };
            let rules = group["rules"].as_array().expect("rules").iter();
            rules
                .map(|rule| [word(&group["name"]), name(rule), word(&rule["expr"])])
                .collect::<Vec<_>>()
        };
        groups.flat_map(of_group).collect()
    }

    /// The codes that an expression lists behind `code=~` or `code!~`. Lists are words, not
    /// patterns.
    fn listed(expression: &str, operator: &str) -> Codes {
        let opening = format!("code{operator}\"");
        let lists = expression.split(&opening).skip(1);
        let codes = lists.flat_map(|rest| rest.split('"').next().unwrap_or_default().split('|'));
        codes.map(str::to_owned).collect()
    }

    fn recorded(name: &str) -> Codes {
        let rule = rules(RECORDING)
            .into_iter()
            .find(|[_, record, _]| record == name)
            .expect("a rule");
        listed(&rule[2], "!~")
    }

    /// The codes of each alert that lists some, by group and name.
    fn lists() -> Vec<(String, String, Codes)> {
        let lists = rules(ALERTS)
            .into_iter()
            .map(|[group, name, expr]| (group, name, listed(&expr, "=~")));
        lists.filter(|(_, _, codes)| !codes.is_empty()).collect()
    }

    fn documented() -> BTreeMap<String, String> {
        let (_, table) = DOCUMENTED
            .split_once("## Codes and their alerts")
            .expect("the table");
        let rows = table
            .lines()
            .filter(|line| line.contains('`'))
            .map(|line| line.split('|').collect::<Vec<_>>());
        let codes = rows.flat_map(|row| {
            let alert = row[1].trim().to_owned();
            let codes = row[2].split('`').skip(1).step_by(2).map(str::to_owned);
            codes.map(|code| (code, alert.clone())).collect::<Vec<_>>()
        });
        let mut found = BTreeMap::new();
        for (code, alert) in codes {
            assert_eq!(
                found.insert(code.clone(), alert),
                None,
                "{code} stands twice"
            );
        }
        found
    }

    #[test]
    fn each_code_is_the_matter_of_one_alert_or_harmless() {
        let harmless = recorded("drawbridge:answers_failed:ratio1m");
        let mut alerts: BTreeMap<String, String> = harmless
            .iter()
            .map(|code| (code.clone(), "harmless".into()))
            .collect();
        for (_, alert, codes) in lists() {
            for code in codes {
                assert_eq!(
                    alerts.insert(code.clone(), alert.clone()),
                    None,
                    "{code} of {alert} is listed elsewhere too"
                );
            }
        }
        let known: BTreeSet<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
        for code in alerts.keys() {
            assert!(known.contains(code.as_str()), "{code} is no code");
        }
        let mut by_code = BTreeMap::new();
        for code in known {
            let alert = alerts
                .get(code)
                .cloned()
                .unwrap_or_else(|| "DrawbridgeDrawsFailing".to_owned());
            by_code.insert(code.to_owned(), alert);
        }
        assert_eq!(by_code, documented());
    }

    #[test]
    fn what_is_not_listed_is_a_failure_of_ours() {
        let mut not_ours = recorded("drawbridge:answers_failed:ratio1m");
        not_ours.extend(
            lists()
                .into_iter()
                .filter(|(group, _, _)| group == "alerts-callers")
                .flat_map(|(_, _, codes)| codes),
        );
        assert_eq!(recorded("drawbridge:draws_failed:ratio1m"), not_ours);
        assert_eq!(recorded("drawbridge:reads_failed:ratio1m"), not_ours);
    }
}
