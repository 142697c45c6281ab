//! The guard with a clock of the tests, and permits with the clock of the runtime.
mod forced;
mod opening;
mod permits;
mod probes;
mod transitions;

use std::time::Duration;

use tokio::time::Instant;

use super::guard::{Admission, BreakerKind, CallTicket, ChangeReason, Guard};
use super::{BreakerControl, BreakerSettings, BreakerState, CallOutcome, ForcedState};

const SETTINGS: BreakerSettings = BreakerSettings {
    window: Duration::from_secs(10),
    calls_min: 10,
    error_ratio_percent: 50,
    slow: Duration::from_secs(1),
    slow_ratio_percent: 80,
    open_min: Duration::from_secs(1),
    open_max: Duration::from_secs(3),
    probes: 2,
    redis_failures: 3,
    observe: false,
};

const MS: Duration = Duration::from_millis(1);

/// A millisecond less than `slow` and `open_min`.
const NEARLY_A_SECOND: Duration = Duration::from_millis(999);

const NEARLY_A_MINUTE: Duration = Duration::from_millis(59_999);

/// A guard and its clock.
struct Rig {
    guard: Guard,
    now: Instant,
}

fn rig_of(kind: BreakerKind, settings: BreakerSettings) -> Rig {
    let now = Instant::now();
    Rig {
        guard: Guard::new(kind, settings, now),
        now,
    }
}

fn rig() -> Rig {
    rig_of(BreakerKind::Shard, SETTINGS)
}

impl Rig {
    fn admit(&mut self) -> Admission {
        self.guard.admit(self.now)
    }

    #[track_caller]
    fn enter(&mut self) -> CallTicket {
        match self.admit() {
            Admission::Admitted(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn is_refused_for(&mut self, retry_after: Duration) {
        assert_eq!(self.admit(), Admission::Refused(retry_after));
    }

    fn end(&mut self, ticket: CallTicket, outcome: CallOutcome) {
        self.guard.end(ticket, outcome, self.now);
    }

    /// Calls that end at once.
    #[track_caller]
    fn calls(&mut self, count: usize, outcome: CallOutcome) {
        for _ in 0..count {
            let ticket = self.enter();
            self.end(ticket, outcome);
        }
    }

    /// Calls that take this long, all at once.
    #[track_caller]
    fn calls_of(&mut self, count: usize, takes: Duration, outcome: CallOutcome) {
        let tickets: Vec<CallTicket> = (0..count).map(|_| self.enter()).collect();
        self.now += takes;
        for ticket in tickets {
            self.end(ticket, outcome);
        }
    }

    #[track_caller]
    fn changed(&mut self, to: BreakerState, reason: ChangeReason) {
        assert_eq!(
            (self.guard.state(), self.guard.take_change()),
            (to, Some(reason))
        );
    }

    #[track_caller]
    fn is_still(&mut self, state: BreakerState) {
        assert_eq!(
            (self.guard.state(), self.guard.take_change()),
            (state, None)
        );
    }

    /// Ten failures open it.
    fn opened(mut self) -> Self {
        self.calls(10, CallOutcome::Failed);
        self.changed(
            BreakerState::Open,
            ChangeReason::Failed {
                failed: 10,
                calls: 10,
            },
        );
        self
    }

    /// One probe is under way.
    fn half_opened(self) -> (Self, CallTicket) {
        let mut rig = self.opened();
        rig.now += SETTINGS.open_min;
        let probe = rig.enter();
        rig.changed(BreakerState::HalfOpen, ChangeReason::WaitIsOver);
        (rig, probe)
    }

    fn force(&mut self, to: ForcedState, lasts: Option<Duration>) {
        let forced = BreakerControl::Forced { to, lasts }.forced(self.now);
        self.guard.obey(forced, self.now);
    }
}
