//! Commits with an unknown outcome: the verdict must be true, and stay true.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use market::switches::{Setting, Share, Switch};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::trap::Trapped;
use super::{connect, hasty, number};
use crate::meta::{ChangeError, Meta, SwitchChange, SwitchTo};
use crate::store::conformance::{Bench, in_doubt};
use crate::store::{
    CommitVerdict, Connection, InDoubtBatch, MysqlDatabase, PersistError, ShardStore, StoreError,
    migrate_meta,
};
use crate::testing::{DatabaseServer, Mariadb, shared_database};

/// Asks until there is a verdict.
async fn final_verdict(lane: &mut Bench<Trapped>, batch: &InDoubtBatch) -> CommitVerdict {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match lane.store.verdict(batch).await {
            Ok(verdict) => return verdict,
            Err(error) => assert!(Instant::now() < deadline, "no verdict: {error}"),
        }
    }
}

/// Checks that the tables agree with the verdict: the batch of a grant has one order.
async fn agrees(database: &MysqlDatabase, verdict: CommitVerdict, grant: u64) {
    let committed =
        format!("SELECT COUNT(*) FROM stock_receipt WHERE void = 0 AND grant_id = {grant}");
    let orders = (0..4).map(|table| format!("SELECT request_id FROM raffle_call_{table}"));
    let orders = orders.collect::<Vec<_>>().join(" UNION ALL ");
    let orders = format!("SELECT COUNT(*) FROM ({orders}) AS o WHERE request_id = 'key{grant}'");
    let expected = i64::from(verdict == CommitVerdict::Committed);
    assert_eq!(number(database, &committed).await, expected);
    assert_eq!(number(database, &orders).await, expected);
}

/// A lane whose first commit springs the trap.
async fn trapped<F: Future<Output = ()> + Send + 'static>(
    database: &MysqlDatabase,
    trap: impl Fn() -> F + Send + Sync + 'static,
) -> Bench<Trapped> {
    let armed = AtomicBool::new(true);
    let once = move || {
        let spring = armed.swap(false, Ordering::Relaxed).then(&trap);
        async move {
            if let Some(spring) = spring {
                spring.await;
            }
        }
    };
    Bench::new(Trapped::new(database, once)).await
}

/// Persists a batch of one new user, whose commit is to fail.
async fn persist_in_vain(lane: &mut Bench<Trapped>, grant: u64) -> InDoubtBatch {
    let started = Instant::now();
    let settlement = lane.settlement(&[(&format!("user{grant}"), &format!("key{grant}"))]);
    let unknown = lane.persist(grant, &settlement).await;
    assert!(
        matches!(
            unknown,
            Err(PersistError::Unknown(StoreError::Unavailable(_)))
        ),
        "{unknown:?}"
    );
    assert!(started.elapsed() < Duration::from_secs(3));
    in_doubt(grant, &settlement)
}

async fn asks_in_vain(lane: &mut Bench<Trapped>, batch: &InDoubtBatch) {
    let started = Instant::now();
    assert!(lane.store.verdict(batch).await.is_err());
    assert!(started.elapsed() < Duration::from_secs(3));
}

/// The trap: a commit waits while a connection holds all tables for reading.
async fn hold_all(
    database: &MysqlDatabase,
) -> (Arc<Mutex<impl Connection + 'static>>, Bench<Trapped>) {
    let holder = Arc::new(Mutex::new(
        connect(&database.with(|options| options.statement_timeout = Duration::from_secs(10)))
            .await,
    ));
    let lane = trapped(database, {
        let holder = holder.clone();
        move || {
            let holder = holder.clone();
            async move {
                holder
                    .lock()
                    .await
                    .run("FLUSH TABLES WITH READ LOCK")
                    .await
                    .expect("held");
            }
        }
    })
    .await;
    (holder, lane)
}

#[tokio::test]
async fn a_commit_that_hangs_gets_its_verdict_when_it_is_let_go() {
    let server = Mariadb::private().await;
    let database = hasty(&server.database().await);
    let (holder, mut lane) = hold_all(&database).await;
    let batch = persist_in_vain(&mut lane, 5).await;
    asks_in_vain(&mut lane, &batch).await;
    holder
        .lock()
        .await
        .run("UNLOCK TABLES")
        .await
        .expect("let go");
    let verdict = final_verdict(&mut lane, &batch).await;
    agrees(&database, verdict, 5).await;
    sleep(Duration::from_secs(1)).await;
    agrees(&database, verdict, 5).await;
    assert_eq!(final_verdict(&mut lane, &batch).await, verdict);
}

#[tokio::test]
async fn a_commit_let_go_before_the_server_gives_it_up_has_landed_or_never_will() {
    let server = Mariadb::private().await;
    let database = hasty(&server.database().await);
    let (holder, mut lane) = hold_all(&database).await;
    let batch = persist_in_vain(&mut lane, 5).await;
    let let_go = async {
        holder
            .lock()
            .await
            .run("UNLOCK TABLES")
            .await
            .expect("let go");
    };
    let (verdict, ()) = tokio::join!(final_verdict(&mut lane, &batch), let_go);
    agrees(&database, verdict, 5).await;
    sleep(Duration::from_secs(1)).await;
    agrees(&database, verdict, 5).await;
}

