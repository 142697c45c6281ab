//! `/admin/jobs`: the periodic jobs, as this gateway knows them.
//!
//! Rounds are those of this gateway: of a job that another one runs only the holder is known here.
use serde::Serialize;
use shards::JobStatus;
use shards::meta::Gateway;

use crate::admin::call::AdminCall;
use crate::admin::respond::json;
use crate::admin::state::Admin;
use crate::edge::HttpResponse;
use hyper::StatusCode;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    job: &'a str,
    every_ms: u64,
    holder: Option<String>,
    here: bool,
    last_run_at: Option<String>,
    last_success_at: Option<String>,
    took_ms: Option<u64>,
    outcome: Option<&'static str>,
    why: Option<&'a str>,
    backlog: Option<u64>,
}

#[derive(Serialize)]
struct List<'a> {
    jobs: Vec<Shown<'a>>,
}

impl Admin {
    pub(super) async fn list_jobs(&self, _: AdminCall) -> HttpResponse {
        // Without the list of gateways their processes are named instead.
        let gateways = self.shards.gateways().await.unwrap_or_default();
        json(StatusCode::OK, list(&self.shards.jobs(), &gateways))
    }
}

fn list(jobs: &[JobStatus], gateways: &[Gateway]) -> String {
    let jobs = jobs.iter().map(|job| shown(job, gateways)).collect();
    serde_json::to_string(&List { jobs }).expect("plain values")
}

fn shown<'a>(status: &'a JobStatus, gateways: &[Gateway]) -> Shown<'a> {
    let last = status.last_round.as_ref();
    let holder = status.holder.as_deref();
    Shown {
        job: &status.job,
        every_ms: millis(status.every),
        holder: holder.map(|holder| name_of(holder, gateways)),
        here: status.here,
        last_run_at: last.map(|round| round.began_at.to_string()),
        last_success_at: status.last_success_at.map(|at| at.to_string()),
        took_ms: last.map(|round| millis(round.took)),
        outcome: last.map(|round| round.outcome.name()),
        why: last.and_then(|round| round.why.as_deref()),
        backlog: last.and_then(|round| round.backlog),
    }
}

fn millis(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The gateway whose process holds a job (`PROCESS_ID-INSTANCE`), or that process itself.
fn name_of(holder: &str, gateways: &[Gateway]) -> String {
    let is_holder = |gateway: &&Gateway| {
        let process = holder.strip_suffix(&gateway.report.instance);
        process.is_some_and(|process| process.ends_with('-'))
    };
    match gateways.iter().find(is_holder) {
        Some(gateway) => gateway.report.name.clone(),
        None => holder.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;
    use serde_json::{Value, json};
    use shards::meta::GatewayReport;
    use shards::{LastRound, RoundOutcome};

    use super::*;

    fn gateway(name: &str, instance: &str) -> Gateway {
        let report = GatewayReport {
            name: name.to_owned(),
            instance: instance.to_owned(),
            admin: String::new(),
            version: String::new(),
            revision: 0,
            config_hash: String::new(),
            overrides: "[]".to_owned(),
            failures: "[]".to_owned(),
            out_because: String::new(),
            started_at: Timestamp::UNIX_EPOCH,
        };
        Gateway {
            report,
            age: Duration::ZERO,
        }
    }

    fn status(job: &str, holder: Option<&str>) -> JobStatus {
        JobStatus {
            job: job.to_owned(),
            every: Duration::from_millis(500),
            holder: holder.map(str::to_owned),
            here: false,
            last_round: None,
            last_success_at: None,
        }
    }

    #[test]
    fn holders_are_named_and_unknown_values_are_null() {
        let failed = LastRound {
            began_at: Timestamp::UNIX_EPOCH,
            took: Duration::from_millis(7),
            outcome: RoundOutcome::Failed,
            why: Some("the shard is unavailable".to_owned()),
            backlog: None,
        };
        let jobs = [
            status("free", None),
            JobStatus {
                here: true,
                last_round: Some(failed),
                ..status("stock-1", Some("12-00ff"))
            },
            status("withdraw", Some("13-gone")),
        ];
        let reported: Value =
            serde_json::from_str(&list(&jobs, &[gateway("g0", "00ff")])).expect("JSON");
        let jobs = &reported["jobs"];
        assert_eq!(jobs[0]["holder"], Value::Null);
        assert_eq!(jobs[0]["lastRunAt"], Value::Null);
        assert_eq!(jobs[2]["holder"], "13-gone");
        let expected = json!({
            "job": "stock-1",
            "everyMs": 500,
            "holder": "g0",
            "here": true,
            "lastRunAt": "1970-01-01T00:00:00Z",
            "lastSuccessAt": null,
            "tookMs": 7,
            "outcome": "failed",
            "why": "the shard is unavailable",
            "backlog": null,
        });
        assert_eq!(jobs[1], expected);
    }
}
