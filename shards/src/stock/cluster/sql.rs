//! The ledgers in SQL: what shards and the meta database know of the stock.
//!
//! Each call is one transaction at most, on a connection that is kept between calls and dropped
//! after a failure.
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use market::batch::Prize;
use market::{ActivityId, AwardId};

use super::ledger::{Delivery, Fate, MetaLedger, NotedGrant, PendingWithdrawal, Registered, ShardLedger};
use super::server::Spread;
use crate::meta::{Meta, Withdrawal, prize};
use crate::stock::{Epoch, Part, ServerId};
use crate::store::{
    Columns, Connection, Database, GrantId, MYSQL_STOCK, MysqlDatabase, StoreError, json_rows, out_of_range,
};

/// Void rows are kept for as long as a request of their batch could still be under way anywhere.
const VOID_KEPT: Duration = Duration::from_hours(7 * 24);

/// A grant's own row is what a lane asks for when it does not know what became of its batch.
/// Asked later than this, the lane hears that the batch is void and plans it anew, and finds the
/// orders that it made.
const OWN_ROWS_KEPT: Duration = Duration::from_mins(10);

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

/// A connection that is kept between uses.
#[derive(Debug)]
struct Kept<D: Database> {
    database: D,
    idle: Mutex<Option<D::Connection>>,
}

impl<D: Database> Kept<D> {
    fn new(database: D) -> Self {
        Self { database, idle: Mutex::new(None) }
    }

    /// The kept connection, or a new one where somebody else uses it.
    async fn get(&self) -> Result<D::Connection, StoreError> {
        let idle = self.lock().take();
        match idle {
            Some(connection) => Ok(connection),
            None => self.database.connect().await,
        }
    }

    /// Keeps a connection, which must not be in a transaction. Those that saw an error are
    /// dropped instead: nobody knows what state they are in.
    fn keep(&self, connection: D::Connection) {
        *self.lock() = Some(connection);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<D::Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Link = <MysqlDatabase as Database>::Connection;

/// Who has a job.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) job: String,
    pub(crate) holder: String,
    /// How much longer, by the database's clock.
    pub(crate) lasts: Duration,
}

/// What one shard knows, in its database.
#[derive(Debug)]
pub(crate) struct SqlShardLedger {
    kept: Kept<MysqlDatabase>,
}

impl SqlShardLedger {
    pub(crate) fn new(database: MysqlDatabase) -> Self {
        Self { kept: Kept::new(database) }
    }
}

impl ShardLedger for SqlShardLedger {
    async fn decide(&self, server: ServerId, grant: GrantId) -> Result<Fate, StoreError> {
        let mut link = self.kept.get().await?;
        let key = json_rows([(grant.0, server.0)]);
        link.begin().await?;
        let fate = match link.execute(MysqlDatabase::DIALECT.shard.void_grant, &key).await {
            Ok(_) => {
                link.commit().await?;
                Fate::Void
            }
            Err(StoreError::Conflict(_)) => {
                link.rollback().await?;
                noted_fate(&mut link, server, grant).await?
            }
            Err(error) => return Err(error),
        };
        self.kept.keep(link);
        Ok(fate)
    }

    async fn raise_epoch(&self, server: ServerId, epoch: Epoch) -> Result<Epoch, StoreError> {
        let mut link = self.kept.get().await?;
        link.execute(MYSQL_STOCK.raise_epoch, &json_rows([(server.0, epoch.0)])).await?;
        let rows = link.rows(MYSQL_STOCK.read_epoch, &json_rows([[server.0]])).await?;
        let holds = rows.first().ok_or_else(|| out_of_range(0))?.number(0)?;
        self.kept.keep(link);
        Ok(Epoch(holds))
    }

    async fn issued_of(&self, server: ServerId) -> Result<Vec<(Prize, u16, u64)>, StoreError> {
        let mut link = self.kept.get().await?;
        let rows = link.rows(MYSQL_STOCK.read_issued_of, &json_rows([[server.0]])).await?;
        let issued = rows.iter().map(|row| Ok((prize(row, 0)?, row.number(2)?, row.number(3)?)));
        let issued = issued.collect::<Result<_, StoreError>>()?;
        self.kept.keep(link);
        Ok(issued)
    }

