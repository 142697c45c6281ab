//! The part of a shard, in SQL. Each call is one transaction at most, on a connection that is kept
//! between calls and dropped after a failure.
use std::collections::BTreeMap;
use std::time::Duration;

use market::ActivityId;
use market::batch::{Good, StockItem};

use serde::Deserialize;

use super::ledger::{GrantOutcome, NotedReceipt, ShardLedger, SomeReceipts};
use crate::grant::GrantId;
use crate::meta::item;
use crate::stock::grants::Part;
use crate::stock::ids::{Epoch, ServerId};
use crate::store::tables::epochs::EPOCHS;
use crate::store::tables::issued::{COUNTERS, IssuedStatements};
use crate::store::tables::receipts::{RECEIPTS, grant_rows, receipt_row};
use crate::store::{
    Columns, Connection, Database, Input, MysqlDatabase, Pool, PoolLimits, PooledConnection, Rows,
    SqlStep, StoreError, Value, json_rows, out_of_range,
};

/// How long void receipts are kept: longer than any request of their batch can be under way.
const VOID_KEPT: Duration = Duration::from_hours(7 * 24);

/// The rows that a statement returns or changes which works page by page.
const PAGE: usize = 1_000;

/// Connections of a process to a shard for its jobs. More of them would only wait for each other's
/// locks.
const JOBS_LIMITS: PoolLimits = PoolLimits {
    all_max: 4,
    idle_max: 4,
    wait: Duration::from_secs(3),
};

type Link = PooledConnection<MysqlDatabase>;

/// The part of one shard, in its database.
#[derive(Debug, Clone)]
pub(crate) struct SqlShardLedger {
    kept: Pool<MysqlDatabase>,
}

impl SqlShardLedger {
    pub(crate) fn new(database: MysqlDatabase) -> Self {
        Self {
            kept: Pool::new(database, JOBS_LIMITS),
        }
    }
}

impl SqlShardLedger {
    /// How many units of each item the shard has issued.
    pub(crate) async fn issued(&self) -> Result<Vec<(StockItem, u64)>, StoreError> {
        let mut link = self.kept.get().await?;
        let rows = link
            .rows(IssuedStatements::of(&MysqlDatabase::DIALECT).read, "[]")
            .await?;
        let issued = rows.iter().map(|row| Ok((item(row, 0)?, row.number(3)?)));
        let issued = issued.collect::<Result<_, StoreError>>()?;
        self.kept.keep(link);
        Ok(issued)
    }
}

impl ShardLedger for SqlShardLedger {
    async fn decide(&self, server: ServerId, grant: GrantId) -> Result<GrantOutcome, StoreError> {
        let mut link = self.kept.get().await?;
        let void = SqlStep::read(RECEIPTS.insert, Input::Rows(receipt_row(grant, true, "[]")));
        let outcome = match link.begin_with(&[void]).await {
            Ok(_) => {
                link.commit().await?;
                GrantOutcome::Void
            }
            Err(StoreError::Conflict(_)) => {
                link.rollback().await?;
                noted_outcome(&mut link, server, grant).await?
            }
            Err(error) => return Err(error),
        };
        self.kept.keep(link);
        Ok(outcome)
    }

    async fn raise_epoch(&self, server: ServerId, epoch: Epoch) -> Result<Epoch, StoreError> {
        let mut link = self.kept.get().await?;
        // Waits for a second at most, as every session does: later shared locks queue behind this
        // exclusive one.
        link.execute(EPOCHS.raise, &json_rows([(server.0, epoch.0)]))
            .await?;
        let rows = link.rows(EPOCHS.read, &json_rows([[server.0]])).await?;
        let holds = rows.first().ok_or_else(|| out_of_range(0))?.number(0)?;
        self.kept.keep(link);
        Ok(Epoch(holds))
    }

