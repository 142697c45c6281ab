//! Leases: which jobs this process runs. One task renews all of them with one statement. A process
//! that has none only reads when one may have ended.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::lease_table::{JobLease, LeaseTable};
use crate::store::StoreError;

/// A job whose holder died is taken over within this time.
const LEASE: Duration = Duration::from_secs(5);
/// How often our leases are renewed: they survive one failed attempt.
const RENEWAL: Duration = Duration::from_secs(2);
/// How soon a meta database that is unavailable is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// The minimum time between two reads: clocks and statements are not exact.
const LOOK_MIN: Duration = Duration::from_millis(100);
/// A stop waits at most this long for giving up the leases: they end by themselves.
const GIVE_UP_MAX: Duration = Duration::from_millis(500);

/// Which process of an installation runs its jobs.
pub(crate) enum Leases {
    /// This one: it is the only one.
    Local,
    /// Gateways share them; the meta database has the holder of each.
    Shared(Arc<SharedLeases>),
}

impl Leases {
    /// Adds a job.
    pub(super) fn add(&self, job: &str) {
        if let Self::Shared(leases) = self {
            leases.add(job);
        }
    }

    /// Begins a round of a job, if it is this process's now.
    pub(super) fn begin(&self, job: &str) -> bool {
        match self {
            Self::Local => true,
            Self::Shared(leases) => leases.begin(job),
        }
    }

    /// Ends it.
    pub(super) fn end(&self, job: &str) {
        if let Self::Shared(leases) = self {
            leases.end(job);
        }
    }
}

/// The jobs that gateways share, as this process sees them.
pub(crate) struct SharedLeases {
    table: LeaseTable,
    /// Names this process.
    holder: String,
    /// How long a lease lasts.
    ttl: Duration,
    jobs: Mutex<BTreeMap<String, Held>>,
}

#[derive(Debug, Default)]
struct Held {
    /// Its holder at the latest read, and until when.
    by: Option<(String, Instant)>,
    /// Until when it is ours.
    ours_until: Option<Instant>,
    /// When the current round began.
    busy_since: Option<Instant>,
}

impl SharedLeases {
    pub(crate) fn new(table: LeaseTable, holder: String) -> Self {
        Self {
            table,
            holder,
            ttl: LEASE,
            jobs: Mutex::default(),
        }
    }

    /// The holder of a job, as far as known; `None` without one.
    pub(super) fn holder(&self, job: &str) -> Option<String> {
        let jobs = self.jobs();
        let (holder, until) = jobs.get(job)?.by.as_ref()?;
        (Instant::now() < *until).then(|| holder.clone())
    }

    /// Adds a job without a holder.
    pub(super) fn add(&self, job: &str) {
        self.jobs().insert(job.to_owned(), Held::default());
    }

    /// Begins a round of a job, if it is ours now.
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

    /// Keeps the leases until the process stops, then gives them up.
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

