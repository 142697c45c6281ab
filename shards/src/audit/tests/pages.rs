//! Pages return each user once and with all rows, however many rows there are, and no statement
//! sorts.
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::paged_tables::{PagedTables, json};
use super::super::pages::{Giant, Pages, Stored};
use super::super::rows::{StoredCall, StoredOrder};
use crate::store::{
    Access, Columns, Connection, Database, MysqlDatabase, SqliteFile, migrate_shard,
};
use crate::testing::shared_database;

/// Users in the order of their keys, each with its number of accounts, orders, repairs and entries.
const USERS: [(&str, i64, i64, i64, i64); 16] = [
    ("A", 1, 2, 0, 0),
    ("Big", 1, 9, 0, 3),
    ("Rich", 0, 0, 0, 11),
    ("Z", 0, 1, 0, 0),
    ("a", 1, 0, 0, 1),
    ("a b", 1, 3, 1, 2),
    ("a!", 2, 2, 0, 0),
    ("b", 1, 0, 0, 7),
    ("c", 6, 0, 0, 0),
    ("d", 1, 1, 3, 1),
    ("e", 1, 0, 0, 0),
    ("ee", 1, 8, 0, 0),
    ("f", 1, 0, 0, 1),
    ("\u{e9}", 1, 1, 0, 4),
    ("\u{6f22}", 3, 7, 2, 2),
    ("\u{1f3b0}", 1, 1, 0, 0),
];

async fn fill<D: Database>(database: &D) {
    migrate_shard(database, 2).await.expect("a fresh database");
    let (mut sql, mut id) = (String::new(), 0);
    for (user, accounts, orders, repairs, entries) in USERS {
        for activity in 1..=accounts {
            writeln!(
                sql,
                "INSERT INTO raffle_account_1 VALUES ('{user}', {activity}, 9, 0, 0, 0, 0);"
            )
            .expect("text");
        }
        for ordinal in 1..=orders {
            id += 1024;
            // Request ids are not in the order of the draws, and activities take turns.
            let (request, activity) = (20 - ordinal, 1 + ordinal % 2);
            writeln!(
                sql,
                "INSERT INTO raffle_call_1 VALUES ('{user}', 'r{request}', 1, {activity}, 1, {id}, 1, 8);
                 INSERT INTO raffle_order_1 VALUES ({id}, '{user}', {activity}, 1, {ordinal}, 5, 6, 't', 7, 'r', 0, 1, 0, '');"
            )
            .expect("text");
        }
        for used in 1..=repairs {
            writeln!(
                sql,
                "INSERT INTO label_repair_1 VALUES ('{user}', 1, {used}, 4, 5, 6);
                 INSERT INTO sign_in_1 VALUES ('{user}', {used}, 7, 8);
                 INSERT INTO user_award_1 VALUES ('{user}', 1, {used}, 9);"
            )
            .expect("text");
        }
        for number in 1..=entries {
            writeln!(
                sql,
                "INSERT INTO points_entry_1 VALUES ('{user}', {number}, 't', 1, 2, 3, '4', 5);"
            )
            .expect("text");
        }
        if entries > 0 {
            writeln!(
                sql,
                "INSERT INTO points_account_1 VALUES ('{user}', 9, {entries}, 0);"
            )
            .expect("text");
        }
    }
    database
        .connect()
        .await
        .expect("a connection")
        .run(sql.trim_end().trim_end_matches(';'))
        .await
        .expect("filled");
}

