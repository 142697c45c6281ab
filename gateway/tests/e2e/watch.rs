//! What watches over gateways: the shipped configuration, rules and dashboards, held against a
//! real Prometheus that scrapes a real cluster.
mod prometheus;
mod shipped;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use self::prometheus::Prometheus;
use self::shipped::{ALERT_TESTS, Dashboard, METRICS, OPERATIONS, anchors, deploy, metric_names};
use crate::metrics::helps_are_documented;
use crate::support::campaign::{SCARCE_AWARD, scarce};
use crate::support::{Cluster, Request, ask_all, eventually, run};

const ACTIVITY: u64 = 200_003;
const UNITS: u64 = 5_000;

/// Scraped five times a second, everything is there long before; but the machine may be busy.
const SEEN: Duration = Duration::from_mins(1);

/// Panels that are rightly empty while all is well, and why. What they ask for is there.
const EMPTY_WHEN_WELL: [(&str, &str); 1] = [
    // Background jobs of a healthy cluster do not fail.
    ("drawbridge-jobs", "Rounds that do not"),
];

async fn promtool(words: &[&str]) -> String {
    let mut command = std::process::Command::new("promtool");
    command.args(words).current_dir(deploy("prometheus"));
    run(command).await.ok()
}

#[tokio::test]
async fn prometheus_takes_the_configuration_and_the_rules() {
    promtool(&["check", "config", "prometheus.yml"]).await;
    promtool(&[
        "check",
        "rules",
        "rules/recording.yml",
        "rules/alerts.yml",
        "rules/nginx.yml",
    ])
    .await;
}

#[tokio::test]
async fn every_alert_fires_when_it_should_and_not_when_it_should_not() {
    promtool(&[
        "test",
        "rules",
        "tests/alerts.test.yml",
        "tests/nginx.test.yml",
        "tests/players.test.yml",
    ])
    .await;
}

#[test]
fn dashboards_say_what_they_show() {
    let dashboards = Dashboard::all();
    let uids: BTreeSet<&str> = dashboards
        .iter()
        .map(|dashboard| dashboard.text("uid"))
        .collect();
    let topics =
        ["chain", "edge", "jobs", "lanes", "stock"].map(|topic| format!("drawbridge-{topic}"));
    assert_eq!(uids, topics.iter().map(String::as_str).collect());
    let datasource =
        std::fs::read_to_string(deploy("grafana/provisioning/datasources/drawbridge.yml"));
    let datasource = datasource.expect("a datasource");
    for dashboard in &dashboards {
        let name = dashboard.text("uid");
        let mut places = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for panel in dashboard.panels() {
            let title = panel["title"].as_str().expect("a title");
            let here = format!("{name}: {title}");
            assert!(
                panel["description"]
                    .as_str()
                    .is_some_and(|text| text.len() > 20),
                "{here} says how to read it"
            );
            assert!(
                panel["fieldConfig"]["defaults"]["unit"].is_string(),
                "{here} has a unit"
            );
            assert!(
                ids.insert(panel["id"].as_u64().expect("an id")),
                "{here} has an id of its own"
            );
            let place = &panel["gridPos"];
            let [x, y, w, h] =
                ["x", "y", "w", "h"].map(|name| place[name].as_u64().expect("a place"));
            assert!(x + w <= 24, "{here} is wider than the page");
            for (column, row) in
                (x..x + w).flat_map(|column| (y..y + h).map(move |row| (column, row)))
            {
                assert!(
                    places.insert((column, row)),
                    "{here} lies over another panel"
                );
            }
            let source = panel["datasource"]["uid"].as_str().expect("a datasource");
            assert!(
                datasource.contains(&format!("uid: {source}\n")),
                "{here} asks {source}"
            );
        }
    }
}

/// Prometheus beside a cluster in which something of everything has happened.
struct Watched {
    cluster: Cluster,
    prometheus: Prometheus,
}

impl Watched {
    async fn start() -> Self {
        let cluster = Cluster::start()
            .await
            .with_campaigns(&[(ACTIVITY, scarce(ACTIVITY, UNITS))])
            .await;
        let admins = cluster
            .gateway_names()
            .iter()
            .map(|name| cluster.admin(name))
            .collect::<Vec<_>>();
        let watched = Self {
            cluster,
            prometheus: Prometheus::start(&admins).await,
        };
        watched
            .has(
                "drawbridge_lane_orders_total == 0",
                "a scrape before the first draw",
            )
            .await;
        watched
    }

