//! A breaker with its lock, clock, metrics and log; and the permits that it gives.
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::chart::BreakerState;
use super::guard::{Admission, BreakerKind, CallOutcome, CallTicket, ChangeReason, Guard};
use super::metrics::Meters;
use super::mode::{BreakerCommand, BreakerControl, BreakerStatus};
use super::settings::BreakerSettings;

/// A breaker. A call holds its lock for some nanoseconds and allocates nothing meanwhile.
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

/// The breaker refuses the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BreakerRefusal {
    /// The time until a call may be let in again.
    pub(crate) retry_after: Duration,
}

/// The permission to call what is behind a breaker. Dropping it without an outcome means that its
/// caller has gone.
pub(crate) struct BreakerPermit<'a> {
    breaker: &'a Breaker,
    ticket: CallTicket,
    outcome: CallOutcome,
}

impl Breaker {
    pub(super) fn new(
        meters: Meters,
        name: String,
        kind: BreakerKind,
        settings: BreakerSettings,
    ) -> Self {
        let changed_at = Timestamp::now();
        meters.changed(BreakerState::Closed, BreakerState::Closed, changed_at);
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
    pub(crate) fn admit(&self) -> Result<BreakerPermit<'_>, BreakerRefusal> {
        let permit = |ticket| BreakerPermit {
            breaker: self,
            ticket,
            outcome: CallOutcome::Cancelled,
        };
        match self.act(Guard::admit) {
            Admission::Admitted(ticket) => Ok(permit(ticket)),
            Admission::WouldRefuse(ticket) => {
                self.meters.observed.inc();
                Ok(permit(ticket))
            }
            Admission::Refused(retry_after) => {
                self.meters.refused.inc();
                Err(BreakerRefusal { retry_after })
            }
        }
    }

    pub(super) fn obey(&self, command: &BreakerCommand) {
        let mut inner = self.lock();
        let now = Instant::now();
        let before = inner.guard.state();
        inner.guard.obey(command.mode.forced(now), now);
        // The operator and the operator's reason replace it.
        inner.guard.take_change();
        self.note(
            &mut inner,
            before,
            format!(
                "{} by {}: {}",
                command.mode.name(),
                command.who,
                command.why
            ),
        );
    }

    pub(super) fn replace(&self, settings: BreakerSettings) {
        self.act(|guard, now| guard.replace(settings, now));
    }

    pub(super) fn end_expired(&self) {
        self.act(Guard::end_expired);
    }

    pub(super) fn status(&self) -> BreakerStatus {
        self.end_expired();
        let inner = self.lock();
        let now = Instant::now();
        BreakerStatus {
            name: self.name.clone(),
            state: inner.guard.state(),
            mode: BreakerControl::of(inner.guard.forced(), now),
            observe: inner.guard.settings().observe,
            reason: inner.reason.clone(),
            changed_at: inner.changed_at,
            probes_in: inner.guard.probes_in(now),
        }
    }

    /// Does something with the guard, and notes what it has changed.
    fn act<T>(&self, act: impl FnOnce(&mut Guard, Instant) -> T) -> T {
        let mut inner = self.lock();
        let before = inner.guard.state();
        let result = act(&mut inner.guard, Instant::now());
        if let Some(reason) = inner.guard.take_change() {
            self.note(&mut inner, before, ChangeReason::to_string(&reason));
        }
        result
    }

    /// Counts and logs a change, under the lock: changes are rare.
    fn note(&self, inner: &mut Inner, before: BreakerState, reason: String) {
        let (state, mode) = (
            inner.guard.state(),
            BreakerControl::of(inner.guard.forced(), Instant::now()),
        );
        inner.changed_at = Timestamp::now();
        self.meters.changed(before, state, inner.changed_at);
        let breaker = &*self.name;
        // Operators need no warning of their own commands.
        if (state, mode) == (BreakerState::Open, BreakerControl::Automatic) {
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

impl BreakerPermit<'_> {
    /// Notes that the call waited for this time before it reached what is behind the breaker.
    pub(crate) fn waited(&mut self, time: Duration) {
        self.ticket.waited(time);
    }

    /// Ends the call with this outcome.
    pub(crate) fn end(mut self, outcome: CallOutcome) {
        self.outcome = outcome;
    }
}

impl Drop for BreakerPermit<'_> {
    fn drop(&mut self) {
        self.breaker
            .act(|guard, now| guard.end(self.ticket, self.outcome, now));
    }
}
