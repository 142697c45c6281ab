//! Answers the commands that were taken: tries their batch, halves of it, and the commands that are
//! set aside.
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use market::batch::Supply;
use market::random::Randomness;
use tokio::time::Instant;

use super::callers::Callers;
use super::executor::{Answers, Executor, LOCK_WAIT_AT_LEAST};
use super::failure::{Failure, Lock};
use super::held::{Held, Sifted};
use super::queue::Taken;
use crate::error::CommandError;
use crate::metrics::{Ended, LaneMetrics};
use crate::stock::Stock;
use crate::store::{OnLock, ShardStore};

/// How often a batch is planned again when another process was faster, or had claimed its keys in
/// vain.
pub(super) const TRIES_MAX: usize = 5;

/// How often commands that a batch leaves undecided make another one.
const UNDECIDED_ROUNDS_MAX: usize = 3;

/// Commands in a batch of those that were set aside: each makes few rows.
const HELD_BATCH_MAX: usize = 100;

/// A shard that was unavailable is not tried again for this long; twice as long after each failure.
/// Until then its users are answered at once, instead of after one timeout after the other.
pub(super) const UNAVAILABLE_MIN: Duration = Duration::from_millis(50);
/// The longest time until a lane notices that its shard is available again.
pub(super) const UNAVAILABLE_MAX: Duration = Duration::from_secs(1);

/// Answers commands.
pub(super) struct Answering<S, K, R> {
    pub(super) executor: Executor<S, K, R>,
    callers: Arc<Callers>,
    /// How many commands were under way before the first answer to a batch.
    were_under_way: usize,
    metrics: LaneMetrics,
    /// Set while the shard is unavailable.
    unavailable: Option<Unavailable>,
    held: Held,
    /// Batches that waited for a lock and did not get it.
    stalls: u64,
}

/// How a batch was answered.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answered {
    /// As fast as the lane can be.
    pub(super) fast: bool,
    /// How many commands were under way just before.
    pub(super) were_under_way: usize,
}

/// A shard that did not answer.
#[derive(Debug, Clone, Copy)]
struct Unavailable {
    until: Instant,
    lasts: Duration,
}

