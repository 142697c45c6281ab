//! From rounds of measurements to the rows of `results.json`.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde::Serialize;

use crate::error::Error;
use crate::tally::Report;

/// What one drive gave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Driven {
    pub(crate) connections: u16,
    pub(crate) ok_per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

impl From<&Report> for Driven {
    fn from(report: &Report) -> Self {
        Self {
            connections: report.about.connections,
            ok_per_second: report.ok_per_second,
            p50_ms: report.p50_ms,
            p99_ms: report.p99_ms,
        }
    }
}

/// Rows per second into bare tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inserted {
    pub(crate) values: f64,
    pub(crate) json: f64,
}

impl Inserted {
    /// The limit of a draw is the better way to insert, whichever it is on this machine.
    fn best(self) -> f64 {
        if self.values > self.json { self.values } else { self.json }
    }
}

/// The gateway's part of a round; each list has one entry per number of connections.
#[derive(Clone, Debug)]
pub(crate) struct Gateway {
    pub(crate) draw: Vec<Driven>,
    pub(crate) account: Vec<Driven>,
}

/// Everything measured once, in minutes of the same weather.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub(crate) hello: Vec<Driven>,
    pub(crate) inserted: Inserted,
    pub(crate) gateway: Option<Gateway>,
}

/// A row of `results.json`; its fields are a contract with programs that read it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Row {
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

/// Makes the rows: means over rounds. A ratio is the mean of the rounds' own ratios: what slows the
/// machine down for a while then slows both of its sides.
pub(crate) fn rows(rounds: &[Round]) -> Vec<Row> {
    let hello: Vec<_> = rounds.iter().map(|r| &r.hello).collect();
    let mut rows: Vec<Row> = per_connections(&hello).map(|case| driven("hyper_hello", &case)).collect();
    rows.push(inserted("sqlite_insert_values", rounds.iter().map(|r| r.inserted.values)));
    rows.push(inserted("sqlite_insert_json", rounds.iter().map(|r| r.inserted.json)));

    let gateways: Vec<&Gateway> = rounds.iter().filter_map(|r| r.gateway.as_ref()).collect();
    if gateways.len() < rounds.len() {
        return rows;
    }
    let inserts: Vec<f64> = rounds.iter().map(|r| r.inserted.best()).collect();
    let draws: Vec<_> = gateways.iter().map(|g| &g.draw).collect();
    for (draw, hello) in per_connections(&draws).zip(per_connections(&hello)) {
        let row = driven("draw_embedded", &draw);
        rows.push(row.beside("hyper_hello", &rates(&draw), &rates(&hello)));
        let row = driven("draw_embedded", &draw);
        rows.push(row.beside("sqlite_insert", &rates(&draw), &inserts));
    }
    let accounts: Vec<_> = gateways.iter().map(|g| &g.account).collect();
    for (account, hello) in per_connections(&accounts).zip(per_connections(&hello)) {
        let row = driven("query_account_embedded", &account);
        rows.push(row.beside("hyper_hello", &rates(&account), &rates(&hello)));
    }
    rows
}

/// Turns rounds of cases into cases of rounds.
fn per_connections(rounds: &[&Vec<Driven>]) -> impl Iterator<Item = Vec<Driven>> {
    let cases = rounds.first().map_or(0, |round| round.len());
    (0..cases).map(|case| rounds.iter().map(|round| round[case]).collect())
}

fn rates(case: &[Driven]) -> Vec<f64> {
    case.iter().map(|driven| driven.ok_per_second).collect()
}

fn driven(name: &'static str, case: &[Driven]) -> Row {
    Row {
        value: round_to(mean(case.iter().map(|d| d.ok_per_second)), 1),
        p50_ms: Some(round_to(mean(case.iter().map(|d| d.p50_ms)), 3)),
        p99_ms: Some(round_to(mean(case.iter().map(|d| d.p99_ms)), 3)),
        connections: case.first().map(|d| d.connections),
        ..empty(name, "requests/s")
    }
}

fn inserted(name: &'static str, rates: impl Iterator<Item = f64>) -> Row {
    Row { value: round_to(mean(rates), 1), ..empty(name, "rows/s") }
}

