//! How connections are made: one dial at a time to each address, for all callers that wait.
//!
//! A server counts handshakes that a client gave up. After a hundred in a row (its
//! `max_connect_errors`) it refuses the client's host until an operator flushes its list. So a dial
//! runs in a task of its own. A caller whose timeout ends gets an error, while the dial goes on and
//! its result waits for the next caller. The name is looked up again for each dial, so a name that
//! has moved is followed.
use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use market::random::Randomness;
use sqlx::ConnectOptions;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::failure::Failure;
use super::identity::recognise;
use super::options::{MysqlOptions, Tls};
use super::session::{self, SessionServer};
use super::times::IDLE_MAX;
use crate::random::OsRandom;
use crate::store::StoreError;

/// A TCP connection within a data centre stands after a millisecond. One repetition of a lost
/// packet takes 1 s; the address may be unused by now, so no caller waits longer.
const TCP_MAX: Duration = Duration::from_secs(1);

/// For looking up a name: enough for a resolver that asks two servers in turn.
const RESOLVE_MAX: Duration = Duration::from_secs(2);

/// Once TCP stands, the dial waits this long for the server's handshake and the session's first
/// answers: dropped handshakes are what makes the server refuse this host. A server that hangs for
/// an hour counts 120 of them; most hang for seconds.
const HANDSHAKE_MAX: Duration = Duration::from_secs(30);

/// While a dial waits for a handshake, the name is looked up again this often. If it leads
/// elsewhere by now, that address is dialled.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The maximum number of handshakes per address that are left alone because their name leads
/// elsewhere. A name whose address changes with each look-up must not collect them.
const LEFT_ALONE_MAX: usize = 4;

/// After a failure the next dial waits this long, and twice as long after each further one. A
/// server that restarts is back in seconds, and each gateway may try a few times a second.
const BACK_OFF_MIN: Duration = Duration::from_millis(50);
/// The longest that a server which is back goes unnoticed.
const BACK_OFF_MAX: Duration = Duration::from_secs(2);

/// The maximum number of addresses that one dial tries.
const ADDRESSES_MAX: usize = 8;

/// What a caller wants a connection for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    /// The server must take writes.
    Writes,
    /// A read-only server will do while no other answers.
    Reads,
}

/// Makes the connections of all clones of a [`MysqlDatabase`](super::MysqlDatabase). A process has
/// one for all its databases, so that each address is dialled once at a time.
#[derive(Clone, Default)]
pub struct Dialer(Arc<Mutex<DialLines>>);

#[derive(Default)]
struct DialLines {
    /// One for each database of the configuration.
    lines: Vec<Arc<DialLine>>,
    turns: Vec<(String, u16, Arc<Semaphore>)>,
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Dialer")
    }
}

/// Two databases are equal whatever dials them.
impl PartialEq for Dialer {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Dialer {
    /// The line to `database`.
    pub(super) fn line(&self, database: &Arc<MysqlOptions>) -> Arc<DialLine> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.lines.iter().find(|line| line.database == *database) {
            return line.clone();
        }
        let turn = lines.turn(&database.host, database.port);
        let line = Arc::new(DialLine {
            database: database.clone(),
            turn,
            left_alone: Arc::new(Semaphore::new(LEFT_ALONE_MAX)),
            generation: AtomicU64::new(0),
            state: Mutex::default(),
        });
        lines.lines.push(line.clone());
        line
    }
}

impl DialLines {
    fn turn(&mut self, host: &str, port: u16) -> Arc<Semaphore> {
        if let Some((.., turn)) = self
            .turns
            .iter()
            .find(|(known, at, _)| known == host && *at == port)
        {
            return turn.clone();
        }
        let turn = Arc::new(Semaphore::new(1));
        self.turns.push((host.to_owned(), port, turn.clone()));
        turn
    }
}

/// A connection with its session set up.
pub(super) struct Dialled {
    pub(super) inner: sqlx::MySqlConnection,
    pub(super) server: SessionServer,
    /// The line's generation when the dial began.
    pub(super) generation: u64,
    pub(super) since: Instant,
}

/// The way to one database.
pub(super) struct DialLine {
    database: Arc<MysqlOptions>,
    /// Held while dialling; shared by all databases at the address.
    turn: Arc<Semaphore>,
    left_alone: Arc<Semaphore>,
    /// Raised when the server refuses to serve: connections of an earlier generation are not used
    /// again.
    generation: AtomicU64,
    state: Mutex<LineState>,
}

