//! Reads beside the lanes: a few connections per shard, a bound on what waits, one timeout.
//!
//! Reads run in tasks of their own, so that a caller that hangs up does not leave half an answer on
//! a connection. What waits for a connection meanwhile is read together where it can be: alone, a
//! read waits for no other; many share a round trip.
//!
//! Only a server that takes writes may answer that something does not exist. A replica, or the old
//! server of a shard that has moved, may lack what was answered a moment ago.
mod orders;
mod question;
mod recharges;
#[cfg(test)]
mod tests;
mod together;
mod waiting;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use router::{SlotMap, TableId};
use tokio::sync::{Semaphore, oneshot};

use crate::error::ReadError;
use crate::results::walk::{Walk, Walker};
use crate::store::tables::locked::LockedTable as _;
use crate::store::tables::sign_ins::SignIns;
use crate::store::tables::{Numbered, points_entries};
use crate::store::{Connection, Database, Pool, PoolLimits, StoreError, json_rows};

pub use self::orders::{FoundPage, OrderKey, OrdersPage, PageSize};
use self::orders::{found_of_anyone, found_orders, found_page};
use self::question::Found;
pub use self::question::LedgerPage;
pub(crate) use self::question::{FoundRecords, ReadQuestion};
use self::recharges::found_recharges;
pub use self::recharges::{FoundRecharges, RechargesPage};
use self::together::read_together;
use self::waiting::{Waiting, WaitingReads};

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

/// A reader of any database.
pub(crate) trait Reads: Send + Sync {
    fn ask(&self, table: TableId, question: ReadQuestion) -> ReadFuture;

    /// A walk through the calls of a table, on a connection of its own.
    fn walk(&self, table: TableId, rows_max: usize) -> Box<dyn Walk>;
}

pub(crate) type ReadFuture = Pin<Box<dyn Future<Output = Result<FoundRecords, ReadError>> + Send>>;

/// The reader of one shard.
pub(crate) struct Reader<D: Database>(Arc<Inner<D>>);

struct Inner<D: Database> {
    tables: Vec<Numbered>,
    pool: Pool<D>,
    admitted: Arc<Semaphore>,
    waiting: WaitingReads,
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
            waiting: WaitingReads::new(connections_max),
            timeout,
        }))
    }
}

impl<D: Database> Reads for Reader<D> {
    fn ask(&self, table: TableId, question: ReadQuestion) -> ReadFuture {
        let inner = self.0.clone();
        let place = || inner.admitted.clone().try_acquire_owned().ok();
        let place = place().or_else(|| {
            inner.waiting.forget_gone();
            place()
        });
        let Some(place) = place else {
            return Box::pin(async { Err(ReadError::QueueFull) });
        };
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting {
            table,
            question,
            answer,
            place,
        };
        if inner.waiting.add(waiting) {
            tokio::spawn(ask_all(inner.clone()));
        }
        let timeout = inner.timeout;
        Box::pin(async move {
            let answered = tokio::time::timeout(timeout, answered).await;
            answered.map_or(Err(ReadError::ShardUnavailable), |answer| {
                answer.unwrap_or(Err(ReadError::ShardUnavailable))
            })
        })
    }

    fn walk(&self, table: TableId, rows_max: usize) -> Box<dyn Walk> {
        let database = self.0.pool.database().clone();
        Box::new(Walker::new(database, table, rows_max))
    }
}

/// Asks until nothing waits.
async fn ask_all<D: Database>(inner: Arc<Inner<D>>) {
    let mut asker = inner.waiting.asker();
    while let Some(mut asked) = asker.next() {
        let work = tokio::time::timeout(inner.timeout, inner.answer(&mut asked));
        // A bug that panics must not leave those without a task who wait behind these.
        let error = match AssertUnwindSafe(work).catch_unwind().await {
            Ok(Ok(Ok(()))) => continue,
            Ok(Ok(Err(error))) => error,
            Ok(Err(_)) => StoreError::Unavailable("no answer in time".to_owned()),
            Err(_) => StoreError::Unavailable("a read panicked".to_owned()),
        };
        tracing::warn!(reads = asked.len(), %error, "reads failed");
        for waiting in asked {
            waiting.end(Err(ReadError::from(&error)));
        }
    }
}

