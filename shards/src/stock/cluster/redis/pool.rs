//! Connections to one Redis server: a bb8 pool of connections that know the process at their other
//! end, without those that may be dead.
//!
//! bb8 dials in tasks of its own and does not report failures to callers that wait. So each failed
//! dial notes its error here, and callers that wait for a connection get it at once.
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bb8_redis::bb8::{self, ManageConnection, PooledConnection, QueueStrategy};
use futures_util::future::{try_join, try_join_all};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError, cmd};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::options::RedisOptions;
use super::scripts::SCRIPTS;

/// A connection that was idle for longer is not used again: the network may have dropped it without
/// notice.
const IDLE_MAX: Duration = Duration::from_secs(5);

/// How often idle connections are closed.
const REAP_PAUSE: Duration = Duration::from_secs(1);

/// The pool waits for this much longer than a dial may take: the dial's own error says more than
/// the pool's timeout.
const DIAL_SLACK: Duration = Duration::from_millis(20);

/// Connections to one server.
pub(super) struct RedisPool {
    connections: bb8::Pool<PoolManager>,
    dials: Arc<Dials>,
}

/// Makes connections, and remembers what dials have found out.
struct Dials {
    options: RedisOptions,
    client: Client,
    /// Raised when kept connections may be dead: older ones are not used again. Otherwise
    /// connections to a process that has gone could stay: sessions with a process that is not
    /// registered make no calls, so no call would fail.
    generation: AtomicU64,
    /// When the last failed dial began, and why it failed.
    failed: watch::Sender<Option<(Instant, String)>>,
}

/// A connection to one process.
pub(super) struct RedisConnection {
    pub(super) connection: MultiplexedConnection,
    pub(super) run_id: String,
    /// The digests by which the server knows the scripts.
    pub(super) digests: Vec<String>,
    /// Whether it must not be used again.
    pub(super) broken: bool,
    generation: u64,
    /// When a caller last got it.
    used: Instant,
}

/// A connection in use. It goes back to the pool when it is dropped.
pub(super) struct RedisLease {
    pooled: PooledConnection<'static, PoolManager>,
    dials: Arc<Dials>,
}

impl RedisPool {
    /// An empty pool.
    pub(super) fn new(options: &RedisOptions) -> Result<Self, String> {
        let dials = Arc::new(Dials {
            client: options.silent_client()?,
            generation: AtomicU64::default(),
            failed: watch::Sender::default(),
            options: options.clone(),
        });
        let connections = bb8::Pool::builder()
            .max_size(options.connections_max)
            // Each call has its own timeout. A ping before it would only add a round trip.
            .test_on_check_out(false)
            .retry_connection(false)
            .queue_strategy(QueueStrategy::Lifo)
            .idle_timeout(IDLE_MAX)
            .reaper_rate(REAP_PAUSE)
            .connection_timeout(options.timeout + DIAL_SLACK)
            .build_unchecked(PoolManager(dials.clone()));
        Ok(Self { connections, dials })
    }

    /// How long a call may take.
    pub(super) fn timeout(&self) -> Duration {
        self.dials.options.timeout
    }

    /// Why a call failed, and what helps where that is known.
    pub(super) fn explain(&self, error: &RedisError) -> String {
        self.dials.options.explain(error)
    }

    /// Gets a connection for the caller alone.
    pub(super) async fn get(&self) -> Result<RedisLease, String> {
        let (mut failed, asked) = (self.dials.failed.subscribe(), Instant::now());
        loop {
            let got = tokio::select! {
                biased;
                got = self.connections.get_owned() => got,
                // `self` owns the sender, so there is always a value.
                _ = failed.changed() => match failed.borrow_and_update().clone() {
                    Some((began, why)) if began >= asked => return Err(why),
                    // A dial for another caller, who has gone. The next round makes bb8 dial again.
                    _ => continue,
                },
            };
            let Ok(pooled) = got else {
                let RedisOptions {
                    host,
                    port,
                    connections_max,
                    ..
                } = &self.dials.options;
                return Err(format!(
                    "{host}:{port}: no connection in time: all {connections_max} are in use (connections_max), or it is slow"
                ));
            };
            let mut lease = RedisLease {
                pooled,
                dials: self.dials.clone(),
            };
            if lease.generation == self.dials.generation() && lease.used.elapsed() < IDLE_MAX {
                lease.used = Instant::now();
                return Ok(lease);
            }
            // The pool does not take it back.
            lease.broken = true;
        }
    }

