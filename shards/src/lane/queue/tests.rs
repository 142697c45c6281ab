//! Queues without a lane behind them.
use market::draw::DrawAsk;
use market::{ActivityId, Ask, DrawCount, Refusal, RequestId, UserId};

use super::super::pace::Pace;
use super::*;

const TIMEOUTS: Timeouts = Timeouts {
    queue: Duration::from_secs(1),
    answer: Duration::from_secs(3),
};

const LIMITS: LaneLimits = LaneLimits {
    queue_max: 100,
    queue_target: Duration::from_secs(1),
    batch_max: 100,
    linger: Duration::ZERO,
};

fn admitted() -> IntCounter {
    IntCounter::new("admitted", "test").expect("a counter")
}

/// Where nothing is published.
fn scales() -> Scales {
    Scales {
        catalogue: Arc::default(),
        clock: Timestamp::now,
    }
}

/// A queue of its own fixed bound.
fn queue(commands_max: usize) -> (Entrance, Queue) {
    let limits = LaneLimits {
        queue_max: commands_max,
        batch_max: 1,
        ..LIMITS
    };
    super::queue(
        limits,
        scales(),
        Pace::new(limits).bound(),
        Arc::default(),
        admitted(),
    )
}

#[tokio::test]
async fn a_queue_is_full_earlier_when_its_lane_is_slow() {
    let limits = LaneLimits {
        queue_max: 4,
        batch_max: 1,
        ..LIMITS
    };
    let mut pace = Pace::new(limits);
    let (entrance, _lane) =
        super::queue(limits, scales(), pace.bound(), Arc::default(), admitted());
    let _waiting = [
        entrance.submit(draw()).expect("room"),
        entrance.submit(draw()).expect("room"),
    ];
    pace.learn(1, Duration::from_millis(500));
    assert_eq!(
        entrance.submit(draw()).map(drop),
        Err(CommandError::QueueFull)
    );
    assert_eq!((entrance.waiting(), entrance.bound()), (2, 2));
    assert_eq!(
        entrance.admitted.get(),
        2,
        "one that is turned away is not admitted"
    );
}

fn draw() -> Command {
    call(1)
}

fn call(count: u8) -> Command {
    let ask = DrawAsk {
        activity: ActivityId::new(1).expect("id"),
        count: DrawCount::new(count).expect("a count"),
    };
    Command {
        user: UserId::new("u").expect("user"),
        request: RequestId::new("k").expect("key"),
        ask: Ask::Draw(ask),
    }
}

/// The next command.
async fn next(lane: &mut Queue) -> Waiting {
    let mut batch = Vec::new();
    lane.recv_batch(&mut batch, 1).await;
    batch.pop().expect("queued")
}

#[tokio::test]
async fn a_batch_takes_as_many_draws_as_it_has_room_for() {
    let (entrance, mut lane) = queue(100);
    let _pending =
        [10, 1, 10, 4, 10, 10, 1].map(|count| entrance.submit(call(count)).expect("room"));
    let mut sizes = Vec::new();
    while entrance.waiting() > 0 {
        let (before, mut batch) = (entrance.waiting(), Vec::new());
        lane.recv_batch(&mut batch, 15).await;
        sizes.push((batch.len(), before - entrance.waiting(), lane.left_some()));
    }
    assert_eq!(
        sizes,
        [(2, 11, true), (2, 14, true), (1, 10, true), (2, 11, false)]
    );
}

#[tokio::test]
async fn a_call_larger_than_a_batch_is_one_alone() {
    let (entrance, mut lane) = queue(5);
    let _large = entrance.submit(call(10)).expect("none waits");
    assert_eq!(
        entrance.submit(draw()).map(drop),
        Err(CommandError::QueueFull)
    );
    let mut batch = Vec::new();
    lane.recv_batch(&mut batch, 3).await;
    assert_eq!((batch.len(), entrance.waiting()), (1, 0));
    let _small = [
        entrance.submit(call(3)).expect("room"),
        entrance.submit(call(2)).expect("room"),
    ];
    assert_eq!(
        entrance.submit(draw()).map(drop),
        Err(CommandError::QueueFull)
    );
}

#[tokio::test]
async fn who_waits_when_the_queue_is_closed_is_still_served() {
    let (entrance, mut lane) = queue(100);
    let _pending = [
        entrance.submit(call(2)).expect("room"),
        entrance.submit(call(2)).expect("room"),
    ];
    let mut batch = Vec::new();
    lane.recv_batch(&mut batch, 3).await;
    lane.close();
    for waiting in [1, 0] {
        batch.clear();
        lane.recv_batch(&mut batch, 3).await;
        assert_eq!(batch.len(), waiting);
    }
    assert_eq!(
        entrance.submit(draw()).map(drop),
        Err(CommandError::Stopping)
    );
}

