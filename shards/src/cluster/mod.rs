//! The cluster: shards and meta in MySQL or MariaDB, stock in Redis, any number of gateways.
//!
//! Gateways know nothing of each other: the databases and the protocol of the stock keep them
//! apart. A gateway starts while shards and stock servers are away; it needs the meta database to
//! know the campaigns, and only to start.
mod follow;
mod hint;
mod jobs;
mod leases;
mod picture;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use market::batch::Prize;
use market::random::Tape;
use router::{MapError, SlotMap};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use self::follow::Follower;
use self::hint::{Announced, Hints};
use self::jobs::Runner;
use self::leases::Leases;
use crate::breaker::{self, Breakers};
use crate::lane::{Cut, Ids, LaneLimits, Patience, Surroundings, start};
use crate::meta::Meta;
use crate::metrics::{ClusterMetrics, Metrics};
use crate::random::OsRandom;
use crate::readiness::Readiness;
use crate::reads::{ReadLimits, Reader, Reads};
use crate::service::Shards;
use crate::shares::Shares;
use crate::stock::cluster::{
    ClusterStock, RedisOptions, RedisServer, Shelf, Spread, SqlMetaLedger, SqlShardLedger, TendError, Tended, deliver,
    rebuild, roll_up, tend, withdraw,
};
use crate::stock::{Epoch, Picture, ServerId, StockAway};
use crate::store::{
    MigrateError, MysqlDatabase, SqlShard, StoreError, check_durability, check_meta, check_shard, migrate_meta,
    migrate_shard,
};
use crate::trail::TrailEntry;

/// How often a stock server is looked after, and how soon it is rebuilt.
const TEND_PAUSE: Duration = Duration::from_millis(500);
/// How often a rebuild that somebody asked for is begun anew when another one was ahead.
const REBUILD_TRIES_MAX: usize = 5;
const JOB_PAUSE: Duration = Duration::from_secs(1);
/// A round takes 1,000 grants of each stock server, so this bounds the batches that a shard may go on
/// committing: 4,000 a second. Short also because draws wait for the shard while it rolls up.
const ROLL_UP_PAUSE: Duration = Duration::from_millis(250);
const FORGET_PAUSE: Duration = Duration::from_mins(1);

/// What a cluster is made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// The meta database.
    pub meta: MysqlDatabase,
    /// The shards, in their order.
    pub shards: Vec<MysqlDatabase>,
    /// Tables in each shard; fixed by the first `migrate`.
    pub tables: u16,
    /// The stock servers, in their order.
    pub redis: Vec<RedisOptions>,
    /// Segments of each prize; fixed by the first `migrate`.
    pub segments: u16,
}

/// Sizes of one gateway.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Of each lane.
    pub lane: LaneLimits,
    /// Requests that are answered at once; the waiters of a shard hold their share of them.
    pub in_flight_max: usize,
    /// How long callers wait.
    pub patience: Patience,
    /// Of each shard's reader.
    pub reads: ReadLimits,
    /// When breakers open.
    pub breakers: breaker::Settings,
}

/// Why a cluster cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The configured layout is impossible.
    #[error(transparent)]
    Map(#[from] MapError),
    /// A stock server's options make no sense.
    #[error("storage.redis: {0}")]
    Hints(String),
    /// The meta database was never migrated.
    #[error("the cluster was never laid out: run `drawbridge migrate` first")]
    NotMigrated,
    /// The cluster was laid out differently.
    #[error("the cluster has {found}, the config says {configured}: they are fixed by the first `drawbridge migrate`")]
    Layout {
        /// What there is.
        found: String,
        /// What is configured.
        configured: String,
    },
    /// The meta database.
    #[error("meta database: {0}")]
    Meta(StoreError),
    /// A database's schema.
    #[error("{name}: {error}")]
    Migrate {
        /// Which database.
        name: String,
        /// What is wrong.
        error: MigrateError,
    },
    /// A stock server's configuration.
    #[error("stock server {server}: {error}")]
    Redis {
        /// Which server.
        server: ServerId,
        /// What is wrong.
        error: StockAway,
    },
}

/// A cluster that is laid out: what gateways and commands work on.
pub struct Installation {
    parts: Arc<Parts>,
    /// The tasks that close grants; they end with the stock.
    _closers: Vec<JoinHandle<()>>,
}

