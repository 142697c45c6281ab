//! Lanes: the single writers. A lane gathers the commands that wait into one batch and commits
//! it in one transaction; while it commits, the next batch gathers. A lone command pays no wait,
//! and a flood pays one commit for hundreds of draws; in between a lane lingers for a batch that
//! is worth its statements, round trips and commit.
//!
//! The rules of a batch are `market`'s; here is only the order of the steps and what happens
//! when one fails.
mod clock;
mod held;
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
use market::batch::{Answer, Batch, Draw, Plan, Prize, Settlement, Supply, plan, settle};
use market::campaign::Catalogue;
use market::random::{Randomness, Tape};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use self::clock::Watch;
use self::held::{Held, Sifted};
use self::ids::LaneIds;
pub(crate) use self::ids::{Cut, Ids, Runs, run_of_grant};
use self::pace::Pace;
pub(crate) use self::queue::Entrance;
pub use self::queue::Timeouts;
use self::queue::{Queue, Taken};
use crate::error::CommandError;
use crate::grant::GrantId;
use crate::metrics::{Ended, LaneMetrics, Step};
use crate::stock::{Granted, Receipt, Stock, StockUnavailable};
use crate::store::{Fetched, InDoubt, OnLock, PersistError, ShardStore, StoreError, Verdict};

/// How often a batch is planned again when somebody else was faster.
const TRIES_MAX: usize = 4;

/// Conflicts and lock waits that last are halved until so long after their batch began; after that
/// who is left is refused, because everybody behind waits as well.
const HALVING_MAX: Duration = Duration::from_millis(1_500);

/// Commands in a batch of those that were set aside: a call is ten draws at most.
const HELD_BATCH_MAX: usize = 100;

/// A shard that was unavailable is not tried again for this long, twice as long after each failure: its
/// users hear at once that it is unavailable, instead of waiting for one timeout after the other.
const UNAVAILABLE_MIN: Duration = Duration::from_millis(50);
/// The longest that a shard which is back goes unnoticed.
const UNAVAILABLE_MAX: Duration = Duration::from_secs(1);

/// Sizes of a lane.
#[derive(Debug, Clone, Copy)]
pub struct LaneLimits {
    /// Draws that may wait, whatever the lane's speed.
    pub queue_max: usize,
    /// No more draws may wait than the lane commits within this time.
    pub queue_target: Duration,
    /// Draws in one batch, or one call alone. A draw is at most about 4 KiB in the texts of its
    /// statements, so 1,024 of them are a quarter of the 16 MiB that MariaDB takes if not told
    /// otherwise.
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
    /// Set while the shard is unavailable.
    unavailable: Option<Unavailable>,
    held: Held,
    clocks: Watch,
    /// Batches that waited for a lock in vain.
    stalls: u64,
    /// Whether the last try was to delete receipts too: a job may have locked one of them.
    deleting: bool,
}

/// A shard that did not answer.
#[derive(Debug, Clone, Copy)]
struct Unavailable {
    until: Instant,
    lasts: Duration,
}

/// A batch that may have committed, what it was granted, and what its orders took if it has.
struct Doubt {
    batch: InDoubt,
    granted: Granted,
    receipt: Receipt,
    orders: usize,
}

/// What a lane does next.
enum Due {
    Batch,
    /// Those are tried again whose rows somebody else had.
    Held,
    /// Nobody draws, and the last batch is in doubt.
    Verdict,
}

/// How one try of a batch failed.
enum Failure {
    /// Somebody else was faster: plan again.
    Conflict(String),
    /// The database refuses something in it: halve it.
    Data(String),
    /// Somebody else has a row of it.
    Held(Lock),
    /// The stock cannot be asked: plan again without it.
    StockUnavailable,
    /// Units of these prizes are still on their way: plan again without them.
    Undelivered(Vec<Prize>),
    /// Answer everyone with this.
    Final(CommandError),
}

/// A lock that a batch met.
struct Lock {
    why: String,
    /// Whether it was waited for.
    waited: bool,
    /// Whether it may have been that of a rebuild of the stock, which commits of units wait for.
    may_be_rebuild: bool,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Held(why) => Failure::Held(Lock {
                why,
                waited: true,
                may_be_rebuild: false,
            }),
            StoreError::Conflict(why) => Failure::Conflict(why),
            StoreError::Data(why) => Failure::Data(why),
            StoreError::Fenced(why) => {
                tracing::warn!(error = why, "the stock is being rebuilt");
                Failure::StockUnavailable
            }
            StoreError::Unavailable(why) => {
                tracing::warn!(error = why, "the shard is unavailable");
                Failure::Final(CommandError::ShardUnavailable)
            }
        }
    }
}

