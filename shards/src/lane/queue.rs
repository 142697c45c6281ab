//! The bounded queue in front of a lane, and the two ends of a waiting command.
//!
//! A command is either still waiting or taken into a batch; one atomic word decides. So a
//! caller whose timeouts ends knows which it was: a waiting command that it abandons is never
//! executed, a taken one has an outcome that it does not know yet.
//!
//! A command is a call for one draw or several, and room is counted in draws: it is they that a
//! lane needs time for.
use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt;
use market::Orders;
use market::batch::Draw;
use prometheus::IntCounter;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::LaneLimits;
use super::pace::Bound;
use crate::error::CommandError;

/// Draws that are worth a batch. A batch costs 0.7 ms of the processors by itself and 0.06 ms for
/// each draw (docs/performance.md), so more than these make a draw little cheaper.
const ENOUGH: usize = 32;

/// What an atomic word is by default.
const WAITING: u8 = 0;
const TAKEN: u8 = 1;
const ABANDONED: u8 = 2;

/// What a caller is told.
pub(super) type Reply = Result<Orders, CommandError>;

/// How long callers wait.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// In the queue; a command that is older is answered, not executed.
    pub queue: Duration,
    /// For the answer of a command that was taken; after this its outcome is unknown.
    pub answer: Duration,
}

/// What the two ends of a command share.
#[derive(Debug)]
struct Ticket {
    since: Instant,
    state: AtomicU8,
    taken_at: OnceLock<Instant>,
    /// How long it was kept waiting by locks of others, in microseconds.
    held_up_us: AtomicU64,
}

/// The lane's end of a command.
#[derive(Debug)]
pub(super) struct Waiting {
    draw: Draw,
    ticket: Arc<Ticket>,
    reply: oneshot::Sender<Reply>,
}

/// A command that its lane has taken, and that it will answer.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) draw: Draw,
    ticket: Arc<Ticket>,
    reply: oneshot::Sender<Reply>,
    /// Since when it is set aside, because somebody else has its rows.
    held_since: Option<Instant>,
}

impl Waiting {
    /// How long it has waited.
    pub(super) fn waited(&self, now: Instant) -> Duration {
        now - self.ticket.since
    }

    fn draws(&self) -> usize {
        self.draw.count.get().into()
    }

    /// Takes the command, unless its caller has gone.
    pub(super) fn take(self, now: Instant) -> Option<Taken> {
        let Self {
            draw,
            ticket,
            reply,
        } = self;
        ticket
            .state
            .compare_exchange(WAITING, TAKEN, Ordering::AcqRel, Ordering::Acquire)
            .ok()?;
        ticket.taken_at.get_or_init(|| now);
        Some(Taken {
            draw,
            ticket,
            reply,
            held_since: None,
        })
    }
}

impl Taken {
    pub(super) fn draws(&self) -> usize {
        self.draw.count.get().into()
    }

    /// Notes that somebody else has its rows.
    pub(super) fn hold(&mut self, now: Instant) {
        self.held_since.get_or_insert(now);
    }

    /// How long it is set aside.
    pub(super) fn held_for(&self, now: Instant) -> Duration {
        self.held_since.map_or(Duration::ZERO, |since| now - since)
    }

    /// Notes that a lock of somebody else kept it waiting.
    pub(super) fn held_up(&self, time: Duration) {
        let time_us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.ticket.held_up_us.fetch_add(time_us, Ordering::Relaxed);
    }

    pub(super) fn answer(self, reply: Reply) {
        self.held_up(self.held_for(Instant::now()));
        // A caller that has gone since can ask again under its request id.
        let _ = self.reply.send(reply);
    }
}

/// The caller's end of a command. Dropped while the command still waits, the command is never
/// executed: a player who has hung up spends no chance.
#[derive(Debug)]
pub(crate) struct Pending {
    ticket: Arc<Ticket>,
    reply: oneshot::Receiver<Reply>,
}

impl Pending {
    /// Waits for the answer.
    pub(crate) async fn answer(&mut self, timeouts: Timeouts) -> Reply {
        if let Ok(reply) = timeout_at(self.ticket.since + timeouts.queue, &mut self.reply).await {
            return reply.unwrap_or(Err(CommandError::OutcomeUnknown));
        }
        if self.abandon() {
            return Err(CommandError::TooOld);
        }
        match timeout_at(
            self.ticket.since + timeouts.answer.max(timeouts.queue),
            &mut self.reply,
        )
        .await
        {
            Ok(Ok(reply)) => reply,
            // The lane fell over with the command in hand, or is stuck in the database.
            Ok(Err(_)) | Err(_) => Err(CommandError::OutcomeUnknown),
        }
    }

