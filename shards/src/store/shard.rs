//! A shard in an SQL database: what a lane asks of it, as statements.
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use market::batch::{Batch, Known, Settlement};
use market::points::PointsEntry;
use market::{Call, MadeCall};
use router::{ShardId, SlotMap};

use super::claims::ClaimChanges;
use super::grant::GrantNote;
use super::lane_tables::LaneTables;
use super::makings::Makings;
use super::rows::json_rows;
use super::shard_store::{
    CallKeys, CommitVerdict, FetchedBatch, InDoubtBatch, OnLock, PersistError, ShardStore,
};
use super::tables::Writes;
use super::tables::accounts::Accounts;
use super::tables::calls::Calls;
use super::tables::points_accounts::PointsAccounts;
use super::tables::points_entries::PointsEntries;
use super::tables::receipts::{RECEIPTS, receipt_row};
use super::tables::sign_ins::SignIns;
use super::tables::user_awards::UserAwards;
use super::wanted_rows::WantedRows;
use super::{
    Columns, Connection, Database, ExpectedRows, Input, Issuing, RunCheck, SqlOutcome, SqlStep,
    StoreError, check_all,
};
use crate::grant::GrantId;
use crate::stock::grants::Receipt;

/// A shard in an SQL database.
#[derive(Debug)]
pub struct SqlShard<D: Database> {
    database: D,
    tables: LaneTables,
    /// `None` before the first use and after a failure: the next use connects again.
    connection: Option<D::Connection>,
    /// The calls that the transaction has inserted before it was planned.
    claimed: Vec<Call>,
    /// Made before the first batch.
    check: Option<Arc<RunCheck>>,
}

impl<D: Database> SqlShard<D> {
    /// The users that `map` sends to these tables of `shard`, which is in `database`. Connects at
    /// the first use.
    pub fn new(database: D, map: SlotMap, shard: ShardId, tables: Range<u16>) -> Self {
        let tables = LaneTables::new(&D::DIALECT, map, shard, tables);
        Self {
            database,
            tables,
            connection: None,
            claimed: Vec::new(),
            check: None,
        }
    }

    /// Makes this check before the first batch.
    pub(crate) fn checked_by(self, check: Arc<RunCheck>) -> Self {
        Self {
            check: Some(check),
            ..self
        }
    }

    /// Makes sure that the ids which the lane was given are new to the shard.
    async fn check_runs(&mut self) -> Result<(), StoreError> {
        let Some(check) = self.check.clone() else {
            return Ok(());
        };
        let connection = connected(&self.database, &mut self.connection).await?;
        check.make::<D>(connection).await??;
        self.check = None;
        Ok(())
    }

    async fn fetch(
        &mut self,
        batch: &Batch,
        keys: CallKeys,
        on_lock: OnLock,
        with_clock: bool,
    ) -> Result<FetchedBatch, StoreError> {
        let clock = D::DIALECT
            .clock
            .filter(|_| with_clock)
            .map(|sql| SqlStep::read(sql, Input::Nothing));
        let clocks = usize::from(clock.is_some());
        let (wanted, claimed) = match keys {
            CallKeys::Claim(calls) => (WantedRows::without_calls(&self.tables, batch), calls),
            CallKeys::LookUp => (WantedRows::with_calls(&self.tables, batch), Vec::new()),
        };
        self.claimed = claimed;
        let claimed: Vec<&Call> = self.claimed.iter().collect();
        let mut writes = Writes::default();
        let refuses = on_lock == OnLock::Refuse;
        self.tables.write_new::<Calls>(
            &claimed,
            |sql| {
                if refuses {
                    &sql.calls.claim
                } else {
                    &sql.calls.insert
                }
            },
            &mut writes,
        );
        let mut steps = Vec::from_iter(clock);
        steps.extend(wanted.steps(&self.tables, on_lock));
        steps.extend(writes.in_order());
        let connection = connected(&self.database, &mut self.connection).await?;
        let found = connection.begin_with(&steps).await?;
        check_all(&steps, &found, D::DIALECT.changed_row_count)?;
        let mut found = found.into_iter();
        let database_time = found
            .by_ref()
            .take(clocks)
            .next()
            .map(|outcome| time_of(&outcome))
            .transpose()?;
        let (known, calls) = wanted.read(found)?;
        let calls = self.made_by(calls).await?;
        Ok(FetchedBatch {
            known: Known { calls, ..known },
            database_time,
        })
    }