#[derive(Default)]
struct LineState {
    dialling: bool,
    /// At most one for each lane, job and connection of a reader.
    waiters: VecDeque<Waiter>,
    /// A connection that had no waiter any more when it stood. It may write.
    ready: Option<Dialled>,
    failed: Option<Failed>,
}

struct Waiter {
    wants: Wants,
    reply: oneshot::Sender<Result<Dialled, StoreError>>,
}

/// The last dial, which failed.
struct Failed {
    error: StoreError,
    /// It found a server, but a read-only one.
    read_only: bool,
    /// How many failed in a row.
    times: u32,
    until: Instant,
}

impl DialLine {
    /// A connection: one that is ready, or the result of a dial if it comes within `limit`.
    pub(super) async fn connect(
        self: &Arc<Self>,
        wants: Wants,
        limit: Duration,
    ) -> Result<Dialled, StoreError> {
        let reply = {
            let mut state = self.state();
            if let Some(ready) = self.take_ready(&mut state) {
                return Ok(ready);
            }
            if let Some(failed) = state.failed.as_ref().filter(|failed| failed.holds(wants)) {
                return Err(failed.error.clone());
            }
            let (reply, result) = oneshot::channel();
            state.waiters.push_back(Waiter { wants, reply });
            self.dial_unless_dialling(&mut state);
            result
        };
        match timeout(limit, reply).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(StoreError::Unavailable(format!(
                "{:?}: the dial was stopped",
                self.database
            ))),
            Err(_) => Err(self.still_connecting(limit)),
        }
    }

    /// A connection that is to replace a sound one. If none is ready, one is dialled for the next
    /// caller.
    pub(super) fn successor(self: &Arc<Self>) -> Option<Dialled> {
        let mut state = self.state();
        let ready = self.take_ready(&mut state);
        if ready.is_none()
            && !state
                .failed
                .as_ref()
                .is_some_and(|failed| failed.holds(Wants::Writes))
        {
            self.dial_unless_dialling(&mut state);
        }
        ready
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    /// Ends all connections of a generation whose server refuses to serve. They are not used for
    /// another transaction.
    pub(super) fn end_generation(&self, generation: u64, why: &StoreError) {
        let raised = self.generation.compare_exchange(
            generation,
            generation + 1,
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
        if raised.is_ok() {
            tracing::warn!(database = ?self.database, %why, "the server does not serve: all its connections are made again");
        }
    }

    fn state(&self) -> MutexGuard<'_, LineState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_ready(&self, state: &mut LineState) -> Option<Dialled> {
        state.ready.take().filter(|ready| {
            ready.generation == self.generation() && ready.since.elapsed() < IDLE_MAX
        })
    }

    fn still_connecting(&self, limit: Duration) -> StoreError {
        let last = self
            .state()
            .failed
            .as_ref()
            .map(|failed| format!("; the last error was: {}", failed.error));
        let last = last.unwrap_or_default();
        StoreError::Unavailable(format!(
            "{:?}: still connecting after {limit:?}{last}",
            self.database
        ))
    }

    fn dial_unless_dialling(self: &Arc<Self>, state: &mut LineState) {
        if !std::mem::replace(&mut state.dialling, true) {
            tokio::spawn(Dialling(Some(self.clone())).run());
        }
    }

    /// Hands out the result of a dial. Returns whether another dial is wanted at once.
    fn deliver(&self, result: Result<Dialled, StoreError>) -> bool {
        let mut state = self.state();
        let LineState {
            waiters,
            ready,
            failed,
            dialling,
        } = &mut *state;
        waiters.retain(|waiter| !waiter.reply.is_closed());
        match result {
            Ok(dialled) if !dialled.server.read_only => {
                *failed = None;
                *ready = hand_over(waiters, dialled);
            }
            Ok(dialled) => {
                let why = format!(
                    "{:?} is read-only: it may be a replica, or about to be one",
                    self.database
                );
                let error = StoreError::Unavailable(why);
                // A dial for readers only must not delay the next one for writers.
                if waiters.iter().any(|waiter| waiter.wants == Wants::Writes) {
                    *failed = Some(Failed::after(failed.as_ref(), error.clone(), true));
                    refuse(waiters, |waiter| waiter.wants == Wants::Writes, &error);
                }
                drop(hand_over(waiters, dialled));
            }
            Err(error) => {
                *failed = Some(Failed::after(failed.as_ref(), error.clone(), false));
                refuse(waiters, |_| true, &error);
            }
        }
        *dialling = !waiters.is_empty();
        *dialling
    }
}