impl<D: Database> Inner<D> {
    /// Answers questions to one table on a connection of the pool; those that are left have no
    /// answer. After a failure or timeout the connection is dropped.
    async fn answer(&self, asked: &mut Vec<Waiting>) -> Result<(), StoreError> {
        // If the first answer came from a server that was left behind, the second one comes from
        // another.
        for _ in 0..2 {
            let Some(table) = asked.first().map(|waiting| waiting.table) else {
                return Ok(());
            };
            let mut connection = self.pool.get().await?;
            let sql = &self.tables[usize::from(table.get())];
            let (found, may_write) = ask(&mut *connection, sql, asked).await?;
            self.pool.keep(connection);
            let answered = std::mem::take(asked).into_iter().zip(found);
            for (waiting, found) in answered {
                match found {
                    Ok(found) if may_write || !found.is_empty() => waiting.end(Ok(found)),
                    Ok(_) => asked.push(waiting),
                    Err(error) => {
                        tracing::warn!(%error, "a read failed");
                        waiting.end(Err(ReadError::from(&error)));
                    }
                }
            }
        }
        if asked.is_empty() {
            return Ok(());
        }
        Err(StoreError::Unavailable(
            "only a read-only server answers, and it may lack the latest rows".to_owned(),
        ))
    }
}

/// What is found for each question, and whether the server still takes writes: asked when something
/// was not found.
async fn ask<C: Connection>(
    connection: &mut C,
    sql: &Numbered,
    asked: &[Waiting],
) -> Result<(Vec<Found>, bool), StoreError> {
    if let [alone] = asked {
        let (found, may_write) = read(connection, sql, &alone.question).await?;
        let may_write = match may_write {
            Some(known) => known,
            None => !found.is_empty() || connection.may_still_write().await?,
        };
        return Ok((vec![Ok(found)], may_write));
    }
    let questions: Vec<&ReadQuestion> = asked.iter().map(|waiting| &waiting.question).collect();
    read_together(connection, sql, &questions).await
}

/// Reads for a question that is asked alone. Also returns whether the server still takes writes, if
/// it was asked.
async fn read<C: Connection>(
    connection: &mut C,
    sql: &Numbered,
    question: &ReadQuestion,
) -> Result<(FoundRecords, Option<bool>), StoreError> {
    let mut may_still_write = None;
    let found = match question {
        ReadQuestion::Account(..) | ReadQuestion::Points(_) => {
            let (found, may_write) = read_together(connection, sql, &[question]).await?;
            may_still_write = Some(may_write);
            found.into_iter().next().transpose()?.unwrap_or_default()
        }
        ReadQuestion::Ledger(user, page) => {
            let before = page.before.unwrap_or(i64::MAX.unsigned_abs());
            let key = serde_json::json!([user.as_str(), before]).to_string();
            let rows = connection.rows(&sql.points_entries.latest, &key).await?;
            let entries = rows
                .iter()
                .take(page.size.get() + 1)
                .map(points_entries::read);
            FoundRecords {
                entries: entries.collect::<Result<_, _>>()?,
                ..FoundRecords::default()
            }
        }
        ReadQuestion::SignIns(user) => {
            let rows = connection
                .rows(&sql.sign_ins.of_user, &json_rows([user.as_str()]))
                .await?;
            let sign_in = |row| Ok((SignIns::read_key(row)?.1, SignIns::read_state(row)?));
            FoundRecords {
                sign_ins: rows
                    .iter()
                    .map(sign_in)
                    .collect::<Result<_, StoreError>>()?,
                ..FoundRecords::default()
            }
        }
        ReadQuestion::Order(user, key) => FoundRecords {
            orders: found_orders(connection, sql, user, key).await?,
            ..FoundRecords::default()
        },
        ReadQuestion::OrderOfAnyone(order) => FoundRecords {
            orders: found_of_anyone(connection, sql, *order).await?,
            ..FoundRecords::default()
        },
        ReadQuestion::Page(user, page) => {
            let (page, may_write) = found_page(connection, sql, user, *page).await?;
            may_still_write = may_write;
            FoundRecords {
                page,
                ..FoundRecords::default()
            }
        }
        ReadQuestion::Recharges(user, page) => {
            let (recharges, may_write) = found_recharges(connection, sql, user, *page).await?;
            may_still_write = may_write;
            FoundRecords {
                recharges,
                ..FoundRecords::default()
            }
        }
    };
    Ok((found, may_still_write))
}
