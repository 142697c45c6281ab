//! What a lane does with its shard: fetch a batch's rows, persist its changes, and find out
//! whether a doubtful commit has landed.
use std::fmt;
use std::future::Future;

use market::UserId;
use market::batch::{AccountChange, Batch, Known, Settlement, Units};
use router::SlotMap;
use serde::Serialize;

use super::rows::{account_from_row, account_row, json_rows, order_from_row, order_row};
use super::{Columns, Connection, Database, Step, StoreError, TableStatements};

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
    layout: Layout,
    /// `None` before the first use and after a failure: the next use connects anew.
    connection: Option<D::Connection>,
}

/// The tables of a shard, and which users belong to which.
#[derive(Debug)]
struct Layout {
    map: SlotMap,
    tables: Vec<TableStatements>,
}

impl<D: Database> SqlShard<D> {
    /// A shard of the users that `map` sends to `database`. Connects at the first use.
    pub fn new(database: D, map: SlotMap) -> Self {
        let tables = (0..map.tables()).map(|table| D::DIALECT.table(table)).collect();
        Self { database, layout: Layout { map, tables }, connection: None }
    }

    async fn fetch(&mut self, batch: &Batch) -> Result<Known, StoreError> {
        let (keys, draws) = (batch.accounts(), batch.draws());
        let account_places = self.layout.by_table(keys.iter().map(|(user, activity)| (user, *activity)));
        let order_places = self.layout.by_table(draws.iter().map(|draw| (&draw.user, &draw.request)));
        let mut steps = Vec::with_capacity(2 * self.layout.tables.len());
        for (sql, places) in self.layout.tables.iter().zip(&account_places) {
            let wanted = places.iter().map(|&place| (keys[place].0.as_str(), keys[place].1.get()));
            steps.push(Step { sql: &sql.lock_accounts, json: json_rows(wanted) });
        }
        // After the accounts are locked, so that the same request on two gateways meets there.
        for (sql, places) in self.layout.tables.iter().zip(&order_places) {
            let wanted = places.iter().map(|&place| (draws[place].user.as_str(), draws[place].request.as_str()));
            steps.push(Step { sql: &sql.find_orders, json: json_rows(wanted) });
        }
        let connection = connected(&self.database, &mut self.connection).await?;
        connection.begin().await?;
        let mut rows = connection.rows_of_all(&steps).await?.into_iter();
        let mut accounts = vec![None; keys.len()];
        for (places, rows) in account_places.iter().zip(rows.by_ref()) {
            for row in rows {
                accounts[place_of(&row, places)?] = Some(account_from_row(&row, 1)?);
            }
        }
        let mut orders = vec![None; draws.len()];
        for (places, rows) in order_places.iter().zip(rows) {
            for row in rows {
                let place = place_of(&row, places)?;
                orders[place] = Some(order_from_row(&row, draws[place].user.clone())?);
            }
        }
        Ok(Known { accounts, orders })
    }

    async fn write(&mut self, grant: GrantId, settlement: &Settlement) -> Result<(), StoreError> {
        let Settlement { new_accounts, changed_accounts, orders, .. } = settlement;
        let mut steps = Vec::with_capacity(3 * self.layout.tables.len());
        self.layout.account_steps(new_accounts, |sql| &sql.insert_accounts, &mut steps);
        self.layout.account_steps(changed_accounts, |sql| &sql.update_accounts, &mut steps);
        let order_places = self.layout.by_table(orders.iter().map(|order| (&order.user, order.id)));
        for (sql, places) in self.layout.tables.iter().zip(&order_places) {
            let rows = places.iter().map(|&place| order_row(&orders[place]));
            steps.push(Step { sql: &sql.insert_orders, json: json_rows(rows) });
        }
        let connection = self.connection.as_mut().ok_or_else(no_transaction)?;
        let written = connection.execute_all(&steps).await?;
        let expected = (new_accounts.len() + changed_accounts.len() + orders.len()) as u64;
        if written != expected {
            return Err(StoreError::Conflict(format!("{written} of {expected} rows were there to be written")));
        }
        connection.execute(D::DIALECT.shard.insert_grant, &grant_row(grant, &settlement.used)).await.map(drop)
    }
}

impl Layout {
    fn account_steps<'a>(
        &'a self,
        changes: &[AccountChange],
        statement: impl Fn(&'a TableStatements) -> &'a String,
        steps: &mut Vec<Step<'a>>,
    ) {
        let places = self.by_table(changes.iter().map(|change| (&change.user, change.activity)));
        for (sql, places) in self.tables.iter().zip(&places) {
            let row = |&place: &usize| {
                let change: &AccountChange = &changes[place];
                account_row(&change.user, change.activity, &change.account)
            };
            steps.push(Step { sql: statement(sql), json: json_rows(places.iter().map(row)) });
        }
    }

    /// The places of `keys` that belong to each table, in key order: rows are locked in the
    /// order of this list, and two lanes that lock in one order cannot deadlock.
    fn by_table<'k, K: Ord>(&self, keys: impl Iterator<Item = (&'k UserId, K)>) -> Vec<Vec<usize>> {
        let keys: Vec<(&UserId, K)> = keys.collect();
        let mut tables = vec![Vec::new(); self.tables.len()];
        for (place, (user, _)) in keys.iter().enumerate() {
            tables[usize::from(self.map.route(user.as_str()).table().get())].push(place);
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
        let connection = connected(&self.database, &mut self.connection).await?;
        connection.begin().await?;
        let row = grant_row(grant, &[]);
        match connection.execute(D::DIALECT.shard.void_grant, &row).await {
            Ok(_) => connection.commit().await.map(|()| Verdict::Void),
            Err(StoreError::Conflict(_)) => {
                self.undo().await;
                let connection = connected(&self.database, &mut self.connection).await?;
                let rows = connection.rows(D::DIALECT.shard.read_grant, &row).await?;
                // Void already, when an earlier verdict was lost on its way to us.
                let void = rows.first().ok_or_else(no_transaction)?.integer(0)? != 0;
                Ok(if void { Verdict::Void } else { Verdict::Committed })
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
