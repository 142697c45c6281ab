//! Databases as earlier versions left them.
use market::{Made, Order};

use crate::store::{Connection, Database, DialectKind};

/// What a call made, as it is when its orders are from before orders said what they promise.
pub(crate) fn without_promises(made: &Made) -> Made {
    let before = |order: &Order| Order {
        promise: None,
        config: None,
        ..order.clone()
    };
    match made {
        Made::Draws(orders) => Made::Draws(orders.iter().map(before).collect()),
        Made::Recharges(_) => made.clone(),
    }
}

/// How many schema changes a shard had before stock said award or sku.
const SHARD_BEFORE_GOODS: usize = 8;

/// Takes a shard back to the schema in which all stock was of awards, and no user had points. Units
/// of skus and points are lost.
pub(crate) async fn undo_goods<D: Database>(shard: &D, tables: u16) {
    let undo = match D::DIALECT.kind {
        DialectKind::Mysql => {
            "DELETE FROM stock_issued WHERE good_kind > 0;
             ALTER TABLE stock_issued
                 DROP PRIMARY KEY,
                 DROP COLUMN good_kind,
                 CHANGE COLUMN good_id award_id BIGINT NOT NULL,
                 ADD PRIMARY KEY (server, activity_id, award_id, segment, run, lane);"
        }
        DialectKind::Sqlite => {
            "CREATE TABLE award_issued (
                 activity_id INTEGER NOT NULL,
                 award_id    INTEGER NOT NULL,
                 issued      INTEGER NOT NULL,
                 PRIMARY KEY (activity_id, award_id)
             ) STRICT, WITHOUT ROWID;
             INSERT INTO award_issued (activity_id, award_id, issued)
             SELECT activity_id, good_id, issued FROM stock_issued WHERE good_kind = 0;
             DROP TABLE stock_issued;"
        }
    };
    let points: String = (0..tables)
        .map(|table| UNDO_POINTS.replace("{table}", &table.to_string()))
        .collect();
    let sql =
        format!("{points} {undo} DELETE FROM schema_version WHERE version > {SHARD_BEFORE_GOODS}");
    let mut connection = shard.connect().await.expect("a connection");
    connection.run(&sql).await.expect("taken back");
}

const UNDO_POINTS: &str = "
    DROP TABLE points_account_{table};
    DROP TABLE points_entry_{table};
    DROP TABLE sign_in_{table};
    DROP TABLE user_award_{table};
    ALTER TABLE raffle_order_{table} DROP COLUMN promise;
    ALTER TABLE raffle_order_{table} DROP COLUMN points;
    ALTER TABLE raffle_order_{table} DROP COLUMN award_config;
    ALTER TABLE recharge_order_{table} DROP COLUMN points;
    ALTER TABLE recharge_order_{table} DROP COLUMN sku;
    ALTER TABLE recharge_order_{table} DROP COLUMN behaviour;
    ALTER TABLE recharge_order_{table} DROP COLUMN business_no;
    ALTER TABLE recharge_order_{table} DROP COLUMN streak;";

/// Takes a meta database back to the schema in which all stock was of awards, and there were no
/// blacklists. What became stock of skus is lost.
pub(crate) async fn undo_goods_in_meta<D: Database>(meta: &D) {
    let undo = match D::DIALECT.kind {
        DialectKind::Mysql => META_IN_MYSQL,
        DialectKind::Sqlite => META_IN_SQLITE,
    };
    let changes = D::DIALECT.schema.meta.iter();
    let before = changes
        .take_while(|change| !change.contains("stock_operation_item"))
        .count();
    let sql = format!("{undo} DELETE FROM schema_version WHERE version > {before}");
    let mut connection = meta.connect().await.expect("a connection");
    connection.run(&sql).await.expect("taken back");
}

const META_IN_MYSQL: &str = "
    DROP TABLE blacklist, blacklist_user;
    DELETE d FROM stock_delivery AS d JOIN stock_operation AS o ON o.operation_id = d.operation_id
    WHERE o.good_kind > 0;
    DELETE FROM stock_operation WHERE good_kind > 0;
    DELETE FROM stock_segment WHERE good_kind > 0;
    DELETE FROM stock_picture WHERE good_kind > 0;
    ALTER TABLE stock_operation
        DROP CONSTRAINT stock_operation_units,
        DROP KEY stock_operation_item,
        DROP COLUMN good_kind,
        CHANGE COLUMN good_id award_id BIGINT NOT NULL,
        MODIFY COLUMN units BIGINT NOT NULL CHECK (units > 0),
        ADD KEY stock_operation_prize (activity_id, award_id);
    ALTER TABLE stock_segment
        DROP PRIMARY KEY,
        DROP COLUMN good_kind,
        CHANGE COLUMN good_id award_id BIGINT NOT NULL,
        ADD PRIMARY KEY (activity_id, award_id, segment);
    ALTER TABLE stock_picture
        DROP PRIMARY KEY,
        DROP COLUMN good_kind,
        CHANGE COLUMN good_id award_id BIGINT NOT NULL,
        ADD PRIMARY KEY (activity_id, award_id);";

