//! A few connections to one database, shared by many callers.
use std::collections::VecDeque;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::{Database, StoreError};

/// A connection that idled for this long is closed when another one is put back: servers close idle
/// ones after twice as long.
const IDLE_KEPT: Duration = Duration::from_secs(30);

/// Sizes of a pool.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PoolLimits {
    /// Connections in use at once.
    pub(crate) all_max: usize,
    /// Connections kept while they idle.
    pub(crate) idle_max: usize,
    /// How long one is waited for while all are in use.
    pub(crate) wait: Duration,
}

/// The pool of connections to one database.
#[derive(Clone)]
pub(crate) struct Pool<D: Database>(Arc<Inner<D>>);

struct Inner<D: Database> {
    database: D,
    /// Whether a read-only server will do.
    reads: bool,
    limits: PoolLimits,
    places: Arc<Semaphore>,
    /// With the time when each was put back. The last one is used first, so that superfluous ones
    /// grow old.
    idle: Mutex<VecDeque<(Instant, D::Connection)>>,
}

/// A connection of a pool. Dropping it closes it. Only a caller that knows that it is sound and in
/// no transaction puts it back.
pub(crate) struct PooledConnection<D: Database> {
    connection: D::Connection,
    _place: OwnedSemaphorePermit,
}

impl<D: Database> fmt::Debug for Pool<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("limits", &self.0.limits)
            .finish_non_exhaustive()
    }
}

impl<D: Database> Pool<D> {
    /// A pool of connections that may write.
    pub(crate) fn new(database: D, limits: PoolLimits) -> Self {
        Self::with(database, limits, false)
    }

    /// A pool of connections that only read.
    pub(crate) fn for_reads(database: D, limits: PoolLimits) -> Self {
        Self::with(database, limits, true)
    }

    fn with(database: D, limits: PoolLimits, reads: bool) -> Self {
        let places = Arc::new(Semaphore::new(limits.all_max));
        Self(Arc::new(Inner {
            database,
            reads,
            limits,
            places,
            idle: Mutex::default(),
        }))
    }

    /// The database of its connections.
    pub(crate) fn database(&self) -> &D {
        &self.0.database
    }

    /// A connection that was put back, or a new one.
    pub(crate) async fn get(&self) -> Result<PooledConnection<D>, StoreError> {
        let Inner {
            database,
            reads,
            limits: PoolLimits { all_max, wait, .. },
            places,
            ..
        } = &*self.0;
        let Ok(Ok(place)) = timeout(*wait, places.clone().acquire_owned()).await else {
            return Err(StoreError::Unavailable(format!(
                "all {all_max} connections were in use for {wait:?}"
            )));
        };
        let idle = self.idle().pop_back();
        let connection = match idle {
            Some((_, connection)) => connection,
            None if *reads => database.connect_for_reads().await?,
            None => database.connect().await?,
        };
        Ok(PooledConnection {
            connection,
            _place: place,
        })
    }

    /// Puts a connection back. It must be in no transaction. After an error it is dropped instead,
    /// because its state is unknown.
    pub(crate) fn keep(&self, lease: PooledConnection<D>) {
        let now = Instant::now();
        let mut idle = self.idle();
        idle.push_back((now, lease.connection));
        while idle.len() > self.0.limits.idle_max
            || idle
                .front()
                .is_some_and(|(since, _)| now - *since > IDLE_KEPT)
        {
            idle.pop_front();
        }
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<(Instant, D::Connection)>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<D: Database> Deref for PooledConnection<D> {
    type Target = D::Connection;

    fn deref(&self) -> &D::Connection {
        &self.connection
    }
}

impl<D: Database> DerefMut for PooledConnection<D> {
    fn deref_mut(&mut self) -> &mut D::Connection {
        &mut self.connection
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::store::{Access, Connection, Dialect, SQLITE, SqliteConnection, SqliteFile};

    /// Counts how often it is opened.
    #[derive(Clone)]
    struct Counted(SqliteFile, Arc<AtomicUsize>);

    impl Database for Counted {
        type Connection = SqliteConnection;

        const DIALECT: Dialect = SQLITE;

        async fn connect(&self) -> Result<SqliteConnection, StoreError> {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.connect().await
        }
    }

    fn pool(
        folder: &tempfile::TempDir,
        all_max: usize,
        idle_max: usize,
    ) -> (Pool<Counted>, Arc<AtomicUsize>) {
        let opened = Arc::new(AtomicUsize::new(0));
        let file = SqliteFile {
            path: folder.path().join("file.sqlite"),
            access: Access::Create,
        };
        let limits = PoolLimits {
            all_max,
            idle_max,
            wait: Duration::from_millis(50),
        };
        (Pool::new(Counted(file, opened.clone()), limits), opened)
    }

    #[tokio::test]
    async fn what_is_put_back_is_used_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let (pool, opened) = pool(&folder, 4, 2);
        for _ in 0..5 {
            let mut lease = pool.get().await.expect("a connection");
            lease.rows("SELECT $1", "[]").await.expect("it works");
            pool.keep(lease);
        }
        assert_eq!(opened.load(Ordering::Relaxed), 1);
        drop(pool.get().await.expect("a connection"));
        drop(
            pool.get()
                .await
                .expect("another one: the first was not put back"),
        );
        assert_eq!(opened.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn only_so_many_are_used_and_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let (pool, opened) = pool(&folder, 3, 2);
        let mut leases = Vec::new();
        for _ in 0..3 {
            leases.push(pool.get().await.expect("a connection"));
        }
        let refused = pool.get().await.map(drop);
        assert!(
            matches!(&refused, Err(StoreError::Unavailable(why)) if why.contains("all 3")),
            "{refused:?}"
        );
        for lease in leases {
            pool.keep(lease);
        }
        assert_eq!(pool.idle().len(), 2);
        let leases = (
            pool.get().await.expect("one"),
            pool.get().await.expect("two"),
            pool.get().await.expect("three"),
        );
        assert_eq!(opened.load(Ordering::Relaxed), 4);
        drop(leases);
    }
}
