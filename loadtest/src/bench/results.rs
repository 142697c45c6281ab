//! The rows of `results.json`, from the rounds of measurements.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::error::Error;
use crate::rounding::round_to;

/// The limits of each case. A limit that was measured with several numbers of connections is taken
/// with that of the case.
const LIMITS: [(&str, &[&str]); 9] = [
    ("refuse_limit", &["hyper_hello"]),
    ("refuse_switch", &["hyper_hello"]),
    ("refuse_breaker", &["hyper_hello"]),
    ("draw_embedded", &["hyper_hello", "sqlite_insert"]),
    ("draw_embedded_ten", &["hyper_hello", "sqlite_insert"]),
    ("query_account_embedded", &["hyper_hello"]),
    ("draw_cluster", &["hyper_hello", "mysql_insert"]),
    ("draw_cluster_half", &["draw_cluster"]),
    ("draw_cluster_ten", &["hyper_hello", "mysql_insert"]),
];

/// One case, measured once. A round is a list of them, measured within minutes.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) value: f64,
    pub(super) latency: Option<Latency>,
    pub(super) connections: Option<u16>,
}

/// How long requests took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Latency {
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
}

/// A row of `results.json`; its fields are a contract with programs that read it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Row {
    name: &'static str,
    value: f64,
    unit: &'static str,
    limit: Option<&'static str>,
    limit_value: Option<f64>,
    ratio: Option<f64>,
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
    connections: Option<u16>,
}

/// Makes the rows: means over rounds, in the order of the first round. A case has a row for each of
/// its limits.
pub(super) fn rows(rounds: &[Vec<Figure>]) -> Vec<Row> {
    let mut rows = Vec::new();
    for figure in rounds.first().into_iter().flatten() {
        let case = find(rounds, figure.name, figure.connections);
        let names = LIMITS
            .iter()
            .find(|(name, _)| *name == figure.name)
            .map_or(&[][..], |(_, limits)| limits);
        let before = rows.len();
        for name in names {
            let limit = find(rounds, name, figure.connections);
            if limit.len() == case.len() {
                rows.push(row(&case).beside(name, &case, &limit));
            }
        }
        if rows.len() == before {
            rows.push(row(&case));
        }
    }
    rows
}

/// A case in each of the rounds.
fn find<'a>(rounds: &'a [Vec<Figure>], name: &str, connections: Option<u16>) -> Vec<&'a Figure> {
    let is_it = |figure: &&Figure| {
        figure.name == name && (figure.connections.is_none() || figure.connections == connections)
    };
    rounds
        .iter()
        .filter_map(|round| round.iter().find(is_it))
        .collect()
}

fn row(case: &[&Figure]) -> Row {
    let first = case[0];
    let latency = |of: fn(&Latency) -> f64| {
        first.latency.map(|_| {
            round_to(
                mean(
                    case.iter()
                        .filter_map(|figure| figure.latency.as_ref())
                        .map(of),
                ),
                3,
            )
        })
    };
    Row {
        name: first.name,
        value: round_to(mean(case.iter().map(|figure| figure.value)), 1),
        unit: first.unit,
        limit: None,
        limit_value: None,
        ratio: None,
        p50_ms: latency(|l| l.p50_ms),
        p99_ms: latency(|l| l.p99_ms),
        connections: first.connections,
    }
}

impl Row {
    /// The ratio is the mean of the rounds' own ratios: a machine that is slow for a while is slow
    /// for both sides of them.
    fn beside(self, name: &'static str, case: &[&Figure], limit: &[&Figure]) -> Self {
        let ratios = case
            .iter()
            .zip(limit)
            .map(|(case, limit)| case.value / limit.value);
        Self {
            limit: Some(name),
            limit_value: Some(round_to(mean(limit.iter().map(|figure| figure.value)), 1)),
            ratio: Some(round_to(mean(ratios), 4)),
            ..self
        }
    }
}

pub(super) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

/// Writes the results to a new file and renames it, so that a reader never sees a part of it.
pub(super) fn write(path: &Path, results: &impl Serialize) -> Result<(), Error> {
    let failed = |e| Error::io(path.display().to_string(), e);
    let text = serde_json::to_string_pretty(results).map_err(|e| failed(e.into()))?;
    let fresh = path.with_extension("json.new");
    fs::write(&fresh, text + "\n").map_err(failed)?;
    fs::rename(&fresh, path).map_err(failed)
}

