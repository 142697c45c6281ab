//! The cluster: shards and meta in MySQL or MariaDB, stock in Redis, any number of gateways.
//!
//! Gateways know nothing of each other: the databases and the protocol of the stock keep them
//! apart. A gateway starts while shards and stock servers are unavailable; it needs the meta database to
//! know the campaigns, and only to start.
mod follow;
mod jobs;
mod leases;
mod notification;
mod older_meta;
mod snapshot;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::{join, join_all};
use jiff::Timestamp;
use market::batch::Prize;
use router::{MapError, ShardId, SlotMap};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::follow::Follower;
use self::jobs::Runner;
use self::leases::Leases;
use self::notification::{Announced, Notifications};
use crate::audit_log::AuditEntry;
use crate::breaker::{self, Breakers};
use crate::fleet::Following;
use crate::founding::{Founding, FoundingError};
use crate::lane::{Cut, Ids, LaneLimits, Surroundings, Timeouts, start};
use crate::meta::Meta;
use crate::metrics::{ClusterMetrics, Metrics};
use crate::random::OsRandom;
use crate::readiness::Readiness;
use crate::reads::{ReadLimits, Reader, Reads};
use crate::service::Shards;
use crate::shares::Shares;
use crate::stock::cluster::{
    ClusterStock, ReconcileError, Reconciled, RedisOptions, RedisServer, ShardLedger, Spread,
    SqlMetaLedger, SqlShardLedger, StockNode, deliver, rebuild, reclaim, reconcile, withdraw,
};
use crate::stock::{Epoch, ServerId, Snapshot};
use crate::store::{
    Behind, ClusterId, Database, ExpectedIdentity, Identity, Layout, MigrateError, Mismatch,
    MysqlDatabase, Role, RunCheck, SqlShard, StoreError, check_durability, check_meta, check_shard,
    migrate_meta, read_identity,
};

/// How often a stock server is looked after, and how soon it is rebuilt.
const TEND_PAUSE: Duration = Duration::from_millis(500);
/// How often a rebuild that somebody asked for is begun again when another one was ahead.
const REBUILD_TRIES_MAX: usize = 5;
const JOB_PAUSE: Duration = Duration::from_secs(1);
/// Lanes delete their receipts themselves; what is so old was left by one that died or has too few
/// to delete, or could not be closed. A round goes on until nothing is left.
const RECEIPTS_KEPT: Duration = Duration::from_secs(30);
const RECLAIM_PAUSE: Duration = Duration::from_secs(5);
/// A lane that has not issued a unit of a prize for so long has its counters folded.
const COUNTERS_KEPT: Duration = Duration::from_mins(10);
const FOLD_PAUSE: Duration = Duration::from_mins(1);
const COUNT_PAUSE: Duration = Duration::from_secs(15);

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
    pub timeouts: Timeouts,
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
    Notifications(String),
    /// The meta database was never migrated.
    #[error("the cluster was never laid out: run `drawbridge migrate` first")]
    NotMigrated,
    /// The cluster was laid out differently.
    #[error(
        "the cluster has {found}, the configuration says {configured}: that is fixed by the first `drawbridge migrate`; \
         configure what it has, or use empty databases"
    )]
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
        error: String,
    },
    /// Databases or stock servers are not what the configuration takes them for; one line for each.
    #[error("{}", .0.join("\n"))]
    NotOurs(Vec<String>),
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
    /// What comes before each shard's first batch.
    run_checks: Vec<Arc<RunCheck>>,
    ledgers: Vec<SqlShardLedger>,
    pub(crate) stock: Arc<ClusterStock<RedisServer>>,
    pub(crate) notifications: Arc<Notifications>,
    redis: Vec<RedisOptions>,
    pub(crate) map: SlotMap,
}

/// How users and units are spread.
fn layout(map: &SlotMap, spread: Spread) -> Layout {
    let Spread { segments, servers } = spread;
    Layout {
        shards: map.shards(),
        tables: map.tables(),
        servers,
        segments,
    }
}

impl Options {
    fn map(&self, version: u32) -> Result<SlotMap, MapError> {
        SlotMap::even(
            version,
            u16::try_from(self.shards.len()).unwrap_or(u16::MAX),
            self.tables,
        )
    }

    fn spread(&self) -> Spread {
        Spread {
            segments: self.segments,
            servers: u8::try_from(self.redis.len()).unwrap_or(u8::MAX),
        }
    }

