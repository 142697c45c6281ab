//! Shards as the version before left them: their orders had a unique key, and there were no calls.
use crate::store::{Connection, Database, DialectKind};

/// Takes a shard back to the schema from before there were calls, with its orders. An order without
/// a call becomes one for one draw, with its number as the request id. Grants are lost.
pub(crate) async fn undo_calls<D: Database>(shard: &D, tables: u16) {
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
