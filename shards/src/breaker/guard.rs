//! One breaker without its lock, clock and metrics: which calls it lets in, and what follows from
//! their outcomes. Time is a parameter.
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::chart::{BreakerState, Chart};
use super::settings::BreakerSettings;
use super::window::CallWindow;

/// The retry advice of a breaker that was forced open without an end.
const FORCED_RETRY: Duration = Duration::from_secs(5);

/// The generation of calls that do not count.
const UNCOUNTED: u64 = 0;

/// What is behind a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BreakerKind {
    /// Commands and reads of one shard's users. Failures in a row say little: one batch that fails
    /// is hundreds of calls.
    Shard,
    /// Units that lanes take from one stock server. A call is a batch's, and there are few calls
    /// while the server hangs. So failures in a row count.
    StockServer,
}

/// The states that operators can force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForcedState {
    /// All calls are refused.
    Open,
    /// All calls are let in, and no outcome counts.
    Closed,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallOutcome {
    /// An answer came, whatever it was.
    Answered,
    /// No answer came.
    Failed,
    /// Its caller has gone.
    Cancelled,
    /// The outcome says nothing about what is behind the breaker.
    Uncounted,
}

/// A call that was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CallTicket {
    since: Instant,
    generation: u64,
}

impl CallTicket {
    /// The call waited for this time before it began.
    pub(super) fn waited(&mut self, time: Duration) {
        self.since += time;
    }
}

/// Whether a call is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    Admitted(CallTicket),
    /// It is let in only because the breaker observes.
    WouldRefuse(CallTicket),
    /// It may be tried again after this time.
    Refused(Duration),
}

/// Why a breaker's state or mode changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChangeReason {
    Failed {
        failed: u64,
        calls: u64,
    },
    FailedInARow(u32),
    Slow {
        slow: u64,
        calls: u64,
    },
    WaitIsOver,
    ProbeFailed,
    ProbesAnswered(u32),
    /// Operators commanded it; they give the reason.
    Commanded,
    ForceHasEnded,
}

impl fmt::Display for ChangeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ChangeReason::Failed { failed, calls } => write!(f, "{failed} of {calls} calls failed"),
            ChangeReason::FailedInARow(failed) => write!(f, "{failed} calls in a row failed"),
            ChangeReason::Slow { slow, calls } => write!(f, "{slow} of {calls} calls were slow"),
            ChangeReason::WaitIsOver => f.write_str("time for probes"),
            ChangeReason::ProbeFailed => f.write_str("a probe failed"),
            ChangeReason::ProbesAnswered(probes) => write!(f, "{probes} probes were answered"),
            ChangeReason::Commanded => f.write_str("commanded"),
            ChangeReason::ForceHasEnded => f.write_str("the time it was forced for is over"),
        }
    }
}

/// What operators forced, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ForcedUntil {
    pub(super) to: ForcedState,
    pub(super) until: Option<Instant>,
}

/// A breaker.
pub(super) struct Guard {
    kind: BreakerKind,
    settings: BreakerSettings,
    chart: Chart,
    /// Raised with each change: calls that were let in before it do not count after it.
    generation: u64,
    window: CallWindow,
    wait: Wait,
    probes: Probes,
    forced: Option<ForcedUntil>,
    change: Option<ChangeReason>,
}

/// How long the breaker stays open.
#[derive(Debug, Clone, Copy)]
struct Wait {
    lasts: Duration,
    until: Instant,
}

/// Calls that were let in while half open.
#[derive(Debug, Clone, Copy, Default)]
struct Probes {
    under_way: u32,
    answered: u32,
}

impl Guard {
    /// A closed breaker.
    pub(super) fn new(kind: BreakerKind, settings: BreakerSettings, now: Instant) -> Self {
        Self {
            kind,
            settings,
            chart: Chart::new(),
            generation: UNCOUNTED + 1,
            window: CallWindow::new(settings.window, now),
            wait: Wait {
                lasts: Duration::ZERO,
                until: now,
            },
            probes: Probes::default(),
            forced: None,
            change: None,
        }
    }

    /// Lets a call in or refuses it.
    pub(super) fn admit(&mut self, now: Instant) -> Admission {
        self.end_expired(now);
        let uncounted = CallTicket {
            since: now,
            generation: UNCOUNTED,
        };
        match self.forced {
            Some(ForcedUntil {
                to: ForcedState::Closed,
                ..
            }) => return Admission::Admitted(uncounted),
            // Commands of operators are obeyed whether the breaker observes or not.
            Some(ForcedUntil {
                to: ForcedState::Open,
                until,
            }) => {
                return Admission::Refused(until.map_or(FORCED_RETRY, |until| until - now));
            }
            None => {}
        }
        if self.chart.state() == BreakerState::Open && self.wait.until <= now {
            self.chart.half_open();
            self.changed(ChangeReason::WaitIsOver);
        }
        let is_in = match self.chart.state() {
            BreakerState::Closed => true,
            BreakerState::HalfOpen => {
                self.probes.under_way + self.probes.answered < self.settings.probes
            }
            BreakerState::Open => false,
        };
        match is_in {
            true => {
                self.probes.under_way += u32::from(self.chart.state() == BreakerState::HalfOpen);
                Admission::Admitted(CallTicket {
                    since: now,
                    generation: self.generation,
                })
            }
            false if self.settings.observe => Admission::WouldRefuse(uncounted),
            false => Admission::Refused(self.probes_in(now).unwrap_or_default()),
        }
    }

