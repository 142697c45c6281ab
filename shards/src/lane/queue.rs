//! The bounded queue in front of a lane, and the two ends of a waiting command.
//!
//! A command is either still waiting or taken into a batch; one atomic word decides. So a
//! caller whose patience ends knows which it was: a waiting command that it abandons is never
//! executed, a taken one has an outcome that it does not know yet.
//!
//! A command is a call for one draw or several, and room is counted in draws: it is they that a
//! lane needs time for.
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::FutureExt;
use market::Orders;
use market::batch::Draw;
use prometheus::IntCounter;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::pace::Bound;
use crate::DrawError;

/// What an atomic word is by default.
const WAITING: u8 = 0;
const TAKEN: u8 = 1;
const ABANDONED: u8 = 2;

/// What a caller is told.
pub(super) type Reply = Result<Orders, DrawError>;

/// How long callers wait.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// In the queue; a command that is older is answered, not executed.
    pub queue: Duration,
    /// For the answer of a command that was taken; after this its outcome is unknown.
    pub answer: Duration,
}

/// What the two ends of a command share.
#[derive(Debug)]
struct Fate {
    since: Instant,
    state: AtomicU8,
    taken_at: OnceLock<Instant>,
}

/// The lane's end of a command.
#[derive(Debug)]
pub(super) struct Waiting {
    draw: Draw,
    fate: Arc<Fate>,
    reply: oneshot::Sender<Reply>,
}

/// A command that its lane has taken, and that it will answer.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) draw: Draw,
    reply: oneshot::Sender<Reply>,
}

impl Waiting {
    /// How long it has waited.
    pub(super) fn waited(&self, now: Instant) -> Duration {
        now - self.fate.since
    }

    fn draws(&self) -> usize {
        self.draw.count.get().into()
    }

    /// Takes the command, unless its caller has gone.
    pub(super) fn take(self, now: Instant) -> Option<Taken> {
        let Self { draw, fate, reply } = self;
        fate.state.compare_exchange(WAITING, TAKEN, Ordering::AcqRel, Ordering::Acquire).ok()?;
        fate.taken_at.get_or_init(|| now);
        Some(Taken { draw, reply })
    }
}

impl Taken {
    pub(super) fn draws(&self) -> usize {
        self.draw.count.get().into()
    }

    pub(super) fn answer(self, reply: Reply) {
        // A caller that has gone since can ask again under its request id.
        let _ = self.reply.send(reply);
    }
}

/// The caller's end of a command. Dropped while the command still waits, the command is never
/// executed: a player who has hung up spends no chance.
#[derive(Debug)]
pub(crate) struct Pending {
    fate: Arc<Fate>,
    reply: oneshot::Receiver<Reply>,
}

impl Pending {
    /// Waits for the answer.
    pub(crate) async fn answer(&mut self, patience: Patience) -> Reply {
        if let Ok(reply) = timeout_at(self.fate.since + patience.queue, &mut self.reply).await {
            return reply.unwrap_or(Err(DrawError::OutcomeUnknown));
        }
        if self.abandon() {
            return Err(DrawError::TooOld);
        }
        match timeout_at(self.fate.since + patience.answer.max(patience.queue), &mut self.reply).await {
            Ok(Ok(reply)) => reply,
            // The lane fell over with the command in hand, or is stuck in the database.
            Ok(Err(_)) | Err(_) => Err(DrawError::OutcomeUnknown),
        }
    }

    /// How long it waited until its lane took it; all the time, where it did not.
    pub(crate) fn queued(&self) -> Duration {
        let since = self.fate.since;
        self.fate.taken_at.get().map_or_else(|| since.elapsed(), |&taken_at| taken_at - since)
    }

