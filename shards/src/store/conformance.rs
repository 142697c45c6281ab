//! What every shard store must do, whatever the database: one suite, run over each of them.
mod conversion;
mod grants;
mod latest;

use std::sync::Arc;

use jiff::Timestamp;
use market::batch::{AccountKey, Batch, Known, Prize, Rows, Settlement, Slots, Units};
use market::calendar::Day;
use market::call::EarlierCall;
use market::chances::Account;
use market::draw::DrawAsk;
use market::order::Rule;
use market::{
    ActivityId, Ask, AwardId, Call, Command, DrawCount, Made, Order, OrderId, Orders, RequestId,
    UserId,
};
use router::{OrderNumbers, Run, ShardId, Slot, SlotMap};

use self::conversion::{a_conversion_is_made_once, a_conversion_that_was_cut_off_continues};
use self::grants::{
    a_grant_and_a_draw_under_one_request_id_collide, a_grant_is_found_with_its_chances,
};
use self::latest::the_latest_draws_of_a_user_are_found;
use super::migrate::conversion::paged;
use super::sqlite::Access;
use super::tables::Numbered;
use super::tables::issued::IssuedStatements;
use super::tables::orders::OrderStatements;
use super::{
    Columns, Connection, Database, InDoubtBatch, MigrateError, OnLock, PersistError, ShardStore,
    SqlShard, SqliteFile, StoreError, Verdict, migrate_meta, migrate_shard,
};
use crate::grant::GrantId;
use crate::stock::grants::{Part, Receipt};
use crate::stock::ids::{Epoch, ServerId};
use crate::testing::undo_calls;

pub(super) const TABLES: u16 = 4;

/// A shard of four tables, and makers of what goes in.
pub(super) struct Bench<D: Database> {
    pub(super) database: D,
    pub(super) store: SqlShard<D>,
    numbers: OrderNumbers,
}

fn user(text: &str) -> UserId {
    UserId::new(text).expect("a user")
}

fn activity() -> ActivityId {
    ActivityId::new(100_301).expect("an id")
}

pub(super) fn account(used: u32) -> Account {
    Account {
        granted: 100,
        used,
        day: Day::from_number(20_261_121),
        day_used: used,
        month_used: used,
    }
}

fn draw(name: &str, key: &str) -> Command {
    let ask = DrawAsk {
        activity: activity(),
        count: DrawCount::ONE,
    };
    Command {
        user: user(name),
        request: RequestId::new(key).expect("a key"),
        ask: Ask::Draw(ask),
    }
}

pub(super) fn gather(calls: &[(&str, &str)]) -> Batch {
    Batch::gather(calls.iter().map(|(name, key)| draw(name, key)).collect())
}

impl<D: Database> Bench<D> {
    pub(super) async fn new(database: D) -> Self {
        migrate_shard(&database, TABLES)
            .await
            .expect("a fresh shard");
        Self::of_run(database, 1)
    }

    /// Another lane on a shard that is there. Each run has ids of its own.
    pub(super) fn of_run(database: D, run: u32) -> Self {
        let store = SqlShard::new(database.clone(), map(), ShardId::new(0), 0..TABLES);
        Self {
            database,
            store,
            numbers: OrderNumbers::new(Run::new(run).expect("a run")),
        }
    }

    pub(super) fn order(&mut self, name: &str, key: &str) -> Order {
        let id = self
            .numbers
            .next(Slot::of(name))
            .and_then(OrderId::new)
            .expect("an order id");
        Order {
            id,
            user: user(name),
            request: RequestId::new(key).expect("a key"),
            seq: 0,
            asked: DrawCount::ONE,
            activity: activity(),
            version: 3,
            ordinal: 7,
            day: Day::from_number(20_261_121),
            award: AwardId::new(101).expect("an id"),
            award_title: Arc::from("随机积分 \"1\" \\ '; --"),
            award_index: 8,
            rule: Rule::Luck,
            stocked: true,
            created_at: Timestamp::from_millisecond(1_795_000_000_123).expect("a time"),
        }
    }

