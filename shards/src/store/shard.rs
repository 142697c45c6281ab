//! What a lane does with its shard: fetch a batch's rows, persist its changes, and find out
//! whether a doubtful commit has landed.
use std::fmt;
use std::future::Future;
use std::ops::Range;

use crate::stock::Receipt;
use market::batch::{AccountChange, Batch, Known, Settlement};
use market::{Order, UserId};
use router::SlotMap;

use super::grant::{GrantNote, receipt_row};
use super::rows::{account_from_row, account_row, json_rows, number, order_from_row, order_row};
use super::{Columns, Connection, Database, Input, Issuing, Outcome, Rows, Step, StoreError, TableStatements};

/// Where the account and the order stand in a row of `lock_batch`.
const ACCOUNT_COLUMN: usize = 1;
const ORDER_COLUMN: usize = 6;

/// Names one try of one batch, for ever: built from a run number and a counter, never from a
/// clock.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GrantId(pub u64);

impl fmt::Debug for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GrantId({:#x})", self.0)
    }
}

/// What became of a batch whose commit was not confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It has landed.
    Committed,
    /// It has not and never will.
    Void,
}

/// A batch whose commit was sent and not confirmed: all that its fate can be told by, however long
/// after. Orders are never deleted, and an order id is of one try of one batch.
#[derive(Debug, Clone)]
pub struct InDoubt {
    /// The batch's grant.
    pub grant: GrantId,
    /// One of its orders.
    pub order: Order,
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

/// The storage of one lane: one shard, one connection, one transaction at a time.
pub trait ShardStore: Send + 'static {
    /// Starts the batch's transaction and reads what it needs, locking its accounts.
    fn prefetch(&mut self, batch: &Batch) -> impl Future<Output = Result<Known, StoreError>> + Send;
    /// Writes the batch's changes and what its grant issued, and commits.
    fn persist(
        &mut self,
        grant: GrantId,
        settlement: &Settlement,
        receipt: &Receipt,
    ) -> impl Future<Output = Result<(), PersistError>> + Send;
    /// Undoes the transaction, whatever state it is in.
    fn undo(&mut self) -> impl Future<Output = ()> + Send;
    /// Decides on a new connection whether a batch has committed whose commit was sent. After `Void`
    /// it never will, even if its commit is still under way.
    fn verdict(&mut self, batch: &InDoubt) -> impl Future<Output = Result<Verdict, StoreError>> + Send;
}

/// A shard in an SQL database.
#[derive(Debug)]
pub struct SqlShard<D: Database> {
    database: D,
    layout: Layout,
    /// `None` before the first use and after a failure: the next use connects anew.
    connection: Option<D::Connection>,
}

/// The tables that a lane writes, and which users belong to which.
#[derive(Debug)]
struct Layout {
    map: SlotMap,
    /// The number of the first one.
    first: u16,
    tables: Vec<TableStatements>,
}

impl<D: Database> SqlShard<D> {
    /// The users that `map` sends to these tables of the shard in `database`. Connects at the
    /// first use.
    pub fn new(database: D, map: SlotMap, tables: Range<u16>) -> Self {
        let first = tables.start;
        let tables = tables.map(|table| D::DIALECT.table(table)).collect();
        Self { database, layout: Layout { map, first, tables }, connection: None }
    }

    async fn fetch(&mut self, batch: &Batch) -> Result<Known, StoreError> {
        let (draws, account_of) = (batch.draws(), batch.account_of());
        let calls_by_table =
            self.layout.by_table(draws.iter().map(|draw| (&draw.user, (draw.activity, &draw.request))));
        let mut steps = Vec::with_capacity(self.layout.tables.len());
        for (sql, places) in self.layout.tables.iter().zip(&calls_by_table) {
            let calls = places.iter().map(|&place| &draws[place]);
            let rows = calls.map(|draw| (draw.user.as_str(), draw.activity.get(), draw.request.as_str()));
            steps.push(Step { sql: &sql.lock_batch, input: Input::Json(json_rows(rows)) });
        }
        let connection = connected(&self.database, &mut self.connection).await?;
        let found = connection.begin_with(&steps).await?;
        let mut accounts = vec![None; batch.accounts().len()];
        let mut orders = vec![Vec::new(); draws.len()];
        for (places, Outcome { rows, .. }) in calls_by_table.iter().zip(found) {
            for row in rows {
                let place = place_of(&row, places)?;
                if row.optional_integer(ACCOUNT_COLUMN)?.is_some() {
                    accounts[account_of[place]] = Some(account_from_row(&row, ACCOUNT_COLUMN)?);
                }
                if row.optional_integer(ORDER_COLUMN)?.is_some() {
                    orders[place].push(order_from_row(&row, ORDER_COLUMN, draws[place].user.clone())?);
                }
            }
        }
        for call in &mut orders {
            call.sort_unstable_by_key(|order| order.seq);
        }
        Ok(Known { accounts, orders })
    }

