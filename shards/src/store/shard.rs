//! What a lane does with its shard: fetch a batch's rows, persist its changes, and find out
//! whether a doubtful commit has landed.
#[cfg(test)]
mod tests;

use std::future::Future;
use std::ops::Range;
use std::sync::Arc;

use crate::grant::GrantId;
use crate::stock::grants::Receipt;
use jiff::Timestamp;
use market::batch::{AccountKey, Batch, Known, Settlement};
use market::call::EarlierCall;
use market::chances::Account;
use market::{Call, Command, Order, RechargeOrder, UserId};
use router::{ShardId, SlotMap};

use super::grant::GrantNote;
use super::makings::Makings;
use super::rows::json_rows;
use super::tables::accounts::{self, Accounts};
use super::tables::calls::{self, Calls};
use super::tables::orders::Orders;
use super::tables::receipts::{RECEIPTS, receipt_row};
use super::tables::recharge_orders::RechargeOrders;
use super::tables::{Numbered, OfUsers, Writes};
use super::{
    Columns, Connection, Database, Expected, Input, Issuing, Outcome, Rows, RunCheck, Step,
    StoreError, check_all,
};

/// Where the account and the call stand in a row of `lock_batch`.
const ACCOUNT_COLUMN: usize = 1;
const CALL_COLUMN: usize = ACCOUNT_COLUMN + accounts::STATE_COLUMNS;

/// What became of a batch whose commit was not confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It has landed.
    Committed,
    /// It has not and never will.
    Void,
}

/// A batch whose commit was sent and not confirmed: all that its outcome can be found out by,
/// however long after. Calls are never deleted, and their ids are of one try of one batch.
#[derive(Debug, Clone)]
pub struct InDoubtBatch {
    /// The batch's grant.
    pub grant: GrantId,
    /// One of its calls.
    pub call: Call,
    /// Whether it issues units: then its grant has a receipt if it has committed.
    pub issues: bool,
}

/// Why a batch was not persisted.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PersistError {
    /// Before the commit: nothing has landed.
    #[error(transparent)]
    Undone(#[from] StoreError),
    /// At the commit: ask for the [`Verdict`].
    #[error("the commit was not confirmed: {0}")]
    Unknown(StoreError),
}

/// What to do about a row that somebody else has locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnLock {
    /// Fail at once.
    Refuse,
    /// Wait for a second, then fail.
    Wait,
}

/// What a batch has read.
#[derive(Debug)]
pub struct Fetched {
    /// Of its rows.
    pub known: Known,
    /// Of the database's clock, before anything was waited for; `None` where the clock is our own,
    /// or was not asked.
    pub database_time: Option<Timestamp>,
}

/// The storage of one lane: one shard, one connection, one transaction at a time.
pub trait ShardStore: Send + 'static {
    /// Starts the batch's transaction and reads what it needs, locking its accounts; the time too
    /// `with_clock`.
    fn prefetch(
        &mut self,
        batch: &Batch,
        on_lock: OnLock,
        with_clock: bool,
    ) -> impl Future<Output = Result<Fetched, StoreError>> + Send;
    /// For each call of a batch that met a locked row, and is undone, whether somebody else has a
    /// row of its: the account, or the order under its request id. Waits for nobody.
    fn held(&mut self, batch: &Batch)
    -> impl Future<Output = Result<Vec<bool>, StoreError>> + Send;
    /// Writes the batch's changes and what its grant issued, and commits. The commit is sent only
    /// when all writes were answered: that is what a verdict goes by.
    fn persist(
        &mut self,
        grant: GrantId,
        settlement: &Settlement,
        receipt: &Receipt,
    ) -> impl Future<Output = Result<(), PersistError>> + Send;
    /// Undoes the transaction, whatever state it is in.
    fn undo(&mut self) -> impl Future<Output = ()> + Send;
    /// Decides on a new connection whether a batch has committed whose commit was sent. After
    /// `Void` it never will, even if its commit is still under way.
    fn verdict(
        &mut self,
        batch: &InDoubtBatch,
    ) -> impl Future<Output = Result<Verdict, StoreError>> + Send;
}

/// A shard in an SQL database.
#[derive(Debug)]
pub struct SqlShard<D: Database> {
    database: D,
    layout: Layout,
    /// `None` before the first use and after a failure: the next use connects again.
    connection: Option<D::Connection>,
    /// What comes before the first batch.
    check: Option<Arc<RunCheck>>,
}