    /// New accounts and orders of these calls, one unit of award 101 for each.
    pub(super) fn settlement(&mut self, calls: &[(&str, &str)]) -> Settlement {
        let orders: Vec<Orders> = calls
            .iter()
            .map(|(name, key)| Orders::from([self.order(name, key)]))
            .collect();
        let new = |(name, _): &(&str, &str)| ((user(name), activity()), None, Some(account(1)));
        let prize = Prize {
            activity: activity(),
            award: AwardId::new(101).expect("an id"),
        };
        Settlement {
            answers: Vec::new(),
            used: vec![Units {
                prize,
                count: u32::try_from(orders.len()).expect("few"),
            }],
            rows: Rows {
                calls: orders
                    .iter()
                    .map(|orders| Call::of_orders(orders))
                    .collect(),
                orders,
                ..Rows::new(calls.iter().map(new).collect())
            },
        }
    }

    /// Begins a batch and reads what it needs; waits for rows that somebody else has locked.
    pub(super) async fn prefetch(&mut self, batch: &Batch) -> Result<Known, StoreError> {
        self.store
            .prefetch(batch, OnLock::Wait, true)
            .await
            .map(|fetched| fetched.known)
    }

    pub(super) async fn persist(
        &mut self,
        grant: u64,
        settlement: &Settlement,
    ) -> Result<(), PersistError> {
        self.prefetch(&gather(&[])).await?;
        self.store
            .persist(GrantId(grant), settlement, &receipt::<D>(settlement))
            .await
    }

    pub(super) async fn verdict(
        &mut self,
        grant: u64,
        settlement: &Settlement,
    ) -> Result<Verdict, StoreError> {
        self.store.verdict(&in_doubt(grant, settlement)).await
    }

    pub(super) async fn issued(&self) -> i64 {
        let mut connection = self.database.connect().await.expect("a connection");
        let rows = connection
            .rows(IssuedStatements::of(&D::DIALECT).read, "[]")
            .await
            .expect("rows");
        rows.first()
            .map_or(0, |row| row.integer(2).expect("a count"))
    }
}

/// A batch whose commit was sent.
pub(super) fn in_doubt(grant: u64, settlement: &Settlement) -> InDoubtBatch {
    InDoubtBatch {
        grant: GrantId(grant),
        call: settlement.rows.calls[0].clone(),
        issues: !settlement.used.is_empty(),
    }
}

/// The orders of earlier calls.
pub(super) fn orders_of(known: &Known) -> Vec<Vec<Order>> {
    let orders = |made: &Made| match made {
        Made::Draws(orders) => orders.to_vec(),
        Made::Grant(_) => Vec::new(),
    };
    let of_call =
        |call: &Option<EarlierCall>| call.as_ref().map_or(Vec::new(), |call| orders(&call.made));
    known.calls.iter().map(of_call).collect()
}

/// Has a settlement change its accounts to this, instead of adding them.
pub(super) fn change_all(settlement: &mut Settlement, now: Account) {
    let accounts = settlement.rows.accounts.written_rows();
    let changed = |(key, _): (&AccountKey, _)| (key.clone(), Some(account(0)), Some(now));
    settlement.rows.accounts = accounts.map(changed).collect();
}

/// Units out of the stock that goes with the database: memory beside SQLite, servers beside others.
pub(super) fn receipt<D: Database>(settlement: &Settlement) -> Receipt {
    let server = if D::DIALECT.lane_per_table {
        ServerId(1)
    } else {
        ServerId::NONE
    };
    let part = |units: &Units| Part {
        server,
        prize: units.prize,
        segment: 0,
        count: units.count,
    };
    let epochs = (server != ServerId::NONE).then_some((server, Epoch(0)));
    Receipt {
        used: settlement.used.iter().map(part).collect(),
        epochs: epochs.into_iter().collect(),
        ..Receipt::default()
    }
}

/// The number of a user's table.
pub(super) fn table_of(name: &str) -> u16 {
    map().route(name).table().get()
}

pub(super) fn map() -> SlotMap {
    SlotMap::even(1, 1, TABLES).expect("a map")
}

fn sqlite() -> (tempfile::TempDir, SqliteFile) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = SqliteFile {
        path: folder.path().join("shard-0.sqlite"),
        access: Access::Create,
    };
    (folder, file)
}

#[tokio::test]
async fn a_user_of_another_shard_is_refused() {
    let (_folder, file) = sqlite();
    migrate_shard(&file, 1).await.expect("a fresh shard");
    let map = SlotMap::even(1, 2, 1).expect("a map");
    let names: Vec<String> = (0..100).map(|number| format!("u{number}")).collect();
    let of = |shard| {
        names
            .iter()
            .find(|name| map.route(name).shard() == ShardId::new(shard))
            .expect("one of many")
    };
    let mut store = SqlShard::new(file, map.clone(), ShardId::new(0), 0..1);
    store
        .prefetch(&gather(&[(of(0), "k")]), OnLock::Wait, true)
        .await
        .expect("its own");
    store.undo().await;
    let refused = store
        .prefetch(&gather(&[(of(0), "k"), (of(1), "k")]), OnLock::Wait, true)
        .await;
    assert!(matches!(refused, Err(StoreError::Data(_))), "{refused:?}");
}