    /// Makes a connection outside of the pool.
    pub(super) async fn dial(&self) -> Result<RedisConnection, String> {
        self.dials.dial().await
    }
}

impl Dials {
    fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    async fn dial(&self) -> Result<RedisConnection, String> {
        let generation = self.generation();
        let dialled = timeout(self.options.timeout, self.greet(generation)).await;
        dialled
            .map_err(|_| self.options.late())?
            .map_err(|error| self.options.explain(&error))
    }

    /// Authenticates, asks for the process's id, and loads the scripts.
    async fn greet(&self, generation: u64) -> Result<RedisConnection, RedisError> {
        // Each call has its own timeout.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None);
        let mut connection = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        if let Some(password) = &self.options.password {
            let mut auth = cmd("AUTH");
            if let Some(user) = &self.options.user {
                auth.arg(user);
            }
            let _ok: String = auth.arg(password).query_async(&mut connection).await?;
        }
        let ask = async |command: &redis::Cmd| {
            command.query_async::<String>(&mut connection.clone()).await
        };
        let (mut info, mut loads) = (
            cmd("INFO"),
            SCRIPTS.map(|script| {
                let mut load = cmd("SCRIPT");
                load.arg("LOAD").arg(script);
                load
            }),
        );
        info.arg("server");
        // All commands are sent at once.
        let (info, digests) = try_join(
            ask(&info),
            try_join_all(loads.iter_mut().map(|load| ask(load))),
        )
        .await?;
        let run_id = info
            .lines()
            .find_map(|line| line.strip_prefix("run_id:"))
            .unwrap_or_default()
            .to_owned();
        Ok(RedisConnection {
            connection,
            run_id,
            digests,
            broken: false,
            generation,
            used: Instant::now(),
        })
    }
}

/// Makes connections for the pool.
struct PoolManager(Arc<Dials>);

impl ManageConnection for PoolManager {
    type Connection = RedisConnection;
    type Error = DialFailed;

    async fn connect(&self) -> Result<RedisConnection, DialFailed> {
        let began = Instant::now();
        self.0.dial().await.map_err(|why| {
            self.0.failed.send_replace(Some((began, why)));
            DialFailed
        })
    }

    async fn is_valid(&self, _: &mut RedisConnection) -> Result<(), DialFailed> {
        // Not used: see `test_on_check_out`.
        Ok(())
    }

    fn has_broken(&self, connection: &mut RedisConnection) -> bool {
        connection.broken || connection.generation != self.0.generation()
    }
}

/// Callers that wait get the reason from [`Dials`].
#[derive(Debug, thiserror::Error)]
#[error("a dial failed")]
struct DialFailed;

impl fmt::Debug for RedisPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The client would show the password.
        f.debug_struct("RedisPool")
            .field("options", &self.dials.options)
            .finish_non_exhaustive()
    }
}

impl RedisLease {
    /// Ensures that neither this connection nor any that was made before it is used again.
    pub(super) fn retire_older(&mut self) {
        self.broken = true;
        let mine = self.generation;
        // Several callers that notice at once raise it once. Connections dialled since then are
        // good.
        let _ = self.dials.generation.compare_exchange(
            mine,
            mine + 1,
            Ordering::SeqCst,
            Ordering::SeqCst,
        );
    }
}

impl Deref for RedisLease {
    type Target = RedisConnection;

    fn deref(&self) -> &RedisConnection {
        &self.pooled
    }
}

impl DerefMut for RedisLease {
    fn deref_mut(&mut self) -> &mut RedisConnection {
        &mut self.pooled
    }
}
