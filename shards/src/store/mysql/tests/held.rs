//! Rows that another process keeps locked: a gateway that stands still with a batch half done.
use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::join_all;
use jiff::Timestamp;
use market::campaign::{Campaign, Catalogue, Published};
use market::draw::DrawAsk;
use market::{ActivityId, Ask, Command, DrawCount, Made, RequestId, UserId};
use router::{Run, ShardId};
use testkit::campaign::CampaignFile;
use testkit::random::seeded;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::{bench, connect, is_mariadb, shard};
use crate::breaker::{BreakerSettings, BreakerState, Breakers};
use crate::error::CommandError;
use crate::lane::{Cut, Entrance, Ids, LaneLimits, Runs, Surroundings, Timeouts, start};
use crate::metrics::Metrics;
use crate::service::verdict_of_command;
use crate::stock::MemoryStock;
use crate::store::conformance::{Bench, TABLES, gather, map};
use crate::store::tables::Numbered;
use crate::store::{
    CallKeys, Columns, Connection, Database, MysqlConnection, MysqlDatabase, OnLock, ShardStore,
    SqlShard, StoreError,
};

/// The maximum time without a lock wait, on a busy machine.
const AT_ONCE: Duration = Duration::from_millis(500);

/// Accounts of these users, with one order each under the key `first`.
async fn with_users(lane: &mut Bench<MysqlDatabase>, names: &[&str]) {
    let calls: Vec<(&str, &str)> = names.iter().map(|&name| (name, "first")).collect();
    let settlement = lane.settlement(&calls);
    lane.persist(1, &settlement).await.expect("persisted");
}

/// Which of these calls are held.
async fn held(lane: &mut Bench<MysqlDatabase>, calls: &[(&str, &str)]) -> Vec<bool> {
    let began = Instant::now();
    let held = lane
        .store
        .held(&gather(calls))
        .await
        .expect("no lock is waited for");
    assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
    held
}

#[tokio::test]
async fn a_batch_that_does_not_wait_is_refused_at_once_and_says_that_a_user_is_held() {
    let mut one = bench().await;
    let mut two = Bench::of_run(one.database.clone(), 2);
    with_users(&mut one, &["a", "b"]).await;
    one.prefetch(&gather(&[("a", "again")]))
        .await
        .expect("locked");
    let began = Instant::now();
    for (on_lock, waits) in [(OnLock::Refuse, false), (OnLock::Wait, true)] {
        let refused = two
            .store
            .prefetch(
                &gather(&[("a", "k"), ("b", "k")]),
                CallKeys::LookUp,
                on_lock,
                true,
            )
            .await;
        assert!(matches!(refused, Err(StoreError::Held(_))), "{refused:?}");
        assert_eq!(began.elapsed() > AT_ONCE, waits);
        two.store.undo().await;
    }
    let read = two
        .store
        .prefetch(
            &gather(&[("b", "k")]),
            CallKeys::LookUp,
            OnLock::Refuse,
            true,
        )
        .await
        .expect("it is free");
    assert!(read.known.accounts[0].is_some());
}

/// A call of the same key in another activity, which has locked no account that the batch reads.
#[tokio::test]
async fn a_claim_of_a_key_whose_call_is_being_written_is_refused_at_once() {
    let mut one = bench().await;
    let mut two = Bench::of_run(one.database.clone(), 2);
    with_users(&mut one, &["a"]).await;
    let mut writer = connect(&one.database).await;
    writer.begin().await.expect("a transaction");
    let table = map().route("a").table().get();
    let call = format!("INSERT INTO raffle_call_{table} VALUES ('a', 'k', 1, 7, 1, 1024, 1, 1)");
    writer.execute(&call, "[]").await.expect("written");
    let claims = two.settlement(&[("a", "k")]);
    let claims: Vec<_> = claims.rows.calls().cloned().collect();
    // MySQL cannot insert without waiting: it refuses after a second.
    let mysql = !is_mariadb(&one.database).await;
    for (on_lock, waits) in [(OnLock::Refuse, mysql), (OnLock::Wait, true)] {
        let began = Instant::now();
        let keys = CallKeys::Claim(claims.clone());
        let batch = gather(&[("a", "k")]);
        let refused = two.store.prefetch(&batch, keys, on_lock, true).await;
        assert!(matches!(refused, Err(StoreError::Held(_))), "{refused:?}");
        assert_eq!(began.elapsed() > AT_ONCE, waits);
        two.store.undo().await;
    }
    assert_eq!(held(&mut two, &[("a", "k")]).await, [true]);
}