/// All users as pages of at most `rows_max` rows return them, and how many were giants.
async fn read<D: Database>(database: &D, rows_max: usize) -> (BTreeMap<String, Stored>, usize) {
    let tables = PagedTables::new(&D::DIALECT, 1, rows_max);
    let mut connection = database.connect().await.expect("a connection");
    let (mut pages, mut all, mut giants) = (Pages::new(&tables), BTreeMap::new(), 0);
    while let Some(page) = pages.next(&mut connection).await.expect("read") {
        let rows = |of: fn(&Stored) -> usize| page.users.values().map(of).sum::<usize>();
        let longest = [
            rows(|user| user.calls.len()),
            rows(|user| user.accounts.len()),
            rows(|user| user.repairs.len()),
            rows(|user| user.entries.len()),
            rows(|user| user.sign_ins.len()),
            rows(|user| user.user_awards.len()),
        ];
        assert!(
            longest.into_iter().all(|rows| rows < rows_max),
            "{longest:?}"
        );
        for (user, stored) in page.users {
            assert_eq!(
                all.insert(user, stored.by_ordinal()),
                None,
                "each user once"
            );
        }
        if let Some(user) = page.giant {
            giants += 1;
            let whole = giant(&mut connection, &mut Giant::new(&tables, user.clone(), 2)).await;
            assert_eq!(all.insert(user, whole), None, "each user once");
        }
    }
    (all, giants)
}

/// All rows of a giant, put together from its parts.
async fn giant(connection: &mut impl Connection, giant: &mut Giant<'_>) -> Stored {
    let (mut whole, mut seen) = (Stored::default(), Vec::new());
    let mut see = |call: &StoredCall| seen.push(call.clone());
    while let Some(part) = giant.next(connection, &mut see).await.expect("read") {
        assert!(part.orders.len() <= 2);
        whole.orders.extend(part.orders);
        (whole.accounts, whole.repairs) = (part.accounts, part.repairs);
        (whole.points, whole.sign_ins) = (part.points, part.sign_ins);
        whole.user_awards = part.user_awards;
        whole.entries.clear();
        let mut entries = giant.entries();
        while let Some(page) = entries.next(connection).await.expect("read") {
            whole.entries.extend(page);
        }
    }
    assert!(
        giant.is_over() && seen.is_sorted_by_key(|call| call.request.clone()),
        "{seen:?}"
    );
    whole.calls = seen;
    whole
}

async fn pages_are_whole<D: Database>(database: &D) {
    fill(database).await;
    let (expected, giants) = read(database, 1_000).await;
    assert_eq!((expected.len(), giants), (USERS.len(), 0));
    for (user, accounts, orders, repairs, entries) in USERS {
        let stored = &expected[user];
        let counts = [
            stored.accounts.len(),
            stored.orders.len(),
            stored.repairs.len(),
            stored.sign_ins.len(),
            stored.user_awards.len(),
            stored.entries.len(),
        ];
        assert_eq!(
            counts.map(|count| i64::try_from(count).expect("few")),
            [accounts, orders, repairs, repairs, repairs, entries],
            "{user}"
        );
        assert!(stored.orders.is_sorted_by_key(StoredOrder::place), "{user}");
    }
    for rows_max in 1..12 {
        let (all, giants) = read(database, rows_max).await;
        assert_eq!(all, expected, "{rows_max}");
        let longer = USERS
            .iter()
            .filter(|(_, accounts, orders, repairs, entries)| {
                let longest = *accounts.max(orders).max(repairs).max(entries);
                longest >= i64::try_from(rows_max).expect("few")
            });
        assert_eq!(giants, longer.count(), "{rows_max}");
    }
}

