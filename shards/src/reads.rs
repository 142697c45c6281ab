//! Reads beside the lanes: a few connections per shard, a bound on what waits, one timeout.
//!
//! A read runs in a task of its own, so that a caller that hangs up does not leave half an answer
//! on a connection.
//!
//! Only a server that takes writes may answer that something does not exist. A replica, or the old
//! server of a shard that has moved, may lack what was answered a moment ago.
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use market::chances::Account;
use market::{ActivityId, Call, Kind, Order, OrderId, RequestId, UserId};
use router::{SlotMap, TableId};
use tokio::sync::Semaphore;

use crate::error::ReadError;
use crate::store::tables::{Numbered, accounts, calls, orders};
use crate::store::{
    Columns, Connection, Database, Makings, Pool, PoolLimits, StoreError, json_rows,
};

/// The maximum number of a user's latest draws in an answer.
const LATEST_MAX: usize = 100;

/// Sizes of a shard's reader.
#[derive(Debug, Clone, Copy)]
pub struct ReadLimits {
    /// Connections: the number of reads that run at once.
    pub connections_max: usize,
    /// The maximum number of reads that run or wait.
    pub queue_max: usize,
    /// For waiting and reading together.
    pub timeout: Duration,
}

/// How orders are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderKey {
    /// All orders of one call, by its request id.
    Request(RequestId),
    /// One order, by its id.
    Order(OrderId),
    /// The latest orders of a user, in one activity or in all; the newest first, at most 100.
    Latest(Option<ActivityId>),
}

/// A question to one shard.
#[derive(Debug, Clone)]
pub(crate) enum ReadQuestion {
    Account(UserId, ActivityId),
    Order(UserId, OrderKey),
}

/// The answer: an account, or orders.
#[derive(Debug, Default)]
pub(crate) struct FoundRecords {
    pub(crate) account: Option<Account>,
    /// In the order in which they were drawn.
    pub(crate) orders: Vec<Order>,
}

/// A reader of any database.
pub(crate) trait Reads: Send + Sync {
    fn ask(&self, table: TableId, question: ReadQuestion) -> ReadFuture;
}

pub(crate) type ReadFuture = Pin<Box<dyn Future<Output = Result<FoundRecords, ReadError>> + Send>>;

/// The reader of one shard.
pub(crate) struct Reader<D: Database>(Arc<Inner<D>>);

struct Inner<D: Database> {
    tables: Vec<Numbered>,
    pool: Pool<D>,
    admitted: Arc<Semaphore>,
    timeout: Duration,
}

impl<D: Database> Reader<D> {
    pub(crate) fn new(database: D, map: &SlotMap, limits: ReadLimits) -> Self {
        let ReadLimits {
            connections_max,
            timeout,
            ..
        } = limits;
        let pool_limits = PoolLimits {
            all_max: connections_max,
            idle_max: connections_max,
            wait: timeout,
        };
        Self(Arc::new(Inner {
            tables: (0..map.tables())
                .map(|table| Numbered::of(&D::DIALECT, table))
                .collect(),
            pool: Pool::for_reads(database, pool_limits),
            admitted: Arc::new(Semaphore::new(limits.queue_max)),
            timeout,
        }))
    }
}

impl<D: Database> Reads for Reader<D> {
    fn ask(&self, table: TableId, question: ReadQuestion) -> ReadFuture {
        let inner = self.0.clone();
        let Ok(place) = inner.admitted.clone().try_acquire_owned() else {
            return Box::pin(async { Err(ReadError::QueueFull) });
        };
        let timeout = inner.timeout;
        let task = tokio::spawn(async move {
            let result = tokio::time::timeout(timeout, inner.answer(table, &question)).await;
            drop(place);
            match result {
                Ok(Ok(found)) => Ok(found),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "a read failed");
                    Err(ReadError::ShardUnavailable)
                }
                Err(_) => Err(ReadError::ShardUnavailable),
            }
        });
        Box::pin(async move { task.await.unwrap_or(Err(ReadError::ShardUnavailable)) })
    }
}

impl FoundRecords {
    fn is_empty(&self) -> bool {
        self.account.is_none() && self.orders.is_empty()
    }
}