/// The tables that a lane writes, and which users belong to which.
#[derive(Debug)]
struct Layout {
    map: SlotMap,
    /// The shard that they are in.
    shard: ShardId,
    /// The number of the first one.
    first: u16,
    tables: Vec<Numbered>,
    /// For each of them its `lock_batch` that does not wait.
    lock_batch_no_wait: Vec<String>,
}

impl<D: Database> SqlShard<D> {
    /// The users that `map` sends to these tables of `shard`, which is in `database`. Connects at
    /// the first use.
    pub fn new(database: D, map: SlotMap, shard: ShardId, tables: Range<u16>) -> Self {
        let first = tables.start;
        let tables: Vec<_> = tables
            .map(|table| Numbered::of(&D::DIALECT, table))
            .collect();
        let no_wait = |sql: &Numbered| format!("{}{}", sql.calls.lock_batch, D::DIALECT.no_wait);
        let lock_batch_no_wait = tables.iter().map(no_wait).collect();
        let layout = Layout {
            map,
            shard,
            first,
            tables,
            lock_batch_no_wait,
        };
        Self {
            database,
            layout,
            connection: None,
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
        on_lock: OnLock,
        with_clock: bool,
    ) -> Result<Fetched, StoreError> {
        let commands = batch.commands();
        let calls_by_table = self.layout.calls_by_table(commands);
        let clock = D::DIALECT
            .clock
            .filter(|_| with_clock)
            .map(|sql| Step::read(sql, Input::Nothing));
        let clocks = usize::from(clock.is_some());
        let mut steps = Vec::from_iter(clock);
        for (sql, places) in self.layout.lock_batch(on_lock).zip(&calls_by_table) {
            steps.push(Step::read(sql, Input::Json(json_calls(commands, places))));
        }
        let connection = connected(&self.database, &mut self.connection).await?;
        let mut found = connection.begin_with(&steps).await?.into_iter();
        let database_time = found
            .by_ref()
            .take(clocks)
            .next()
            .map(|outcome| time_of(&outcome))
            .transpose()?;
        let mut accounts = vec![None; batch.needs().accounts.len()];
        let mut calls: Vec<Option<Call>> = vec![None; batch.needs().calls.len()];
        for (indexes, Outcome { rows, .. }) in calls_by_table.iter().zip(found) {
            for row in rows {
                let index = index_of(&row, indexes)?;
                if row.optional_integer(ACCOUNT_COLUMN)?.is_some() {
                    let account = accounts::read_state(&row, ACCOUNT_COLUMN)?;
                    accounts[batch.account_of()[index]] = Some(account);
                }
                if row.optional_integer(CALL_COLUMN)?.is_some() {
                    let Command { user, request, .. } = &commands[index];
                    let call = calls::read_record(&row, CALL_COLUMN, user, request)?;
                    calls[batch.call_of()[index]] = Some(call);
                }
            }
        }
        let calls = self.made_by(calls).await?;
        Ok(Fetched {
            known: Known { accounts, calls },
            database_time,
        })
    }

    /// Reads what earlier calls made. Only a batch with repeated calls has any, and asks.
    async fn made_by(
        &mut self,
        calls: Vec<Option<Call>>,
    ) -> Result<Vec<Option<EarlierCall>>, StoreError> {
        let earlier: Vec<&Call> = calls.iter().flatten().collect();
        if earlier.is_empty() {
            return Ok(vec![None; calls.len()]);
        }
        let by_table = self
            .layout
            .by_table(earlier.iter().map(|call| (&call.user, &call.request)));
        let mut made = Makings::default();
        for (sql, indexes) in self.layout.tables.iter().zip(&by_table) {
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
        let commands = batch.commands();
        let mut held = vec![false; commands.len()];
        for (sql, places) in self
            .layout
            .tables
            .iter()
            .zip(&self.layout.calls_by_table(commands))
        {
            if places.is_empty() {
                continue;
            }
            let connection = connected(&self.database, &mut self.connection).await?;
            for row in connection
                .rows_uncommitted(&sql.calls.find_held, &json_calls(commands, places))
                .await?
            {
                held[index_of(&row, places)?] = true;
            }
        }
        Ok(held)
    }

    async fn write(
        &mut self,
        grant: GrantId,
        settlement: &Settlement,
        receipt: &Receipt,
    ) -> Result<(), StoreError> {
        let rows = &settlement.rows;
        let note = GrantNote::new(grant, self.layout.first, receipt);
        let mut writes = Writes::default();
        let layout = &self.layout;
        layout.write_accounts(
            &rows.accounts.new_rows().collect::<Vec<_>>(),
            |sql| &sql.accounts.insert,
            Expected::Rows,
            &mut writes,
        );
        layout.write_accounts(
            &rows.accounts.changed_rows().collect::<Vec<_>>(),
            |sql| &sql.accounts.update,
            Expected::Changed,
            &mut writes,
        );
        let calls: Vec<&Call> = rows.calls.iter().collect();
        layout.write_new::<Calls>(&calls, |sql| &sql.calls.insert, &mut writes);
        let orders: Vec<&Order> = rows.orders().collect();
        layout.write_new::<Orders>(&orders, |sql| &sql.orders.insert, &mut writes);
        let recharges: Vec<&RechargeOrder> = rows.recharge_orders.iter().collect();
        layout.write_new::<RechargeOrders>(
            &recharges,
            |sql| &sql.recharge_orders.insert,
            &mut writes,
        );
        note.write(&D::DIALECT, &mut writes);
        let steps = writes.in_order();
        let connection = self.connection.as_mut().ok_or_else(no_transaction)?;
        let outcomes = connection.run_all(&steps).await?;
        check_all(&steps, &outcomes, D::DIALECT.changed_row_count)?;
        note.check(&steps, &outcomes)
    }

    /// Looks for one of the batch's calls once the transaction that may be inserting it has ended: it
    /// had inserted all its rows before its commit was sent. If the call is not there, or is that of
    /// another batch, the grant is made void, so that nobody has to believe in that alone where
    /// units go back.
    async fn judge(&mut self, batch: &InDoubtBatch) -> Result<Verdict, StoreError> {
        let Call {
            user,
            request,
            first_id,
            ..
        } = &batch.call;
        let sql = &self.layout.table_of(user).calls.lock;
        let key = json_rows([(user.as_str(), request.as_str())]);
        let connection = connected(&self.database, &mut self.connection).await?;
        let found = connection
            .begin_with(&[Step::read(sql, Input::Json(key))])
            .await?;
        let rows = found.iter().flat_map(|outcome| &outcome.rows);
        let ids = rows.map(|row| row.number::<u64>(0));
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        drop(found);
        if ids.contains(&first_id.get()) {
            self.undo().await;
            return Ok(Verdict::Committed);
        }
        if D::DIALECT.issuing != Issuing::FromServers || !batch.issues {
            self.undo().await;
            return Ok(Verdict::Void);
        }
        let row = Input::Rows(receipt_row(batch.grant, true, "[]"));
        let void = Step {
            sql: RECEIPTS.insert,
            input: row,
            expected: Expected::Rows(1),
        };
        match connection.run_all(&[void]).await {
            Ok(_) => connection.commit().await.map(|()| Verdict::Void),
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
                    // By the sweeper, or by an earlier verdict that was lost on its way to us.
                    Some(_) => Ok(Verdict::Void),
                    None => Err(StoreError::Unavailable(
                        "the batch is still under way".to_owned(),
                    )),
                }
            }
            Err(error) => Err(error),
        }
    }
}

