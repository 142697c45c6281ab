//! Receipts, counters and epochs. What the ledgers above them must do is in `stock/cluster/tests`.
use std::time::Duration;

use market::batch::StockItem;
use market::{ActivityId, AwardId};
use tokio::time::{Instant, sleep, timeout};

use super::{bench, connect, is_conflict, number, shard};
use crate::grant::GrantId;
use crate::stock::cluster::{ShardLedger, SqlShardLedger};
use crate::stock::{Epoch, Part, Receipt, ServerId};
use crate::store::conformance::{Bench, gather, in_doubt, receipt, table_of};
use crate::store::tables::epochs::EPOCHS;
use crate::store::tables::issued::{COUNTERS, IssuedStatements};
use crate::store::tables::receipts::{RECEIPTS, receipt_row};
use crate::store::{
    Columns, CommitVerdict, Connection, GrantNote, Input, MYSQL, MysqlConnection, MysqlDatabase,
    PersistError, ShardStore, SqlStep, StoreError,
};

/// Run 1, which is in the higher bits of a grant.
const RUN: u64 = 1 << 38;

/// The units that a batch took from servers 1 and 2, both at epoch 0.
fn taken(closed: &[u64]) -> Receipt {
    let part = |server, award, segment, count| Part {
        server: ServerId(server),
        item: item(award),
        segment,
        count,
    };
    let used = vec![part(1, 101, 0, 4), part(1, 103, 2, 1), part(2, 101, 1, 2)];
    let epochs = [(ServerId(1), Epoch(0)), (ServerId(2), Epoch(0))].into();
    Receipt {
        used,
        epochs,
        closed: closed.iter().map(|grant| GrantId(RUN + grant)).collect(),
    }
}

async fn note(connection: &mut MysqlConnection, grant: u64, lane: u16) -> Result<(), StoreError> {
    note_all(connection, grant, lane, &taken(&[])).await
}

async fn note_all(
    connection: &mut MysqlConnection,
    grant: u64,
    lane: u16,
    receipt: &Receipt,
) -> Result<(), StoreError> {
    let note = GrantNote::new(GrantId(RUN + grant), lane, receipt);
    let steps = note.steps(&MYSQL);
    let outcomes = connection.run_all(&steps).await?;
    note.check(&steps, &outcomes)
}

async fn void(connection: &mut MysqlConnection, grant: u64) -> Result<(), StoreError> {
    let row = Input::Rows(receipt_row(GrantId(RUN + grant), true, "[]"));
    connection
        .run_all(&[SqlStep::read(RECEIPTS.insert, row)])
        .await
        .map(drop)
}

fn item(award: u64) -> StockItem {
    let activity = ActivityId::new(1).expect("an id");
    StockItem::award(activity, AwardId::new(award).expect("an id"))
}

/// The first columns of a result, which are integers.
async fn integers<const N: usize>(
    connection: &mut MysqlConnection,
    sql: &str,
    json: &str,
) -> Vec<[i64; N]> {
    let rows = connection.rows(sql, json).await.expect(sql);
    rows.iter()
        .map(|row| std::array::from_fn(|index| row.integer(index).expect("an integer")))
        .collect()
}

async fn count_receipts(database: &MysqlDatabase) -> i64 {
    number(database, "SELECT COUNT(*) FROM stock_receipt").await
}

#[tokio::test]
async fn units_of_a_past_epoch_are_fenced() {
    let mut bench = bench().await;
    let settlement = bench.settlement(&[("a", "1")]);
    let mut other = connect(&bench.database).await;
    assert_eq!(other.execute(EPOCHS.raise, "[[1,1]]").await, Ok(1));
    let refused = bench.persist(1, &settlement).await;
    assert!(
        matches!(refused, Err(PersistError::Undone(StoreError::Fenced(_)))),
        "{refused:?}"
    );
    bench.store.undo().await;
    assert_eq!(count_receipts(&bench.database).await, 0);
    assert_eq!(bench.issued().await, 0);
}

#[tokio::test]
async fn a_batch_without_units_notes_nothing() {
    let mut bench = bench().await;
    let mut settlement = bench.settlement(&[("a", "1")]);
    settlement.used.clear();
    bench.prefetch(&gather(&[])).await.expect("read");
    bench
        .store
        .persist(GrantId(RUN), &settlement, &Receipt::default())
        .await
        .expect("persisted");
    assert_eq!(count_receipts(&bench.database).await, 0);
    assert_eq!(
        number(&bench.database, "SELECT COUNT(*) FROM stock_issued").await,
        0
    );
    let none = Receipt::default();
    assert!(
        GrantNote::new(GrantId(RUN), 0, &none)
            .steps(&MYSQL)
            .is_empty()
    );
}

