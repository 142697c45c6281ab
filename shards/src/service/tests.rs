//! Shards behind their breakers: how calls end, and which are refused.
use futures_util::FutureExt;
use market::draw::DrawAsk;
use market::{Ask, DrawCount, Refusal, RequestId};
use prometheus::Registry;
use std::pin::Pin;
use tokio::time::{Duration, sleep};

use super::*;
use crate::breaker::{
    BreakerCommand, BreakerControl, BreakerSettings, BreakerState, ForcedState, UnknownBreaker,
};
use crate::installation::{
    EmbeddedOptions, GatewaySizes, Installation, InstallationOptions, Serving,
};
use crate::{LaneLimits, ReadLimits};

const ACTIVITY: u64 = 1;

/// Starts embedded shards whose breakers open at one failure.
async fn started(place: &tempfile::TempDir, slow: Duration) -> Serving {
    let long = Duration::from_mins(10);
    let options = EmbeddedOptions {
        data: place.path().into(),
        shards: 2,
        tables: 1,
        data_is_named: true,
    };
    let sizes = GatewaySizes {
        lane: LaneLimits {
            queue_max: 100,
            queue_target: Duration::from_secs(1),
            batch_max: 100,
            linger: Duration::ZERO,
        },
        in_flight_max: 100,
        timeouts: Timeouts {
            queue: long,
            answer: long,
        },
        reads: ReadLimits {
            connections_max: 1,
            queue_max: 10,
            timeout: long,
        },
        breakers: BreakerSettings {
            calls_min: 1,
            slow,
            open_min: long,
            open_max: long,
            ..BreakerSettings::DEFAULT
        },
    };
    let (options, registry) = (InstallationOptions::Embedded(options), Registry::new());
    let started = Installation::serve(&options, sizes, &registry, &[]).await;
    started.expect("started")
}

fn activity() -> ActivityId {
    ActivityId::new(ACTIVITY).expect("an id")
}

/// A user of each shard.
fn users(shards: &Shards) -> [UserId; 2] {
    [0, 1].map(|shard| {
        let user = |number| UserId::new(&format!("u{number}")).expect("a user");
        (0..1_000)
            .map(user)
            .find(|user| shard_index(shards.route(user)) == shard)
            .expect("one of many")
    })
}

fn draw(user: &UserId) -> Command {
    let ask = DrawAsk {
        activity: activity(),
        count: DrawCount::ONE,
    };
    Command {
        user: user.clone(),
        request: RequestId::new("k").expect("a key"),
        ask: Ask::Draw(ask),
    }
}

fn states(shards: &Shards) -> Vec<BreakerState> {
    shards
        .breakers()
        .list()
        .iter()
        .map(|status| status.state)
        .collect()
}

#[tokio::test]
async fn a_call_that_is_cancelled_after_a_long_wait_opens_the_breaker_of_its_shard_alone() {
    let place = tempfile::tempdir().expect("a folder");
    // One that has waited for less than ten minutes means nothing.
    for (slow, state) in [
        (Duration::from_mins(10), BreakerState::Closed),
        (Duration::from_millis(1), BreakerState::Open),
    ] {
        let running = started(&place, slow).await;
        let shards = running.shards.clone();
        let [user, _] = users(&shards);
        for read in [false, true] {
            let mut call: Pin<Box<dyn Future<Output = ()>>> = if read {
                Box::pin(async { assert!(shards.account(&user, activity()).await.is_err()) })
            } else {
                Box::pin(async { assert!(shards.execute(draw(&user)).await.is_err()) })
            };
            // It is refused at once by a breaker that the draw has opened.
            let refused = read && state == BreakerState::Open;
            assert_eq!(
                (&mut call).now_or_never().is_some(),
                refused,
                "no other command has run yet"
            );
            sleep(Duration::from_millis(5)).await;
            drop(call);
            assert_eq!(states(&shards), [state, BreakerState::Closed]);
        }
        drop(shards);
        running.drain().await;
    }
}

#[tokio::test]
async fn an_open_breaker_refuses_draws_and_reads_of_its_shard_alone() {
    let place = tempfile::tempdir().expect("a folder");
    let running = started(&place, Duration::from_mins(10)).await;
    let shards = running.shards.clone();
    let [here, there] = users(&shards);
    let command = |mode| BreakerCommand {
        mode,
        who: "alice".to_owned(),
        why: "a drill".to_owned(),
    };
    let lasts = Some(Duration::from_mins(10));
    shards
        .breakers()
        .obey(
            "shard-0",
            &command(BreakerControl::Forced {
                to: ForcedState::Open,
                lasts,
            }),
        )
        .expect("it is there");
    assert!(matches!(
        shards.execute(draw(&here)).await,
        Err(CommandError::BreakerOpen { .. })
    ));
    assert!(matches!(
        shards.account(&here, activity()).await,
        Err(ReadError::BreakerOpen { .. })
    ));
    // There is no such activity: the rules refuse, and that is an answer.
    let answered = Err(CommandError::Refused(Refusal::ActivityUnknown));
    assert_eq!(shards.execute(draw(&there)).await, answered);
    assert_eq!(shards.account(&there, activity()).await, Ok(None));
    assert_eq!(states(&shards), [BreakerState::Open, BreakerState::Closed]);
    shards
        .breakers()
        .obey("shard-0", &command(BreakerControl::Automatic))
        .expect("it is there");
    assert_eq!(shards.execute(draw(&here)).await, answered);
    assert_eq!(
        shards
            .breakers()
            .obey("redis-1", &command(BreakerControl::Automatic)),
        Err(UnknownBreaker)
    );
    drop(shards);
    running.drain().await;
}

#[test]
fn only_what_a_shard_did_not_answer_is_a_failure() {
    let retry_after = Duration::ZERO;
    for (error, verdict) in [
        (
            CommandError::Refused(Refusal::NoChancesLeft),
            CallOutcome::Answered,
        ),
        (
            CommandError::Refused(Refusal::StockUnavailable),
            CallOutcome::Answered,
        ),
        (CommandError::DataRefused, CallOutcome::Answered),
        (CommandError::Held, CallOutcome::Answered),
        (
            CommandError::ClocksDiffer {
                ahead_seconds: 3_456_000,
            },
            CallOutcome::Answered,
        ),
        (CommandError::ShardUnavailable, CallOutcome::Failed),
        (CommandError::OutcomeUnknown, CallOutcome::Failed),
        (CommandError::TooOld, CallOutcome::Failed),
        (CommandError::QueueFull, CallOutcome::Uncounted),
        (CommandError::Stopping, CallOutcome::Uncounted),
        (
            CommandError::BreakerOpen { retry_after },
            CallOutcome::Uncounted,
        ),
    ] {
        assert_eq!(
            verdict_of_command(&Err::<Made, _>(error)),
            verdict,
            "{error}"
        );
    }
    assert_eq!(
        verdict_of_read(&Ok(FoundRecords::default())),
        CallOutcome::Answered
    );
    assert_eq!(
        verdict_of_read(&Err(ReadError::ShardUnavailable)),
        CallOutcome::Failed
    );
    assert_eq!(
        verdict_of_read(&Err(ReadError::RowUnreadable)),
        CallOutcome::Answered
    );
    assert_eq!(
        verdict_of_read(&Err(ReadError::QueueFull)),
        CallOutcome::Uncounted
    );
}