async fn what_is_persisted_is_found<D: Database>(database: D) {
    let mut bench = Bench::new(database).await;
    // Enough users to fill every table, among them ids that sloppy collations take for equal.
    let names: Vec<String> = (0..40).map(|number| format!("user{number}")).collect();
    let odd = ["u", "U", "ú", "a b", "\"'\\;--", "漢字", "😀"];
    let calls: Vec<(&str, &str)> = names
        .iter()
        .map(String::as_str)
        .chain(odd)
        .map(|name| (name, "Key"))
        .collect();
    let settlement = bench.settlement(&calls);
    bench.persist(1, &settlement).await.expect("persisted");
    let known = bench.prefetch(&gather(&calls)).await.expect("read");
    bench.store.undo().await;
    for (index, orders) in settlement.rows.orders.iter().enumerate() {
        assert_eq!(orders_of(&known)[index], **orders);
        assert_eq!(known.accounts[index], Some(account(1)));
    }
    let strangers = gather(&[
        ("user0", "key"),
        ("User0", "Key"),
        ("user", "Key"),
        ("ù", "Key"),
    ]);
    let known = bench.prefetch(&strangers).await.expect("read");
    bench.store.undo().await;
    assert_eq!(known.calls, [const { None }; 4]);
    assert_eq!(known.accounts, [Some(account(1)), None, None, None]);
    assert_eq!(bench.issued().await, 47);
}

async fn changed_accounts_are_changed<D: Database>(database: D) {
    let mut bench = Bench::new(database).await;
    let first = bench.settlement(&[("a", "1"), ("b", "1")]);
    bench.persist(1, &first).await.expect("persisted");
    let mut second = bench.settlement(&[("a", "2")]);
    change_all(&mut second, account(2));
    bench.persist(2, &second).await.expect("persisted");
    let known = bench
        .prefetch(&gather(&[("a", "x"), ("b", "x")]))
        .await
        .expect("read");
    bench.store.undo().await;
    assert_eq!(known.accounts, [Some(account(2)), Some(account(1))]);
}

async fn a_request_id_has_one_order<D: Database>(database: D) {
    let mut bench = Bench::new(database).await;
    let first = bench.settlement(&[("a", "1")]);
    bench.persist(1, &first).await.expect("persisted");
    let mut repeat = bench.settlement(&[("b", "1"), ("a", "1")]);
    repeat.rows.accounts = Slots::new(Vec::new(), Vec::new());
    let refused = bench.persist(2, &repeat).await;
    assert!(
        matches!(refused, Err(PersistError::Undone(StoreError::Conflict(_)))),
        "{refused:?}"
    );
    bench.store.undo().await;
    let known = bench
        .prefetch(&gather(&[("b", "1"), ("a", "1")]))
        .await
        .expect("read");
    bench.store.undo().await;
    assert_eq!(
        orders_of(&known),
        [Vec::new(), first.rows.orders[0].to_vec()],
        "all of the batch is undone"
    );
    assert_eq!(bench.issued().await, 1);
}

/// Calls of different users, each made whole.
fn calls_for<D: Database>(bench: &mut Bench<D>, calls: &[(&str, &str, u8)]) -> Settlement {
    let names: Vec<(&str, &str)> = calls.iter().map(|&(name, key, _)| (name, key)).collect();
    let mut settlement = bench.settlement(&names);
    for (orders, &(name, key, asked)) in settlement.rows.orders.iter_mut().zip(calls) {
        let asked = DrawCount::new(asked).expect("a count");
        *orders = (0..asked.get())
            .map(|seq| Order {
                seq,
                asked,
                ..bench.order(name, key)
            })
            .collect();
    }
    let orders = settlement.rows.orders.iter();
    settlement.rows.calls = orders.map(|orders| Call::of_orders(orders)).collect();
    settlement.used[0].count = u32::try_from(settlement.rows.orders().count()).expect("few");
    settlement
}