/// Draws that a giant makes after its first part was read are left out.
async fn giants_are_read_as_of_their_first_part<D: Database>(database: &D) {
    let tables = PagedTables::new(&D::DIALECT, 1, 2);
    let mut connection = database.connect().await.expect("a connection");
    connection
        .run("UPDATE raffle_account_1 SET used = 9 WHERE user_id = 'Big'")
        .await
        .expect("set");
    let mut parts = Giant::new(&tables, "Big".to_owned(), 4);
    let first = parts
        .next(&mut connection, |_| {})
        .await
        .expect("read")
        .expect("a part");
    let draw = "INSERT INTO raffle_call_1 VALUES ('Big', 'z', 1, 1, 1, 999, 1, 8);
         INSERT INTO raffle_order_1 VALUES (999, 'Big', 1, 1, 10, 5, 6, 't', 7, 'r', 0, 1, 0, '');
                INSERT INTO points_entry_1 VALUES ('Big', 4, 't', 1, 2, 3, '999', 5);
                UPDATE raffle_account_1 SET used = 10 WHERE user_id = 'Big'";
    database
        .connect()
        .await
        .expect("a connection")
        .run(draw)
        .await
        .expect("drawn");
    let mut orders = first.orders;
    while let Some(part) = parts.next(&mut connection, |_| {}).await.expect("read") {
        assert_eq!(part.accounts, first.accounts);
        orders.extend(part.orders);
    }
    let (mut reading, mut entries) = (parts.entries(), Vec::new());
    while let Some(page) = reading.next(&mut connection).await.expect("read") {
        entries.extend(page);
    }
    assert_eq!((orders.len(), entries.len()), (9, 3));
    assert!(orders.iter().all(|order| order.id != 999));
}

#[tokio::test]
async fn pages_of_a_sqlite_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = SqliteFile {
        path: folder.path().join("shard.sqlite"),
        access: Access::Create,
    };
    pages_are_whole(&file).await;
    giants_are_read_as_of_their_first_part(&file).await;
    let tables = PagedTables::new(&SqliteFile::DIALECT, 1, 10);
    let mut connection = file.connect().await.expect("a connection");
    for (text, value) in paged(&tables) {
        let plan = connection
            .rows(&format!("EXPLAIN QUERY PLAN {text}"), &value)
            .await
            .expect(text);
        let steps: Vec<_> = plan
            .iter()
            .map(|row| row.text(3).expect("a step"))
            .collect();
        let searched = steps
            .iter()
            .all(|step| step.starts_with("SEARCH") && step.contains("user_id"));
        assert!(searched, "{text}\n{steps:?}");
    }
}

#[tokio::test]
async fn pages_of_a_mysql_database() {
    let database: MysqlDatabase = shared_database().await;
    pages_are_whole(&database).await;
    giants_are_read_as_of_their_first_part(&database).await;
    let tables = PagedTables::new(&MysqlDatabase::DIALECT, 1, 10);
    let mut connection = database.connect().await.expect("a connection");
    for (text, value) in paged(&tables) {
        let plan = connection
            .rows(&format!("EXPLAIN FORMAT = TRADITIONAL {text}"), &value)
            .await
            .expect(text);
        assert_eq!(plan.len(), 1, "{text}");
        let column = |place| plan[0].text(place).unwrap_or_default();
        // MySQL has a column for partitions before the kind, which is empty, and one more before
        // the last.
        let (kind, extra) = if column(3).is_empty() {
            (column(4), column(11))
        } else {
            (column(3), column(9))
        };
        assert!(["range", "ref"].contains(&kind), "{text}\n{kind} {extra}");
        assert!(
            !extra.contains("filesort") && !extra.contains("temporary"),
            "{text}\n{kind} {extra}"
        );
    }
}

/// The statements that go through tables, with a value.
fn paged(tables: &PagedTables) -> [(&str, String); 13] {
    let (between, of) = (json(&("B", "d")), json(&("Big", "r")));
    let sql = &tables.sql;
    [
        (&sql.accounts.page, between.clone()),
        (&sql.calls.page, between.clone()),
        (&sql.label_repairs.page, between.clone()),
        (&sql.points_accounts.page, between.clone()),
        (&sql.points_entries.page, between.clone()),
        (&sql.sign_ins.page, between.clone()),
        (&sql.user_awards.page, between),
        (&sql.points_entries.of_user, json(&("Big", 1))),
        (&sql.sign_ins.of_user, of.clone()),
        (&sql.user_awards.of_user, of.clone()),
        (&sql.accounts.of_user, of.clone()),
        (&sql.calls.of_user, of.clone()),
        (&sql.label_repairs.of_user, of),
    ]
}
