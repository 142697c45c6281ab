//! Schema changes are not transactional in MySQL, so they can be repeated.
use super::{connect, impatient, number, shard};
use crate::store::conformance::TABLES;
use crate::store::migrate::conversion::paged;
use crate::store::tables::issued::COUNTERS;
use crate::store::{
    Columns, Connection, Database, MYSQL, MigrateError, MysqlDatabase, check_meta, check_shard,
    migrate_meta, migrate_shard,
};
use crate::testing::{shared_database, undo_calls};

async fn empty() -> MysqlDatabase {
    impatient(&shared_database().await)
}

const COUNT_TABLES: &str =
    "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()";

#[tokio::test]
async fn a_migration_that_died_half_way_is_finished_by_the_next() {
    let whole = shard().await;
    let text = MYSQL.shard_change(0, TABLES).expect("the first change");
    let statements: Vec<&str> = text.split(";\n").collect();
    for done in [1, 2, 4, statements.len() - 1, statements.len()] {
        let database = empty().await;
        connect(&database)
            .await
            .run(&statements[..done].join(";\n"))
            .await
            .expect("a part of it");
        migrate_shard(&database, TABLES).await.expect("the rest");
        assert_eq!(
            number(&database, COUNT_TABLES).await,
            number(&whole, COUNT_TABLES).await
        );
        assert_eq!(
            number(&database, "SELECT COUNT(*) FROM stock_epoch").await,
            16
        );
        check_shard(&database).await.expect("up to date");
    }
}

#[tokio::test]
async fn a_change_of_tables_that_died_half_way_is_finished_by_the_next() {
    let whole = shard().await;
    let text = MYSQL.shard_change(1, TABLES).expect("the second change");
    let statements: Vec<&str> = text.split(";\n").collect();
    // Four statements for each table: after none, some and all of them.
    for done in [0, 1, 3, 4, 6, statements.len()] {
        let database = empty().await;
        let mut connection = connect(&database).await;
        connection
            .run(&MYSQL.shard_change(0, TABLES).expect("the first change"))
            .await
            .expect("made");
        connection
            .run("CREATE TABLE schema_version (version INTEGER NOT NULL PRIMARY KEY); INSERT INTO schema_version VALUES (1)")
            .await
            .expect("noted");
        if done > 0 {
            connection
                .run(&statements[..done].join(";\n"))
                .await
                .expect("a part of it");
        }
        drop(connection);
        migrate_shard(&database, TABLES).await.expect("the rest");
        let tables = number(&whole, COUNT_TABLES).await;
        assert_eq!(number(&database, COUNT_TABLES).await, tables);
        check_shard(&database).await.expect("up to date");
    }
}

/// A shard of the version before, with units that were counted and units that were not yet.
const BEFORE: &str = "
    CREATE TABLE schema_version (version INTEGER NOT NULL PRIMARY KEY);
    INSERT INTO schema_version VALUES (1), (2);
    INSERT INTO award_issued (activity_id, award_id, server, segment, issued)
    VALUES (1, 101, 1, 0, 40), (1, 101, 2, 1, 50), (1, 103, 1, 2, 1);
    INSERT INTO stock_grant (server, grant_id, void, epoch, units) VALUES
        (0, 7, 0, 0, '[]'), (1, 7, 0, 3, '[[1,101,0,4],[1,103,2,1]]'), (2, 7, 0, 5, '[[1,101,1,2]]'),
        (0, 8, 0, 0, '[]'), (2, 8, 0, 5, '[[2,9,1,6]]'),
        (0, 9, 0, 0, '[]'),
        (0, 10, 1, 0, '[]'), (1, 11, 1, 0, '[]')";

