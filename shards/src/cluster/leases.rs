//! Leases: which jobs are this process's. All of them are kept by one task with one statement, and
//! who has none only looks when one may have ended.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::stock::cluster::{JobLease, SqlMetaLedger};
use crate::store::StoreError;

/// A job whose holder died is taken over after this time.
const LEASE: Duration = Duration::from_secs(5);
/// How often all that are ours are prolonged: one time that fails is not the end of them.
const RENEWAL: Duration = Duration::from_secs(2);
/// The meta database is unavailable: soon again, so that jobs go on when it is back.
const AGAIN: Duration = Duration::from_secs(1);
/// No look comes sooner after the one before: clocks and statements are not exact.
const LOOK_MIN: Duration = Duration::from_millis(100);
/// A stop does not wait longer for the leases to be given up: they end by themselves.
const GIVE_UP_MAX: Duration = Duration::from_millis(500);

/// The jobs of this process.
pub(super) struct Leases {
    meta: Arc<SqlMetaLedger>,
    /// Names this process.
    holder: String,
    jobs: Mutex<BTreeMap<String, Job>>,
}

#[derive(Debug, Default)]
struct Job {
    /// Until when it is ours.
    ours_until: Option<Instant>,
    /// The round that is under way, if one is.
    busy_since: Option<Instant>,
}

impl Leases {
    pub(super) fn new(meta: Arc<SqlMetaLedger>, holder: String) -> Self {
        Self {
            meta,
            holder,
            jobs: Mutex::default(),
        }
    }

    /// Adds a job, which is nobody's yet.
    pub(super) fn add(&self, job: &str) {
        self.jobs().insert(job.to_owned(), Job::default());
    }

    /// Begins a round of a job, if it is ours just now.
    pub(super) fn begin(&self, job: &str) -> bool {
        let now = Instant::now();
        let mut jobs = self.jobs();
        let Some(job) = jobs.get_mut(job) else {
            return false;
        };
        let ours = job.ours_until.is_some_and(|until| now < until);
        job.busy_since = ours.then_some(now);
        ours
    }

    /// Ends it.
    pub(super) fn end(&self, job: &str) {
        if let Some(job) = self.jobs().get_mut(job) {
            job.busy_since = None;
        }
    }

    /// Keeps the leases until told to stop, and gives them up then.
    pub(super) async fn keep(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        loop {
            let pause = self.round().await.unwrap_or_else(|error| {
                tracing::debug!(%error, "the meta database is unavailable");
                AGAIN
            });
            tokio::select! {
                () = sleep(pause) => {}
                _ = stop.wait_for(|&stop| stop) => break,
            }
        }
        if let Ok(Err(error)) = timeout(GIVE_UP_MAX, self.give_up()).await {
            tracing::debug!(%error, "the leases were not given up");
        }
    }

    /// Takes what is free, prolongs what is ours; answers when to come again.
    async fn round(&self) -> Result<Duration, StoreError> {
        let all: Vec<String> = self.jobs().keys().cloned().collect();
        let mut asked = Instant::now();
        let mut leases = self.meta.leases(&all).await?;
        let others = |job: &String| {
            leases
                .iter()
                .any(|lease| lease.job == *job && lease.holder != self.holder)
        };
        let wanted: Vec<String> = all
            .iter()
            .filter(|job| !others(job) && !self.is_stuck(job))
            .cloned()
            .collect();
        if !wanted.is_empty() {
            self.meta.take_leases(&wanted, &self.holder, LEASE).await?;
            asked = Instant::now();
            leases = self.meta.leases(&all).await?;
        }
        Ok(self.learn(&leases, asked))
    }

    /// Notes what is ours; answers when the next look is due.
    fn learn(&self, leases: &[JobLease], asked: Instant) -> Duration {
        let mut jobs = self.jobs();
        jobs.values_mut().for_each(|job| job.ours_until = None);
        let mut pause = LEASE;
        for lease in leases {
            if lease.holder == self.holder {
                jobs.entry(lease.job.clone()).or_default().ours_until = Some(asked + lease.lasts);
                pause = pause.min(RENEWAL);
            } else {
                pause = pause.min(lease.lasts);
            }
        }
        pause.max(LOOK_MIN)
    }

    /// Whether a round hangs: another gateway may come through where this one does not.
    fn is_stuck(&self, job: &str) -> bool {
        self.jobs()
            .get(job)
            .and_then(|job| job.busy_since)
            .is_some_and(|since| since.elapsed() > LEASE)
    }