/// Changes what a settlement has drawn, and its calls with it.
fn change_orders(settlement: &mut Settlement, change: impl Fn(&mut Order)) {
    for orders in &mut settlement.rows.orders {
        let mut changed = orders.to_vec();
        changed.iter_mut().for_each(&change);
        *orders = changed.into();
    }
    let orders = settlement.rows.orders.iter();
    settlement.rows.calls = orders.map(|orders| Call::of_orders(orders)).collect();
}

async fn a_call_has_its_orders_in_their_order<D: Database>(database: D) {
    let mut bench = Bench::new(database).await;
    let calls = [
        ("a", "ten", 10),
        ("b", "one", 1),
        ("c", "ten", 3),
        ("d", "ten", 10),
    ];
    let settlement = calls_for(&mut bench, &calls);
    bench.persist(1, &settlement).await.expect("persisted");
    let asked: Vec<(&str, &str)> = calls
        .iter()
        .map(|&(name, key, _)| (name, key))
        .chain([("a", "one")])
        .collect();
    let known = bench.prefetch(&gather(&asked)).await.expect("read");
    bench.store.undo().await;
    for (found, made) in orders_of(&known).iter().zip(&settlement.rows.orders) {
        assert_eq!(**found, **made);
    }
    assert_eq!(known.calls[4], None);
    assert_eq!(bench.issued().await, 24);
}

/// Two gateways with one key at once, and different counts or chances: one of them is undone whole.
async fn calls_with_one_request_id_collide<D: Database>(database: D) {
    let mut bench = Bench::new(database).await;
    let first = calls_for(&mut bench, &[("a", "1", 2)]);
    bench.persist(1, &first).await.expect("persisted");
    for (grant, made) in [(2, 1), (3, 2), (4, 10)] {
        let mut again = calls_for(&mut bench, &[("b", "1", 1), ("a", "1", made)]);
        again.rows.accounts = Slots::new(Vec::new(), Vec::new());
        let refused = bench.persist(grant, &again).await;
        assert!(
            matches!(refused, Err(PersistError::Undone(StoreError::Conflict(_)))),
            "{made}: {refused:?}"
        );
        bench.store.undo().await;
    }
    let known = bench
        .prefetch(&gather(&[("b", "1"), ("a", "1")]))
        .await
        .expect("read");
    bench.store.undo().await;
    assert_eq!(
        orders_of(&known),
        [Vec::new(), first.rows.orders[0].to_vec()]
    );
    assert_eq!(bench.issued().await, 2);
}

/// Orders from before calls had counts are calls for one draw.
async fn orders_of_the_first_schema_are_kept<D: Database>(database: D) {
    let mut connection = database.connect().await.expect("a connection");
    let first = D::DIALECT
        .shard_change(0, TABLES)
        .expect("the first version");
    let noted = "CREATE TABLE schema_version (version INTEGER NOT NULL PRIMARY KEY);
                 INSERT INTO schema_version VALUES (1)";
    connection
        .run(&format!("{first};\n{noted}"))
        .await
        .expect("made");
    let table = map().route("a").table();
    let columns =
        "order_id, user_id, request_id, activity_id, version, ordinal, day, award_id, award_title,
                   award_index, rule, stocked, created_at_ms";
    let row = "1024, 'a', '1', 100301, 3, 7, 20261121, 101, 't', 8, 'rule_default', 0, 1";
    connection
        .run(&format!(
            "INSERT INTO raffle_order_{table} ({columns}) VALUES ({row})"
        ))
        .await
        .expect("written");
    drop(connection);
    let mut bench = Bench::new(database).await;
    let known = bench.prefetch(&gather(&[("a", "1")])).await.expect("read");
    bench.store.undo().await;
    let [order] = &orders_of(&known)[0][..] else {
        panic!("{:?}", known.calls)
    };
    assert_eq!(
        (order.id.get(), order.seq, order.asked),
        (1024, 0, DrawCount::ONE)
    );
    let again = bench.settlement(&[("a", "1")]);
    let refused = bench.persist(1, &again).await;
    assert!(
        matches!(refused, Err(PersistError::Undone(StoreError::Conflict(_)))),
        "{refused:?}"
    );
}

