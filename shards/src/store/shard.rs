//! What a lane does with its shard: fetch a batch's rows, persist its changes, and find out
//! whether a doubtful commit has landed.
use std::fmt;
use std::future::Future;

use market::batch::{AccountChange, Batch, Known, Settlement, Units};
use market::{ActivityId, UserId};
use router::SlotMap;
use serde::Serialize;

use super::rows::{account_from_row, account_row, json_rows, order_from_row, order_row};
use super::{Columns, Connection, Database, StoreError, TableStatements};

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
    /// Writes the batch's changes and commits.
    fn persist(
        &mut self,
        grant: GrantId,
        settlement: &Settlement,
    ) -> impl Future<Output = Result<(), PersistError>> + Send;
    /// Undoes the transaction, whatever state it is in.
    fn undo(&mut self) -> impl Future<Output = ()> + Send;
    /// Decides on a new connection whether the batch of `grant` has committed. After `Void` it
    /// never will, even if its commit is still under way.
    fn verdict(&mut self, grant: GrantId) -> impl Future<Output = Result<Verdict, StoreError>> + Send;
}

/// A shard in an SQL database.
#[derive(Debug)]
pub struct SqlShard<D: Database> {
    database: D,
    map: SlotMap,
    tables: Vec<TableStatements>,
    /// `None` before the first use and after a failure: the next use connects anew.
    connection: Option<D::Connection>,
}

impl<D: Database> SqlShard<D> {
    /// A shard of the users that `map` sends to `database`. Connects at the first use.
    pub fn new(database: D, map: SlotMap) -> Self {
        let tables = (0..map.tables()).map(|table| D::DIALECT.table(table)).collect();
        Self { database, map, tables, connection: None }
    }

    async fn connection(&mut self) -> Result<&mut D::Connection, StoreError> {
        if self.connection.is_none() {
            self.connection = Some(self.database.connect().await?);
        }
        Ok(self.connection.as_mut().expect("just connected"))
    }

    /// The places in `users` that belong to each table, in key order: rows are locked in the
    /// order of this list, and two lanes that lock in one order cannot deadlock.
    fn by_table<K: Ord>(&self, keys: impl Iterator<Item = (UserId, K)>) -> Vec<Vec<usize>> {
        let keys: Vec<(UserId, K)> = keys.collect();
        let mut tables = vec![Vec::new(); self.tables.len()];
        for (index, (user, _)) in keys.iter().enumerate() {
            tables[self.table_of(user)].push(index);
        }
        for table in &mut tables {
            table.sort_unstable_by(|&a, &b| keys[a].cmp(&keys[b]));
        }
        tables
    }

    fn table_of(&self, user: &UserId) -> usize {
        self.map.route(user.as_str()).table().get().into()
    }

    async fn fetch(&mut self, batch: &Batch) -> Result<Known, StoreError> {
        self.connection().await?.begin().await?;
        let accounts = self.fetch_accounts(batch.accounts()).await?;
        let orders = self.fetch_orders(batch).await?;
        Ok(Known { accounts, orders })
    }

    async fn fetch_accounts(
        &mut self,
        keys: &[(UserId, ActivityId)],
    ) -> Result<Vec<Option<market::chances::Account>>, StoreError> {
        let mut accounts = vec![None; keys.len()];
        for (table, places) in self.by_table(keys.iter().cloned()).iter().enumerate() {
            let wanted = places.iter().map(|&place| (keys[place].0.as_str(), keys[place].1.get()));
            for row in self.rows(table, |sql| &sql.lock_accounts, wanted).await? {
                accounts[place_of(&row, places)?] = Some(account_from_row(&row, 1)?);
            }
        }
        Ok(accounts)
    }

    async fn fetch_orders(&mut self, batch: &Batch) -> Result<Vec<Option<market::Order>>, StoreError> {
        let draws = batch.draws();
        let mut orders = vec![None; draws.len()];
        let keys = draws.iter().map(|draw| (draw.user.clone(), draw.request.clone()));
        for (table, places) in self.by_table(keys).iter().enumerate() {
            let wanted = places.iter().map(|&place| (draws[place].user.as_str(), draws[place].request.as_str()));
            for row in self.rows(table, |sql| &sql.find_orders, wanted).await? {
                let place = place_of(&row, places)?;
                orders[place] = Some(order_from_row(&row, draws[place].user.clone())?);
            }
        }
        Ok(orders)
    }