    async fn old_grants(&self, server: ServerId, age: Duration) -> Result<Vec<NotedGrant>, StoreError> {
        let mut link = self.kept.get().await?;
        let key = json_rows([(server.0, u64::try_from(age.as_millis()).unwrap_or(u64::MAX))]);
        let rows = link.rows(MYSQL_STOCK.old_grants, &key).await?;
        let noted = |row: &<Link as Connection>::Row| {
            Ok(NotedGrant {
                grant: GrantId(row.number(0)?),
                epoch: Epoch(row.number(1)?),
                used: parts(row.text(2)?, server)?,
            })
        };
        let noted = rows.iter().map(noted).collect::<Result<_, StoreError>>()?;
        self.kept.keep(link);
        Ok(noted)
    }

    async fn roll_up(&self, server: ServerId, grants: &[GrantId]) -> Result<usize, StoreError> {
        let mut link = self.kept.get().await?;
        link.begin().await?;
        let mut grants: Vec<GrantId> = grants.to_vec();
        grants.sort_unstable();
        let keys = json_rows(grants.iter().map(|grant| (server.0, grant.0)));
        // Exactly the rows that are locked here are added and deleted: another holder of this job
        // waits, and then finds them gone.
        let rows = link.rows(MYSQL_STOCK.lock_grants, &keys).await?;
        let noted = |row: &<Link as Connection>::Row| Ok((row.number(0)?, parts(row.text(1)?, server)?));
        let noted: Vec<(u64, Vec<Part>)> = rows.iter().map(noted).collect::<Result<_, StoreError>>()?;
        if !noted.is_empty() {
            add_issued(&mut link, noted.iter().flat_map(|(_, used)| used)).await?;
            let keys = json_rows(noted.iter().map(|(grant, _)| (server.0, grant)));
            let deleted = link.execute(MYSQL_STOCK.delete_grants, &keys).await?;
            if deleted != noted.len() as u64 {
                return Err(StoreError::Conflict(format!(
                    "{deleted} of {} locked grants could be deleted",
                    noted.len()
                )));
            }
        }
        link.commit().await?;
        self.kept.keep(link);
        Ok(noted.len())
    }

    async fn forget_old(&self) -> Result<(), StoreError> {
        let mut link = self.kept.get().await?;
        link.execute(MYSQL_STOCK.forget_void_grants, &json_rows([[VOID_KEPT.as_secs()]])).await?;
        link.execute(MYSQL_STOCK.forget_own_grants, &json_rows([[OWN_ROWS_KEPT.as_secs()]])).await?;
        self.kept.keep(link);
        Ok(())
    }
}

/// What the noted row of a grant says.
async fn noted_fate(link: &mut Link, server: ServerId, grant: GrantId) -> Result<Fate, StoreError> {
    let rows = link.rows(MYSQL_STOCK.read_grant_units, &json_rows([(grant.0, server.0)])).await?;
    let Some(row) = rows.first() else {
        // Rolled up in between, which closes it first: nothing is left to be decided.
        return Err(StoreError::Conflict("the grant was there a moment ago".to_owned()));
    };
    if row.integer(0)? != 0 {
        return Ok(Fate::Void);
    }
    Ok(Fate::Committed(parts(row.text(2)?, server)?))
}

/// The parts in a grant's row: `[[activity, award, segment, count], ...]`.
fn parts(text: &str, server: ServerId) -> Result<Vec<Part>, StoreError> {
    let unreadable = || StoreError::Data("a grant's units cannot be read".to_owned());
    let rows: Vec<(u64, u64, u16, u32)> = serde_json::from_str(text).map_err(|_| unreadable())?;
    let part = |(activity, award, segment, count)| {
        let prize = Prize { activity: ActivityId::new(activity)?, award: AwardId::new(award)? };
        Some(Part { server, prize, segment, count })
    };
    rows.into_iter().map(part).collect::<Option<_>>().ok_or_else(unreadable)
}

/// Adds the units of grants to the counters, whose rows are locked in key order.
async fn add_issued(link: &mut Link, used: impl Iterator<Item = &Part>) -> Result<(), StoreError> {
    let mut counts = std::collections::BTreeMap::new();
    for part in used {
        *counts.entry((part.prize, part.server, part.segment)).or_insert(0_u64) += u64::from(part.count);
    }
    let counts: Vec<_> = counts.into_iter().collect();
    let row = |&((prize, server, segment), count): &((Prize, ServerId, u16), u64)| {
        (prize.activity.get(), prize.award.get(), server.0, segment, count)
    };
    let there = link.rows(MYSQL_STOCK.read_issued_rows, &json_rows(counts.iter().map(row))).await?;
    let places = there.iter().map(|row| row.number::<usize>(0)).collect::<Result<Vec<_>, _>>()?;
    let (old, new): (Vec<_>, Vec<_>) = counts.iter().enumerate().partition(|(place, _)| places.contains(place));
    link.execute(MYSQL_STOCK.add_issued, &json_rows(old.iter().map(|(_, count)| row(count)))).await?;
    // A row that came in between is a duplicate key: undone, and tried again next time.
    link.execute(MYSQL_STOCK.insert_issued, &json_rows(new.iter().map(|(_, count)| row(count)))).await?;
    Ok(())
}

/// What the meta database knows of the stock.
#[derive(Debug)]
pub(crate) struct SqlMetaLedger {
    meta: Meta<MysqlDatabase>,
    kept: Kept<MysqlDatabase>,
    spread: Spread,
}

impl SqlMetaLedger {
    pub(crate) fn new(meta: Meta<MysqlDatabase>, spread: Spread) -> Self {
        Self { kept: Kept::new(meta.database().clone()), meta, spread }
    }

