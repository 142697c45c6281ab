//! What one connection is doing, and until when it may go on doing that.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// How long a connection may stay without a request.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionTimeouts {
    /// From the connection to the end of its first request's head. A TLS handshake counts as well.
    pub first_header: Duration,
    /// From one request's answer being ready to the end of the next one's head.
    pub header: Duration,
    /// For a caller to take more of an answer that it has not read yet.
    pub write: Duration,
    /// For a request that is on its way when the server stops.
    pub linger: Duration,
}

impl ConnectionTimeouts {
    /// How long a connection that is `age` old may go on; `None` when its time is over. `draining`
    /// is how old it was when the server began to drain.
    fn left(
        &self,
        activity: ConnectionActivity,
        age: Duration,
        draining: Option<Duration>,
    ) -> Option<Duration> {
        let end = match activity {
            // However long its answer takes.
            ConnectionActivity::Answering => return Some(self.header),
            ConnectionActivity::FirstHead => self.first_header,
            ConnectionActivity::IdleSince(since) => since + self.header,
        };
        let end = draining.map_or(end, |draining| end.min(draining + self.linger));
        Some(end.saturating_sub(age)).filter(|left| !left.is_zero())
    }
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionActivity {
    /// It has not yet sent a whole head.
    FirstHead,
    /// A request of its is being answered.
    Answering,
    /// It waits for its next request since it was this old.
    IdleSince(Duration),
}

/// A connection as its task and the table of connections see it. With one timer that is looked at
/// when it rings nothing has to be set and dropped with each request.
#[derive(Debug)]
pub struct ConnectionState {
    accepted: Instant,
    /// Nanoseconds from then to the last answer, or one of the marks below.
    since_ns: AtomicU64,
    must_give_way: AtomicBool,
    changed: Notify,
}

const ANSWERING: u64 = u64::MAX;
const FIRST_HEAD: u64 = u64::MAX - 1;

impl ConnectionState {
    /// A connection that was accepted just now.
    pub fn new(accepted: Instant) -> Self {
        let (since_ns, must_give_way) = (AtomicU64::new(FIRST_HEAD), AtomicBool::new(false));
        Self {
            accepted,
            since_ns,
            must_give_way,
            changed: Notify::new(),
        }
    }

    /// What it is doing.
    pub fn activity(&self) -> ConnectionActivity {
        match self.since_ns.load(Ordering::Relaxed) {
            ANSWERING => ConnectionActivity::Answering,
            FIRST_HEAD => ConnectionActivity::FirstHead,
            since_ns => ConnectionActivity::IdleSince(Duration::from_nanos(since_ns)),
        }
    }

    /// When it was accepted.
    pub fn accepted(&self) -> Instant {
        self.accepted
    }

    /// How long it has been open.
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.accepted)
    }

    /// How long it may go on from `now`; `None` when its time is over.
    pub fn left(
        &self,
        timeouts: &ConnectionTimeouts,
        now: Instant,
        draining: Option<Duration>,
    ) -> Option<Duration> {
        timeouts.left(self.activity(), self.age(now), draining)
    }

    /// Asks it to end unless it has a request.
    pub fn ask_to_give_way(&self) {
        self.must_give_way.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// Whether it was asked to; once for each time that it was.
    pub fn takes_give_way(&self) -> bool {
        self.must_give_way.load(Ordering::Relaxed)
            && self.must_give_way.swap(false, Ordering::Relaxed)
    }

    /// Has its task look at what changed.
    pub fn wake(&self) {
        self.changed.notify_one();
    }

    /// Waits for that.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// A request has begun.
    pub fn answers(&self) -> AnsweringGuard<'_> {
        self.since_ns.store(ANSWERING, Ordering::Relaxed);
        AnsweringGuard(self)
    }

    /// An answer goes on after its head.
    pub fn streams(self: Arc<Self>) -> StreamingGuard {
        self.since_ns.store(ANSWERING, Ordering::Relaxed);
        StreamingGuard(self)
    }

    fn rests(&self, now: Instant) {
        let since_ns = u64::try_from(self.age(now).as_nanos()).unwrap_or(FIRST_HEAD - 1);
        self.since_ns.store(since_ns, Ordering::Relaxed);
    }
}

/// A request that is being answered; dropped, however it ends, the wait for the next one begins.
pub struct AnsweringGuard<'a>(&'a ConnectionState);

impl Drop for AnsweringGuard<'_> {
    fn drop(&mut self) {
        self.0.rests(Instant::now());
    }
}

/// An answer that streams; dropped, however it ends, the wait for the next request begins.
pub struct StreamingGuard(Arc<ConnectionState>);

impl Drop for StreamingGuard {
    fn drop(&mut self) {
        self.0.rests(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUTS: ConnectionTimeouts = ConnectionTimeouts {
        first_header: Duration::from_secs(5),
        header: Duration::from_secs(30),
        write: Duration::from_secs(10),
        linger: Duration::from_millis(250),
    };

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_first_head_has_less_time_than_the_ones_after_it() {
        let left = |activity, age| TIMEOUTS.left(activity, seconds(age), None);
        assert_eq!(left(ConnectionActivity::FirstHead, 4), Some(seconds(1)));
        assert_eq!(left(ConnectionActivity::FirstHead, 5), None);
        assert_eq!(
            left(ConnectionActivity::IdleSince(seconds(100)), 129),
            Some(seconds(1))
        );
        assert_eq!(left(ConnectionActivity::IdleSince(seconds(100)), 130), None);
        // Two clocks that are read in another order.
        assert_eq!(
            left(ConnectionActivity::IdleSince(seconds(100)), 99),
            Some(seconds(31))
        );
    }

    #[test]
    fn a_request_under_way_may_take_any_time() {
        let state = ConnectionState::new(Instant::now());
        assert_eq!(state.activity(), ConnectionActivity::FirstHead);
        let answering = state.answers();
        for draining in [None, Some(seconds(1))] {
            assert_eq!(
                TIMEOUTS.left(state.activity(), seconds(1_000_000), draining),
                Some(TIMEOUTS.header)
            );
        }
        drop(answering);
        assert!(matches!(state.activity(), ConnectionActivity::IdleSince(_)));
    }

    #[test]
    fn a_connection_whose_answer_streams_is_not_idle() {
        let state = Arc::new(ConnectionState::new(Instant::now()));
        drop(state.answers());
        let streaming = state.clone().streams();
        assert_eq!(state.activity(), ConnectionActivity::Answering);
        drop(streaming);
        assert!(matches!(state.activity(), ConnectionActivity::IdleSince(_)));
    }

    #[test]
    fn when_the_server_drains_a_request_has_a_moment_to_arrive() {
        let left = |activity, age_ms| {
            TIMEOUTS.left(activity, Duration::from_millis(age_ms), Some(seconds(2)))
        };
        for silent in [
            ConnectionActivity::FirstHead,
            ConnectionActivity::IdleSince(seconds(1)),
        ] {
            assert_eq!(left(silent, 2_000), Some(TIMEOUTS.linger));
            assert_eq!(left(silent, 2_250), None);
        }
        // Never longer than it had before.
        let activity = ConnectionActivity::FirstHead;
        assert_eq!(TIMEOUTS.left(activity, seconds(5), Some(seconds(5))), None);
    }

    #[test]
    fn a_request_to_give_way_is_seen_once() {
        let state = ConnectionState::new(Instant::now());
        assert!(!state.takes_give_way());
        state.ask_to_give_way();
        assert!(state.takes_give_way());
        assert!(!state.takes_give_way());
    }
}
