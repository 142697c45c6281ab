//! Lanes: the single writers. A lane gathers the commands that wait into one batch and commits
//! it in one transaction; while it commits, the next batch gathers. A lone command pays no wait,
//! and a flood pays one commit for hundreds of draws; in between a lane lingers for a batch that
//! is worth its statements, round trips and commit.
//!
//! The rules of a batch are `market`'s; here is only the order of the steps and what happens
//! when one fails.
mod ids;
mod pace;
mod queue;
#[cfg(test)]
mod tests;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::FutureExt;
use jiff::Timestamp;
use market::Refusal;
use market::batch::{Answer, Batch, Draw, Plan, Settlement, Supply, plan, settle};
use market::campaign::Catalogue;
use market::random::{Randomness, Tape};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use self::ids::LaneIds;
pub(crate) use self::ids::{Cut, Ids, Runs, run_of_grant};
use self::pace::Pace;
pub(crate) use self::queue::Entrance;
pub use self::queue::Patience;
use self::queue::{Queue, Taken};
use crate::DrawError;
use crate::metrics::{Ended, LaneMetrics, Step};
use crate::stock::{Granted, Receipt, Stock, StockAway};
use crate::store::{GrantId, PersistError, ShardStore, StoreError, Verdict};

/// How often a batch is planned anew when somebody else was faster.
const TRIES_MAX: usize = 4;

/// A shard that was away is not tried again for this long, twice as long after each failure: its
/// users hear at once that it is away, instead of waiting for one time-out after the other.
const AWAY_MIN: Duration = Duration::from_millis(50);
/// The longest that a shard which is back goes unnoticed.
const AWAY_MAX: Duration = Duration::from_secs(1);

/// Sizes of a lane.
#[derive(Debug, Clone, Copy)]
pub struct LaneLimits {
    /// Draws that may wait, whatever the lane's speed.
    pub queue_max: usize,
    /// No more draws may wait than the lane commits within this time.
    pub queue_target: Duration,
    /// Draws in one batch, or one call alone. A draw is at most about 4 KiB in the texts of its
    /// statements, so 1,024 of them are a quarter of the 16 MiB that MariaDB takes if not told otherwise.
    pub batch_max: usize,
    /// Where draws come together, a batch begins so long after the one before, or when enough draws
    /// wait, whichever is earlier. Zero: at once.
    pub linger: Duration,
}

/// What a lane needs of the world around it.
pub(crate) struct Surroundings<K, R> {
    /// The campaigns of the moment.
    pub(crate) catalogue: Arc<ArcSwap<Catalogue>>,
    /// Where units come from.
    pub(crate) stock: K,
    /// Where prizes come from.
    pub(crate) random: Tape<R>,
    /// What time it is.
    pub(crate) clock: fn() -> Timestamp,
    /// Where order ids and grant ids come from.
    pub(crate) ids: Arc<Ids>,
    pub(crate) metrics: LaneMetrics,
}

pub(crate) struct Lane<S, K, R> {
    store: S,
    around: Surroundings<K, R>,
    batch_max: usize,
    pace: Pace,
    ids: Option<LaneIds>,
    /// A grant whose batch may or may not have committed: found out before the next batch.
    doubt: Option<Doubt>,
    /// Set while the shard is away.
    away: Option<Away>,
}

/// A shard that did not answer.
#[derive(Debug, Clone, Copy)]
struct Away {
    until: Instant,
    lasts: Duration,
}

/// A batch that may have committed, what it was granted, and what its orders took if it has.
struct Doubt {
    grant: GrantId,
    granted: Granted,
    receipt: Receipt,
    orders: usize,
}

/// How one try of a batch failed.
enum Failure {
    /// Somebody else was faster: plan again.
    Conflict(String),
    /// The database refuses something in it: halve it.
    Data(String),
    /// The stock cannot be asked: plan again without it.
    StockAway,
    /// Answer everyone with this.
    Final(DrawError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(why) => Failure::Conflict(why),
            StoreError::Data(why) => Failure::Data(why),
            StoreError::Fenced(why) => {
                tracing::warn!(error = why, "the stock is being rebuilt");
                Failure::StockAway
            }
            StoreError::Away(why) => {
                tracing::warn!(error = why, "the shard is away");
                Failure::Final(DrawError::ShardAway)
            }
        }
    }
}

/// Starts a lane. Told to stop, it takes no new commands, commits what is queued and ends.
pub(crate) fn start<S: ShardStore, K: Stock, R: Randomness + Send + 'static>(
    store: S,
    around: Surroundings<K, R>,
    limits: LaneLimits,
    stop: watch::Receiver<bool>,
) -> (Entrance, JoinHandle<()>) {
    let pace = Pace::new(limits);
    let (entrance, queue) = queue::queue(limits, pace.bound(), around.metrics.admitted.clone());
    let lane = Lane { store, around, batch_max: limits.batch_max, pace, ids: None, doubt: None, away: None };
    (entrance, tokio::spawn(lane.run(queue, stop)))
}