    /// Takes free leases and renews ours. Returns when the next read is due.
    async fn round(&self) -> Result<Duration, StoreError> {
        let all: Vec<String> = self.jobs().keys().cloned().collect();
        let mut asked = Instant::now();
        let mut leases = self.table.read(&all).await?;
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
            self.table.take(&wanted, &self.holder, self.ttl).await?;
            asked = Instant::now();
            leases = self.table.read(&all).await?;
        }
        Ok(self.learn(&leases, asked))
    }

    /// Records the holders. Returns when the next read is due.
    fn learn(&self, leases: &[JobLease], asked: Instant) -> Duration {
        let mut jobs = self.jobs();
        for job in jobs.values_mut() {
            (job.by, job.ours_until) = (None, None);
        }
        let mut pause = self.ttl;
        for JobLease { job, holder, lasts } in leases {
            let (held, until) = (jobs.entry(job.clone()).or_default(), asked + *lasts);
            held.by = Some((holder.clone(), until));
            if *holder == self.holder {
                held.ours_until = Some(until);
                pause = pause.min(RENEWAL);
            } else {
                pause = pause.min(*lasts);
            }
        }
        pause.max(LOOK_MIN)
    }

    /// Whether a round hangs: another gateway may reach what this one cannot.
    fn is_stuck(&self, job: &str) -> bool {
        self.jobs()
            .get(job)
            .and_then(|job| job.busy_since)
            .is_some_and(|since| since.elapsed() > LEASE)
    }

    async fn give_up(&self) -> Result<(), StoreError> {
        let names: Vec<String> = self.jobs().keys().cloned().collect();
        for job in self.jobs().values_mut() {
            (job.by, job.ours_until) = (None, None);
        }
        self.table.end(&names, &self.holder).await
    }

    fn jobs(&self) -> MutexGuard<'_, BTreeMap<String, Held>> {
        // No code panics half-way through a change.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::Meta;
    use crate::store::{Columns, Connection, Database, MysqlDatabase};
    use crate::testing::{DatabaseServer, Mariadb, shared_database};

    /// Only what a test does ends a lease, however slow the machine is.
    const LONG: Duration = Duration::from_hours(1);

    const JOBS: [&str; 7] = [
        "stock-1",
        "reclaim-0",
        "fold-0",
        "reclaim-1",
        "fold-1",
        "withdraw",
        "snapshot",
    ];

    /// Gateways of a meta database, which read it when the test calls them.
    async fn gateways<const COUNT: usize>(meta: MysqlDatabase) -> [SharedLeases; COUNT] {
        crate::store::migrate_meta(&meta).await.expect("migrated");
        let pool = Meta::new(meta).pool().clone();
        std::array::from_fn(|number| {
            let table = LeaseTable::new(pool.clone());
            let mut leases = SharedLeases::new(table, format!("gateway-{number}"));
            leases.ttl = LONG;
            for job in JOBS {
                leases.add(job);
            }
            leases
        })
    }

    /// The holder of each job.
    fn holders(gateways: &[SharedLeases]) -> Vec<Vec<usize>> {
        let has = |gateway: &SharedLeases, job| {
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

    /// How many writing statements the server has run.
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
        let gateways: [SharedLeases; 5] = gateways(database.clone()).await;
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

    /// Lets time pass for all leases in the meta database.
    async fn pass(database: &MysqlDatabase, time: Duration) {
        let mut connection = database.connect().await.expect("a connection");
        let sql =
            "UPDATE job_lease SET expires_at = expires_at - INTERVAL JSON_VALUE(?, '$[0]') SECOND";
        let time = format!("[{}]", time.as_secs());
        connection.execute(sql, &time).await.expect("changed");
    }

    /// How long the leases of two jobs last, by the meta database.
    async fn lasts<const COUNT: usize>(
        gateway: &SharedLeases,
        jobs: [&str; COUNT],
    ) -> [Duration; COUNT] {
        let leases = gateway.table.read(&jobs.map(str::to_owned)).await;
        let leases = leases.expect("it answers");
        let of = |job| leases.iter().find(|lease| lease.job == job);
        jobs.map(|job| of(job).expect("a lease").lasts)
    }

    #[tokio::test]
    async fn who_cannot_renew_a_lease_stops_when_it_ends() {
        let [gateway]: [SharedLeases; 1] = gateways(shared_database().await).await;
        let lease = JobLease {
            job: "fold-0".to_owned(),
            holder: "gateway-0".to_owned(),
            lasts: LEASE,
        };
        tokio::time::pause();
        let pause = gateway.learn(&[lease], Instant::now());
        assert_eq!(pause, RENEWAL);
        assert!(gateway.begin("fold-0"));
        assert!(!gateway.begin("fold-1"), "it has no lease of this one");
        tokio::time::advance(LEASE).await;
        assert!(!gateway.begin("fold-0"));
        assert_eq!(gateway.holder("fold-0"), None);
    }

    #[tokio::test]
    async fn a_job_has_one_holder_and_passes_on_when_it_dies_or_stops() {
        let database = shared_database().await;
        let gateways: [SharedLeases; 3] = gateways(database.clone()).await;
        let [one, two, three] = &gateways;
        assert_eq!(one.round().await, Ok(RENEWAL));
        // Who has none comes when the first lease may end, not earlier.
        let pause = two.round().await.expect("it answers");
        assert!(RENEWAL < pause && pause <= LONG, "{pause:?}");
        assert_eq!(holders(&gateways), vec![vec![0]; JOBS.len()]);
        // It has gone.
        pass(&database, LONG * 2).await;
        assert_eq!(two.round().await, Ok(RENEWAL));
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
        pass(&database, LONG / 2).await;
        two.round().await.expect("it answers");
        let [renewed, left] = lasts(two, ["withdraw", "snapshot"]).await;
        assert!(renewed > LONG / 2, "{renewed:?}");
        assert!(left <= LONG / 2, "its lease is not prolonged: {left:?}");
        two.give_up().await.expect("it answers");
        assert_eq!(three.round().await, Ok(RENEWAL));
        assert_eq!(holders(&gateways), vec![vec![2]; JOBS.len()]);
    }
}
