//! The states of a breaker and the ways between them: `failsafe`'s state machine.
//!
//! It is driven by hand. What it would decide by itself it is not asked: when to open (its
//! policies do not know slow calls), how long to wait (its back-offs count in whole seconds, and
//! its clock cannot be set from outside) and whom to let in while it is half open (it lets
//! everybody in). Its own wait is zero, so that a breaker's time is its caller's.
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use failsafe::{Config, FailurePolicy, Instrument, StateMachine};

/// What a breaker does with calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Lets all in.
    Closed = 0,
    /// Lets a few in, to find out.
    HalfOpen = 1,
    /// Lets nobody in.
    Open = 2,
}

impl State {
    /// All states.
    pub const ALL: [State; 3] = [State::Closed, State::HalfOpen, State::Open];

    /// Its name in metrics, logs and the admin API.
    pub const fn name(self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::HalfOpen => "half_open",
            State::Open => "open",
        }
    }
}

/// The state machine; begins closed.
pub(super) struct Chart {
    machine: StateMachine<Told, Teller>,
    teller: Teller,
}

impl Chart {
    pub(super) fn new() -> Self {
        let teller = Teller::default();
        Self {
            machine: Config::new()
                .failure_policy(Told)
                .instrument(teller.clone())
                .build(),
            teller,
        }
    }

    pub(super) fn state(&self) -> State {
        State::ALL[usize::from(self.teller.0.load(Ordering::Relaxed))]
    }

    /// Closed or half open -> open.
    pub(super) fn open(&self) {
        self.machine.on_error();
    }

    /// Open -> half open.
    pub(super) fn half_open(&self) {
        // Its wait of zero is over when its clock has moved at all: at the first turn.
        while self.state() == State::Open && !self.machine.is_call_permitted() {
            std::hint::spin_loop();
        }
    }

    /// Half open -> closed.
    pub(super) fn close(&self) {
        self.machine.on_success();
    }

    /// Any -> closed.
    pub(super) fn begin_anew(&self) {
        self.machine.reset();
    }
}

/// A policy that opens whenever it is asked.
struct Told;

impl FailurePolicy for Told {
    fn record_success(&mut self) {}

    fn mark_dead_on_failure(&mut self) -> Option<Duration> {
        Some(Duration::ZERO)
    }

    fn revived(&mut self) {}
}

/// Tells the machine's state, which it shows to nobody else.
#[derive(Debug, Clone, Default)]
struct Teller(Arc<AtomicU8>);

impl Teller {
    fn tell(&self, state: State) {
        // Always under the breaker's lock.
        self.0.store(state as u8, Ordering::Relaxed);
    }
}

impl Instrument for Teller {
    fn on_call_rejected(&self) {}

    fn on_open(&self) {
        self.tell(State::Open);
    }

    fn on_half_open(&self) {
        self.tell(State::HalfOpen);
    }

    fn on_closed(&self) {
        self.tell(State::Closed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_between_the_states_is_there_and_no_other() {
        let chart = Chart::new();
        assert_eq!(chart.state(), State::Closed);
        chart.half_open();
        chart.close();
        assert_eq!(chart.state(), State::Closed);
        chart.open();
        assert_eq!(chart.state(), State::Open);
        chart.close();
        assert_eq!(
            chart.state(),
            State::Open,
            "nothing closes it but a probe or an order"
        );
        chart.half_open();
        assert_eq!(chart.state(), State::HalfOpen);
        chart.open();
        assert_eq!(chart.state(), State::Open);
        chart.half_open();
        chart.close();
        assert_eq!(chart.state(), State::Closed);
        chart.open();
        chart.begin_anew();
        assert_eq!(chart.state(), State::Closed);
        chart.open();
        chart.half_open();
        chart.begin_anew();
        assert_eq!(chart.state(), State::Closed);
    }
}
