//! The texts for MySQL and MariaDB.
//!
//! House rules, each learned the hard way: the array of rows is joined first (`STRAIGHT_JOIN`) and
//! the table by a named key (`FORCE INDEX`), because a small table is scanned otherwise, which
//! locks it whole. Every text says `utf8mb4_bin`. What locks (`FOR UPDATE`) has its `JSON_TABLE` in
//! a query of its own, which MySQL asks for. Sums and places are cast to signed numbers.
use super::{
    AuditTemplates, Dialect, DialectKind, IdentityStatements, Issuing, ReceiptStatements,
    SchemaTexts, ShardStatements, StockStatements, TableTemplates, texts,
};

/// MySQL 8.0.21 and MariaDB 10.6, or newer. Only what both understand.
pub const MYSQL: Dialect = Dialect {
    kind: DialectKind::Mysql,
    table: texts!(TableTemplates in "mysql/shard" {
        lock_batch,
        find_held,
        read_accounts,
        find_orders,
        find_orders_by_id,
        find_latest_orders,
        insert_accounts,
        update_accounts,
        insert_orders,
        lock_order,
        read_last_order,
        scan_versions,
    }),
    shard: texts!(ShardStatements in "mysql/shard" { read_issued }),
    issuing: Issuing::FromServers(texts!(ReceiptStatements in "mysql/shard" {
        hold_epochs,
        insert_receipt,
        read_receipt,
        read_last_receipt,
        count_issued,
        delete_receipts,
    })),
    identity: texts!(IdentityStatements in "mysql/identity" { read_identity, write_identity, list_tables }),
    changed_row_count: 2,
    no_wait: "NOWAIT",
    clock: Some(include_str!("../../../sql/mysql/shard/read_clock.sql")),
    lane_per_table: true,
    audit: texts!(AuditTemplates in "mysql/audit" {
        page_accounts,
        page_orders,
        page_label_repairs,
        accounts_of,
        orders_of,
        label_repairs_of,
        find_request_key,
        read_clock,
        lock_account,
        insert_label_repair,
        mend_label,
    }),
    by_request: "FORCE INDEX (raffle_order_request)",
    schema: SchemaTexts {
        find_versions: "SHOW TABLES LIKE 'schema_version'",
        meta: &[
            include_str!("../../../sql/mysql/schema/meta_0001_once.sql"),
            include_str!("../../../sql/mysql/schema/meta_0002_switches.sql"),
            include_str!("../../../sql/mysql/schema/identity.sql"),
            include_str!("../../../sql/mysql/schema/meta_0004_fleet.sql"),
            include_str!("../../../sql/mysql/schema/meta_0005_campaign_key.sql"),
        ],
        shard: &[
            (
                include_str!("../../../sql/mysql/schema/shard_0001_once.sql"),
                include_str!("../../../sql/mysql/schema/shard_0001_tables.sql"),
            ),
            (
                "",
                include_str!("../../../sql/mysql/schema/shard_0002_tables.sql"),
            ),
            (
                include_str!("../../../sql/mysql/schema/shard_0003_once.sql"),
                "",
            ),
            (include_str!("../../../sql/mysql/schema/identity.sql"), ""),
            (
                "",
                include_str!("../../../sql/mysql/schema/shard_0005_tables.sql"),
            ),
        ],
    },
};

/// A shard's side of the stock that lies on servers.
pub const MYSQL_STOCK: StockStatements = texts!(StockStatements in "mysql/shard" {
    raise_epoch,
    read_epoch,
    read_issued_of,
    old_receipts,
    count_old_receipts,
    old_void_receipts,
    delete_void_receipts,
    idle_counters,
    lock_counters,
    delete_counters,
});
