//! The states of a breaker and the transitions between them: `failsafe`'s state machine.
//!
//! The guard makes each transition itself. It does not use the machine's own decisions: when to
//! open (its policies do not know slow calls), how long to wait (its back-offs count in whole
//! seconds, and its clock cannot be set from outside), and which calls to let in while half open
//! (it lets all of them in). The machine's own wait is zero, so that only the guard decides about
//! time.
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use failsafe::{Config, FailurePolicy, Instrument, StateMachine};

/// What a breaker does with calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum BreakerState {
    /// Lets all calls in.
    Closed = 0,
    /// Lets a few probes in.
    HalfOpen = 1,
    /// Refuses all calls.
    Open = 2,
}

impl BreakerState {
    /// All states.
    pub const ALL: [BreakerState; 3] = [
        BreakerState::Closed,
        BreakerState::HalfOpen,
        BreakerState::Open,
    ];

    /// Its name in metrics, logs and the admin API.
    pub const fn name(self) -> &'static str {
        match self {
            BreakerState::Closed => "closed",
            BreakerState::HalfOpen => "half_open",
            BreakerState::Open => "open",
        }
    }
}

/// The state machine; begins closed.
pub(super) struct Chart {
    machine: StateMachine<OpenAtOnce, StateObserver>,
    observer: StateObserver,
}

impl Chart {
    pub(super) fn new() -> Self {
        let observer = StateObserver::default();
        Self {
            machine: Config::new()
                .failure_policy(OpenAtOnce)
                .instrument(observer.clone())
                .build(),
            observer,
        }
    }

    pub(super) fn state(&self) -> BreakerState {
        BreakerState::ALL[usize::from(self.observer.0.load(Ordering::Relaxed))]
    }

    /// Closed or half open -> open.
    pub(super) fn open(&self) {
        self.machine.on_error();
    }

    /// Open -> half open.
    pub(super) fn half_open(&self) {
        // Its wait of zero ends as soon as its clock moves: in the first round.
        while self.state() == BreakerState::Open && !self.machine.is_call_permitted() {
            std::hint::spin_loop();
        }
    }

    /// Half open -> closed.
    pub(super) fn close(&self) {
        self.machine.on_success();
    }

    /// Any -> closed.
    pub(super) fn begin_again(&self) {
        self.machine.reset();
    }
}

/// A policy that opens at each failure: the guard reports one to open the machine.
struct OpenAtOnce;

impl FailurePolicy for OpenAtOnce {
    fn record_success(&mut self) {}

    fn mark_dead_on_failure(&mut self) -> Option<Duration> {
        Some(Duration::ZERO)
    }

    fn revived(&mut self) {}
}

/// Remembers the machine's state, which can only be read by an instrument.
#[derive(Debug, Clone, Default)]
struct StateObserver(Arc<AtomicU8>);

impl StateObserver {
    fn note(&self, state: BreakerState) {
        // The breaker's lock is held.
        self.0.store(state as u8, Ordering::Relaxed);
    }
}

impl Instrument for StateObserver {
    fn on_call_rejected(&self) {}

    fn on_open(&self) {
        self.note(BreakerState::Open);
    }

    fn on_half_open(&self) {
        self.note(BreakerState::HalfOpen);
    }

    fn on_closed(&self) {
        self.note(BreakerState::Closed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_transitions_of_the_chart_exist() {
        let chart = Chart::new();
        assert_eq!(chart.state(), BreakerState::Closed);
        chart.half_open();
        chart.close();
        assert_eq!(chart.state(), BreakerState::Closed);
        chart.open();
        assert_eq!(chart.state(), BreakerState::Open);
        chart.close();
        assert_eq!(
            chart.state(),
            BreakerState::Open,
            "only a probe or a command closes it"
        );
        chart.half_open();
        assert_eq!(chart.state(), BreakerState::HalfOpen);
        chart.open();
        assert_eq!(chart.state(), BreakerState::Open);
        chart.half_open();
        chart.close();
        assert_eq!(chart.state(), BreakerState::Closed);
        chart.open();
        chart.begin_again();
        assert_eq!(chart.state(), BreakerState::Closed);
        chart.open();
        chart.half_open();
        chart.begin_again();
        assert_eq!(chart.state(), BreakerState::Closed);
    }
}
