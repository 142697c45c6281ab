//! The results of all tables as one stream, several tables at a time.
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use market::campaign::Campaign;
use market::points::PointsEntry;
use market::{Order, RechargeOrder};
use router::{ShardId, SlotMap, TableId};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::filter::{Effort, ResultsFilter};
use super::versions::Versions;
use super::walk::{Walk, WalkedPage};
use crate::meta::InstalledMeta;
use crate::store::{StoreError, named};

/// Pages that wait for the consumer.
const PAGES_MAX: usize = 4;

/// Tries for a page. Between them the connection is made again.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_millis(250);

/// Why results end before their end.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// A shard cannot be read.
    #[error("{}", named(&format!("shard {}", shard.get()), error))]
    Shard {
        /// Which.
        shard: ShardId,
        /// Why.
        error: StoreError,
    },
    /// The campaign's versions cannot be read.
    #[error("{}", named("the meta database", .0))]
    Meta(StoreError),
    /// The task that reads has ended without a word.
    #[error("reading the shards ended unexpectedly")]
    Ended,
}

/// A page of results of one table. Pages of different tables come in any order.
#[derive(Debug, Default)]
pub struct ResultsPage {
    /// The calls or entries that were read for it, wanted or not.
    pub calls: usize,
    /// Users of wanted calls who were in no page before.
    pub users: usize,
    /// The draws of it.
    pub orders: Vec<Order>,
    /// The recharge orders of it.
    pub recharges: Vec<RechargeOrder>,
    /// The entries of it.
    pub entries: Vec<PointsEntry>,
}

/// A table and the walk through it.
pub(crate) type TableWalk = (ShardId, Box<dyn Walk>);

/// The walks through all tables. Those of different shards come in turn, so that all shards work.
pub(crate) fn walks(map: &SlotMap, walk: impl Fn(u16, TableId) -> Box<dyn Walk>) -> Vec<TableWalk> {
    let tables = (0..map.tables()).flat_map(|table| (0..map.shards()).map(move |s| (s, table)));
    tables
        .map(|(shard, table)| (ShardId::new(shard), walk(shard, TableId::new(table))))
        .collect()
}

/// The results, page by page. Dropping them ends the reading.
pub struct Results<'a> {
    pages: mpsc::Receiver<Walked>,
    reading: JoinHandle<()>,
    versions: Versions<'a>,
}

/// A page, or why there is none; `None` at the end of all tables.
type Walked = Result<Option<WalkedPage>, ResultsError>;

impl<'a> Results<'a> {
    pub(crate) fn new(
        walks: Vec<TableWalk>,
        filter: ResultsFilter,
        effort: Effort,
        meta: &'a InstalledMeta,
    ) -> Self {
        let versions = Versions::new(meta, filter.activity);
        let (sender, pages) = mpsc::channel(PAGES_MAX);
        let reading = tokio::spawn(read_all(walks, filter, effort, sender));
        Self {
            pages,
            reading,
            versions,
        }
    }

    /// The next page; `None` behind the last.
    pub async fn next(&mut self) -> Result<Option<ResultsPage>, ResultsError> {
        let received = self.pages.recv().await;
        let Some(page) = received.unwrap_or(Err(ResultsError::Ended))? else {
            return Ok(None);
        };
        let known = self.versions.know(&page.orders).await;
        known.map_err(ResultsError::Meta)?;
        Ok(Some(ResultsPage {
            calls: page.calls,
            users: page.users,
            orders: page.orders,
            recharges: page.recharges,
            entries: page.entries,
        }))
    }

    /// The version of the campaign under which an order of a page was drawn; `None` when it cannot
    /// be read.
    pub fn campaign(&self, version: u32) -> Option<&Campaign> {
        self.versions.campaign(version)
    }
}

impl Drop for Results<'_> {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

async fn read_all(
    walks: Vec<TableWalk>,
    filter: ResultsFilter,
    effort: Effort,
    sender: mpsc::Sender<Walked>,
) {
    let reading = |(shard, walk)| read_table(shard, walk, &filter, &sender);
    stream::iter(walks)
        .for_each_concurrent(effort.tables_at_once, reading)
        .await;
    let _ = sender.send(Ok(None)).await;
}

async fn read_table(
    shard: ShardId,
    mut walk: Box<dyn Walk>,
    filter: &ResultsFilter,
    sender: &mpsc::Sender<Walked>,
) {
    loop {
        let page = match next_page(&mut *walk, filter).await {
            Ok(None) => return,
            Ok(page) => Ok(page),
            Err(error) => Err(ResultsError::Shard { shard, error }),
        };
        let failed = page.is_err();
        // It is not received when the consumer has gone, or has got an error.
        if sender.send(page).await.is_err() || failed {
            return;
        }
    }
}

/// The next page, also when the connection breaks in between.
async fn next_page(
    walk: &mut dyn Walk,
    filter: &ResultsFilter,
) -> Result<Option<WalkedPage>, StoreError> {
    let mut tries = 1;
    loop {
        match walk.next(filter).await {
            Err(StoreError::Unavailable(why)) if tries < TRIES => {
                tracing::debug!(why, "a page of results is read again");
                sleep(PAUSE * tries).await;
                tries += 1;
            }
            done => return done,
        }
    }
}