impl From<StockUnavailable> for Failure {
    fn from(error: StockUnavailable) -> Self {
        match error {
            StockUnavailable::Undelivered(prizes) => Failure::Undelivered(prizes),
            StockUnavailable::Unavailable(_) | StockUnavailable::EndedAtOnce(_) => {
                Failure::StockUnavailable
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
    let clocks = Watch::new(around.metrics.clock_skew_seconds.clone());
    let lane = Lane {
        store,
        around,
        batch_max: limits.batch_max,
        pace,
        ids: None,
        doubt: None,
        unavailable: None,
        held: Held::nobody(),
        clocks,
        stalls: 0,
        deleting: false,
    };
    (entrance, tokio::spawn(lane.run(queue, stop)))
}

impl<S: ShardStore, K: Stock, R: Randomness + Send + 'static> Lane<S, K, R> {
    async fn run(mut self, mut queue: Queue, mut stop: watch::Receiver<bool>) {
        // Ids before they are needed, so that a lane which nobody has used yet draws on while the
        // meta database is unavailable. Without them the first batch tries again.
        let _ = self.cover(self.batch_max).await;
        let mut waiting = Vec::with_capacity(self.batch_max);
        let mut stopping = false;
        loop {
            let due = tokio::select! {
                // The stop first: a queue that never runs dry must not outlast it.
                biased;
                _ = stop.wait_for(|&stop| stop), if !stopping => {
                    stopping = true;
                    queue.close();
                    continue;
                }
                () = at(self.held.next_try()) => Due::Held,
                () = queue.recv_batch(&mut waiting, self.batch_max) => Due::Batch,
                // It may be that nobody ever draws here again: units in doubt must not wait for it.
                () = sleep_until(self.unavailable.map_or_else(Instant::now, |unavailable| unavailable.until)), if self.doubt.is_some() => {
                    Due::Verdict
                }
            };
            match due {
                Due::Batch => {}
                Due::Held => {
                    self.try_held().await;
                    continue;
                }
                Due::Verdict => {
                    self.retry_verdict().await;
                    continue;
                }
            }
            let Some(oldest) = waiting.first() else { break };
            let began = Instant::now();
            self.around.metrics.waited(oldest.waited(began));
            let received = waiting.len();
            self.around.metrics.taken(received);
            let taken: Vec<Taken> = waiting
                .drain(..)
                .filter_map(|command| command.take(began))
                .collect();
            let draws = taken.iter().map(Taken::draws).sum();
            let full = taken.len() == received && (draws >= self.batch_max || queue.left_some());
            self.around
                .metrics
                .ended(Ended::Abandoned, received - taken.len());
            self.around.metrics.batch(draws);
            let stalls = self.stalls;
            let Sifted { tried, told } = self.held.sift(taken, began);
            self.tell_held(told);
            self.answer_all(tried).await;
            if full && self.unavailable.is_none() && self.stalls == stalls {
                self.pace.learn(draws, began.elapsed());
            }
        }
        while let Some(next_try) = self.held.next_try() {
            sleep_until(next_try).await;
            self.try_held().await;
        }
        if let Err(error) = self.resolve_doubt().await {
            tracing::error!(%error, "stopped without knowing what became of the last batch");
        }
    }

    /// Tries those again whose rows somebody else had.
    async fn try_held(&mut self) {
        let Sifted { mut tried, told } = self.held.due(Instant::now());
        self.tell_held(told);
        while !tried.is_empty() {
            let rest = tried.split_off(tried.len().min(HELD_BATCH_MAX));
            self.answer_all(std::mem::replace(&mut tried, rest)).await;
        }
        self.held.rest(Instant::now());
    }

    fn tell_held(&self, commands: Vec<Taken>) {
        self.end(commands, Ended::Held, CommandError::Held);
    }

    /// Executes commands and answers each. A batch that the database refuses for its data, or that
    /// others keep changing, is halved until the culprit stands alone, so one bad command never
    /// fails its neighbours.
    async fn answer_all(&mut self, commands: Vec<Taken>) {
        let began = Instant::now();
        let mut parts = vec![commands];
        while let Some(mut part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            if self
                .unavailable
                .is_some_and(|unavailable| Instant::now() < unavailable.until)
            {
                self.fail(part, CommandError::ShardUnavailable);
                continue;
            }
            let executed = self.execute(&mut part).await;
            self.note_unavailable(&executed);
            match executed {
                Ok(answers) => {
                    let refused = answers.iter().filter(|answer| answer.is_err()).count();
                    self.around
                        .metrics
                        .ended(Ended::Drawn, part.len() - refused);
                    self.around.metrics.ended(Ended::Refused, refused);
                    for (command, answer) in part.into_iter().zip(answers) {
                        command.answer(answer.map_err(CommandError::Refused));
                    }
                }
                Err(failure) if part.len() > 1 && failure.is_halved(began.elapsed()) => {
                    let second = part.split_off(part.len() / 2);
                    parts.push(second);
                    parts.push(part);
                }
                Err(Failure::Held(Lock { why, .. })) => {
                    tracing::warn!(
                        error = why,
                        "gave up a batch that somebody else's locks hold up"
                    );
                    self.tell_held(part);
                }
                Err(failure) => self.fail(part, explain(failure)),
            }
        }
    }

    fn fail(&self, commands: Vec<Taken>, error: CommandError) {
        self.end(commands, Ended::Failed, error);
    }

    fn end(&self, commands: Vec<Taken>, how: Ended, error: CommandError) {
        self.around.metrics.ended(how, commands.len());
        for command in commands {
            command.answer(Err(error));
        }
    }

    fn note_unavailable(&mut self, executed: &Result<Vec<Answer>, Failure>) {
        self.unavailable = matches!(
            executed,
            Err(Failure::Final(
                CommandError::ShardUnavailable | CommandError::OutcomeUnknown
            ))
        )
        .then(|| {
            let lasts = self.unavailable.map_or(UNAVAILABLE_MIN, |unavailable| {
                (unavailable.lasts * 2).min(UNAVAILABLE_MAX)
            });
            Unavailable {
                until: Instant::now() + lasts,
                lasts,
            }
        });
    }

    /// Tries a batch until nobody else was faster. Those whose rows somebody else has are set
    /// aside, and the others go on without them.
    async fn execute(&mut self, commands: &mut Vec<Taken>) -> Result<Vec<Answer>, Failure> {
        let mut failure = Failure::Final(CommandError::ShardUnavailable);
        let (mut supply, mut on_lock) = (Supply::There, OnLock::Refuse);
        self.around.random.clear();
        self.deleting = false;
        for _ in 0..TRIES_MAX {
            let draws = commands
                .iter()
                .map(|command| command.draw.clone())
                .collect();
            self.around.random.rewind();
            let began = Instant::now();
            // A bug that panics must not take the lane with it: the doubt noted before the
            // commit says what has become of the batch.
            match AssertUnwindSafe(self.attempt(draws, &supply, on_lock))
                .catch_unwind()
                .await
            {
                Ok(Err(conflict @ Failure::Conflict(_))) => failure = conflict,
                Ok(Err(Failure::Held(lock))) => {
                    if lock.waited {
                        self.stalls += 1;
                        for command in commands.iter() {
                            command.held_up(began.elapsed());
                        }
                    }
                    let found = self.part_from_held(commands).await?;
                    if commands.is_empty() {
                        return Ok(Vec::new());
                    }
                    let deleting = std::mem::take(&mut self.deleting);
                    match lock {
                        // The next try has none to delete: jobs find them.
                        lock if !found && lock.waited && deleting => {
                            (failure, on_lock) = (Failure::Held(lock), OnLock::Wait);
                        }
                        // Nobody's row, so it was the epoch's: there are no units now.
                        Lock {
                            may_be_rebuild: true,
                            ..
                        } if !found => supply = Supply::Unavailable,
                        Lock { waited: true, .. } if !found => return Err(Failure::Held(lock)),
                        // Whoever has the others' rows by now has not stood still with them.
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
                    self.store.undo().await;
                    return Err(Failure::Final(CommandError::OutcomeUnknown));
                }
            }
        }
        Err(failure)
    }

    /// Finds out whose rows somebody else has and sets those commands aside; whether there are any.
    async fn part_from_held(&mut self, commands: &mut Vec<Taken>) -> Result<bool, Failure> {
        let batch = Batch::gather(
            commands
                .iter()
                .map(|command| command.draw.clone())
                .collect(),
        );
        let mut held = self.store.held(&batch).await?.into_iter();
        let (aside, free): (Vec<_>, Vec<_>) = std::mem::take(commands)
            .into_iter()
            .partition(|_| held.next().unwrap_or(false));
        *commands = free;
        let found = !aside.is_empty();
        let no_room = self.held.set_aside(aside, Instant::now());
        self.tell_held(no_room);
        Ok(found)
    }

    /// One try: prefetch, plan, take, settle, persist.
    async fn attempt(
        &mut self,
        draws: Vec<Draw>,
        supply: &Supply,
        on_lock: OnLock,
    ) -> Result<Vec<Answer>, Failure> {
        self.resolve_doubt()
            .await
            .map_err(|_| Failure::Final(CommandError::ShardUnavailable))?;
        self.cover(draws.iter().map(|draw| usize::from(draw.count.get())).sum())
            .await?;
        let plan = self.plan(draws, supply, on_lock).await?;
        let (grant, granted) = self.take(&plan).await?;
        let ids = self.ids.as_mut().expect("covered above");
        let settlement = settle(plan, &granted.units(), |user| ids.next_order(user));
        if settlement.calls.is_empty() {
            self.undo(grant, &granted).await;
            return Ok(settlement.answers);
        }
        self.persist(grant, granted, settlement).await
    }

    /// Takes what the plan wants. An asking that ended at once is repeated once, under a grant of
    /// its own: whatever the first was granted unheard, nobody will ever note.
    async fn take(&mut self, plan: &Plan) -> Result<(GrantId, Granted), Failure> {
        let mut again = true;
        loop {
            let grant = self.ids().next_grant();
            if plan.wants().is_empty() {
                return Ok((grant, Granted::default()));
            }
            let timer = self.around.metrics.step(Step::Take);
            let taken = self.around.stock.take(grant, plan.wants()).await;
            timer.observe_duration();
            let error = match taken {
                Ok(granted) => return Ok((grant, granted)),
                Err(error) => error,
            };
            tracing::debug!(%error, again, "a batch gets no units");
            if !(again && matches!(error, StockUnavailable::EndedAtOnce(_))) {
                self.undo(grant, &Granted::default()).await;
                return Err(error.into());
            }
            again = false;
        }
    }

    /// Makes sure that the lane has ids for a batch.
    async fn cover(&mut self, orders: usize) -> Result<(), Failure> {
        if !self.ids.as_ref().is_some_and(|ids| ids.cover(orders)) {
            let block = self.around.ids.block().await.map_err(|error| match error {
                // That is no row of a user's.
                StoreError::Held(why) => Failure::Conflict(why),
                error => error.into(),
            })?;
            self.ids = Some(LaneIds::new(block));
        }
        Ok(())
    }

    fn ids(&mut self) -> &mut LaneIds {
        self.ids
            .as_mut()
            .expect("a batch is covered before it is planned")
    }

    async fn plan(
        &mut self,
        draws: Vec<Draw>,
        supply: &Supply,
        on_lock: OnLock,
    ) -> Result<Plan, Failure> {
        let batch = Batch::gather(draws);
        let timer = self.around.metrics.step(Step::Prefetch);
        let asked = Instant::now();
        let with_clock = self.clocks.is_due((self.around.clock)());
        let fetched = self.store.prefetch(&batch, on_lock, with_clock).await;
        let now = (self.around.clock)();
        let Fetched {
            known,
            database_time,
        } = match fetched {
            Ok(fetched) => fetched,
            Err(error) => {
                self.store.undo().await;
                return Err(match error {
                    StoreError::Held(why) => Failure::Held(Lock {
                        why,
                        waited: on_lock == OnLock::Wait,
                        may_be_rebuild: false,
                    }),
                    error => error.into(),
                });
            }
        };
        timer.observe_duration();
        if let Err(unfit) = self.judge_clock(database_time, now, asked.elapsed()) {
            self.store.undo().await;
            return Err(unfit);
        }
        let catalogue = self.around.catalogue.load();
        Ok(plan(
            batch,
            known,
            &catalogue,
            supply,
            now,
            &mut self.around.random,
        ))
    }

    /// Whether a batch can be planned by our clock.
    fn judge_clock(
        &mut self,
        database_time: Option<Timestamp>,
        now: Timestamp,
        took: Duration,
    ) -> Result<(), Failure> {
        match database_time {
            Some(time) => self.clocks.compare(time, now, took).map_err(Failure::Final),
            // The next try asks.
            None if self.clocks.was_set(now) => {
                Err(Failure::Conflict("this gateway's clock was set".to_owned()))
            }
            None => Ok(()),
        }
    }

    async fn persist(
        &mut self,
        grant: GrantId,
        granted: Granted,
        settlement: Settlement,
    ) -> Result<Vec<Answer>, Failure> {
        let receipt = Receipt {
            closed: self.around.stock.closed(),
            ..granted.receipt(&settlement.used)
        };
        self.deleting = !receipt.closed.is_empty();
        let orders = settlement.orders().count();
        let order = settlement
            .orders()
            .next()
            .cloned()
            .expect("only batches with orders are persisted");
        let batch = InDoubt {
            grant,
            order,
            issues: !receipt.used.is_empty(),
        };
        let timer = self.around.metrics.step(Step::Persist);
        self.doubt = Some(Doubt {
            batch,
            granted: granted.clone(),
            receipt: receipt.clone(),
            orders,
        });
        let persisted = self.store.persist(grant, &settlement, &receipt).await;
        timer.observe_duration();
        match persisted {
            Ok(()) => {
                self.around
                    .metrics
                    .committed(orders, !receipt.used.is_empty());
                self.around.stock.settle(grant, &granted, &receipt.used);
                self.doubt = None;
                Ok(settlement.answers)
            }
            Err(PersistError::Undone(error)) => {
                self.undo(grant, &granted).await;
                Err(match error {
                    StoreError::Held(why) => {
                        let may_be_rebuild = !receipt.epochs.is_empty();
                        Failure::Held(Lock {
                            why,
                            waited: true,
                            may_be_rebuild,
                        })
                    }
                    error => error.into(),
                })
            }
            Err(PersistError::Unknown(error)) => {
                tracing::warn!(%error, ?grant, "a commit was not confirmed");
                match self.resolve_doubt().await {
                    Ok(Verdict::Committed) => Ok(settlement.answers),
                    Ok(Verdict::Void) => Err(Failure::Conflict("the batch was undone".to_owned())),
                    Err(_) => Err(Failure::Final(CommandError::OutcomeUnknown)),
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
        self.note_unavailable(
            &asked
                .map(|_| Vec::new())
                .map_err(|_| Failure::Final(CommandError::ShardUnavailable)),
        );
    }

    /// Finds out what became of the batch in doubt, if there is one, and closes its grant.
    async fn resolve_doubt(&mut self) -> Result<Verdict, StoreError> {
        let Some(Doubt {
            batch,
            granted,
            receipt,
            orders,
        }) = &self.doubt
        else {
            return Ok(Verdict::Void);
        };
        let verdict = self.store.verdict(batch).await?;
        let grant = batch.grant;
        tracing::warn!(?grant, ?verdict, "a batch in doubt was resolved");
        match verdict {
            Verdict::Committed => {
                self.around
                    .metrics
                    .committed(*orders, !receipt.used.is_empty());
                self.around.stock.settle(grant, granted, &receipt.used);
            }
            Verdict::Void => self.around.stock.give_back(grant, granted),
        }
        self.doubt = None;
        Ok(verdict)
    }
}

impl Failure {
    /// Whether each half of the batch is to be tried by itself, so long after it began.
    fn is_halved(&self, elapsed: Duration) -> bool {
        match self {
            Failure::Data(_) => true,
            Failure::Conflict(_) | Failure::Held(_) => elapsed < HALVING_MAX,
            Failure::StockUnavailable | Failure::Undelivered(_) | Failure::Final(_) => false,
        }
    }
}

/// Waits until then; for ever, where there is no such time.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

fn explain(failure: Failure) -> CommandError {
    match failure {
        Failure::Final(error) => error,
        Failure::Held(_) => CommandError::Held,
        Failure::StockUnavailable | Failure::Undelivered(_) => {
            CommandError::Refused(Refusal::StockUnavailable)
        }
        Failure::Conflict(why) => {
            tracing::warn!(error = why, "gave up a batch that others kept changing");
            CommandError::ShardUnavailable
        }
        Failure::Data(why) => {
            tracing::error!(error = why, "the database refuses a command");
            CommandError::DataRefused
        }
    }
}
