//! Issued units by item: awards and skus are counted apart.
use market::SkuId;
use market::batch::{StockItem, Units};

use super::bench::{Bench, TABLES, activity};
use crate::store::tables::issued::IssuedStatements;
use crate::store::{Columns, Connection, Database, migrate_shard};
use crate::testing::undo_goods;

/// Rows of activity, kind, good, units.
async fn issued<D: Database>(database: &D) -> Vec<[i64; 4]> {
    let mut connection = database.connect().await.expect("a connection");
    let sql = IssuedStatements::of(&D::DIALECT).read;
    let rows = connection.rows(sql, "[]").await.expect("rows");
    rows.iter().map(numbers).collect()
}

fn numbers(row: &impl Columns) -> [i64; 4] {
    std::array::from_fn(|index| row.integer(index).expect("a number"))
}

pub(super) async fn units_of_awards_and_skus_are_counted_apart<D: Database>(database: D) {
    let mut bench = Bench::new(database.clone()).await;
    let of = activity().get().cast_signed();
    for (grant, name) in [(1, "a"), (2, "b")] {
        let mut settlement = bench.settlement(&[(name, "1")]);
        let sku = SkuId::new(101).expect("an id");
        settlement.used.push(Units {
            item: StockItem::sku(activity(), sku),
            count: 3,
        });
        bench.persist(grant, &settlement).await.expect("persisted");
    }
    assert_eq!(issued(&database).await, [[of, 0, 101, 2], [of, 1, 101, 6]]);
}

pub(super) async fn units_that_were_issued_before_there_were_skus_are_of_awards<D: Database>(
    database: D,
) {
    let mut bench = Bench::new(database.clone()).await;
    let settlement = bench.settlement(&[("a", "1"), ("b", "1")]);
    bench.persist(1, &settlement).await.expect("persisted");
    let expected = issued(&database).await;
    undo_goods(&database, TABLES).await;
    for migrated in 1..=2 {
        migrate_shard(&database, TABLES).await.expect("migrated");
        assert_eq!(issued(&database).await, expected, "{migrated}");
    }
}
