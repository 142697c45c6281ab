//! The part of the meta database, in SQL. Each call is one transaction at most, on a connection
//! that is kept between calls and dropped after a failure.
use market::batch::StockItem;

use super::ledger::{Delivery, MetaLedger, PendingWithdrawal, Registered};
use crate::meta::{Meta, StockAdditionStatements, Withdrawal, item, raise_revision};
use crate::stock::ids::{Epoch, ServerId};
use crate::stock::spread::Spread;
use crate::store::{
    Columns, Connection, Database, MysqlDatabase, Pool, StoreError, json_rows, out_of_range,
};

macro_rules! texts {
    ($($name:ident),* $(,)?) => {
        $(pub(super) const $name: &str =
            include_str!(concat!("../../../sql/mysql/stock/", stringify!($name), ".sql"));)*
    };
}

/// Statements on the meta database; each file describes its own.
#[allow(non_upper_case_globals, reason = "named as their files")]
mod texts {
    texts!(
        end_withdrawal,
        insert_layout,
        mark_delivered,
        read_deliveries,
        read_given,
        read_segments,
        read_server,
        register,
        set_epoch,
    );
}

/// Statements that additions of stock use too.
const SHARED: &StockAdditionStatements = StockAdditionStatements::MYSQL;

type Row = <<MysqlDatabase as Database>::Connection as Connection>::Row;

/// What the meta database knows of the stock.
#[derive(Debug)]
pub(crate) struct SqlMetaLedger {
    meta: Meta<MysqlDatabase>,
    kept: Pool<MysqlDatabase>,
    spread: Spread,
}

impl SqlMetaLedger {
    pub(crate) fn new(meta: Meta<MysqlDatabase>, spread: Spread) -> Self {
        Self {
            kept: meta.pool().clone(),
            meta,
            spread,
        }
    }

    /// How the stock is spread.
    pub(crate) fn spread(&self) -> Spread {
        self.spread
    }

    /// How many servers and segments were fixed at the first start.
    pub(crate) async fn layout(database: &MysqlDatabase) -> Result<Option<Spread>, StoreError> {
        let rows = database
            .connect()
            .await?
            .rows(SHARED.read_layout, "[]")
            .await?;
        rows.first()
            .map(|row| {
                Ok(Spread {
                    servers: row.number(0)?,
                    segments: row.number(1)?,
                })
            })
            .transpose()
    }

    /// Fixes the number of servers and segments.
    pub(crate) async fn fix_layout(
        database: &MysqlDatabase,
        spread: Spread,
    ) -> Result<(), StoreError> {
        let row = json_rows([(u16::from(spread.servers), spread.segments)]);
        database
            .connect()
            .await?
            .execute(texts::insert_layout, &row)
            .await
            .map(drop)
    }

    async fn rows(&self, sql: &str, key: &str) -> Result<Vec<Row>, StoreError> {
        let mut link = self.kept.get().await?;
        let rows = link.rows(sql, key).await?;
        self.kept.keep(link);
        Ok(rows)
    }

    async fn execute(&self, sql: &str, key: &str) -> Result<(), StoreError> {
        let mut link = self.kept.get().await?;
        link.execute(sql, key).await?;
        self.kept.keep(link);
        Ok(())
    }
}

impl MetaLedger for SqlMetaLedger {
    async fn registered(&self, server: ServerId) -> Result<Registered, StoreError> {
        let rows = self
            .rows(texts::read_server, &json_rows([[server.0]]))
            .await?;
        let row = rows.first().ok_or_else(|| out_of_range(0))?;
        let run_id = row.text(1)?;
        Ok(Registered {
            epoch: Epoch(row.number(0)?),
            run_id: (!run_id.is_empty()).then(|| run_id.to_owned()),
        })
    }

    async fn raise_epoch(
        &self,
        server: ServerId,
        seen: Epoch,
    ) -> Result<(Epoch, Vec<(StockItem, u16, u64)>), StoreError> {
        let mut link = self.kept.get().await?;
        link.begin().await?;
        let rows = link
            .rows(SHARED.lock_server, &json_rows([[server.0]]))
            .await?;
        let before: u64 = rows.first().ok_or_else(|| out_of_range(0))?.number(0)?;
        let epoch = before.max(seen.0) + 1;
        link.execute(texts::set_epoch, &json_rows([(u64::from(server.0), epoch)]))
            .await?;
        let rows = link
            .rows(texts::read_segments, &json_rows([[server.0]]))
            .await?;
        let total = |row: &Row| {
            // It is below zero only after a manual change: no unit can be given out then.
            Ok::<_, StoreError>((
                item(row, 0)?,
                row.number(3)?,
                row.integer(4)?.max(0).unsigned_abs(),
            ))
        };
        let totals = rows.iter().map(total).collect::<Result<_, _>>()?;
        link.commit().await?;
        self.kept.keep(link);
        Ok((Epoch(epoch), totals))
    }