    /// Brings the meta database and all shards up to date, and at the first time fixes the layout
    /// and has each database say whose it is. Does nothing when all is as it should be; several may
    /// do it at once.
    pub async fn migrate(&self) -> Result<(), ClusterError> {
        self.lay_out(false).await.map(drop)
    }

    /// Does it, whatever the meta database has forgotten if `accept_older_meta` says so. Answers
    /// the greatest run that any shard's ids are of.
    async fn lay_out(&self, accept_older_meta: bool) -> Result<u64, ClusterError> {
        let meta = Meta::new(self.meta.clone());
        self.refuse_shard_as_meta().await?;
        let name = "meta database".to_owned();
        migrate_meta(&self.meta)
            .await
            .map_err(|error| ClusterError::Migrate { name, error })?;
        // Before anybody looks for tables that are not there; nothing is written yet.
        let map = match self.found_layout(&meta).await {
            Ok((map, _)) => map,
            Err(ClusterError::NotMigrated) => self.map(1)?,
            Err(error) => return Err(error),
        };
        let founding = Founding::look(
            &meta,
            &self.shards,
            &map,
            layout(&map, self.spread()),
            accept_older_meta,
        )
        .await;
        let founding = founding.map_err(|error| self.unfounded(error))?;
        let last_run = founding.last_run();
        self.fix_layout(&meta).await?;
        founding
            .settle()
            .await
            .map_err(|error| self.unfounded(error))?;
        Ok(last_run)
    }

    /// Refuses another part of a cluster in the place of the meta database, before that is touched.
    async fn refuse_shard_as_meta(&self) -> Result<(), ClusterError> {
        let found = async { read_identity::<MysqlDatabase>(&mut self.meta.connect().await?).await };
        match found.await.map_err(ClusterError::Meta)? {
            Some(found) if found.role != Role::Meta => {
                let expected = Identity {
                    role: Role::Meta,
                    ..found.clone()
                };
                let mismatch = Mismatch {
                    expected,
                    found: Some(found),
                };
                Err(ClusterError::NotOurs(vec![format!(
                    "{}: {mismatch}",
                    self.name(Role::Meta)
                )]))
            }
            _ => Ok(()),
        }
    }

    /// What a configuration calls a database.
    fn name(&self, role: Role) -> String {
        match role {
            Role::Meta => format!("meta database ({:?})", self.meta),
            Role::Shard(number) => match self.shards.get(usize::from(number)) {
                Some(database) => format!("shard {number} ({database:?})"),
                None => format!("shard {number}"),
            },
        }
    }

    fn unfounded(&self, error: FoundingError) -> ClusterError {
        match error {
            FoundingError::Database(role, error) => ClusterError::Migrate {
                name: self.name(role),
                error,
            },
            FoundingError::Unfit(unfit) => ClusterError::NotOurs(
                unfit
                    .iter()
                    .map(|(role, unfit)| format!("{}: {unfit}", self.name(*role)))
                    .collect(),
            ),
        }
    }

    async fn fix_layout(&self, meta: &Meta<MysqlDatabase>) -> Result<(), ClusterError> {
        let (map, spread) = (self.map(1)?, self.spread());
        if meta.slot_map().await.map_err(ClusterError::Meta)?.is_none() {
            // A duplicate key says that another migration was faster; what it fixed is compared
            // below.
            accept_conflict(meta.fix_slot_map(&map).await)?;
        }
        if SqlMetaLedger::layout(&self.meta)
            .await
            .map_err(ClusterError::Meta)?
            .is_none()
        {
            accept_conflict(SqlMetaLedger::fix_layout(&self.meta, spread).await)?;
        }
        self.found_layout(meta).await.map(drop)
    }

    /// The layout that is there, which must be the configured one.
    async fn found_layout(
        &self,
        meta: &Meta<MysqlDatabase>,
    ) -> Result<(SlotMap, Spread), ClusterError> {
        let (version, shards, tables) = meta
            .slot_map()
            .await
            .map_err(ClusterError::Meta)?
            .ok_or(ClusterError::NotMigrated)?;
        let spread = SqlMetaLedger::layout(&self.meta)
            .await
            .map_err(ClusterError::Meta)?;
        let found = (
            SlotMap::even(version, shards, tables)?,
            spread.ok_or(ClusterError::NotMigrated)?,
        );
        let configured = (self.map(version)?, self.spread());
        if found != configured {
            let text = |(map, spread): &(SlotMap, Spread)| layout(map, *spread).to_string();
            return Err(ClusterError::Layout {
                found: text(&found),
                configured: text(&configured),
            });
        }
        Ok(found)
    }

