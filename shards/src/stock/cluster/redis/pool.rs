//! Connections to one Redis server: bounded, the one used last first, and none that may be dead.
//!
//! Whoever needs one dials it, so that nobody waits for others' dialling, and what went wrong is
//! heard at once by whom it concerns.
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{try_join, try_join_all};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError, cmd};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::SCRIPTS;
use super::options::RedisOptions;

/// A connection that rested for longer is not used again: what lies between may have forgotten it, and
/// then nobody says so.
const REST_MAX: Duration = Duration::from_secs(5);

/// The connections.
pub(super) struct Pool {
    options: RedisOptions,
    client: Client,
    /// How many more there may be.
    room: Arc<Semaphore>,
    /// Those that nobody uses, since when; the one used last at the end.
    kept: Mutex<Vec<(Instant, Known)>>,
    /// Raised when kept connections may be dead: older ones are not used again. Those to a process that
    /// has gone would else stay, because nobody asks anything of a process that is not the registered
    /// one, and so nobody would notice.
    generation: AtomicU64,
}

/// A connection to one process.
pub(super) struct Known {
    pub(super) connection: MultiplexedConnection,
    pub(super) run_id: String,
    /// The digests by which the server knows the scripts.
    pub(super) digests: Vec<String>,
    generation: u64,
}

/// A connection in use.
pub(super) struct Pooled {
    known: Option<Known>,
    /// Whether it must not be used again.
    pub(super) broken: bool,
    pool: Arc<Pool>,
    _room: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(options: &RedisOptions) -> Result<Self, String> {
        Ok(Self {
            client: options.silent_client()?,
            room: Arc::new(Semaphore::new(options.connections_max as usize)),
            kept: Mutex::default(),
            generation: AtomicU64::default(),
            options: options.clone(),
        })
    }

    /// How long a call may take.
    pub(super) fn patience(&self) -> Duration {
        self.options.timeout
    }

    /// What went wrong with a call, with what helps where that is known.
    pub(super) fn explain(&self, error: &RedisError) -> String {
        self.options.explain(error)
    }

    /// A connection that nobody else uses.
    pub(super) async fn get(self: &Arc<Self>) -> Result<Pooled, String> {
        let room = timeout(self.patience(), self.room.clone().acquire_owned()).await;
        let RedisOptions { host, port, connections_max, .. } = &self.options;
        let full = |_| format!("{host}:{port}: all {connections_max} connections are in use (connections_max)");
        let room = room.map_err(full)?.expect("it is never closed");
        let kept = self.take_kept();
        let known = match kept {
            Some(known) => known,
            None => self.dial().await?,
        };
        Ok(Pooled { known: Some(known), broken: false, pool: self.clone(), _room: room })
    }

    /// A new connection.
    pub(super) async fn dial(&self) -> Result<Known, String> {
        let generation = self.generation.load(Ordering::SeqCst);
        let dialled = timeout(self.patience(), self.greet(generation)).await;
        dialled.map_err(|_| self.options.late())?.map_err(|error| self.options.explain(&error))
    }

    /// Says who we are, asks who is there, and teaches the scripts.
    async fn greet(&self, generation: u64) -> Result<Known, RedisError> {
        // Each call has its own time-out.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let mut connection = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        if let Some(password) = &self.options.password {
            let mut auth = cmd("AUTH");
            if let Some(user) = &self.options.user {
                auth.arg(user);
            }
            let _ok: String = auth.arg(password).query_async(&mut connection).await?;
        }
        let ask = async |command: &redis::Cmd| command.query_async::<String>(&mut connection.clone()).await;
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
        let (info, digests) = try_join(ask(&info), try_join_all(loads.iter_mut().map(|load| ask(load)))).await?;
        let run_id = info.lines().find_map(|line| line.strip_prefix("run_id:")).unwrap_or_default().to_owned();
        Ok(Known { connection, run_id, digests, generation })
    }

    /// The kept connection that was used last; those that may be dead are ended.
    fn take_kept(&self) -> Option<Known> {
        let generation = self.generation.load(Ordering::SeqCst);
        let mut kept = self.lock();
        kept.retain(|(since, known)| known.generation == generation && since.elapsed() < REST_MAX);
        kept.pop().map(|(_, known)| known)
    }

    fn keep(&self, known: Known) {
        if known.generation == self.generation.load(Ordering::SeqCst) {
            self.lock().push((Instant::now(), known));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Instant, Known)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The client would show the password.
        f.debug_struct("Pool").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Pooled {
    /// Sees to it that no connection is used again that was made before this one, nor this one.
    pub(super) fn doubt_others(&mut self) {
        self.broken = true;
        let mine = self.generation;
        // Many who find out at once raise it once: what is dialled meanwhile is as good as new.
        let _ = self.pool.generation.compare_exchange(mine, mine + 1, Ordering::SeqCst, Ordering::SeqCst);
    }
}

impl Deref for Pooled {
    type Target = Known;

    fn deref(&self) -> &Known {
        self.known.as_ref().expect("only dropping takes it")
    }
}

impl DerefMut for Pooled {
    fn deref_mut(&mut self) -> &mut Known {
        self.known.as_mut().expect("only dropping takes it")
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        if let Some(known) = self.known.take().filter(|_| !self.broken) {
            self.pool.keep(known);
        }
    }
}
