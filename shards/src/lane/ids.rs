//! Order ids and grant ids. A process claims one run at a time, and its lanes take blocks of the
//! run's counters, so that neither starts nor lanes use up run numbers.
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use market::{OrderId, UserId};
use prometheus::IntGauge;
use router::{OrderNumbers, Run, Slot};

use crate::grant::GrantId;
use crate::readiness::Readiness;
use crate::store::StoreError;

/// Grants of one run. There are more of them than there can be orders, because a batch without
/// orders needs a grant too.
const GRANT_BITS: u32 = 38;

/// A block has 65,536 orders and 67 million grants; a run has 4,096 blocks.
const BLOCK_BITS: u32 = 12;
const BLOCK_ORDER_BITS: u32 = 28 - BLOCK_BITS;
const BLOCK_GRANT_BITS: u32 = GRANT_BITS - BLOCK_BITS;

/// The name under which `/readyz` reports on run numbers.
const OBSTACLE: &str = "run numbers";

/// The number of the run that a grant belongs to.
pub(crate) const fn run_of_grant(grant: GrantId) -> u64 {
    grant.0 >> GRANT_BITS
}

/// Gives out run numbers, each once.
pub(crate) trait Runs: Send + Sync {
    /// Claims the next run number; `None` when all are used up.
    fn claim(&self) -> Pin<Box<dyn Future<Output = Result<Option<Run>, StoreError>> + Send + '_>>;
}

/// How a run is cut into blocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    /// Blocks of a run.
    pub(crate) blocks: u32,
    /// Orders in a block; the largest batch must fit.
    pub(crate) orders: u32,
    /// Grants in a block.
    pub(crate) grants: u64,
}

impl Cut {
    pub(crate) const WHOLE: Self = Self {
        blocks: 1 << BLOCK_BITS,
        orders: 1 << BLOCK_ORDER_BITS,
        grants: 1 << BLOCK_GRANT_BITS,
    };
}

/// The ids of one process: the run that its lanes take blocks of, and the one that comes after it.
pub(crate) struct Ids {
    runs: Arc<dyn Runs>,
    cut: Cut,
    state: Mutex<State>,
    /// Held while a run is claimed, so that lanes which need one together claim one.
    claiming: tokio::sync::Mutex<()>,
    left: IntGauge,
    readiness: Arc<Readiness>,
}

#[derive(Debug, Default)]
struct State {
    /// The run in use, and the number of its next block.
    current: Option<(Run, u32)>,
    /// Claimed before it is needed, so that lanes draw on while the meta database is unavailable.
    spare: Option<Run>,
    /// There are no more runs. No more are claimed.
    used_up: bool,
}

impl Ids {
    pub(crate) fn new(
        runs: Arc<dyn Runs>,
        cut: Cut,
        left: IntGauge,
        readiness: Arc<Readiness>,
    ) -> Arc<Self> {
        left.set(Run::MAX.into());
        let (state, claiming) = (Mutex::default(), tokio::sync::Mutex::default());
        Arc::new(Self {
            runs,
            cut,
            state,
            claiming,
            left,
            readiness,
        })
    }

    /// A block that no lane has had or will have.
    pub(super) async fn block(self: &Arc<Self>) -> Result<Block, StoreError> {
        if let Some(block) = self.cut_off() {
            self.claim_ahead();
            return Ok(block);
        }
        let _turn = self.claiming.lock().await;
        if let Some(block) = self.cut_off() {
            return Ok(block);
        }
        self.claim().await?;
        self.cut_off().ok_or_else(|| {
            self.readiness.hinder(
                OBSTACLE,
                "all run numbers are used up: no order can be given an id",
            );
            StoreError::Unavailable("all run numbers are used up".to_owned())
        })
    }

    /// The next block of what was claimed.
    fn cut_off(&self) -> Option<Block> {
        let mut state = self.state();
        let (run, number) = match state.current {
            Some((run, next)) if next < self.cut.blocks => (run, next),
            _ => (state.spare.take()?, 0),
        };
        state.current = Some((run, number + 1));
        drop(state);
        Some(Block::of(run, number, self.cut))
    }

    /// Claims the next run in the background once most of this one is used. A claim that fails is
    /// repeated with the next block, so there are a thousand tries before it matters.
    fn claim_ahead(self: &Arc<Self>) {
        let state = self.state();
        let plenty = state
            .current
            .is_some_and(|(_, next)| next < self.cut.blocks / 4 * 3);
        if plenty || state.spare.is_some() || state.used_up {
            return;
        }
        let ids = self.clone();
        tokio::spawn(async move {
            let Ok(_turn) = ids.claiming.try_lock() else {
                return;
            };
            if let Err(error) = ids.claim().await {
                tracing::debug!(%error, "the next run number is not claimed yet");
            }
        });
    }

    /// Claims a run to be used after the current one. Only the holder of `claiming` may call it.
    async fn claim(&self) -> Result<(), StoreError> {
        let needed = |state: &State| state.spare.is_none() && !state.used_up;
        if !needed(&self.state()) {
            return Ok(());
        }
        let run = self.runs.claim().await?;
        self.left
            .set(run.map_or(0, |run| (Run::MAX - run.get()).into()));
        let mut state = self.state();
        state.spare = run;
        state.used_up = run.is_none();
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No change in here can panic half-way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part of a run's counters, which one lane alone uses.
///
/// Neither `Clone` nor `Copy`: a copy would name the same orders a second time.
#[derive(Debug)]
pub(super) struct Block {
    run: Run,
    orders: Range<u32>,
    grants: Range<u64>,
}

impl Block {
    fn of(run: Run, number: u32, cut: Cut) -> Self {
        let order = number << BLOCK_ORDER_BITS;
        let grant = u64::from(run.get()) << GRANT_BITS | u64::from(number) << BLOCK_GRANT_BITS;
        Self {
            run,
            orders: order..order + cut.orders,
            grants: grant..grant + cut.grants,
        }
    }
}

/// The ids of one lane: a block, and another when a batch does not fit any more.
#[derive(Debug)]
pub(super) struct LaneIds {
    orders: OrderNumbers,
    grants: Range<u64>,
}

impl LaneIds {
    pub(super) fn new(block: Block) -> Self {
        let Block {
            run,
            orders,
            grants,
        } = block;
        Self {
            orders: OrderNumbers::within(run, orders),
            grants,
        }
    }

    /// Whether the block can name `orders` more orders and two more grants: a batch may ask twice.
    pub(super) fn cover(&self, orders: usize) -> bool {
        self.orders.remaining() as usize >= orders && self.grants.end - self.grants.start >= 2
    }

    /// A grant id that was never used and never will be again. The block must cover it.
    pub(super) fn next_grant(&mut self) -> GrantId {
        GrantId(
            self.grants
                .next()
                .expect("the lane checked that its block covers the batch"),
        )
    }

    /// An order id that carries the user's slot. The block must cover it.
    pub(super) fn next_order(&mut self, user: &UserId) -> OrderId {
        let number = self.orders.next(Slot::of(user.as_str()));
        number
            .and_then(OrderId::new)
            .expect("the lane checked that its block covers the batch")
    }
}

#[cfg(test)]
mod tests;
