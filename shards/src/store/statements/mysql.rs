//! The texts for MySQL and MariaDB.
//!
//! House rules, each learned the hard way: the array of rows is joined first (`STRAIGHT_JOIN`) and
//! the table by a named key (`FORCE INDEX`), because a small table is scanned otherwise, which
//! locks it whole. Every text says `utf8mb4_bin`. What locks (`FOR UPDATE`) has its `JSON_TABLE` in
//! a query of its own, which MySQL asks for. Sums and places are cast to signed numbers.
use super::{
    Dialect, DialectKind, GatewayStatements, IdentityStatements, Issuing, MetaStatements,
    SchemaTexts, ShardChange, texts,
};

/// MySQL 8.0.21 and MariaDB 10.6, or newer. Only what both understand.
pub const MYSQL: Dialect = Dialect {
    kind: DialectKind::Mysql,
    issuing: Issuing::FromServers,
    identity: texts!(IdentityStatements in "mysql/identity" { read_identity, write_identity, list_tables }),
    changed_row_count: 2,
    no_wait: "NOWAIT",
    clock: Some(include_str!("../../../sql/mysql/clock/read.sql")),
    lane_per_table: true,
    meta: texts!(MetaStatements in "mysql/meta" {
        claim_run,
        read_run,
        raise_runs,
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
        forget_snapshots,
        write_snapshot,
        read_snapshot,
        read_switches,
        update_switch,
        insert_switch,
        insert_switch_change,
        delete_switch,
        read_switch_changes,
        insert_trail_entry,
        read_trail,
        read_fleet_settings,
        count_fleet_settings,
        put_fleet_setting,
        delete_fleet_setting,
        delete_expired_fleet_settings,
    }),
    schema: SchemaTexts {
        find_versions: "SHOW TABLES LIKE 'schema_version'",
        meta: &[
            include_str!("../../../sql/mysql/schema/meta_0001_once.sql"),
            include_str!("../../../sql/mysql/schema/meta_0002_switches.sql"),
            include_str!("../../../sql/mysql/schema/identity.sql"),
            include_str!("../../../sql/mysql/schema/meta_0004_fleet.sql"),
        ],
        shard: &[
            ShardChange::Texts(
                include_str!("../../../sql/mysql/schema/shard_0001_once.sql"),
                include_str!("../../../sql/mysql/schema/shard_0001_tables.sql"),
            ),
            ShardChange::Texts(
                "",
                include_str!("../../../sql/mysql/schema/shard_0002_tables.sql"),
            ),
            ShardChange::Texts(
                include_str!("../../../sql/mysql/schema/shard_0003_once.sql"),
                "",
            ),
            ShardChange::Texts(include_str!("../../../sql/mysql/schema/identity.sql"), ""),
            ShardChange::Texts(
                "",
                include_str!("../../../sql/mysql/schema/shard_0005_tables.sql"),
            ),
            ShardChange::Texts(
                "",
                include_str!("../../../sql/mysql/schema/shard_0006_tables.sql"),
            ),
            ShardChange::Calls,
            ShardChange::Texts(
                "",
                include_str!("../../../sql/mysql/schema/shard_0008_tables.sql"),
            ),
        ],
    },
};

/// What the gateways of a cluster report of themselves. The embedded default has one, which
/// remembers its own report.
pub const MYSQL_GATEWAYS: GatewayStatements = texts!(GatewayStatements in "mysql/gateways" {
    put_gateway,
    update_gateway,
    read_gateways,
    read_instance,
    delete_gateway,
    sweep_gateways,
});