impl Layout {
    /// Refuses users of another shard: the caller and this lane know different layouts.
    fn refuse_strangers(&self, batch: &Batch) -> Result<(), StoreError> {
        for command in batch.commands() {
            let home = self.map.route(command.user.as_str()).shard();
            if home != self.shard {
                let lane = self.shard;
                return Err(StoreError::Data(format!(
                    "a user of shard {home} was sent to a lane of shard {lane}"
                )));
            }
        }
        Ok(())
    }

    /// For each table the statement that locks and reads what calls need.
    fn lock_batch(&self, on_lock: OnLock) -> impl Iterator<Item = &String> {
        let waiting = self.tables.iter().map(|sql| &sql.calls.lock_batch);
        self.lock_batch_no_wait
            .iter()
            .zip(waiting)
            .map(move |(no_wait, waiting)| match on_lock {
                OnLock::Refuse => no_wait,
                OnLock::Wait => waiting,
            })
    }

    /// The places of calls that belong to each table.
    fn calls_by_table(&self, commands: &[Command]) -> Vec<Vec<usize>> {
        self.by_table(commands.iter().map(|command| {
            let activity = command.ask.fingerprint().activity;
            (&command.user, (activity, &command.request))
        }))
    }

    /// Adds what writes accounts. A batch without any has no statement on them.
    fn write_accounts<'a>(
        &'a self,
        changes: &[(&'a AccountKey, &'a Account)],
        statement: impl Fn(&'a Numbered) -> &'a String,
        expected: impl Fn(usize) -> Expected,
        writes: &mut Writes<'a>,
    ) {
        if changes.is_empty() {
            return;
        }
        let keys = changes.iter().map(|(key, _)| (&key.0, key.1));
        let by_table = self.by_table(keys);
        for (sql, indexes) in self.tables.iter().zip(&by_table) {
            let mut rows = Rows::default();
            for &(key, account) in indexes.iter().map(|&index| &changes[index]) {
                accounts::write(key, account, &mut rows);
            }
            writes.add::<Accounts>(statement(sql), rows, expected(indexes.len()));
        }
    }

