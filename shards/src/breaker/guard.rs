//! One breaker without its lock, its clock and its metrics: who is let in, and what follows from
//! how calls end. Time is a parameter.
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::chart::{Chart, State};
use super::settings::Settings;
use super::window::Window;

/// What a caller is told after whom a breaker was forced open without an end.
const FORCED_RETRY: Duration = Duration::from_secs(5);

/// The generation of calls that do not count.
const UNCOUNTED: u64 = 0;

/// What a breaker stands in front of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Draws and reads of one shard's users. One call in a row with others says little: a batch
    /// that fails is hundreds of calls.
    Shard,
    /// What lanes take from one stock server. Calls are batches, and while the server hangs there
    /// are few of them: failures in a row count.
    StockServer,
}

/// What operations can force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Force {
    /// Nobody is let in.
    Open,
    /// Everybody is let in, and nothing counts.
    Closed,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It was answered, whatever the answer was.
    Answered,
    /// It was not.
    Failed,
    /// Its caller has gone.
    Cancelled,
    /// It says nothing about what the breaker stands in front of.
    Uncounted,
}

/// A call that was let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    since: Instant,
    generation: u64,
}

impl Ticket {
    /// The call did not begin before it had waited for this time.
    pub(super) fn waited(&mut self, time: Duration) {
        self.since += time;
    }
}

/// Whether a call is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    Admitted(Ticket),
    /// Only because the breaker just observes.
    WouldRefuse(Ticket),
    /// Ask again after this time.
    Refused(Duration),
}

/// Why a breaker's state or mode changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
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
    /// Operations said so; they give the reason.
    Ordered,
    ForceHasEnded,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Failed { failed, calls } => write!(f, "{failed} of {calls} calls failed"),
            Reason::FailedInARow(failed) => write!(f, "{failed} calls in a row failed"),
            Reason::Slow { slow, calls } => write!(f, "{slow} of {calls} calls were slow"),
            Reason::WaitIsOver => f.write_str("time for probes"),
            Reason::ProbeFailed => f.write_str("a probe failed"),
            Reason::ProbesAnswered(probes) => write!(f, "{probes} probes were answered"),
            Reason::Ordered => f.write_str("ordered"),
            Reason::ForceHasEnded => f.write_str("the time it was forced for is over"),
        }
    }
}

/// What operations forced, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Forced {
    pub(super) to: Force,
    pub(super) until: Option<Instant>,
}

/// A breaker.
pub(super) struct Guard {
    kind: Kind,
    settings: Settings,
    chart: Chart,
    /// Raised with each change: what was let in before does not count after it.
    generation: u64,
    window: Window,
    wait: Wait,
    probes: Probes,
    forced: Option<Forced>,
    change: Option<Reason>,
}

