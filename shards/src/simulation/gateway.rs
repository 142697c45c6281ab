//! A gateway: lanes, stock and every job, as one process that may die at any moment.
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use testkit::random::seeded;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::clocks::CLOCK_OF;
use super::ledger::FakeLedger;
use super::meta::FakeMeta;
use super::scenario::{SHARDS, catalogue};
use super::session::FakeServer;
use super::store::FakeStore;
use super::wire::pause;
use super::world::World;
use crate::breaker::{self, Breakers};
use crate::lane::{Callers, Cut, Entrance, Ids, LaneLimits, Surroundings, start};
use crate::metrics::Metrics;
use crate::stock::Epoch;
use crate::stock::cluster::{
    ClusterStock, MetaLedger, ReconcileError, Reconciled, ShardLedger, deliver, reclaim, reconcile,
    withdraw,
};

/// A job's round that takes longer is given up.
const ROUND_MAX: Duration = Duration::from_secs(10);

/// A counter that was not changed for this long is folded.
const COUNTERS_KEPT: Duration = Duration::from_millis(300);

/// How long lanes wait for more draws.
const LINGER: Duration = Duration::from_millis(4);

/// Small enough to use up several run numbers in one run.
const CUT: Cut = Cut {
    blocks: 4,
    orders: 64,
    grants: 16,
};

/// What the jobs of one gateway share.
struct Parts {
    world: Arc<World>,
    stock: Arc<ClusterStock<FakeServer>>,
    breakers: Arc<Breakers>,
    ledgers: Vec<FakeLedger>,
    meta: FakeMeta,
}

/// A running gateway.
pub(super) struct Gateway {
    world: Arc<World>,
    place: usize,
    stop: watch::Sender<bool>,
    lanes: Vec<JoinHandle<()>>,
    jobs: Vec<JoinHandle<()>>,
}

impl Gateway {
    pub(super) fn start(world: &Arc<World>, place: usize) -> Self {
        let servers = (0..world.scenario.spread.servers)
            .map(|server| FakeServer::new(world.clone(), place, server.into()));
        let (stock, mut jobs) = ClusterStock::new(servers.collect());
        let ledgers = (0..SHARDS)
            .map(|shard| FakeLedger::new(world.clone(), shard.into()))
            .collect();
        let meta = FakeMeta::new(world.clone(), place);
        let breakers = Breakers::new(
            breaker::BreakerSettings::DEFAULT,
            0,
            world.scenario.spread.servers,
            &metrics().breakers,
        );
        let breakers = Arc::new(breakers);
        let parts = Arc::new(Parts {
            world: world.clone(),
            stock,
            breakers,
            ledgers,
            meta,
        });
        start_jobs(&parts, &mut jobs);
        let stop = watch::Sender::new(false);
        let (entrances, lanes) = start_lanes(&parts, place, &stop);
        let mut state = world.state();
        state.gateways[place] = Some(entrances);
        state.note("gateway started", || place.to_string());
        drop(state);
        Self {
            world: world.clone(),
            place,
            stop,
            lanes,
            jobs,
        }
    }

    /// The process dies.
    pub(super) fn crash(self) {
        let mut state = self.world.state();
        state.gateways[self.place] = None;
        state.note("gateway crashed", || self.place.to_string());
        drop(state);
        self.lanes
            .iter()
            .chain(&self.jobs)
            .for_each(JoinHandle::abort);
    }

    /// The process is asked to stop, and killed when it does not.
    pub(super) async fn drain(mut self) {
        self.stop.send_replace(true);
        let lanes = std::mem::take(&mut self.lanes);
        let abort: Vec<_> = lanes.iter().map(JoinHandle::abort_handle).collect();
        if timeout(ROUND_MAX, futures_util::future::join_all(lanes))
            .await
            .is_err()
        {
            abort.iter().for_each(tokio::task::AbortHandle::abort);
        }
        self.world
            .state()
            .note("gateway drained", || self.place.to_string());
        self.crash();
    }
}

fn metrics() -> &'static Metrics {
    static METRICS: OnceLock<Metrics> = OnceLock::new();
    METRICS.get_or_init(|| Metrics::new(&prometheus::Registry::new()).expect("fresh names"))
}