async fn accounts_that_came_or_went_meanwhile_are_conflicts<D: Database>(database: D) {
    let mut bench = Bench::new(database).await;
    let first = bench.settlement(&[("a", "1")]);
    bench.persist(1, &first).await.expect("persisted");
    let again = bench.settlement(&[("a", "2")]);
    let refused = bench.persist(2, &again).await;
    assert!(
        matches!(refused, Err(PersistError::Undone(StoreError::Conflict(_)))),
        "{refused:?}"
    );
    bench.store.undo().await;
    let mut absent = bench.settlement(&[("b", "1")]);
    change_all(&mut absent, account(1));
    let refused = bench.persist(3, &absent).await;
    assert!(
        matches!(refused, Err(PersistError::Undone(StoreError::Conflict(_)))),
        "{refused:?}"
    );
    bench.store.undo().await;
    assert_eq!(bench.issued().await, 1);
}

async fn what_is_undone_leaves_nothing<D: Database>(database: D) {
    let mut bench = Bench::new(database).await;
    bench.prefetch(&gather(&[("a", "1")])).await.expect("read");
    bench.store.undo().await;
    bench.store.undo().await;
    let settlement = bench.settlement(&[("a", "1")]);
    bench
        .persist(1, &settlement)
        .await
        .expect("the store is usable");
    assert_eq!(bench.issued().await, 1);
}

async fn a_verdict_is_final<D: Database>(database: D) {
    let mut bench = Bench::new(database).await;
    let settlement = bench.settlement(&[("a", "1")]);
    bench.persist(5, &settlement).await.expect("persisted");
    assert_eq!(bench.verdict(5, &settlement).await, Ok(Verdict::Committed));
    assert_eq!(
        bench.verdict(5, &settlement).await,
        Ok(Verdict::Committed),
        "asked again"
    );
    let late = bench.settlement(&[("b", "1")]);
    assert_eq!(bench.verdict(6, &late).await, Ok(Verdict::Void));
    assert_eq!(
        bench.verdict(6, &late).await,
        Ok(Verdict::Void),
        "the first verdict was lost"
    );
    if D::DIALECT.lane_per_table {
        let refused = bench.persist(6, &late).await;
        assert!(
            matches!(refused, Err(PersistError::Undone(StoreError::Conflict(_)))),
            "{refused:?}"
        );
        bench.store.undo().await;
    }
    bench.persist(7, &late).await.expect("another grant");
    assert_eq!(bench.issued().await, 2);
}

/// Such a batch has nothing to go by but its orders.
async fn a_batch_without_units_gets_its_verdict_too<D: Database>(database: D) {
    let mut bench = Bench::new(database).await;
    let (mut made, mut lost) = (
        bench.settlement(&[("a", "1")]),
        bench.settlement(&[("a", "2")]),
    );
    made.used.clear();
    lost.used.clear();
    bench.persist(1, &made).await.expect("persisted");
    assert_eq!(bench.verdict(1, &made).await, Ok(Verdict::Committed));
    assert_eq!(bench.verdict(2, &lost).await, Ok(Verdict::Void));
    assert_eq!(bench.issued().await, 0);
}

async fn the_greatest_order_id_is_known<D: Database>(database: D) {
    let mut bench = Bench::new(database).await;
    let settlement = bench.settlement(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")]);
    bench.persist(1, &settlement).await.expect("persisted");
    let mut connection = bench.database.connect().await.expect("a connection");
    let mut greatest = 0;
    for table in 0..TABLES {
        let rows = connection
            .rows(&OrderStatements::of(&D::DIALECT, table).read_last, "[]")
            .await
            .expect("rows");
        greatest = rows[0].number::<u64>(0).expect("an id").max(greatest);
    }
    assert_eq!(
        Some(greatest),
        settlement.rows.orders().map(|order| order.id.get()).max()
    );
}

async fn look_ups_use_their_keys<D: Database>(database: D, explain: &str) {
    migrate_shard(&database, TABLES)
        .await
        .expect("a fresh shard");
    let mut connection = database.connect().await.expect("a connection");
    let sql = Numbered::of(&D::DIALECT, 0);
    for statement in [
        &sql.calls.lock_batch,
        &sql.calls.find,
        &sql.calls.lock,
        &sql.calls.latest,
        &sql.accounts.read,
        &sql.accounts.update,
        &sql.orders.of_ids,
        &sql.orders.find,
        &sql.recharge_orders.of_ids,
    ] {
        // Comments come first in the files; EXPLAIN must come before them.
        let rows = connection
            .rows(&format!("{explain} {statement}"), "[]")
            .await
            .expect("a plan");
        let plan: Vec<String> = rows
            .iter()
            .map(|row| row.text(3).expect("a text").to_owned())
            .collect();
        let key = |line: &&String| {
            line.starts_with("SEARCH") && line.contains("=?") || line.contains("rowid=?")
        };
        assert!(
            plan.iter().any(|line| key(&line)),
            "{statement}\nreads a table without its key: {plan:?}"
        );
        assert!(
            !plan.iter().any(|line| line.starts_with("SCAN raffle_")),
            "{statement}\nscans a table: {plan:?}"
        );
    }
}

async fn migrations_run_once_and_refuse_a_newer_schema<D: Database>(database: D) {
    for _ in 0..2 {
        migrate_shard(&database, TABLES).await.expect("idempotent");
    }
    let (one, two) = tokio::join!(
        migrate_shard(&database, TABLES),
        migrate_shard(&database, TABLES)
    );
    one.and(two).expect("two at once take turns");
    let mut connection = database.connect().await.expect("a connection");
    connection
        .run("INSERT INTO schema_version VALUES (999)")
        .await
        .expect("planted");
    let refused = migrate_shard(&database, TABLES).await;
    assert!(
        matches!(refused, Err(MigrateError::TooNew { found: 999, .. })),
        "{refused:?}"
    );
}

async fn the_meta_schema_is_made_once<D: Database>(database: D) {
    let (one, two) = tokio::join!(migrate_meta(&database), migrate_meta(&database));
    one.and(two).expect("two at once take turns");
}

macro_rules! over_each_database {
    ($($name:ident),* $(,)?) => {
        mod over_sqlite {
            $(
                #[tokio::test]
                async fn $name() {
                    let (_folder, file) = super::sqlite();
                    super::$name(file).await;
                }
            )*
        }

        mod over_mariadb {
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name(crate::testing::shared_database().await).await;
                }
            )*
        }
    };
}