#[tokio::test]
async fn a_commit_to_a_paused_server_gets_its_verdict_when_it_goes_on() {
    let server = Arc::new(Mariadb::private().await);
    let database = hasty(&server.database().await);
    let mut lane = trapped(&database, {
        let server = server.clone();
        move || {
            server.pause();
            async {}
        }
    })
    .await;
    let batch = persist_in_vain(&mut lane, 5).await;
    asks_in_vain(&mut lane, &batch).await;
    let started = Instant::now();
    lane.store.undo().await;
    assert!(started.elapsed() < Duration::from_millis(100));
    server.resume();
    let verdict = final_verdict(&mut lane, &batch).await;
    agrees(&database, verdict, 5).await;
    sleep(Duration::from_secs(1)).await;
    agrees(&database, verdict, 5).await;
    assert_eq!(final_verdict(&mut lane, &batch).await, verdict);
}

#[tokio::test]
async fn a_server_killed_at_a_commit_knows_after_its_restart() {
    let server = Arc::new(Mariadb::private().await);
    let database = hasty(&server.database().await);
    // Killed before the commit arrives, and at moments around its execution.
    for (grant, delay_us) in [
        (1, None),
        (2, Some(0)),
        (3, Some(300)),
        (4, Some(800)),
        (5, Some(2000)),
    ] {
        let mut lane = trapped(&database, {
            let server = server.clone();
            move || {
                let server = server.clone();
                if delay_us.is_none() {
                    server.kill();
                }
                tokio::task::spawn_blocking(move || {
                    let Some(delay_us) = delay_us else { return };
                    let until = std::time::Instant::now() + Duration::from_micros(delay_us);
                    while std::time::Instant::now() < until {
                        std::hint::spin_loop();
                    }
                    server.kill();
                });
                async {}
            }
        })
        .await;
        let settlement = lane.settlement(&[(&format!("user{grant}"), &format!("key{grant}"))]);
        let persisted = lane.persist(grant, &settlement).await;
        // If it started before the first had ended, there would be two.
        while std::fs::exists(format!("/proc/{}", server.pid())).unwrap_or(true) {
            sleep(Duration::from_millis(1)).await;
        }
        server.restart().await;
        let verdict = final_verdict(&mut lane, &in_doubt(grant, &settlement)).await;
        agrees(&database, verdict, grant).await;
        assert!(
            persisted.is_err() || verdict == CommitVerdict::Committed,
            "what was confirmed is there"
        );
        assert!(
            delay_us.is_some() || verdict == CommitVerdict::Void,
            "it was killed first"
        );
    }
}

#[tokio::test]
async fn a_void_batch_that_comes_late_is_refused() {
    let database = hasty(&shared_database().await);
    let mut lane = trapped(&database, async || {}).await;
    let mut judge = Bench::of_run(database.clone(), 2);
    let settlement = lane.settlement(&[("user5", "key5")]);
    assert_eq!(judge.verdict(5, &settlement).await, Ok(CommitVerdict::Void));
    let refused = lane.persist(5, &settlement).await;
    assert!(
        matches!(refused, Err(PersistError::Undone(StoreError::Conflict(_)))),
        "{refused:?}"
    );
    lane.store.undo().await;
    agrees(&database, CommitVerdict::Void, 5).await;
    assert_eq!(judge.verdict(5, &settlement).await, Ok(CommitVerdict::Void));
}

/// Jobs may have deleted receipts meanwhile, but orders stay.
#[tokio::test]
async fn a_batch_that_committed_long_ago_is_never_taken_for_void() {
    let mut bench = super::bench().await;
    let settlement = bench.settlement(&[("a", "1")]);
    bench.persist(5, &settlement).await.expect("persisted");
    connect(&bench.database)
        .await
        .run("DELETE FROM stock_receipt")
        .await
        .expect("as all jobs that reclaim");
    assert_eq!(
        bench.verdict(5, &settlement).await,
        Ok(CommitVerdict::Committed)
    );
    assert_eq!(
        number(&bench.database, "SELECT COUNT(*) FROM stock_receipt").await,
        0,
        "nothing is made void"
    );
}

/// An operator who gets "nothing was changed" sets it again, or believes that draws go on.
#[tokio::test]
async fn a_change_of_a_switch_that_was_not_confirmed_is_in_doubt() {
    let server = Arc::new(Mariadb::private().await);
    let database = hasty(&server.database().await);
    migrate_meta(&database).await.expect("migrated");
    let setting = Setting {
        switch: Switch::Draw,
        activity: None,
        share: Share::OFF,
        observe: false,
        expires_at: None,
    };
    let change = SwitchChange {
        to: SwitchTo::Set(setting),
        who: "w".to_owned(),
        why: "y".to_owned(),
    };
    let meta = Meta::new(Trapped::new(&database, {
        let server = server.clone();
        move || {
            server.kill();
            async {}
        }
    }));
    let changed = meta.switches().change(&change, Timestamp::UNIX_EPOCH).await;
    assert!(
        matches!(changed, Err(ChangeError::InDoubt(_))),
        "{changed:?}"
    );
    // A change that failed before the commit was not made.
    let changed = meta.switches().change(&change, Timestamp::UNIX_EPOCH).await;
    assert!(
        matches!(changed, Err(ChangeError::NotMade(_))),
        "{changed:?}"
    );
}