/// The parts of a cluster, as this process reaches them.
pub(crate) struct Parts {
    pub(crate) meta: Meta<MysqlDatabase>,
    pub(crate) ledger: Arc<SqlMetaLedger>,
    pub(crate) shards: Vec<MysqlDatabase>,
    ledgers: Vec<SqlShardLedger>,
    pub(crate) stock: Arc<ClusterStock<RedisServer>>,
    pub(crate) hints: Arc<Hints>,
    pub(crate) map: SlotMap,
}

/// How users and units are spread.
fn layout(map: &SlotMap, spread: Spread) -> String {
    format!(
        "{} shards of {} tables, {} stock servers and {} segments per prize",
        map.shards(),
        map.tables(),
        spread.servers,
        spread.segments
    )
}

impl Options {
    fn map(&self, version: u32) -> Result<SlotMap, MapError> {
        SlotMap::even(version, u16::try_from(self.shards.len()).unwrap_or(u16::MAX), self.tables)
    }

    fn spread(&self) -> Spread {
        Spread { segments: self.segments, servers: u8::try_from(self.redis.len()).unwrap_or(u8::MAX) }
    }

    /// Brings the meta database and all shards up to date and fixes the layout at the first time.
    /// Does nothing when all is as it should be; several may do it at once.
    pub async fn migrate(&self) -> Result<(), ClusterError> {
        let failed = |name: String| |error| ClusterError::Migrate { name, error };
        migrate_meta(&self.meta).await.map_err(failed("meta database".to_owned()))?;
        self.fix_layout().await?;
        for (number, shard) in self.shards.iter().enumerate() {
            migrate_shard(shard, self.tables).await.map_err(failed(format!("shard {number}")))?;
        }
        Ok(())
    }

    async fn fix_layout(&self) -> Result<(), ClusterError> {
        let meta = Meta::new(self.meta.clone());
        let (map, spread) = (self.map(1)?, self.spread());
        if meta.slot_map().await.map_err(ClusterError::Meta)?.is_none() {
            // A duplicate key says that another migration was faster; what it fixed is compared below.
            accept_conflict(meta.fix_slot_map(&map).await)?;
        }
        if SqlMetaLedger::layout(&self.meta).await.map_err(ClusterError::Meta)?.is_none() {
            accept_conflict(SqlMetaLedger::fix_layout(&self.meta, spread).await)?;
        }
        self.found_layout(&meta).await.map(drop)
    }

    /// The layout that is there, which must be the configured one.
    async fn found_layout(&self, meta: &Meta<MysqlDatabase>) -> Result<(SlotMap, Spread), ClusterError> {
        let (version, shards, tables) =
            meta.slot_map().await.map_err(ClusterError::Meta)?.ok_or(ClusterError::NotMigrated)?;
        let spread = SqlMetaLedger::layout(&self.meta).await.map_err(ClusterError::Meta)?;
        let found = (SlotMap::even(version, shards, tables)?, spread.ok_or(ClusterError::NotMigrated)?);
        let configured = (self.map(version)?, self.spread());
        if found != configured {
            let text = |(map, spread): &(SlotMap, Spread)| layout(map, *spread);
            return Err(ClusterError::Layout { found: text(&found), configured: text(&configured) });
        }
        Ok(found)
    }

    /// Opens the cluster; the meta database must answer, nothing else has to.
    pub async fn open(&self) -> Result<Installation, ClusterError> {
        let meta = Meta::new(self.meta.clone());
        check_schema(&self.meta).await?;
        let (map, spread) = self.found_layout(&meta).await?;
        let server = |(number, options): (u8, &RedisOptions)| {
            let server = ServerId(number);
            RedisServer::new(server, spread, options).map_err(|error| ClusterError::Redis { server, error })
        };
        let hints = Hints::new(&self.redis).map_err(|error| ClusterError::Hints(error.to_string()))?;
        let servers = (1..=ServerId::MAX).zip(&self.redis).map(server).collect::<Result<Vec<_>, _>>()?;
        let (stock, closers) = ClusterStock::new(servers);
        let parts = Parts {
            ledger: Arc::new(SqlMetaLedger::new(meta.clone(), spread)),
            ledgers: self.shards.iter().cloned().map(SqlShardLedger::new).collect(),
            meta,
            shards: self.shards.clone(),
            stock,
            hints: Arc::new(hints),
            map,
        };
        parts.learn_servers().await.map_err(ClusterError::Meta)?;
        Ok(Installation { parts: Arc::new(parts), _closers: closers })
    }
}

