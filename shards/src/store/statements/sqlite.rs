//! The texts for SQLite.
use super::{Dialect, MetaStatements, SchemaTexts, ShardStatements, TableTemplates, texts};

/// SQLite 3.38 or newer (the `->>` operator).
pub const SQLITE: Dialect = Dialect {
    table: texts!(TableTemplates in "sqlite/shard" {
        lock_accounts,
        read_accounts,
        find_orders,
        find_orders_by_id,
        insert_accounts,
        update_accounts,
        insert_orders,
        scan_draws,
        scan_repeated_requests,
    }),
    shard: texts!(ShardStatements in "sqlite/shard" {
        insert_grant,
        void_grant,
        read_grant,
        read_last_grant,
        read_issued,
    }),
    after_grant: &[
        include_str!("../../../sql/sqlite/shard/forget_grants.sql"),
        include_str!("../../../sql/sqlite/shard/count_issued.sql"),
    ],
    changed_row_count: 1,
    lane_per_table: false,
    meta: texts!(MetaStatements in "sqlite/meta" {
        claim_run,
        read_run,
        read_slot_map,
        insert_slot_map,
        lock_revision,
        read_revision,
        raise_revision,
        read_campaigns,
        read_campaign_versions,
        insert_campaign,
        insert_operation,
        last_operation,
        read_totals,
        read_published_counts,
        read_waiting_operations,
        read_operation,
        read_operations,
        apply_operation,
        forget_pictures,
        write_picture,
        read_picture,
        read_switches,
        update_switch,
        insert_switch,
        insert_switch_change,
        read_switch_changes,
    }),
    schema: SchemaTexts {
        find_versions: "SELECT name FROM sqlite_schema WHERE name = 'schema_version'",
        meta: &[
            include_str!("../../../sql/sqlite/schema/meta_0001_once.sql"),
            include_str!("../../../sql/sqlite/schema/meta_0002_switches.sql"),
        ],
        shard: &[(
            include_str!("../../../sql/sqlite/schema/shard_0001_once.sql"),
            include_str!("../../../sql/sqlite/schema/shard_0001_tables.sql"),
        )],
    },
};