    async fn issued_of(&self, server: ServerId) -> Result<Vec<(StockItem, u16, u64)>, StoreError> {
        let mut link = self.kept.get().await?;
        let rows = link
            .rows(COUNTERS.read_of_server, &json_rows([[server.0]]))
            .await?;
        let issued = rows
            .iter()
            .map(|row| Ok((item(row, 0)?, row.number(3)?, row.number(4)?)));
        let issued = issued.collect::<Result<_, StoreError>>()?;
        self.kept.keep(link);
        Ok(issued)
    }

    async fn old_receipts(
        &self,
        age: Duration,
        after: GrantId,
    ) -> Result<SomeReceipts, StoreError> {
        let mut link = self.kept.get().await?;
        let rows = link.rows(RECEIPTS.old, &json_rows([[after.0]])).await?;
        let mut page = SomeReceipts {
            receipts: Vec::new(),
            next: None,
        };
        for row in &rows {
            let grant = GrantId(row.number(0)?);
            page.next = (rows.len() == PAGE).then_some(grant);
            if row.integer(1)? >= i64::try_from(age.as_millis()).unwrap_or(i64::MAX) {
                let (epochs, used) = units(row.text(2)?)?;
                page.receipts.push(NotedReceipt {
                    grant,
                    epochs,
                    used,
                });
            }
        }
        self.kept.keep(link);
        Ok(page)
    }

    async fn count_old(&self, age: Duration) -> Result<u64, StoreError> {
        let mut link = self.kept.get().await?;
        let rows = link
            .rows(RECEIPTS.count_old, &json_rows([[millis(age)]]))
            .await?;
        let count = rows.first().ok_or_else(|| out_of_range(0))?.number(0)?;
        self.kept.keep(link);
        Ok(count)
    }

    async fn delete_receipts(&self, grants: &[GrantId]) -> Result<usize, StoreError> {
        if grants.is_empty() {
            return Ok(0);
        }
        let mut link = self.kept.get().await?;
        let delete = SqlStep::read(RECEIPTS.delete, Input::Rows(grant_rows(grants)));
        let deleted = link
            .run_all(&[delete])
            .await?
            .iter()
            .map(|outcome| outcome.touched)
            .sum::<u64>();
        self.kept.keep(link);
        Ok(usize::try_from(deleted).unwrap_or(usize::MAX))
    }

    async fn forget_void(&self) -> Result<(), StoreError> {
        let mut link = self.kept.get().await?;
        let age = json_rows([[VOID_KEPT.as_secs()]]);
        loop {
            let rows = link.rows(RECEIPTS.old_void, &age).await?;
            let grants = rows
                .iter()
                .map(|row| Ok(GrantId(row.number(0)?)))
                .collect::<Result<Vec<_>, StoreError>>()?;
            if !grants.is_empty() {
                let input = Input::Rows(grant_rows(&grants));
                link.run_all(&[SqlStep::read(RECEIPTS.delete_void, input)])
                    .await?;
            }
            if grants.len() < PAGE {
                break;
            }
        }
        self.kept.keep(link);
        Ok(())
    }

    async fn fold(&self, idle: Duration) -> Result<usize, StoreError> {
        let mut link = self.kept.get().await?;
        let mut folded = 0;
        loop {
            let rows = link
                .rows(COUNTERS.idle, &json_rows([[idle.as_secs()]]))
                .await?;
            let keys = rows
                .iter()
                .map(CounterKey::of)
                .collect::<Result<Vec<_>, _>>()?;
            if !keys.is_empty() {
                folded += fold_these(&mut link, &keys).await?;
            }
            if keys.len() < PAGE {
                break;
            }
        }
        self.kept.keep(link);
        Ok(folded)
    }
}

fn millis(age: Duration) -> u64 {
    u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
}

/// The outcome of a grant, from its row.
async fn noted_outcome(
    link: &mut Link,
    server: ServerId,
    grant: GrantId,
) -> Result<GrantOutcome, StoreError> {
    let rows = link.rows(RECEIPTS.read, &json_rows([[grant.0]])).await?;
    let Some(row) = rows.first() else {
        // Its batch is still under way, or the row was reclaimed just now, after the grant was
        // closed.
        return Err(StoreError::Conflict(
            "the grant's row was there a moment ago".to_owned(),
        ));
    };
    if row.integer(0)? != 0 {
        return Ok(GrantOutcome::Void);
    }
    let (_, mut used) = units(row.text(1)?)?;
    used.retain(|part| part.server == server);
    Ok(GrantOutcome::Committed(used))
}

