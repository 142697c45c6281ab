//! Random events: only transitions of the chart happen.
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use super::super::guard::{Admission, BreakerKind, CallTicket, ChangeReason};
use super::super::{BreakerControl, BreakerSettings, BreakerState, CallOutcome, ForcedState};
use super::{MS, SETTINGS, rig_of};

/// Something that happens to a breaker.
#[derive(Debug, Clone)]
enum Event {
    Call,
    /// The call of this index ends.
    End(usize, CallOutcome),
    Pass(u64),
    Command(BreakerControl),
}

fn event() -> impl Strategy<Value = Event> {
    let outcome = prop::sample::select(vec![
        CallOutcome::Answered,
        CallOutcome::Failed,
        CallOutcome::Failed,
        CallOutcome::Cancelled,
        CallOutcome::Uncounted,
    ]);
    let lasts = prop::option::of((1_u64..5_000).prop_map(Duration::from_millis));
    let forced = (
        prop::sample::select(vec![ForcedState::Open, ForcedState::Closed]),
        lasts,
    );
    let command = prop_oneof![
        Just(BreakerControl::Automatic),
        forced.prop_map(|(to, lasts)| BreakerControl::Forced { to, lasts })
    ];
    prop_oneof![
        40 => Just(Event::Call),
        40 => (any::<prop::sample::Index>(), outcome).prop_map(|(index, outcome)| Event::End(index.index(1_000), outcome)),
        20 => (0_u64..1_500).prop_map(Event::Pass),
        1 => command.prop_map(Event::Command),
    ]
}

proptest! {
    /// In whatever order events happen: calls are let in as each state promises, and each change is
    /// a transition of the chart.
    #[test]
    fn only_transitions_of_the_chart_happen(events in prop::collection::vec(event(), 1..400), observe in any::<bool>()) {
        let settings = BreakerSettings { calls_min: 4, observe, ..SETTINGS };
        let mut rig = rig_of(BreakerKind::Shard, settings);
        let mut under_way = Vec::new();
        // Probes that were let in since it is half open, without those that did not count.
        let (mut probes, mut opened_at) = (0_i64, None);
        for event in events {
            let before = rig.guard.state();
            let admission = match event {
                Event::Pass(milliseconds) => {
                    rig.now += MS * u32::try_from(milliseconds).expect("small");
                    None
                }
                Event::Command(mode) => {
                    rig.guard.obey(mode.forced(rig.now), rig.now);
                    None
                }
                Event::End(index, outcome) if !under_way.is_empty() => {
                    let (ticket, at, round): (CallTicket, Instant, _) = under_way.swap_remove(index % under_way.len());
                    let nothing = match outcome {
                        CallOutcome::Uncounted => true,
                        CallOutcome::Cancelled => rig.now - at < settings.slow,
                        _ => false,
                    };
                    rig.end(ticket, outcome);
                    if nothing && before == BreakerState::HalfOpen && round == opened_at {
                        probes -= 1;
                    }
                    None
                }
                Event::End(..) => None,
                Event::Call => Some(rig.admit()),
            };
            let (after, change) = (rig.guard.state(), rig.guard.take_change());
            if after == BreakerState::HalfOpen && before != BreakerState::HalfOpen {
                (probes, opened_at) = (0, Some(rig.now));
            }
            match (before, after, change) {
                (BreakerState::Closed, BreakerState::Open, Some(ChangeReason::Failed { failed, calls })) => {
                    prop_assert!(failed * 100 >= 50 * calls && calls >= 4);
                }
                (BreakerState::Closed, BreakerState::Open, Some(ChangeReason::Slow { slow, calls })) => {
                    prop_assert!(slow * 100 >= 80 * calls && calls >= 4);
                }
                (BreakerState::Open, BreakerState::HalfOpen, Some(ChangeReason::WaitIsOver))
                | (BreakerState::HalfOpen, BreakerState::Open, Some(ChangeReason::ProbeFailed))
                | (BreakerState::HalfOpen, BreakerState::Closed, Some(ChangeReason::ProbesAnswered(2)))
                | (_, BreakerState::Closed | BreakerState::Open, Some(ChangeReason::Commanded))
                | (_, BreakerState::Closed, Some(ChangeReason::ForceHasEnded)) => {}
                (before, after, change) => prop_assert!(before == after && change.is_none(), "{before:?} {after:?} {change:?}"),
            }
            let is_forced = rig.guard.forced().is_some();
            match (admission, after) {
                (None, _) => {}
                (Some(Admission::Admitted(ticket)), BreakerState::HalfOpen) => {
                    probes += 1;
                    prop_assert!(probes <= i64::from(settings.probes));
                    under_way.push((ticket, rig.now, opened_at));
                }
                (Some(Admission::Admitted(ticket)), BreakerState::Closed) => under_way.push((ticket, rig.now, None)),
                (Some(Admission::Refused(_)), BreakerState::Open) => prop_assert!(is_forced || !observe),
                (Some(Admission::Refused(_)), BreakerState::HalfOpen) => {
                    prop_assert!(!observe);
                    prop_assert_eq!(probes, i64::from(settings.probes));
                }
                (Some(Admission::WouldRefuse(ticket)), BreakerState::Open | BreakerState::HalfOpen) => {
                    prop_assert!(observe && !is_forced);
                    under_way.push((ticket, rig.now, None));
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }
}