    /// How long it waited until its lane took it; all the time, where it did not.
    pub(crate) fn queued(&self) -> Duration {
        let since = self.ticket.since;
        self.ticket
            .taken_at
            .get()
            .map_or_else(|| since.elapsed(), |&taken_at| taken_at - since)
    }

    /// How long locks of others kept it waiting after that.
    pub(crate) fn held_up(&self) -> Duration {
        Duration::from_micros(self.ticket.held_up_us.load(Ordering::Relaxed))
    }

    fn abandon(&self) -> bool {
        self.ticket
            .state
            .compare_exchange(WAITING, ABANDONED, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.abandon();
    }
}

/// How many draws wait, as both sides of a queue see it.
#[derive(Debug)]
struct Level {
    draws: AtomicUsize,
    /// So many are worth a batch.
    enough: usize,
    reached_enough: Notify,
}

impl Level {
    fn draws(&self) -> usize {
        self.draws.load(Ordering::Relaxed)
    }

    /// Adds a call, where it fits: where nobody waits any does.
    fn rise(&self, draws: usize, bound: usize) -> bool {
        let fits = |waiting| (waiting == 0 || waiting + draws <= bound).then_some(waiting + draws);
        let Ok(before) = self
            .draws
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
        else {
            return false;
        };
        if before < self.enough && self.enough <= before + draws {
            self.reached_enough.notify_one();
        }
        true
    }

    fn fall(&self, draws: usize) {
        self.draws.fetch_sub(draws, Ordering::Relaxed);
    }
}

/// The way into a lane's queue.
#[derive(Debug, Clone)]
pub(crate) struct Entrance {
    sender: mpsc::Sender<Waiting>,
    level: Arc<Level>,
    bound: Bound,
    admitted: IntCounter,
}

/// The lane's side of its queue.
#[derive(Debug)]
pub(super) struct Queue {
    receiver: mpsc::Receiver<Waiting>,
    level: Arc<Level>,
    linger: Duration,
    /// No batch begins earlier, unless enough draws wait.
    linger_until: Option<Instant>,
    /// Commands that a batch had no room for. They wait still, before all others.
    left: Vec<Waiting>,
}

/// A queue for at most as many draws as the limits say, and as `bound` says just now. Counts the
/// calls that it takes in.
pub(super) fn queue(limits: LaneLimits, bound: Bound, admitted: IntCounter) -> (Entrance, Queue) {
    let (sender, receiver) = mpsc::channel(limits.queue_max);
    let enough = ENOUGH.min(limits.batch_max).min(limits.queue_max);
    let level = Arc::new(Level {
        draws: AtomicUsize::new(0),
        enough,
        reached_enough: Notify::new(),
    });
    let entrance = Entrance {
        sender,
        level: level.clone(),
        bound,
        admitted,
    };
    (
        entrance,
        Queue {
            receiver,
            level,
            linger: limits.linger,
            linger_until: None,
            left: Vec::new(),
        },
    )
}

impl Entrance {
    /// Enqueues a call, or says at once that it cannot. Where nobody waits there is room for any.
    pub(crate) fn submit(&self, draw: Draw) -> Result<Pending, CommandError> {
        let draws = usize::from(draw.count.get());
        if !self.level.rise(draws, self.bound.draws()) {
            return Err(if self.sender.is_closed() {
                CommandError::Stopping
            } else {
                CommandError::QueueFull
            });
        }
        let ticket = Arc::new(Ticket {
            since: Instant::now(),
            state: AtomicU8::new(WAITING),
            taken_at: OnceLock::new(),
            held_up_us: AtomicU64::new(0),
        });
        let (sender, receiver) = oneshot::channel();
        let waiting = Waiting {
            draw,
            ticket: ticket.clone(),
            reply: sender,
        };
        self.sender.try_send(waiting).map_err(|error| {
            self.level.fall(draws);
            match error {
                mpsc::error::TrySendError::Full(_) => CommandError::QueueFull,
                mpsc::error::TrySendError::Closed(_) => CommandError::Stopping,
            }
        })?;
        self.admitted.inc();
        Ok(Pending {
            ticket,
            reply: receiver,
        })
    }

