//! The state chart with a clock of the tests, and permits with that of the runtime.
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::{Instant, advance};

use super::guard::{Admission, Guard, Kind, Reason, Ticket};
use super::*;
use crate::stock::ids::ServerId;

const SETTINGS: Settings = Settings {
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
/// A millisecond is missing to `slow` and to `open_min`.
const NEARLY_A_SECOND: Duration = Duration::from_millis(999);
const NEARLY_A_MINUTE: Duration = Duration::from_millis(59_999);

/// A guard and its clock.
struct Rig {
    guard: Guard,
    now: Instant,
}

fn rig_of(kind: Kind, settings: Settings) -> Rig {
    let now = Instant::now();
    Rig {
        guard: Guard::new(kind, settings, now),
        now,
    }
}

fn rig() -> Rig {
    rig_of(Kind::Shard, SETTINGS)
}

impl Rig {
    fn admit(&mut self) -> Admission {
        self.guard.admit(self.now)
    }

    #[track_caller]
    fn enter(&mut self) -> Ticket {
        match self.admit() {
            Admission::Admitted(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn is_refused_for(&mut self, retry_after: Duration) {
        assert_eq!(self.admit(), Admission::Refused(retry_after));
    }

    fn judge(&mut self, ticket: Ticket, verdict: Verdict) {
        self.guard.judge(ticket, verdict, self.now);
    }

    /// Calls that end at once.
    #[track_caller]
    fn calls(&mut self, count: usize, verdict: Verdict) {
        for _ in 0..count {
            let ticket = self.enter();
            self.judge(ticket, verdict);
        }
    }

    /// Calls that take this long, all at once.
    #[track_caller]
    fn calls_of(&mut self, count: usize, takes: Duration, verdict: Verdict) {
        let tickets: Vec<Ticket> = (0..count).map(|_| self.enter()).collect();
        self.now += takes;
        for ticket in tickets {
            self.judge(ticket, verdict);
        }
    }

    #[track_caller]
    fn changed(&mut self, to: State, reason: Reason) {
        assert_eq!(
            (self.guard.state(), self.guard.take_change()),
            (to, Some(reason))
        );
    }

    #[track_caller]
    fn is_still(&mut self, state: State) {
        assert_eq!(
            (self.guard.state(), self.guard.take_change()),
            (state, None)
        );
    }

    /// Ten failures open it.
    fn opened(mut self) -> Self {
        self.calls(10, Verdict::Failed);
        self.changed(
            State::Open,
            Reason::Failed {
                failed: 10,
                calls: 10,
            },
        );
        self
    }

    /// One probe is under way.
    fn half_opened(self) -> (Self, Ticket) {
        let mut rig = self.opened();
        rig.now += SETTINGS.open_min;
        let probe = rig.enter();
        rig.changed(State::HalfOpen, Reason::WaitIsOver);
        (rig, probe)
    }

    fn force(&mut self, to: Force, lasts: Option<Duration>) {
        let forced = Mode::Forced { to, lasts }.forced(self.now);
        self.guard.order(forced, self.now);
    }
}

#[test]
fn it_opens_at_exactly_the_ratio_of_failures() {
    let mut rig = rig();
    rig.calls(10, Verdict::Answered);
    rig.calls(9, Verdict::Failed);
    rig.is_still(State::Closed);
    rig.calls(1, Verdict::Failed);
    rig.changed(
        State::Open,
        Reason::Failed {
            failed: 10,
            calls: 20,
        },
    );
}

#[test]
fn it_opens_at_exactly_the_fewest_calls() {
    let mut rig = rig();
    rig.calls(9, Verdict::Failed);
    rig.is_still(State::Closed);
    // One that was answered completes the number too.
    rig.calls(1, Verdict::Answered);
    rig.changed(
        State::Open,
        Reason::Failed {
            failed: 9,
            calls: 10,
        },
    );
}

#[test]
fn it_opens_at_exactly_the_ratio_of_slow_calls() {
    let mut rig = rig();
    rig.calls_of(7, NEARLY_A_SECOND, Verdict::Answered);
    rig.calls_of(27, SETTINGS.slow, Verdict::Answered);
    rig.is_still(State::Closed);
    rig.calls_of(1, SETTINGS.slow, Verdict::Answered);
    rig.changed(
        State::Open,
        Reason::Slow {
            slow: 28,
            calls: 35,
        },
    );
}

#[test]
fn what_is_too_old_does_not_count() {
    let mut rig = rig();
    rig.calls(9, Verdict::Failed);
    rig.now += SETTINGS.window;
    rig.calls(9, Verdict::Failed);
    rig.is_still(State::Closed);
}

#[test]
fn failures_in_a_row_open_that_of_a_stock_server_alone() {
    for (kind, state) in [
        (Kind::Shard, State::Closed),
        (Kind::StockServer, State::Open),
    ] {
        let mut rig = rig_of(kind, SETTINGS);
        rig.calls(100, Verdict::Answered);
        rig.calls(2, Verdict::Failed);
        rig.calls(1, Verdict::Answered);
        rig.calls(2, Verdict::Failed);
        rig.is_still(State::Closed);
        rig.calls(1, Verdict::Failed);
        assert_eq!(rig.guard.state(), state, "{kind:?}");
    }
}

#[test]
fn who_hangs_up_after_a_long_wait_was_failed_and_who_does_so_at_once_says_nothing() {
    let mut rig = rig();
    rig.calls_of(1_000, NEARLY_A_SECOND, Verdict::Cancelled);
    rig.calls_of(1_000, SETTINGS.slow * 2, Verdict::Uncounted);
    rig.is_still(State::Closed);
    rig.calls_of(10, SETTINGS.slow, Verdict::Cancelled);
    rig.changed(
        State::Open,
        Reason::Failed {
            failed: 10,
            calls: 10,
        },
    );
}

#[test]
fn while_open_it_refuses_and_says_for_how_long() {
    let mut rig = rig().opened();
    rig.is_refused_for(SETTINGS.open_min);
    rig.now += NEARLY_A_SECOND;
    rig.is_refused_for(MS);
    assert_eq!(rig.guard.probes_in(rig.now), Some(MS));
    rig.is_still(State::Open);
    rig.now += MS;
    rig.enter();
    rig.changed(State::HalfOpen, Reason::WaitIsOver);
    assert_eq!(rig.guard.probes_in(rig.now), None);
}

#[test]
fn probes_are_bounded_and_all_must_be_answered() {
    let (mut rig, first) = rig().half_opened();
    let second = rig.enter();
    rig.is_refused_for(Duration::ZERO);
    rig.judge(first, Verdict::Answered);
    rig.is_refused_for(Duration::ZERO);
    rig.is_still(State::HalfOpen);
    rig.judge(second, Verdict::Answered);
    rig.changed(State::Closed, Reason::ProbesAnswered(2));
    // What opened it is forgotten.
    rig.calls(9, Verdict::Failed);
    rig.is_still(State::Closed);
}

#[test]
fn a_probe_that_fails_is_slow_or_was_waited_for_in_vain_opens_it_for_twice_as_long() {
    for (takes, verdict) in [
        (MS, Verdict::Failed),
        (SETTINGS.slow, Verdict::Answered),
        (SETTINGS.slow, Verdict::Cancelled),
    ] {
        let (mut rig, mut probe) = rig().half_opened();
        // Up to the longest wait, and not beyond it.
        for lasts in [2, 3, 3].map(Duration::from_secs) {
            rig.now += takes;
            rig.judge(probe, verdict);
            rig.changed(State::Open, Reason::ProbeFailed);
            rig.is_refused_for(lasts);
            rig.now += lasts;
            probe = rig.enter();
            rig.changed(State::HalfOpen, Reason::WaitIsOver);
        }
        rig.judge(probe, Verdict::Answered);
        rig.calls(1, Verdict::Answered);
        rig.changed(State::Closed, Reason::ProbesAnswered(2));
        // And then it begins with the shortest again.
        let mut rig = rig.opened();
        rig.is_refused_for(SETTINGS.open_min);
    }
}

#[test]
fn time_in_a_queue_is_no_slowness() {
    let mut overloaded = rig();
    for _ in 0..100 {
        let mut ticket = overloaded.enter();
        overloaded.now += SETTINGS.slow;
        ticket.waited(MS);
        overloaded.judge(ticket, Verdict::Answered);
    }
    overloaded.is_still(State::Closed);
    let (mut rig, mut probe) = rig().half_opened();
    rig.now += SETTINGS.slow;
    probe.waited(MS);
    rig.judge(probe, Verdict::Answered);
    rig.calls(1, Verdict::Answered);
    rig.changed(State::Closed, Reason::ProbesAnswered(2));
}

#[test]
fn a_probe_that_says_nothing_gives_its_place_away() {
    let (mut rig, mut probe) = rig().half_opened();
    for verdict in [
        Verdict::Uncounted,
        Verdict::Cancelled,
        Verdict::Uncounted,
        Verdict::Cancelled,
    ] {
        rig.judge(probe, verdict);
        rig.is_still(State::HalfOpen);
        probe = rig.enter();
    }
    rig.judge(probe, Verdict::Answered);
    rig.calls(1, Verdict::Answered);
    rig.changed(State::Closed, Reason::ProbesAnswered(2));
}

#[test]
fn calls_of_before_the_trip_count_neither_as_probes_nor_later() {
    let mut rig = rig();
    let old: Vec<Ticket> = (0..100).map(|_| rig.enter()).collect();
    let (mut rig, first) = rig.half_opened();
    let mut old = old.into_iter();
    let mut late = |rig: &mut Rig, verdict| {
        for ticket in old.by_ref().take(20) {
            rig.judge(ticket, verdict);
        }
    };
    late(&mut rig, Verdict::Answered);
    late(&mut rig, Verdict::Failed);
    rig.is_still(State::HalfOpen);
    // Nor do they give places unavailable.
    let second = rig.enter();
    rig.is_refused_for(Duration::ZERO);
    rig.judge(first, Verdict::Answered);
    rig.judge(second, Verdict::Answered);
    rig.changed(State::Closed, Reason::ProbesAnswered(2));
    late(&mut rig, Verdict::Failed);
    rig.is_still(State::Closed);
}

#[test]
fn a_probe_of_an_earlier_round_does_not_count_in_a_later_one() {
    let (mut rig, first) = rig().half_opened();
    let second = rig.enter();
    rig.judge(first, Verdict::Failed);
    rig.changed(State::Open, Reason::ProbeFailed);
    rig.now += SETTINGS.open_max;
    let third = rig.enter();
    rig.changed(State::HalfOpen, Reason::WaitIsOver);
    rig.judge(second, Verdict::Answered);
    rig.judge(third, Verdict::Answered);
    rig.is_still(State::HalfOpen);
}

#[test]
fn forced_open_refuses_all_until_it_is_told_otherwise() {
    for observe in [false, true] {
        let mut rig = rig_of(
            Kind::Shard,
            Settings {
                observe,
                ..SETTINGS
            },
        );
        rig.force(Force::Open, None);
        rig.changed(State::Open, Reason::Ordered);
        for _ in 0..3 {
            assert!(matches!(rig.admit(), Admission::Refused(_)));
            rig.now += SETTINGS.open_max * 10;
        }
        rig.is_still(State::Open);
        rig.guard.order(None, rig.now);
        rig.changed(State::Closed, Reason::Ordered);
        rig.enter();
    }
}

#[test]
fn forced_closed_lets_all_in_and_counts_nothing() {
    let mut rig = rig().opened();
    rig.force(Force::Closed, None);
    rig.changed(State::Closed, Reason::Ordered);
    rig.calls(1_000, Verdict::Failed);
    let late = rig.enter();
    rig.guard.order(None, rig.now);
    rig.changed(State::Closed, Reason::Ordered);
    rig.judge(late, Verdict::Failed);
    rig.calls(9, Verdict::Failed);
    rig.is_still(State::Closed);
}

#[test]
fn what_is_forced_for_a_while_ends_by_itself() {
    for to in [Force::Open, Force::Closed] {
        let lasts = Duration::from_mins(1);
        let mut rig = rig().opened();
        rig.force(to, Some(lasts));
        let forced = if to == Force::Open {
            State::Open
        } else {
            State::Closed
        };
        rig.changed(forced, Reason::Ordered);
        rig.now += NEARLY_A_MINUTE;
        rig.guard.look(rig.now);
        rig.is_still(forced);
        if to == Force::Open {
            rig.is_refused_for(MS);
        }
        rig.now += MS;
        rig.enter();
        rig.changed(State::Closed, Reason::ForceHasEnded);
        assert_eq!(rig.guard.forced(), None);
    }
}

#[test]
fn observing_it_opens_and_closes_alike_and_refuses_nobody() {
    let mut rig = rig_of(
        Kind::Shard,
        Settings {
            observe: true,
            ..SETTINGS
        },
    )
    .opened();
    let Admission::WouldRefuse(ticket) = rig.admit() else {
        panic!("it would refuse")
    };
    rig.judge(ticket, Verdict::Answered);
    rig.now += SETTINGS.open_min;
    let probes = [rig.enter(), rig.enter()];
    rig.changed(State::HalfOpen, Reason::WaitIsOver);
    // One that would not have been made does not count.
    let Admission::WouldRefuse(ticket) = rig.admit() else {
        panic!("it would refuse")
    };
    rig.judge(ticket, Verdict::Failed);
    rig.is_still(State::HalfOpen);
    for probe in probes {
        rig.judge(probe, Verdict::Answered);
    }
    rig.changed(State::Closed, Reason::ProbesAnswered(2));
}

#[test]
fn settings_are_replaced_without_a_change_of_state() {
    let mut rig = rig();
    rig.calls(9, Verdict::Failed);
    rig.guard.replace(
        Settings {
            calls_min: 11,
            ..SETTINGS
        },
        rig.now,
    );
    rig.calls(1, Verdict::Failed);
    rig.is_still(State::Closed);
    rig.calls(1, Verdict::Failed);
    rig.changed(
        State::Open,
        Reason::Failed {
            failed: 11,
            calls: 11,
        },
    );
    rig.now += SETTINGS.open_min;
    let probe = rig.enter();
    rig.changed(State::HalfOpen, Reason::WaitIsOver);
    rig.judge(probe, Verdict::Answered);
    // One was answered, and one is wanted from now on: it is asked for.
    rig.guard.replace(
        Settings {
            probes: 1,
            ..SETTINGS
        },
        rig.now,
    );
    rig.is_still(State::HalfOpen);
    rig.calls(1, Verdict::Answered);
    rig.changed(State::Closed, Reason::ProbesAnswered(1));
}

/// Something that happens to a breaker.
#[derive(Debug, Clone)]
enum Event {
    Call,
    /// The call in this place ends.
    End(usize, Verdict),
    Pass(u64),
    Order(Mode),
}

fn event() -> impl Strategy<Value = Event> {
    let verdict = prop::sample::select(vec![
        Verdict::Answered,
        Verdict::Failed,
        Verdict::Failed,
        Verdict::Cancelled,
        Verdict::Uncounted,
    ]);
    let lasts = prop::option::of((1_u64..5_000).prop_map(Duration::from_millis));
    let forced = (
        prop::sample::select(vec![Force::Open, Force::Closed]),
        lasts,
    );
    let order = prop_oneof![
        Just(Mode::Automatic),
        forced.prop_map(|(to, lasts)| Mode::Forced { to, lasts })
    ];
    prop_oneof![
        40 => Just(Event::Call),
        40 => (any::<prop::sample::Index>(), verdict).prop_map(|(place, verdict)| Event::End(place.index(1_000), verdict)),
        20 => (0_u64..1_500).prop_map(Event::Pass),
        1 => order.prop_map(Event::Order),
    ]
}

proptest! {
    /// Whatever happens in whatever order: each state keeps its promise, and each change is one
    /// that the chart has.
    #[test]
    fn the_chart_is_kept(events in prop::collection::vec(event(), 1..400), observe in any::<bool>()) {
        let settings = Settings { calls_min: 4, observe, ..SETTINGS };
        let mut rig = rig_of(Kind::Shard, settings);
        let mut under_way = Vec::new();
        // Probes let in since it is half open, and those of them that gave their place unavailable.
        let (mut probes, mut opened_at) = (0_i64, None);
        for event in events {
            let before = rig.guard.state();
            let admission = match event {
                Event::Pass(milliseconds) => {
                    rig.now += MS * u32::try_from(milliseconds).expect("small");
                    None
                }
                Event::Order(mode) => {
                    rig.guard.order(mode.forced(rig.now), rig.now);
                    None
                }
                Event::End(place, verdict) if !under_way.is_empty() => {
                    let (ticket, at, round): (Ticket, Instant, _) = under_way.swap_remove(place % under_way.len());
                    let nothing = match verdict {
                        Verdict::Uncounted => true,
                        Verdict::Cancelled => rig.now - at < settings.slow,
                        _ => false,
                    };
                    rig.judge(ticket, verdict);
                    if nothing && before == State::HalfOpen && round == opened_at {
                        probes -= 1;
                    }
                    None
                }
                Event::End(..) => None,
                Event::Call => Some(rig.admit()),
            };
            let (after, change) = (rig.guard.state(), rig.guard.take_change());
            if after == State::HalfOpen && before != State::HalfOpen {
                (probes, opened_at) = (0, Some(rig.now));
            }
            match (before, after, change) {
                (State::Closed, State::Open, Some(Reason::Failed { failed, calls })) => {
                    prop_assert!(failed * 100 >= 50 * calls && calls >= 4);
                }
                (State::Closed, State::Open, Some(Reason::Slow { slow, calls })) => {
                    prop_assert!(slow * 100 >= 80 * calls && calls >= 4);
                }
                (State::Open, State::HalfOpen, Some(Reason::WaitIsOver))
                | (State::HalfOpen, State::Open, Some(Reason::ProbeFailed))
                | (State::HalfOpen, State::Closed, Some(Reason::ProbesAnswered(2)))
                | (_, State::Closed | State::Open, Some(Reason::Ordered))
                | (_, State::Closed, Some(Reason::ForceHasEnded)) => {}
                (before, after, change) => prop_assert!(before == after && change.is_none(), "{before:?} {after:?} {change:?}"),
            }
            let is_forced = rig.guard.forced().is_some();
            match (admission, after) {
                (None, _) => {}
                (Some(Admission::Admitted(ticket)), State::HalfOpen) => {
                    probes += 1;
                    prop_assert!(probes <= i64::from(settings.probes));
                    under_way.push((ticket, rig.now, opened_at));
                }
                (Some(Admission::Admitted(ticket)), State::Closed) => under_way.push((ticket, rig.now, None)),
                (Some(Admission::Refused(_)), State::Open) => prop_assert!(is_forced || !observe),
                (Some(Admission::Refused(_)), State::HalfOpen) => {
                    prop_assert!(!observe);
                    prop_assert_eq!(probes, i64::from(settings.probes));
                }
                (Some(Admission::WouldRefuse(ticket)), State::Open | State::HalfOpen) => {
                    prop_assert!(observe && !is_forced);
                    under_way.push((ticket, rig.now, None));
                }
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }
}

fn breakers(settings: Settings) -> (Breakers, prometheus::Registry) {
    let registry = prometheus::Registry::new();
    let metrics = BreakerMetrics::new(&registry).expect("fresh names");
    (Breakers::new(settings, 2, 1, &metrics), registry)
}

/// A line of the metrics page.
fn told(registry: &prometheus::Registry, line: &str) -> bool {
    let text = prometheus::TextEncoder::new()
        .encode_to_string(&registry.gather())
        .expect("metrics");
    text.lines().any(|found| found == line)
}

#[tokio::test(start_paused = true)]
async fn a_permit_that_is_dropped_says_that_its_caller_has_gone() {
    let (breakers, _registry) = breakers(SETTINGS);
    let shard = breakers.shard(0);
    for _ in 0..100 {
        drop(shard.admit().expect("closed"));
    }
    let waiting: Vec<_> = (0..10).map(|_| shard.admit().expect("closed")).collect();
    assert_eq!(breakers.list()[0].state, State::Closed);
    advance(SETTINGS.slow).await;
    drop(waiting);
    let [sick, well, stock_server] = breakers.list().try_into().expect("three");
    assert_eq!(
        (&*sick.name, sick.state, &*sick.reason),
        ("shard-0", State::Open, "10 of 10 calls failed")
    );
    assert_eq!(sick.probes_in, Some(SETTINGS.open_min));
    assert_eq!((&*well.name, well.state), ("shard-1", State::Closed));
    assert_eq!(
        (&*stock_server.name, stock_server.state),
        ("redis-1", State::Closed)
    );
}

#[tokio::test(start_paused = true)]
async fn changes_and_refusals_are_measured() {
    let (breakers, registry) = breakers(SETTINGS);
    for _ in 0..3 {
        breakers
            .stock_server(ServerId(1))
            .admit()
            .expect("closed")
            .judge(Verdict::Failed);
    }
    for _ in 0..5 {
        assert!(breakers.stock_server(ServerId(1)).admit().is_err());
    }
    assert!(told(
        &registry,
        r#"drawbridge_breaker_state{breaker="redis-1"} 2"#
    ));
    assert!(told(
        &registry,
        r#"drawbridge_breaker_state{breaker="shard-0"} 0"#
    ));
    assert!(told(
        &registry,
        r#"drawbridge_breaker_changes_total{breaker="redis-1",to="open"} 1"#
    ));
    assert!(told(
        &registry,
        r#"drawbridge_breaker_refused_total{breaker="redis-1",decision="refused"} 5"#
    ));
    breakers.replace(Settings {
        observe: true,
        ..SETTINGS
    });
    drop(
        breakers
            .stock_server(ServerId(1))
            .admit()
            .expect("it only observes"),
    );
    assert!(told(
        &registry,
        r#"drawbridge_breaker_refused_total{breaker="redis-1",decision="observed"} 1"#
    ));
    assert!(told(
        &registry,
        r#"drawbridge_breaker_refused_total{breaker="redis-1",decision="refused"} 5"#
    ));
}

#[tokio::test(start_paused = true)]
async fn orders_are_obeyed_and_shown_with_who_and_why() {
    let (breakers, registry) = breakers(SETTINGS);
    let order = |mode| Order {
        mode,
        who: "alice".to_owned(),
        why: "it is moved".to_owned(),
    };
    let lasts = Duration::from_mins(1);
    let force = Mode::Forced {
        to: Force::Open,
        lasts: Some(lasts),
    };
    assert_eq!(
        breakers.order("shard-7", &order(force)),
        Err(UnknownBreaker)
    );
    breakers
        .order("shard-1", &order(force))
        .expect("it is there");
    assert_eq!(
        breakers.shard(1).admit().err(),
        Some(Refused { retry_after: lasts })
    );
    advance(lasts / 2).await;
    let status = breakers.list().swap_remove(1);
    assert_eq!(
        status.mode,
        Mode::Forced {
            to: Force::Open,
            lasts: Some(lasts / 2)
        }
    );
    assert_eq!(
        (status.state, &*status.reason),
        (State::Open, "forced_open by alice: it is moved")
    );
    assert_eq!(status.probes_in, None);
    advance(lasts / 2).await;
    // Nobody has called: a scrape notices too.
    breakers.look();
    assert!(told(
        &registry,
        r#"drawbridge_breaker_state{breaker="shard-1"} 0"#
    ));
    let status = breakers.list().swap_remove(1);
    assert_eq!(
        (status.mode, &*status.reason),
        (Mode::Automatic, "the time it was forced for is over")
    );
}
