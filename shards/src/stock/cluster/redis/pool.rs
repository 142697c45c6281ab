//! Connections to one Redis server: a bb8 pool of connections that know whose they are, without
//! those that may be dead.
//!
//! bb8 dials in tasks of its own and tells nobody who waits what went wrong. So each dial that
//! fails says it here, and whoever waits for a connection hears it at once.
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

/// A connection that rested for longer is not used again: what lies between may have forgotten it,
/// and then nobody says so.
const REST_MAX: Duration = Duration::from_secs(5);

/// How often those are ended.
const REAP_PAUSE: Duration = Duration::from_secs(1);

/// A dial ends by itself after a call's timeout, and its error says more than that nothing came.
const DIAL_SLACK: Duration = Duration::from_millis(20);

/// The connections.
pub(super) struct Pool {
    connections: bb8::Pool<Manager>,
    dials: Arc<Dials>,
}

/// Dials, and what they have found out.
struct Dials {
    options: RedisOptions,
    client: Client,
    /// Raised when kept connections may be dead: older ones are not used again. Those to a process
    /// that has gone would else stay, because nobody asks anything of a process that is not the
    /// registered one, and so nobody would notice.
    generation: AtomicU64,
    /// When the last dial that failed began, and why it failed.
    failed: watch::Sender<Option<(Instant, String)>>,
}

/// A connection to one process.
pub(super) struct Known {
    pub(super) connection: MultiplexedConnection,
    pub(super) run_id: String,
    /// The digests by which the server knows the scripts.
    pub(super) digests: Vec<String>,
    /// Whether it must not be used again.
    pub(super) broken: bool,
    generation: u64,
    /// When somebody last got it.
    used: Instant,
}

/// A connection in use.
pub(super) struct Pooled {
    known: PooledConnection<'static, Manager>,
    dials: Arc<Dials>,
}

impl Pool {
    /// Connects to nobody yet.
    pub(super) fn new(options: &RedisOptions) -> Result<Self, String> {
        let dials = Arc::new(Dials {
            client: options.silent_client()?,
            generation: AtomicU64::default(),
            failed: watch::Sender::default(),
            options: options.clone(),
        });
        let connections = bb8::Pool::builder()
            .max_size(options.connections_max)
            // Each call has its own timeout; a ping before it would only double the way.
            .test_on_check_out(false)
            .retry_connection(false)
            .queue_strategy(QueueStrategy::Lifo)
            .idle_timeout(REST_MAX)
            .reaper_rate(REAP_PAUSE)
            .connection_timeout(options.timeout + DIAL_SLACK)
            .build_unchecked(Manager(dials.clone()));
        Ok(Self { connections, dials })
    }

    /// How long a call may take.
    pub(super) fn timeouts(&self) -> Duration {
        self.dials.options.timeout
    }

    /// What went wrong with a call, with what helps where that is known.
    pub(super) fn explain(&self, error: &RedisError) -> String {
        self.dials.options.explain(error)
    }

    /// A connection that nobody else uses.
    pub(super) async fn get(&self) -> Result<Pooled, String> {
        let (mut failed, asked) = (self.dials.failed.subscribe(), Instant::now());
        loop {
            let got = tokio::select! {
                biased;
                got = self.connections.get_owned() => got,
                // The sender lives as long as we do.
                _ = failed.changed() => match failed.borrow_and_update().clone() {
                    Some((began, why)) if began >= asked => return Err(why),
                    // Somebody else's, who has gone: asked again, bb8 dials again.
                    _ => continue,
                },
            };
            let Ok(known) = got else {
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
            let mut pooled = Pooled {
                known,
                dials: self.dials.clone(),
            };
            if pooled.generation == self.dials.generation() && pooled.used.elapsed() < REST_MAX {
                pooled.used = Instant::now();
                return Ok(pooled);
            }
            // Dropped, and with it gone from the pool.
            pooled.broken = true;
        }
    }

    /// A new connection, which the pool knows nothing of.
    pub(super) async fn dial(&self) -> Result<Known, String> {
        self.dials.dial().await
    }
}

impl Dials {
    fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    async fn dial(&self) -> Result<Known, String> {
        let generation = self.generation();
        let dialled = timeout(self.options.timeout, self.greet(generation)).await;
        dialled
            .map_err(|_| self.options.late())?
            .map_err(|error| self.options.explain(&error))
    }

    /// Says who we are, asks who is there, and teaches the scripts.
    async fn greet(&self, generation: u64) -> Result<Known, RedisError> {
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
        // All on their way at once.
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
        Ok(Known {
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
struct Manager(Arc<Dials>);

impl ManageConnection for Manager {
    type Connection = Known;
    type Error = DialFailed;

    async fn connect(&self) -> Result<Known, DialFailed> {
        let began = Instant::now();
        self.0.dial().await.map_err(|why| {
            self.0.failed.send_replace(Some((began, why)));
            DialFailed
        })
    }

    async fn is_valid(&self, _: &mut Known) -> Result<(), DialFailed> {
        // Nobody asks: see `test_on_check_out`.
        Ok(())
    }

    fn has_broken(&self, known: &mut Known) -> bool {
        known.broken || known.generation != self.0.generation()
    }
}

/// Why is said to those who wait.
#[derive(Debug, thiserror::Error)]
#[error("a dial failed")]
struct DialFailed;

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The client would show the password.
        f.debug_struct("Pool")
            .field("options", &self.dials.options)
            .finish_non_exhaustive()
    }
}

impl Pooled {
    /// Sees to it that no connection is used again that was made before this one, nor this one.
    pub(super) fn doubt_others(&mut self) {
        self.broken = true;
        let mine = self.generation;
        // Many who find out at once raise it once: what is dialled meanwhile is as good as new.
        let _ = self.dials.generation.compare_exchange(
            mine,
            mine + 1,
            Ordering::SeqCst,
            Ordering::SeqCst,
        );
    }
}

impl Deref for Pooled {
    type Target = Known;

    fn deref(&self) -> &Known {
        &self.known
    }
}

impl DerefMut for Pooled {
    fn deref_mut(&mut self) -> &mut Known {
        &mut self.known
    }
}