    /// Reads what earlier calls made. Only a batch with repeated calls has any, and asks.
    async fn made_by(
        &mut self,
        calls: Vec<Option<Call>>,
    ) -> Result<Vec<Option<MadeCall>>, StoreError> {
        let earlier: Vec<&Call> = calls.iter().flatten().collect();
        if earlier.is_empty() {
            return Ok(vec![None; calls.len()]);
        }
        let by_table = self
            .tables
            .by_table(earlier.iter().map(|call| (&call.user, &call.request)));
        let mut made = Makings::default();
        for (sql, indexes) in self.tables.statements.iter().zip(&by_table) {
            let calls = indexes.iter().map(|&index| earlier[index]);
            made.look_for(sql, &calls);
        }
        let connection = self.connection.as_mut().ok_or_else(no_transaction)?;
        let steps = made.steps();
        let outcomes = connection.run_all(&steps).await?;
        made.found(&outcomes)?;
        calls
            .iter()
            .map(|call| call.as_ref().map(|call| made.of(call)).transpose())
            .collect()
    }

    async fn find_held(&mut self, batch: &Batch) -> Result<Vec<bool>, StoreError> {
        let wanted = WantedRows::with_calls(&self.tables, batch);
        let mut found = Vec::new();
        for (sql, json) in wanted.find_held(&self.tables) {
            let connection = connected(&self.database, &mut self.connection).await?;
            let nothing = json == "[]";
            found.push(if nothing {
                Vec::new()
            } else {
                connection.rows_uncommitted(sql, &json).await?
            });
        }
        let mut held = batch.no_rows();
        wanted.read_held(found, &mut held)?;
        Ok(batch.with_rows(&held))
    }

    async fn write(
        &mut self,
        grant: GrantId,
        settlement: &Settlement,
        receipt: &Receipt,
    ) -> Result<(), StoreError> {
        let rows = &settlement.rows;
        let note = GrantNote::new(grant, self.tables.first, receipt);
        let mut writes = Writes::default();
        let tables = &self.tables;
        tables.write_slots::<Accounts>(&rows.accounts, &mut writes);
        tables.write_slots::<PointsAccounts>(&rows.points, &mut writes);
        tables.write_slots::<SignIns>(&rows.sign_ins, &mut writes);
        tables.write_slots::<UserAwards>(&rows.user_awards, &mut writes);
        let calls = ClaimChanges::of(&self.claimed, rows.calls());
        tables.take_back(&calls.taken_back, &mut writes);
        tables.write_new::<Calls>(&calls.inserted, |sql| &sql.calls.claim, &mut writes);
        tables.write_made(&rows.made, &mut writes);
        let entries: Vec<&PointsEntry> = rows.entries.iter().collect();
        tables.write_new::<PointsEntries>(&entries, |sql| &sql.points_entries.insert, &mut writes);
        note.write(&D::DIALECT, &mut writes);
        let steps = writes.in_order();
        let connection = self.connection.as_mut().ok_or_else(no_transaction)?;
        let outcomes = connection.run_all(&steps).await?;
        check_all(&steps, &outcomes, D::DIALECT.changed_row_count)?;
        note.check(&steps, &outcomes)
    }

