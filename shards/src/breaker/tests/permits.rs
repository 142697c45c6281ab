//! Breakers with their lock, clock, metrics and log.
use std::time::Duration;

use tokio::time::advance;

use super::super::{
    BreakerCommand, BreakerControl, BreakerMetrics, BreakerRefusal, BreakerSettings, BreakerState,
    Breakers, CallOutcome, ForcedState, UnknownBreaker,
};
use super::SETTINGS;
use crate::stock::ids::ServerId;

fn breakers(settings: BreakerSettings) -> (Breakers, prometheus::Registry) {
    let registry = prometheus::Registry::new();
    let metrics = BreakerMetrics::new(&registry).expect("fresh names");
    (Breakers::new(settings, 2, 1, &metrics), registry)
}

/// Whether the metrics page has this line.
fn has_line(registry: &prometheus::Registry, line: &str) -> bool {
    let text = prometheus::TextEncoder::new()
        .encode_to_string(&registry.gather())
        .expect("metrics");
    text.lines().any(|found| found == line)
}

#[tokio::test(start_paused = true)]
async fn a_dropped_permit_means_that_its_caller_has_gone() {
    let (breakers, _registry) = breakers(SETTINGS);
    let shard = breakers.shard(0);
    for _ in 0..100 {
        drop(shard.admit().expect("closed"));
    }
    let waiting: Vec<_> = (0..10).map(|_| shard.admit().expect("closed")).collect();
    assert_eq!(breakers.list()[0].state, BreakerState::Closed);
    advance(SETTINGS.slow).await;
    drop(waiting);
    let [sick, well, stock_server] = breakers.list().try_into().expect("three");
    assert_eq!(
        (&*sick.name, sick.state, &*sick.reason),
        ("shard-0", BreakerState::Open, "10 of 10 calls failed")
    );
    assert_eq!(sick.probes_in, Some(SETTINGS.open_min));
    assert_eq!((&*well.name, well.state), ("shard-1", BreakerState::Closed));
    assert_eq!(
        (&*stock_server.name, stock_server.state),
        ("redis-1", BreakerState::Closed)
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
            .end(CallOutcome::Failed);
    }
    for _ in 0..5 {
        assert!(breakers.stock_server(ServerId(1)).admit().is_err());
    }
    assert!(has_line(
        &registry,
        r#"drawbridge_breaker_state{breaker="redis-1"} 2"#
    ));
    assert!(has_line(
        &registry,
        r#"drawbridge_breaker_state{breaker="shard-0"} 0"#
    ));
    assert!(has_line(
        &registry,
        r#"drawbridge_breaker_changes_total{breaker="redis-1",to="open"} 1"#
    ));
    assert!(has_line(
        &registry,
        r#"drawbridge_breaker_refused_total{breaker="redis-1",decision="refused"} 5"#
    ));
    breakers.replace(BreakerSettings {
        observe: true,
        ..SETTINGS
    });
    drop(
        breakers
            .stock_server(ServerId(1))
            .admit()
            .expect("it only observes"),
    );
    assert!(has_line(
        &registry,
        r#"drawbridge_breaker_refused_total{breaker="redis-1",decision="observed"} 1"#
    ));
    assert!(has_line(
        &registry,
        r#"drawbridge_breaker_refused_total{breaker="redis-1",decision="refused"} 5"#
    ));
}

#[tokio::test(start_paused = true)]
async fn commands_are_obeyed_and_shown_with_who_and_why() {
    let (breakers, registry) = breakers(SETTINGS);
    let command = |mode| BreakerCommand {
        mode,
        who: "alice".to_owned(),
        why: "it is moved".to_owned(),
    };
    let lasts = Duration::from_mins(1);
    let force = BreakerControl::Forced {
        to: ForcedState::Open,
        lasts: Some(lasts),
    };
    assert_eq!(
        breakers.obey("shard-7", &command(force)),
        Err(UnknownBreaker)
    );
    breakers
        .obey("shard-1", &command(force))
        .expect("it exists");
    assert_eq!(
        breakers.shard(1).admit().err(),
        Some(BreakerRefusal { retry_after: lasts })
    );
    advance(lasts / 2).await;
    let status = breakers.list().swap_remove(1);
    assert_eq!(
        status.mode,
        BreakerControl::Forced {
            to: ForcedState::Open,
            lasts: Some(lasts / 2)
        }
    );
    assert_eq!(
        (status.state, &*status.reason),
        (BreakerState::Open, "forced_open by alice: it is moved")
    );
    assert_eq!(status.probes_in, None);
    advance(lasts / 2).await;
    // Without any call, a scrape of the metrics notices too.
    breakers.end_expired();
    assert!(has_line(
        &registry,
        r#"drawbridge_breaker_state{breaker="shard-1"} 0"#
    ));
    let status = breakers.list().swap_remove(1);
    assert_eq!(
        (status.mode, &*status.reason),
        (
            BreakerControl::Automatic,
            "the time it was forced for is over"
        )
    );
}