#[tokio::test]
async fn issued_units_of_the_version_before_are_moved_once() {
    let text = MYSQL.shard_change(2, TABLES).expect("the third change");
    let statements: Vec<&str> = text.split(";\n").collect();
    for done in 0..=statements.len() {
        let database = empty().await;
        let mut connection = connect(&database).await;
        for version in [0, 1] {
            connection
                .run(&MYSQL.shard_change(version, TABLES).expect("a change"))
                .await
                .expect("made");
        }
        connection.run(BEFORE).await.expect("used");
        if done > 0 {
            connection
                .run(&statements[..done].join(";\n"))
                .await
                .expect("a part of it");
        }
        drop(connection);
        migrate_shard(&database, TABLES).await.expect("the rest");
        check_shard(&database).await.expect("up to date");
        let mut connection = connect(&database).await;
        let rows = connection
            .rows(COUNTERS.read_of_server, "[[1]]")
            .await
            .expect("read");
        let issued = |rows: &[_]| rows.iter().map(|row| numbers(row, 5)).collect::<Vec<_>>();
        assert_eq!(
            issued(&rows),
            [[1, 0, 101, 0, 44], [1, 0, 103, 2, 2]],
            "after {done}"
        );
        let rows = connection
            .rows(COUNTERS.read_of_server, "[[2]]")
            .await
            .expect("read");
        assert_eq!(
            issued(&rows),
            [[1, 0, 101, 1, 52], [2, 0, 9, 1, 6]],
            "after {done}"
        );
        let receipts =
            "SELECT CAST(grant_id AS SIGNED), void, units FROM stock_receipt ORDER BY grant_id";
        let rows = connection.rows(receipts, "[]").await.expect("read");
        let found: Vec<_> = rows
            .iter()
            .map(|row| (numbers(row, 2), row.text(2).expect("a text").to_owned()))
            .collect();
        let both = "[[1,3,[[1,101,0,4],[1,103,2,1]]],[2,5,[[1,101,1,2]]]]";
        let expected = [
            (7, 0, both),
            (8, 0, "[[2,5,[[2,9,1,6]]]]"),
            (10, 1, "[]"),
            (11, 1, "[]"),
        ];
        assert_eq!(
            found,
            expected.map(|(grant, void, units)| (vec![grant, void], units.to_owned())),
            "after {done}"
        );
        let old = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE()
                   AND (table_name LIKE 'stock_grant%' OR table_name LIKE 'award_issued%')";
        assert_eq!(number(&database, old).await, 0);
    }
}

fn numbers(row: &impl Columns, count: usize) -> Vec<i64> {
    (0..count)
        .map(|index| row.integer(index).expect("a number"))
        .collect()
}

#[tokio::test]
async fn a_gateway_of_the_version_before_that_still_runs_commits_nothing_more() {
    let text = MYSQL.shard_change(2, TABLES).expect("the third change");
    let statements: Vec<&str> = text.split(";\n").collect();
    let database = empty().await;
    let mut connection = connect(&database).await;
    for version in [0, 1] {
        connection
            .run(&MYSQL.shard_change(version, TABLES).expect("a change"))
            .await
            .expect("made");
    }
    connection.run(BEFORE).await.expect("used");
    let first_move = statements
        .iter()
        .position(|text| text.trim_start().starts_with("INSERT"))
        .expect("it moves");
    connection
        .run(&statements[..first_move].join(";\n"))
        .await
        .expect("a part of it");
    let mut old = connect(&database).await;
    let noted =
        old.run("INSERT INTO stock_grant (server, grant_id, void, epoch, units) VALUES (1, 12, 0, 0, '[]')").await;
    assert!(noted.is_err());
}