    fn abandon(&self) -> bool {
        self.fate.state.compare_exchange(WAITING, ABANDONED, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.abandon();
    }
}

/// The way into a lane's queue.
#[derive(Debug, Clone)]
pub(crate) struct Entrance {
    sender: mpsc::Sender<Waiting>,
    /// Draws that wait.
    waiting: Arc<AtomicUsize>,
    bound: Bound,
    admitted: IntCounter,
}

/// The lane's side of its queue.
#[derive(Debug)]
pub(super) struct Queue {
    receiver: mpsc::Receiver<Waiting>,
    waiting: Arc<AtomicUsize>,
    /// Commands that a batch had no room for. They wait still, before all others.
    left: Vec<Waiting>,
}

/// A queue for at most `draws_max` draws, and at most as many as `bound` says just now. Counts the
/// calls that it takes in.
pub(super) fn queue(draws_max: usize, bound: Bound, admitted: IntCounter) -> (Entrance, Queue) {
    let (sender, receiver) = mpsc::channel(draws_max);
    let waiting = Arc::new(AtomicUsize::new(0));
    let entrance = Entrance { sender, waiting: waiting.clone(), bound, admitted };
    (entrance, Queue { receiver, waiting, left: Vec::new() })
}

impl Entrance {
    /// Enqueues a call, or says at once that it cannot. Where nobody waits there is room for any.
    pub(crate) fn submit(&self, draw: Draw) -> Result<Pending, DrawError> {
        let (draws, bound) = (usize::from(draw.count.get()), self.bound.draws());
        let fits = |waiting| (waiting == 0 || waiting + draws <= bound).then_some(waiting + draws);
        if self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).is_err() {
            return Err(if self.sender.is_closed() { DrawError::Stopping } else { DrawError::QueueFull });
        }
        let fate = Fate { since: Instant::now(), state: AtomicU8::new(WAITING), taken_at: OnceLock::new() };
        let fate = Arc::new(fate);
        let (sender, receiver) = oneshot::channel();
        let waiting = Waiting { draw, fate: fate.clone(), reply: sender };
        self.sender.try_send(waiting).map_err(|error| {
            self.waiting.fetch_sub(draws, Ordering::Relaxed);
            match error {
                mpsc::error::TrySendError::Full(_) => DrawError::QueueFull,
                mpsc::error::TrySendError::Closed(_) => DrawError::Stopping,
            }
        })?;
        self.admitted.inc();
        Ok(Pending { fate, reply: receiver })
    }

    /// How many draws wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// How many may wait just now.
    pub(crate) fn bound(&self) -> usize {
        self.bound.draws()
    }
}