impl<S: ShardStore, K: Stock, R: Randomness + Send + 'static> Lane<S, K, R> {
    async fn run(mut self, mut queue: Queue, mut stop: watch::Receiver<bool>) {
        // Ids before they are needed, so that a lane which nobody has used yet draws on while the
        // meta database is away. Without them the first batch tries again.
        let _ = self.cover(self.batch_max).await;
        let mut waiting = Vec::with_capacity(self.batch_max);
        let mut stopping = false;
        loop {
            let retry = tokio::select! {
                // The stop first: a queue that never runs dry must not outlast it.
                biased;
                _ = stop.wait_for(|&stop| stop), if !stopping => {
                    stopping = true;
                    queue.close();
                    continue;
                }
                () = queue.recv_batch(&mut waiting, self.batch_max) => false,
                // It may be that nobody ever draws here again: units in doubt must not wait for it.
                () = sleep_until(self.away.map_or_else(Instant::now, |away| away.until)), if self.doubt.is_some() => true,
            };
            if retry {
                self.retry_verdict().await;
                continue;
            }
            let Some(oldest) = waiting.first() else { break };
            let began = Instant::now();
            self.around.metrics.waited(oldest.waited(began));
            let received = waiting.len();
            self.around.metrics.taken(received);
            let taken: Vec<Taken> = waiting.drain(..).filter_map(|command| command.take(began)).collect();
            let draws = taken.iter().map(Taken::draws).sum();
            let full = taken.len() == received && (draws >= self.batch_max || queue.left_some());
            self.around.metrics.ended(Ended::Abandoned, received - taken.len());
            self.around.metrics.batch(draws);
            self.answer_all(taken).await;
            if full && self.away.is_none() {
                self.pace.learn(draws, began.elapsed());
            }
        }
        if let Err(error) = self.resolve_doubt().await {
            tracing::error!(%error, "stopped without knowing what became of the last batch");
        }
    }

    /// Executes commands and answers each. A batch that the database refuses for its data is
    /// halved until the culprit stands alone, so one bad command never fails its neighbours.
    async fn answer_all(&mut self, commands: Vec<Taken>) {
        let mut parts = vec![commands];
        while let Some(mut part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            if self.away.is_some_and(|away| Instant::now() < away.until) {
                self.fail(part, DrawError::ShardAway);
                continue;
            }
            let executed = self.execute(&part).await;
            self.note_away(&executed);
            match executed {
                Ok(answers) => {
                    let refused = answers.iter().filter(|answer| answer.is_err()).count();
                    self.around.metrics.ended(Ended::Drawn, part.len() - refused);
                    self.around.metrics.ended(Ended::Refused, refused);
                    for (command, answer) in part.into_iter().zip(answers) {
                        command.answer(answer.map_err(DrawError::Refused));
                    }
                }
                Err(Failure::Data(_)) if part.len() > 1 => {
                    let second = part.split_off(part.len() / 2);
                    parts.push(second);
                    parts.push(part);
                }
                Err(failure) => self.fail(part, explain(failure)),
            }
        }
    }

    fn fail(&self, commands: Vec<Taken>, error: DrawError) {
        self.around.metrics.ended(Ended::Failed, commands.len());
        for command in commands {
            command.answer(Err(error));
        }
    }

    fn note_away(&mut self, executed: &Result<Vec<Answer>, Failure>) {
        self.away =
            matches!(executed, Err(Failure::Final(DrawError::ShardAway | DrawError::OutcomeUnknown))).then(|| {
                let lasts = self.away.map_or(AWAY_MIN, |away| (away.lasts * 2).min(AWAY_MAX));
                Away { until: Instant::now() + lasts, lasts }
            });
    }

    /// Tries a batch until nobody else was faster.
    async fn execute(&mut self, commands: &[Taken]) -> Result<Vec<Answer>, Failure> {
        let mut failure = Failure::Final(DrawError::ShardAway);
        let mut supply = Supply::There;
        self.around.random.clear();
        for _ in 0..TRIES_MAX {
            let draws = commands.iter().map(|command| command.draw.clone()).collect();
            self.around.random.rewind();
            // A bug that panics must not take the lane with it: the doubt noted before the
            // commit says what has become of the batch.
            match AssertUnwindSafe(self.attempt(draws, supply)).catch_unwind().await {
                Ok(Err(conflict @ Failure::Conflict(_))) => failure = conflict,
                Ok(Err(Failure::StockAway)) => supply = Supply::Away,
                Ok(result) => return result,
                Err(_) => {
                    self.store.undo().await;
                    return Err(Failure::Final(DrawError::OutcomeUnknown));
                }
            }
        }
        Err(failure)
    }

    /// One try: prefetch, plan, take, settle, persist.
    async fn attempt(&mut self, draws: Vec<Draw>, supply: Supply) -> Result<Vec<Answer>, Failure> {
        self.resolve_doubt().await.map_err(|_| Failure::Final(DrawError::ShardAway))?;
        self.cover(draws.iter().map(|draw| usize::from(draw.count.get())).sum()).await?;
        let plan = self.plan(draws, supply).await?;
        let grant = self.ids().next_grant();
        self.doubt = Some(Doubt { grant, granted: Granted::default(), receipt: Receipt::default(), orders: 0 });
        let granted = match self.take(grant, &plan).await {
            Ok(granted) => granted,
            Err(StockAway(why)) => {
                tracing::warn!(error = why, "the stock is away");
                self.undo(grant, &Granted::default()).await;
                return Err(Failure::StockAway);
            }
        };
        let ids = self.ids.as_mut().expect("covered above");
        let settlement = settle(plan, &granted.units(), |user| ids.next_order(user));
        if settlement.calls.is_empty() {
            self.undo(grant, &granted).await;
            return Ok(settlement.answers);
        }
        self.persist(grant, granted, settlement).await
    }

    async fn take(&mut self, grant: GrantId, plan: &Plan) -> Result<Granted, StockAway> {
        if plan.wants().is_empty() {
            return Ok(Granted::default());
        }
        let timer = self.around.metrics.step(Step::Take);
        let granted = self.around.stock.take(grant, plan.wants()).await;
        timer.observe_duration();
        granted
    }

    /// Makes sure that the lane has ids for a batch.
    async fn cover(&mut self, orders: usize) -> Result<(), Failure> {
        if !self.ids.as_ref().is_some_and(|ids| ids.cover(orders)) {
            self.ids = Some(LaneIds::new(self.around.ids.block().await?));
        }
        Ok(())
    }

    fn ids(&mut self) -> &mut LaneIds {
        self.ids.as_mut().expect("a batch is covered before it is planned")
    }

    async fn plan(&mut self, draws: Vec<Draw>, supply: Supply) -> Result<Plan, Failure> {
        let batch = Batch::gather(draws);
        let timer = self.around.metrics.step(Step::Prefetch);
        let known = match self.store.prefetch(&batch).await {
            Ok(known) => known,
            Err(error) => {
                self.store.undo().await;
                return Err(error.into());
            }
        };
        timer.observe_duration();
        let catalogue = self.around.catalogue.load();
        Ok(plan(batch, known, &catalogue, supply, (self.around.clock)(), &mut self.around.random))
    }

    async fn persist(
        &mut self,
        grant: GrantId,
        granted: Granted,
        settlement: Settlement,
    ) -> Result<Vec<Answer>, Failure> {
        let receipt = Receipt { used: granted.used(&settlement.used), epochs: granted.epochs.clone() };
        let orders = settlement.orders().count();
        let timer = self.around.metrics.step(Step::Persist);
        self.doubt = Some(Doubt { grant, granted: granted.clone(), receipt: receipt.clone(), orders });
        let persisted = self.store.persist(grant, &settlement, &receipt).await;
        timer.observe_duration();
        match persisted {
            Ok(()) => {
                self.around.metrics.committed(orders, receipt.epochs.len());
                self.around.stock.settle(grant, &granted, &receipt.used);
                self.doubt = None;
                Ok(settlement.answers)
            }
            Err(PersistError::Undone(error)) => {
                self.undo(grant, &granted).await;
                Err(error.into())
            }
            Err(PersistError::Unknown(error)) => {
                tracing::warn!(%error, ?grant, "a commit was not confirmed");
                match self.resolve_doubt().await {
                    Ok(Verdict::Committed) => Ok(settlement.answers),
                    Ok(Verdict::Void) => Err(Failure::Conflict("the batch was undone".to_owned())),
                    Err(_) => Err(Failure::Final(DrawError::OutcomeUnknown)),
                }
            }
        }
    }

    /// Undoes a batch that has not come to its commit.
    async fn undo(&mut self, grant: GrantId, granted: &Granted) {
        self.store.undo().await;
        self.around.stock.give_back(grant, granted);
        self.doubt = None;
    }

    /// Asks once more about the batch in doubt, while nobody draws.
    async fn retry_verdict(&mut self) {
        let asked = self.resolve_doubt().await;
        self.note_away(&asked.map(|_| Vec::new()).map_err(|_| Failure::Final(DrawError::ShardAway)));
    }

    /// Finds out what became of the batch in doubt, if there is one, and closes its grant.
    async fn resolve_doubt(&mut self) -> Result<Verdict, StoreError> {
        let Some(Doubt { grant, granted, receipt, orders }) = &self.doubt else { return Ok(Verdict::Void) };
        let verdict = self.store.verdict(*grant).await?;
        tracing::warn!(?grant, ?verdict, "a batch in doubt was resolved");
        match verdict {
            Verdict::Committed => {
                self.around.metrics.committed(*orders, receipt.epochs.len());
                self.around.stock.settle(*grant, granted, &receipt.used);
            }
            Verdict::Void => self.around.stock.give_back(*grant, granted),
        }
        self.doubt = None;
        Ok(verdict)
    }
}

fn explain(failure: Failure) -> DrawError {
    match failure {
        Failure::Final(error) => error,
        Failure::StockAway => DrawError::Refused(Refusal::StockAway),
        Failure::Conflict(why) => {
            tracing::warn!(error = why, "gave up a batch that others kept changing");
            DrawError::ShardAway
        }
        Failure::Data(why) => {
            tracing::error!(error = why, "the database refuses a command");
            DrawError::DataRefused
        }
    }
}
