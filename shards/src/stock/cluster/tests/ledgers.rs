//! What a shard must do for its lanes and for jobs: one suite, which runs over MariaDB and over the
//! tables of the simulation.
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use market::batch::{Batch, Rows, Settlement, Units};
use market::calendar::Day;
use market::campaign::Catalogue;
use market::chances::Account;
use market::draw::{Promise, Rule};
use market::{AwardId, DrawCount, MadeCall, Order, OrderId, RequestId, UserId};
use router::{OrderNumbers, Run, Slot, SlotMap};
use tokio::time::sleep;

use super::super::ledger::{GrantOutcome, ShardLedger};
use super::super::{Spread, SqlShardLedger};
use crate::grant::GrantId;
use crate::stock::conformance::{item, sku_item};
use crate::stock::ids::{Epoch, ServerId};
use crate::stock::{Part, Receipt};
use crate::store::{
    InDoubtBatch, MysqlDatabase, PersistError, ShardStore, SqlShard, StoreError, migrate_shard,
};
use crate::testing::shared_database;

/// A new shard of two tables, which the suite tests.
pub(crate) trait ShardFixture {
    type Store: ShardStore;
    type Ledger: ShardLedger;

    async fn open() -> Self;
    /// The store of the lane of a table.
    fn store(&self, table: u16) -> Self::Store;
    /// The shard, for jobs.
    fn ledger(&self) -> Self::Ledger;
}

/// Segments 0 and 2 of each item are on server 1, 1 and 3 on server 2.
pub(crate) const ON_TWO: Spread = Spread {
    segments: 4,
    servers: 2,
};

const TABLES: u16 = 2;

fn map() -> SlotMap {
    SlotMap::even(1, 1, TABLES).expect("a map")
}

/// A lane whose batches have one draw of a new user each.
struct Lane<S> {
    store: S,
    table: u16,
    numbers: OrderNumbers,
    run: u64,
    made: u32,
}

impl<S: ShardStore> Lane<S> {
    fn new<F: ShardFixture<Store = S>>(fixture: &F, table: u16, run: u32) -> Self {
        let numbers = OrderNumbers::new(Run::new(run).expect("a run"));
        Self {
            store: fixture.store(table),
            table,
            numbers,
            run: run.into(),
            made: 0,
        }
    }

    /// A grant of the lane's run.
    fn grant(&self, number: u64) -> GrantId {
        GrantId(self.run << 38 | u64::from(self.table) << 20 | number)
    }

