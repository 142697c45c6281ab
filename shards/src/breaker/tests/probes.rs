//! How an open breaker closes again.
use std::time::Duration;

use super::super::guard::{Admission, BreakerKind, CallTicket, ChangeReason};
use super::super::{BreakerSettings, BreakerState, CallOutcome};
use super::{MS, NEARLY_A_SECOND, Rig, SETTINGS, rig, rig_of};

#[test]
fn while_open_it_refuses_and_says_for_how_long() {
    let mut rig = rig().opened();
    rig.is_refused_for(SETTINGS.open_min);
    rig.now += NEARLY_A_SECOND;
    rig.is_refused_for(MS);
    assert_eq!(rig.guard.probes_in(rig.now), Some(MS));
    rig.is_still(BreakerState::Open);
    rig.now += MS;
    rig.enter();
    rig.changed(BreakerState::HalfOpen, ChangeReason::WaitIsOver);
    assert_eq!(rig.guard.probes_in(rig.now), None);
}

#[test]
fn probes_are_bounded_and_all_must_be_answered() {
    let (mut rig, first) = rig().half_opened();
    let second = rig.enter();
    rig.is_refused_for(Duration::ZERO);
    rig.end(first, CallOutcome::Answered);
    rig.is_refused_for(Duration::ZERO);
    rig.is_still(BreakerState::HalfOpen);
    rig.end(second, CallOutcome::Answered);
    rig.changed(BreakerState::Closed, ChangeReason::ProbesAnswered(2));
    // The failures that opened it do not count any more.
    rig.calls(9, CallOutcome::Failed);
    rig.is_still(BreakerState::Closed);
}

#[test]
fn a_probe_that_fails_or_is_slow_opens_it_for_twice_as_long() {
    for (takes, outcome) in [
        (MS, CallOutcome::Failed),
        (SETTINGS.slow, CallOutcome::Answered),
        (SETTINGS.slow, CallOutcome::Cancelled),
    ] {
        let (mut rig, mut probe) = rig().half_opened();
        // Up to the longest wait, and not beyond it.
        for lasts in [2, 3, 3].map(Duration::from_secs) {
            rig.now += takes;
            rig.end(probe, outcome);
            rig.changed(BreakerState::Open, ChangeReason::ProbeFailed);
            rig.is_refused_for(lasts);
            rig.now += lasts;
            probe = rig.enter();
            rig.changed(BreakerState::HalfOpen, ChangeReason::WaitIsOver);
        }
        rig.end(probe, CallOutcome::Answered);
        rig.calls(1, CallOutcome::Answered);
        rig.changed(BreakerState::Closed, ChangeReason::ProbesAnswered(2));
        // The next wait is the shortest again.
        let mut rig = rig.opened();
        rig.is_refused_for(SETTINGS.open_min);
    }
}

#[test]
fn a_probe_that_does_not_count_lets_another_in() {
    let (mut rig, mut probe) = rig().half_opened();
    for outcome in [
        CallOutcome::Uncounted,
        CallOutcome::Cancelled,
        CallOutcome::Uncounted,
        CallOutcome::Cancelled,
    ] {
        rig.end(probe, outcome);
        rig.is_still(BreakerState::HalfOpen);
        probe = rig.enter();
    }
    rig.end(probe, CallOutcome::Answered);
    rig.calls(1, CallOutcome::Answered);
    rig.changed(BreakerState::Closed, ChangeReason::ProbesAnswered(2));
}

#[test]
fn calls_from_before_it_opened_count_neither_as_probes_nor_later() {
    let mut rig = rig();
    let old: Vec<CallTicket> = (0..100).map(|_| rig.enter()).collect();
    let (mut rig, first) = rig.half_opened();
    let mut old = old.into_iter();
    let mut late = |rig: &mut Rig, outcome| {
        for ticket in old.by_ref().take(20) {
            rig.end(ticket, outcome);
        }
    };
    late(&mut rig, CallOutcome::Answered);
    late(&mut rig, CallOutcome::Failed);
    rig.is_still(BreakerState::HalfOpen);
    // They do not let further probes in either.
    let second = rig.enter();
    rig.is_refused_for(Duration::ZERO);
    rig.end(first, CallOutcome::Answered);
    rig.end(second, CallOutcome::Answered);
    rig.changed(BreakerState::Closed, ChangeReason::ProbesAnswered(2));
    late(&mut rig, CallOutcome::Failed);
    rig.is_still(BreakerState::Closed);
}

#[test]
fn a_probe_of_an_earlier_round_does_not_count_in_a_later_one() {
    let (mut rig, first) = rig().half_opened();
    let second = rig.enter();
    rig.end(first, CallOutcome::Failed);
    rig.changed(BreakerState::Open, ChangeReason::ProbeFailed);
    rig.now += SETTINGS.open_max;
    let third = rig.enter();
    rig.changed(BreakerState::HalfOpen, ChangeReason::WaitIsOver);
    rig.end(second, CallOutcome::Answered);
    rig.end(third, CallOutcome::Answered);
    rig.is_still(BreakerState::HalfOpen);
}

#[test]
fn while_observing_it_opens_and_closes_but_refuses_nothing() {
    let mut rig = rig_of(
        BreakerKind::Shard,
        BreakerSettings {
            observe: true,
            ..SETTINGS
        },
    )
    .opened();
    let Admission::WouldRefuse(ticket) = rig.admit() else {
        panic!("it would refuse")
    };
    rig.end(ticket, CallOutcome::Answered);
    rig.now += SETTINGS.open_min;
    let probes = [rig.enter(), rig.enter()];
    rig.changed(BreakerState::HalfOpen, ChangeReason::WaitIsOver);
    // A call that would have been refused does not count.
    let Admission::WouldRefuse(ticket) = rig.admit() else {
        panic!("it would refuse")
    };
    rig.end(ticket, CallOutcome::Failed);
    rig.is_still(BreakerState::HalfOpen);
    for probe in probes {
        rig.end(probe, CallOutcome::Answered);
    }
    rig.changed(BreakerState::Closed, ChangeReason::ProbesAnswered(2));
}
