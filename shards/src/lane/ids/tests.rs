use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use proptest::prelude::*;
use router::run_of;
use tokio::task::yield_now;

use super::*;

/// Run numbers as the meta database gives them out.
#[derive(Debug, Default)]
struct Meta {
    claimed: AtomicU32,
    unavailable: AtomicBool,
}

impl Runs for Meta {
    fn claim(&self) -> Pin<Box<dyn Future<Output = Result<Option<Run>, StoreError>> + Send + '_>> {
        Box::pin(async {
            yield_now().await;
            if self.unavailable.load(Ordering::Relaxed) {
                return Err(StoreError::Unavailable("planted".to_owned()));
            }
            Ok(Run::new(self.claimed.fetch_add(1, Ordering::Relaxed) + 1))
        })
    }
}

fn ids(meta: &Arc<Meta>, cut: Cut) -> Arc<Ids> {
    Ids::new(
        meta.clone(),
        cut,
        IntGauge::new("left", "left").expect("a name"),
        Arc::default(),
    )
}

/// A lane that asks for ids as lanes do.
#[derive(Default)]
struct Lane(Option<LaneIds>);

impl Lane {
    async fn cover(&mut self, ids: &Arc<Ids>, orders: usize) -> Result<&mut LaneIds, StoreError> {
        if !self.0.as_ref().is_some_and(|lane| lane.cover(orders)) {
            self.0 = Some(LaneIds::new(ids.block().await?));
        }
        Ok(self.0.as_mut().expect("just set"))
    }
}

fn user(name: usize) -> UserId {
    UserId::new(&format!("u{name}")).expect("a user")
}

#[test]
fn grants_of_different_blocks_and_runs_never_meet() {
    let block = |run, number| Block::of(Run::new(run).expect("run"), number, Cut::WHOLE).grants;
    assert_eq!(block(1, 0).end, block(1, 1).start);
    assert_eq!(block(1, Cut::WHOLE.blocks - 1).end, block(2, 0).start);
    assert_eq!(run_of_grant(GrantId(block(7, 4_095).end - 1)), 7);
    assert_eq!(block(Run::MAX, Cut::WHOLE.blocks - 1).end, 1 << 63);
}

#[test]
fn a_block_that_is_nearly_used_up_does_not_cover_a_batch() {
    let cut = Cut {
        orders: 3,
        grants: 2,
        ..Cut::WHOLE
    };
    let mut ids = LaneIds::new(Block::of(Run::new(1).expect("run"), 0, cut));
    assert!(ids.cover(3) && !ids.cover(4));
    ids.next_grant();
    assert!(!ids.cover(1), "a batch may ask for units twice");
}

#[tokio::test]
async fn lanes_that_start_together_claim_one_run() {
    let meta = Arc::new(Meta::default());
    let ids = ids(&meta, Cut::WHOLE);
    let blocks = futures_util::future::join_all((0..64).map(|_| ids.block())).await;
    let starts: BTreeSet<u32> = blocks
        .into_iter()
        .map(|block| block.expect("a block").orders.start)
        .collect();
    assert_eq!(starts.len(), 64);
    assert_eq!(meta.claimed.load(Ordering::Relaxed), 1);
    assert_eq!(ids.left.get(), i64::from(Run::MAX) - 1);
}

#[tokio::test]
async fn the_next_run_is_claimed_before_it_is_needed() {
    let meta = Arc::new(Meta::default());
    let ids = ids(
        &meta,
        Cut {
            blocks: 8,
            ..Cut::WHOLE
        },
    );
    for _ in 0..7 {
        ids.block().await.expect("a block");
        yield_now().await;
        yield_now().await;
    }
    assert_eq!(
        meta.claimed.load(Ordering::Relaxed),
        2,
        "one block is left and the next run is there"
    );
    meta.unavailable.store(true, Ordering::Relaxed);
    for _ in 0..9 {
        ids.block()
            .await
            .expect("the meta database is unavailable and no lane notices");
        yield_now().await;
    }
    assert!(ids.block().await.is_err(), "both runs are used up");
    meta.unavailable.store(false, Ordering::Relaxed);
    ids.block().await.expect("it is back");
    assert_eq!(ids.readiness.obstacles(), [""; 0]);
}

#[tokio::test]
async fn run_numbers_that_are_used_up_are_asked_for_once_and_said() {
    let meta = Arc::new(Meta::default());
    meta.claimed.store(Run::MAX - 1, Ordering::Relaxed);
    let ids = ids(
        &meta,
        Cut {
            blocks: 1,
            ..Cut::WHOLE
        },
    );
    ids.block().await.expect("the last run");
    assert_eq!(ids.readiness.obstacles(), [""; 0]);
    for _ in 0..3 {
        ids.block().await.expect_err("there is no other");
    }
    assert_eq!(ids.left.get(), 0);
    assert_eq!(meta.claimed.load(Ordering::Relaxed), Run::MAX + 1);
    let obstacles = ids.readiness.obstacles();
    assert!(
        obstacles.len() == 1 && obstacles[0].contains("run numbers are used up"),
        "{obstacles:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Two processes, three lanes each, batches of any size in any order.
    #[test]
    fn no_id_is_given_out_twice_and_those_of_a_lane_ascend(
        batches in prop::collection::vec((0_usize..2, 0_usize..3, 1_usize..20), 1..150),
        blocks in 1_u32..6,
        orders in 20_u32..40,
        grants in 2_u64..9,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let meta = Arc::new(Meta::default());
            let processes = [(); 2].map(|()| ids(&meta, Cut { blocks, orders, grants }));
            let mut lanes: [[Lane; 3]; 2] = Default::default();
            let (mut order_ids, mut grant_ids) = (BTreeSet::new(), BTreeSet::new());
            let mut last = [[0; 3]; 2];
            for (batch, (process, lane, size)) in batches.into_iter().enumerate() {
                let ids = lanes[process][lane].cover(&processes[process], size).await.expect("the meta database answers");
                assert!(grant_ids.insert(ids.next_grant()));
                for _ in 0..size {
                    let order = ids.next_order(&user(batch)).get();
                    assert!(order > last[process][lane], "the rows of a lane are appended");
                    last[process][lane] = order;
                    assert!(order_ids.insert(order) && run_of(order).is_some());
                }
            }
        });
    }
}
