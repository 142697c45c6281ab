//! Grants, epochs and what was issued.
use std::time::Duration;

use market::batch::Prize;
use market::{ActivityId, AwardId};
use tokio::time::{Instant, sleep, timeout};

use super::{bench, connect, is_conflict, number, shard};
use crate::stock::{Epoch, Part, Receipt, ServerId};
use crate::store::conformance::{Bench, gather, receipt};
use crate::store::{
    Columns, Connection, GrantId, GrantNote, MYSQL, MYSQL_STOCK, MysqlConnection, MysqlDatabase, PersistError,
    ShardStore, StoreError,
};

/// Notes what a batch took from servers 1 and 2, both at epoch 0.
async fn note(connection: &mut MysqlConnection, grant: u64) -> Result<(), StoreError> {
    let part = |server, award, segment, count| Part { server: ServerId(server), prize: prize(award), segment, count };
    let used = vec![part(1, 101, 0, 4), part(1, 103, 2, 1), part(2, 101, 1, 2)];
    let epochs = [(ServerId(1), Epoch(0)), (ServerId(2), Epoch(0))].into();
    let receipt = Receipt { used, epochs };
    let note = GrantNote::new(GrantId(grant), &receipt);
    let outcomes = connection.run_all(&note.steps(&MYSQL)).await?;
    note.check(&outcomes)
}

fn prize(award: u64) -> Prize {
    let activity = ActivityId::new(1).expect("an id");
    Prize { activity, award: AwardId::new(award).expect("an id") }
}

/// The first columns of a result, which are integers.
async fn integers<const N: usize>(connection: &mut MysqlConnection, sql: &str, json: &str) -> Vec<[i64; N]> {
    let rows = connection.rows(sql, json).await.expect(sql);
    rows.iter().map(|row| std::array::from_fn(|index| row.integer(index).expect("an integer"))).collect()
}

#[tokio::test]
async fn units_of_a_past_epoch_are_fenced() {
    let mut bench = bench().await;
    let settlement = bench.settlement(&[("a", "1")]);
    let mut other = connect(&bench.database).await;
    assert_eq!(other.execute(MYSQL_STOCK.raise_epoch, "[[1,1]]").await, Ok(1));
    let refused = bench.persist(1, &settlement).await;
    assert!(matches!(refused, Err(PersistError::Undone(StoreError::Fenced(_)))), "{refused:?}");
    bench.store.undo().await;
    assert_eq!(number(&bench.database, "SELECT COUNT(*) FROM stock_grant").await, 0);
    assert_eq!(bench.issued().await, 0);
}

