//! The bounded queue in front of a lane, and the two ends of a waiting command.
//!
//! A command either still waits or was taken into a batch; one atomic word decides. So a caller
//! whose timeout ends knows which. A waiting command that it abandons is never executed. A command
//! that was taken has an outcome that the caller does not know yet.
//!
//! Room is counted in draws, because a lane needs time for each of them. A command that draws
//! nothing takes the room of as many as it is as much work as ([`Command::weight`]).
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::FutureExt;
use jiff::Timestamp;
use market::campaign::Catalogue;
use market::random::CommandNumbers;
use market::{Command, Made};
use prometheus::IntCounter;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::callers::{Callers, UnderWay};
use super::limits::{LaneLimits, Timeouts};
use super::pace::Bound;
use crate::error::CommandError;

/// Draws that are worth a batch. A batch costs 0.7 ms of the processors by itself and 0.06 ms for
/// each draw (docs/performance.md), so more draws than these are little cheaper each.
const ENOUGH: usize = 32;

/// What an atomic word is by default.
const WAITING: u8 = 0;
const TAKEN: u8 = 1;
const ABANDONED: u8 = 2;

/// What a caller is answered.
pub(super) type CommandReply = Result<Made, CommandError>;

/// What the two ends of a command share.
#[derive(Debug)]
struct Ticket {
    since: Instant,
    state: AtomicU8,
    taken_at: OnceLock<Instant>,
    /// How long locks of others kept it waiting, in microseconds.
    held_up_us: AtomicU64,
    /// Whether it made something, and is no repeat of an earlier call.
    made_now: AtomicBool,
}

/// The lane's end of a command.
#[derive(Debug)]
pub(super) struct Waiting {
    command: Command,
    weight: usize,
    ticket: Arc<Ticket>,
    reply: oneshot::Sender<CommandReply>,
    under_way: UnderWay,
}

/// A command that its lane has taken, and that it will answer.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) command: Command,
    /// How much room it takes, in draws.
    pub(super) weight: usize,
    /// Its random numbers, the same in each try.
    pub(super) numbers: CommandNumbers,
    ticket: Arc<Ticket>,
    reply: oneshot::Sender<CommandReply>,
    under_way: UnderWay,
    /// Since when it is set aside, because another process has locked its rows.
    held_since: Option<Instant>,
}

impl Waiting {
    /// How long it has waited.
    pub(super) fn waited(&self, now: Instant) -> Duration {
        now - self.ticket.since
    }

    /// Takes the command, unless its caller no longer waits.
    pub(super) fn take(self, now: Instant) -> Option<Taken> {
        let Self {
            command,
            weight,
            ticket,
            reply,
            under_way,
        } = self;
        ticket
            .state
            .compare_exchange(WAITING, TAKEN, Ordering::AcqRel, Ordering::Acquire)
            .ok()?;
        ticket.taken_at.get_or_init(|| now);
        Some(Taken {
            command,
            weight,
            numbers: CommandNumbers::default(),
            ticket,
            reply,
            under_way,
            held_since: None,
        })
    }
}

impl Taken {
    /// Notes that another process has locked its rows.
    pub(super) fn hold(&mut self, now: Instant) {
        self.held_since.get_or_insert(now);
    }

    /// How long it is set aside.
    pub(super) fn held_for(&self, now: Instant) -> Duration {
        self.held_since.map_or(Duration::ZERO, |since| now - since)
    }

    /// Notes that a lock of another process kept it waiting.
    pub(super) fn held_up(&self, time: Duration) {
        let time_us = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.ticket.held_up_us.fetch_add(time_us, Ordering::Relaxed);
    }

    /// Notes whether this try makes something.
    pub(super) fn makes(&self, something: bool) {
        self.ticket.made_now.store(something, Ordering::Relaxed);
    }

    pub(super) fn answer(self, reply: CommandReply) {
        self.held_up(self.held_for(Instant::now()));
        // Before the answer is on its way: its caller may be here again at once.
        drop(self.under_way);
        // A caller that no longer waits can repeat the call under its request id.
        let _ = self.reply.send(reply);
    }
}

/// The caller's end of a command. When it is dropped while the command still waits, the command is
/// never executed: a player who has hung up spends no chance.
#[derive(Debug)]
pub(crate) struct Pending {
    ticket: Arc<Ticket>,
    reply: oneshot::Receiver<CommandReply>,
}

impl Pending {
    /// Waits for the answer.
    pub(crate) async fn answer(&mut self, timeouts: Timeouts) -> CommandReply {
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
            // The lane panicked after it took the command, or waits for the database.
            Ok(Err(_)) | Err(_) => Err(CommandError::OutcomeUnknown),
        }
    }

    /// How long it waited until its lane took it; the whole time, where no lane did.
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

    /// Whether this command made what it was answered, and not an earlier call under its key.
    pub(crate) fn made_now(&self) -> bool {
        self.ticket.made_now.load(Ordering::Relaxed)
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
    /// This many are worth a batch.
    enough: usize,
    reached_enough: Notify,
}