    /// Opens the cluster; the meta database must answer, nothing else has to.
    pub async fn open(&self) -> Result<Installation, ClusterError> {
        self.refuse_other_part().await?;
        check_schema(&self.meta).await?;
        let (map, spread) = self.found_layout(&Meta::new(self.meta.clone())).await?;
        let cluster = self.recognise_meta(layout(&map, spread)).await?;
        // From here on every new connection is asked whose database it leads to.
        let guarded = |database: &MysqlDatabase, role| {
            let expected = Identity {
                cluster: cluster.clone(),
                role,
                layout: layout(&map, spread),
            };
            MysqlDatabase {
                expected: ExpectedIdentity::identity(expected),
                ..database.clone()
            }
        };
        let meta = Meta::new(guarded(&self.meta, Role::Meta));
        let shards = (0..)
            .zip(&self.shards)
            .map(|(number, shard)| guarded(shard, Role::Shard(number)));
        let shards: Vec<MysqlDatabase> = shards.collect();
        let server = |(number, options): (u8, &RedisOptions)| {
            let server = ServerId(number);
            let new = RedisServer::new(server, spread, options, &cluster);
            new.map_err(|error| ClusterError::Redis { server, error })
        };
        let known = meta.claimed_runs().await.map_err(ClusterError::Meta)?;
        let run_check = |_: &MysqlDatabase| {
            Arc::new(RunCheck::new(Arc::new(meta.clone()), known, map.tables()))
        };
        let notifications = Notifications::new(&self.redis).map_err(ClusterError::Notifications)?;
        let servers = (1..=ServerId::MAX)
            .zip(&self.redis)
            .map(server)
            .collect::<Result<Vec<_>, _>>()?;
        let (stock, closers) = ClusterStock::new(servers);
        let parts = Parts {
            ledger: Arc::new(SqlMetaLedger::new(meta.clone(), spread)),
            ledgers: shards.iter().cloned().map(SqlShardLedger::new).collect(),
            run_checks: shards.iter().map(run_check).collect(),
            meta,
            shards,
            stock,
            notifications: Arc::new(notifications),
            redis: self.redis.clone(),
            map,
        };
        parts.learn_servers().await.map_err(ClusterError::Meta)?;
        Ok(Installation {
            parts: Arc::new(parts),
            _closers: closers,
        })
    }
}

impl Options {
    /// Refuses a shard in place of the meta database: its schema is another one, and that says
    /// less.
    async fn refuse_other_part(&self) -> Result<(), ClusterError> {
        let found = async { read_identity::<MysqlDatabase>(&mut self.meta.connect().await?).await };
        // What says nothing of itself, or does not answer, is looked at next.
        match found.await {
            Ok(Some(found)) if found.role != Role::Meta => {
                let expected = Identity {
                    role: Role::Meta,
                    ..found.clone()
                };
                let mismatch = Mismatch {
                    expected,
                    found: Some(found),
                };
                Err(ClusterError::NotOurs(vec![format!(
                    "{}: {mismatch}",
                    self.name(Role::Meta)
                )]))
            }
            _ => Ok(()),
        }
    }