impl<D: Database> Inner<D> {
    /// Answers on a connection of the pool. After a failure or timeout the connection is dropped.
    async fn answer(
        &self,
        table: TableId,
        question: &ReadQuestion,
    ) -> Result<FoundRecords, StoreError> {
        // If the first answer came from a server that was left behind, the second one comes from
        // another.
        for _ in 0..2 {
            let mut connection = self.pool.get().await?;
            let found = read(
                &mut *connection,
                &self.tables[usize::from(table.get())],
                question,
            )
            .await?;
            let sure = !found.is_empty() || connection.may_still_write().await?;
            self.pool.keep(connection);
            if sure {
                return Ok(found);
            }
        }
        Err(StoreError::Unavailable(
            "only a read-only server answers, and it may lack the latest rows".to_owned(),
        ))
    }
}

async fn read<C: Connection>(
    connection: &mut C,
    sql: &Numbered,
    question: &ReadQuestion,
) -> Result<FoundRecords, StoreError> {
    match question {
        ReadQuestion::Account(user, activity) => {
            let key = json_rows([(user.as_str(), activity.get())]);
            let rows = connection.rows(&sql.accounts.read, &key).await?;
            Ok(FoundRecords {
                account: rows
                    .first()
                    .map(|row| accounts::read_state(row, 1))
                    .transpose()?,
                ..FoundRecords::default()
            })
        }
        ReadQuestion::Order(user, key) => Ok(FoundRecords {
            orders: orders(connection, sql, user, key).await?,
            ..FoundRecords::default()
        }),
    }
}

async fn orders<C: Connection>(
    connection: &mut C,
    sql: &Numbered,
    user: &UserId,
    key: &OrderKey,
) -> Result<Vec<Order>, StoreError> {
    match key {
        OrderKey::Request(request) => {
            let key = json_rows([(user.as_str(), request.as_str())]);
            let rows = connection.rows(&sql.calls.find, &key).await?;
            let calls = calls_in(&rows)?;
            draws_of(connection, sql, &calls).await
        }
        OrderKey::Order(order) => Ok(order_of(connection, sql, user, *order)
            .await?
            .into_iter()
            .collect()),
        OrderKey::Latest(activity) => latest(connection, sql, user, *activity).await,
    }
}

async fn order_of<C: Connection>(
    connection: &mut C,
    sql: &Numbered,
    user: &UserId,
    order: OrderId,
) -> Result<Option<Order>, StoreError> {
    let key = json_rows([(user.as_str(), order.get())]);
    let rows = connection.rows(&sql.orders.find, &key).await?;
    let order = |row| orders::read(row, calls::COLUMNS, &calls::read(row, 0)?);
    rows.first().map(order).transpose()
}

/// A user's latest draws, the newest first. Draws of one call have one time; among calls of one
/// time the greater id counts as newer.
async fn latest<C: Connection>(
    connection: &mut C,
    sql: &Numbered,
    user: &UserId,
    activity: Option<ActivityId>,
) -> Result<Vec<Order>, StoreError> {
    let key = (user.as_str(), activity.map_or(0, ActivityId::get));
    let key = serde_json::to_string(&key).expect("plain values");
    let rows = connection.rows(&sql.calls.latest, &key).await?;
    let mut calls = calls_in(&rows)?;
    let mut draws = 0;
    calls.retain(|call| {
        let is_wanted = draws < LATEST_MAX;
        draws += usize::from(call.made);
        is_wanted
    });
    let mut orders = draws_of(connection, sql, &calls).await?;
    orders.sort_unstable_by_key(|order| std::cmp::Reverse((order.created_at, order.id)));
    orders.truncate(LATEST_MAX);
    Ok(orders)
}

fn calls_in(rows: &[impl Columns]) -> Result<Vec<Call>, StoreError> {
    rows.iter().map(|row| calls::read(row, 1)).collect()
}

/// All draws of these calls, call by call. Calls of other kinds have none.
async fn draws_of<C: Connection>(
    connection: &mut C,
    sql: &Numbered,
    calls: &[Call],
) -> Result<Vec<Order>, StoreError> {
    let draws = calls.iter().filter(|call| call.kind == Kind::Draw);
    let mut made = Makings::default();
    made.look_for(sql, &draws);
    let steps = made.steps();
    if steps.is_empty() {
        return Ok(Vec::new());
    }
    let outcomes = connection.run_all(&steps).await?;
    made.found(&outcomes)?;
    let mut orders = Vec::new();
    for call in draws {
        orders.extend(made.of(call)?.made.orders().iter().cloned());
    }
    Ok(orders)
}