/// The rows as a table for people.
pub(super) fn table(rows: &[Row]) -> String {
    let number = |value: Option<f64>, digits: usize| {
        value.map_or("-".to_owned(), |v| format!("{v:.digits$}"))
    };
    let mut text = format!(
        "{:<24}{:>6}{:>11}  {:<11}{:>9}{:>10}  {:<14}{:>11}{:>8}\n",
        "name", "conns", "value", "unit", "p50 ms", "p99 ms", "limit", "limit value", "ratio"
    );
    for row in rows {
        let conns = row.connections.map_or("-".to_owned(), |c| c.to_string());
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:<24}{:>6}{:>11.0}  {:<11}{:>9}{:>10}  {:<14}{:>11}{:>8}",
            row.name,
            conns,
            row.value,
            row.unit,
            number(row.p50_ms, 3),
            number(row.p99_ms, 3),
            row.limit.unwrap_or("-"),
            number(row.limit_value, 0),
            number(row.ratio, 3),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn driven(name: &'static str, connections: u16, value: f64) -> Figure {
        let latency = Some(Latency {
            p50_ms: 1.0,
            p99_ms: 2.0,
        });
        Figure {
            name,
            unit: "requests/s",
            value,
            latency,
            connections: Some(connections),
        }
    }

    fn inserted(name: &'static str, value: f64) -> Figure {
        Figure {
            name,
            unit: "draws/s",
            value,
            latency: None,
            connections: None,
        }
    }

    fn round(speed: f64) -> Vec<Figure> {
        vec![
            driven("hyper_hello", 64, 100.0 * speed),
            driven("hyper_hello", 512, 90.0 * speed),
            inserted("mysql_insert", 80.0 * speed),
            inserted("mysql_insert_values", 50.0 * speed),
            driven("draw_cluster", 64, 40.0 * speed),
            driven("draw_cluster", 512, 45.0 * speed),
        ]
    }

    #[test]
    fn a_row_has_every_field_of_the_contract_and_nulls() {
        let rows = serde_json::to_value(rows(&[round(1.0)])).expect("JSON");
        assert_eq!(
            rows[3],
            json!({"name": "mysql_insert_values", "value": 50.0, "unit": "draws/s", "limit": null,
                "limit_value": null, "ratio": null, "p50_ms": null, "p99_ms": null, "connections": null})
        );
        assert_eq!(
            rows[4],
            json!({"name": "draw_cluster", "value": 40.0, "unit": "requests/s", "limit": "hyper_hello",
                "limit_value": 100.0, "ratio": 0.4, "p50_ms": 1.0, "p99_ms": 2.0, "connections": 64})
        );
        assert_eq!(rows.as_array().map(Vec::len), Some(8));
    }

    #[test]
    fn a_case_is_held_against_each_limit_at_its_own_connections() {
        let rows = rows(&[round(1.0)]);
        assert_eq!(
            (rows[5].limit, rows[5].ratio),
            (Some("mysql_insert"), Some(0.5))
        );
        assert_eq!(
            (rows[6].connections, rows[6].limit, rows[6].ratio),
            (Some(512), Some("hyper_hello"), Some(0.5))
        );
    }

    #[test]
    fn a_slow_round_in_another_order_changes_values_but_no_ratio() {
        let mut slow = round(0.5);
        slow.reverse();
        let rows = rows(&[round(1.0), slow]);
        assert_eq!((rows[4].value, rows[4].limit_value), (30.0, Some(75.0)));
        assert_eq!(rows[4].ratio, Some(0.4));
    }

    #[test]
    fn half_of_the_maximum_is_held_against_the_maximum() {
        let mut round = round(1.0);
        round.push(driven("draw_cluster_half", 512, 22.5));
        let rows = rows(&[round]);
        let half = rows.last().expect("a row");
        assert_eq!(
            (half.limit, half.limit_value, half.ratio),
            (Some("draw_cluster"), Some(45.0), Some(0.5))
        );
    }

    #[test]
    fn a_case_without_its_limit_stands_alone() {
        let rows = rows(&[vec![driven("draw_cluster", 1, 5.0)]]);
        assert_eq!((rows.len(), rows[0].limit), (1, None));
        assert_eq!(table(&rows).lines().count(), 2);
    }

    #[test]
    fn what_is_written_is_a_json_list() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("results.json");
        write(&path, &rows(&[round(1.0)])).expect("written");
        let text = fs::read_to_string(&path).expect("read");
        let list: Vec<serde_json::Value> = serde_json::from_str(&text).expect("a list");
        assert_eq!(list.len(), 8);
    }
}
