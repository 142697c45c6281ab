//! The embedded default: a folder of SQLite files and stock in memory, no servers needed.
//!
//! One process at a time holds the folder (a locked file); `audit`, `campaign` and `stock` open
//! the files beside it. Shards and tables are fixed at the first start.
mod disk;
mod folder;
mod follow;
#[cfg(test)]
mod tests;
mod withdrawals;

use std::sync::Arc;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use market::batch::Prize;
use router::{MapError, ShardId, SlotMap};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::disk::Disk;
pub use self::folder::{Folder, FolderError, Held};
use self::follow::Follower;
use self::withdrawals::Withdrawals;
use crate::breaker::{self, Breakers};
use crate::fleet::{Alone, Following};
use crate::founding::{Founding, FoundingError, Unfit};
use crate::lane::{Cut, Ids, LaneLimits, Surroundings, Timeouts, start};
use crate::meta::Meta;
use crate::metrics::Metrics;
use crate::random::OsRandom;
use crate::readiness::Readiness;
use crate::reads::{ReadLimits, Reader, Reads};
use crate::service::Shards;
use crate::shares::Shares;
use crate::stock::MemoryStock;
use crate::store::tables::issued::IssuedStatements;
use crate::store::{
    Access, Columns, Connection, Database, Layout, Role, SqlShard, SqliteFile, StoreError, counted,
};

/// How an embedded server is laid out and how much it takes on.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Shard files; fixed at the first start.
    pub shards: u16,
    /// Tables in each; fixed at the first start.
    pub tables: u16,
    /// Sizes of each lane.
    pub lane: LaneLimits,
    /// Requests that the gateway answers at once; the waiters of a shard hold their share of them.
    pub in_flight_max: usize,
    /// How long callers wait.
    pub timeouts: Timeouts,
    /// Sizes of each shard's reader.
    pub reads: ReadLimits,
    /// When breakers open.
    pub breakers: breaker::Settings,
}

/// Why the embedded server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configured layout is impossible.
    #[error(transparent)]
    Map(#[from] MapError),
    /// The folder was laid out differently.
    #[error(
        "the data folder has {} of {}, the configuration says {shards} of {tables}: they are fixed at the first start; \
         configure storage.shards = {found_shards} and storage.tables = {found_tables}, or name another folder: --data DIR",
        counted(*found_shards, "shard"), counted(*found_tables, "table")
    )]
    Layout {
        /// Shards there are.
        found_shards: u16,
        /// Tables there are.
        found_tables: u16,
        /// Shards configured.
        shards: u16,
        /// Tables configured.
        tables: u16,
    },
    /// Files do not belong together.
    #[error(
        "the files of the data folder do not belong together; restore files of one moment\n{0}"
    )]
    Unfit(FoundingError),
    /// The meta file is older than a shard: ids would be given out twice.
    #[error(
        "meta.sqlite is older than shard-{shard}.sqlite (was it restored or removed?): restore files of one moment"
    )]
    MetaBehind {
        /// The shard that knows better.
        shard: u16,
    },
    /// A shard file is older than the meta file: draws that were answered are not in it.
    #[error(
        "shard-{shard}.sqlite is older than meta.sqlite (start or stop {found} of {known}; was it restored or \
         replaced?): draws that were answered are missing in it. Put the newest one back, or restore all files of \
         one moment"
    )]
    ShardBehind {
        /// The older shard.
        shard: u16,
        /// The last start or stop that it knows.
        found: u32,
        /// The last one that there was.
        known: u32,
    },
    /// The folder or one of its files.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The meta file.
    #[error("meta.sqlite: {0}")]
    Meta(#[from] StoreError),
}

/// A running embedded server. Dropped without [`Embedded::drain`] it loses nothing: what was
/// answered is on disk.
pub struct Embedded {
    /// The shards, for commands and reads.
    pub shards: Arc<Shards>,
    stop_follower: watch::Sender<bool>,
    follower: JoinHandle<()>,
    disk: JoinHandle<()>,
    held: Held,
}