/// Gives a connection to the first caller that still waits. Returns it when there is none.
fn hand_over(waiters: &mut VecDeque<Waiter>, mut dialled: Dialled) -> Option<Dialled> {
    while let Some(waiter) = waiters.pop_front() {
        match waiter.reply.send(Ok(dialled)) {
            Err(Ok(unused)) => dialled = unused,
            Ok(()) | Err(Err(_)) => return None,
        }
    }
    Some(dialled)
}

fn refuse(waiters: &mut VecDeque<Waiter>, whom: impl Fn(&Waiter) -> bool, error: &StoreError) {
    let (refused, left): (VecDeque<_>, VecDeque<_>) = waiters.drain(..).partition(whom);
    *waiters = left;
    for waiter in refused {
        // A caller that has gone meanwhile needs no answer.
        let _ = waiter.reply.send(Err(error.clone()));
    }
}

impl Failed {
    fn after(before: Option<&Self>, error: StoreError, read_only: bool) -> Self {
        let times = before.map_or(0, |before| before.times.saturating_add(1));
        Self {
            error,
            read_only,
            times,
            until: Instant::now() + back_off(times, OsRandom::default().next_u64()),
        }
    }

    /// Whether it is too early for the next dial of this kind. Readers may always try when the last
    /// dial found a read-only server.
    fn holds(&self, wants: Wants) -> bool {
        Instant::now() < self.until && !(self.read_only && wants == Wants::Reads)
    }
}

/// How long to wait after the given number of earlier failures. Half of it is random, so that
/// gateways which failed together do not come back together.
fn back_off(times: u32, random: u64) -> Duration {
    let whole = BACK_OFF_MIN
        .saturating_mul(1 << times.min(16))
        .min(BACK_OFF_MAX);
    let half_ms = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX) / 2;
    Duration::from_millis(half_ms + random % (half_ms + 1))
}

/// The task that dials while a caller waits. However it ends, the next caller can start another.
struct Dialling(Option<Arc<DialLine>>);

impl Dialling {
    async fn run(mut self) {
        let Some(line) = self.0.clone() else { return };
        loop {
            // It is never closed.
            let Ok(_turn) = line.turn.acquire().await else {
                return;
            };
            // Read first: if the generation ends meanwhile, this dial is part of it.
            let generation = line.generation();
            let dialled = dial(&line).await;
            let dialled = dialled.map(|(inner, server)| Dialled {
                inner,
                server,
                generation,
                since: Instant::now(),
            });
            if !line.deliver(dialled) {
                self.0 = None;
                return;
            }
        }
    }
}

impl Drop for Dialling {
    fn drop(&mut self) {
        if let Some(line) = &self.0 {
            let mut state = line.state();
            state.dialling = false;
            state.waiters.clear();
        }
    }
}

type Connected = (sqlx::MySqlConnection, SessionServer);

/// Tries the present addresses of the database's name until one of them is a server that takes
/// writes. A read-only one is the last resort.
async fn dial(line: &DialLine) -> Result<Connected, StoreError> {
    let database = &line.database;
    let mut read_only = None;
    let mut error = StoreError::Unavailable(format!("{database:?}: its name has no address"));
    let mut targets: VecDeque<DialTarget> = targets(database).await?.into();
    while let Some(target) = targets.pop_front() {
        match target.reach(line, targets.is_empty()).await {
            Ok(connected) if !connected.1.read_only => return Ok(connected),
            Ok(connected) => read_only = Some(connected),
            Err(why) => {
                tracing::debug!(?database, addresses = ?target.addresses, %why, "a dial failed");
                error = why;
            }
        }
    }
    read_only.ok_or(error)
}

/// The host that sqlx dials, with its addresses.
struct DialTarget {
    host: String,
    addresses: Vec<SocketAddr>,
}

async fn addresses(database: &MysqlOptions) -> Result<Vec<SocketAddr>, StoreError> {
    let unknown = |why: &dyn fmt::Display| {
        StoreError::Unavailable(format!(
            "{database:?}: the address of {:?} cannot be found: {why}",
            database.host
        ))
    };
    let host = database.host.trim_matches(['[', ']']);
    match timeout(RESOLVE_MAX, lookup_host((host, database.port))).await {
        Ok(Ok(addresses)) => Ok(addresses.take(ADDRESSES_MAX).collect()),
        Ok(Err(error)) => Err(unknown(&error)),
        Err(_) => Err(unknown(&format!("no answer within {RESOLVE_MAX:?}"))),
    }
}