#[tokio::test]
async fn who_is_held_is_found_in_one_look_and_no_other() {
    let mut one = bench().await;
    let mut two = Bench::of_run(one.database.clone(), 2);
    with_users(&mut one, &["a", "b", "c", "U", "u"]).await;
    let calls = [
        ("a", "k"),
        ("b", "k"),
        ("new", "k"),
        ("nobody", "k"),
        ("c", "k"),
        ("U", "k"),
        ("u", "k"),
        ("other", "taken"),
    ];
    assert_eq!(held(&mut two, &calls).await, [false; 8]);
    // Existing accounts of all tables; an account that is not committed; a call that is not.
    one.prefetch(&gather(&[("a", "again"), ("U", "again")]))
        .await
        .expect("locked");
    let mut writer = connect(&one.database).await;
    writer.begin().await.expect("a transaction");
    let table = |name: &str| map().route(name).table().get();
    let account = format!(
        "INSERT INTO raffle_account_{} VALUES ('new', 100301, 5, 1, 20261121, 1, 1)",
        table("new")
    );
    let call = format!(
        "INSERT INTO raffle_call_{} VALUES ('other', 'taken', 1, 7, 1, 1024, 1, 1)",
        table("other")
    );
    for sql in [&account, &call] {
        writer.execute(sql, "[]").await.expect(sql);
    }
    assert_eq!(
        held(&mut two, &calls).await,
        [true, false, true, false, false, true, false, true]
    );
    assert_eq!(
        held(&mut two, &calls).await,
        [true, false, true, false, false, true, false, true],
        "it holds nothing"
    );
    writer.rollback().await.expect("undone");
    one.store.undo().await;
    assert_eq!(held(&mut two, &calls).await, [false; 8]);
}