impl Held {
    /// Opens the shards, rebuilds the stock and starts the lanes.
    pub async fn start(self, options: Options, metrics: Metrics) -> Result<Embedded, StartError> {
        let map = self.lay_out(options).await?;
        let meta = self.meta().clone();
        self.check_marks(&map).await?;
        self.raise_marks(map.shards()).await?;
        // Campaigns before stock: no prize is drawn before its units are on the node.
        let catalogue = Arc::new(ArcSwap::from_pointee(meta.catalogue().await?));
        let stock = rebuild(self.folder(), &map, &meta).await?;
        let readiness = Arc::new(Readiness::default());
        let left = metrics.run_numbers_left.clone();
        let ids = Ids::new(Arc::new(meta.clone()), Cut::WHOLE, left, readiness.clone());
        let stop = watch::Sender::new(false);
        let mut lanes = Vec::new();
        let mut tasks = Vec::new();
        let mut readers: Vec<Box<dyn Reads>> = Vec::new();
        for shard in 0..map.shards() {
            let around = Surroundings {
                catalogue: catalogue.clone(),
                stock: stock.clone(),
                random: OsRandom::default(),
                clock: Timestamp::now,
                ids: ids.clone(),
                metrics: metrics.lane(&shard.to_string()),
            };
            let store = SqlShard::new(
                self.folder().shard(shard, Access::Write),
                map.clone(),
                ShardId::new(shard),
                0..map.tables(),
            );
            let (entrance, task) = start(store, around, options.lane, stop.subscribe());
            lanes.push(entrance);
            tasks.push(task);
            let reader = Reader::new(
                self.folder().shard(shard, Access::Read),
                &map,
                options.reads,
            );
            readers.push(Box::new(reader));
        }
        let stop_follower = watch::Sender::new(false);
        let switches = Arc::new(meta.clone());
        let audit_log = Arc::new(meta.clone());
        let (revision, settings) = (meta.revision().await?, meta.fleet_settings().await?);
        let following = Arc::new(Following::new(revision, settings));
        let fleet = Arc::new(meta.clone());
        let follower = Follower::new(
            meta,
            stock,
            catalogue.clone(),
            following.clone(),
            metrics.clone(),
        );
        let follower = tokio::spawn(follower.run(stop_follower.subscribe()));
        let disk = Disk::new(
            self.folder(),
            map.shards(),
            metrics.clone(),
            readiness.clone(),
        );
        let disk = tokio::spawn(disk.run(stop_follower.subscribe()));
        let breakers = Breakers::new(options.breakers, map.shards(), 0, &metrics.breakers);
        let shards = Shards {
            shares: Shares::even(options.in_flight_max, map.shards()),
            map,
            lanes,
            lane_per_table: false,
            readers,
            catalogue,
            switches,
            fleet,
            gateways: Arc::new(Alone::default()),
            following,
            timeouts: options.timeouts,
            breakers: Arc::new(breakers),
            readiness,
            audit_log,
            metrics,
            stop,
            tasks: tasks.into(),
        };
        Ok(Embedded {
            shards: Arc::new(shards),
            stop_follower,
            follower,
            disk,
            held: self,
        })
    }

    /// Fixes the layout at the first start and makes the shard files; once a lane has claimed a
    /// run number there may be draws in them, and they must be there.
    async fn lay_out(&self, options: Options) -> Result<SlotMap, StartError> {
        let Options { shards, tables, .. } = options;
        let found = self.meta().slot_map().await?;
        let map = SlotMap::even(found.map_or(1, |(version, ..)| version), shards, tables)?;
        match found {
            // Before the files: a first start that is killed half-way goes on with this layout.
            None => self.meta().fix_slot_map(&map).await?,
            Some((_, found_shards, found_tables))
                if (found_shards, found_tables) != (shards, tables) =>
            {
                return Err(StartError::Layout {
                    found_shards,
                    found_tables,
                    shards,
                    tables,
                });
            }
            Some(_) => {}
        }
        let access = if self.meta().claimed_runs().await? == 0 {
            Access::Create
        } else {
            Access::Write
        };
        let files: Vec<SqliteFile> = (0..map.shards())
            .map(|shard| self.folder().shard(shard, access))
            .collect();
        let layout = Layout {
            shards,
            tables,
            servers: 0,
            segments: 0,
        };
        let settled = async {
            let founding = Founding::look(self.meta(), &files, &map, layout, false).await?;
            founding.settle().await
        };
        match settled.await {
            Ok(_) => Ok(map),
            Err(FoundingError::Database(Role::Shard(shard), error)) => {
                Err(FolderError::file(&files[usize::from(shard)], &error).into())
            }
            Err(FoundingError::Database(Role::Meta, error)) => {
                Err(FolderError::file(self.meta().database(), &error).into())
            }
            Err(FoundingError::Unfit(unfit)) => match *unfit {
                // What helps in a cluster does not help here.
                [(Role::Shard(shard), Unfit::Behind(_)), ..] => {
                    Err(StartError::MetaBehind { shard })
                }
                _ => Err(StartError::Unfit(FoundingError::Unfit(unfit))),
            },
        }
    }
}

