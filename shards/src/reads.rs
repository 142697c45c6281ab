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
use market::{ActivityId, Order, OrderId, RequestId, UserId};
use router::{SlotMap, TableId};
use tokio::sync::Semaphore;

use crate::error::ReadError;
use crate::store::{
    Connection, Database, Pool, PoolLimits, StoreError, TableStatements, account_from_row,
    json_rows, order_from_row,
};

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
    /// The latest of a user, of one activity or of all; newest first.
    Latest(Option<ActivityId>),
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
    tables: Vec<TableStatements>,
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
                .map(|table| D::DIALECT.table(table))
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
    sql: &TableStatements,
    question: &Question,
) -> Result<Found, StoreError> {
    let (statement, key) = match question {
        Question::Account(user, activity) => (
            &sql.read_accounts,
            json_rows([(user.as_str(), activity.get())]),
        ),
        Question::Order(user, OrderKey::Request(request)) => (
            &sql.find_orders,
            json_rows([(user.as_str(), request.as_str())]),
        ),
        Question::Order(user, OrderKey::Order(order)) => (
            &sql.find_orders_by_id,
            json_rows([(user.as_str(), order.get())]),
        ),
        Question::Order(user, OrderKey::Latest(activity)) => (
            &sql.find_latest_orders,
            json_rows([(user.as_str(), activity.map_or(0, ActivityId::get))]),
        ),
    };
    let rows = connection.rows(statement, &key).await?;
    let mut found = Found::default();
    for row in &rows {
        match question {
            Question::Account(..) => found.account = Some(account_from_row(row, 1)?),
            Question::Order(user, _) => found.orders.push(order_from_row(row, 1, user.clone())?),
        }
    }
    if !matches!(question, Question::Order(_, OrderKey::Latest(_))) {
        found.orders.sort_unstable_by_key(|order| order.seq);
    }
    Ok(found)
}
