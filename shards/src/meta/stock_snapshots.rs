//! The running servers' view of the stock, written for people and for the audit.
use jiff::Timestamp;

use super::columns::{NOTHING, item};
use super::statements::statements;
use super::topic::topic;
use crate::stock::snapshot::Snapshot;
use crate::store::{Columns, Database, StoreError, json_rows};

statements! {
    /// Statements on snapshots of the stock. There is one row per item.
    SnapshotStatements in "stock_snapshots" {
        /// Deletes all.
        delete_all,
        /// Writes some, each in place of the item's last one.
        put,
        /// Reads all.
        read,
    }
}

topic! {
    /// Snapshots of an installation's stock.
    StockSnapshots,
    /// The snapshots of its stock.
    stock_snapshots
}

impl<D: Database> StockSnapshots<'_, D> {
    const SQL: &'static SnapshotStatements = SnapshotStatements::of::<D>();

    /// Deletes the view that an earlier server had of its stock.
    pub async fn forget(&self) -> Result<(), StoreError> {
        self.0
            .execute(Self::SQL.delete_all, NOTHING)
            .await
            .map(drop)
    }

    /// Writes the running server's view of its stock.
    pub async fn write(&self, snapshots: &[Snapshot], now: Timestamp) -> Result<(), StoreError> {
        let row = |snapshot: &Snapshot| {
            (
                snapshot.item.activity.get(),
                snapshot.item.good.kind(),
                snapshot.item.good.id(),
                snapshot.total,
                snapshot.left,
                snapshot.open,
                snapshot.issued,
                now.as_millisecond(),
            )
        };
        let rows = json_rows(snapshots.iter().map(row));
        self.0.execute(Self::SQL.put, &rows).await.map(drop)
    }

    /// The latest view that a server wrote of its stock.
    pub async fn read(&self) -> Result<Vec<Snapshot>, StoreError> {
        let rows = self.0.rows(Self::SQL.read, NOTHING).await?;
        rows.iter().map(snapshot).collect()
    }
}

fn snapshot(row: &impl Columns) -> Result<Snapshot, StoreError> {
    Ok(Snapshot {
        item: item(row, 0)?,
        total: row.number(3)?,
        left: row.number(4)?,
        open: row.number(5)?,
        issued: row.number(6)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::testing::{fresh, mug, now, over_each_database};

    async fn the_last_snapshot_counts<D: Database>(database: D) {
        let meta = fresh(database).await;
        let snapshot = |left| Snapshot {
            item: mug(),
            total: 50,
            left,
            open: 3,
            issued: 47 - left,
        };
        for left in [40, 7] {
            for written in ["written", "written again"] {
                meta.stock_snapshots()
                    .write(&[snapshot(left)], now())
                    .await
                    .expect(written);
            }
            assert_eq!(
                meta.stock_snapshots().read().await,
                Ok(vec![snapshot(left)])
            );
        }
        meta.stock_snapshots().forget().await.expect("forgotten");
        assert_eq!(meta.stock_snapshots().read().await, Ok(vec![]));
    }

    over_each_database!(the_last_snapshot_counts);
}