    /// Waits until a query finds something.
    async fn has(&self, query: &str, what: &str) {
        eventually(&format!("{what}: {query}"), SEEN, async || {
            self.prometheus.finds(query).await.then_some(())
        })
        .await;
    }

    /// The same while people draw and read: a rate over the last minute finds nothing when the
    /// latest call was earlier, as it may be on a busy machine.
    async fn has_while_people_call(&self, query: &str, what: &str) {
        eventually(&format!("{what}: {query}"), SEEN, async || {
            if self.prometheus.finds(query).await {
                return Some(());
            }
            self.draw("meanwhile").await;
            self.read().await;
            None
        })
        .await;
    }

    async fn read(&self) {
        let users = self.cluster.users_of_lanes(1);
        let reads = users
            .iter()
            .map(|user| Request::account(user, ACTIVITY))
            .collect();
        let answers = ask_all(self.cluster.gateways()[0], reads, 8).await;
        assert!(answers.iter().all(|answer| answer.code == "0000"));
    }

    async fn draw(&self, round: &str) -> Vec<String> {
        let users = self.cluster.users_of_lanes(5);
        let mut codes = Vec::new();
        for gateway in self.cluster.gateways() {
            let draws = users
                .iter()
                .map(|user| Request::draw(user, ACTIVITY, &format!("{round}@{gateway}")))
                .collect();
            codes.extend(
                ask_all(gateway, draws, 8)
                    .await
                    .into_iter()
                    .map(|answer| answer.code),
            );
        }
        codes
    }

    async fn tell(&self, gateway: &str, path: &str, mut what: Value) {
        what["who"] = "alice".into();
        what["reason"] = "the test wants it".into();
        let request = Request::raw("POST", path).with_body(what.to_string());
        let response = self.cluster.ask_admin(gateway, request).await;
        assert_eq!(response.status, 200, "{}", response.text());
    }

    /// Draws, reads, refusals, a switch, a breaker and a Redis that has forgotten everything.
    async fn live(&self) {
        assert!(self.draw("first").await.iter().all(|code| code == "0000"));
        self.read().await;
        let switch = |value: &str| json!({"name": "draw", "value": value, "activity": ACTIVITY});
        self.tell("gateway-0", "/admin/switches", switch("off"))
            .await;
        assert!(self.draw("switched-off").await.contains(&"0004".to_owned()));
        self.tell("gateway-0", "/admin/switches", switch("on"))
            .await;
        let breaker = |mode: &str| json!({"name": "shard-1", "mode": mode});
        self.tell("gateway-0", "/admin/breakers", breaker("forced_open"))
            .await;
        self.has(
            "ALERTS{alertname=\"DrawbridgeShardBreakerOpen\", breaker=\"shard-1\"}",
            "an alert wakes up",
        )
        .await;
        self.has(
            "ALERTS{alertname=\"DrawbridgeSwitchActs\", switch=\"draw\", alertstate=\"firing\"}",
            "an alert",
        )
        .await;
        assert!(self.draw("no-shard-1").await.contains(&"0006".to_owned()));
        self.tell("gateway-0", "/admin/breakers", breaker("automatic"))
            .await;
        self.cluster.redis(&["FLUSHALL"]).await;
        self.has(
            "drawbridge_stock_rebuilds_total",
            "the stock was counted again",
        )
        .await;
        let mut round = 0;
        eventually("all draw again", SEEN, async || {
            round += 1;
            self.draw(&round.to_string())
                .await
                .iter()
                .all(|code| code == "0000")
                .then_some(())
        })
        .await;
    }

    async fn every_metric_of(&self, expression: &str) {
        for name in metric_names(expression) {
            self.has(&format!("count({name})"), expression).await;
        }
    }
}