    /// Looks for one of the batch's calls, after the transaction that may be inserting it has
    /// ended. That transaction had inserted all its rows before its commit was sent. If the call is
    /// not there, or is that of another batch, the grant is made void: units are given back on the
    /// strength of a void receipt, not of a row that is missing.
    async fn judge(&mut self, batch: &InDoubtBatch) -> Result<CommitVerdict, StoreError> {
        let Call {
            user,
            request,
            first_id,
            ..
        } = &batch.call;
        let sql = &self.tables.table_of(user).calls.lock;
        let key = json_rows([(user.as_str(), request.as_str())]);
        let connection = connected(&self.database, &mut self.connection).await?;
        let found = connection
            .begin_with(&[SqlStep::read(sql, Input::Json(key))])
            .await?;
        let rows = found.iter().flat_map(|outcome| &outcome.rows);
        let ids = rows.map(|row| row.number::<u64>(0));
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        drop(found);
        if ids.contains(&first_id.get()) {
            self.undo().await;
            return Ok(CommitVerdict::Committed);
        }
        if D::DIALECT.issuing != Issuing::FromServers || !batch.issues {
            self.undo().await;
            return Ok(CommitVerdict::Void);
        }
        let row = Input::Rows(receipt_row(batch.grant, true, "[]"));
        let void = SqlStep {
            sql: RECEIPTS.insert,
            input: row,
            expected: ExpectedRows::Rows(1),
        };
        match connection.run_all(&[void]).await {
            Ok(_) => connection.commit().await.map(|()| CommitVerdict::Void),
            Err(StoreError::Conflict(_)) => {
                self.undo().await;
                let connection = connected(&self.database, &mut self.connection).await?;
                let rows = connection
                    .rows(RECEIPTS.read, &json_rows([[batch.grant.0]]))
                    .await?;
                match rows.first().map(|row| row.integer(0)).transpose()? {
                    Some(0) => Err(StoreError::Unavailable(
                        "the batch has a receipt and no calls yet".to_owned(),
                    )),
                    // The job made it void, or an earlier verdict whose answer was lost.
                    Some(_) => Ok(CommitVerdict::Void),
                    None => Err(StoreError::Unavailable(
                        "the batch is still under way".to_owned(),
                    )),
                }
            }
            Err(error) => Err(error),
        }
    }
}

/// The connection, made again after a failure.
async fn connected<'c, D: Database>(
    database: &D,
    connection: &'c mut Option<D::Connection>,
) -> Result<&'c mut D::Connection, StoreError> {
    match connection {
        Some(connection) => Ok(connection),
        None => Ok(connection.insert(database.connect().await?)),
    }
}

impl<D: Database> ShardStore for SqlShard<D> {
    async fn prefetch(
        &mut self,
        batch: &Batch,
        keys: CallKeys,
        on_lock: OnLock,
        with_clock: bool,
    ) -> Result<FetchedBatch, StoreError> {
        self.tables.refuse_strangers(batch)?;
        self.check_runs().await?;
        self.fetch(batch, keys, on_lock, with_clock).await
    }

    async fn held(&mut self, batch: &Batch) -> Result<Vec<bool>, StoreError> {
        let held = self.find_held(batch).await;
        if held.is_err() {
            self.connection = None;
        }
        held
    }

    async fn persist(
        &mut self,
        grant: GrantId,
        settlement: &Settlement,
        receipt: &Receipt,
    ) -> Result<(), PersistError> {
        self.write(grant, settlement, receipt).await?;
        self.claimed.clear();
        let connection = self.connection.as_mut().ok_or_else(no_transaction)?;
        connection.commit().await.map_err(PersistError::Unknown)
    }

    async fn undo(&mut self) {
        self.claimed.clear();
        // A connection that cannot roll back is dropped, and its transaction with it.
        if let Some(mut connection) = self.connection.take()
            && connection.rollback().await.is_ok()
        {
            self.connection = Some(connection);
        }
    }

    async fn verdict(&mut self, batch: &InDoubtBatch) -> Result<CommitVerdict, StoreError> {
        self.connection = None;
        let verdict = self.judge(batch).await;
        if verdict.is_err() {
            // The next batch must not meet a transaction that is still open there.
            self.connection = None;
        }
        verdict
    }
}

fn time_of(outcome: &SqlOutcome<impl Columns>) -> Result<Timestamp, StoreError> {
    let row = outcome.rows.first().ok_or_else(|| super::out_of_range(0))?;
    Timestamp::from_millisecond(row.integer(0)?).map_err(|_| super::out_of_range(0))
}

fn no_transaction() -> StoreError {
    StoreError::Unavailable("the connection was lost".to_owned())
}