#[tokio::test]
async fn a_batch_deletes_the_receipts_of_closed_grants_and_no_void_ones() {
    let database = shard().await;
    let mut connection = connect(&database).await;
    for grant in [1, 2, 3] {
        note(&mut connection, grant, 0).await.expect("noted");
    }
    void(&mut connection, 4).await.expect("void");
    note_all(&mut connection, 5, 0, &taken(&[2, 1, 4, 9]))
        .await
        .expect("with any of them present");
    let left = integers::<1>(
        &mut connection,
        "SELECT CAST(grant_id AS SIGNED) FROM stock_receipt ORDER BY grant_id",
        "[]",
    )
    .await;
    assert_eq!(left, [3, 4, 5].map(|grant| [RUN.cast_signed() + grant]));
    // Without units of its own too.
    let only = Receipt {
        closed: vec![GrantId(RUN + 3)],
        ..Receipt::default()
    };
    note_all(&mut connection, 6, 0, &only).await.expect("noted");
    assert_eq!(count_receipts(&database).await, 2);
    let issued = integers(&mut connection, IssuedStatements::of(&MYSQL).read, "[]").await;
    assert_eq!(
        issued,
        [[1, 0, 101, 24], [1, 0, 103, 4]],
        "counters do not go by receipts"
    );
}

#[tokio::test]
async fn raising_an_epoch_waits_for_the_batches_that_hold_it() {
    let database = shard().await;
    let (mut batch, mut rebuilder) = (connect(&database).await, connect(&database).await);
    batch.begin().await.expect("a transaction");
    assert_eq!(note(&mut batch, 1, 0).await, Ok(()));
    assert_eq!(
        rebuilder.execute(EPOCHS.raise, "[[3,1]]").await,
        Ok(1),
        "that one is not held"
    );
    let raised = async {
        let raised = rebuilder.execute(EPOCHS.raise, "[[1,1]]").await;
        (raised, Instant::now())
    };
    let committed = async {
        sleep(Duration::from_millis(300)).await;
        let committing = Instant::now();
        batch.commit().await.expect("committed");
        committing
    };
    let ((raised, at), committing) = tokio::join!(raised, committed);
    assert_eq!(raised, Ok(1));
    assert!(
        at > committing,
        "the epoch was raised under a batch that was not committed yet"
    );
    batch.begin().await.expect("a transaction");
    let refused = note(&mut batch, 2, 0).await;
    assert!(matches!(refused, Err(StoreError::Fenced(_))), "{refused:?}");
}

#[tokio::test]
async fn lanes_of_one_shard_do_not_wait_for_each_other() {
    let database = shard().await;
    // What they will delete.
    for grant in 11..15 {
        note(&mut connect(&database).await, grant, 9)
            .await
            .expect("noted");
    }
    // Each lane writes its batch while the ones before it have not committed: first new counters,
    // then existing ones.
    for round in [0, 100] {
        let mut open = Vec::new();
        for lane in 1..5_u16 {
            let mut connection = connect(&database).await;
            connection.begin().await.expect("a transaction");
            let receipt = taken(&[10 + u64::from(lane)]);
            let noted = timeout(
                Duration::from_millis(900),
                note_all(&mut connection, round + u64::from(lane), lane, &receipt),
            )
            .await;
            assert_eq!(noted.expect("no wait"), Ok(()));
            open.push(connection);
        }
        for mut connection in open {
            connection.commit().await.expect("committed");
        }
    }
    let issued = integers(
        &mut connect(&database).await,
        IssuedStatements::of(&MYSQL).read,
        "[]",
    )
    .await;
    assert_eq!(issued, [[1, 0, 101, 72], [1, 0, 103, 12]]);
    assert_eq!(count_receipts(&database).await, 8);
}

#[tokio::test]
async fn a_void_grant_never_commits_and_a_committed_one_is_never_void() {
    let database = shard().await;
    let (mut batch, mut sweeper) = (connect(&database).await, connect(&database).await);
    void(&mut sweeper, 1).await.expect("void");
    batch.begin().await.expect("a transaction");
    assert!(is_conflict(&note(&mut batch, 1, 0).await));
    batch.rollback().await.expect("undone");
    // Recorded first: the sweeper waits for the outcome.
    batch.begin().await.expect("a transaction");
    note(&mut batch, 3, 0).await.expect("noted");
    let pause = Duration::from_millis(200);
    let late = async {
        sleep(pause).await;
        batch.rollback().await.expect("undone");
    };
    let started = Instant::now();
    let voided = async {
        let voided = void(&mut sweeper, 3).await;
        (voided, started.elapsed())
    };
    let ((), (voided, waited)) = tokio::join!(late, voided);
    assert_eq!(voided, Ok(()));
    assert!(waited >= pause);
    batch.begin().await.expect("a transaction");
    note(&mut batch, 4, 0).await.expect("noted");
    batch.commit().await.expect("committed");
    assert!(is_conflict(&void(&mut sweeper, 4).await));
    let grant = |grant: u64| format!("[[{}]]", RUN + grant);
    let row = sweeper
        .rows(RECEIPTS.read, &grant(4))
        .await
        .expect("rows")
        .remove(0);
    assert_eq!(row.integer(0), Ok(0));
    assert_eq!(
        row.text(1),
        Ok("[[1,0,[[1,0,101,0,4],[1,0,103,2,1]]],[2,0,[[1,0,101,1,2]]]]")
    );
    assert_eq!(
        integers(&mut sweeper, RECEIPTS.read, &grant(3)).await,
        [[1]]
    );
    assert_eq!(
        integers(&mut sweeper, RECEIPTS.read_last, "[]").await,
        [[RUN.cast_signed() + 4]]
    );
}