fn text(rule: &Value, name: &str) -> String {
    rule[name].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn every_panel_and_every_rule_finds_what_it_asks_for() {
    let watched = Watched::start().await;
    watched.live().await;
    let units = watched.cluster.units(ACTIVITY, SCARCE_AWARD).await;
    assert!(units.issued > 0 && units.left > 0, "{units:?}");
    helps_are_documented(
        &watched
            .cluster
            .ask_admin("gateway-0", Request::raw("GET", "/metrics"))
            .await
            .text(),
    );
    let rules = watched.prometheus.rules().await;
    let dashboards = Dashboard::all();
    rules_find_something(&watched, &rules).await;
    panels_find_something(&watched, &dashboards).await;
    alerts_have_a_chapter_and_tests(&rules);
    metrics_are_documented(&rules, &dashboards);
}

async fn rules_find_something(watched: &Watched, rules: &[Value]) {
    let (alerts, recorded): (Vec<_>, Vec<_>) =
        rules.iter().partition(|rule| rule["type"] == "alerting");
    assert!(recorded.len() > 10 && alerts.len() > 15, "{rules:?}");
    for rule in recorded {
        watched
            .has_while_people_call(&text(rule, "query"), &text(rule, "name"))
            .await;
        watched
            .has_while_people_call(&text(rule, "name"), "what was recorded")
            .await;
    }
    // Alerts are silent while all is well; but what they look at is there.
    for rule in alerts {
        watched.prometheus.ask(&text(rule, "query")).await;
        watched.every_metric_of(&text(rule, "query")).await;
    }
    for rule in watched.prometheus.rules().await {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
}

async fn panels_find_something(watched: &Watched, dashboards: &[Dashboard]) {
    let mut empty: BTreeSet<(&str, &str)> = EMPTY_WHEN_WELL.into();
    for dashboard in dashboards {
        let name = dashboard.text("uid");
        for panel in dashboard.panels() {
            let title = panel["title"].as_str().expect("a title");
            let may_be_empty = empty.remove(&(name, title));
            for query in dashboard.queries(panel) {
                if may_be_empty {
                    watched.prometheus.ask(&query).await;
                    watched.every_metric_of(&query).await;
                } else {
                    watched
                        .has_while_people_call(&query, &format!("{name}: {title}"))
                        .await;
                }
            }
        }
        for query in dashboard.variables() {
            watched.has(&query, &format!("{name}: a variable")).await;
        }
    }
    assert!(empty.is_empty(), "no such panels: {empty:?}");
}

/// Each alert has a chapter that says what to do, and a test.
fn alerts_have_a_chapter_and_tests(rules: &[Value]) {
    let anchors = anchors(OPERATIONS);
    for rule in rules.iter().filter(|rule| rule["type"] == "alerting") {
        let name = text(rule, "name");
        let (labels, notes) = (&rule["labels"], &rule["annotations"]);
        assert!(
            ["critical", "warning", "info"]
                .iter()
                .any(|known| labels["severity"] == *known),
            "{rule}"
        );
        assert!(
            notes["summary"]
                .as_str()
                .is_some_and(|summary| summary.len() > 10),
            "{rule}"
        );
        let anchor = notes["runbook"]
            .as_str()
            .and_then(|link| link.strip_prefix("docs/operations.md#"));
        let anchor = anchor.unwrap_or_else(|| panic!("{name} has no chapter"));
        assert!(
            anchors.contains(anchor),
            "{name}: there is no #{anchor} in docs/operations.md"
        );
        assert_eq!(
            anchor,
            name.to_lowercase(),
            "{name} has another alert's chapter"
        );
        assert!(
            ALERT_TESTS.contains(&format!("alertname: {name}\n")),
            "no test has {name} fire"
        );
        assert!(
            ALERT_TESTS.contains(&format!("alertname: {name}, exp_alerts: []")),
            "no test has {name} silent"
        );
    }
}

fn metrics_are_documented(rules: &[Value], dashboards: &[Dashboard]) {
    let documented = metric_names(METRICS);
    let recorded = rules.iter().filter(|rule| rule["type"] == "recording");
    let recorded: BTreeSet<String> = recorded.map(|rule| text(rule, "name")).collect();
    let mut expressions: Vec<String> = rules.iter().map(|rule| text(rule, "query")).collect();
    for dashboard in dashboards {
        expressions.extend(
            dashboard
                .panels()
                .iter()
                .flat_map(|panel| dashboard.queries(panel)),
        );
    }
    for name in expressions
        .iter()
        .flat_map(|expression| metric_names(expression))
    {
        let of_histogram = ["_bucket", "_sum", "_count"]
            .iter()
            .filter_map(|suffix| name.strip_suffix(suffix));
        let known = of_histogram
            .chain([&*name])
            .any(|name| documented.contains(name));
        assert!(
            known || recorded.contains(&name) || name == "up",
            "{name} is not in docs/metrics.md"
        );
    }
}