    async fn register(
        &self,
        server: ServerId,
        epoch: Epoch,
        run_id: &str,
    ) -> Result<(), StoreError> {
        self.execute(
            texts::register,
            &json_rows([(u64::from(server.0), epoch.0, run_id)]),
        )
        .await
    }

    async fn deliveries(&self, server: ServerId) -> Result<Vec<Delivery>, StoreError> {
        let rows = self
            .rows(texts::read_deliveries, &json_rows([[server.0]]))
            .await?;
        let delivery = |row: &Row| {
            Ok(Delivery {
                operation: row.number(0)?,
                server,
                epoch: Epoch(row.number(1)?),
                item: item(row, 2)?,
                units: row.number(5)?,
            })
        };
        rows.iter().map(delivery).collect()
    }

    async fn delivered(&self, delivery: &Delivery) -> Result<(), StoreError> {
        self.execute(
            texts::mark_delivered,
            &json_rows([(delivery.operation, delivery.server.0)]),
        )
        .await
    }

    async fn withdrawals(&self) -> Result<Vec<PendingWithdrawal>, StoreError> {
        let mut pending = Vec::new();
        for Withdrawal { id, item, units } in
            self.meta.stock_operations().waiting_withdrawals().await?
        {
            let rows = self.rows(texts::read_given, &json_rows([[id]])).await?;
            let given = rows
                .iter()
                .map(|row| Ok((ServerId(row.number(0)?), row.number(1)?)));
            let given = given.collect::<Result<_, StoreError>>()?;
            pending.push(PendingWithdrawal {
                operation: id,
                item,
                units,
                given,
            });
        }
        Ok(pending)
    }

    async fn note_withdrawn(
        &self,
        withdrawal: &PendingWithdrawal,
        server: ServerId,
        epoch: Epoch,
        taken: &[(u16, u64)],
    ) -> Result<bool, StoreError> {
        let mut link = self.kept.get().await?;
        link.begin().await?;
        let rows = link
            .rows(SHARED.lock_server, &json_rows([[server.0]]))
            .await?;
        let current: u64 = rows.first().ok_or_else(|| out_of_range(0))?.number(0)?;
        if current != epoch.0 {
            link.rollback().await?;
            self.kept.keep(link);
            return Ok(false);
        }
        let units: u64 = taken.iter().map(|(_, units)| units).sum();
        let delivery = json_rows([(
            withdrawal.operation,
            u64::from(server.0),
            epoch.0,
            units,
            1_u8,
        )]);
        match link.execute(SHARED.insert_deliveries, &delivery).await {
            Ok(_) => {}
            // Another holder of this job has noted the same units. The next round finds them.
            Err(StoreError::Conflict(_)) => {
                link.rollback().await?;
                self.kept.keep(link);
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        let StockItem { activity, good } = withdrawal.item;
        let (activity, kind, good) = (activity.get(), good.kind(), good.id());
        let change =
            |&(segment, units): &(u16, u64)| Ok((activity, kind, good, segment, -signed(units)?));
        let changes = taken
            .iter()
            .map(change)
            .collect::<Result<Vec<_>, StoreError>>()?;
        link.execute(SHARED.change_segments, &json_rows(changes))
            .await?;
        link.commit().await?;
        self.kept.keep(link);
        Ok(true)
    }

    async fn end_withdrawal(&self, operation: u64) -> Result<(), StoreError> {
        let mut link = self.kept.get().await?;
        link.begin().await?;
        link.execute(texts::end_withdrawal, &json_rows([[operation]]))
            .await?;
        raise_revision::<MysqlDatabase>(&mut link).await?;
        link.commit().await?;
        self.kept.keep(link);
        Ok(())
    }
}

fn signed(units: u64) -> Result<i64, StoreError> {
    i64::try_from(units).map_err(|_| out_of_range(3))
}