    fn order(&mut self) -> Order {
        let users = (self.made + 1..).map(|number| (number, format!("user{number}of{}", self.run)));
        let of_table = |(_, user): &(u32, String)| map().route(user).table().get() == self.table;
        let (number, user) = users
            .into_iter()
            .find(of_table)
            .expect("some user belongs there");
        self.made = number;
        let id = self
            .numbers
            .next(Slot::of(&user))
            .and_then(OrderId::new)
            .expect("an order id");
        Order {
            id,
            user: UserId::new(&user).expect("a user"),
            request: RequestId::new("key").expect("a key"),
            seq: 0,
            asked: DrawCount::ONE,
            activity: item(1).activity,
            version: 1,
            ordinal: 1,
            day: Day::from_number(20_261_121),
            award: AwardId::new(1).expect("id"),
            award_title: Arc::from("title"),
            award_index: 1,
            rule: Rule::Luck,
            stocked: true,
            promise: Some(Promise::Delivery),
            config: None,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    fn settlement(&mut self, units: u32) -> Settlement {
        let order = self.order();
        let day = order.day;
        let account = Account {
            granted: 5,
            used: 1,
            day,
            day_used: 1,
            month_used: 1,
        };
        let key = (order.user.clone(), order.activity);
        Settlement {
            undecided: Vec::new(),
            answers: Vec::new(),
            used: vec![Units {
                item: item(1),
                count: units,
            }],
            rows: Rows {
                made: vec![MadeCall::of_orders([order])],
                accounts: [(key, None, Some(account))].into_iter().collect(),
                ..Rows::default()
            },
        }
    }

    async fn persist(
        &mut self,
        grant: GrantId,
        settlement: &Settlement,
        receipt: &Receipt,
    ) -> Result<(), PersistError> {
        self.store
            .prefetch(
                &Batch::gather(Vec::new(), &Catalogue::default(), Timestamp::UNIX_EPOCH),
                crate::store::CallKeys::LookUp,
                crate::store::OnLock::Wait,
                true,
            )
            .await?;
        let persisted = self.store.persist(grant, settlement, receipt).await;
        if persisted.is_err() {
            self.store.undo().await;
        }
        persisted
    }

    /// Commits a batch of one order that took these units.
    async fn issue(&mut self, grant: GrantId, receipt: &Receipt) -> Settlement {
        let settlement = self.settlement(1);
        self.persist(grant, &settlement, receipt)
            .await
            .expect("persisted");
        settlement
    }
}

/// The receipt of units of (segment, count), all granted under epoch 0.
fn used(parts: &[(u16, u32)]) -> Receipt {
    let part = |&(segment, count): &(u16, u32)| Part {
        server: ON_TWO.server_of(segment),
        item: item(1),
        segment,
        count,
    };
    let used: Vec<Part> = parts.iter().map(part).collect();
    Receipt {
        epochs: used.iter().map(|part| (part.server, Epoch(0))).collect(),
        used,
        closed: Vec::new(),
    }
}

fn in_doubt(grant: GrantId, settlement: &Settlement, issues: bool) -> InDoubtBatch {
    InDoubtBatch {
        grant,
        call: settlement.rows.made[0].call.clone(),
        issues,
    }
}

fn is_conflict(result: &Result<(), PersistError>) -> bool {
    matches!(result, Err(PersistError::Undone(StoreError::Conflict(_))))
}

async fn issued(ledger: &impl ShardLedger, server: u8) -> Vec<(u16, u64)> {
    let issued = ledger.issued_of(ServerId(server)).await.expect("read");
    issued
        .into_iter()
        .map(|(of, segment, units)| {
            (of == item(1))
                .then_some((segment, units))
                .expect("one prize")
        })
        .collect()
}

/// All receipts of committed batches, page after page.
async fn receipts(ledger: &impl ShardLedger) -> Vec<GrantId> {
    let (mut found, mut after) = (Vec::new(), GrantId(0));
    loop {
        let page = ledger
            .old_receipts(Duration::ZERO, after)
            .await
            .expect("read");
        found.extend(page.receipts.iter().map(|receipt| receipt.grant));
        let Some(next) = page.next else { return found };
        after = next;
    }
}

pub(crate) async fn what_batches_issue_is_counted_by_server_and_segment<F: ShardFixture>() {
    let fixture = F::open().await;
    let (mut one, mut two) = (Lane::new(&fixture, 0, 1), Lane::new(&fixture, 1, 1));
    one.issue(one.grant(1), &used(&[(0, 4), (1, 2)])).await;
    one.issue(one.grant(2), &used(&[(2, 1), (0, 1)])).await;
    two.issue(two.grant(1), &used(&[(0, 10), (3, 7)])).await;
    let ledger = fixture.ledger();
    assert_eq!(issued(&ledger, 1).await, [(0, 15), (2, 1)]);
    assert_eq!(issued(&ledger, 2).await, [(1, 2), (3, 7)]);
    assert_eq!(
        receipts(&ledger).await,
        [one.grant(1), one.grant(2), two.grant(1)]
    );
}

/// An award and a sku with one number, in one batch.
pub(crate) async fn units_of_awards_and_skus_are_counted_apart<F: ShardFixture>() {
    let fixture = F::open().await;
    let mut lane = Lane::new(&fixture, 0, 1);
    let mut receipt = used(&[(0, 4), (1, 2)]);
    let of_sku = |part: &Part| Part {
        item: sku_item(1),
        count: part.count + 1,
        ..*part
    };
    receipt.used.extend(receipt.used.clone().iter().map(of_sku));
    for grant in 1..=2 {
        lane.issue(lane.grant(grant), &receipt).await;
    }
    let ledger = fixture.ledger();
    let expected = [(item(1), 0, 8), (sku_item(1), 0, 10)];
    assert_eq!(ledger.issued_of(ServerId(1)).await, Ok(expected.to_vec()));
    let outcome = ledger.decide(ServerId(1), lane.grant(1)).await;
    let part = |item, count| Part {
        server: ServerId(1),
        item,
        segment: 0,
        count,
    };
    let parts = vec![part(item(1), 4), part(sku_item(1), 5)];
    assert_eq!(outcome, Ok(GrantOutcome::Committed(parts)));
    sleep(Duration::from_millis(20)).await;
    // Two items on two servers.
    let mut folded = 0;
    while folded < 4 {
        folded += ledger.fold(Duration::ZERO).await.expect("folded");
    }
    assert_eq!(folded, 4);
    assert_eq!(ledger.issued_of(ServerId(1)).await, Ok(expected.to_vec()));
}

pub(crate) async fn a_batch_without_units_leaves_no_receipt<F: ShardFixture>() {
    let fixture = F::open().await;
    let mut lane = Lane::new(&fixture, 0, 1);
    let settlement = lane.issue(lane.grant(1), &Receipt::default()).await;
    let ledger = fixture.ledger();
    assert_eq!(ledger.count_old(Duration::ZERO).await, Ok(0));
    assert_eq!(issued(&ledger, 1).await, []);
    let made = in_doubt(lane.grant(1), &settlement, false);
    assert_eq!(
        lane.store.verdict(&made).await,
        Ok(crate::store::CommitVerdict::Committed)
    );
    let lost = in_doubt(lane.grant(2), &lane.settlement(0), false);
    assert_eq!(
        lane.store.verdict(&lost).await,
        Ok(crate::store::CommitVerdict::Void)
    );
}

pub(crate) async fn units_of_another_epoch_are_fenced<F: ShardFixture>() {
    let fixture = F::open().await;
    let mut lane = Lane::new(&fixture, 0, 1);
    let ledger = fixture.ledger();
    assert_eq!(
        ledger.raise_epoch(ServerId(2), Epoch(7)).await,
        Ok(Epoch(7))
    );
    assert_eq!(
        ledger.raise_epoch(ServerId(2), Epoch(6)).await,
        Ok(Epoch(7)),
        "it never falls"
    );
    let settlement = lane.settlement(1);
    let refused = lane
        .persist(lane.grant(1), &settlement, &used(&[(0, 1), (1, 1)]))
        .await;
    assert!(
        matches!(refused, Err(PersistError::Undone(StoreError::Fenced(_)))),
        "{refused:?}"
    );
    assert_eq!(
        (issued(&ledger, 1).await, receipts(&ledger).await),
        (vec![], vec![])
    );
    lane.persist(lane.grant(2), &settlement, &used(&[(0, 1)]))
        .await
        .expect("the other server's is current");
    let mut now = used(&[(1, 1)]);
    now.epochs.insert(ServerId(2), Epoch(7));
    lane.issue(lane.grant(3), &now).await;
    let page = ledger
        .old_receipts(Duration::ZERO, lane.grant(2))
        .await
        .expect("read");
    assert_eq!(page.receipts[0].epochs, [(ServerId(2), Epoch(7))].into());
}

pub(crate) async fn the_outcome_of_a_grant_is_decided_once_for_all_servers<F: ShardFixture>() {
    let fixture = F::open().await;
    let mut lane = Lane::new(&fixture, 0, 1);
    let ledger = fixture.ledger();
    lane.issue(lane.grant(1), &used(&[(0, 4), (1, 2)])).await;
    for _asked_again in 0..2 {
        for (server, segment, count) in [(1, 0, 4), (2, 1, 2)] {
            let part = Part {
                server: ServerId(server),
                item: item(1),
                segment,
                count,
            };
            assert_eq!(
                ledger.decide(ServerId(server), lane.grant(1)).await,
                Ok(GrantOutcome::Committed(vec![part]))
            );
        }
    }
    // Void for one server is void for all.
    let late = lane.settlement(1);
    assert_eq!(
        ledger.decide(ServerId(2), lane.grant(2)).await,
        Ok(GrantOutcome::Void)
    );
    assert_eq!(
        ledger.decide(ServerId(1), lane.grant(2)).await,
        Ok(GrantOutcome::Void)
    );
    assert!(is_conflict(
        &lane.persist(lane.grant(2), &late, &used(&[(0, 1)])).await
    ));
    assert_eq!(issued(&ledger, 1).await, [(0, 4)]);
    assert_eq!(
        receipts(&ledger).await,
        [lane.grant(1)],
        "void receipts are not reclaimed"
    );
}

/// A batch is in doubt for longer than any receipt is kept. What jobs and other lanes do meanwhile
/// does not change its verdict.
pub(crate) async fn a_verdict_goes_by_the_order_however_late<F: ShardFixture>() {
    use crate::store::CommitVerdict::{Committed, Void};
    let fixture = F::open().await;
    let mut lane = Lane::new(&fixture, 0, 1);
    let ledger = fixture.ledger();
    let (first, second) = (lane.grant(1), lane.grant(2));
    let committed = in_doubt(first, &lane.issue(first, &used(&[(0, 3)])).await, true);
    assert_eq!(lane.store.verdict(&committed).await, Ok(Committed));
    assert_eq!(ledger.delete_receipts(&[first]).await, Ok(1));
    assert_eq!(lane.store.verdict(&committed).await, Ok(Committed));
    // Even after a sweeper has found the receipt gone and decided that the grant is void: it closes
    // a grant that is not open any more.
    assert_eq!(
        ledger.decide(ServerId(1), first).await,
        Ok(GrantOutcome::Void)
    );
    assert_eq!(lane.store.verdict(&committed).await, Ok(Committed));
    let late = lane.settlement(1);
    let lost = in_doubt(second, &late, true);
    assert_eq!(lane.store.verdict(&lost).await, Ok(Void));
    assert_eq!(
        lane.store.verdict(&lost).await,
        Ok(Void),
        "the first verdict was lost"
    );
    assert_eq!(
        ledger.decide(ServerId(1), second).await,
        Ok(GrantOutcome::Void)
    );
    assert!(
        is_conflict(&lane.persist(second, &late, &used(&[(0, 1)])).await),
        "it never commits"
    );
    assert_eq!(issued(&ledger, 1).await, [(0, 3)]);
}

pub(crate) async fn receipts_are_found_by_age_and_page_and_deleted_once<F: ShardFixture>() {
    let fixture = F::open().await;
    let mut lane = Lane::new(&fixture, 0, 1);
    let ledger = fixture.ledger();
    for number in 1..=7 {
        lane.issue(lane.grant(number), &used(&[(0, 1)])).await;
    }
    ledger
        .decide(ServerId(1), lane.grant(8))
        .await
        .expect("void");
    let all: Vec<GrantId> = (1..=7).map(|number| lane.grant(number)).collect();
    assert_eq!(receipts(&ledger).await, all);
    assert_eq!(ledger.count_old(Duration::from_mins(1)).await, Ok(0));
    let young = ledger
        .old_receipts(Duration::from_mins(1), GrantId(0))
        .await
        .expect("read");
    assert!(young.receipts.is_empty());
    // A job deletes some, the lane's next batch others; neither deletes void receipts.
    assert_eq!(
        ledger
            .delete_receipts(&[all[0], all[3], lane.grant(8)])
            .await,
        Ok(2)
    );
    let closed = vec![all[3], all[6], all[5], lane.grant(8), lane.grant(99)];
    lane.issue(
        lane.grant(9),
        &Receipt {
            closed,
            ..used(&[(0, 1)])
        },
    )
    .await;
    assert_eq!(
        receipts(&ledger).await,
        [all[1], all[2], all[4], lane.grant(9)]
    );
    assert_eq!(
        ledger.decide(ServerId(1), lane.grant(8)).await,
        Ok(GrantOutcome::Void)
    );
    ledger.forget_void().await.expect("they are young");
    let late = lane.settlement(1);
    assert!(is_conflict(
        &lane.persist(lane.grant(8), &late, &used(&[(0, 1)])).await
    ));
    assert_eq!(
        issued(&ledger, 1).await,
        [(0, 8)],
        "receipts are not counted"
    );
}

pub(crate) async fn folded_counters_keep_their_sums_and_their_lanes<F: ShardFixture>() {
    let fixture = F::open().await;
    let (mut one, mut two, mut other) = (
        Lane::new(&fixture, 0, 1),
        Lane::new(&fixture, 1, 1),
        Lane::new(&fixture, 0, 2),
    );
    let ledger = fixture.ledger();
    one.issue(one.grant(1), &used(&[(0, 4), (1, 2)])).await;
    two.issue(two.grant(1), &used(&[(0, 1)])).await;
    other.issue(other.grant(1), &used(&[(0, 7), (2, 1)])).await;
    assert_eq!(
        ledger.fold(Duration::from_mins(1)).await,
        Ok(0),
        "they are young"
    );
    sleep(Duration::from_millis(20)).await;
    let mut folded = 0;
    while folded < 5 {
        // Two holders of the job at once: one may have to retry.
        let (first, second) =
            tokio::join!(ledger.fold(Duration::ZERO), ledger.fold(Duration::ZERO));
        folded += first.unwrap_or(0) + second.unwrap_or(0);
    }
    assert_eq!(folded, 5);
    assert_eq!(
        (issued(&ledger, 1).await, issued(&ledger, 2).await),
        (vec![(0, 12), (2, 1)], vec![(1, 2)])
    );
    assert_eq!(
        ledger.fold(Duration::ZERO).await,
        Ok(0),
        "the sums themselves stay"
    );
    one.issue(one.grant(2), &used(&[(0, 1)])).await;
    assert_eq!(issued(&ledger, 1).await, [(0, 13), (2, 1)]);
    sleep(Duration::from_millis(20)).await;
    assert_eq!(ledger.fold(Duration::ZERO).await, Ok(1));
    assert_eq!(issued(&ledger, 1).await, [(0, 13), (2, 1)]);
}

/// A MariaDB database.
struct OnMariadb(MysqlDatabase);

impl ShardFixture for OnMariadb {
    type Store = SqlShard<MysqlDatabase>;
    type Ledger = SqlShardLedger;

    async fn open() -> Self {
        let database = shared_database().await;
        migrate_shard(&database, TABLES)
            .await
            .expect("a fresh shard");
        Self(database)
    }

    fn store(&self, table: u16) -> Self::Store {
        SqlShard::new(
            self.0.clone(),
            map(),
            router::ShardId::new(0),
            table..table + 1,
        )
    }

    fn ledger(&self) -> SqlShardLedger {
        SqlShardLedger::new(self.0.clone())
    }
}

/// The suite over one kind of shard.
macro_rules! ledger_suite {
    ($fixture:ty, $test:meta) => {
        $crate::stock::cluster::tests::ledgers::ledger_suite!($fixture, $test:
            what_batches_issue_is_counted_by_server_and_segment,
            units_of_awards_and_skus_are_counted_apart,
            a_batch_without_units_leaves_no_receipt,
            units_of_another_epoch_are_fenced,
            the_outcome_of_a_grant_is_decided_once_for_all_servers,
            a_verdict_goes_by_the_order_however_late,
            receipts_are_found_by_age_and_page_and_deleted_once,
            folded_counters_keep_their_sums_and_their_lanes,
        );
    };
    ($fixture:ty, $test:meta: $($name:ident),* $(,)?) => {
        $(
            #[$test]
            async fn $name() {
                $crate::stock::cluster::tests::ledgers::$name::<$fixture>().await;
            }
        )*
    };
}
pub(crate) use ledger_suite;

mod over_mariadb {
    super::ledger_suite!(super::OnMariadb, tokio::test);
}
