//! The ledgers in SQL: what shards and the meta database know of the stock.
//!
//! Each call is one transaction at most, on a connection that is kept between calls and dropped
//! after a failure.
use std::collections::BTreeMap;
use std::time::Duration;

use market::batch::Prize;
use market::{ActivityId, AwardId};

use super::ledger::{
    Delivery, GrantOutcome, MetaLedger, NotedReceipt, PendingWithdrawal, Registered, ShardLedger,
    SomeReceipts,
};
use super::server::Spread;
use crate::grant::GrantId;
use crate::meta::{Meta, Withdrawal, prize};
use crate::stock::{Epoch, Part, ServerId};
use crate::store::tables::epochs::EPOCHS;
use crate::store::tables::issued::{COUNTERS, IssuedStatements};
use crate::store::tables::receipts::{RECEIPTS, grant_rows, receipt_row};
use crate::store::{
    Columns, Connection, Database, Input, Lease, MysqlDatabase, Pool, PoolLimits, Rows, Step,
    StoreError, Value, json_rows, out_of_range,
};

/// Void receipts are kept for as long as a request of their batch could still be under way
/// anywhere.
const VOID_KEPT: Duration = Duration::from_hours(7 * 24);

/// How many rows the statements answer or change that work page by page.
const PAGE: usize = 1_000;

macro_rules! texts {
    ($($name:ident),* $(,)?) => {
        $(pub(super) const $name: &str =
            include_str!(concat!("../../../sql/mysql/stock/", stringify!($name), ".sql"));)*
    };
}

/// Statements on the meta database; each text is described in its file.
#[allow(non_upper_case_globals, reason = "named as their files")]
mod texts {
    texts!(
        change_segments,
        end_leases,
        end_withdrawal,
        insert_deliveries,
        insert_layout,
        insert_segments,
        lock_segments,
        lock_server,
        mark_delivered,
        read_deliveries,
        read_given,
        read_layout,
        read_leases,
        read_segments,
        read_server,
        register,
        set_epoch,
        take_leases,
    );
}

/// Connections of a process to a shard for its jobs: reclaiming, folding, counting, and one for
/// each stock server that is looked after. More would only wait for each other's locks there.
const JOBS_LIMITS: PoolLimits = PoolLimits {
    all_max: 4,
    idle_max: 4,
    wait: Duration::from_secs(3),
};

type Link = Lease<MysqlDatabase>;
type Row = <<MysqlDatabase as Database>::Connection as Connection>::Row;

/// Who has a job.
#[derive(Debug)]
pub(crate) struct JobLease {
    pub(crate) job: String,
    pub(crate) holder: String,
    /// How much longer, by the database's clock.
    pub(crate) lasts: Duration,
}

/// What one shard knows, in its database.
#[derive(Debug)]
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
    /// How many units of each prize the shard has issued.
    pub(crate) async fn issued(&self) -> Result<Vec<(Prize, u64)>, StoreError> {
        let mut link = self.kept.get().await?;
        let rows = link
            .rows(IssuedStatements::of(&MysqlDatabase::DIALECT).read, "[]")
            .await?;
        let issued = rows.iter().map(|row| Ok((prize(row, 0)?, row.number(2)?)));
        let issued = issued.collect::<Result<_, StoreError>>()?;
        self.kept.keep(link);
        Ok(issued)
    }
}

impl ShardLedger for SqlShardLedger {
    async fn decide(&self, server: ServerId, grant: GrantId) -> Result<GrantOutcome, StoreError> {
        let mut link = self.kept.get().await?;
        let void = Step::read(RECEIPTS.insert, Input::Rows(receipt_row(grant, true, "[]")));
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
        // Waits for a second, as every session does: later shared locks queue behind this exclusive
        // one.
        link.execute(EPOCHS.raise, &json_rows([(server.0, epoch.0)]))
            .await?;
        let rows = link.rows(EPOCHS.read, &json_rows([[server.0]])).await?;
        let holds = rows.first().ok_or_else(|| out_of_range(0))?.number(0)?;
        self.kept.keep(link);
        Ok(Epoch(holds))
    }