/// How long the breaker is open.
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
    /// A closed one.
    pub(super) fn new(kind: Kind, settings: Settings, now: Instant) -> Self {
        Self {
            kind,
            settings,
            chart: Chart::new(),
            generation: UNCOUNTED + 1,
            window: Window::new(settings.window, now),
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
        self.look(now);
        let uncounted = Ticket {
            since: now,
            generation: UNCOUNTED,
        };
        match self.forced {
            Some(Forced {
                to: Force::Closed, ..
            }) => return Admission::Admitted(uncounted),
            // The word of operations is obeyed whether the breaker observes or not.
            Some(Forced {
                to: Force::Open,
                until,
            }) => {
                return Admission::Refused(until.map_or(FORCED_RETRY, |until| until - now));
            }
            None => {}
        }
        if self.chart.state() == State::Open && self.wait.until <= now {
            self.chart.half_open();
            self.changed(Reason::WaitIsOver);
        }
        let is_in = match self.chart.state() {
            State::Closed => true,
            State::HalfOpen => self.probes.under_way + self.probes.answered < self.settings.probes,
            State::Open => false,
        };
        match is_in {
            true => {
                self.probes.under_way += u32::from(self.chart.state() == State::HalfOpen);
                Admission::Admitted(Ticket {
                    since: now,
                    generation: self.generation,
                })
            }
            false if self.settings.observe => Admission::WouldRefuse(uncounted),
            false => Admission::Refused(self.probes_in(now).unwrap_or_default()),
        }
    }

    /// Hears how a call ended.
    pub(super) fn judge(&mut self, ticket: Ticket, verdict: Verdict, now: Instant) {
        self.look(now);
        if ticket.generation != self.generation || self.forced.is_some() {
            return;
        }
        let slow = now.saturating_duration_since(ticket.since) >= self.settings.slow;
        let failed = match verdict {
            Verdict::Answered => Some(false),
            Verdict::Failed => Some(true),
            // Who hangs up after a long wait was failed. Who does so at once has reasons of his
            // own: they must not close the door to others.
            Verdict::Cancelled => slow.then_some(true),
            Verdict::Uncounted => None,
        };
        match self.chart.state() {
            State::Closed => failed
                .into_iter()
                .for_each(|failed| self.record(failed, slow, now)),
            State::HalfOpen => self.probed(failed.map(|failed| failed || slow), now),
            State::Open => {}
        }
    }

    /// Obeys operations: `None` is to decide by itself again, beginning again.
    pub(super) fn order(&mut self, forced: Option<Forced>, now: Instant) {
        self.look(now);
        self.forced = forced;
        self.begin_anew(now);
        self.changed(Reason::Ordered);
    }

    /// Decides by other settings from now on.
    pub(super) fn replace(&mut self, settings: Settings, now: Instant) {
        self.look(now);
        if settings.window != self.settings.window {
            self.window = Window::new(settings.window, now);
        }
        if settings.probes != self.settings.probes {
            // Probes are counted again, or those that were answered might be enough or too many.
            self.probes = Probes::default();
            self.generation += 1;
        }
        self.settings = settings;
    }

    /// Notices that time has passed.
    pub(super) fn look(&mut self, now: Instant) {
        if self
            .forced
            .and_then(|forced| forced.until)
            .is_some_and(|until| until <= now)
        {
            self.forced = None;
            self.begin_anew(now);
            self.changed(Reason::ForceHasEnded);
        }
    }

    /// What it does with calls now.
    pub(super) fn state(&self) -> State {
        match self.forced {
            Some(Forced {
                to: Force::Open, ..
            }) => State::Open,
            Some(Forced {
                to: Force::Closed, ..
            }) => State::Closed,
            None => self.chart.state(),
        }
    }

    pub(super) fn forced(&self) -> Option<Forced> {
        self.forced
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How long until probes are let in; `None` where nothing is waited for.
    pub(super) fn probes_in(&self, now: Instant) -> Option<Duration> {
        let waits = self.forced.is_none() && self.chart.state() == State::Open;
        waits.then(|| self.wait.until.saturating_duration_since(now))
    }

    /// Why it last changed, once.
    pub(super) fn take_change(&mut self) -> Option<Reason> {
        self.change.take()
    }

    fn record(&mut self, failed: bool, slow: bool, now: Instant) {
        self.window.record(failed, slow, now);
        if let Some(reason) = self.too_much() {
            self.open(self.settings.open_min, reason, now);
        }
    }

    /// Why the breaker should open, if it should.
    fn too_much(&self) -> Option<Reason> {
        let Settings {
            calls_min,
            error_ratio_percent,
            slow_ratio_percent,
            redis_failures,
            ..
        } = self.settings;
        let (counts, in_a_row) = (self.window.counts(), self.window.failed_in_a_row());
        let calls = counts.calls;
        let reaches = |part: u64, percent: u8| part * 100 >= u64::from(percent) * calls;
        if self.kind == Kind::StockServer && in_a_row >= redis_failures {
            return Some(Reason::FailedInARow(in_a_row));
        }
        if calls < u64::from(calls_min) {
            return None;
        }
        if reaches(counts.failed, error_ratio_percent) {
            return Some(Reason::Failed {
                failed: counts.failed,
                calls,
            });
        }
        reaches(counts.slow, slow_ratio_percent).then_some(Reason::Slow {
            slow: counts.slow,
            calls,
        })
    }

    /// Hears how a probe ended: `None` says nothing, and gives its place to another one.
    fn probed(&mut self, failed: Option<bool>, now: Instant) {
        self.probes.under_way -= 1;
        match failed {
            None => {}
            Some(true) => {
                let Settings {
                    open_min, open_max, ..
                } = self.settings;
                self.open(
                    (self.wait.lasts * 2).min(open_max).max(open_min),
                    Reason::ProbeFailed,
                    now,
                );
            }
            Some(false) => {
                self.probes.answered += 1;
                if self.probes.answered == self.settings.probes {
                    self.chart.close();
                    self.window = Window::new(self.settings.window, now);
                    self.changed(Reason::ProbesAnswered(self.settings.probes));
                }
            }
        }
    }

    fn open(&mut self, lasts: Duration, reason: Reason, now: Instant) {
        self.wait = Wait {
            lasts,
            until: now + lasts,
        };
        self.chart.open();
        self.changed(reason);
    }

    fn begin_anew(&mut self, now: Instant) {
        self.chart.begin_anew();
        self.window = Window::new(self.settings.window, now);
    }

    fn changed(&mut self, reason: Reason) {
        self.generation += 1;
        self.probes = Probes::default();
        self.change = Some(reason);
    }
}
