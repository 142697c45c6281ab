//! One try of one batch, as one transaction: gather, prefetch, plan, take, settle, persist.
//! `market` has the rules. Here is the order of the steps, and what is undone when one fails.
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use market::batch::{
    Batch, Circumstances, CommandAnswer, Known, Plan, Settlement, Supply, plan, settle,
};
use market::campaign::Catalogue;
use market::random::Randomness;
use market::{Call, Command, Made, OrderId, RowCount, UserId};
use router::nth_after;
use tokio::time::Instant;

use super::callers::Callers;
use super::clock::{Watch, was_set_since};
use super::failure::Failure;
use super::ids::{Ids, LaneIds};
use super::lookups::Lookups;
use super::queue::Taken;
use crate::error::CommandError;
use crate::grant::GrantId;
use crate::metrics::{BatchStep, LaneMetrics};
use crate::stock::{Granted, Receipt, Stock, StockUnavailable};
use crate::store::{
    CallKeys, CommitVerdict, InDoubtBatch, OnLock, PersistError, ShardStore, StoreError,
};

/// A step that met a lock after this time has waited for it.
pub(super) const LOCK_WAIT_AT_LEAST: Duration = Duration::from_millis(500);

/// What a lane needs besides its shard.
pub(crate) struct Surroundings<K, R> {
    /// The current campaigns.
    pub(crate) catalogue: Arc<ArcSwap<Catalogue>>,
    /// Where units come from.
    pub(crate) stock: K,
    /// Where the random numbers of commands come from.
    pub(crate) random: R,
    /// The clock.
    pub(crate) clock: fn() -> Timestamp,
    /// Where order ids and grant ids come from.
    pub(crate) ids: Arc<Ids>,
    /// The commands under way in all lanes of the process.
    pub(crate) callers: Arc<Callers>,
    pub(crate) metrics: LaneMetrics,
}

/// Executes batches, one after the other.
pub(super) struct Executor<S, K, R> {
    store: S,
    around: Surroundings<K, R>,
    ids: Option<LaneIds>,
    /// A batch that may or may not have committed. Its outcome is found out before the next batch.
    in_doubt: Option<Unconfirmed>,
    clocks: Watch,
    lookups: Lookups,
    /// Whether the last try was to delete receipts too: a job may have locked one of them.
    deleting: bool,
}

/// A batch whose commit was sent: the units that it was granted, and those that its orders took if
/// it has committed.
struct Unconfirmed {
    batch: InDoubtBatch,
    granted: Granted,
    receipt: Receipt,
    orders: usize,
}

/// What the commands of a batch are answered.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// One per command, in the batch's order.
    pub(super) answers: Vec<CommandAnswer>,
    /// The indexes of commands that are to be tried again, ascending: their answers do not count.
    pub(super) undecided: Vec<usize>,
}

impl From<Settlement> for Answers {
    fn from(settlement: Settlement) -> Self {
        let Settlement {
            answers, undecided, ..
        } = settlement;
        Self { answers, undecided }
    }
}