    async fn write(&mut self, grant: GrantId, settlement: &Settlement, receipt: &Receipt) -> Result<(), StoreError> {
        let Settlement { new_accounts, changed_accounts, .. } = settlement;
        let orders: Vec<&Order> = settlement.orders().collect();
        let mut steps = Vec::new();
        self.layout.account_writes(new_accounts, |sql| &sql.insert_accounts, &mut steps);
        self.layout.account_writes(changed_accounts, |sql| &sql.update_accounts, &mut steps);
        let order_places = self.layout.by_table(orders.iter().map(|order| (&order.user, order.id)));
        for (sql, places) in self.layout.tables.iter().zip(&order_places) {
            let mut rows = Rows::default();
            for &place in places {
                rows.push(order_row(orders[place]));
            }
            steps.push(Step { sql: &sql.insert_orders, input: Input::Rows(rows) });
        }
        let note = GrantNote::new(grant, self.layout.first, receipt);
        let rows = steps.len();
        steps.extend(note.steps(&D::DIALECT));
        let connection = self.connection.as_mut().ok_or_else(no_transaction)?;
        let outcomes = connection.run_all(&steps).await?;
        let (rows, noted) = outcomes.split_at(rows);
        let written: u64 = rows.iter().map(|outcome| outcome.touched).sum();
        let changed = changed_accounts.len() as u64 * D::DIALECT.changed_row_count;
        let expected = (new_accounts.len() + orders.len()) as u64 + changed;
        if written != expected {
            return Err(StoreError::Conflict(format!("{written} of {expected} rows were there to be written")));
        }
        note.check(&D::DIALECT, noted)
    }

    /// Looks for the batch's order once the transaction that may be inserting it has ended: it had
    /// inserted all its rows before its commit was sent. If the order is not there, the grant is
    /// made void, so that nobody has to believe in that alone where units go back.
    async fn judge(&mut self, batch: &InDoubt) -> Result<Verdict, StoreError> {
        let sql = &self.layout.table_of(&batch.order.user).lock_order;
        let mut ids = Rows::default();
        ids.push([number(batch.order.id.get())]);
        let connection = connected(&self.database, &mut self.connection).await?;
        let found = connection.begin_with(&[Step { sql, input: Input::Rows(ids) }]).await?;
        if found.iter().any(|outcome| !outcome.rows.is_empty()) {
            self.undo().await;
            return Ok(Verdict::Committed);
        }
        let Issuing::FromServers(sql) = D::DIALECT.issuing else {
            self.undo().await;
            return Ok(Verdict::Void);
        };
        if !batch.issues {
            self.undo().await;
            return Ok(Verdict::Void);
        }
        let void = Step { sql: sql.insert_receipt, input: Input::Rows(receipt_row(batch.grant, true, "[]")) };
        match connection.run_all(&[void]).await {
            Ok(_) => connection.commit().await.map(|()| Verdict::Void),
            Err(StoreError::Conflict(_)) => {
                self.undo().await;
                let connection = connected(&self.database, &mut self.connection).await?;
                let rows = connection.rows(sql.read_receipt, &json_rows([[batch.grant.0]])).await?;
                match rows.first().map(|row| row.integer(0)).transpose()? {
                    Some(0) => Err(StoreError::Away("the batch has a receipt and no orders yet".to_owned())),
                    // By the sweeper, or by an earlier verdict that was lost on its way to us.
                    Some(_) => Ok(Verdict::Void),
                    None => Err(StoreError::Away("the batch is still under way".to_owned())),
                }
            }
            Err(error) => Err(error),
        }
    }
}

impl Layout {
    fn account_writes<'a>(
        &'a self,
        changes: &'a [AccountChange],
        statement: impl Fn(&'a TableStatements) -> &'a String,
        steps: &mut Vec<Step<'a>>,
    ) {
        let places = self.by_table(changes.iter().map(|change| (&change.user, change.activity)));
        for (sql, places) in self.tables.iter().zip(&places) {
            let mut rows = Rows::default();
            for AccountChange { user, activity, account } in places.iter().map(|&place| &changes[place]) {
                rows.push(account_row(user, *activity, account));
            }
            steps.push(Step { sql: statement(sql), input: Input::Rows(rows) });
        }
    }

    /// The statements on a user's table.
    fn table_of(&self, user: &UserId) -> &TableStatements {
        let table = self.map.route(user.as_str()).table().get();
        // A user of another lane's table is a bug of whoever routed here; better loud than lost.
        &self.tables[usize::from(table.checked_sub(self.first).expect("the lane has the user's table"))]
    }

    /// The places of `keys` that belong to each table, in key order: rows are locked in the
    /// order of this list, and two lanes that lock in one order cannot deadlock.
    fn by_table<'k, K: Ord>(&self, keys: impl Iterator<Item = (&'k UserId, K)>) -> Vec<Vec<usize>> {
        let keys: Vec<(&UserId, K)> = keys.collect();
        let mut tables = vec![Vec::new(); self.tables.len()];
        for (place, (user, _)) in keys.iter().enumerate() {
            let table = self.map.route(user.as_str()).table().get();
            // A user of another lane's table is a bug of whoever routed here; better loud than lost.
            let table = table.checked_sub(self.first).expect("the lane has the user's table");
            tables[usize::from(table)].push(place);
        }
        for places in &mut tables {
            places.sort_unstable_by(|&a, &b| keys[a].cmp(&keys[b]));
        }
        tables
    }
}

/// The connection, made anew after a failure.
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
    async fn prefetch(&mut self, batch: &Batch) -> Result<Known, StoreError> {
        self.fetch(batch).await
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

    async fn verdict(&mut self, batch: &InDoubt) -> Result<Verdict, StoreError> {
        self.connection = None;
        let verdict = self.judge(batch).await;
        if verdict.is_err() {
            // Whatever is still open there must not be met by the next batch.
            self.connection = None;
        }
        verdict
    }
}

fn place_of(row: &impl Columns, places: &[usize]) -> Result<usize, StoreError> {
    let key: usize = row.number(0)?;
    places.get(key).copied().ok_or_else(|| super::out_of_range(0))
}

fn no_transaction() -> StoreError {
    StoreError::Away("the connection was lost".to_owned())
}
