//! Results over each database: all of them, in pages of any size, beside new draws.
use std::collections::BTreeMap;

use jiff::Timestamp;
use market::points::{Amount, Points, PointsEntry, Trade};
use market::{ActivityId, BusinessNumber, Kind, Order, OrderId, UserId};
use router::TableId;

use super::filter::{ResultKind, ResultsFilter};
use super::walk::{Walk, Walker};
use crate::store::conformance::{Bench, TABLES, calls_for, change_orders};
use crate::store::tables::Numbered;
use crate::store::{Access, Columns, Connection, Database, MysqlDatabase, SqliteFile, examples};
use crate::testing::shared_database;

fn activity() -> ActivityId {
    ActivityId::new(100_301).expect("an id")
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

/// Draws of some users in calls of one and of ten, in two activities, a second apart.
async fn drawn<D: Database>(bench: &mut Bench<D>) -> Vec<Order> {
    let mut all = Vec::new();
    for number in 0..30_u8 {
        let names: Vec<String> = (0..7)
            .map(|user| format!("user{user}-{}", number % 5))
            .collect();
        let key = format!("k{number}");
        let calls: Vec<(&str, &str, u8)> = names
            .iter()
            .zip([1, 1, 10, 1, 3, 1, 1])
            .map(|(name, draws)| (name.as_str(), key.as_str(), draws))
            .collect();
        let mut settlement = calls_for(bench, &calls);
        settlement.rows.accounts = market::batch::Slots::new(Vec::new(), Vec::new());
        change_orders(&mut settlement, |order| {
            order.created_at = at(i64::from(number));
            if number % 3 == 0 {
                order.activity = ActivityId::new(7).expect("an id");
            }
        });
        let grant = u64::from(number) + 1;
        bench.persist(grant, &settlement).await.expect("persisted");
        all.extend(settlement.rows.orders().cloned());
    }
    all
}

/// What a walk through all tables finds, by id, and how many users it counts.
async fn walked<D: Database>(
    database: &D,
    filter: &ResultsFilter,
    rows_max: usize,
) -> (BTreeMap<OrderId, Order>, usize) {
    let (mut found, mut users) = (BTreeMap::new(), 0);
    for table in 0..TABLES {
        let mut walk = Walker::new(database.clone(), TableId::new(table), rows_max);
        while let Some(page) = walk.next(filter).await.expect("a page") {
            assert!(page.calls <= rows_max);
            users += page.users;
            for order in page.orders {
                assert!(found.insert(order.id, order).is_none(), "it comes twice");
            }
        }
    }
    (found, users)
}

async fn all_is_found_once<D: Database>(database: D) {
    let mut bench = Bench::new(database.clone()).await;
    let all = drawn(&mut bench).await;
    let expected = |wanted: &dyn Fn(&Order) -> bool| -> BTreeMap<OrderId, Order> {
        let wanted = all.iter().filter(|order| wanted(order));
        wanted.map(|order| (order.id, order.clone())).collect()
    };
    let whole = ResultsFilter::all(ResultKind::Draws, activity());
    for rows_max in [1, 3, 1_000] {
        let (found, users) = walked(&database, &whole, rows_max).await;
        let of_activity = expected(&|order| order.activity == activity());
        assert!(of_activity.len() > 100);
        assert_eq!((found, users), (of_activity, 35), "{rows_max}");
    }
    let some = ResultsFilter {
        since: Some(at(4)),
        until: Some(at(10)),
        ..whole.clone()
    };
    let of_time =
        |order: &Order| order.activity == activity() && (at(4)..at(10)).contains(&order.created_at);
    assert_eq!(walked(&database, &some, 10).await.0, expected(&of_time));
    let none = ResultsFilter {
        award: market::AwardId::new(102),
        ..whole
    };
    assert!(walked(&database, &none, 10).await.0.is_empty());
}

/// What is drawn behind the walk is left out; what is drawn before it is found; nothing comes twice.
async fn draws_beside_a_walk_do_no_harm<D: Database>(database: D) {
    let mut bench = Bench::new(database.clone()).await;
    let all = drawn(&mut bench).await;
    let filter = ResultsFilter::all(ResultKind::Draws, activity());
    let mut found = BTreeMap::new();
    let mut grant = 100;
    for table in 0..TABLES {
        let mut walk = Walker::new(database.clone(), TableId::new(table), 2);
        while let Some(page) = walk.next(&filter).await.expect("a page") {
            for order in page.orders {
                assert!(found.insert(order.id, order).is_none(), "it comes twice");
            }
            grant += 1;
            let key = format!("beside{grant}");
            let mut newer = calls_for(&mut bench, &[("aaa", &key, 2), ("zzz", &key, 1)]);
            newer.rows.accounts = market::batch::Slots::new(Vec::new(), Vec::new());
            bench.persist(grant, &newer).await.expect("persisted");
        }
    }
    for order in all.iter().filter(|order| order.activity == activity()) {
        assert_eq!(found.get(&order.id), Some(order));
    }
}

/// Chances that were given are the results of calls of their kind.
async fn recharges_are_found<D: Database>(database: D) {
    let mut bench = Bench::new(database.clone()).await;
    let mut made = examples(Kind::Grant);
    made.extend(examples(Kind::Draw));
    let mut settlement = bench.settlement(&[]);
    settlement.rows.made.clone_from(&made);
    bench.persist(1, &settlement).await.expect("persisted");
    let filter = ResultsFilter::all(ResultKind::Recharges, activity());
    let mut found = Vec::new();
    for table in 0..TABLES {
        let mut walk = Walker::new(database.clone(), TableId::new(table), 1);
        while let Some(page) = walk.next(&filter).await.expect("a page") {
            assert!(page.orders.is_empty());
            found.extend(page.recharges);
        }
    }
    assert_eq!(found.len(), examples(Kind::Grant).len());
    for made in examples(Kind::Grant) {
        let order = &made.made.recharges()[0];
        assert!(found.contains(order), "{order:?}");
    }
}

/// Entries of all users of a table, in pages of any size, beside new ones.
async fn entries_are_found<D: Database>(database: D) {
    let mut bench = Bench::new(database.clone()).await;
    let entry = |user: &str, number: u64| PointsEntry {
        user: UserId::new(user).expect("a user"),
        number,
        trade: Trade::Exchange,
        activity: Some(activity()).filter(|_| !number.is_multiple_of(3)),
        amount: Amount::from_hundredths(-7),
        balance: Points::from_hundredths(number).expect("an amount"),
        business: BusinessNumber::new("漢 1").expect("a number"),
        created_at: at(i64::try_from(number).expect("few")),
    };
    let users: Vec<String> = (0..9).map(|number| format!("user{number}")).collect();
    let all: Vec<PointsEntry> = users
        .iter()
        .flat_map(|user| (1..=7).map(|number| entry(user, number)))
        .collect();
    let mut settlement = bench.settlement(&[("user0", "k")]);
    settlement.rows.entries.clone_from(&all);
    bench.persist(1, &settlement).await.expect("persisted");
    let everywhere = ResultsFilter::all(ResultKind::Points, None);
    let since = ResultsFilter {
        since: Some(at(3)),
        until: Some(at(6)),
        ..everywhere.clone()
    };
    let here = ResultsFilter::all(ResultKind::Points, activity());
    for (filter, expected) in [(everywhere, 9 * 7), (since, 9 * 3), (here, 9 * 5)] {
        for rows_max in [1, 4, 1_000] {
            let (mut found, mut users) = (Vec::new(), 0);
            for table in 0..TABLES {
                let mut walk = Walker::new(database.clone(), TableId::new(table), rows_max);
                while let Some(page) = walk.next(&filter).await.expect("a page") {
                    assert!(page.calls <= rows_max && page.orders.is_empty());
                    users += page.users;
                    found.extend(page.entries);
                }
            }
            assert_eq!((found.len(), users), (expected, 9), "{rows_max}");
            found.sort_by_key(|entry| (entry.user.clone(), entry.number));
            found.dedup();
            assert!(found.len() == expected && found.iter().all(|entry| all.contains(entry)));
        }
    }
}

/// A call whose order is gone is no result: a file that lacks it would look whole.
async fn what_is_lost_is_an_error<D: Database>(database: D) {
    let mut bench = Bench::new(database.clone()).await;
    let settlement = bench.settlement(&[("a", "1")]);
    bench.persist(1, &settlement).await.expect("persisted");
    let table = TableId::new(crate::store::conformance::table_of("a"));
    let mut connection = database.connect().await.expect("a connection");
    let lose = format!("DELETE FROM raffle_order_{}", table.get());
    connection.run(&lose).await.expect("lost");
    let filter = ResultsFilter::all(ResultKind::Draws, activity());
    let mut walk = Walker::new(database, table, 10);
    let error = walk.next(&filter).await.expect_err("it is not whole");
    assert!(error.to_string().contains("drawbridge audit"), "{error}");
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
async fn results_of_sqlite_files() {
    let (_folder, file) = sqlite();
    all_is_found_once(file).await;
    let (_folder, file) = sqlite();
    draws_beside_a_walk_do_no_harm(file).await;
    let (_folder, file) = sqlite();
    recharges_are_found(file).await;
    let (_folder, file) = sqlite();
    entries_are_found(file).await;
    let (_folder, file) = sqlite();
    what_is_lost_is_an_error(file).await;
}

#[tokio::test]
async fn results_of_mysql_databases() {
    all_is_found_once(shared_database().await).await;
    draws_beside_a_walk_do_no_harm(shared_database().await).await;
    recharges_are_found(shared_database().await).await;
    entries_are_found(shared_database().await).await;
    what_is_lost_is_an_error(shared_database().await).await;
}

/// The statements that go through tables, with a key, and the beginning of what SQLite does.
fn walks_in<D: Database>() -> [(String, &'static str, &'static str); 2] {
    let sql = Numbered::of(&D::DIALECT, 1);
    let ten = |text: &str| text.replace("{rows_max}", "10");
    [
        (
            ten(&sql.calls.walk),
            r#"["B","d"]"#,
            "SEARCH raffle_call_1 USING PRIMARY KEY ((user_id,request_id)>(?,?))",
        ),
        (
            ten(&sql.points_entries.walk),
            r#"["B",7]"#,
            "SEARCH points_entry_1 USING PRIMARY KEY ((user_id,number)>(?,?))",
        ),
    ]
}

#[tokio::test]
async fn a_page_is_a_range_of_the_key_in_sqlite() {
    let (_folder, file) = sqlite();
    Bench::new(file.clone()).await;
    let mut connection = file.connect().await.expect("a connection");
    for (walk, after, search) in walks_in::<SqliteFile>() {
        let explain = format!("EXPLAIN QUERY PLAN {walk}");
        let plan = connection.rows(&explain, after).await.expect("a plan");
        let steps: Vec<_> = plan
            .iter()
            .map(|row| row.text(3).expect("a step"))
            .collect();
        assert!(
            matches!(steps[..], [step] if step.starts_with(search)),
            "{steps:?}"
        );
    }
}

#[tokio::test]
async fn a_page_is_a_range_of_the_key_in_mysql() {
    let database = shared_database().await;
    Bench::new(database.clone()).await;
    let mut connection = database.connect().await.expect("a connection");
    for (walk, after, _) in walks_in::<MysqlDatabase>() {
        let explain = format!("EXPLAIN FORMAT = TRADITIONAL {walk}");
        let plan = connection.rows(&explain, after).await.expect("a plan");
        assert_eq!(plan.len(), 1);
        let column = |place| plan[0].text(place).unwrap_or_default();
        // MySQL has a column for partitions before the kind, which is empty, and one more before
        // the last.
        let (kind, extra) = if column(3).is_empty() {
            (column(4), column(11))
        } else {
            (column(3), column(9))
        };
        assert_eq!(kind, "range", "{extra}");
        assert!(
            !extra.contains("filesort") && !extra.contains("temporary"),
            "{extra}"
        );
    }
}