    /// Counts the outcome of a call.
    pub(super) fn end(&mut self, ticket: CallTicket, outcome: CallOutcome, now: Instant) {
        self.end_expired(now);
        if ticket.generation != self.generation || self.forced.is_some() {
            return;
        }
        let slow = now.saturating_duration_since(ticket.since) >= self.settings.slow;
        let failed = match outcome {
            CallOutcome::Answered => Some(false),
            CallOutcome::Failed => Some(true),
            // A caller who leaves after a long wait got no answer in time. One who leaves at once
            // has another reason, which must not open the breaker for others.
            CallOutcome::Cancelled => slow.then_some(true),
            CallOutcome::Uncounted => None,
        };
        match self.chart.state() {
            BreakerState::Closed => failed
                .into_iter()
                .for_each(|failed| self.record(failed, slow, now)),
            BreakerState::HalfOpen => self.probed(failed.map(|failed| failed || slow), now),
            BreakerState::Open => {}
        }
    }

    /// Obeys operators. After `None` the breaker decides again, beginning closed.
    pub(super) fn obey(&mut self, forced: Option<ForcedUntil>, now: Instant) {
        self.end_expired(now);
        self.forced = forced;
        self.begin_again(now);
        self.changed(ChangeReason::Commanded);
    }

    /// Replaces the settings.
    pub(super) fn replace(&mut self, settings: BreakerSettings, now: Instant) {
        self.end_expired(now);
        if settings.window != self.settings.window {
            self.window = CallWindow::new(settings.window, now);
        }
        if settings.probes != self.settings.probes {
            // Probes are counted again: the answered ones could be enough already, or too many.
            self.probes = Probes::default();
            self.generation += 1;
        }
        self.settings = settings;
    }

    /// Ends what was forced for a time that is over.
    pub(super) fn end_expired(&mut self, now: Instant) {
        if self
            .forced
            .and_then(|forced| forced.until)
            .is_some_and(|until| until <= now)
        {
            self.forced = None;
            self.begin_again(now);
            self.changed(ChangeReason::ForceHasEnded);
        }
    }

    /// What it does with calls now.
    pub(super) fn state(&self) -> BreakerState {
        match self.forced {
            Some(ForcedUntil {
                to: ForcedState::Open,
                ..
            }) => BreakerState::Open,
            Some(ForcedUntil {
                to: ForcedState::Closed,
                ..
            }) => BreakerState::Closed,
            None => self.chart.state(),
        }
    }

    pub(super) fn forced(&self) -> Option<ForcedUntil> {
        self.forced
    }

    pub(super) fn settings(&self) -> &BreakerSettings {
        &self.settings
    }

    /// The time until probes are let in; `None` unless the breaker is open by its own decision.
    pub(super) fn probes_in(&self, now: Instant) -> Option<Duration> {
        let waits = self.forced.is_none() && self.chart.state() == BreakerState::Open;
        waits.then(|| self.wait.until.saturating_duration_since(now))
    }

    /// Takes the reason of the last change.
    pub(super) fn take_change(&mut self) -> Option<ChangeReason> {
        self.change.take()
    }

    fn record(&mut self, failed: bool, slow: bool, now: Instant) {
        self.window.record(failed, slow, now);
        if let Some(reason) = self.too_much() {
            self.open(self.settings.open_min, reason, now);
        }
    }

    /// Why the breaker should open, if it should.
    fn too_much(&self) -> Option<ChangeReason> {
        let BreakerSettings {
            calls_min,
            error_ratio_percent,
            slow_ratio_percent,
            redis_failures,
            ..
        } = self.settings;
        let (counts, in_a_row) = (self.window.counts(), self.window.failed_in_a_row());
        let calls = counts.calls;
        let reaches = |part: u64, percent: u8| part * 100 >= u64::from(percent) * calls;
        if self.kind == BreakerKind::StockServer && in_a_row >= redis_failures {
            return Some(ChangeReason::FailedInARow(in_a_row));
        }
        if calls < u64::from(calls_min) {
            return None;
        }
        if reaches(counts.failed, error_ratio_percent) {
            return Some(ChangeReason::Failed {
                failed: counts.failed,
                calls,
            });
        }
        reaches(counts.slow, slow_ratio_percent).then_some(ChangeReason::Slow {
            slow: counts.slow,
            calls,
        })
    }

    /// Counts the outcome of a probe. `None` says nothing: another probe may be let in.
    fn probed(&mut self, failed: Option<bool>, now: Instant) {
        self.probes.under_way -= 1;
        match failed {
            None => {}
            Some(true) => {
                let BreakerSettings {
                    open_min, open_max, ..
                } = self.settings;
                self.open(
                    (self.wait.lasts * 2).min(open_max).max(open_min),
                    ChangeReason::ProbeFailed,
                    now,
                );
            }
            Some(false) => {
                self.probes.answered += 1;
                if self.probes.answered == self.settings.probes {
                    self.chart.close();
                    self.window = CallWindow::new(self.settings.window, now);
                    self.changed(ChangeReason::ProbesAnswered(self.settings.probes));
                }
            }
        }
    }

    fn open(&mut self, lasts: Duration, reason: ChangeReason, now: Instant) {
        self.wait = Wait {
            lasts,
            until: now + lasts,
        };
        self.chart.open();
        self.changed(reason);
    }

    fn begin_again(&mut self, now: Instant) {
        self.chart.begin_again();
        self.window = CallWindow::new(self.settings.window, now);
    }

    fn changed(&mut self, reason: ChangeReason) {
        self.generation += 1;
        self.probes = Probes::default();
        self.change = Some(reason);
    }
}
