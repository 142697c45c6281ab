//! A breaker with its lock, clock, metrics and log, and the permits that it gives.
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::chart::State;
use super::guard::{Admission, Guard, Kind, Reason, Ticket, Verdict};
use super::metrics::Meters;
use super::mode::{Mode, Order, Status};
use super::settings::Settings;

/// A breaker. Its lock is held for some nanoseconds a call, and nothing is allocated meanwhile.
pub(crate) struct Breaker {
    name: String,
    meters: Meters,
    inner: Mutex<Inner>,
}

struct Inner {
    guard: Guard,
    reason: String,
    changed_at: Timestamp,
}

/// The breaker lets nobody in now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Until somebody may be let in again.
    pub(crate) retry_after: Duration,
}

/// Leave to call what is behind a breaker. Dropped without a verdict it says that its caller has
/// gone.
pub(crate) struct Permit<'a> {
    breaker: &'a Breaker,
    ticket: Ticket,
    verdict: Verdict,
}

impl Breaker {
    pub(super) fn new(meters: Meters, name: String, kind: Kind, settings: Settings) -> Self {
        let changed_at = Timestamp::now();
        meters.changed(State::Closed, State::Closed, changed_at);
        let guard = Guard::new(kind, settings, Instant::now());
        Self {
            name,
            meters,
            inner: Mutex::new(Inner {
                guard,
                reason: "the process began".to_owned(),
                changed_at,
            }),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Lets a call in or refuses it.
    pub(crate) fn admit(&self) -> Result<Permit<'_>, Refused> {
        let permit = |ticket| Permit {
            breaker: self,
            ticket,
            verdict: Verdict::Cancelled,
        };
        match self.act(Guard::admit) {
            Admission::Admitted(ticket) => Ok(permit(ticket)),
            Admission::WouldRefuse(ticket) => {
                self.meters.observed.inc();
                Ok(permit(ticket))
            }
            Admission::Refused(retry_after) => {
                self.meters.refused.inc();
                Err(Refused { retry_after })
            }
        }
    }

    pub(super) fn order(&self, order: &Order) {
        let mut inner = self.lock();
        let now = Instant::now();
        let before = inner.guard.state();
        inner.guard.order(order.mode.forced(now), now);
        // The reason is who and why.
        inner.guard.take_change();
        self.note(
            &mut inner,
            before,
            format!("{} by {}: {}", order.mode.name(), order.who, order.why),
        );
    }

    pub(super) fn replace(&self, settings: Settings) {
        self.act(|guard, now| guard.replace(settings, now));
    }

    pub(super) fn look(&self) {
        self.act(Guard::look);
    }

    pub(super) fn status(&self) -> Status {
        self.look();
        let inner = self.lock();
        let now = Instant::now();
        Status {
            name: self.name.clone(),
            state: inner.guard.state(),
            mode: Mode::of(inner.guard.forced(), now),
            observe: inner.guard.settings().observe,
            reason: inner.reason.clone(),
            changed_at: inner.changed_at,
            probes_in: inner.guard.probes_in(now),
        }
    }

    /// Does something with the guard, and tells what has changed.
    fn act<T>(&self, act: impl FnOnce(&mut Guard, Instant) -> T) -> T {
        let mut inner = self.lock();
        let before = inner.guard.state();
        let answer = act(&mut inner.guard, Instant::now());
        if let Some(reason) = inner.guard.take_change() {
            self.note(&mut inner, before, Reason::to_string(&reason));
        }
        answer
    }

    /// Notes a change; there are few of them, so it may take the time of a log line.
    fn note(&self, inner: &mut Inner, before: State, reason: String) {
        let (state, mode) = (
            inner.guard.state(),
            Mode::of(inner.guard.forced(), Instant::now()),
        );
        inner.changed_at = Timestamp::now();
        self.meters.changed(before, state, inner.changed_at);
        let breaker = &*self.name;
        // What operations order is no surprise to them.
        if (state, mode) == (State::Open, Mode::Automatic) {
            tracing::warn!(
                breaker,
                state = state.name(),
                mode = mode.name(),
                reason,
                "a breaker changed"
            );
        } else {
            tracing::info!(
                breaker,
                state = state.name(),
                mode = mode.name(),
                reason,
                "a breaker changed"
            );
        }
        inner.reason = reason;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    /// Says that the call came to what is behind the breaker only after this time.
    pub(crate) fn waited(&mut self, time: Duration) {
        self.ticket.waited(time);
    }

    /// Says how the call ended.
    pub(crate) fn judge(mut self, verdict: Verdict) {
        self.verdict = verdict;
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.breaker
            .act(|guard, now| guard.judge(self.ticket, self.verdict, now));
    }
}
