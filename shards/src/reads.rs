//! Reads beside the lanes: a few connections per shard, a bound on what waits, a time-out.
//!
//! A read runs in a task of its own: a caller that hangs up must not leave a connection with
//! half an answer on it.
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use market::chances::Account;
use market::{ActivityId, Order, OrderId, RequestId, UserId};
use router::{SlotMap, TableId};
use tokio::sync::Semaphore;

use crate::ReadError;
use crate::store::{Connection, Database, StoreError, TableStatements, account_from_row, json_rows, order_from_row};

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
    database: D,
    tables: Vec<TableStatements>,
    /// Connections that nobody uses just now.
    idle: Mutex<Vec<D::Connection>>,
    running: Semaphore,
    admitted: Arc<Semaphore>,
    timeout: Duration,
}

impl<D: Database> Reader<D> {
    pub(crate) fn new(database: D, map: &SlotMap, limits: ReadLimits) -> Self {
        Self(Arc::new(Inner {
            database,
            tables: (0..map.tables()).map(|table| D::DIALECT.table(table)).collect(),
            idle: Mutex::default(),
            running: Semaphore::new(limits.connections_max),
            admitted: Arc::new(Semaphore::new(limits.queue_max)),
            timeout: limits.timeout,
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
                    Err(ReadError::ShardAway)
                }
                Err(_) => Err(ReadError::ShardAway),
            }
        });
        Box::pin(async move { task.await.unwrap_or(Err(ReadError::ShardAway)) })
    }
}

impl<D: Database> Inner<D> {
    /// Answers on an idle connection or a new one. A connection goes back only after a whole
    /// answer; one that failed or timed out is dropped.
    async fn answer(&self, table: TableId, question: &Question) -> Result<Found, StoreError> {
        let _running = self.running.acquire().await.map_err(|_| StoreError::Away("stopping".to_owned()))?;
        let idle = self.lock().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => self.database.connect().await?,
        };
        let found = read(&mut connection, &self.tables[usize::from(table.get())], question).await?;
        self.lock().push(connection);
        Ok(found)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<D::Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read<C: Connection>(
    connection: &mut C,
    sql: &TableStatements,
    question: &Question,
) -> Result<Found, StoreError> {
    let (statement, key) = match question {
        Question::Account(user, activity) => (&sql.read_accounts, json_rows([(user.as_str(), activity.get())])),
        Question::Order(user, OrderKey::Request(request)) => {
            (&sql.find_orders, json_rows([(user.as_str(), request.as_str())]))
        }
        Question::Order(user, OrderKey::Order(order)) => {
            (&sql.find_orders_by_id, json_rows([(user.as_str(), order.get())]))
        }
    };
    let rows = connection.rows(statement, &key).await?;
    let mut found = Found::default();
    for row in &rows {
        match question {
            Question::Account(..) => found.account = Some(account_from_row(row, 1)?),
            Question::Order(user, _) => found.orders.push(order_from_row(row, 1, user.clone())?),
        }
    }
    found.orders.sort_unstable_by_key(|order| order.seq);
    Ok(found)
}
