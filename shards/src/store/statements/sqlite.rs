//! The texts for SQLite.
use super::{
    AuditTemplates, Dialect, DialectKind, IdentityStatements, Issuing, SchemaTexts,
    ShardStatements, TableTemplates, texts,
};

/// SQLite 3.38 or newer (the `->>` operator).
pub const SQLITE: Dialect = Dialect {
    kind: DialectKind::Sqlite,
    table: texts!(TableTemplates in "sqlite/shard" {
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
    shard: texts!(ShardStatements in "sqlite/shard" { read_issued }),
    issuing: Issuing::FromMemory {
        count_issued: include_str!("../../../sql/sqlite/shard/count_issued.sql"),
    },
    identity: texts!(IdentityStatements in "sqlite/identity" { read_identity, write_identity, list_tables }),
    changed_row_count: 1,
    no_wait: "",
    clock: None,
    lane_per_table: false,
    audit: texts!(AuditTemplates in "sqlite/audit" {
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
    by_request: "INDEXED BY raffle_order_request_{table}",
    schema: SchemaTexts {
        find_versions: "SELECT name FROM sqlite_schema WHERE name = 'schema_version'",
        meta: &[
            include_str!("../../../sql/sqlite/schema/meta_0001_once.sql"),
            include_str!("../../../sql/sqlite/schema/meta_0002_switches.sql"),
            include_str!("../../../sql/sqlite/schema/meta_0003_audit_log.sql"),
            include_str!("../../../sql/sqlite/schema/identity.sql"),
            include_str!("../../../sql/sqlite/schema/meta_0005_fleet.sql"),
            include_str!("../../../sql/sqlite/schema/meta_0006_campaign_key.sql"),
        ],
        shard: &[
            (
                include_str!("../../../sql/sqlite/schema/shard_0001_once.sql"),
                include_str!("../../../sql/sqlite/schema/shard_0001_tables.sql"),
            ),
            (
                "",
                include_str!("../../../sql/sqlite/schema/shard_0002_tables.sql"),
            ),
            (
                include_str!("../../../sql/sqlite/schema/shard_0003_once.sql"),
                "",
            ),
            (include_str!("../../../sql/sqlite/schema/identity.sql"), ""),
            (
                "",
                include_str!("../../../sql/sqlite/schema/shard_0005_tables.sql"),
            ),
        ],
    },
};