fn start_lanes(
    parts: &Parts,
    place: usize,
    stop: &watch::Sender<bool>,
) -> (Vec<Entrance>, Vec<JoinHandle<()>>) {
    let world = &parts.world;
    let (tables, batch_max) = (world.scenario.tables, world.scenario.batch_max);
    let ids = Ids::new(
        Arc::new(parts.meta.clone()),
        CUT,
        metrics().run_numbers_left.clone(),
        Arc::default(),
    );
    let callers = Arc::new(Callers::default());
    let mut entrances = Vec::new();
    let mut tasks = Vec::new();
    for lane in 0..SHARDS * tables {
        let shard = lane / tables;
        let around = Surroundings {
            catalogue: catalogue(),
            stock: parts
                .stock
                .for_lane(shard, lane, &parts.breakers)
                .one_by_one(),
            random: seeded(world.state().dice.below(u64::MAX)),
            clock: CLOCK_OF[place],
            ids: ids.clone(),
            callers: callers.clone(),
            metrics: metrics().lane("0"),
        };
        let store = FakeStore::new(
            world.clone(),
            shard.into(),
            lane % tables,
            (place, lane.into()),
        );
        let limits = LaneLimits {
            queue_max: 4,
            queue_target: Duration::from_secs(1),
            batch_max,
            linger: LINGER,
        };
        let (entrance, task) = start(store, around, limits, stop.subscribe());
        entrances.push(entrance);
        tasks.push(task);
    }
    (entrances, tasks)
}

fn start_jobs(parts: &Arc<Parts>, jobs: &mut Vec<JoinHandle<()>>) {
    jobs.push(tokio::spawn(following(parts.clone())));
    jobs.push(tokio::spawn(withdrawing(parts.clone())));
    for place in 0..parts.stock.nodes().len() {
        jobs.push(tokio::spawn(reconciling(parts.clone(), place)));
    }
    for shard in 0..parts.ledgers.len() {
        jobs.push(tokio::spawn(reclaiming(parts.clone(), shard)));
        jobs.push(tokio::spawn(folding(parts.clone(), shard)));
    }
}

impl Parts {
    async fn rest(&self, from_ms: u64, to_ms: u64) {
        let length = self.world.state().dice.millis(from_ms, to_ms);
        pause(length).await;
    }

    /// Runs a round of a job, and ends it when it takes too long.
    async fn round<T>(
        &self,
        job: &'static str,
        round: impl Future<Output = Result<T, ReconcileError>>,
    ) -> Option<T> {
        match timeout(ROUND_MAX, round).await {
            Ok(Ok(done)) => Some(done),
            Ok(Err(error)) => {
                self.world
                    .state()
                    .note("job failed", || format!("{job}: {error}"));
                None
            }
            Err(_) => {
                self.world.state().note("job too long", || job.to_owned());
                None
            }
        }
    }

    async fn follow(&self) -> Result<(), ReconcileError> {
        for node in self.stock.nodes() {
            node.set_registered(self.meta.registered(node.id).await?);
        }
        let nodes = self.stock.nodes();
        let place = self.world.state().dice.place(3 * nodes.len());
        if let Some(node) = nodes.get(place) {
            let mut session = node.trusted_session().await?;
            deliver(node, &mut session, &self.meta, self.world.scenario.spread).await?;
            self.stock.forget_sold_out();
        }
        Ok(())
    }
}

async fn following(parts: Arc<Parts>) {
    loop {
        parts.round("follow", parts.follow()).await;
        parts.rest(300, 700).await;
    }
}

async fn reconciling(parts: Arc<Parts>, place: usize) {
    let node = &parts.stock.nodes()[place];
    let spread = parts.world.scenario.spread;
    let mut seen = Epoch(0);
    loop {
        parts.rest(100, parts.world.scenario.reconcile_ms_max).await;
        let round = reconcile(
            &parts.stock,
            node,
            &parts.ledgers,
            &parts.meta,
            spread,
            &mut seen,
        );
        if let Some(Reconciled::Rebuilt(epoch)) = parts.round("reconcile", round).await {
            parts
                .world
                .state()
                .note("rebuilt", || format!("{} as {epoch}", place + 1));
        }
    }
}

async fn reclaiming(parts: Arc<Parts>, shard: usize) {
    let kept = parts.world.scenario.receipts_kept;
    loop {
        parts.rest(50, parts.world.scenario.reclaim_ms_max).await;
        parts
            .round(
                "reclaim",
                reclaim(&parts.stock, &parts.ledgers[shard], kept),
            )
            .await;
    }
}

async fn folding(parts: Arc<Parts>, shard: usize) {
    loop {
        parts.rest(300, 1_500).await;
        let fold = async {
            parts.ledgers[shard].fold(COUNTERS_KEPT).await?;
            Ok(parts.ledgers[shard].forget_void().await?)
        };
        parts.round("fold", fold).await;
    }
}

async fn withdrawing(parts: Arc<Parts>) {
    loop {
        parts.rest(300, 1_500).await;
        parts
            .round("withdraw", withdraw(&parts.stock, &parts.meta))
            .await;
    }
}