    async fn issued_of(&self, server: ServerId) -> Result<Vec<(Prize, u16, u64)>, StoreError> {
        let mut link = self.kept.get().await?;
        let rows = link
            .rows(COUNTERS.read_of_server, &json_rows([[server.0]]))
            .await?;
        let issued = rows
            .iter()
            .map(|row| Ok((prize(row, 0)?, row.number(2)?, row.number(3)?)));
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
        let delete = Step::read(RECEIPTS.delete, Input::Rows(grant_rows(grants)));
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
                link.run_all(&[Step::read(RECEIPTS.delete_void, input)])
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

/// What the noted row of a grant says.
async fn noted_outcome(
    link: &mut Link,
    server: ServerId,
    grant: GrantId,
) -> Result<GrantOutcome, StoreError> {
    let rows = link.rows(RECEIPTS.read, &json_rows([[grant.0]])).await?;
    let Some(row) = rows.first() else {
        // Still under way, or reclaimed in between, which closes it first.
        return Err(StoreError::Conflict(
            "the grant was there a moment ago".to_owned(),
        ));
    };
    if row.integer(0)? != 0 {
        return Ok(GrantOutcome::Void);
    }
    let (_, mut used) = units(row.text(1)?)?;
    used.retain(|part| part.server == server);
    Ok(GrantOutcome::Committed(used))
}

/// The units in a receipt: `[[server, epoch, [[activity, award, segment, count], ...]], ...]`.
fn units(text: &str) -> Result<(BTreeMap<ServerId, Epoch>, Vec<Part>), StoreError> {
    type OfServer = (u8, u64, Vec<(u64, u64, u16, u32)>);
    let unreadable = || StoreError::Data("a grant's units cannot be read".to_owned());
    let servers: Vec<OfServer> = serde_json::from_str(text).map_err(|_| unreadable())?;
    let epochs = servers
        .iter()
        .map(|&(server, epoch, _)| (ServerId(server), Epoch(epoch)))
        .collect();
    let parts = servers.into_iter().flat_map(|(server, _, units)| {
        units
            .into_iter()
            .map(move |(activity, award, segment, count)| {
                let prize = Prize {
                    activity: ActivityId::new(activity)?,
                    award: AwardId::new(award)?,
                };
                Some(Part {
                    server: ServerId(server),
                    prize,
                    segment,
                    count,
                })
            })
    });
    Ok((epochs, parts.collect::<Option<_>>().ok_or_else(unreadable)?))
}

/// The key of a counter: server, activity, award, segment, run, lane.
#[derive(Debug, Clone, Copy)]
struct CounterKey([u64; 6]);

impl CounterKey {
    fn of(row: &impl Columns) -> Result<Self, StoreError> {
        let mut key = [0; 6];
        for (place, field) in key.iter_mut().enumerate() {
            *field = row.number(place)?;
        }
        Ok(Self(key))
    }
}

/// Adds exactly the counters that it has locked to those of run 0 and deletes exactly them: another
/// who folds them waits, and then finds them gone.
async fn fold_these(link: &mut Link, keys: &[CounterKey]) -> Result<usize, StoreError> {
    link.begin().await?;
    let rows = link
        .rows(COUNTERS.lock, &json_rows(keys.iter().map(|key| key.0)))
        .await?;
    let mut locked = Vec::with_capacity(rows.len());
    let mut sums: BTreeMap<[u64; 4], i64> = BTreeMap::new();
    for row in &rows {
        let CounterKey(key) = keys[row.number::<usize>(0)?.min(keys.len() - 1)];
        *sums.entry([key[0], key[1], key[2], key[3]]).or_default() += row.integer(1)?;
        locked.push(key);
    }
    if !locked.is_empty() {
        let mut counted = Rows::default();
        for ([server, activity, award, segment], count) in sums {
            let [server, activity, award, segment] =
                [server, activity, award, segment].map(|id| Value::Integer(id.cast_signed()));
            counted.push([
                server,
                activity,
                award,
                segment,
                0_u8.into(),
                0_u8.into(),
                Value::Integer(count),
            ]);
        }
        link.run_all(&[Step::read(
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
            .rows(texts::read_layout, "[]")
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

    /// Fixes how many there are.
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

    /// Who has these jobs just now.
    pub(crate) async fn leases(&self, jobs: &[String]) -> Result<Vec<JobLease>, StoreError> {
        let rows = self
            .rows(texts::read_leases, &json_rows(jobs.iter().map(|job| [job])))
            .await?;
        let lease = |row: &Row| {
            let (job, holder) = (row.text(0)?.to_owned(), row.text(1)?.to_owned());
            Ok(JobLease {
                job,
                holder,
                lasts: Duration::from_millis(row.number(2)?),
            })
        };
        rows.iter().map(lease).collect()
    }

    /// Takes the leases of jobs that nobody has, and prolongs those that the holder has.
    pub(crate) async fn take_leases(
        &self,
        jobs: &[String],
        holder: &str,
        ttl: Duration,
    ) -> Result<(), StoreError> {
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        self.execute(
            texts::take_leases,
            &json_rows(jobs.iter().map(|job| (job, holder, ttl_ms))),
        )
        .await
    }

    /// Gives up what the holder has of these.
    pub(crate) async fn end_leases(&self, jobs: &[String], holder: &str) -> Result<(), StoreError> {
        self.execute(
            texts::end_leases,
            &json_rows(jobs.iter().map(|job| (job, holder))),
        )
        .await
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

/// Spreads the units of an addition over the prize's segments and notes which servers have to
/// get some, within the transaction that records it.
pub(crate) async fn record_addition(
    link: &mut impl Connection,
    operation: u64,
    prize: Prize,
    units: u64,
) -> Result<(), StoreError> {
    let layout = link.rows(texts::read_layout, "[]").await?;
    let layout = layout
        .first()
        .ok_or_else(|| StoreError::Data("the stock was never laid out".to_owned()))?;
    let spread = Spread {
        servers: layout.number(0)?,
        segments: layout.number(1)?,
    };
    let (activity, award) = (prize.activity.get(), prize.award.get());
    // The servers first: a rebuild that begins now either counts the addition or gets it later.
    let servers: Vec<[u8; 1]> = (1..=spread.servers).map(|server| [server]).collect();
    let epochs = link.rows(texts::lock_server, &json_rows(servers)).await?;
    let epochs = epochs
        .iter()
        .map(|row| row.number::<u64>(0))
        .collect::<Result<Vec<_>, _>>()?;
    let known = link
        .rows(texts::lock_segments, &json_rows([(activity, award)]))
        .await?;
    let shares: Vec<(u16, u64)> = spread.share(units).collect();
    if known.is_empty() {
        let row = |&(segment, units): &(u16, u64)| {
            (activity, award, segment, spread.server_of(segment).0, units)
        };
        link.execute(texts::insert_segments, &json_rows(shares.iter().map(row)))
            .await?;
    } else {
        let row = |&(segment, units): &(u16, u64)| (activity, award, segment, units);
        link.execute(texts::change_segments, &json_rows(shares.iter().map(row)))
            .await?;
    }
    let delivery = |(server, epoch): (u8, &u64)| {
        let here = shares
            .iter()
            .filter(|(segment, _)| spread.server_of(*segment).0 == server);
        (
            operation,
            server,
            *epoch,
            here.map(|(_, units)| units).sum::<u64>(),
            0_u8,
        )
    };
    let deliveries = (1..=spread.servers).zip(&epochs).map(delivery);
    link.execute(texts::insert_deliveries, &json_rows(deliveries))
        .await
        .map(drop)
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
    ) -> Result<(Epoch, Vec<(Prize, u16, u64)>), StoreError> {
        let mut link = self.kept.get().await?;
        link.begin().await?;
        let rows = link
            .rows(texts::lock_server, &json_rows([[server.0]]))
            .await?;
        let before: u64 = rows.first().ok_or_else(|| out_of_range(0))?.number(0)?;
        let epoch = before.max(seen.0) + 1;
        link.execute(texts::set_epoch, &json_rows([(u64::from(server.0), epoch)]))
            .await?;
        let rows = link
            .rows(texts::read_segments, &json_rows([[server.0]]))
            .await?;
        let total = |row: &Row| {
            // Below zero only by a hand in the database: there is nothing to give out then.
            Ok::<_, StoreError>((
                prize(row, 0)?,
                row.number(2)?,
                row.integer(3)?.max(0).unsigned_abs(),
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
                prize: prize(row, 2)?,
                units: row.number(4)?,
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
        for Withdrawal { id, prize, units } in self.meta.waiting_withdrawals().await? {
            let rows = self.rows(texts::read_given, &json_rows([[id]])).await?;
            let given = rows
                .iter()
                .map(|row| Ok((ServerId(row.number(0)?), row.number(1)?)));
            let given = given.collect::<Result<_, StoreError>>()?;
            pending.push(PendingWithdrawal {
                operation: id,
                prize,
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
            .rows(texts::lock_server, &json_rows([[server.0]]))
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
        match link.execute(texts::insert_deliveries, &delivery).await {
            Ok(_) => {}
            // Another holder of this job has noted the same units; the next round will see them.
            Err(StoreError::Conflict(_)) => {
                link.rollback().await?;
                self.kept.keep(link);
                return Ok(false);
            }
            Err(error) => return Err(error),
        }
        let (activity, award) = (
            withdrawal.prize.activity.get(),
            withdrawal.prize.award.get(),
        );
        let change =
            |&(segment, units): &(u16, u64)| Ok((activity, award, segment, -signed(units)?));
        let changes = taken
            .iter()
            .map(change)
            .collect::<Result<Vec<_>, StoreError>>()?;
        link.execute(texts::change_segments, &json_rows(changes))
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
        link.execute(MysqlDatabase::DIALECT.meta.raise_revision, "[]")
            .await?;
        link.commit().await?;
        self.kept.keep(link);
        Ok(())
    }
}

fn signed(units: u64) -> Result<i64, StoreError> {
    i64::try_from(units).map_err(|_| out_of_range(3))
}
