//! The task of a lane: it takes what waits, batch by batch, until it is stopped.
use market::random::Randomness;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::answering::Answering;
use super::executor::{Executor, Surroundings};
use super::limits::LaneLimits;
use super::pace::Pace;
use super::queue::{Entrance, Queue, Scales, Taken, Waiting, queue};
use crate::metrics::{Ended, LaneMetrics};
use crate::stock::Stock;
use crate::store::ShardStore;

/// Starts a lane. When `stop` becomes true it takes no new commands, commits what is queued and
/// ends.
pub(crate) fn start<S: ShardStore, K: Stock, R: Randomness + Send + 'static>(
    store: S,
    around: Surroundings<K, R>,
    limits: LaneLimits,
    stop: watch::Receiver<bool>,
) -> (Entrance, JoinHandle<()>) {
    let metrics = around.metrics.clone();
    let pace = Pace::new(limits);
    let callers = around.callers.clone();
    let scales = Scales {
        catalogue: around.catalogue.clone(),
        clock: around.clock,
    };
    let (entrance, queue) = queue(
        limits,
        scales,
        pace.bound(),
        callers.clone(),
        metrics.admitted.clone(),
    );
    let lane = Lane {
        answering: Answering::new(Executor::new(store, around), callers, metrics.clone()),
        metrics,
        batch_max: limits.batch_max,
        pace,
    };
    (entrance, tokio::spawn(lane.run(queue, stop)))
}

struct Lane<S, K, R> {
    answering: Answering<S, K, R>,
    metrics: LaneMetrics,
    batch_max: usize,
    pace: Pace,
}

/// What a lane does next.
enum Due {
    Stop,
    /// Commands are tried again whose rows another process had locked.
    Held,
    Batch,
    /// No commands come, and the last batch is in doubt.
    Verdict,
}

impl<S: ShardStore, K: Stock, R: Randomness + Send + 'static> Lane<S, K, R> {
    async fn run(mut self, mut queue: Queue, mut stop: watch::Receiver<bool>) {
        // The lane gets ids before it needs them, so that it works while the meta database is
        // unavailable. Without them the first batch tries again.
        let _ = self.answering.executor.cover(self.batch_max).await;
        let mut waiting = Vec::with_capacity(self.batch_max);
        let mut stopping = false;
        loop {
            let in_doubt = self.answering.executor.is_in_doubt();
            let due = tokio::select! {
                // The stop comes first: a queue that is never empty must not delay it.
                biased;
                _ = stop.wait_for(|&stop| stop), if !stopping => Due::Stop,
                () = at(self.answering.next_try()) => Due::Held,
                () = queue.recv_batch(&mut waiting, self.batch_max) => Due::Batch,
                // Perhaps no command comes again: units of a batch in doubt must not wait for one.
                () = sleep_until(self.answering.available_at()), if in_doubt => Due::Verdict,
            };
            match due {
                Due::Stop => {
                    stopping = true;
                    queue.close();
                }
                Due::Held => self.answering.try_held().await,
                Due::Verdict => self.answering.retry_verdict().await,
                Due::Batch if waiting.is_empty() => break,
                Due::Batch => {
                    let were_under_way = self.answer(&mut waiting, queue.left_some()).await;
                    queue.answered(were_under_way);
                }
            }
        }
        while let Some(next_try) = self.answering.next_try() {
            sleep_until(next_try).await;
            self.answering.try_held().await;
        }
        if let Err(error) = self.answering.executor.resolve_in_doubt().await {
            tracing::error!(%error, "stopped without knowing what became of the last batch");
        }
    }

    /// Takes commands that waited, has them answered, and measures how long that took. Returns how
    /// many commands were under way just before the first answer.
    async fn answer(&mut self, waiting: &mut Vec<Waiting>, left_some: bool) -> usize {
        let (began, received) = (Instant::now(), waiting.len());
        self.metrics.waited(waiting[0].waited(began));
        self.metrics.taken(received);
        let taken: Vec<Taken> = waiting
            .drain(..)
            .filter_map(|command| command.take(began))
            .collect();
        let draws = taken.iter().map(|command| command.weight).sum();
        let full = taken.len() == received && (draws >= self.batch_max || left_some);
        self.metrics.ended(Ended::Abandoned, received - taken.len());
        self.metrics.batch(draws);
        let answered = self.answering.answer(taken, began).await;
        if full && answered.fast {
            self.pace.learn(draws, began.elapsed());
        }
        answered.were_under_way
    }
}

/// Waits until this time; for ever, where there is none.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