async fn targets(database: &MysqlOptions) -> Result<Vec<DialTarget>, StoreError> {
    let addresses = addresses(database).await?;
    if matches!(database.tls, Tls::Verify { .. }) {
        // sqlx compares the certificate with the host that it dials, so that must be the name.
        return Ok(vec![DialTarget {
            host: database.host.clone(),
            addresses,
        }]);
    }
    Ok(addresses
        .into_iter()
        .map(|address| DialTarget {
            host: address.ip().to_string(),
            addresses: vec![address],
        })
        .collect())
}

impl DialTarget {
    /// Connects to it. When TCP does not stand, the dial is given up. When it does, the dial is
    /// waited for, unless the name leads elsewhere or there are other addresses: then it is left
    /// alone.
    async fn reach(&self, line: &DialLine, last: bool) -> Result<Connected, StoreError> {
        let mut dial = self.spawn(&line.database);
        if let Ok(done) = timeout(TCP_MAX, &mut dial).await {
            return self.judge(line, done);
        }
        let probe = match timeout(TCP_MAX, TcpStream::connect(&*self.addresses)).await {
            Ok(Ok(probe)) => probe,
            Ok(Err(error)) => return Err(self.give_up(line, &dial, &error)),
            Err(_) => {
                return Err(self.give_up(
                    line,
                    &dial,
                    &format!("no TCP connection within {TCP_MAX:?}"),
                ));
            }
        };
        loop {
            // Looked up only for the last address: others have not been tried yet.
            let elsewhere = !last || self.has_moved(&line.database).await;
            if elsewhere && let Ok(place) = line.left_alone.clone().try_acquire_owned() {
                tokio::spawn(async move {
                    // Bounded by the dial itself.
                    let _ = dial.await;
                    drop((probe, place));
                });
                return Err(self.failed(line, &"it accepts TCP connections but does not answer"));
            }
            if let Ok(done) = timeout(LOOK_AGAIN, &mut dial).await {
                return self.judge(line, done);
            }
        }
    }

    /// Starts the dial, which goes on when its caller is gone.
    fn spawn(&self, database: &Arc<MysqlOptions>) -> JoinHandle<Result<Connected, StoreError>> {
        let database = database.clone();
        let options = database.connect_options(&self.host);
        tokio::spawn(async move {
            let connected = async {
                let mut connection = options.connect().await.map_err(Failure::from)?;
                let server = session::check(&mut connection, database.statement_timeout).await?;
                recognise(&database.expected, &mut connection).await?;
                Ok::<_, StoreError>((connection, server))
            };
            let late = || StoreError::Unavailable(format!("no handshake within {HANDSHAKE_MAX:?}"));
            timeout(HANDSHAKE_MAX, connected)
                .await
                .unwrap_or_else(|_| Err(late()))
        })
    }

    fn judge(
        &self,
        line: &DialLine,
        done: Result<Result<Connected, StoreError>, tokio::task::JoinError>,
    ) -> Result<Connected, StoreError> {
        match done {
            Ok(Ok(connected)) => Ok(connected),
            Ok(Err(StoreError::Unavailable(why))) => Err(self.failed(line, &why)),
            Ok(Err(error)) => Err(error),
            Err(error) => Err(self.failed(line, &error)),
        }
    }

    fn give_up(
        &self,
        line: &DialLine,
        dial: &JoinHandle<Result<Connected, StoreError>>,
        why: &dyn fmt::Display,
    ) -> StoreError {
        // The server counts no handshake, because none has begun.
        dial.abort();
        self.failed(line, why)
    }

    fn failed(&self, line: &DialLine, why: &dyn fmt::Display) -> StoreError {
        let addresses: Vec<String> = self
            .addresses
            .iter()
            .map(|address| address.ip().to_string())
            .collect();
        StoreError::Unavailable(format!(
            "{:?} at {}: {why}",
            line.database,
            addresses.join(", ")
        ))
    }

    async fn has_moved(&self, database: &MysqlOptions) -> bool {
        let now = addresses(database).await;
        now.is_ok_and(|now| {
            !now.is_empty() && !self.addresses.iter().any(|address| now.contains(address))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_two_seconds_and_half_of_them_is_chance() {
        let milliseconds = |times, random| back_off(times, random).as_millis();
        assert_eq!((milliseconds(0, 0), milliseconds(0, 25)), (25, 50));
        assert_eq!((milliseconds(3, 0), milliseconds(3, 200)), (200, 400));
        assert_eq!((milliseconds(6, 0), milliseconds(6, 1_000)), (1_000, 2_000));
        assert_eq!(milliseconds(u32::MAX, u64::MAX) / 1_000, 1);
    }
}
