//! Looks users' rows up in stored data, while a server may run beside it.
use std::collections::BTreeMap;

use market::batch::StockItem;
use market::campaign::Catalogue;
use market::chances::Account;
use market::points::{PointsAccount, PointsEntry};
use market::{ActivityId, Order, UserId};
use router::SlotMap;

use crate::error::ReadError;
use crate::installation::InstallationError;
use crate::installation::cluster::Cluster;
use crate::installation::embedded::Folder;
use crate::installation::opened::{BackEnd, Installation};
use crate::meta::InstalledMeta;
use crate::reads::{
    FoundRecords, LedgerPage, OrderKey, PageSize, ReadLimits, ReadQuestion, Reader, Reads,
};
use crate::results::{Effort, Results, ResultsFilter, walks};
use crate::store::{Access, MysqlDatabase, StoreError};

/// The readers of all shards, and the published campaigns.
pub struct LookUp {
    map: SlotMap,
    readers: Vec<Box<dyn Reads>>,
    meta: InstalledMeta,
    catalogue: Catalogue,
}

impl LookUp {
    /// A user's orders.
    pub async fn orders(&self, user: &UserId, key: OrderKey) -> Result<Vec<Order>, ReadError> {
        Ok(self
            .ask(user, ReadQuestion::Order(user.clone(), key))
            .await?
            .orders)
    }

    /// A user's chances in an activity; `None` when the user has never drawn there.
    pub async fn account(
        &self,
        user: &UserId,
        activity: ActivityId,
    ) -> Result<Option<Account>, ReadError> {
        Ok(self
            .ask(user, ReadQuestion::Account(user.clone(), activity))
            .await?
            .account)
    }

    /// A user's points; `None` for a user who never had any.
    pub async fn points(&self, user: &UserId) -> Result<Option<PointsAccount>, ReadError> {
        let found = self.ask(user, ReadQuestion::Points(user.clone())).await?;
        Ok(found.points)
    }

    /// The latest entries of a user's ledger of points, as many as one page has.
    pub async fn latest_entries(&self, user: &UserId) -> Result<Vec<PointsEntry>, ReadError> {
        let page = LedgerPage {
            size: PageSize::MAX,
            before: None,
        };
        let question = ReadQuestion::Ledger(user.clone(), page);
        let mut entries = self.ask(user, question).await?.entries;
        entries.truncate(page.size.get());
        Ok(entries)
    }

    /// What was made, over all shards.
    pub fn results(&self, filter: ResultsFilter, effort: Effort) -> Results<'_> {
        let walks = walks(&self.map, |shard, table| {
            self.readers[usize::from(shard)].walk(table, effort.rows_max)
        });
        Results::new(walks, filter, effort, &self.meta)
    }

    /// Each item's total: what was published and added, less what was withdrawn.
    pub async fn stock_totals(&self) -> Result<BTreeMap<StockItem, u64>, StoreError> {
        self.meta.totals().await
    }

    /// What was left of each item when a running server last said so.
    pub async fn stock_last_left(&self) -> Result<BTreeMap<StockItem, u64>, StoreError> {
        self.meta.last_left().await
    }

    /// The published campaigns.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    async fn ask(&self, user: &UserId, question: ReadQuestion) -> Result<FoundRecords, ReadError> {
        let route = self.map.route(user.as_str());
        let shard = usize::from(route.shard().get());
        self.readers[shard].ask(route.table(), question).await
    }
}

impl Installation {
    /// Opens the stored data of an installation. Fails for a data folder from which no server has
    /// ever served.
    pub async fn look_up(&self, limits: ReadLimits) -> Result<LookUp, InstallationError> {
        Ok(match self.back_end() {
            BackEnd::Embedded(folder) => look_up_in_folder(folder, limits).await?,
            BackEnd::Cluster(cluster) => look_up_in_cluster(cluster, limits).await?,
        })
    }
}

async fn look_up_in_folder(folder: &Folder, limits: ReadLimits) -> Result<LookUp, StoreError> {
    let meta = folder.meta_for_reading();
    let Some((version, shards, tables)) = meta.layout().slot_map().await? else {
        return Err(StoreError::Data(
            "no server has served from this data folder yet".to_owned(),
        ));
    };
    let map = SlotMap::even(version, shards, tables)
        .map_err(|error| StoreError::Data(error.to_string()))?;
    let reader = |shard| -> Box<dyn Reads> {
        Box::new(Reader::new(folder.shard(shard, Access::Read), &map, limits))
    };
    let readers = (0..map.shards()).map(reader).collect();
    Ok(LookUp {
        readers,
        catalogue: meta.campaigns().catalogue().await?,
        meta: InstalledMeta::embedded(meta),
        map,
    })
}

async fn look_up_in_cluster(cluster: &Cluster, limits: ReadLimits) -> Result<LookUp, StoreError> {
    let map = cluster.map().clone();
    let reader = |shard: &MysqlDatabase| -> Box<dyn Reads> {
        Box::new(Reader::new(shard.clone(), &map, limits))
    };
    let readers = cluster.shards().iter().map(reader).collect();
    Ok(LookUp {
        readers,
        catalogue: cluster.meta().campaigns().catalogue().await?,
        meta: InstalledMeta::of_cluster(cluster.meta()),
        map,
    })
}