#[tokio::test]
async fn raising_an_epoch_waits_for_the_batches_that_hold_it() {
    let database = shard().await;
    let (mut batch, mut rebuilder) = (connect(&database).await, connect(&database).await);
    batch.begin().await.expect("a transaction");
    assert_eq!(note(&mut batch, 1).await, Ok(()));
    assert_eq!(rebuilder.execute(MYSQL_STOCK.raise_epoch, "[[3,1]]").await, Ok(1), "nobody holds that one");
    let raised = async {
        let raised = rebuilder.execute(MYSQL_STOCK.raise_epoch, "[[1,1]]").await;
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
    assert!(at > committing, "the epoch was raised under a batch that was not committed yet");
    batch.begin().await.expect("a transaction");
    let refused = note(&mut batch, 2).await;
    assert!(matches!(refused, Err(StoreError::Fenced(_))), "{refused:?}");
}

#[tokio::test]
async fn lanes_of_one_shard_do_not_wait_for_each_other() {
    let mut lanes = vec![bench().await];
    for run in 2..6 {
        lanes.push(Bench::of_run(lanes[0].database.clone(), run));
    }
    // Each lane writes its batch while those before it have not committed theirs.
    let mut open = Vec::new();
    for (number, lane) in (1_u32..).zip(&mut lanes) {
        let mut connection = connect(&lane.database).await;
        connection.begin().await.expect("a transaction");
        let noted = timeout(Duration::from_millis(900), async { note(&mut connection, u64::from(number)).await });
        assert_eq!(noted.await.expect("no wait"), Ok(()));
        open.push(connection);
    }
    for mut connection in open {
        connection.commit().await.expect("committed");
    }
    let issued = integers(&mut connect(&lanes[0].database).await, MYSQL.shard.read_issued, "[]").await;
    assert_eq!(issued, [[1, 101, 30], [1, 103, 5]]);
}

#[tokio::test]
async fn a_void_grant_never_commits_and_a_committed_one_is_never_void() {
    let database = shard().await;
    let (mut batch, mut sweeper) = (connect(&database).await, connect(&database).await);
    // Void first, for one of the servers or for the grant itself.
    for (grant, server) in [(1, 0), (2, 1)] {
        assert_eq!(sweeper.execute(MYSQL.shard.void_grant, &format!("[[{grant},{server}]]")).await, Ok(1));
        batch.begin().await.expect("a transaction");
        assert!(is_conflict(&note(&mut batch, grant).await));
        batch.rollback().await.expect("undone");
    }
    // Noted first: the sweeper waits for the outcome.
    batch.begin().await.expect("a transaction");
    note(&mut batch, 3).await.expect("noted");
    let pause = Duration::from_millis(200);
    let late = async {
        sleep(pause).await;
        batch.rollback().await.expect("undone");
    };
    let started = Instant::now();
    let voided = async {
        let voided = sweeper.execute(MYSQL.shard.void_grant, "[[3,1]]").await;
        (voided, started.elapsed())
    };
    let ((), (voided, waited)) = tokio::join!(late, voided);
    assert_eq!(voided, Ok(1));
    assert!(waited >= pause);
    batch.begin().await.expect("a transaction");
    note(&mut batch, 4).await.expect("noted");
    batch.commit().await.expect("committed");
    assert!(is_conflict(&sweeper.execute(MYSQL.shard.void_grant, "[[4,1]]").await));
    assert_eq!(integers(&mut sweeper, MYSQL.shard.read_grant, "[[4,1]]").await, [[0]]);
    assert_eq!(integers(&mut sweeper, MYSQL.shard.read_grant, "[[3,1]]").await, [[1]]);
    assert_eq!(integers(&mut sweeper, MYSQL.shard.read_last_grant, "[]").await, [[4]]);
}

#[tokio::test]
async fn epochs_only_rise() {
    let database = shard().await;
    let mut connection = connect(&database).await;
    assert_eq!(connection.execute(MYSQL_STOCK.raise_epoch, "[[2,7]]").await, Ok(1));
    assert_eq!(connection.execute(MYSQL_STOCK.raise_epoch, "[[2,6]]").await, Ok(0));
    assert_eq!(integers(&mut connection, MYSQL_STOCK.read_epoch, "[[2]]").await, [[7]]);
    assert_eq!(integers(&mut connection, MYSQL_STOCK.read_epoch, "[[1]]").await, [[0]]);
}

/// Rolls up what is there of `grants` of server 1, as the job does.
async fn roll_up(connection: &mut MysqlConnection, grants: &str) -> Vec<[i64; 1]> {
    connection.begin().await.expect("a transaction");
    let locked = integers(connection, MYSQL_STOCK.lock_grants, grants).await;
    if !locked.is_empty() {
        let there = integers::<2>(connection, MYSQL_STOCK.read_issued_rows, "[[1,101,1,0],[1,103,1,2]]").await;
        // All of the counters are there or none, in this test.
        let (add, count) = (locked.len(), locked.len() * 4);
        let rows = format!("[[1,101,1,0,{count}],[1,103,1,2,{add}]]");
        let statement = if there.is_empty() { MYSQL_STOCK.insert_issued } else { MYSQL_STOCK.add_issued };
        assert_eq!(connection.execute(statement, &rows).await, Ok(2));
        assert_eq!(connection.execute(MYSQL_STOCK.delete_grants, grants).await, Ok(locked.len() as u64));
    }
    connection.commit().await.expect("committed");
    locked
}

#[tokio::test]
async fn rolled_up_units_are_counted_once_whoever_does_it() {
    let database = shard().await;
    let (mut one, mut two) = (connect(&database).await, connect(&database).await);
    for grant in 1..=4 {
        note(&mut one, grant).await.expect("noted");
    }
    one.execute(MYSQL.shard.void_grant, "[[5,1]]").await.expect("void");
    let issued = [[1, 101, 24], [1, 103, 4]];
    let of_one = [[1, 101, 0, 16], [1, 103, 2, 4]];
    assert_eq!(integers(&mut one, MYSQL.shard.read_issued, "[]").await, issued);
    assert_eq!(integers(&mut one, MYSQL_STOCK.read_issued_of, "[[1]]").await, of_one);
    // Two holders of the job at once, then one more. Void rows stay.
    let (first, second) =
        tokio::join!(roll_up(&mut one, "[[1,1],[1,2],[1,5]]"), roll_up(&mut two, "[[1,1],[1,2],[1,5]]"));
    assert_eq!(first.len() + second.len(), 2);
    assert_eq!(integers(&mut one, MYSQL.shard.read_issued, "[]").await, issued);
    assert_eq!(roll_up(&mut two, "[[1,2],[1,3]]").await, [[3]]);
    assert_eq!(integers(&mut one, MYSQL.shard.read_issued, "[]").await, issued);
    assert_eq!(integers(&mut one, MYSQL_STOCK.read_issued_of, "[[1]]").await, of_one);
    assert_eq!(integers(&mut one, MYSQL_STOCK.read_issued_of, "[[1]]").await, of_one, "prepared and run again");
    assert_eq!(integers(&mut one, MYSQL_STOCK.read_issued_of, "[[2]]").await, [[1, 101, 1, 8]]);
    assert_eq!(integers(&mut one, MYSQL_STOCK.read_issued_of, "[[3]]").await, [[0; 4]; 0]);
    let units = one.rows(MYSQL_STOCK.read_grant_units, "[[4,1]]").await.expect("a grant");
    assert_eq!(units[0].text(2), Ok("[[1,101,0,4],[1,103,2,1]]"));
}

#[tokio::test]
async fn old_rows_are_found_and_forgotten_by_the_databases_clock() {
    let database = shard().await;
    let mut connection = connect(&database).await;
    for grant in [7, 3, 5] {
        note(&mut connection, grant).await.expect("noted");
    }
    connection.execute(MYSQL.shard.void_grant, "[[9,0]]").await.expect("void");
    connection.execute(MYSQL.shard.void_grant, "[[9,1]]").await.expect("void");
    let aged = "UPDATE stock_grant SET created_at = created_at - INTERVAL 90 SECOND WHERE grant_id <> 5";
    connection.run(aged).await.expect("aged");
    let old = integers(&mut connection, MYSQL_STOCK.old_grants, "[[1,60000]]").await;
    assert_eq!(old, [[3, 0], [7, 0]], "oldest ids first, with their epochs");
    assert_eq!(integers::<2>(&mut connection, MYSQL_STOCK.old_grants, "[[1,120000]]").await.len(), 0);
    assert_eq!(integers::<2>(&mut connection, MYSQL_STOCK.old_grants, "[[1,0,9]]").await.len(), 3);
    // A batch under way is not waited for.
    let mut batch = connect(&database).await;
    batch.begin().await.expect("a transaction");
    note(&mut batch, 11).await.expect("noted");
    for (statement, many) in [(MYSQL_STOCK.forget_void_grants, 2), (MYSQL_STOCK.forget_own_grants, 2)] {
        assert_eq!(connection.execute(statement, "[[120]]").await, Ok(0));
        assert_eq!(connection.execute(statement, "[[60]]").await, Ok(many));
        assert_eq!(connection.execute(statement, "[[60]]").await, Ok(0));
    }
    assert_eq!(number(&database, "SELECT COUNT(*) FROM stock_grant").await, 7, "those of servers 1 and 2, and 5");
}

#[tokio::test]
async fn an_unfinished_batch_holds_back_its_own_verdict_only() {
    let mut one = bench().await;
    let mut two = Bench::of_run(one.database.clone(), 2);
    let settlement = one.settlement(&[("a", "1")]);
    one.prefetch(&gather(&[("a", "1")])).await.expect("read");
    let mut batch = connect(&one.database).await;
    batch.begin().await.expect("a transaction");
    note(&mut batch, 8).await.expect("noted");
    let started = Instant::now();
    let verdict = two.store.verdict(GrantId(8)).await;
    assert!(matches!(verdict, Err(StoreError::Held(_))), "{verdict:?}");
    assert!(started.elapsed() < two.database.statement_timeout, "the server's refusal comes first");
    one.store.persist(GrantId(1), &settlement, &receipt::<MysqlDatabase>(&settlement)).await.expect("persisted");
    batch.commit().await.expect("committed");
    assert_eq!(two.store.verdict(GrantId(8)).await, Ok(crate::store::Verdict::Committed));
}