    /// Adds what inserts new rows of a table, each of a user. A batch without any has no statement on
    /// the table.
    fn write_new<'a, T: OfUsers>(
        &'a self,
        new: &[&'a T::Row],
        statement: impl Fn(&'a Numbered) -> &'a String,
        writes: &mut Writes<'a>,
    ) {
        if new.is_empty() {
            return;
        }
        let by_table = self.by_table(new.iter().map(|row| (T::user(row), T::key(row))));
        for (sql, indexes) in self.tables.iter().zip(&by_table) {
            let rows = T::rows(indexes.iter().map(|&index| new[index]));
            writes.add::<T>(statement(sql), rows, Expected::Rows(indexes.len()));
        }
    }

    /// The statements on a user's table.
    fn table_of(&self, user: &UserId) -> &Numbered {
        let table = self.map.route(user.as_str()).table().get();
        // A user of another lane's table is a bug of whoever routed here; better loud than lost.
        &self.tables[usize::from(
            table
                .checked_sub(self.first)
                .expect("the lane has the user's table"),
        )]
    }

    /// The places of `keys` that belong to each table, in key order: rows are locked in the
    /// order of this list, and two lanes that lock in one order cannot deadlock.
    fn by_table<'k, K: Ord>(&self, keys: impl Iterator<Item = (&'k UserId, K)>) -> Vec<Vec<usize>> {
        let keys: Vec<(&UserId, K)> = keys.collect();
        let mut tables = vec![Vec::new(); self.tables.len()];
        for (place, (user, _)) in keys.iter().enumerate() {
            let table = self.map.route(user.as_str()).table().get();
            // A user of another lane's table is a bug of whoever routed here; better loud than
            // lost.
            let table = table
                .checked_sub(self.first)
                .expect("the lane has the user's table");
            tables[usize::from(table)].push(place);
        }
        for places in &mut tables {
            places.sort_unstable_by(|&a, &b| keys[a].cmp(&keys[b]));
        }
        tables
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
        on_lock: OnLock,
        with_clock: bool,
    ) -> Result<Fetched, StoreError> {
        self.layout.refuse_strangers(batch)?;
        self.check_runs().await?;
        self.fetch(batch, on_lock, with_clock).await
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
        let connection = self.connection.as_mut().ok_or_else(no_transaction)?;
        connection.commit().await.map_err(PersistError::Unknown)
    }

    async fn undo(&mut self) {
        // A connection that cannot roll back is dropped, and its transaction with it.
        if let Some(mut connection) = self.connection.take()
            && connection.rollback().await.is_ok()
        {
            self.connection = Some(connection);
        }
    }

    async fn verdict(&mut self, batch: &InDoubtBatch) -> Result<Verdict, StoreError> {
        self.connection = None;
        let verdict = self.judge(batch).await;
        if verdict.is_err() {
            // Whatever is still open there must not be met by the next batch.
            self.connection = None;
        }
        verdict
    }
}

/// These calls as `lock_batch` and `find_held` read them.
fn json_calls(commands: &[Command], places: &[usize]) -> String {
    let calls = places.iter().map(|&place| &commands[place]);
    json_rows(calls.map(|command| {
        (
            command.user.as_str(),
            command.ask.activity().get(),
            command.request.as_str(),
        )
    }))
}

fn time_of(outcome: &Outcome<impl Columns>) -> Result<Timestamp, StoreError> {
    let row = outcome.rows.first().ok_or_else(|| super::out_of_range(0))?;
    Timestamp::from_millisecond(row.integer(0)?).map_err(|_| super::out_of_range(0))
}

fn index_of(row: &impl Columns, places: &[usize]) -> Result<usize, StoreError> {
    let key: usize = row.number(0)?;
    places
        .get(key)
        .copied()
        .ok_or_else(|| super::out_of_range(0))
}

fn no_transaction() -> StoreError {
    StoreError::Unavailable("the connection was lost".to_owned())
}
