//! A measured line, and the table of them.

use std::fmt::Write as _;

use serde::Serialize;

use crate::bench::driving::Driven;
use crate::bench::growth::step::{GrowthStep, Setting};
use crate::cpu::Usage;
use crate::rounding::round_to;

/// Prizes of `load.toml`.
const USUAL_PRIZES: u16 = 9;

/// A row of `growth.json`.
#[derive(Clone, Debug, Serialize)]
pub(super) struct GrowthLine {
    step: String,
    shards: u16,
    prizes: u16,
    /// Accounts that existed before the draws.
    accounts: u64,
    connections: u16,
    draws_per_second: f64,
    /// The share of requests that a full queue refused.
    refused_share: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// Rows per second into the same databases.
    mysql_insert: f64,
    ratio: f64,
    cpu: Usage,
}

impl GrowthLine {
    pub(super) fn new(step: GrowthStep, driven: &Driven, mysql_insert: f64) -> Self {
        let Setting {
            shards,
            prizes,
            accounts,
            connections,
        } = step.setting();
        let (draws, latency) = (driven.report.ok_per_second, driven.latency());
        Self {
            step: step.to_string(),
            shards,
            prizes: prizes.unwrap_or(USUAL_PRIZES),
            accounts: accounts.unwrap_or(0),
            connections,
            draws_per_second: round_to(draws, 1),
            refused_share: round_to(driven.refused_share(), 4),
            p50_ms: round_to(latency.p50_ms, 3),
            p99_ms: round_to(latency.p99_ms, 3),
            mysql_insert: round_to(mysql_insert, 1),
            ratio: round_to(draws / mysql_insert, 4),
            cpu: driven.usage.clone(),
        }
    }
}

/// A table in Markdown.
pub(super) fn table(lines: &[GrowthLine]) -> String {
    let mut text = String::from(
        "| shards | prizes | accounts before | connections | draws/s | refused | p50 ms | p99 ms | mysql_insert draws/s | ratio \
         | us of processor time a draw: gateway | databases | Redis |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for line in lines {
        let us = |name| {
            line.cpu
                .us_of(name)
                .map_or("-".to_owned(), |us| format!("{us:.0}"))
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {:.0} | {:.1} % | {:.1} | {:.1} | {:.0} | {:.2} | {} | {} | {} |",
            line.shards,
            line.prizes,
            line.accounts,
            line.connections,
            line.draws_per_second,
            line.refused_share * 100.0,
            line.p50_ms,
            line.p99_ms,
            line.mysql_insert,
            line.ratio,
            us("gateway"),
            us("databases"),
            us("redis"),
        );
    }
    text
}