const META_IN_SQLITE: &str = "
    DROP TABLE blacklist;
    DROP TABLE blacklist_user;
    CREATE TABLE stock_operation_before (
        operation_id INTEGER NOT NULL PRIMARY KEY,
        activity_id  INTEGER NOT NULL,
        award_id     INTEGER NOT NULL,
        kind         TEXT    NOT NULL CHECK (kind IN ('publish', 'add', 'withdraw')),
        units        INTEGER NOT NULL CHECK (units > 0),
        applied      INTEGER,
        who          TEXT    NOT NULL,
        why          TEXT    NOT NULL,
        at_ms        INTEGER NOT NULL
    ) STRICT;
    INSERT INTO stock_operation_before
    SELECT operation_id, activity_id, good_id, kind, units, applied, who, why, at_ms
    FROM stock_operation WHERE good_kind = 0;
    DROP TABLE stock_operation;
    ALTER TABLE stock_operation_before RENAME TO stock_operation;
    CREATE INDEX stock_operation_prize ON stock_operation (activity_id, award_id);
    CREATE TABLE stock_picture_before (
        activity_id INTEGER NOT NULL,
        award_id    INTEGER NOT NULL,
        total       INTEGER NOT NULL,
        units_left  INTEGER NOT NULL,
        open_units  INTEGER NOT NULL,
        issued      INTEGER NOT NULL,
        at_ms       INTEGER NOT NULL,
        PRIMARY KEY (activity_id, award_id)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO stock_picture_before
    SELECT activity_id, good_id, total, units_left, open_units, issued, at_ms
    FROM stock_picture WHERE good_kind = 0;
    DROP TABLE stock_picture;
    ALTER TABLE stock_picture_before RENAME TO stock_picture;";

/// Takes a shard back to the schema from before there were calls, with its orders: they had a unique
/// key. An order without a call becomes one for one draw, with its number as the request id. Grants
/// are lost.
pub(crate) async fn undo_calls<D: Database>(shard: &D, tables: u16) {
    undo_goods(shard, tables).await;
    let undo = match D::DIALECT.kind {
        DialectKind::Mysql => IN_MYSQL,
        DialectKind::Sqlite => IN_SQLITE,
    };
    let sql: String = (0..tables)
        .map(|table| undo.replace("{table}", &table.to_string()))
        .collect();
    let sql = format!("{sql} DELETE FROM schema_version WHERE version > 5");
    let mut connection = shard.connect().await.expect("a connection");
    connection.run(&sql).await.expect("taken back");
}

const IN_MYSQL: &str = "
    ALTER TABLE raffle_order_{table}
        ADD COLUMN request_id VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '',
        ADD COLUMN created_at_ms BIGINT NOT NULL DEFAULT 1,
        ADD COLUMN seq TINYINT UNSIGNED NOT NULL DEFAULT 0,
        ADD COLUMN asked TINYINT UNSIGNED NOT NULL DEFAULT 1;
    UPDATE raffle_order_{table} SET request_id = order_id;
    UPDATE raffle_order_{table} AS o JOIN raffle_call_{table} AS c
        ON c.user_id = o.user_id AND c.kind = 1
           AND o.order_id >= c.first_id AND o.order_id < c.first_id + 1024 * c.made
    SET o.request_id = c.request_id, o.created_at_ms = c.created_at_ms,
        o.seq = (o.order_id - c.first_id) DIV 1024, o.asked = c.asked;
    DROP TABLE raffle_call_{table}, recharge_order_{table};
    ALTER TABLE raffle_order_{table} ADD UNIQUE KEY raffle_order_request (user_id, request_id, seq);";

const IN_SQLITE: &str = "
    ALTER TABLE raffle_order_{table} ADD COLUMN request_id TEXT NOT NULL DEFAULT '';
    ALTER TABLE raffle_order_{table} ADD COLUMN created_at_ms INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE raffle_order_{table} ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE raffle_order_{table} ADD COLUMN asked INTEGER NOT NULL DEFAULT 1;
    UPDATE raffle_order_{table} SET request_id = order_id;
    UPDATE raffle_order_{table} AS o
    SET request_id = c.request_id, created_at_ms = c.created_at_ms,
        seq = (o.order_id - c.first_id) / 1024, asked = c.asked
    FROM raffle_call_{table} AS c
    WHERE c.user_id = o.user_id AND c.kind = 1
      AND o.order_id >= c.first_id AND o.order_id < c.first_id + 1024 * c.made;
    DROP TABLE raffle_call_{table};
    DROP TABLE recharge_order_{table};
    CREATE UNIQUE INDEX raffle_order_request_{table} ON raffle_order_{table} (user_id, request_id, seq);";