#[tokio::test]
async fn epochs_only_rise() {
    let database = shard().await;
    let mut connection = connect(&database).await;
    assert_eq!(connection.execute(EPOCHS.raise, "[[2,7]]").await, Ok(1));
    assert_eq!(connection.execute(EPOCHS.raise, "[[2,6]]").await, Ok(0));
    assert_eq!(integers(&mut connection, EPOCHS.read, "[[2]]").await, [[7]]);
    assert_eq!(integers(&mut connection, EPOCHS.read, "[[1]]").await, [[0]]);
}

#[tokio::test]
async fn a_rebuild_reads_counters_alone() {
    let database = shard().await;
    let mut connection = connect(&database).await;
    note(&mut connection, 1, 0).await.expect("noted");
    for statement in [IssuedStatements::of(&MYSQL).read, COUNTERS.read_of_server] {
        assert!(!statement.contains("stock_receipt"), "{statement}");
    }
    assert_eq!(
        integers(&mut connection, COUNTERS.read_of_server, "[[1]]").await,
        [[1, 0, 101, 0, 4], [1, 0, 103, 2, 1]]
    );
    assert_eq!(
        integers(&mut connection, COUNTERS.read_of_server, "[[2]]").await,
        [[1, 0, 101, 1, 2]]
    );
    assert_eq!(
        integers(&mut connection, COUNTERS.read_of_server, "[[3]]").await,
        [[0; 5]; 0]
    );
}

#[tokio::test]
async fn void_receipts_are_forgotten_by_the_databases_clock() {
    let database = shard().await;
    let mut connection = connect(&database).await;
    note(&mut connection, 7, 0).await.expect("noted");
    void(&mut connection, 8).await.expect("void");
    void(&mut connection, 9).await.expect("void");
    let aged = format!(
        "UPDATE stock_receipt SET created_at = created_at - INTERVAL 8 DAY WHERE grant_id <> {RUN} + 9"
    );
    connection.run(&aged).await.expect("aged");
    // A batch under way is not waited for.
    let mut batch = connect(&database).await;
    batch.begin().await.expect("a transaction");
    note(&mut batch, 11, 1).await.expect("noted");
    let ledger = SqlShardLedger::new(database.clone());
    for _again in 0..2 {
        ledger.forget_void().await.expect("no wait");
        assert_eq!(
            count_receipts(&database).await,
            2,
            "a committed one and a young one"
        );
    }
}

#[tokio::test]
async fn an_unfinished_batch_holds_back_its_own_verdict_only() {
    let mut one = bench().await;
    let mut two = Bench::of_run(one.database.clone(), 2);
    let settlement = one.settlement(&[("a", "1")]);
    let other = two.settlement(&[("b", "1")]);
    two.prefetch(&gather(&[])).await.expect("read");
    // Its writes are executed, its commit is not.
    let mut batch = connect(&one.database).await;
    batch.begin().await.expect("a transaction");
    let id = other.rows.made[0].call.first_id.get();
    let table = table_of("b");
    batch
        .run(&format!(
            "INSERT INTO raffle_call_{table} VALUES ('b', '1', 1, 100301, 1, {id}, 1, 1)"
        ))
        .await
        .expect("written");
    let started = Instant::now();
    let verdict = two.store.verdict(&in_doubt(8, &other)).await;
    assert!(matches!(verdict, Err(StoreError::Held(_))), "{verdict:?}");
    assert!(
        started.elapsed() < two.database.options.statement_timeout,
        "the server's refusal comes first"
    );
    one.prefetch(&gather(&[("a", "1")])).await.expect("read");
    one.store
        .persist(
            GrantId(1),
            &settlement,
            &receipt::<MysqlDatabase>(&settlement),
        )
        .await
        .expect("persisted");
    batch.commit().await.expect("committed");
    assert_eq!(
        two.store.verdict(&in_doubt(8, &other)).await,
        Ok(CommitVerdict::Committed)
    );
}