/// Some units in a receipt.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
enum NotedUnits {
    /// Activity, kind of the good, good, segment, count.
    Good(u64, u8, u64, u16, u32),
    /// Activity, award, segment, count: as the version before wrote it, which knew awards only.
    Award(u64, u64, u16, u32),
}

impl NotedUnits {
    fn part(self, server: ServerId) -> Option<Part> {
        let (activity, kind, good, segment, count) = match self {
            Self::Good(activity, kind, good, segment, count) => {
                (activity, kind, good, segment, count)
            }
            Self::Award(activity, award, segment, count) => (activity, 0, award, segment, count),
        };
        let (activity, good) = (ActivityId::new(activity)?, Good::stored(kind, good)?);
        Some(Part {
            server,
            item: StockItem { activity, good },
            segment,
            count,
        })
    }
}

/// The units in a receipt: `[[server, epoch, [[activity, kind, good, segment, count], ...]], ...]`.
fn units(text: &str) -> Result<(BTreeMap<ServerId, Epoch>, Vec<Part>), StoreError> {
    type OfServer = (u8, u64, Vec<NotedUnits>);
    let unreadable = || StoreError::Data("a grant's units cannot be read".to_owned());
    let servers: Vec<OfServer> = serde_json::from_str(text).map_err(|_| unreadable())?;
    let epochs = servers
        .iter()
        .map(|&(server, epoch, _)| (ServerId(server), Epoch(epoch)))
        .collect();
    let parts = servers.into_iter().flat_map(|(server, _, units)| {
        units
            .into_iter()
            .map(move |units| units.part(ServerId(server)))
    });
    Ok((epochs, parts.collect::<Option<_>>().ok_or_else(unreadable)?))
}

/// The key of a counter: server, activity, kind of the good, good, segment, run, lane.
#[derive(Debug, Clone, Copy)]
struct CounterKey([u64; 7]);

impl CounterKey {
    fn of(row: &impl Columns) -> Result<Self, StoreError> {
        let mut key = [0; 7];
        for (index, field) in key.iter_mut().enumerate() {
            *field = row.number(index)?;
        }
        Ok(Self(key))
    }
}

/// Adds the counters that it has locked to those of run 0, and deletes exactly these. Another
/// process that folds them waits, and finds them gone.
async fn fold_these(link: &mut Link, keys: &[CounterKey]) -> Result<usize, StoreError> {
    link.begin().await?;
    let rows = link
        .rows(COUNTERS.lock, &json_rows(keys.iter().map(|key| key.0)))
        .await?;
    let mut locked = Vec::with_capacity(rows.len());
    let mut sums: BTreeMap<[u64; 5], i64> = BTreeMap::new();
    for row in &rows {
        let CounterKey(key) = keys[row.number::<usize>(0)?.min(keys.len() - 1)];
        *sums
            .entry([key[0], key[1], key[2], key[3], key[4]])
            .or_default() += row.integer(1)?;
        locked.push(key);
    }
    if !locked.is_empty() {
        let mut counted = Rows::default();
        for (key, count) in sums {
            let [server, activity, kind, good, segment] =
                key.map(|id| Value::Integer(id.cast_signed()));
            counted.push([
                server,
                activity,
                kind,
                good,
                segment,
                0_u8.into(),
                0_u8.into(),
                Value::Integer(count),
            ]);
        }
        link.run_all(&[SqlStep::read(
            IssuedStatements::of(&MysqlDatabase::DIALECT).count,
            Input::Rows(counted),
        )])
        .await?;
        let deleted = link.execute(COUNTERS.delete, &json_rows(&locked)).await?;
        if deleted != locked.len() as u64 {
            return Err(StoreError::Conflict(format!(
                "{deleted} of {} locked counters could be deleted",
                locked.len()
            )));
        }
    }
    link.commit().await?;
    Ok(locked.len())
}
