//! `drawbridge jobs`: the periodic jobs of the gateway that is asked, and who runs each.
use std::fmt::Write;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::run_command::RunCommand;
use super::server::{ReadOptions, text};

/// Of which gateway, and how to print them.
#[derive(Debug, Args)]
pub struct JobsOptions {
    #[command(flatten)]
    read: ReadOptions,
}

impl RunCommand for JobsOptions {
    fn run(&self) -> ExitCode {
        self.read.show_list("/admin/jobs", "jobs", show)
    }
}

fn show(answer: &Value) -> String {
    let jobs = answer["jobs"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let head = [
        "job",
        "every",
        "holder",
        "last run",
        "last success",
        "took",
        "outcome",
        "backlog",
    ];
    let mut lines = String::new();
    row(&mut lines, &head.map(str::to_owned));
    for job in jobs {
        row(&mut lines, &columns(job));
        if !job["why"].is_null() {
            let _ = writeln!(lines, "  {}", text(job, "why"));
        }
    }
    lines
}

fn columns(job: &Value) -> [String; 8] {
    [
        text(job, "job"),
        format!("{} ms", text(job, "everyMs")),
        or_dash(text(job, "holder")),
        or_dash(moment(job, "lastRunAt")),
        or_dash(moment(job, "lastSuccessAt")),
        or_dash(match text(job, "tookMs") {
            took if took.is_empty() => took,
            took => format!("{took} ms"),
        }),
        or_dash(text(job, "outcome")),
        or_dash(text(job, "backlog")),
    ]
}

/// A time to the second.
fn moment(job: &Value, field: &str) -> String {
    let at = text(job, field);
    match at.parse::<jiff::Timestamp>() {
        Ok(at) => format!("{at:.0}"),
        Err(_) => at,
    }
}

/// What is not known here shows as a dash: another gateway runs the job, or none does.
fn or_dash(text: String) -> String {
    if text.is_empty() {
        "-".to_owned()
    } else {
        text
    }
}

fn row(lines: &mut String, columns: &[String; 8]) {
    let [
        job,
        every,
        holder,
        last_run,
        last_success,
        took,
        outcome,
        backlog,
    ] = columns;
    let line = format!(
        "{job:<12}  {every:>8}  {holder:<24}  {last_run:<20}  {last_success:<20}  {took:>8}  {outcome:<7}  {backlog}"
    );
    let _ = writeln!(lines, "{}", line.trim_end());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_that_another_gateway_runs_shows_its_holder_alone() {
        let answer = json!({"jobs": [
            {"job": "disk", "everyMs": 500, "holder": "g0", "here": true, "lastRunAt": "2026-11-30T06:00:00.25Z",
             "lastSuccessAt": "2026-11-30T06:00:00.25Z", "tookMs": 0, "outcome": "ok", "why": null, "backlog": 3},
            {"job": "stock-1", "everyMs": 500, "holder": "g1", "here": false, "lastRunAt": null,
             "lastSuccessAt": null, "tookMs": null, "outcome": null, "why": null, "backlog": null},
        ]});
        let shown = show(&answer);
        let words = |line: usize| -> Vec<&str> {
            shown
                .lines()
                .nth(line)
                .expect("a line")
                .split_whitespace()
                .collect()
        };
        assert_eq!(
            words(1),
            [
                "disk",
                "500",
                "ms",
                "g0",
                "2026-11-30T06:00:00Z",
                "2026-11-30T06:00:00Z",
                "0",
                "ms",
                "ok",
                "3"
            ]
        );
        assert_eq!(
            words(2),
            ["stock-1", "500", "ms", "g1", "-", "-", "-", "-", "-"]
        );
    }
}
