//! Refused requests to the admin address: counted, logged within a bound, and slowed where tokens
//! are guessed.
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::{IntCounterVec, Opts, Registry};
use tokio::time::{Instant, sleep};

use crate::edge::Peer;
use crate::limits::address::ClientAddress;
use crate::trace::LogSample;

/// How long the response to a wrong token takes.
const DELAY: Duration = Duration::from_secs(1);

/// Wrong tokens that are compared from one address: this number at once, and then one in each
/// interval. Further ones get a response that says to wait. A right token always passes: an
/// operator may share an address with an attacker.
const FAILURES_AT_ONCE: u32 = 8;
const FAILURE_INTERVAL: Duration = Duration::from_millis(250);

/// Addresses that are remembered, all of which failed within seconds. Further ones count as one.
const ADDRESSES_MAX: usize = 1_024;

const LINES_PER_SECOND_MAX: u32 = 1;

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalReason {
    /// It has no token.
    Missing,
    /// Its token is not known.
    Unknown,
    /// Too many wrong tokens came from its address a moment ago.
    Slowed,
    /// A viewer's token, for a change.
    Viewer,
}

impl RefusalReason {
    const ALL: [RefusalReason; 4] = [
        RefusalReason::Missing,
        RefusalReason::Unknown,
        RefusalReason::Slowed,
        RefusalReason::Viewer,
    ];

    const fn label(self) -> &'static str {
        match self {
            RefusalReason::Missing => "missing",
            RefusalReason::Unknown => "unknown",
            RefusalReason::Slowed => "slowed",
            RefusalReason::Viewer => "viewer",
        }
    }
}

/// Counts and slows refused requests.
pub struct Refusals {
    counter: IntCounterVec,
    failures: Mutex<WrongTokens>,
    lines: LogSample,
    since: Instant,
}

impl Refusals {
    /// Registers the metric.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let refused = Opts::new(
            "drawbridge_admin_refused_total",
            "Requests to the admin address that were refused",
        );
        let counter = IntCounterVec::new(refused, &["reason"])?;
        registry.register(Box::new(counter.clone()))?;
        for reason in RefusalReason::ALL {
            counter.with_label_values(&[reason.label()]);
        }
        Ok(Self {
            counter,
            failures: Mutex::default(),
            lines: LogSample::new(LINES_PER_SECOND_MAX),
            since: Instant::now(),
        })
    }

    /// How long an address must wait before its tokens are compared, if it must.
    pub fn wait(&self, peer: Peer) -> Option<Duration> {
        lock(&self.failures).wait(peer.0.into(), self.since.elapsed())
    }

    /// Counts and logs a refused request, but nothing that it has sent.
    pub fn note(&self, reason: RefusalReason, Peer(address): Peer, name: &str) {
        self.counter.with_label_values(&[reason.label()]).inc();
        if let Some(hidden) = self.lines.admit(self.since.elapsed().as_secs()) {
            let reason = reason.label();
            tracing::info!(%address, reason, name, hidden, "a request to the admin address was refused");
        }
    }

    /// Delays the response to a wrong token.
    pub async fn slow(&self, peer: Peer) {
        lock(&self.failures).note(peer.0.into(), self.since.elapsed());
        sleep(DELAY).await;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// When each address will have paid for its wrong tokens, as a time since any start.
#[derive(Debug, Default)]
struct WrongTokens {
    paid_at: HashMap<ClientAddress, Duration>,
    /// The same for all addresses that there is no room for.
    others_paid_at: Duration,
}

impl WrongTokens {
    fn wait(&self, client: ClientAddress, now: Duration) -> Option<Duration> {
        let full = self.paid_at.len() >= ADDRESSES_MAX;
        let paid_at = self
            .paid_at
            .get(&client)
            .copied()
            .or(full.then_some(self.others_paid_at));
        let debt = paid_at?.saturating_sub(now);
        let most = FAILURE_INTERVAL * (FAILURES_AT_ONCE - 1);
        (debt > most).then(|| debt.saturating_sub(most))
    }

    fn note(&mut self, client: ClientAddress, now: Duration) {
        if self.paid_at.len() >= ADDRESSES_MAX {
            self.paid_at.retain(|_, paid_at| *paid_at > now);
        }
        let paid_at = if self.paid_at.len() < ADDRESSES_MAX || self.paid_at.contains_key(&client) {
            self.paid_at.entry(client).or_default()
        } else {
            &mut self.others_paid_at
        };
        *paid_at = now.max(*paid_at) + FAILURE_INTERVAL;
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn client(number: u32) -> ClientAddress {
        IpAddr::from(Ipv4Addr::from(number)).into()
    }

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn an_address_that_guesses_waits_and_others_do_not() {
        let mut failures = WrongTokens::default();
        let mut compared = 0;
        for ms in 0..10_000 {
            if failures.wait(client(1), at(ms)).is_none() {
                failures.note(client(1), at(ms));
                compared += 1;
            }
        }
        // Eight at once, and four in each of ten seconds.
        assert_eq!(compared, 8 + 4 * 10 - 1);
        assert!(
            failures
                .wait(client(1), at(9_990))
                .is_some_and(|wait| wait <= FAILURE_INTERVAL)
        );
        assert_eq!(failures.wait(client(2), at(10_000)), None);
        assert_eq!(failures.wait(client(1), at(10_300)), None);
    }

    #[test]
    fn a_mistyped_token_does_not_cost_the_next_try() {
        let mut failures = WrongTokens::default();
        for ms in [0, 1_000, 2_000, 3_000] {
            assert_eq!(failures.wait(client(1), at(ms)), None);
            failures.note(client(1), at(ms));
        }
        assert_eq!(failures.wait(client(1), at(3_001)), None);
    }

    #[test]
    fn no_more_addresses_are_remembered_than_there_is_room_for() {
        let mut failures = WrongTokens::default();
        for number in 0..5_000 {
            failures.note(client(number), at(1));
        }
        assert_eq!(failures.paid_at.len(), ADDRESSES_MAX);
        // Those that there was no room for count together.
        assert!(
            failures.wait(client(4_999), at(1)).is_some()
                && failures.wait(client(0), at(1)).is_none()
        );
        failures.note(client(9_999), at(100_000));
        assert_eq!(failures.paid_at.len(), 1);
        assert_eq!(failures.wait(client(4_999), at(100_000)), None);
    }
}
