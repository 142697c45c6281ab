//! Jobs: the periodic work of a gateway, one file each.
//!
//! A job has a name, an interval, and one round. The [`Runner`] starts rounds, bounds the time of
//! each, and records how it ended. A job of the whole installation runs on one process at a time:
//! the one that holds its lease ([`Leases`]). A lease only saves work. Every job is correct when
//! two processes run it at once, so nothing waits for certainty.
mod board;
pub(crate) mod disk;
pub(crate) mod fold;
pub(crate) mod forget;
mod job;
mod lease_table;
mod leases;
mod metrics;
pub(crate) mod overdue;
pub(crate) mod reclaim;
pub(crate) mod reconcile;
mod runner;
pub(crate) mod snapshot;
pub(crate) mod withdraw;
pub(crate) mod withdraw_from_memory;

pub use self::board::{JobStatus, LastRound, RoundOutcome};
pub(crate) use self::board::{Jobs, holder};
pub(crate) use self::job::{Job, JobError, JobScope, Round};
pub(crate) use self::lease_table::LeaseTable;
pub(crate) use self::leases::{Leases, SharedLeases};
pub(crate) use self::metrics::JobMetrics;
pub(crate) use self::runner::Runner;

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    const PAGE: &str = include_str!("../../../docs/cluster.md");
    const ALERTS: &str = include_str!("../../../deploy/prometheus/rules/alerts.yml");

    /// Names and intervals of all jobs, as the files here declare them.
    fn declared() -> Vec<(String, Duration)> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/jobs");
        let files = std::fs::read_dir(folder).expect("a folder");
        let texts = files
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.is_file())
            .map(|path| std::fs::read_to_string(path).expect("a text"));
        texts.flat_map(|text| jobs_in(&text)).collect()
    }

    fn jobs_in(text: &str) -> Vec<(String, Duration)> {
        let of_job = |rest: &str| {
            let (name, rest) = rest.split_once('"').expect("a name");
            let (_, every) = rest
                .split_once("const EVERY: Duration = Duration::from_")
                .expect("an interval");
            let (unit, rest) = every.split_once('(').expect("a unit");
            let number = rest.split(')').next().and_then(|text| text.parse().ok());
            let number: u64 = number.expect("a number");
            let every = match unit {
                "millis" => Duration::from_millis(number),
                "secs" => Duration::from_secs(number),
                "mins" => Duration::from_mins(number),
                _ => panic!("{name}: from_{unit} is new here"),
            };
            (name.to_owned(), every)
        };
        let declarations = text.split("    const NAME: &'static str = \"").skip(1);
        declarations.map(of_job).collect()
    }

    #[test]
    fn each_job_is_documented() {
        let (_, chapter) = PAGE.split_once("\n## Jobs\n").expect("a chapter");
        let chapter = chapter.split("\n## ").next().expect("its text");
        let jobs = declared();
        assert!(jobs.len() > 8, "{jobs:?}");
        for (name, _) in jobs {
            let written = [format!("`{name}`"), format!("`{name}-N`")];
            assert!(
                written.iter().any(|written| chapter.contains(written)),
                "docs/cluster.md, Jobs, lacks {written:?}"
            );
        }
    }

    #[test]
    fn the_alert_for_stopped_jobs_leaves_out_those_with_rare_rounds() {
        // It looks at one minute, and counters are read a few times in it.
        let (_, list) = ALERTS
            .split_once("drawbridge_job_rounds_total{exported_job!~\"")
            .expect("the alert");
        let list = list.split('"').next().expect("a pattern");
        let left_out = |name: &String| list.split(['(', '|', ')']).any(|word| word == name);
        for (name, every) in declared() {
            assert_eq!(
                left_out(&name),
                every > Duration::from_secs(30),
                "{name} has a round every {every:?}; DrawbridgeJobStopped leaves out {list}"
            );
        }
    }
}
