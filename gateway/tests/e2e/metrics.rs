//! Metrics: exactly those that are documented, and they count.
use std::collections::{BTreeMap, BTreeSet};

use crate::support::campaign::{DEMO_ACTIVITY, LOAD, LOAD_ACTIVITY};
use crate::support::{FOLLOWED, Place, Request, Server, eventually};

const METRICS: &str = include_str!("../../../docs/metrics.md");

/// The meaning of each metric in the document, without markup.
fn meanings() -> BTreeMap<String, String> {
    let plain = |cell: &str| {
        // Of a link its words stay.
        let parts = cell.replace('`', "");
        let parts = parts.split("](").enumerate();
        let text = parts.map(|(place, part)| {
            if place == 0 {
                part
            } else {
                part.split_once(')').map_or("", |(_, rest)| rest)
            }
        });
        text.collect::<String>().replace('[', "")
    };
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let name = cells
            .get(1)?
            .strip_prefix("`drawbridge_")?
            .strip_suffix('`')?;
        Some((format!("drawbridge_{name}"), plain(cells[4])))
    };
    METRICS.lines().filter_map(row).collect()
}

/// What a scrape says of each metric is how the table begins to explain it.
#[track_caller]
pub fn helps_are_documented(text: &str) {
    let meanings = meanings();
    let helps = text
        .lines()
        .filter_map(|line| line.strip_prefix("# HELP ")?.split_once(' '));
    for (name, help) in helps {
        let meaning = meanings
            .get(name)
            .unwrap_or_else(|| panic!("{name} is not in docs/metrics.md"));
        let lower = |text: &str| {
            text.chars()
                .next()
                .map(|first| first.to_lowercase().to_string() + &text[first.len_utf8()..])
        };
        let (help, meaning) = (
            lower(help).unwrap_or_default(),
            lower(meaning).unwrap_or_default(),
        );
        assert!(
            meaning.starts_with(&help),
            "{name}: {help:?} is documented as {meaning:?}"
        );
    }
}

/// Kind and labels by name.
type Metrics = BTreeMap<String, (String, BTreeSet<String>)>;

/// Words in backticks, but not those that stand in brackets: these are values.
fn quoted(cell: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    let mut depth = 0;
    for (place, part) in cell.split('`').enumerate() {
        if place % 2 == 1 {
            if depth == 0 {
                words.insert(part.to_owned());
            }
        } else {
            depth += part.matches('(').count();
            depth -= part.matches(')').count();
        }
    }
    words
}

fn documented() -> Metrics {
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let name = cells
            .get(1)?
            .strip_prefix('`')?
            .strip_suffix('`')?
            .to_owned();
        Some((name, (cells[2].to_owned(), quoted(cells[3]))))
    };
    // The embedded default has no jobs.
    let (here, _) = METRICS
        .split_once("## Clusters only")
        .expect("the part about clusters");
    here.lines().filter_map(row).collect()
}

fn exposed(text: &str) -> Metrics {
    let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let kinds = kinds.map(|line| line.split_once(' ').expect("a name and a kind"));
    let mut metrics: Metrics = kinds
        .map(|(name, kind)| (name.to_owned(), (kind.to_owned(), BTreeSet::new())))
        .collect();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, rest)) = line.split_once('{') else {
            continue;
        };
        let (labels, _) = rest.rsplit_once('}').expect("the labels' end");
        let labels = labels
            .split("\",")
            .map(|label| label.split('=').next().expect("a name").to_owned());
        let of = |suffix: &str| metrics.contains_key(name.strip_suffix(suffix).unwrap_or_default());
        let suffix = ["_bucket", "_sum", "_count"]
            .into_iter()
            .find(|suffix| of(suffix))
            .unwrap_or_default();
        let base = name.strip_suffix(suffix).expect("the name's end");
        let (_, known) = metrics.get_mut(base).expect("a type line comes before");
        known.extend(labels.filter(|label| label != "le"));
    }
    metrics
}

#[tokio::test]
async fn the_metrics_are_exactly_the_documented_ones() {
    let place = Place::new();
    let server = Server::start(&place).await;
    server
        .ask(&Request::draw("u", DEMO_ACTIVITY, "k"))
        .await
        .expect(200, "0000");
    let documented = documented();
    assert!(documented.len() >= 8, "{documented:?}");
    // The view of the stock is brought up to date from time to time.
    let reported = eventually("the stock's metric", FOLLOWED, async || {
        let response = server.ask_admin("GET", "/metrics").await;
        assert!(
            response
                .header("Content-Type")
                .is_some_and(|kind| kind.starts_with("text/plain"))
        );
        Some(response.text()).filter(|reported| reported.contains("drawbridge_stock_left_units"))
    });
    let text = reported.await;
    helps_are_documented(&text);
    let reported: Metrics = exposed(&text)
        .into_iter()
        .filter(|(name, _)| name.starts_with("drawbridge_"))
        .collect();
    assert_eq!(reported, documented);
}

#[tokio::test]
async fn answers_are_counted_by_endpoint_and_code() {
    let place = Place::new();
    let server = Server::start(&place).await;
    for key in ["a", "b", "b"] {
        server
            .ask(&Request::draw("u", DEMO_ACTIVITY, key))
            .await
            .expect(200, "0000");
    }
    server
        .ask(&Request::draw("u", 7, "c"))
        .await
        .expect(404, "ERR_REQ_001");
    server
        .ask(&Request::account("u", DEMO_ACTIVITY))
        .await
        .expect(200, "0000");
    let left = server.data(&Request::record("u", "requestId", "a")).await;
    assert_eq!(left["activityId"], DEMO_ACTIVITY);
    let reported = server.ask_admin("GET", "/metrics").await.text();
    for line in [
        "drawbridge_http_requests_total{code=\"0000\",endpoint=\"draw\"} 3",
        "drawbridge_http_requests_total{code=\"ERR_REQ_001\",endpoint=\"draw\"} 1",
        "drawbridge_http_requests_total{code=\"0000\",endpoint=\"account\"} 1",
        "drawbridge_http_request_seconds_count{endpoint=\"draw\"} 4",
        "drawbridge_http_in_flight_requests 0",
    ] {
        assert!(
            reported.lines().any(|found| found == line),
            "{line} is missing in:\n{reported}"
        );
    }
}

#[tokio::test]
async fn what_is_called_commands_counts_calls_and_what_is_called_draws_counts_draws() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    server
        .ask(&Request::draws("u", LOAD_ACTIVITY, "k", 5))
        .await
        .expect(200, "0000");
    let lane = async |name: &str| {
        let text = server.ask_admin("GET", "/metrics").await.text();
        let of = |line: &&str| line.starts_with(&format!("drawbridge_lane_{name}{{"));
        text.lines()
            .filter(of)
            .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
            .sum::<u64>()
    };
    for name in [
        "admitted_commands_total",
        "taken_commands_total",
        "ended_commands_total",
    ] {
        assert_eq!(lane(name).await, 1, "{name}");
    }
    assert_eq!(
        (lane("batch_draws_sum").await, lane("orders_total").await),
        (5, 5)
    );
    assert_eq!(server.metric("drawbridge_commands_received_total").await, 1);
    let text = server.ask_admin("GET", "/metrics").await.text();
    for (name, help) in text
        .lines()
        .filter_map(|line| line.strip_prefix("# HELP drawbridge_")?.split_once(' '))
    {
        for (noun, other) in [("commands", "Draws"), ("draws", "Commands")] {
            assert!(
                !name.contains(noun) || !help.starts_with(other),
                "{name}: {help}"
            );
        }
    }
}