impl Held {
    /// Refuses a file that is older than the others. At each start and each clean stop every shard
    /// and then the meta file get the next number, so a shard that stands behind the meta file was
    /// put back, and so was a meta file that stands two behind a shard: one is a start that died.
    async fn check_marks(&self, map: &SlotMap) -> Result<(), StartError> {
        let known = self.folder().meta_file(Access::Read).mark().await?;
        for shard in 0..map.shards() {
            let found = self.folder().shard(shard, Access::Read).mark().await?;
            if found < known {
                return Err(StartError::ShardBehind {
                    shard,
                    found,
                    known,
                });
            }
            if found > known + 1 {
                return Err(StartError::MetaBehind { shard });
            }
        }
        Ok(())
    }

    async fn raise_marks(&self, shards: u16) -> Result<(), StoreError> {
        let mark = self.folder().meta_file(Access::Read).mark().await? + 1;
        // The meta file last: no shard may stand behind it.
        for file in self.folder().files(shards, Access::Write).iter().rev() {
            file.set_mark(mark).await?;
        }
        Ok(())
    }
}

impl Embedded {
    /// Commits what is queued and ends everything; the folder is still held.
    pub async fn drain(self) -> Held {
        self.shards.drain().await;
        // After the lanes, so that its last snapshot of the stock is the final one.
        self.stop_follower.send_replace(true);
        if let Err(error) = self.follower.await {
            tracing::error!(%error, "the follower did not end as it should");
        }
        if let Err(error) = self.disk.await {
            tracing::error!(%error, "the watch over the disk did not end as it should");
        }
        // A failure is no harm: only a copy that is older than this stop would not show.
        if let Err(error) = self.held.raise_marks(self.shards.map.shards()).await {
            tracing::warn!(%error, "the stop is not noted");
        }
        self.held
    }
}

/// How many units of each prize the shards have issued.
pub async fn issued(folder: &Folder, map: &SlotMap) -> Result<Vec<(Prize, u64)>, StoreError> {
    let mut issued = Vec::new();
    for shard in 0..map.shards() {
        let mut connection = folder.shard(shard, Access::Read).connect().await?;
        for row in connection
            .rows(IssuedStatements::of(&SqliteFile::DIALECT).read, "[]")
            .await?
        {
            issued.push((crate::meta::prize(&row, 0)?, row.number(2)?));
        }
    }
    Ok(issued)
}

/// The stock as the shards and the stock operations say; withdrawals that waited are done.
async fn rebuild(
    folder: &Folder,
    map: &SlotMap,
    meta: &Meta<SqliteFile>,
) -> Result<Arc<MemoryStock>, StoreError> {
    rebuild_from(issued(folder, map).await?, meta).await
}

async fn rebuild_from(
    issued: Vec<(Prize, u64)>,
    meta: &Meta<SqliteFile>,
) -> Result<Arc<MemoryStock>, StoreError> {
    let stock = Arc::new(MemoryStock::rebuilt(issued));
    for (prize, total) in meta.totals().await? {
        stock.set_total(prize, total);
    }
    Withdrawals::new(meta.clone(), stock.clone()).run().await?;
    Ok(stock)
}

/// Does the withdrawals that wait on behalf of a server that is not running.
pub async fn withdraw_at_rest(held: &Held) -> Result<(), StoreError> {
    let issued = match held.meta().slot_map().await? {
        Some((version, shards, tables)) => {
            let map = SlotMap::even(version, shards, tables)
                .map_err(|error| StoreError::Data(error.to_string()))?;
            issued(held.folder(), &map).await?
        }
        // No server was ever started here: nothing is issued.
        None => Vec::new(),
    };
    rebuild_from(issued, held.meta()).await.map(drop)
}
