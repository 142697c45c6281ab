//! How databases look rows up: by their keys.
use market::Kind;

use super::bench::{TABLES, sqlite};
use crate::store::migrate::conversion::paged;
use crate::store::tables::Numbered;
use crate::store::{Columns, Connection, Database, MadeTable, SqliteFile, migrate_shard};
use crate::testing::undo_calls;

async fn look_ups_use_their_keys<D: Database>(database: D, explain: &str) {
    migrate_shard(&database, TABLES)
        .await
        .expect("a fresh shard");
    let mut connection = database.connect().await.expect("a connection");
    let sql = Numbered::of(&D::DIALECT, 0);
    let made = Kind::ALL.map(|kind| (MadeTable::of(kind).of_ids)(&sql));
    let others = [
        &sql.accounts.lock_batch,
        &sql.points_accounts.lock_batch,
        &sql.points_accounts.update,
        &sql.points_accounts.of_user,
        &sql.sign_ins.lock_batch,
        &sql.sign_ins.lock,
        &sql.sign_ins.set_last,
        &sql.sign_ins.update,
        &sql.sign_ins.of_user,
        &sql.user_awards.lock_batch,
        &sql.user_awards.update,
        &sql.user_awards.of_user,
        &sql.points_entries.latest,
        &sql.calls.lock_batch,
        &sql.calls.find,
        &sql.calls.lock,
        &sql.calls.latest,
        &sql.accounts.read,
        &sql.points_accounts.read,
        &sql.accounts.update,
        &sql.orders.find,
        &sql.recharge_orders.find,
    ];
    for statement in others.into_iter().chain(made) {
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
            !plan.iter().any(|line| is_scan(line)),
            "{statement}\nscans a table: {plan:?}"
        );
    }
}

/// Whether a step reads a whole table, and not only the list of keys that it is given.
fn is_scan(line: &str) -> bool {
    // By their names, or as statements call orders.
    let tables = [
        "raffle_",
        "points_",
        "sign_in_",
        "user_award_",
        "recharge_",
        "o ",
    ];
    let scanned = line.strip_prefix("SCAN ").map(|what| format!("{what} "));
    scanned.is_some_and(|what| tables.iter().any(|table| what.starts_with(table)))
}

#[tokio::test]
async fn look_ups_use_their_keys_in_sqlite() {
    let (_folder, file) = sqlite();
    look_ups_use_their_keys(file, "EXPLAIN QUERY PLAN").await;
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