impl<S: ShardStore, K: Stock, R: Randomness + Send + 'static> Executor<S, K, R> {
    pub(super) fn new(store: S, around: Surroundings<K, R>) -> Self {
        let clocks = Watch::new(around.metrics.clock_skew_seconds.clone());
        Self {
            store,
            around,
            ids: None,
            in_doubt: None,
            clocks,
            lookups: Lookups::default(),
            deleting: false,
        }
    }

    /// One try of these commands. Their random numbers stay with them, for another try.
    pub(super) async fn attempt(
        &mut self,
        commands: &mut [Taken],
        supply: &Supply,
        on_lock: OnLock,
    ) -> Result<Answers, Failure> {
        let attempted = self.try_batch(commands, supply, on_lock).await;
        // What fails to be written may still be read.
        if attempted.is_err() {
            self.lookups.met(Instant::now());
        }
        attempted
    }

    async fn try_batch(
        &mut self,
        commands: &mut [Taken],
        supply: &Supply,
        on_lock: OnLock,
    ) -> Result<Answers, Failure> {
        self.resolve_in_doubt()
            .await
            .map_err(|_| Failure::Final(CommandError::ShardUnavailable))?;
        let catalogue = self.around.catalogue.load_full();
        let gathered_at = (self.around.clock)();
        let batch = gather(commands, &catalogue, gathered_at);
        let rows = batch.makes().map(|rows| usize::from(rows.most()));
        self.cover(rows.sum()).await?;
        let (keys, claims) = self.claim(&batch);
        let (known, read_at) = self.prefetch(&batch, keys, on_lock).await?;
        let now = match claims.made_at {
            None => read_at,
            Some((planned_at, since)) if !was_set_since(planned_at, since, read_at) => planned_at,
            Some(_) => {
                self.store.undo().await;
                let why = "this gateway's clock was set".to_owned();
                return Err(Failure::Conflict(why));
            }
        };
        let published = self.around.catalogue.load_full();
        if !Arc::ptr_eq(&published, &catalogue)
            && !gather(commands, &published, gathered_at).needs_the_same_as(&batch)
        {
            self.store.undo().await;
            let why = "other campaigns were published".to_owned();
            return Err(Failure::Conflict(why));
        }
        let plan = self.plan(batch, known, commands, (&published, supply, now));
        let (grant, granted) = self.take(&plan).await?;
        let settlement = self.settle(plan, &granted, &claims);
        for (command, makes) in commands.iter().zip(settlement.made_now()) {
            command.makes(makes);
        }
        if settlement.rows.is_empty() {
            self.undo(grant, &granted).await;
            return Ok(settlement.into());
        }
        self.persist(grant, granted, settlement).await
    }

    /// Makes sure that the lane has ids for a batch that makes this number of rows.
    pub(super) async fn cover(&mut self, rows: usize) -> Result<(), Failure> {
        if !self.ids.as_ref().is_some_and(|ids| ids.cover(rows)) {
            let block = self.around.ids.block().await.map_err(|error| match error {
                // A lock in the meta database is not on a user's row.
                StoreError::Held(why) => Failure::Conflict(why),
                error => error.into(),
            })?;
            let ids = LaneIds::new(block);
            let covers = ids.cover(rows);
            self.ids = Some(ids);
            if !covers {
                // Halved until it fits: one command makes far fewer rows.
                let why = format!("a batch makes {rows} rows, more than a block of ids covers");
                return Err(Failure::Data(why));
            }
        }
        Ok(())
    }

    fn ids(&mut self) -> &mut LaneIds {
        self.ids
            .as_mut()
            .expect("a batch is covered before it is planned")
    }

    /// Claims the calls that the commands of a batch make, if they make all that they ask for. Claims
    /// none where the batch is to look for earlier ones, or has one key twice.
    fn claim(&mut self, batch: &Batch) -> (CallKeys, Claims) {
        let has_key_twice = batch.needs().calls.len() < batch.commands().len();
        if has_key_twice || self.lookups.are_due(Instant::now()) {
            return (CallKeys::LookUp, Claims::default());
        }
        let (planned_at, since) = ((self.around.clock)(), Instant::now());
        let ids = self.ids();
        let call = |(command, rows): (&Command, RowCount)| {
            let first = ids.next_order(&command.user);
            for _ in 1..rows.most() {
                ids.next_order(&command.user);
            }
            Call::new(command, first, rows.usual(), planned_at)
        };
        let calls = batch.commands().iter().zip(batch.makes()).map(call);
        let calls: Vec<Call> = calls.collect();
        let claims = Claims {
            first_ids: calls.iter().map(|call| call.first_id).collect(),
            made_at: Some((planned_at, since)),
        };
        (CallKeys::Claim(calls), claims)
    }

    /// Reads what the batch needs. Returns the time when that was done, too.
    async fn prefetch(
        &mut self,
        batch: &Batch,
        keys: CallKeys,
        on_lock: OnLock,
    ) -> Result<(Known, Timestamp), Failure> {
        let timer = self.around.metrics.step(BatchStep::Prefetch);
        let asked = Instant::now();
        let with_clock = self.clocks.is_due((self.around.clock)());
        let fetched = self.store.prefetch(batch, keys, on_lock, with_clock).await;
        let now = (self.around.clock)();
        let fetched = match fetched {
            Ok(fetched) => fetched,
            Err(error) => {
                self.store.undo().await;
                return Err(Failure::of_store(error, on_lock == OnLock::Wait, false));
            }
        };
        timer.observe_duration();
        if fetched.known.calls.iter().any(Option::is_some) {
            self.lookups.met(Instant::now());
        }
        if let Err(unfit) = self.judge_clock(fetched.database_time, now, asked.elapsed()) {
            self.store.undo().await;
            return Err(unfit);
        }
        Ok((fetched.known, now))
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
            // The next try asks the shard for its time.
            None if self.clocks.was_set(now) => {
                Err(Failure::Conflict("this gateway's clock was set".to_owned()))
            }
            None => Ok(()),
        }
    }

    fn plan(
        &mut self,
        batch: Batch,
        known: Known,
        commands: &mut [Taken],
        (catalogue, supply, now): (&Catalogue, &Supply, Timestamp),
    ) -> Plan {
        let around = Circumstances {
            catalogue,
            supply,
            now,
        };
        let count = commands.len();
        let numbers = commands.iter_mut().map(|command| &mut command.numbers);
        let plan = plan(batch, known, &around, numbers, &mut self.around.random);
        self.lookups.refused(plan.refused(), count, Instant::now());
        plan
    }

    /// Takes what the plan wants. A request that ended at once is repeated once, under a grant of
    /// its own. If the first was granted units without an answer, no batch commits them, and a job
    /// gives them back.
    async fn take(&mut self, plan: &Plan) -> Result<(GrantId, Granted), Failure> {
        let mut again = true;
        loop {
            let grant = self.ids().next_grant();
            if plan.wants().is_empty() {
                return Ok((grant, Granted::default()));
            }
            let timer = self.around.metrics.step(BatchStep::Take);
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

    fn settle(&mut self, plan: Plan, granted: &Granted, claims: &Claims) -> Settlement {
        let ids = self.ids();
        let mut claimed = claims.ids();
        let mint = |index, user: &UserId| match claims.made_at {
            Some(_) => claimed(index).expect("each command has claimed its ids"),
            None => ids.next_order(user),
        };
        let settlement = settle(plan, &granted.units(), mint);
        debug_assert!(
            (settlement.rows.made.iter()).all(|made| follow(&made.made)),
            "stores find what a call made by its first id"
        );
        settlement
    }

    async fn persist(
        &mut self,
        grant: GrantId,
        granted: Granted,
        settlement: Settlement,
    ) -> Result<Answers, Failure> {
        let receipt = Receipt {
            closed: self.around.stock.closed(),
            ..granted.receipt(&settlement.used)
        };
        self.deleting = !receipt.closed.is_empty();
        let timer = self.around.metrics.step(BatchStep::Persist);
        let began = Instant::now();
        self.in_doubt = Some(Unconfirmed::new(grant, &granted, &receipt, &settlement));
        let persisted = self.store.persist(grant, &settlement, &receipt).await;
        timer.observe_duration();
        match persisted {
            Ok(()) => {
                self.close(CommitVerdict::Committed);
                Ok(settlement.into())
            }
            Err(PersistError::Undone(error)) => {
                // A call that another process is writing is not waited for.
                let waited = began.elapsed() >= LOCK_WAIT_AT_LEAST;
                self.undo(grant, &granted).await;
                let may_be_rebuild = waited && !receipt.epochs.is_empty();
                Err(Failure::of_store(error, waited, may_be_rebuild))
            }
            Err(PersistError::Unknown(error)) => {
                tracing::warn!(%error, ?grant, "a commit was not confirmed");
                match self.resolve_in_doubt().await {
                    Ok(CommitVerdict::Committed) => Ok(settlement.into()),
                    Ok(CommitVerdict::Void) => {
                        Err(Failure::Conflict("the batch was undone".to_owned()))
                    }
                    Err(_) => Err(Failure::Final(CommandError::OutcomeUnknown)),
                }
            }
        }
    }

    /// Undoes a batch whose commit was not sent.
    async fn undo(&mut self, grant: GrantId, granted: &Granted) {
        self.store.undo().await;
        self.around.stock.give_back(grant, granted);
        self.in_doubt = None;
    }

    /// Undoes the transaction that a panic has left.
    pub(super) async fn undo_after_panic(&mut self) {
        self.store.undo().await;
    }

    /// Whether a batch is in doubt.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.in_doubt.is_some()
    }

    /// Finds out what became of the batch in doubt, if there is one, and closes its grant.
    pub(super) async fn resolve_in_doubt(&mut self) -> Result<CommitVerdict, StoreError> {
        let Some(Unconfirmed { batch, .. }) = &self.in_doubt else {
            return Ok(CommitVerdict::Void);
        };
        let verdict = self.store.verdict(batch).await?;
        let grant = batch.grant;
        tracing::warn!(?grant, ?verdict, "a batch in doubt was resolved");
        self.close(verdict);
        Ok(verdict)
    }

    /// Closes the grant of a batch whose outcome is known.
    fn close(&mut self, verdict: CommitVerdict) {
        let Some(unconfirmed) = self.in_doubt.take() else {
            return;
        };
        let Unconfirmed {
            batch,
            granted,
            receipt,
            orders,
        } = unconfirmed;
        match verdict {
            CommitVerdict::Committed => {
                self.around
                    .metrics
                    .committed(orders, !receipt.used.is_empty());
                self.around
                    .stock
                    .settle(batch.grant, &granted, &receipt.used);
            }
            CommitVerdict::Void => self.around.stock.give_back(batch.grant, &granted),
        }
    }

    /// For each command whether another process has locked a row of its user.
    pub(super) async fn held(&mut self, commands: &[Taken]) -> Result<Vec<bool>, StoreError> {
        let catalogue = self.around.catalogue.load_full();
        let batch = gather(commands, &catalogue, (self.around.clock)());
        self.store.held(&batch).await
    }

    /// Whether the last try was to delete receipts. Resets that.
    pub(super) fn was_deleting(&mut self) -> bool {
        std::mem::take(&mut self.deleting)
    }
}