    /// How the stock is spread.
    pub(crate) fn spread(&self) -> Spread {
        self.spread
    }

    /// How many servers and segments were fixed at the first start.
    pub(crate) async fn layout(database: &MysqlDatabase) -> Result<Option<Spread>, StoreError> {
        let rows = database.connect().await?.rows(texts::read_layout, "[]").await?;
        rows.first().map(|row| Ok(Spread { servers: row.number(0)?, segments: row.number(1)? })).transpose()
    }

    /// Fixes how many there are.
    pub(crate) async fn fix_layout(database: &MysqlDatabase, spread: Spread) -> Result<(), StoreError> {
        let row = json_rows([(u16::from(spread.servers), spread.segments)]);
        database.connect().await?.execute(texts::insert_layout, &row).await.map(drop)
    }

    /// Who has these jobs just now.
    pub(crate) async fn leases(&self, jobs: &[String]) -> Result<Vec<Lease>, StoreError> {
        let rows = self.rows(texts::read_leases, &json_rows(jobs.iter().map(|job| [job]))).await?;
        let lease = |row: &<Link as Connection>::Row| {
            let (job, holder) = (row.text(0)?.to_owned(), row.text(1)?.to_owned());
            Ok(Lease { job, holder, lasts: Duration::from_millis(row.number(2)?) })
        };
        rows.iter().map(lease).collect()
    }

    /// Takes the leases of jobs that nobody has, and prolongs those that the holder has.
    pub(crate) async fn take_leases(&self, jobs: &[String], holder: &str, ttl: Duration) -> Result<(), StoreError> {
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        self.execute(texts::take_leases, &json_rows(jobs.iter().map(|job| (job, holder, ttl_ms)))).await
    }

    /// Gives up what the holder has of these.
    pub(crate) async fn end_leases(&self, jobs: &[String], holder: &str) -> Result<(), StoreError> {
        self.execute(texts::end_leases, &json_rows(jobs.iter().map(|job| (job, holder)))).await
    }

    async fn rows(&self, sql: &str, key: &str) -> Result<Vec<<Link as Connection>::Row>, StoreError> {
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
    let layout = layout.first().ok_or_else(|| StoreError::Data("the stock was never laid out".to_owned()))?;
    let spread = Spread { servers: layout.number(0)?, segments: layout.number(1)? };
    let (activity, award) = (prize.activity.get(), prize.award.get());
    // The servers first: a rebuild that begins now either counts the addition or gets it later.
    let servers: Vec<[u8; 1]> = (1..=spread.servers).map(|server| [server]).collect();
    let epochs = link.rows(texts::lock_server, &json_rows(servers)).await?;
    let epochs = epochs.iter().map(|row| row.number::<u64>(0)).collect::<Result<Vec<_>, _>>()?;
    let known = link.rows(texts::lock_segments, &json_rows([(activity, award)])).await?;
    let shares: Vec<(u16, u64)> = spread.share(units).collect();
    if known.is_empty() {
        let row = |&(segment, units): &(u16, u64)| (activity, award, segment, spread.server_of(segment).0, units);
        link.execute(texts::insert_segments, &json_rows(shares.iter().map(row))).await?;
    } else {
        let row = |&(segment, units): &(u16, u64)| (activity, award, segment, units);
        link.execute(texts::change_segments, &json_rows(shares.iter().map(row))).await?;
    }
    let delivery = |(server, epoch): (u8, &u64)| {
        let here = shares.iter().filter(|(segment, _)| spread.server_of(*segment).0 == server);
        (operation, server, *epoch, here.map(|(_, units)| units).sum::<u64>(), 0_u8)
    };
    let deliveries = (1..=spread.servers).zip(&epochs).map(delivery);
    link.execute(texts::insert_deliveries, &json_rows(deliveries)).await.map(drop)
}

impl MetaLedger for SqlMetaLedger {
    async fn registered(&self, server: ServerId) -> Result<Registered, StoreError> {
        let rows = self.rows(texts::read_server, &json_rows([[server.0]])).await?;
        let row = rows.first().ok_or_else(|| out_of_range(0))?;
        let run_id = row.text(1)?;
        Ok(Registered { epoch: Epoch(row.number(0)?), run_id: (!run_id.is_empty()).then(|| run_id.to_owned()) })
    }

