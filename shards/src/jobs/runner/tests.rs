//! Rounds with the clock of the tests: how each ends, and what a stop waits for.
use std::collections::VecDeque;
use std::future::pending;
use std::sync::{Mutex, PoisonError};

use prometheus::{Registry, TextEncoder};
use tokio::time::sleep;

use super::*;
use crate::jobs::JobStatus;
use crate::store::StoreError;

const SECOND: Duration = Duration::from_secs(1);

/// A runner, and what it shows of its jobs.
struct Rig {
    runner: Runner,
    jobs: Arc<Jobs>,
    registry: Registry,
}

fn rig() -> Rig {
    let registry = Registry::new();
    let metrics = JobMetrics::new(&registry).expect("metrics");
    let jobs = Arc::new(Jobs::new("00ff".to_owned(), Leases::Local));
    Rig {
        runner: Runner::new(jobs.clone(), metrics),
        jobs,
        registry,
    }
}

impl Rig {
    fn status(&self) -> JobStatus {
        let mut jobs = self.jobs.list();
        assert_eq!(jobs.len(), 1, "{jobs:?}");
        jobs.remove(0)
    }

    fn last_round(&self) -> LastRound {
        self.status().last_round.expect("a round")
    }

    /// Whether this many rounds ended with this outcome.
    fn has_counted(&self, outcome: RoundOutcome, rounds: u64) -> bool {
        let encoder = TextEncoder::new();
        let page = encoder.encode_to_string(&self.registry.gather());
        let labels = format!(r#"job="planned",outcome="{}""#, outcome.name());
        let line = format!("drawbridge_job_rounds_total{{{labels}}} {rounds}");
        page.expect("a page").lines().any(|shown| shown == line)
    }
}

/// What one round does.
enum Plan {
    Leave(usize),
    Fail,
    Hang,
}

/// A job whose first rounds are planned; the later ones leave nothing.
struct Planned(VecDeque<Plan>);

impl Job for Planned {
    const NAME: &'static str = "planned";
    const EVERY: Duration = SECOND;

    async fn round(&mut self) -> Result<Round, JobError> {
        match self.0.pop_front() {
            Some(Plan::Leave(backlog)) => Ok(Round::leaving(backlog)),
            Some(Plan::Fail) => Err(StoreError::Unavailable("no shard".to_owned()).into()),
            Some(Plan::Hang) => pending().await,
            None => Ok(Round::DONE),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_round_that_hangs_is_given_up_and_the_next_one_follows() {
    let mut rig = rig();
    let plan = [Plan::Hang, Plan::Hang, Plan::Leave(3)];
    rig.runner.start(Planned(plan.into()));
    sleep(ROUND_MAX + SECOND / 2).await;
    let LastRound {
        took,
        outcome,
        why,
        backlog,
        ..
    } = rig.last_round();
    assert_eq!((took.as_secs(), outcome), (20, RoundOutcome::Late));
    assert_eq!((why.as_deref(), backlog), (Some("it took too long"), None));
    assert_eq!(rig.status().last_success_at, None);
    sleep(ROUND_MAX).await;
    assert_eq!(rig.last_round().backlog, Some(3));
    assert!(rig.status().last_success_at.is_some());
    assert!(rig.has_counted(RoundOutcome::Late, 2));
    assert!(rig.has_counted(RoundOutcome::Done, 1));
}

#[tokio::test(start_paused = true)]
async fn a_round_that_fails_is_shown_with_its_reason_until_one_works() {
    let mut rig = rig();
    let plan = [Plan::Leave(7), Plan::Fail, Plan::Leave(5)];
    rig.runner.start(Planned(plan.into()));
    sleep(SECOND / 2).await;
    let succeeded_at = rig.status().last_success_at;
    assert!(succeeded_at.is_some());
    sleep(SECOND).await;
    let failed = rig.last_round();
    assert_eq!(failed.outcome, RoundOutcome::Failed);
    let why = failed.why.expect("a reason");
    assert!(why.contains("no shard"), "{why}");
    assert_eq!(failed.backlog, None);
    assert_eq!(rig.status().last_success_at, succeeded_at);
    sleep(SECOND).await;
    let done = rig.last_round();
    assert_eq!((done.outcome, done.why), (RoundOutcome::Done, None));
    assert_eq!(done.backlog, Some(5));
    assert!(rig.has_counted(RoundOutcome::Failed, 1));
    assert!(rig.has_counted(RoundOutcome::Done, 2));
}

/// Which rounds ended, in their order.
type Ended = Arc<Mutex<Vec<&'static str>>>;

fn note(ended: &Ended, job: &'static str) {
    let mut ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
    ended.push(job);
}

/// A job whose rounds take three seconds.
struct Slow(Ended);

impl Job for Slow {
    const NAME: &'static str = "slow";
    const EVERY: Duration = SECOND;

    async fn round(&mut self) -> Result<Round, JobError> {
        sleep(3 * SECOND).await;
        note(&self.0, Self::NAME);
        Ok(Round::DONE)
    }
}

/// A job with a last round.
struct Last(Ended);

impl Job for Last {
    const NAME: &'static str = "last";
    const EVERY: Duration = Duration::from_mins(1);
    const LAST_ROUND: bool = true;

    async fn round(&mut self) -> Result<Round, JobError> {
        note(&self.0, Self::NAME);
        Ok(Round::DONE)
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_rounds_and_gives_the_last_ones_after_all_others() {
    let Rig { mut runner, .. } = rig();
    let ended = Ended::default();
    // Started first, so its first round begins at once.
    runner.start(Last(ended.clone()));
    runner.start(Slow(ended.clone()));
    // The slow job's round is running.
    sleep(SECOND).await;
    runner.stop().await;
    sleep(120 * SECOND).await;
    let ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(*ended, ["last", "slow", "last"]);
}

#[test]
fn eight_jobs_in_a_row_begin_an_eighth_apart() {
    let mut offsets: Vec<u128> = (3..11).map(|job| offset(job, SECOND).as_millis()).collect();
    assert!(
        offsets
            .windows(2)
            .all(|pair| pair[0].abs_diff(pair[1]) >= 375),
        "{offsets:?}"
    );
    offsets.sort_unstable();
    assert_eq!(offsets, [0, 125, 250, 375, 500, 625, 750, 875]);
}