    async fn give_up(&self) -> Result<(), StoreError> {
        let names: Vec<String> = self.jobs().keys().cloned().collect();
        self.jobs()
            .values_mut()
            .for_each(|job| job.ours_until = None);
        self.meta.end_leases(&names, &self.holder).await
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<String, Job>> {
        // Nothing in here panics half-way through a change.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Options;
    use crate::meta::Meta;
    use crate::stock::cluster::{RedisOptions, Spread};
    use crate::store::{Columns, Connection, Database, MysqlDatabase};
    use crate::testing::Mariadb;

    const JOBS: [&str; 7] = [
        "stock-1",
        "reclaim-0",
        "fold-0",
        "reclaim-1",
        "fold-1",
        "withdraw",
        "snapshot",
    ];

    /// A meta database that is laid out, and gateways that look at it when told.
    async fn gateways<const COUNT: usize>(meta: MysqlDatabase) -> [Leases; COUNT] {
        // Nobody talks to it.
        let redis = RedisOptions {
            host: "127.0.0.1".to_owned(),
            port: 1,
            user: None,
            password: None,
            tls: crate::store::Tls::Off,
            prefix: "test".to_owned(),
            timeout: Duration::from_millis(500),
            connections_max: 1,
        };
        let options = Options {
            meta: meta.clone(),
            shards: vec![],
            tables: 1,
            redis: vec![redis],
            segments: 1,
        };
        crate::store::migrate_meta(&options.meta)
            .await
            .expect("migrated");
        let ledger = Arc::new(SqlMetaLedger::new(
            Meta::new(meta),
            Spread {
                segments: 1,
                servers: 1,
            },
        ));
        std::array::from_fn(|number| {
            let leases = Leases::new(ledger.clone(), format!("gateway-{number}"));
            for job in JOBS {
                leases.add(job);
            }
            leases
        })
    }

    /// Who has each job.
    fn holders(gateways: &[Leases]) -> Vec<Vec<usize>> {
        let has = |gateway: &Leases, job| {
            let has = gateway.begin(job);
            gateway.end(job);
            has
        };
        let holders = |job| {
            (0..gateways.len())
                .filter(|&number| has(&gateways[number], job))
                .collect()
        };
        JOBS.into_iter().map(holders).collect()
    }

    /// How many statements that write the server has run.
    async fn writes(database: &MysqlDatabase) -> i64 {
        let mut connection = database.connect().await.expect("a connection");
        let sql = "SELECT CAST(SUM(variable_value) AS SIGNED) FROM information_schema.global_status \
                   WHERE variable_name IN ('Com_insert', 'Com_insert_select', 'Com_update', 'Com_update_multi', \
                   'Com_delete', 'Com_delete_multi', 'Com_replace', 'Com_replace_select')";
        connection.rows(sql, "[]").await.expect("counted")[0]
            .integer(0)
            .expect("a number")
    }

    #[tokio::test]
    async fn at_rest_only_the_holder_writes_and_only_one_statement_a_round() {
        let server = Mariadb::private().await;
        let database = server.database().await;
        let gateways: [Leases; 5] = gateways(database.clone()).await;
        for gateway in &gateways {
            gateway.round().await.expect("the meta database answers");
        }
        let before = writes(&database).await;
        for _ in 0..10 {
            for gateway in &gateways {
                gateway.round().await.expect("the meta database answers");
            }
        }
        assert_eq!(
            writes(&database).await - before,
            10,
            "five gateways, seven jobs, ten rounds"
        );
        assert_eq!(holders(&gateways), vec![vec![0]; JOBS.len()]);
    }

    #[tokio::test]
    async fn a_job_has_one_holder_and_passes_on_when_it_dies_or_stops() {
        let gateways: [Leases; 3] = gateways(Mariadb::shared_database().await).await;
        let [one, two, three] = &gateways;
        assert_eq!(one.round().await, Ok(RENEWAL));
        // Who has none comes when the first lease may end, not earlier.
        let pause = two.round().await.expect("it answers");
        assert!(RENEWAL < pause && pause <= LEASE, "{pause:?}");
        assert_eq!(holders(&gateways), vec![vec![0]; JOBS.len()]);
        // It is never heard of again.
        sleep(pause + LOOK_MIN).await;
        assert_eq!(two.round().await, Ok(RENEWAL));
        assert_eq!(holders(&gateways), vec![vec![1]; JOBS.len()]);
        one.round().await.expect("it answers");
        assert_eq!(
            holders(&gateways),
            vec![vec![1]; JOBS.len()],
            "it comes too late"
        );
        // A round that hangs does not hold the job for ever.
        assert!(two.begin("snapshot"));
        two.jobs().get_mut("snapshot").expect("a job").busy_since =
            Instant::now().checked_sub(LEASE * 2);
        two.round().await.expect("it answers");
        let [before, after] =
            ["withdraw", "snapshot"].map(|job| two.jobs()[job].ours_until.expect("ours still"));
        assert!(after < before, "its lease is not prolonged");
        two.give_up().await.expect("it answers");
        assert_eq!(three.round().await, Ok(RENEWAL));
        assert_eq!(holders(&gateways), vec![vec![2]; JOBS.len()]);
    }
}