impl<S: ShardStore, K: Stock, R: Randomness + Send + 'static> Answering<S, K, R> {
    pub(super) fn new(
        executor: Executor<S, K, R>,
        callers: Arc<Callers>,
        metrics: LaneMetrics,
    ) -> Self {
        Self {
            executor,
            callers,
            were_under_way: 0,
            metrics,
            unavailable: None,
            held: Held::none(),
            stalls: 0,
        }
    }

    /// Executes and answers commands that come from the queue.
    pub(super) async fn answer(&mut self, taken: Vec<Taken>, began: Instant) -> Answered {
        let stalls = self.stalls;
        self.were_under_way = 0;
        let Sifted { tried, refused } = self.held.sift(taken, began);
        self.refuse_held(refused);
        self.answer_all(tried).await;
        Answered {
            fast: self.unavailable.is_none() && self.stalls == stalls,
            were_under_way: self.were_under_way,
        }
    }

    /// When commands that are set aside are to be tried again, if there are any.
    pub(super) fn next_try(&self) -> Option<Instant> {
        self.held.next_try()
    }

    /// Tries commands again whose rows another process had locked.
    pub(super) async fn try_held(&mut self) {
        let Sifted { mut tried, refused } = self.held.due(Instant::now());
        self.refuse_held(refused);
        while !tried.is_empty() {
            let rest = tried.split_off(tried.len().min(HELD_BATCH_MAX));
            self.answer_all(std::mem::replace(&mut tried, rest)).await;
        }
        self.held.rest(Instant::now());
    }

    /// The earliest time at which the shard is tried again.
    pub(super) fn available_at(&self) -> Instant {
        self.unavailable
            .map_or_else(Instant::now, |unavailable| unavailable.until)
    }

    fn is_unavailable(&self) -> bool {
        let now = Instant::now();
        self.unavailable
            .is_some_and(|unavailable| now < unavailable.until)
    }

    /// Asks once more about the batch in doubt, while no commands come.
    pub(super) async fn retry_verdict(&mut self) {
        let answered = self.executor.resolve_in_doubt().await.is_ok();
        self.note_unavailable(!answered);
    }

    /// Executes commands and answers each. A batch that the database refuses for its data, or that
    /// others keep changing, is halved until the bad command is alone, so it never fails its
    /// neighbours. Commands that a batch leaves undecided make another one, in which the first of
    /// them is decided.
    async fn answer_all(&mut self, commands: Vec<Taken>) {
        let began = Instant::now();
        let mut parts = vec![commands];
        let mut undecided_rounds = 0;
        while let Some(mut part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            if self.is_unavailable() {
                self.end(part, Ended::Failed, CommandError::ShardUnavailable);
                continue;
            }
            let executed = self.execute(&mut part).await;
            self.note_unavailable(matches!(
                executed,
                Err(Failure::Final(
                    CommandError::ShardUnavailable | CommandError::OutcomeUnknown
                ))
            ));
            match executed {
                Ok(mut answers) => {
                    if undecided_rounds == UNDECIDED_ROUNDS_MAX {
                        // Refused, and free to be sent again: others of the lane wait.
                        answers.undecided.clear();
                    }
                    let again = self.answer_each(part, answers);
                    undecided_rounds += usize::from(!again.is_empty());
                    parts.push(again);
                }
                Err(failure) if part.len() > 1 && failure.is_halved(began.elapsed()) => {
                    let second = part.split_off(part.len() / 2);
                    parts.push(second);
                    parts.push(part);
                }
                Err(Failure::Held(Lock { why, .. })) => {
                    tracing::warn!(error = why, "gave up a batch that locks of others hold up");
                    self.refuse_held(part);
                }
                Err(failure) => self.end(part, Ended::Failed, failure.into_error()),
            }
        }
    }

    /// Answers the commands of a batch. Returns those that it left undecided.
    fn answer_each(&mut self, commands: Vec<Taken>, answers: Answers) -> Vec<Taken> {
        let Answers { answers, undecided } = answers;
        self.were_under_way = self.were_under_way.max(self.callers.count());
        let refused = answers.iter().filter(|answer| answer.is_err()).count();
        self.metrics.ended(Ended::Made, commands.len() - refused);
        self.metrics
            .ended(Ended::Refused, refused - undecided.len());
        let (mut again, mut undecided) = (Vec::new(), undecided.into_iter().peekable());
        for (index, (command, answer)) in commands.into_iter().zip(answers).enumerate() {
            if undecided.next_if_eq(&index).is_some() {
                again.push(command);
            } else {
                command.answer(answer.map_err(CommandError::Refused));
            }
        }
        again
    }

    fn refuse_held(&mut self, commands: Vec<Taken>) {
        self.end(commands, Ended::Held, CommandError::Held);
    }

    fn end(&mut self, commands: Vec<Taken>, how: Ended, error: CommandError) {
        self.were_under_way = self.were_under_way.max(self.callers.count());
        self.metrics.ended(how, commands.len());
        for command in commands {
            command.answer(Err(error));
        }
    }

    fn note_unavailable(&mut self, is_unavailable: bool) {
        self.unavailable = is_unavailable.then(|| {
            let lasts = self.unavailable.map_or(UNAVAILABLE_MIN, |unavailable| {
                (unavailable.lasts * 2).min(UNAVAILABLE_MAX)
            });
            Unavailable {
                until: Instant::now() + lasts,
                lasts,
            }
        });
    }

    /// Tries a batch until no other process was faster. Commands whose rows another process has
    /// locked are set aside, and the others go on without them.
    async fn execute(&mut self, commands: &mut Vec<Taken>) -> Result<Answers, Failure> {
        let mut failure = Failure::Final(CommandError::ShardUnavailable);
        let (mut supply, mut on_lock) = (Supply::There, OnLock::Refuse);
        self.executor.was_deleting();
        for _ in 0..TRIES_MAX {
            let began = Instant::now();
            let attempt = self.executor.attempt(commands, &supply, on_lock);
            // A bug that panics must not end the lane. What was noted before the commit says
            // whether the batch has committed.
            match AssertUnwindSafe(attempt).catch_unwind().await {
                Ok(Err(conflict @ Failure::Conflict(_))) => failure = conflict,
                Ok(Err(Failure::Held(lock))) => {
                    // On MySQL a claim waits even where it should not.
                    if lock.waited || began.elapsed() >= LOCK_WAIT_AT_LEAST {
                        self.stalls += 1;
                        for command in commands.iter() {
                            command.held_up(began.elapsed());
                        }
                    }
                    let found = self.part_from_held(commands).await?;
                    if commands.is_empty() {
                        return Ok(Answers::default());
                    }
                    let deleting = self.executor.was_deleting();
                    match lock {
                        // The next try has no receipts to delete: jobs delete them.
                        lock if !found && lock.waited && deleting => {
                            (failure, on_lock) = (Failure::Held(lock), OnLock::Wait);
                        }
                        // It was no user's row, so it was that of the epoch: there are no units
                        // now.
                        Lock {
                            may_be_rebuild: true,
                            ..
                        } if !found => supply = Supply::Unavailable,
                        Lock { waited: true, .. } if !found => return Err(Failure::Held(lock)),
                        // The process that has locked the others' rows by now does not stand still.
                        lock => (failure, on_lock) = (Failure::Held(lock), OnLock::Wait),
                    }
                }
                Ok(Err(Failure::Undelivered(prizes))) if supply == Supply::There => {
                    supply = Supply::Without(prizes.into_iter().collect());
                }
                Ok(Err(Failure::StockUnavailable | Failure::Undelivered(_))) => {
                    supply = Supply::Unavailable;
                }
                Ok(result) => return result,
                Err(_) => {
                    self.executor.undo_after_panic().await;
                    return Err(Failure::Final(CommandError::OutcomeUnknown));
                }
            }
        }
        Err(failure)
    }

    /// Finds the commands whose rows another process has locked, and sets them aside. Returns
    /// whether there are any.
    async fn part_from_held(&mut self, commands: &mut Vec<Taken>) -> Result<bool, Failure> {
        let mut held = self.executor.held(commands).await?.into_iter();
        let (aside, free): (Vec<_>, Vec<_>) = std::mem::take(commands)
            .into_iter()
            .partition(|_| held.next().unwrap_or(false));
        *commands = free;
        let found = !aside.is_empty();
        let no_room = self.held.set_aside(aside, Instant::now());
        self.refuse_held(no_room);
        Ok(found)
    }
}