fn empty(name: &'static str, unit: &'static str) -> Row {
    Row {
        name,
        value: 0.0,
        unit,
        limit: None,
        limit_value: None,
        ratio: None,
        p50_ms: None,
        p99_ms: None,
        connections: None,
    }
}

impl Row {
    fn beside(self, limit: &'static str, values: &[f64], limits: &[f64]) -> Self {
        let ratios = values.iter().zip(limits).map(|(value, limit)| value / limit);
        Self {
            limit: Some(limit),
            limit_value: Some(round_to(mean(limits.iter().copied()), 1)),
            ratio: Some(round_to(mean(ratios), 4)),
            ..self
        }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

fn round_to(value: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (value * scale).round() / scale
}

/// Writes the list to a new file and moves it into place: a reader never sees half of it.
pub(crate) fn write(path: &Path, rows: &[Row]) -> Result<(), Error> {
    let failed = |e| Error::io(path.display().to_string(), e);
    let text = serde_json::to_string_pretty(rows).map_err(|e| failed(e.into()))?;
    let fresh = path.with_extension("json.new");
    fs::write(&fresh, text + "\n").map_err(failed)?;
    fs::rename(&fresh, path).map_err(failed)
}

/// The same for people.
pub(crate) fn table(rows: &[Row]) -> String {
    let number = |value: Option<f64>, digits: usize| value.map_or("-".to_owned(), |v| format!("{v:.digits$}"));
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

    fn at(connections: u16, ok_per_second: f64) -> Driven {
        Driven { connections, ok_per_second, p50_ms: 1.0, p99_ms: 2.0 }
    }

    fn round(speed: f64) -> Round {
        Round {
            hello: vec![at(64, 100.0 * speed), at(512, 90.0 * speed)],
            inserted: Inserted { values: 50.0 * speed, json: 80.0 * speed },
            gateway: Some(Gateway {
                draw: vec![at(64, 40.0 * speed), at(512, 45.0 * speed)],
                account: vec![at(64, 60.0 * speed)],
            }),
        }
    }

    #[test]
    fn a_row_has_every_field_of_the_contract_and_nulls() {
        let rows = serde_json::to_value(rows(&[round(1.0)])).expect("JSON");
        assert_eq!(
            rows[2],
            json!({"name": "sqlite_insert_values", "value": 50.0, "unit": "rows/s", "limit": null,
                "limit_value": null, "ratio": null, "p50_ms": null, "p99_ms": null, "connections": null})
        );
        assert_eq!(
            rows[4],
            json!({"name": "draw_embedded", "value": 40.0, "unit": "requests/s", "limit": "hyper_hello",
                "limit_value": 100.0, "ratio": 0.4, "p50_ms": 1.0, "p99_ms": 2.0, "connections": 64})
        );
        assert_eq!(rows.as_array().map(Vec::len), Some(9));
    }

    #[test]
    fn draws_are_held_against_the_better_insert_and_the_same_connections() {
        let rows = rows(&[round(1.0)]);
        assert_eq!((rows[5].limit, rows[5].ratio), (Some("sqlite_insert"), Some(0.5)));
        assert_eq!((rows[6].connections, rows[6].ratio), (Some(512), Some(0.5)));
    }

    #[test]
    fn a_slow_round_changes_values_but_no_ratio() {
        let rows = rows(&[round(1.0), round(0.5)]);
        assert_eq!((rows[4].value, rows[4].limit_value), (30.0, Some(75.0)));
        assert_eq!(rows[4].ratio, Some(0.4));
    }

    #[test]
    fn without_a_gateway_there_are_the_limits() {
        let mut limits = round(1.0);
        limits.gateway = None;
        let rows = rows(&[limits]);
        assert_eq!(rows.len(), 4);
        assert_eq!(table(&rows).lines().count(), 5);
    }

    #[test]
    fn what_is_written_is_a_json_list() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("results.json");
        write(&path, &rows(&[round(1.0)])).expect("written");
        let text = fs::read_to_string(&path).expect("read");
        let list: Vec<serde_json::Value> = serde_json::from_str(&text).expect("a list");
        assert_eq!(list.len(), 9);
    }
}