    /// Runs a query on a table; no rows wanted, no round trip.
    async fn rows(
        &mut self,
        table: usize,
        statement: impl Fn(&TableStatements) -> &String,
        wanted: impl ExactSizeIterator<Item = impl Serialize>,
    ) -> Result<Vec<<D::Connection as Connection>::Row>, StoreError> {
        if wanted.len() == 0 {
            return Ok(Vec::new());
        }
        let json = json_rows(wanted);
        let connection = self.connection.as_mut().ok_or_else(no_transaction)?;
        connection.rows(statement(&self.tables[table]), &json).await
    }

    async fn write(&mut self, grant: GrantId, settlement: &Settlement) -> Result<(), StoreError> {
        self.write_accounts(&settlement.new_accounts, |sql| &sql.insert_accounts).await?;
        self.write_accounts(&settlement.changed_accounts, |sql| &sql.update_accounts).await?;
        let keys = settlement.orders.iter().map(|order| (order.user.clone(), order.id));
        for (table, places) in self.by_table(keys).iter().enumerate() {
            let rows = places.iter().map(|&place| order_row(&settlement.orders[place]));
            self.change(table, |sql| &sql.insert_orders, rows).await?;
        }
        let connection = self.connection.as_mut().ok_or_else(no_transaction)?;
        connection.execute(D::DIALECT.shard.insert_grant, &grant_row(grant, &settlement.used)).await?;
        Ok(())
    }

    async fn write_accounts(
        &mut self,
        changes: &[AccountChange],
        statement: impl Fn(&TableStatements) -> &String,
    ) -> Result<(), StoreError> {
        let keys = changes.iter().map(|change| (change.user.clone(), change.activity));
        for (table, places) in self.by_table(keys).iter().enumerate() {
            let row = |&place: &usize| {
                let change: &AccountChange = &changes[place];
                account_row(&change.user, change.activity, &change.account)
            };
            self.change(table, &statement, places.iter().map(row)).await?;
        }
        Ok(())
    }

    /// Writes rows to a table and insists that each was written.
    async fn change(
        &mut self,
        table: usize,
        statement: impl Fn(&TableStatements) -> &String,
        rows: impl ExactSizeIterator<Item = impl Serialize>,
    ) -> Result<(), StoreError> {
        let count = rows.len() as u64;
        if count == 0 {
            return Ok(());
        }
        let json = json_rows(rows);
        let connection = self.connection.as_mut().ok_or_else(no_transaction)?;
        let written = connection.execute(statement(&self.tables[table]), &json).await?;
        if written == count {
            Ok(())
        } else {
            Err(StoreError::Conflict(format!("{written} of {count} rows were there to be written")))
        }
    }
}

impl<D: Database> ShardStore for SqlShard<D> {
    async fn prefetch(&mut self, batch: &Batch) -> Result<Known, StoreError> {
        self.fetch(batch).await
    }

    async fn persist(&mut self, grant: GrantId, settlement: &Settlement) -> Result<(), PersistError> {
        self.write(grant, settlement).await?;
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

    async fn verdict(&mut self, grant: GrantId) -> Result<Verdict, StoreError> {
        self.connection = None;
        let connection = self.connection().await?;
        connection.begin().await?;
        match connection.execute(D::DIALECT.shard.void_grant, &grant_row(grant, &[])).await {
            Ok(_) => connection.commit().await.map(|()| Verdict::Void),
            Err(StoreError::Conflict(_)) => {
                self.undo().await;
                Ok(Verdict::Committed)
            }
            Err(error) => Err(error),
        }
    }
}

fn place_of(row: &impl Columns, places: &[usize]) -> Result<usize, StoreError> {
    let key: usize = row.number(0)?;
    places.get(key).copied().ok_or_else(|| super::out_of_range(0))
}

fn no_transaction() -> StoreError {
    StoreError::Away("the connection was lost".to_owned())
}

/// The bound value of the grant statements.
fn grant_row(grant: GrantId, used: &[Units]) -> String {
    #[derive(Serialize)]
    struct Row {
        grant: u64,
        units: Vec<(u64, u64, u32)>,
    }
    let units = used.iter().map(|units| (units.prize.activity.get(), units.prize.award.get(), units.count));
    serde_json::to_string(&Row { grant: grant.0, units: units.collect() }).expect("plain values")
}