impl Queue {
    /// Takes what waits into `batch`, up to so many draws but at least one command; waits for it
    /// where nothing does. Nothing is taken when the queue is closed and empty. Given up while it
    /// waits, it has taken nothing.
    pub(super) async fn recv_batch(&mut self, batch: &mut Vec<Waiting>, draws_max: usize) {
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
        self.waiting.fetch_sub(draws, Ordering::Relaxed);
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

    use super::super::LaneLimits;
    use super::super::pace::Pace;
    use super::*;

    const PATIENCE: Patience = Patience { queue: Duration::from_secs(1), answer: Duration::from_secs(3) };

    fn admitted() -> IntCounter {
        IntCounter::new("admitted", "test").expect("a counter")
    }

    /// A queue of its own fixed bound.
    fn queue(commands_max: usize) -> (Entrance, Queue) {
        let limits = LaneLimits { queue_max: commands_max, queue_target: Duration::from_secs(1), batch_max: 1 };
        super::queue(commands_max, Pace::new(limits).bound(), admitted())
    }

    #[tokio::test]
    async fn a_queue_is_full_earlier_when_its_lane_is_slow() {
        let limits = LaneLimits { queue_max: 4, queue_target: Duration::from_secs(1), batch_max: 1 };
        let mut pace = Pace::new(limits);
        let (entrance, _lane) = super::queue(4, pace.bound(), admitted());
        let _waiting = [entrance.submit(draw()).expect("room"), entrance.submit(draw()).expect("room")];
        pace.learn(1, Duration::from_millis(500));
        assert_eq!(entrance.submit(draw()).map(drop), Err(DrawError::QueueFull));
        assert_eq!((entrance.waiting(), entrance.bound()), (2, 2));
        assert_eq!(entrance.admitted.get(), 2, "one that is turned away is not admitted");
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
        Draw { count: DrawCount::new(count).expect("a count"), ..draw() }
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
        let _pending = [10, 1, 10, 4, 10, 10, 1].map(|count| entrance.submit(call(count)).expect("room"));
        let mut sizes = Vec::new();
        while entrance.waiting() > 0 {
            let (before, mut batch) = (entrance.waiting(), Vec::new());
            lane.recv_batch(&mut batch, 15).await;
            sizes.push((batch.len(), before - entrance.waiting(), lane.left_some()));
        }
        assert_eq!(sizes, [(2, 11, true), (2, 14, true), (1, 10, true), (2, 11, false)]);
    }

    #[tokio::test]
    async fn a_call_larger_than_a_batch_is_one_alone() {
        let (entrance, mut lane) = queue(5);
        let _large = entrance.submit(call(10)).expect("nobody waits");
        assert_eq!(entrance.submit(draw()).map(drop), Err(DrawError::QueueFull));
        let mut batch = Vec::new();
        lane.recv_batch(&mut batch, 3).await;
        assert_eq!((batch.len(), entrance.waiting()), (1, 0));
        let _small = [entrance.submit(call(3)).expect("room"), entrance.submit(call(2)).expect("room")];
        assert_eq!(entrance.submit(draw()).map(drop), Err(DrawError::QueueFull));
    }

    #[tokio::test]
    async fn who_waits_when_the_queue_is_closed_is_still_served() {
        let (entrance, mut lane) = queue(100);
        let _pending = [entrance.submit(call(2)).expect("room"), entrance.submit(call(2)).expect("room")];
        let mut batch = Vec::new();
        lane.recv_batch(&mut batch, 3).await;
        lane.close();
        for waiting in [1, 0] {
            batch.clear();
            lane.recv_batch(&mut batch, 3).await;
            assert_eq!(batch.len(), waiting);
        }
        assert_eq!(entrance.submit(draw()).map(drop), Err(DrawError::Stopping));
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_that_waits_too_long_is_answered_and_never_taken() {
        let (entrance, mut lane) = queue(4);
        let mut pending = entrance.submit(draw()).expect("room");
        assert_eq!(pending.answer(PATIENCE).await, Err(DrawError::TooOld));
        assert_eq!(pending.queued(), PATIENCE.queue);
        assert!(next(&mut lane).await.take(Instant::now()).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_taken_command_without_answer_has_an_unknown_outcome() {
        let (entrance, mut lane) = queue(4);
        let mut pending = entrance.submit(draw()).expect("room");
        let _taken = next(&mut lane).await.take(Instant::now()).expect("still wanted");
        let before = Instant::now();
        assert_eq!(pending.answer(PATIENCE).await, Err(DrawError::OutcomeUnknown));
        assert_eq!(before.elapsed(), PATIENCE.answer);
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_answer_still_counts() {
        let (entrance, mut lane) = queue(4);
        let mut pending = entrance.submit(draw()).expect("room");
        let taken = next(&mut lane).await.take(Instant::now()).expect("still wanted");
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(2)).await;
            taken.answer(Err(DrawError::Refused(Refusal::DayLimit)));
        });
        assert_eq!(pending.answer(PATIENCE).await, Err(DrawError::Refused(Refusal::DayLimit)));
        assert_eq!(pending.queued(), Duration::ZERO);
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
        assert_eq!(entrance.submit(draw()).map(drop), Err(DrawError::QueueFull));
        drop(lane);
        assert_eq!(entrance.submit(draw()).map(drop), Err(DrawError::Stopping));
    }
}