#[tokio::test]
async fn orders_are_converted_in_the_order_of_their_key() {
    let database = shard().await;
    undo_calls(&database, TABLES).await;
    let mut connection = connect(&database).await;
    let tables = MYSQL.shard_change(5, TABLES).expect("a text");
    connection.run(&tables).await.expect("made");
    let convert = paged(&MYSQL, 0, 10).convert;
    let plan = connection
        .rows(
            &format!("EXPLAIN FORMAT = TRADITIONAL {convert}"),
            r#"["a","b"]"#,
        )
        .await
        .expect("a plan");
    let lines: Vec<String> = plan
        .iter()
        .map(|row| {
            (0..12)
                .filter_map(|index| row.text(index).ok())
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    let orders = lines.iter().find(|line| line.contains("raffle_order_0"));
    let orders = orders.expect("it reads orders");
    assert!(orders.contains("raffle_order_to_convert"), "{lines:?}");
    assert!(
        !lines
            .iter()
            .any(|line| line.contains("filesort") || line.contains("temporary")),
        "{lines:?}"
    );
}

/// Each of the steps may be the last of a program.
#[tokio::test]
async fn tables_of_calls_that_were_made_half_way_are_finished() {
    for change in [5, 7] {
        let text = MYSQL.shard_change(change, TABLES).expect("a change");
        let statements: Vec<&str> = text.split(";\n").collect();
        for done in [1, 5, 9, statements.len()] {
            let database = shard().await;
            undo_calls(&database, TABLES).await;
            let mut connection = connect(&database).await;
            if change == 7 {
                let tables = MYSQL.shard_change(5, TABLES).expect("a text");
                let noted = "INSERT INTO schema_version VALUES (6), (7)";
                connection
                    .run(&format!("{tables};\n{noted}"))
                    .await
                    .expect("made");
            }
            let some = statements[..done].join(";\n");
            connection.run(&some).await.expect("a part of it");
            drop(connection);
            migrate_shard(&database, TABLES).await.expect("the rest");
            let left = "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()
                        AND table_name LIKE 'raffle\\_order\\_%' AND column_name IN ('request_id', 'seq')";
            assert_eq!(number(&database, left).await, 0, "{change} {done}");
        }
    }
}

#[tokio::test]
async fn repeating_a_change_keeps_what_is_there() {
    let database = empty().await;
    migrate_meta(&database).await.expect("migrated");
    let mut connection = connect(&database).await;
    connection
        .run("UPDATE id_run SET claimed = 7; UPDATE stock_server SET epoch = 3")
        .await
        .expect("used");
    // As if the program had died before it wrote the version.
    connection
        .run("DELETE FROM schema_version")
        .await
        .expect("forgotten");
    migrate_meta(&database).await.expect("repeated");
    assert_eq!(number(&database, "SELECT claimed FROM id_run").await, 7);
    assert_eq!(
        number(
            &database,
            "SELECT CAST(SUM(epoch) AS SIGNED) FROM stock_server"
        )
        .await,
        45
    );
}

#[tokio::test]
async fn migrations_take_turns_and_outlive_a_program_that_dies() {
    let database = empty().await;
    let mut first = connect(&database).await;
    first.begin_schema_change().await.expect("its turn");
    let waiting = tokio::spawn({
        let database = database.clone();
        async move { migrate_shard(&database, TABLES).await }
    });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(!waiting.is_finished());
    assert_eq!(number(&database, COUNT_TABLES).await, 0);
    drop(first);
    waiting.await.expect("no panic").expect("its turn");
    check_shard(&database).await.expect("up to date");
}

#[tokio::test]
async fn a_schema_that_is_not_this_programs_is_reported() {
    let database = empty().await;
    let changes = MYSQL.schema.meta.len();
    let fresh = check_meta(&database).await;
    assert!(
        matches!(fresh, Err(MigrateError::TooOld { found: 0, known }) if known == changes),
        "{fresh:?}"
    );
    assert_eq!(
        number(&database, COUNT_TABLES).await,
        0,
        "a check changes nothing"
    );
    migrate_meta(&database).await.expect("migrated");
    check_meta(&database).await.expect("up to date");
    connect(&database)
        .await
        .run("INSERT INTO schema_version VALUES (999)")
        .await
        .expect("planted");
    let newer = check_meta(&database).await;
    assert!(
        matches!(newer, Err(MigrateError::TooNew { found: 999, known }) if known == changes),
        "{newer:?}"
    );
    let absent = database.with(|options| options.database = "absent".to_owned());
    assert!(matches!(
        check_meta(&absent).await,
        Err(MigrateError::Store(_))
    ));
    assert!(absent.connect().await.is_err());
}
