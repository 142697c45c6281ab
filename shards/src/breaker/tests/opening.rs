//! When a closed breaker opens.
use super::super::guard::{BreakerKind, ChangeReason};
use super::super::{BreakerSettings, BreakerState, CallOutcome};
use super::{MS, NEARLY_A_SECOND, SETTINGS, rig, rig_of};

#[test]
fn it_opens_at_exactly_the_ratio_of_failures() {
    let mut rig = rig();
    rig.calls(10, CallOutcome::Answered);
    rig.calls(9, CallOutcome::Failed);
    rig.is_still(BreakerState::Closed);
    rig.calls(1, CallOutcome::Failed);
    rig.changed(
        BreakerState::Open,
        ChangeReason::Failed {
            failed: 10,
            calls: 20,
        },
    );
}

#[test]
fn it_opens_at_exactly_the_minimum_of_calls() {
    let mut rig = rig();
    rig.calls(9, CallOutcome::Failed);
    rig.is_still(BreakerState::Closed);
    // An answered call completes the number too.
    rig.calls(1, CallOutcome::Answered);
    rig.changed(
        BreakerState::Open,
        ChangeReason::Failed {
            failed: 9,
            calls: 10,
        },
    );
}

#[test]
fn it_opens_at_exactly_the_ratio_of_slow_calls() {
    let mut rig = rig();
    rig.calls_of(7, NEARLY_A_SECOND, CallOutcome::Answered);
    rig.calls_of(27, SETTINGS.slow, CallOutcome::Answered);
    rig.is_still(BreakerState::Closed);
    rig.calls_of(1, SETTINGS.slow, CallOutcome::Answered);
    rig.changed(
        BreakerState::Open,
        ChangeReason::Slow {
            slow: 28,
            calls: 35,
        },
    );
}

#[test]
fn calls_that_are_too_old_do_not_count() {
    let mut rig = rig();
    rig.calls(9, CallOutcome::Failed);
    rig.now += SETTINGS.window;
    rig.calls(9, CallOutcome::Failed);
    rig.is_still(BreakerState::Closed);
}

#[test]
fn failures_in_a_row_open_only_breakers_of_stock_servers() {
    for (kind, state) in [
        (BreakerKind::Shard, BreakerState::Closed),
        (BreakerKind::StockServer, BreakerState::Open),
    ] {
        let mut rig = rig_of(kind, SETTINGS);
        rig.calls(100, CallOutcome::Answered);
        rig.calls(2, CallOutcome::Failed);
        rig.calls(1, CallOutcome::Answered);
        rig.calls(2, CallOutcome::Failed);
        rig.is_still(BreakerState::Closed);
        rig.calls(1, CallOutcome::Failed);
        assert_eq!(rig.guard.state(), state, "{kind:?}");
    }
}

#[test]
fn a_call_cancelled_after_a_long_wait_failed_and_one_cancelled_at_once_does_not_count() {
    let mut rig = rig();
    rig.calls_of(1_000, NEARLY_A_SECOND, CallOutcome::Cancelled);
    rig.calls_of(1_000, SETTINGS.slow * 2, CallOutcome::Uncounted);
    rig.is_still(BreakerState::Closed);
    rig.calls_of(10, SETTINGS.slow, CallOutcome::Cancelled);
    rig.changed(
        BreakerState::Open,
        ChangeReason::Failed {
            failed: 10,
            calls: 10,
        },
    );
}

#[test]
fn time_in_a_queue_does_not_make_a_call_slow() {
    let mut overloaded = rig();
    for _ in 0..100 {
        let mut ticket = overloaded.enter();
        overloaded.now += SETTINGS.slow;
        ticket.waited(MS);
        overloaded.end(ticket, CallOutcome::Answered);
    }
    overloaded.is_still(BreakerState::Closed);
    let (mut rig, mut probe) = rig().half_opened();
    rig.now += SETTINGS.slow;
    probe.waited(MS);
    rig.end(probe, CallOutcome::Answered);
    rig.calls(1, CallOutcome::Answered);
    rig.changed(BreakerState::Closed, ChangeReason::ProbesAnswered(2));
}

#[test]
fn settings_are_replaced_without_a_change_of_state() {
    let mut rig = rig();
    rig.calls(9, CallOutcome::Failed);
    rig.guard.replace(
        BreakerSettings {
            calls_min: 11,
            ..SETTINGS
        },
        rig.now,
    );
    rig.calls(1, CallOutcome::Failed);
    rig.is_still(BreakerState::Closed);
    rig.calls(1, CallOutcome::Failed);
    rig.changed(
        BreakerState::Open,
        ChangeReason::Failed {
            failed: 11,
            calls: 11,
        },
    );
    rig.now += SETTINGS.open_min;
    let probe = rig.enter();
    rig.changed(BreakerState::HalfOpen, ChangeReason::WaitIsOver);
    rig.end(probe, CallOutcome::Answered);
    // One probe was answered. From now on one is required, so it is counted again.
    rig.guard.replace(
        BreakerSettings {
            probes: 1,
            ..SETTINGS
        },
        rig.now,
    );
    rig.is_still(BreakerState::HalfOpen);
    rig.calls(1, CallOutcome::Answered);
    rig.changed(BreakerState::Closed, ChangeReason::ProbesAnswered(1));
}