fn accept_conflict(result: Result<(), StoreError>) -> Result<(), ClusterError> {
    match result {
        Ok(()) | Err(StoreError::Conflict(_)) => Ok(()),
        Err(error) => Err(ClusterError::Meta(error)),
    }
}

/// Refuses a meta database that this program does not know.
async fn check_schema(meta: &MysqlDatabase) -> Result<(), ClusterError> {
    let failed = |error| ClusterError::Migrate { name: "meta database".to_owned(), error };
    check_meta(meta).await.map_err(failed)
}

/// Refuses shards that this program does not know, and says what it thinks of the others. One
/// that is away is no reason not to start.
async fn look_at_shards(shards: &[MysqlDatabase]) -> Result<(), ClusterError> {
    let looks = shards.iter().map(|shard| async move { (check_shard(shard).await, check_durability(shard).await) });
    for (number, (schema, durability)) in futures_util::future::join_all(looks).await.into_iter().enumerate() {
        match schema {
            Ok(()) => {}
            Err(MigrateError::Store(error)) => tracing::warn!(shard = number, %error, "a shard is away"),
            Err(error) => return Err(ClusterError::Migrate { name: format!("shard {number}"), error }),
        }
        for warning in durability.unwrap_or_default() {
            tracing::warn!(shard = number, "{warning}");
        }
    }
    Ok(())
}

impl Parts {
    /// Whom the meta database trusts just now.
    async fn learn_servers(&self) -> Result<(), StoreError> {
        use crate::stock::cluster::MetaLedger;
        for shelf in self.stock.shelves() {
            shelf.set_registered(self.ledger.registered(shelf.id).await?);
        }
        Ok(())
    }

    /// A breaker for each shard and each stock server.
    fn breakers(&self, settings: breaker::Settings, metrics: &Metrics) -> Breakers {
        let stock_servers = u8::try_from(self.stock.shelves().len()).expect("at most fifteen");
        Breakers::new(settings, self.map.shards(), stock_servers, &metrics.breakers)
    }

    /// Brings recorded additions to their servers.
    pub(crate) async fn deliver(&self) -> Result<(), TendError> {
        for shelf in self.stock.shelves() {
            let mut session = shelf.trusted_session().await?;
            deliver(shelf, &mut session, &*self.ledger, self.ledger.spread()).await?;
        }
        Ok(())
    }
}

impl Installation {
    /// The meta database.
    pub fn meta(&self) -> &Meta<MysqlDatabase> {
        &self.parts.meta
    }

    /// The shards' databases.
    pub fn shards(&self) -> &[MysqlDatabase] {
        &self.parts.shards
    }

    /// How users are spread.
    pub fn map(&self) -> &SlotMap {
        &self.parts.map
    }

    /// Brings recorded operations to the stock servers now, rather than when a gateway does. A
    /// server that holds nothing yet is given all there is, so that gateways which start after the
    /// first publication have stock from their first draw on.
    pub async fn deliver(&self) -> Result<(), String> {
        if self.parts.deliver().await.is_err() {
            return self.mend().await.map(drop);
        }
        withdraw(&self.parts.stock, &*self.parts.ledger).await.map(drop).map_err(|error| error.to_string())
    }

    /// Rebuilds every stock server from the shards; the record says who wanted it and why.
    pub async fn rebuild(&self, who: &str, why: &str) -> Result<Vec<(ServerId, Epoch)>, String> {
        let entry = TrailEntry {
            at: Timestamp::now(),
            who: who.to_owned(),
            what: "stock rebuild".to_owned(),
            detail: "all servers".to_owned(),
            why: why.to_owned(),
        };
        let noted = self.parts.meta.note(&entry).await;
        noted.map_err(|error| error.to_string())?;
        let mut epochs = Vec::new();
        for shelf in self.parts.stock.shelves() {
            let rebuilt = self.rebuild_one(shelf).await;
            epochs.push((shelf.id, rebuilt.map_err(|error| format!("stock server {}: {error}", shelf.id))?));
        }
        Ok(epochs)
    }

    /// A gateway that finds the server behind the meta database rebuilds it too, and may be ahead.
    async fn rebuild_one(&self, shelf: &Shelf<RedisServer>) -> Result<Epoch, TendError> {
        let mut seen = Epoch(0);
        for _ in 1..REBUILD_TRIES_MAX {
            match rebuild(shelf, &self.parts.ledgers, &*self.parts.ledger, seen).await {
                Err(TendError::Behind(epoch)) => seen = epoch,
                rebuilt => return rebuilt,
            }
        }
        rebuild(shelf, &self.parts.ledgers, &*self.parts.ledger, seen).await
    }

