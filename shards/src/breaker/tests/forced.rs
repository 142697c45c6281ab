//! States that operators force.
use std::time::Duration;

use super::super::guard::{Admission, BreakerKind, ChangeReason};
use super::super::{BreakerSettings, BreakerState, CallOutcome, ForcedState};
use super::{MS, NEARLY_A_MINUTE, SETTINGS, rig, rig_of};

#[test]
fn forced_open_refuses_all_until_the_next_command() {
    for observe in [false, true] {
        let mut rig = rig_of(
            BreakerKind::Shard,
            BreakerSettings {
                observe,
                ..SETTINGS
            },
        );
        rig.force(ForcedState::Open, None);
        rig.changed(BreakerState::Open, ChangeReason::Commanded);
        for _ in 0..3 {
            assert!(matches!(rig.admit(), Admission::Refused(_)));
            rig.now += SETTINGS.open_max * 10;
        }
        rig.is_still(BreakerState::Open);
        rig.guard.obey(None, rig.now);
        rig.changed(BreakerState::Closed, ChangeReason::Commanded);
        rig.enter();
    }
}

#[test]
fn forced_closed_lets_all_in_and_counts_nothing() {
    let mut rig = rig().opened();
    rig.force(ForcedState::Closed, None);
    rig.changed(BreakerState::Closed, ChangeReason::Commanded);
    rig.calls(1_000, CallOutcome::Failed);
    let late = rig.enter();
    rig.guard.obey(None, rig.now);
    rig.changed(BreakerState::Closed, ChangeReason::Commanded);
    rig.end(late, CallOutcome::Failed);
    rig.calls(9, CallOutcome::Failed);
    rig.is_still(BreakerState::Closed);
}

#[test]
fn what_is_forced_for_a_while_ends_by_itself() {
    for to in [ForcedState::Open, ForcedState::Closed] {
        let lasts = Duration::from_mins(1);
        let mut rig = rig().opened();
        rig.force(to, Some(lasts));
        let forced = if to == ForcedState::Open {
            BreakerState::Open
        } else {
            BreakerState::Closed
        };
        rig.changed(forced, ChangeReason::Commanded);
        rig.now += NEARLY_A_MINUTE;
        rig.guard.end_expired(rig.now);
        rig.is_still(forced);
        if to == ForcedState::Open {
            rig.is_refused_for(MS);
        }
        rig.now += MS;
        rig.enter();
        rig.changed(BreakerState::Closed, ChangeReason::ForceHasEnded);
        assert_eq!(rig.guard.forced(), None);
    }
}
