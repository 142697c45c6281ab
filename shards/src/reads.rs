//! Reads beside the lanes: a few connections per shard, a bound on what waits, a timeout.
//!
//! A read runs in a task of its own: a caller that hangs up must not leave a connection with
//! half an answer on it.
//!
//! That something is not there is said only by a server that may be written to: a replica, or the
//! old server of a shard that has moved, may miss what was answered a moment ago.
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use market::chances::Account;
use market::{ActivityId, Call, DrawCount, Kind, Order, OrderId, RequestId, UserId};
use router::{SlotMap, TableId};
use tokio::sync::Semaphore;

use crate::error::ReadError;
use crate::store::tables::{Numbered, accounts, calls, orders};
use crate::store::{
    Columns, Connection, Database, Makings, Pool, PoolLimits, StoreError, json_rows,
};

/// Draws in one page of a user's.
const PAGE: usize = 100;

/// Sizes of a shard's reader.
#[derive(Debug, Clone, Copy)]
pub struct ReadLimits {
    /// Connections, which is how many reads run at once.
    pub connections_max: usize,
    /// Reads that run or wait.
    pub queue_max: usize,
    /// For waiting and reading together.
    pub timeout: Duration,
}

/// How orders are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderKey {
    /// By the request id they were made under: all of one call.
    Request(RequestId),
    /// One by its own id.
    Order(OrderId),
    /// The latest of a user, of one activity or of all; newest first, 100 at most.
    Latest(Option<ActivityId>),
    /// Those that come behind an order of the user in that list.
    Behind(Option<ActivityId>, OrderId),
}

/// A question to one shard.
#[derive(Debug, Clone)]
pub(crate) enum Question {
    Account(UserId, ActivityId),
    Order(UserId, OrderKey),
}

/// The answer: at most one of them is there.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) account: Option<Account>,
    /// In the order in which they were drawn.
    pub(crate) orders: Vec<Order>,
}

/// A reader of any database.
pub(crate) trait Reads: Send + Sync {
    fn ask(&self, table: TableId, question: Question) -> ReadFuture;
}

pub(crate) type ReadFuture = Pin<Box<dyn Future<Output = Result<Found, ReadError>> + Send>>;

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
    fn ask(&self, table: TableId, question: Question) -> ReadFuture {
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

impl Found {
    fn is_empty(&self) -> bool {
        self.account.is_none() && self.orders.is_empty()
    }
}

impl<D: Database> Inner<D> {
    /// Answers on a connection that goes back only after a whole answer; one that failed or timed
    /// out is dropped.
    async fn answer(&self, table: TableId, question: &Question) -> Result<Found, StoreError> {
        // Where the first answer came from a server that was left behind, the second comes from
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
            "only a read-only server answers, which may miss what is asked for".to_owned(),
        ))
    }
}

async fn read<C: Connection>(
    connection: &mut C,
    sql: &Numbered,
    question: &Question,
) -> Result<Found, StoreError> {
    match question {
        Question::Account(user, activity) => {
            let key = json_rows([(user.as_str(), activity.get())]);
            let rows = connection.rows(&sql.accounts.read, &key).await?;
            Ok(Found {
                account: rows
                    .first()
                    .map(|row| accounts::read_state(row, 1))
                    .transpose()?,
                ..Found::default()
            })
        }
        Question::Order(user, key) => Ok(Found {
            orders: orders(connection, sql, user, key).await?,
            ..Found::default()
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
        OrderKey::Latest(activity) => page(connection, sql, user, *activity, None).await,
        OrderKey::Behind(activity, order) => match order_of(connection, sql, user, *order).await? {
            Some(last) => page(connection, sql, user, *activity, Some(&last)).await,
            None => Ok(Vec::new()),
        },
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

/// A user's draws, the newest first, from behind `last` on. Draws of one call have one time; among
/// calls of one time the greater id counts as newer.
async fn page<C: Connection>(
    connection: &mut C,
    sql: &Numbered,
    user: &UserId,
    activity: Option<ActivityId>,
    last: Option<&Order>,
) -> Result<Vec<Order>, StoreError> {
    let place = |order: &Order| (order.created_at, order.id);
    let (from_ms, from_id) = last.map_or((i64::MAX, i64::MAX as u64), |order| {
        (order.created_at.as_millisecond(), order.id.get())
    });
    let key = (user, activity.map_or(0, ActivityId::get), from_ms, from_id);
    let key = (key.0.as_str(), key.1, key.2, key.3);
    let key = serde_json::to_string(&key).expect("plain values");
    let rows = connection.rows(&sql.calls.latest, &key).await?;
    let mut calls = calls_in(&rows)?;
    // A call makes an order at least.
    let mut enough = 0;
    calls.retain(|call| {
        let wanted = enough <= PAGE + usize::from(DrawCount::MAX.get());
        enough += usize::from(call.made);
        wanted
    });
    let mut orders = draws_of(connection, sql, &calls).await?;
    orders.retain(|order| last.is_none_or(|last| place(order) < place(last)));
    orders.sort_unstable_by_key(|order| std::cmp::Reverse(place(order)));
    orders.truncate(PAGE);
    Ok(orders)
}

fn calls_in(rows: &[impl Columns]) -> Result<Vec<Call>, StoreError> {
    rows.iter().map(|row| calls::read(row, 1)).collect()
}

/// All draws of these calls, call by call; none of calls that were for something else.
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