    /// Does now what the gateways' jobs do all the time: rebuilds servers that have lost something,
    /// decides over grants that stayed open, brings recorded operations to the servers. Safe at any
    /// time, also while gateways run and do the same. Answers what was done.
    pub async fn mend(&self) -> Result<Vec<String>, String> {
        let Parts { stock, ledgers, ledger, .. } = &*self.parts;
        let mut done = Vec::new();
        for shelf in stock.shelves() {
            let failed = |error| format!("stock server {}: {error}", shelf.id);
            let tended = tend(stock, shelf, ledgers, &**ledger, ledger.spread(), &mut Epoch(0)).await;
            match tended.map_err(failed)? {
                Tended::Rebuilt(epoch) => done.push(format!("stock server {}: rebuilt under epoch {epoch}", shelf.id)),
                Tended::Sound { swept: 0, delivered: 0 } => {}
                Tended::Sound { swept, delivered } => done.push(format!(
                    "stock server {}: {swept} open grants decided, {delivered} operations delivered",
                    shelf.id
                )),
            }
        }
        let withdrawals = withdraw(stock, &**ledger).await.map_err(|error| error.to_string())?;
        if withdrawals > 0 {
            done.push(format!("{withdrawals} withdrawals done"));
        }
        Ok(done)
    }

    /// The stock as servers and shards have it now.
    pub async fn pictures(&self) -> Result<Vec<Picture>, String> {
        picture::pictures(&self.parts).await.map_err(|error| error.to_string())
    }

    /// How many units of each prize the shards have issued.
    pub async fn issued(&self) -> Result<Vec<(Prize, u64)>, StoreError> {
        Ok(picture::issued(&self.parts.shards).await?.into_iter().collect())
    }

    /// Starts a gateway's lanes and jobs.
    pub async fn start(self, sizes: Sizes, metrics: Metrics, jobs: ClusterMetrics) -> Result<Cluster, ClusterError> {
        let parts = self.parts.clone();
        look_at_shards(&parts.shards).await?;
        let catalogue = Arc::new(ArcSwap::from_pointee(parts.meta.catalogue().await.map_err(ClusterError::Meta)?));
        let stop = watch::Sender::new(false);
        let readiness = Arc::new(Readiness::default());
        let breakers = Arc::new(parts.breakers(sizes.breakers, &metrics));
        let (lanes, tasks) = start_lanes(&parts, &catalogue, sizes.lane, &breakers, (&metrics, &readiness), &stop);
        let reader =
            |shard: &MysqlDatabase| -> Box<dyn Reads> { Box::new(Reader::new(shard.clone(), &parts.map, sizes.reads)) };
        let readers = parts.shards.iter().map(reader).collect();
        let holder = format!("{}-{:016x}", std::process::id(), random_number());
        let stop_jobs = watch::Sender::new(false);
        let leases = Arc::new(Leases::new(parts.ledger.clone(), holder));
        let mut runner = Runner { leases, metrics: jobs, stop: stop_jobs, tasks: Vec::new() };
        start_jobs(&parts, &mut runner, &metrics);
        runner.keep_leases();
        let heard = Arc::new(Notify::new());
        runner.tasks.extend(parts.hints.listen(&heard, &runner.metrics.hints, &runner.stop));
        let follower = Follower::new(parts.clone(), catalogue.clone(), heard);
        runner.tasks.push(tokio::spawn(follower.run(runner.stop.subscribe())));
        let shards = Shards {
            map: parts.map.clone(),
            shares: Shares::even(sizes.in_flight_max, parts.map.shards()),
            lanes,
            lane_per_table: true,
            readers,
            catalogue,
            switches: Arc::new(Announced { meta: parts.meta.clone(), hints: parts.hints.clone() }),
            patience: sizes.patience,
            breakers,
            readiness,
            trail: Arc::new(parts.meta.clone()),
            metrics,
            stop,
            tasks: tasks.into(),
        };
        Ok(Cluster { shards: Arc::new(shards), runner, _installation: self })
    }
}

fn random_number() -> u64 {
    use market::random::Randomness;
    OsRandom::default().next_u64()
}

type Lanes = (Vec<crate::lane::Entrance>, Vec<JoinHandle<()>>);