impl Level {
    fn draws(&self) -> usize {
        self.draws.load(Ordering::Relaxed)
    }

    /// Adds a command, where it fits. Where none waits, any fits.
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

/// What commands are weighed by: the campaigns and the time of the moment when they come.
#[derive(Debug, Clone)]
pub(super) struct Scales {
    pub(super) catalogue: Arc<ArcSwap<Catalogue>>,
    pub(super) clock: fn() -> Timestamp,
}

impl Scales {
    fn weigh(&self, command: &Command) -> usize {
        command.weight(&self.catalogue.load(), self.clock)
    }
}

/// The way into a lane's queue.
#[derive(Debug, Clone)]
pub(crate) struct Entrance {
    sender: mpsc::Sender<Waiting>,
    scales: Scales,
    level: Arc<Level>,
    bound: Bound,
    callers: Arc<Callers>,
    admitted: IntCounter,
}

/// The lane's side of its queue.
#[derive(Debug)]
pub(super) struct Queue {
    receiver: mpsc::Receiver<Waiting>,
    level: Arc<Level>,
    linger: Duration,
    /// No batch begins earlier, unless enough draws wait, or the callers are all here again.
    linger_until: Option<Instant>,
    callers: Arc<Callers>,
    /// How many commands were under way before the last batch was answered.
    were_under_way: usize,
    /// Commands that a batch had no room for. They still wait, before all others.
    left: Vec<Waiting>,
}

/// A queue whose draws are bounded by the limits, and by what `bound` says at the moment. Counts
/// the commands that it admits. All queues of a process share their `callers`.
pub(super) fn queue(
    limits: LaneLimits,
    scales: Scales,
    bound: Bound,
    callers: Arc<Callers>,
    admitted: IntCounter,
) -> (Entrance, Queue) {
    let (sender, receiver) = mpsc::channel(limits.queue_max);
    let enough = ENOUGH.min(limits.batch_max).min(limits.queue_max);
    let level = Arc::new(Level {
        draws: AtomicUsize::new(0),
        enough,
        reached_enough: Notify::new(),
    });
    let entrance = Entrance {
        sender,
        scales,
        level: level.clone(),
        bound,
        callers: callers.clone(),
        admitted,
    };
    (
        entrance,
        Queue {
            receiver,
            level,
            linger: limits.linger,
            linger_until: None,
            callers,
            were_under_way: usize::MAX,
            left: Vec::new(),
        },
    )
}

impl Entrance {
    /// Enqueues a command, or refuses it at once. Where none waits, there is room for any.
    pub(crate) fn submit(&self, command: Command) -> Result<Pending, CommandError> {
        let draws = self.scales.weigh(&command);
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
            made_now: AtomicBool::new(false),
        });
        let (sender, receiver) = oneshot::channel();
        let waiting = Waiting {
            command,
            weight: draws,
            ticket: ticket.clone(),
            reply: sender,
            under_way: self.callers.enter(),
        };
        self.sender.try_send(waiting).map_err(|error| {
            self.level.fall(draws);
            match error {
                mpsc::error::TrySendError::Full(_) => CommandError::QueueFull,
                mpsc::error::TrySendError::Closed(_) => CommandError::Stopping,
            }
        })?;
        self.callers.came();
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

    /// How many may wait at the moment.
    pub(crate) fn bound(&self) -> usize {
        self.bound.draws()
    }
}

impl Queue {
    /// Takes waiting commands into `batch`: at least one, and no more draws than the maximum. Waits
    /// for the first, and for more where that is worth it. Takes nothing when the queue is closed
    /// and empty. When its future is dropped while it waits, it has taken nothing.
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
        let fits = |(index, command): &(usize, &Waiting)| {
            let sum = draws + command.weight;
            let fits = *index == 0 || sum <= draws_max;
            draws = if fits { sum } else { draws };
            fits
        };
        let count = batch.iter().enumerate().take_while(fits).count();
        self.left = batch.split_off(count);
        self.level.fall(draws);
        // A single command waits for no other.
        self.linger_until = (count > 1).then(|| Instant::now() + self.linger);
    }

    /// Notes how many commands were under way just before the last batch was answered.
    pub(super) fn answered(&mut self, were_under_way: usize) {
        self.were_under_way = were_under_way;
    }

    /// Waits until enough draws wait, or as many commands are under way as before the last batch
    /// was answered, or a while has passed since it began.
    async fn linger(&self) {
        let Some(until) = self.linger_until.filter(|&until| Instant::now() < until) else {
            return;
        };
        let enough = async {
            while self.level.draws() < self.level.enough {
                self.level.reached_enough.notified().await;
            }
        };
        let all_here = self.callers.reach(self.were_under_way);
        let more = async {
            tokio::select! {
                () = enough => {}
                () = all_here => {}
            }
        };
        let _ = timeout_at(until, more).await;
    }

    /// Whether the last batch had no room for all that waited.
    pub(super) fn left_some(&self) -> bool {
        !self.left.is_empty()
    }

    /// Admits no more commands. Those that wait already are still executed.
    pub(super) fn close(&mut self) {
        self.receiver.close();
    }
}
