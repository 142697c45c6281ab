//! Stock in memory: counts it from the shards, and withdraws from it while no server runs.
use std::collections::BTreeMap;
use std::sync::Arc;

use market::batch::StockItem;
use router::SlotMap;

use super::folder::{Folder, Held};
use crate::jobs::withdraw_from_memory::Withdrawals;
use crate::meta::Meta;
use crate::stock::MemoryStock;
use crate::store::tables::issued::IssuedStatements;
use crate::store::{Access, Columns, Connection, Database, SqliteFile, StoreError};

/// How many units of each item the shards have issued.
async fn issued(folder: &Folder, map: &SlotMap) -> Result<BTreeMap<StockItem, u64>, StoreError> {
    let mut issued = BTreeMap::new();
    for shard in 0..map.shards() {
        let mut connection = folder.shard(shard, Access::Read).connect().await?;
        let rows = connection
            .rows(IssuedStatements::of(&SqliteFile::DIALECT).read, "[]")
            .await?;
        for row in rows {
            *issued.entry(crate::meta::item(&row, 0)?).or_default() += row.number::<u64>(3)?;
        }
    }
    Ok(issued)
}

/// The same for a folder from which a server may never have served: then nothing is issued.
pub(crate) async fn issued_in(folder: &Folder) -> Result<BTreeMap<StockItem, u64>, StoreError> {
    let Some((version, shards, tables)) = folder.meta_for_reading().layout().slot_map().await?
    else {
        return Ok(BTreeMap::new());
    };
    let map = SlotMap::even(version, shards, tables)
        .map_err(|error| StoreError::Data(error.to_string()))?;
    issued(folder, &map).await
}

/// The stock by the shards and the stock operations, after waiting withdrawals are done.
pub(super) async fn rebuild(
    folder: &Folder,
    map: &SlotMap,
    meta: &Meta<SqliteFile>,
) -> Result<Arc<MemoryStock>, StoreError> {
    rebuild_from(issued(folder, map).await?, meta).await
}

async fn rebuild_from(
    issued: BTreeMap<StockItem, u64>,
    meta: &Meta<SqliteFile>,
) -> Result<Arc<MemoryStock>, StoreError> {
    let stock = Arc::new(MemoryStock::rebuilt(issued));
    for (item, total) in meta.stock_operations().totals().await? {
        stock.set_total(item, total);
    }
    Withdrawals::new(meta.clone(), stock.clone()).run().await?;
    Ok(stock)
}

/// Does the waiting withdrawals while no server runs.
pub(crate) async fn withdraw_at_rest(held: &Held) -> Result<(), StoreError> {
    let issued = issued_in(held.folder()).await?;
    rebuild_from(issued, held.meta()).await.map(drop)
}