/// The tables grow to hundreds of millions of rows; one that is read whole stops a shard.
#[tokio::test]
async fn the_look_reads_by_keys_however_small_or_large_the_tables_are() {
    let mut lane = bench().await;
    with_users(&mut lane, &["a", "b", "c"]).await;
    let table = map().route("a").table().get();
    let sql = Numbered::of(&MysqlDatabase::DIALECT, table);
    let mut connection = connect(&lane.database).await;
    for (sql, keys) in [
        (&sql.accounts.find_held, r#"'[["a",100301]]'"#),
        (&sql.points_accounts.find_held, r#"'[["a"]]'"#),
        (&sql.sign_ins.find_held, r#"'[["a",100301]]'"#),
        (&sql.user_awards.find_held, r#"'[["a",100301,7]]'"#),
        (&sql.calls.find_held, r#"'[["a","k"]]'"#),
    ] {
        let statement = sql[sql.find("SELECT").expect("a query")..].replace('?', keys);
        for row in connection
            .rows(&format!("EXPLAIN FORMAT=TRADITIONAL {statement}"), "[]")
            .await
            .expect("a plan")
        {
            // id, select_type, table, type in MariaDB; MySQL has the partitions before the type.
            let table = row.text(2).expect("a table").to_owned();
            let by_key = (3..=4).any(|column| {
                row.text(column)
                    .is_ok_and(|how| ["eq_ref", "ref", "const"].contains(&how))
            });
            assert!(
                by_key || !["a", "b"].contains(&&*table),
                "{sql}\n{table} is not read by its key"
            );
        }
    }
}

/// Run numbers in memory; grants and orders of run 1 are in the tables already.
struct Counter(AtomicU32);

impl Runs for Counter {
    fn claim(&self) -> Pin<Box<dyn Future<Output = Result<Option<Run>, StoreError>> + Send + '_>> {
        let claimed = self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move { Ok(Run::new(claimed)) })
    }
}

/// A lane as a gateway has it, and a breaker in front.
struct Gateway {
    entrance: Entrance,
    breakers: Breakers,
    _stop: watch::Sender<bool>,
}

impl Gateway {
    fn new(database: &MysqlDatabase) -> Self {
        let campaign = Campaign::parse(&CampaignFile::one_award(1).chances(100, 100, 100).text())
            .expect("a valid campaign");
        let metrics = Metrics::new(&prometheus::Registry::new()).expect("fresh names");
        let around = Surroundings {
            catalogue: Arc::new(ArcSwap::from_pointee(Catalogue::new([Published {
                version: 1,
                campaign,
            }]))),
            stock: Arc::new(MemoryStock::default()),
            random: seeded(1),
            clock: Timestamp::now,
            ids: Ids::new(
                Arc::new(Counter(AtomicU32::new(2))),
                Cut::WHOLE,
                metrics.run_numbers_left.clone(),
                Arc::default(),
            ),
            callers: Arc::default(),
            metrics: metrics.lane("0"),
        };
        let limits = LaneLimits {
            queue_max: 1_000,
            queue_target: Duration::from_secs(1),
            batch_max: 100,
            linger: Duration::from_millis(4),
        };
        let store = SqlShard::new(database.clone(), map(), ShardId::new(0), 0..TABLES);
        let stop = watch::Sender::new(false);
        let (entrance, _task) = start(store, around, limits, stop.subscribe());
        let settings = BreakerSettings {
            calls_min: 1,
            error_ratio_percent: 1,
            ..BreakerSettings::DEFAULT
        };
        Self {
            entrance,
            breakers: Breakers::new(settings, 1, 0, &metrics.breakers),
            _stop: stop,
        }
    }

    /// As `Shards::execute` does.
    async fn draw(&self, user: &str, key: &str) -> Result<Made, CommandError> {
        let timeouts = Timeouts {
            queue: Duration::from_secs(2),
            answer: Duration::from_secs(5),
        };
        let ask = DrawAsk {
            activity: ActivityId::new(1).expect("an id"),
            count: DrawCount::ONE,
        };
        let command = Command {
            user: UserId::new(user).expect("a user"),
            request: RequestId::new(key).expect("a key"),
            ask: Ask::Draw(ask),
        };
        let mut permit = self.breakers.shard(0).admit()?;
        let mut pending = self.entrance.submit(command)?;
        let drawn = pending.answer(timeouts).await;
        permit.waited(pending.queued() + pending.held_up());
        permit.end(verdict_of_command(&drawn));
        drawn
    }

    fn is_closed(&self) -> bool {
        self.breakers
            .list()
            .iter()
            .all(|status| status.state == BreakerState::Closed)
    }
}

/// Locks the accounts of these users as a gateway does, and keeps them.
async fn freeze(database: &MysqlDatabase, users: &[&str]) -> Vec<MysqlConnection> {
    let mut frozen = Vec::new();
    for user in users {
        let mut connection = connect(database).await;
        connection.begin().await.expect("a transaction");
        let table = map().route(user).table().get();
        let sql = Numbered::of(&MysqlDatabase::DIALECT, table).accounts;
        let locks = sql.lock_batch.replace("{rows}", &format!("('{user}',1)"));
        connection.rows(&locks, "[]").await.expect("locked");
        frozen.push(connection);
    }
    frozen
}

#[tokio::test]
async fn a_frozen_gateway_costs_strangers_nothing_and_opens_no_breaker() {
    let database = shard().await;
    let gateway = Gateway::new(&database);
    let strangers: Vec<String> = (0..20).map(|number| format!("stranger{number}")).collect();
    let held = ["held1", "held2"];
    for user in held.into_iter().chain(strangers.iter().map(String::as_str)) {
        gateway.draw(user, "first").await.expect("all is well");
    }
    let frozen = freeze(&database, &held).await;
    // Rounds in which all users draw at once, for longer than the held ones are waited for.
    let began = Instant::now();
    let (mut round, mut codes) = (0, BTreeSet::new());
    while began.elapsed() < Duration::from_secs(3) {
        round += 1;
        let key = format!("round{round}");
        let strange = join_all(strangers.iter().map(|user| gateway.draw(user, &key)));
        let (strange, of_held) =
            tokio::join!(strange, join_all(held.map(|user| gateway.draw(user, &key))));
        for answer in strange {
            let made = answer.expect("it has nothing to do with the frozen gateway");
            assert_eq!(made.count(), 1);
        }
        codes.extend(
            of_held
                .into_iter()
                .map(|answer| answer.expect_err("its rows are locked").to_string()),
        );
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(codes, BTreeSet::from([CommandError::Held.to_string()]));
    assert!(round >= 3, "{round} rounds");
    assert!(gateway.is_closed());
    drop(frozen);
    // The server notices that its connection is gone; what is remembered of the held ones passes.
    let timeouts = Instant::now() + Duration::from_secs(20);
    for user in held {
        while let Err(error) = gateway.draw(user, "afterwards").await {
            assert_eq!(error, CommandError::Held);
            assert!(Instant::now() < timeouts, "{user} is held for ever");
            sleep(Duration::from_millis(100)).await;
        }
    }
    assert!(gateway.is_closed());
}