    async fn raise_epoch(&self, server: ServerId, seen: Epoch) -> Result<(Epoch, Vec<(Prize, u16, u64)>), StoreError> {
        let mut link = self.kept.get().await?;
        link.begin().await?;
        let rows = link.rows(texts::lock_server, &json_rows([[server.0]])).await?;
        let before: u64 = rows.first().ok_or_else(|| out_of_range(0))?.number(0)?;
        let epoch = before.max(seen.0) + 1;
        link.execute(texts::set_epoch, &json_rows([(u64::from(server.0), epoch)])).await?;
        let rows = link.rows(texts::read_segments, &json_rows([[server.0]])).await?;
        let total = |row: &<Link as Connection>::Row| {
            // Below zero only by a hand in the database: there is nothing to give out then.
            Ok::<_, StoreError>((prize(row, 0)?, row.number(2)?, row.integer(3)?.max(0).unsigned_abs()))
        };
        let totals = rows.iter().map(total).collect::<Result<_, _>>()?;
        link.commit().await?;
        self.kept.keep(link);
        Ok((Epoch(epoch), totals))
    }

    async fn register(&self, server: ServerId, epoch: Epoch, run_id: &str) -> Result<(), StoreError> {
        self.execute(texts::register, &json_rows([(u64::from(server.0), epoch.0, run_id)])).await
    }

    async fn deliveries(&self, server: ServerId) -> Result<Vec<Delivery>, StoreError> {
        let rows = self.rows(texts::read_deliveries, &json_rows([[server.0]])).await?;
        let delivery = |row: &<Link as Connection>::Row| {
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
        self.execute(texts::mark_delivered, &json_rows([(delivery.operation, delivery.server.0)])).await
    }

    async fn withdrawals(&self) -> Result<Vec<PendingWithdrawal>, StoreError> {
        let mut pending = Vec::new();
        for Withdrawal { id, prize, units } in self.meta.waiting_withdrawals().await? {
            let rows = self.rows(texts::read_given, &json_rows([[id]])).await?;
            let given = rows.iter().map(|row| Ok((ServerId(row.number(0)?), row.number(1)?)));
            let given = given.collect::<Result<_, StoreError>>()?;
            pending.push(PendingWithdrawal { operation: id, prize, units, given });
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
        let rows = link.rows(texts::lock_server, &json_rows([[server.0]])).await?;
        let current: u64 = rows.first().ok_or_else(|| out_of_range(0))?.number(0)?;
        if current != epoch.0 {
            link.rollback().await?;
            self.kept.keep(link);
            return Ok(false);
        }
        let units: u64 = taken.iter().map(|(_, units)| units).sum();
        let delivery = json_rows([(withdrawal.operation, u64::from(server.0), epoch.0, units, 1_u8)]);
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
        let (activity, award) = (withdrawal.prize.activity.get(), withdrawal.prize.award.get());
        let change = |&(segment, units): &(u16, u64)| Ok((activity, award, segment, -signed(units)?));
        let changes = taken.iter().map(change).collect::<Result<Vec<_>, StoreError>>()?;
        link.execute(texts::change_segments, &json_rows(changes)).await?;
        link.commit().await?;
        self.kept.keep(link);
        Ok(true)
    }

    async fn end_withdrawal(&self, operation: u64) -> Result<(), StoreError> {
        let mut link = self.kept.get().await?;
        link.begin().await?;
        link.execute(texts::end_withdrawal, &json_rows([[operation]])).await?;
        link.execute(MysqlDatabase::DIALECT.meta.raise_revision, "[]").await?;
        link.commit().await?;
        self.kept.keep(link);
        Ok(())
    }
}

fn signed(units: u64) -> Result<i64, StoreError> {
    i64::try_from(units).map_err(|_| out_of_range(3))
}