    /// How many draws wait.
    pub(crate) fn waiting(&self) -> usize {
        self.level.draws()
    }

    /// How many may wait just now.
    pub(crate) fn bound(&self) -> usize {
        self.bound.draws()
    }
}

impl Queue {
    /// Takes what waits into `batch`, up to so many draws but at least one command; waits for it
    /// where nothing does, and for more of it where that is worth it. Nothing is taken when the
    /// queue is closed and empty. Given up while it waits, it has taken nothing.
    pub(super) async fn recv_batch(&mut self, batch: &mut Vec<Waiting>, draws_max: usize) {
        self.linger().await;
        if self.left.is_empty() {
            self.receiver.recv_many(batch, draws_max).await;
        } else {
            batch.append(&mut self.left);
            let room = draws_max.saturating_sub(batch.len());
            if room > 0 {
                self.receiver.recv_many(batch, room).now_or_never();
            }
        }
        let mut draws = 0;
        let fits = |(place, command): &(usize, &Waiting)| {
            let sum = draws + command.draws();
            let fits = *place == 0 || sum <= draws_max;
            draws = if fits { sum } else { draws };
            fits
        };
        let count = batch.iter().enumerate().take_while(fits).count();
        self.left = batch.split_off(count);
        self.level.fall(draws);
        // Who comes alone waits for nobody.
        self.linger_until = (count > 1).then(|| Instant::now() + self.linger);
    }

    /// Waits until enough draws wait, or until a while has passed since the last batch.
    async fn linger(&self) {
        let Some(until) = self.linger_until.filter(|&until| Instant::now() < until) else {
            return;
        };
        let enough = async {
            while self.level.draws() < self.level.enough {
                self.level.reached_enough.notified().await;
            }
        };
        let _ = timeout_at(until, enough).await;
    }

    /// Whether the last batch had no room for all that waited.
    pub(super) fn left_some(&self) -> bool {
        !self.left.is_empty()
    }

    /// Lets nobody in any more; who waits already is still served.
    pub(super) fn close(&mut self) {
        self.receiver.close();
    }
}

#[cfg(test)]
mod tests {
    use market::{ActivityId, DrawCount, RequestId, UserId};

    use market::Refusal;

    use super::super::pace::Pace;
    use super::*;

    const PATIENCE: Timeouts = Timeouts {
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

    /// A queue of its own fixed bound.
    fn queue(commands_max: usize) -> (Entrance, Queue) {
        let limits = LaneLimits {
            queue_max: commands_max,
            batch_max: 1,
            ..LIMITS
        };
        super::queue(limits, Pace::new(limits).bound(), admitted())
    }

    #[tokio::test]
    async fn a_queue_is_full_earlier_when_its_lane_is_slow() {
        let limits = LaneLimits {
            queue_max: 4,
            batch_max: 1,
            ..LIMITS
        };
        let mut pace = Pace::new(limits);
        let (entrance, _lane) = super::queue(limits, pace.bound(), admitted());
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

    fn draw() -> Draw {
        Draw {
            user: UserId::new("u").expect("user"),
            activity: ActivityId::new(1).expect("id"),
            request: RequestId::new("k").expect("key"),
            count: DrawCount::ONE,
        }
    }

    fn call(count: u8) -> Draw {
        Draw {
            count: DrawCount::new(count).expect("a count"),
            ..draw()
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
        let _large = entrance.submit(call(10)).expect("nobody waits");
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
        assert_eq!(pending.answer(PATIENCE).await, Err(CommandError::TooOld));
        assert_eq!(pending.queued(), PATIENCE.queue);
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
            pending.answer(PATIENCE).await,
            Err(CommandError::OutcomeUnknown)
        );
        assert_eq!(before.elapsed(), PATIENCE.answer);
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
            pending.answer(PATIENCE).await,
            Err(CommandError::Refused(Refusal::DayLimit))
        );
        assert_eq!(pending.queued(), Duration::ZERO);
    }

    /// Sends pairs of draws, three milliseconds apart, and says when batches of how many were
    /// taken.
    async fn batches(limits: LaneLimits, pairs: usize) -> Vec<(u128, usize)> {
        let (entrance, mut lane) = super::queue(limits, Pace::new(limits).bound(), admitted());
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
    async fn who_comes_alone_waits_for_nobody() {
        let (entrance, mut lane) = super::queue(
            LaneLimits {
                linger: Duration::from_secs(1),
                ..LIMITS
            },
            Pace::new(LIMITS).bound(),
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
}