impl Unconfirmed {
    fn new(grant: GrantId, granted: &Granted, receipt: &Receipt, settlement: &Settlement) -> Self {
        let call = settlement.rows.calls().next().cloned();
        Self {
            batch: InDoubtBatch {
                grant,
                call: call.expect("only batches that make something are persisted"),
                issues: !receipt.used.is_empty(),
            },
            granted: granted.clone(),
            receipt: receipt.clone(),
            orders: settlement.rows.orders().count(),
        }
    }
}

/// What is known of the calls that a batch claims, one for each of its commands.
#[derive(Debug, Default)]
struct Claims {
    /// The ids of the first rows that they make.
    first_ids: Vec<OrderId>,
    /// When they were made, by both measures. The batch is planned under this time, so that calls
    /// and orders have it.
    made_at: Option<(Timestamp, Instant)>,
}

impl Claims {
    /// The ids of the rows that the command at an index makes, one after the other. None where
    /// nothing is claimed.
    fn ids(&self) -> impl FnMut(usize) -> Option<OrderId> {
        let (mut of, mut nth) = (usize::MAX, 0);
        move |index| {
            nth = if of == index { nth + 1 } else { 0 };
            of = index;
            let first = self.first_ids.get(index)?;
            OrderId::new(nth_after(first.get(), nth)?)
        }
    }
}

/// Whether the ids of what a call made follow from the first.
fn follow(made: &Made) -> bool {
    let first = made.first_id().get();
    let follows = |(id, nth): (OrderId, u16)| nth_after(first, nth) == Some(id.get());
    made.ids().zip(0..).all(follows)
}

/// What the commands need, of what is published and open at a moment.
fn gather(commands: &[Taken], catalogue: &Catalogue, now: Timestamp) -> Batch {
    let commands = commands.iter().map(|taken| taken.command.clone());
    Batch::gather(commands.collect(), catalogue, now)
}