/// One lane for each table of each shard, by shard and table.
fn start_lanes(
    parts: &Arc<Parts>,
    catalogue: &Arc<ArcSwap<market::campaign::Catalogue>>,
    limits: LaneLimits,
    breakers: &Arc<Breakers>,
    (metrics, readiness): (&Metrics, &Arc<Readiness>),
    stop: &watch::Sender<bool>,
) -> Lanes {
    let left = metrics.run_numbers_left.clone();
    let ids = Ids::new(Arc::new(parts.meta.clone()), Cut::WHOLE, left, readiness.clone());
    let mut lanes = Vec::new();
    let mut tasks = Vec::new();
    for (shard, database) in (0_u16..).zip(&parts.shards) {
        for table in 0..parts.map.tables() {
            let around = Surroundings {
                catalogue: catalogue.clone(),
                stock: parts.stock.for_lane(shard, shard * parts.map.tables() + table, breakers),
                random: Tape::new(OsRandom::default()),
                clock: Timestamp::now,
                ids: ids.clone(),
                metrics: metrics.lane(&shard.to_string()),
            };
            let store = SqlShard::new(database.clone(), parts.map.clone(), table..table + 1);
            let (entrance, task) = start(store, around, limits, stop.subscribe());
            lanes.push(entrance);
            tasks.push(task);
        }
    }
    (lanes, tasks)
}

fn start_jobs(parts: &Arc<Parts>, runner: &mut Runner, metrics: &Metrics) {
    for place in 0..parts.stock.shelves().len() {
        start_tending(parts, runner, place);
    }
    for place in 0..parts.shards.len() {
        let parts_of = parts.clone();
        let rolled_up = runner.metrics.grants_rolled_up.with_label_values(&[&place.to_string()]);
        runner.start(format!("roll-up-{place}"), ROLL_UP_PAUSE, move || {
            let (parts, rolled_up) = (parts_of.clone(), rolled_up.clone());
            async move {
                for shelf in parts.stock.shelves() {
                    rolled_up.inc_by(roll_up(shelf, &parts.ledgers[place]).await? as u64);
                }
                Ok(())
            }
        });
        let parts_of = parts.clone();
        runner.start(format!("forget-{place}"), FORGET_PAUSE, move || {
            let parts = parts_of.clone();
            async move {
                use crate::stock::cluster::ShardLedger;
                Ok(parts.ledgers[place].forget_old().await?)
            }
        });
    }
    let parts_of = parts.clone();
    runner.start("withdraw".to_owned(), JOB_PAUSE, move || {
        let parts = parts_of.clone();
        async move { withdraw(&parts.stock, &*parts.ledger).await.map(drop) }
    });
    let (parts_of, metrics, jobs) = (parts.clone(), metrics.clone(), runner.metrics.clone());
    runner.start("picture".to_owned(), JOB_PAUSE, move || {
        let (parts, metrics, jobs) = (parts_of.clone(), metrics.clone(), jobs.clone());
        async move { picture::sync(&parts, &metrics, &jobs).await }
    });
}

fn start_tending(parts: &Arc<Parts>, runner: &mut Runner, place: usize) {
    let (parts, metrics) = (parts.clone(), runner.metrics.clone());
    let seen = Arc::new(std::sync::Mutex::new(Epoch(0)));
    runner.start(format!("stock-{}", place + 1), TEND_PAUSE, move || {
        let (parts, metrics, seen) = (parts.clone(), metrics.clone(), seen.clone());
        async move {
            let shelf = &parts.stock.shelves()[place];
            let mut epoch = *seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let spread = parts.ledger.spread();
            let tended = tend(&parts.stock, shelf, &parts.ledgers, &*parts.ledger, spread, &mut epoch).await;
            *seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = epoch;
            if let Tended::Rebuilt(_) = tended? {
                metrics.stock_rebuilds.with_label_values(&[&shelf.id.to_string()]).inc();
            }
            Ok(())
        }
    });
}

/// A running gateway of a cluster. Dropped without [`Cluster::drain`] it loses nothing: what was
/// answered is in the databases.
pub struct Cluster {
    /// The shards, for commands and reads.
    pub shards: Arc<Shards>,
    runner: Runner,
    _installation: Installation,
}

impl Cluster {
    /// Commits what is queued and ends everything.
    pub async fn drain(self) {
        self.shards.drain().await;
        self.runner.stop.send_replace(true);
        for task in self.runner.tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a job did not end as it should");
            }
        }
    }
}