    /// The id of the cluster that the meta database is of.
    async fn recognise_meta(&self, layout: Layout) -> Result<ClusterId, ClusterError> {
        let found = async { read_identity::<MysqlDatabase>(&mut self.meta.connect().await?).await };
        let found = found
            .await
            .map_err(ClusterError::Meta)?
            .ok_or(ClusterError::NotMigrated)?;
        let expected = Identity {
            cluster: found.cluster.clone(),
            role: Role::Meta,
            layout,
        };
        match expected.check(Some(&found)) {
            Ok(()) => Ok(found.cluster),
            Err(mismatch) => Err(ClusterError::NotOurs(vec![format!(
                "{}: {mismatch}",
                self.name(Role::Meta)
            )])),
        }
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
    let failed = |error| ClusterError::Migrate {
        name: "meta database".to_owned(),
        error,
    };
    check_meta(meta).await.map_err(failed)
}

/// What speaks against a shard.
#[derive(Debug, thiserror::Error)]
enum ShardFault {
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    #[error(transparent)]
    Behind(#[from] Behind),
    #[error(transparent)]
    Schema(#[from] MigrateError),
}

impl From<StoreError> for ShardFault {
    fn from(error: StoreError) -> Self {
        Self::Schema(error.into())
    }
}

/// Looks whether a shard is the one that it is taken for, and says what it thinks of its server.
async fn look_at_shard(
    number: usize,
    shard: &MysqlDatabase,
    check: &RunCheck,
) -> Result<(), ShardFault> {
    // Not as new connections are asked: a wrong answer is the end here, no answer is not.
    let bare = MysqlDatabase {
        expected: ExpectedIdentity::default(),
        ..shard.clone()
    };
    // First, where it says so: what is wrong with the schema of somebody else's database helps
    // nobody.
    if let Some(expected) = shard.expected.what()
        && let Ok(Some(found)) = read_identity::<MysqlDatabase>(&mut bare.connect().await?).await
    {
        expected.check(Some(&found))?;
    }
    check_shard(&bare).await?;
    let mut connection = bare.connect().await?;
    if let Some(expected) = shard.expected.what() {
        expected.check(
            read_identity::<MysqlDatabase>(&mut connection)
                .await?
                .as_ref(),
        )?;
    }
    check.make::<MysqlDatabase>(&mut connection).await??;
    for warning in check_durability(&bare).await.unwrap_or_default() {
        tracing::warn!(shard = number, "{warning}");
    }
    Ok(())
}

/// Says what is wrong with how stock servers handle their memory. One that is unavailable is no reason not
/// to start, and neither is this.
async fn look_at_stock_servers(servers: &[RedisOptions]) {
    let warnings =
        futures_util::future::join_all(servers.iter().map(RedisOptions::memory_warning)).await;
    for (server, warning) in (1_u8..).zip(warnings) {
        if let Some(warning) = warning {
            tracing::warn!(server, warning, "a stock server");
        }
    }
}

impl Parts {
    /// Refuses shards and stock servers that are not this cluster's, and shards that this program
    /// does not know. One that is unavailable is no reason not to start.
    async fn look_around(&self) -> Result<(), ClusterError> {
        let shards = self.shards.iter().zip(&self.run_checks).enumerate();
        let shards = shards.map(|(number, (shard, check))| look_at_shard(number, shard, check));
        let servers = self.stock.nodes().iter().map(|node| node.recognise_now());
        let (shards, servers) = join(join_all(shards), join_all(servers)).await;
        let mut wrong = Vec::new();
        for (number, looked) in shards.into_iter().enumerate() {
            match looked {
                Ok(()) => {}
                Err(ShardFault::Schema(MigrateError::Store(error))) => {
                    tracing::warn!(shard = number, %error, "a shard is unavailable");
                }
                Err(fault) => wrong.push(format!(
                    "shard {number} ({:?}): {fault}",
                    self.shards[number]
                )),
            }
        }
        for (node, recognised) in self.stock.nodes().iter().zip(servers) {
            match recognised {
                Ok(Ok(())) => {}
                Ok(Err(stranger)) => wrong.push(format!("stock server {}: {stranger}", node.id)),
                Err(error) => {
                    tracing::warn!(server = %node.id, %error, "a stock server is unavailable");
                }
            }
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(ClusterError::NotOurs(wrong))
        }
    }

    /// Shows from now on which parts are not this cluster's.
    fn show_strangers(&self, metrics: &ClusterMetrics) {
        let databases = self.shards.iter().chain([self.meta.database()]);
        let notices = databases.filter_map(|database| database.expected.notice());
        for notice in notices.chain(self.stock.nodes().iter().map(|node| &node.notice)) {
            notice.show(&metrics.identity_mismatch);
        }
    }

    /// Whom the meta database trusts just now.
    async fn learn_servers(&self) -> Result<(), StoreError> {
        use crate::stock::cluster::MetaLedger;
        for node in self.stock.nodes() {
            node.set_registered(self.ledger.registered(node.id).await?);
        }
        Ok(())
    }

    /// What all gateways obey, as it stands.
    async fn first_followed(&self) -> Result<Following, StoreError> {
        // Read first: what changes meanwhile is seen again.
        let revision = self.meta.revision().await?;
        Ok(Following::new(revision, self.meta.fleet_settings().await?))
    }

    /// A breaker for each shard and each stock server.
    fn breakers(&self, settings: breaker::Settings, metrics: &Metrics) -> Breakers {
        let stock_servers = u8::try_from(self.stock.nodes().len()).expect("at most fifteen");
        Breakers::new(
            settings,
            self.map.shards(),
            stock_servers,
            &metrics.breakers,
        )
    }

    /// Brings recorded additions to their servers.
    pub(crate) async fn deliver(&self) -> Result<(), ReconcileError> {
        for node in self.stock.nodes() {
            let mut session = node.trusted_session().await?;
            deliver(node, &mut session, &*self.ledger, self.ledger.spread()).await?;
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

    /// How the stock is spread over servers.
    pub fn spread(&self) -> Spread {
        self.parts.ledger.spread()
    }

    /// Brings recorded operations to the stock servers now, rather than when a gateway does. A
    /// server that holds nothing yet is given all there is, so that gateways which start after the
    /// first publication have stock from their first draw on.
    pub async fn deliver(&self) -> Result<(), String> {
        if self.parts.deliver().await.is_err() {
            return self.mend().await.map(drop);
        }
        withdraw(&self.parts.stock, &*self.parts.ledger)
            .await
            .map(drop)
            .map_err(|error| error.to_string())
    }

    /// Rebuilds every stock server from the shards; the record says who wanted it and why.
    pub async fn rebuild(&self, who: &str, why: &str) -> Result<Vec<(ServerId, Epoch)>, String> {
        let note = async |detail: String| {
            let (who, what, why) = (who.to_owned(), "stock rebuild".to_owned(), why.to_owned());
            let entry = AuditEntry {
                at: Timestamp::now(),
                who,
                what,
                detail,
                why,
            };
            self.parts
                .meta
                .note(&entry)
                .await
                .map_err(|error| error.to_string())
        };
        // Before it is begun, so that one which nobody sees the end of stands there too.
        note("begun on all servers".to_owned()).await?;
        let rebuilt = self.rebuild_all().await;
        note(match &rebuilt {
            Ok(_) => "done on all servers".to_owned(),
            Err(why) => format!("failed: {why}"),
        })
        .await?;
        rebuilt
    }

    async fn rebuild_all(&self) -> Result<Vec<(ServerId, Epoch)>, String> {
        let mut epochs = Vec::new();
        for node in self.parts.stock.nodes() {
            let rebuilt = self.rebuild_one(node).await;
            epochs.push((
                node.id,
                rebuilt.map_err(|error| format!("stock server {}: {error}", node.id))?,
            ));
        }
        Ok(epochs)
    }

    /// What is wrong with the stock servers that answer: units that are another cluster's. One text
    /// for each.
    pub async fn strangers(&self) -> Vec<String> {
        let servers = self.parts.stock.nodes().iter().map(|node| async move {
            let stranger = node.recognise_now().await.ok()?.err()?;
            Some(format!("stock server {}: {stranger}", node.id))
        });
        join_all(servers).await.into_iter().flatten().collect()
    }

    /// A gateway that finds the server behind the meta database rebuilds it too, and may be ahead.
    async fn rebuild_one(&self, node: &StockNode<RedisServer>) -> Result<Epoch, ReconcileError> {
        let mut seen = Epoch(0);
        for _ in 1..REBUILD_TRIES_MAX {
            match rebuild(node, &self.parts.ledgers, &*self.parts.ledger, seen).await {
                Err(ReconcileError::Behind(epoch)) => seen = epoch,
                rebuilt => return rebuilt,
            }
        }
        rebuild(node, &self.parts.ledgers, &*self.parts.ledger, seen).await
    }

    /// Does now what the gateways' jobs do all the time: rebuilds servers that have lost something,
    /// decides over grants that stayed open, brings recorded operations to the servers. Safe at any
    /// time, also while gateways run and do the same. Answers what was done.
    pub async fn mend(&self) -> Result<Vec<String>, String> {
        let Parts {
            stock,
            ledgers,
            ledger,
            ..
        } = &*self.parts;
        let mut done = Vec::new();
        for node in stock.nodes() {
            let failed = |error| format!("stock server {}: {error}", node.id);
            let reconciled = reconcile(
                stock,
                node,
                ledgers,
                &**ledger,
                ledger.spread(),
                &mut Epoch(0),
            )
            .await;
            match reconciled.map_err(failed)? {
                Reconciled::Rebuilt(epoch) => done.push(format!("stock server {}: rebuilt under epoch {epoch}", node.id)),
                Reconciled::Sound { swept: 0, delivered: 0 } => {}
                Reconciled::Sound { swept, delivered } => done.push(format!(
                    "stock server {}: {swept} open grants decided, {delivered} operations delivered",
                    node.id
                )),
            }
        }
        let withdrawals = withdraw(stock, &**ledger)
            .await
            .map_err(|error| error.to_string())?;
        if withdrawals > 0 {
            done.push(format!("{withdrawals} withdrawals done"));
        }
        Ok(done)
    }

    /// The stock as servers and shards have it now.
    pub async fn snapshots(&self) -> Result<Vec<Snapshot>, String> {
        // A server may have been rebuilt since this was opened.
        self.parts
            .learn_servers()
            .await
            .map_err(|error| error.to_string())?;
        snapshot::snapshots(&self.parts)
            .await
            .map_err(|error| error.to_string())
    }

    /// How many units of each prize the shards have issued.
    pub async fn issued(&self) -> Result<Vec<(Prize, u64)>, StoreError> {
        Ok(snapshot::issued(&self.parts.ledgers)
            .await?
            .into_iter()
            .collect())
    }

    /// Starts a gateway's lanes and jobs.
    pub async fn start(
        self,
        sizes: Sizes,
        metrics: Metrics,
        jobs: ClusterMetrics,
    ) -> Result<Cluster, ClusterError> {
        let parts = self.parts.clone();
        let (ours, ()) = join(parts.look_around(), look_at_stock_servers(&parts.redis)).await;
        ours?;
        parts.show_strangers(&jobs);
        for warning in check_durability(parts.meta.database())
            .await
            .unwrap_or_default()
        {
            tracing::warn!("meta database: {warning}");
        }
        let catalogue = Arc::new(ArcSwap::from_pointee(
            parts.meta.catalogue().await.map_err(ClusterError::Meta)?,
        ));
        let following = parts.first_followed().await.map_err(ClusterError::Meta)?;
        let stop = watch::Sender::new(false);
        let readiness = Arc::new(Readiness::default());
        let breakers = Arc::new(parts.breakers(sizes.breakers, &metrics));
        let (lanes, tasks) = start_lanes(
            &parts,
            &catalogue,
            sizes.lane,
            &breakers,
            (&metrics, &readiness),
            &stop,
        );
        let reader = |shard: &MysqlDatabase| -> Box<dyn Reads> {
            Box::new(Reader::new(shard.clone(), &parts.map, sizes.reads))
        };
        let readers = parts.shards.iter().map(reader).collect();
        let holder = format!("{}-{:016x}", std::process::id(), random_number());
        let stop_jobs = watch::Sender::new(false);
        let leases = Arc::new(Leases::new(parts.ledger.clone(), holder));
        let mut runner = Runner {
            leases,
            metrics: jobs,
            stop: stop_jobs,
            tasks: Vec::new(),
        };
        start_jobs(&parts, &mut runner, &metrics);
        runner.keep_leases();
        let following = Arc::new(following);
        runner.tasks.extend(parts.notifications.listen(
            &following.changed,
            &runner.metrics.notifications,
            &runner.stop,
        ));
        let follower = Follower::new(
            parts.clone(),
            catalogue.clone(),
            following.clone(),
            metrics.clone(),
        );
        runner
            .tasks
            .push(tokio::spawn(follower.run(runner.stop.subscribe())));
        let announced = Arc::new(Announced {
            meta: parts.meta.clone(),
            notifications: parts.notifications.clone(),
        });
        let shards = Shards {
            map: parts.map.clone(),
            shares: Shares::even(sizes.in_flight_max, parts.map.shards()),
            lanes,
            lane_per_table: true,
            readers,
            catalogue,
            switches: announced.clone(),
            fleet: announced,
            gateways: Arc::new(parts.meta.clone()),
            following,
            timeouts: sizes.timeouts,
            breakers,
            readiness,
            audit_log: Arc::new(parts.meta.clone()),
            metrics,
            stop,
            tasks: tasks.into(),
        };
        Ok(Cluster {
            shards: Arc::new(shards),
            runner,
            _installation: self,
        })
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
    let ids = Ids::new(
        Arc::new(parts.meta.clone()),
        Cut::WHOLE,
        left,
        readiness.clone(),
    );
    let mut lanes = Vec::new();
    let mut tasks = Vec::new();
    for (shard, database) in (0_u16..).zip(&parts.shards) {
        for table in 0..parts.map.tables() {
            let around = Surroundings {
                catalogue: catalogue.clone(),
                stock: parts
                    .stock
                    .for_lane(shard, shard * parts.map.tables() + table, breakers),
                random: OsRandom::default(),
                clock: Timestamp::now,
                ids: ids.clone(),
                metrics: metrics.lane(&shard.to_string()),
            };
            let store = SqlShard::new(
                database.clone(),
                parts.map.clone(),
                ShardId::new(shard),
                table..table + 1,
            );
            let store = store.checked_by(parts.run_checks[usize::from(shard)].clone());
            let (entrance, task) = start(store, around, limits, stop.subscribe());
            lanes.push(entrance);
            tasks.push(task);
        }
    }
    (lanes, tasks)
}

fn start_jobs(parts: &Arc<Parts>, runner: &mut Runner, metrics: &Metrics) {
    for place in 0..parts.stock.nodes().len() {
        start_reconciling(parts, runner, place);
    }
    for place in 0..parts.shards.len() {
        let parts_of = parts.clone();
        let reclaimed = runner
            .metrics
            .receipts_reclaimed
            .with_label_values(&[&place.to_string()]);
        runner.start(format!("reclaim-{place}"), RECLAIM_PAUSE, move || {
            let (parts, reclaimed) = (parts_of.clone(), reclaimed.clone());
            async move {
                reclaimed.inc_by(
                    reclaim(&parts.stock, &parts.ledgers[place], RECEIPTS_KEPT).await? as u64,
                );
                Ok(())
            }
        });
        let parts_of = parts.clone();
        runner.start(format!("fold-{place}"), FOLD_PAUSE, move || {
            let parts = parts_of.clone();
            async move {
                let ledger = &parts.ledgers[place];
                ledger.fold(COUNTERS_KEPT).await?;
                Ok(ledger.forget_void().await?)
            }
        });
    }
    runner.tasks.push(tokio::spawn(count_receipts(
        parts.clone(),
        runner.metrics.clone(),
        runner.stop.subscribe(),
    )));
    let parts_of = parts.clone();
    runner.start("withdraw".to_owned(), JOB_PAUSE, move || {
        let parts = parts_of.clone();
        async move { withdraw(&parts.stock, &*parts.ledger).await.map(drop) }
    });
    let (parts_of, metrics, jobs) = (parts.clone(), metrics.clone(), runner.metrics.clone());
    runner.start("snapshot".to_owned(), JOB_PAUSE, move || {
        let (parts, metrics, jobs) = (parts_of.clone(), metrics.clone(), jobs.clone());
        async move { snapshot::sync(&parts, &metrics, &jobs).await }
    });
}

/// Shows how many receipts of each shard should be gone. Each gateway looks by itself, so that none
/// goes on showing what it saw when it still had a lease.
async fn count_receipts(
    parts: Arc<Parts>,
    metrics: ClusterMetrics,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        for (shard, ledger) in parts.ledgers.iter().enumerate() {
            if let Ok(count) = ledger.count_old(2 * RECEIPTS_KEPT).await {
                let shown = i64::try_from(count).unwrap_or(i64::MAX);
                metrics
                    .receipts_overdue
                    .with_label_values(&[&shard.to_string()])
                    .set(shown);
            }
        }
        tokio::select! {
            () = tokio::time::sleep(COUNT_PAUSE) => {}
            _ = stop.wait_for(|&stop| stop) => return,
        }
    }
}

fn start_reconciling(parts: &Arc<Parts>, runner: &mut Runner, place: usize) {
    let (parts, metrics) = (parts.clone(), runner.metrics.clone());
    let seen = Arc::new(std::sync::Mutex::new(Epoch(0)));
    runner.start(format!("stock-{}", place + 1), TEND_PAUSE, move || {
        let (parts, metrics, seen) = (parts.clone(), metrics.clone(), seen.clone());
        async move {
            let node = &parts.stock.nodes()[place];
            let mut epoch = *seen
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            let spread = parts.ledger.spread();
            let reconciled = reconcile(
                &parts.stock,
                node,
                &parts.ledgers,
                &*parts.ledger,
                spread,
                &mut epoch,
            )
            .await;
            *seen
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner) = epoch;
            if let Reconciled::Rebuilt(_) = reconciled? {
                metrics
                    .stock_rebuilds
                    .with_label_values(&[&node.id.to_string()])
                    .inc();
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