over_each_database!(
    what_is_persisted_is_found,
    changed_accounts_are_changed,
    a_request_id_has_one_order,
    a_call_has_its_orders_in_their_order,
    calls_with_one_request_id_collide,
    orders_of_the_first_schema_are_kept,
    accounts_that_came_or_went_meanwhile_are_conflicts,
    what_is_undone_leaves_nothing,
    a_verdict_is_final,
    a_batch_without_units_gets_its_verdict_too,
    a_grant_is_found_with_its_chances,
    a_grant_and_a_draw_under_one_request_id_collide,
    the_latest_draws_of_a_user_are_found,
    a_conversion_that_was_cut_off_continues,
    a_conversion_is_made_once,
    the_greatest_order_id_is_known,
    migrations_run_once_and_refuse_a_newer_schema,
    the_meta_schema_is_made_once,
);

#[tokio::test]
async fn look_ups_use_their_keys_in_sqlite() {
    let (_folder, file) = sqlite();
    look_ups_use_their_keys(file, "EXPLAIN QUERY PLAN").await;
}

#[tokio::test]
async fn a_commit_is_on_disk_before_it_is_answered() {
    let (_folder, file) = sqlite();
    migrate_shard(&file, TABLES).await.expect("a fresh shard");
    let mut connection = file.connect().await.expect("a connection");
    let pragma = async |connection: &mut <SqliteFile as Database>::Connection, name: &str| {
        connection
            .rows(&format!("PRAGMA {name}"), "[]")
            .await
            .expect("a pragma")
    };
    let synchronous = pragma(&mut connection, "synchronous").await;
    assert_eq!(synchronous[0].integer(0).expect("a number"), 2, "FULL");
    let journal = pragma(&mut connection, "journal_mode").await;
    assert_eq!(journal[0].text(0).expect("a text"), "wal");
}

#[tokio::test]
async fn the_conversion_reads_orders_by_their_key_in_sqlite() {
    let (_folder, file) = sqlite();
    migrate_shard(&file, TABLES).await.expect("a fresh shard");
    undo_calls(&file, TABLES).await;
    let mut connection = file.connect().await.expect("a connection");
    let tables = SqliteFile::DIALECT.shard_change(5, TABLES).expect("a text");
    connection.run(&tables).await.expect("made");
    let sql = paged(&SqliteFile::DIALECT, 0, 10);
    let plan = connection
        .rows(
            &format!("EXPLAIN QUERY PLAN {}", sql.convert),
            r#"["a","b"]"#,
        )
        .await
        .expect("a plan");
    let plan: Vec<_> = plan.iter().map(|row| row.text(3).expect("text")).collect();
    assert!(
        matches!(plan[..], [step] if step.starts_with("SEARCH raffle_order_0 USING INDEX raffle_order_request_0 (")),
        "{plan:?}"
    );
}
