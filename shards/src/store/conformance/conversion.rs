//! Orders of the version before get their calls, page by page.
use market::batch::Slots;
use market::{DrawCount, MadeCall, Order};

use super::bench::{Bench, TABLES, calls_for, change_orders, gather};
use crate::store::migrate::conversion::{paged, write_page};
use crate::store::tables::orders::OrderStatements;
use crate::store::{
    Columns, Connection, ConversionProgress, Database, PersistError, ShardStore, StoreError,
    check_shard, migrate_shard, migrate_shard_watched,
};
use crate::testing::{undo_calls, without_promises};

/// Request ids of each of the users, with the draws that each of them asked for.
const REQUESTS: [(&str, u8); 4] = [("ten", 10), ("one", 1), ("three", 3), ("One", 1)];
const USERS: usize = 12;

/// Twelve users with four calls each.
async fn filled<D: Database>(bench: &mut Bench<D>, names: &[String]) {
    for (grant, (request, draws)) in (1..).zip(REQUESTS) {
        let calls: Vec<_> = names.iter().map(|name| (&**name, request, draws)).collect();
        let mut settlement = calls_for(bench, &calls);
        if grant > 1 {
            settlement.rows.accounts = Slots::new(Vec::new(), Vec::new());
        }
        // One call got less than it asked for.
        let less = |order: &Order| request == "three" && order.user.as_str() == "u3";
        let five = DrawCount::new(5).expect("a count");
        change_orders(&mut settlement, |order| {
            if less(order) {
                order.asked = five;
            }
        });
        bench.persist(grant, &settlement).await.expect("persisted");
    }
}

pub(super) async fn a_conversion_that_was_cut_off_continues<D: Database>(database: D) {
    let names: Vec<String> = (0..USERS).map(|number| format!("u{number}")).collect();
    let mut bench = Bench::new(database.clone()).await;
    filled(&mut bench, &names).await;
    let asked: Vec<(&str, &str)> = names
        .iter()
        .flat_map(|name| REQUESTS.map(|(request, _)| (&**name, request)))
        .collect();
    let before = bench.prefetch(&gather(&asked)).await.expect("read").calls;
    bench.store.undo().await;
    assert!(before.iter().all(Option::is_some));
    drop(bench);
    undo_calls(&database, TABLES).await;
    cut_off(&database).await;

    let progress = ConversionProgress::default();
    migrate_shard_watched(&database, TABLES, &progress)
        .await
        .expect("the rest");
    check_shard(&database).await.expect("up to date");
    let calls = (names.len() * REQUESTS.len()) as u64;
    assert_eq!(progress.tables(), u64::from(TABLES));
    assert_eq!(progress.tables_done(), u64::from(TABLES));
    assert!(
        (1..calls).contains(&progress.calls()),
        "some were there: {}",
        progress.calls()
    );
    let mut bench = Bench::of_run(database.clone(), 2);
    let after = bench.prefetch(&gather(&asked)).await.expect("read").calls;
    bench.store.undo().await;
    let before = before.into_iter().flatten().map(|earlier| MadeCall {
        made: without_promises(&earlier.made),
        ..earlier
    });
    assert_eq!(after, before.map(Some).collect::<Vec<_>>());
    each_order_has_a_call(&database).await;
    // The key of calls does what the key of orders did.
    let mut again = calls_for(&mut bench, &[("u1", "ten", 1)]);
    again.rows.accounts = Slots::new(Vec::new(), Vec::new());
    let refused = bench.persist(9, &again).await;
    assert!(
        matches!(refused, Err(PersistError::Undone(StoreError::Conflict(_)))),
        "{refused:?}"
    );
}

/// As if a migration had died after two pages of a table.
async fn cut_off<D: Database>(database: &D) {
    let mut connection = database.connect().await.expect("a connection");
    let tables = D::DIALECT.shard_change(5, TABLES).expect("a text");
    let noted = "INSERT INTO schema_version VALUES (6)";
    connection
        .run(&format!("{tables};\n{noted}"))
        .await
        .expect("made");
    for _ in 0..2 {
        let sql = paged(&D::DIALECT, fullest(database).await, 3);
        assert_eq!(write_page(&mut connection, &sql).await, Ok(3));
    }
}

/// The table with the most orders.
async fn fullest<D: Database>(database: &D) -> u16 {
    let mut connection = database.connect().await.expect("a connection");
    let mut counts = Vec::new();
    for table in 0..TABLES {
        let count = format!("SELECT COUNT(*) FROM raffle_order_{table}");
        let rows = connection.rows(&count, "[]").await.expect("a count");
        counts.push((rows[0].integer(0).expect("a number"), table));
    }
    counts.iter().max().expect("some").1
}

async fn each_order_has_a_call<D: Database>(database: &D) {
    let mut connection = database.connect().await.expect("a connection");
    for table in 0..TABLES {
        let sql = OrderStatements::of(&D::DIALECT, table);
        let counts = connection.rows(&sql.count, "[]").await.expect("counts");
        assert_eq!(counts[0].integer(0), counts[0].integer(1), "{table}");
        let strays = connection.rows(&sql.strays, "[]").await.expect("none");
        assert!(strays.is_empty());
    }
}

/// A second run of the same change finds nothing to do.
pub(super) async fn a_conversion_is_made_once<D: Database>(database: D) {
    let names = ["a".to_owned(), "b".to_owned()];
    let mut bench = Bench::new(database.clone()).await;
    filled(&mut bench, &names).await;
    drop(bench);
    undo_calls(&database, TABLES).await;
    let (one, two) = tokio::join!(
        migrate_shard(&database, TABLES),
        migrate_shard(&database, TABLES)
    );
    one.and(two).expect("two at once take turns");
    each_order_has_a_call(&database).await;
    let progress = ConversionProgress::default();
    migrate_shard_watched(&database, TABLES, &progress)
        .await
        .expect("nothing to do");
    assert_eq!((progress.tables(), progress.calls()), (0, 0));
}
