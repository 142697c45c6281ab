//! Puts a gateway together for either back end: lanes, readers, jobs and the follower.
use std::ops::Range;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use market::UserId;
use market::campaign::Catalogue;
use market::random::Randomness;
use router::SlotMap;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::sizes::GatewaySizes;
use crate::breaker::Breakers;
use crate::jobs::{JobMetrics, Jobs, Leases, Runner, holder};
use crate::lane::{Callers, Cut, Entrance, Ids, Surroundings, start};
use crate::meta::{Following, InstalledMeta, Meta};
use crate::metrics::Metrics;
use crate::random::OsRandom;
use crate::readiness::Readiness;
use crate::reads::{Reader, Reads};
use crate::service::{Shards, lane_of};
use crate::shares::Shares;
use crate::stock::Stock;
use crate::stock::live::LiveStock;
use crate::store::{Database, SqlShard, StoreError};

/// What a back end provides to a running gateway.
pub(super) trait Backing {
    type Database: Database;
    type LaneStock: Stock;
    /// Whether each table has a lane of its own.
    const LANE_PER_TABLE: bool;

    fn meta(&self) -> &Meta<Self::Database>;
    fn installed_meta(&self) -> InstalledMeta;
    fn map(&self) -> &SlotMap;
    fn stock_servers(&self) -> u8;
    /// Some tables of a shard, for one lane.
    fn store(&self, shard: u16, tables: Range<u16>) -> SqlShard<Self::Database>;
    fn shard_for_reads(&self, shard: u16) -> Self::Database;
    /// The stock as a lane of a shard takes from it.
    fn lane_stock(&self, shard: u16, lane: u16, breakers: &Arc<Breakers>) -> Self::LaneStock;
    /// What is left, for this gateway's answers.
    fn live_stock(&self) -> LiveStock;
    /// Tells other gateways that the meta database has changed.
    fn announcer(&self) -> Box<dyn Fn() + Send + Sync>;
    fn leases(&self, holder: String) -> Leases;
    /// Starts the jobs, the follower, and what else runs until the process stops.
    fn start_jobs(&self, runner: &mut Runner, around: &Around);
}

/// The purpose of a process.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose<'a> {
    /// To serve: all lanes, the jobs and the follower.
    Gateway,
    /// To execute commands of this user: the lane of the user's rows, and nothing else.
    CommandsOf(&'a UserId),
}

/// What all parts of a gateway share.
pub(super) struct Around {
    pub(super) catalogue: Arc<ArcSwap<Catalogue>>,
    pub(super) following: Arc<Following>,
    pub(super) metrics: Metrics,
    pub(super) readiness: Arc<Readiness>,
}

/// Starts the lanes and jobs that a purpose needs.
pub(super) async fn assemble<B: Backing>(
    backing: &B,
    catalogue: Catalogue,
    sizes: GatewaySizes,
    (metrics, jobs): (Metrics, JobMetrics),
    purpose: Purpose<'_>,
) -> Result<(Shards, Runner), StoreError> {
    let map = backing.map();
    let catalogue = if matches!(purpose, Purpose::Gateway) {
        // Before the first draw, so that no listed user draws like others.
        let lists = backing.meta().blacklists();
        let newer = lists.newer_than(catalogue.blacklists()).await?;
        match newer {
            Some(newer) => catalogue.blacklisted(&newer),
            None => catalogue,
        }
    } else {
        catalogue
    };
    let around = Around {
        catalogue: Arc::new(ArcSwap::from_pointee(catalogue)),
        following: Arc::new(first_followed(backing.meta()).await?),
        metrics,
        readiness: Arc::default(),
    };
    let breakers = Arc::new(Breakers::new(
        sizes.breakers,
        map.shards(),
        backing.stock_servers(),
        &around.metrics.breakers,
    ));
    let stop = watch::Sender::new(false);
    let which = lanes_for(backing, purpose);
    let first_lane = which.start;
    let (lanes, tasks) = start_lanes(backing, which, &around, (sizes, &breakers, &stop));
    let reader = |shard| -> Box<dyn Reads> {
        Box::new(Reader::new(
            backing.shard_for_reads(shard),
            map,
            sizes.reads,
        ))
    };
    let instance = format!("{:016x}", OsRandom::default().next_u64());
    let leases = backing.leases(holder(&instance));
    let mut runner = Runner::new(Arc::new(Jobs::new(instance, leases)), jobs);
    if matches!(purpose, Purpose::Gateway) {
        backing.start_jobs(&mut runner, &around);
        runner.keep_leases();
    }
    let shards = Shards {
        map: map.clone(),
        shares: Shares::even(sizes.in_flight_max, map.shards()),
        lanes,
        first_lane,
        lane_per_table: B::LANE_PER_TABLE,
        readers: (0..map.shards()).map(reader).collect(),
        catalogue: around.catalogue,
        meta: backing.installed_meta(),
        live_stock: backing.live_stock(),
        announce_change: backing.announcer(),
        following: around.following,
        timeouts: sizes.timeouts,
        breakers,
        readiness: around.readiness,
        jobs: runner.jobs(),
        metrics: around.metrics,
        stop,
        tasks: tasks.into(),
    };
    Ok((shards, runner))
}

/// What all gateways obey now.
async fn first_followed<D: Database>(meta: &Meta<D>) -> Result<Following, StoreError> {
    // The revision first: what changes meanwhile is read again.
    let revision = meta.revision().await?;
    Ok(Following::new(
        revision,
        meta.fleet_settings().read().await?,
    ))
}

/// Which of the lanes of all shards are started, by their indexes.
fn lanes_for<B: Backing>(backing: &B, purpose: Purpose<'_>) -> Range<usize> {
    let map = backing.map();
    match purpose {
        Purpose::Gateway => {
            let per_shard = if B::LANE_PER_TABLE { map.tables() } else { 1 };
            0..usize::from(map.shards()) * usize::from(per_shard)
        }
        Purpose::CommandsOf(user) => {
            let lane = lane_of(map.route(user.as_str()), map, B::LANE_PER_TABLE);
            lane..lane + 1
        }
    }
}

/// The lanes with these indexes, by shard and table.
fn start_lanes<B: Backing>(
    backing: &B,
    which: Range<usize>,
    around: &Around,
    (sizes, breakers, stop): (GatewaySizes, &Arc<Breakers>, &watch::Sender<bool>),
) -> (Vec<Entrance>, Vec<JoinHandle<()>>) {
    let ids = Ids::new(
        Arc::new(backing.meta().clone()),
        Cut::WHOLE,
        around.metrics.run_numbers_left.clone(),
        around.readiness.clone(),
    );
    let callers = Arc::new(Callers::default());
    let tables = backing.map().tables();
    let per_lane = if B::LANE_PER_TABLE { 1 } else { tables };
    let all = (0..backing.map().shards()).flat_map(|shard| {
        let first_tables = (0..tables).step_by(per_lane.into());
        first_tables.map(move |table| (shard, table))
    });
    let mut lanes = (Vec::new(), Vec::new());
    for (shard, table) in all.skip(which.start).take(which.len()) {
        let around = Surroundings {
            catalogue: around.catalogue.clone(),
            stock: backing.lane_stock(shard, shard * tables + table, breakers),
            random: OsRandom::default(),
            clock: Timestamp::now,
            ids: ids.clone(),
            callers: callers.clone(),
            metrics: around.metrics.lane(&shard.to_string()),
        };
        let store = backing.store(shard, table..table + per_lane);
        let (entrance, task) = start(store, around, sizes.lane, stop.subscribe());
        lanes.0.push(entrance);
        lanes.1.push(task);
    }
    lanes
}