#[tokio::test(start_paused = true)]
async fn a_command_that_waits_too_long_is_answered_and_never_taken() {
    let (entrance, mut lane) = queue(4);
    let mut pending = entrance.submit(draw()).expect("room");
    assert_eq!(pending.answer(TIMEOUTS).await, Err(CommandError::TooOld));
    assert_eq!(pending.queued(), TIMEOUTS.queue);
    assert!(next(&mut lane).await.take(Instant::now()).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_taken_command_without_answer_has_an_unknown_outcome() {
    let (entrance, mut lane) = queue(4);
    let mut pending = entrance.submit(draw()).expect("room");
    let _taken = next(&mut lane)
        .await
        .take(Instant::now())
        .expect("still wanted");
    let before = Instant::now();
    assert_eq!(
        pending.answer(TIMEOUTS).await,
        Err(CommandError::OutcomeUnknown)
    );
    assert_eq!(before.elapsed(), TIMEOUTS.answer);
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_still_counts() {
    let (entrance, mut lane) = queue(4);
    let mut pending = entrance.submit(draw()).expect("room");
    let taken = next(&mut lane)
        .await
        .take(Instant::now())
        .expect("still wanted");
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(2)).await;
        taken.answer(Err(CommandError::Refused(Refusal::DayLimit)));
    });
    assert_eq!(
        pending.answer(TIMEOUTS).await,
        Err(CommandError::Refused(Refusal::DayLimit))
    );
    assert_eq!(pending.queued(), Duration::ZERO);
}

/// Sends pairs of draws, three milliseconds apart, and says when batches of how many were
/// taken.
async fn batches(limits: LaneLimits, pairs: usize) -> Vec<(u128, usize)> {
    let (entrance, mut lane) = super::queue(
        limits,
        scales(),
        Pace::new(limits).bound(),
        Arc::default(),
        admitted(),
    );
    let began = Instant::now();
    let sender = async {
        let mut pending = Vec::new();
        for _ in 0..pairs {
            pending.extend([
                entrance.submit(draw()).expect("room"),
                entrance.submit(draw()).expect("room"),
            ]);
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        pending
    };
    let receiver = async {
        let (mut batches, mut received) = (Vec::new(), 0);
        while received < 2 * pairs {
            let mut batch = Vec::new();
            lane.recv_batch(&mut batch, limits.batch_max).await;
            received += batch.len();
            batches.push((began.elapsed().as_millis(), batch.len()));
        }
        batches
    };
    tokio::join!(sender, receiver).1
}

#[tokio::test(start_paused = true)]
async fn a_lane_lingers_where_draws_come_together() {
    let limits = LaneLimits {
        linger: Duration::from_millis(4),
        ..LIMITS
    };
    assert_eq!(batches(limits, 4).await, [(0, 2), (4, 2), (8, 2), (12, 2)]);
    assert_eq!(
        batches(LIMITS, 4).await,
        [(0, 2), (3, 2), (6, 2), (9, 2)],
        "told not to linger"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lane_lingers_no_longer_than_until_enough_wait() {
    let limits = LaneLimits {
        linger: Duration::from_millis(900),
        ..LIMITS
    };
    assert_eq!(
        batches(limits, 1 + ENOUGH / 2).await,
        [(0, 2), (48, ENOUGH)]
    );
    let small = LaneLimits {
        batch_max: 4,
        ..limits
    };
    assert_eq!(
        batches(small, 5).await,
        [(0, 2), (6, 4), (12, 4)],
        "no more fit into a batch"
    );
}

#[tokio::test(start_paused = true)]
async fn a_lane_lingers_no_longer_than_until_its_callers_are_here_again() {
    let limits = LaneLimits {
        linger: Duration::from_millis(100),
        ..LIMITS
    };
    let callers = Arc::new(Callers::default());
    let queue = || {
        super::queue(
            limits,
            scales(),
            Pace::new(limits).bound(),
            callers.clone(),
            admitted(),
        )
    };
    let ((entrance, mut lane), (other_entrance, _other_lane)) = (queue(), queue());
    let _first = [draw(), draw(), draw()].map(|draw| entrance.submit(draw).expect("room"));
    let mut batch = Vec::new();
    lane.recv_batch(&mut batch, limits.batch_max).await;
    lane.answered(callers.count());
    drop(batch);
    let began = Instant::now();
    let receiver = async {
        let mut batch = Vec::new();
        lane.recv_batch(&mut batch, limits.batch_max).await;
        (batch.len(), began.elapsed().as_millis())
    };
    let sender = async {
        let mut again = Vec::new();
        // One of them goes to another lane this time.
        for entrance in [&entrance, &other_entrance, &entrance] {
            tokio::time::sleep(Duration::from_millis(7)).await;
            again.push(entrance.submit(draw()).expect("room"));
        }
        again
    };
    assert_eq!(tokio::join!(receiver, sender).0, (2, 21));
}

#[tokio::test(start_paused = true)]
async fn a_command_that_comes_alone_waits_for_no_other() {
    let (entrance, mut lane) = super::queue(
        LaneLimits {
            linger: Duration::from_secs(1),
            ..LIMITS
        },
        scales(),
        Pace::new(LIMITS).bound(),
        Arc::default(),
        admitted(),
    );
    let began = Instant::now();
    for _ in 0..3 {
        let _pending = entrance.submit(draw()).expect("room");
        next(&mut lane).await;
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn a_caller_that_hangs_up_spends_no_chance() {
    let (entrance, mut lane) = queue(4);
    drop(entrance.submit(draw()).expect("room"));
    assert!(next(&mut lane).await.take(Instant::now()).is_none());
}

#[tokio::test]
async fn a_full_queue_says_so_at_once() {
    let (entrance, lane) = queue(1);
    let _first = entrance.submit(draw()).expect("room");
    assert_eq!(entrance.waiting(), 1);
    assert_eq!(
        entrance.submit(draw()).map(drop),
        Err(CommandError::QueueFull)
    );
    drop(lane);
    assert_eq!(
        entrance.submit(draw()).map(drop),
        Err(CommandError::Stopping)
    );
}
