//! The texts for SQLite.
use super::dialect::{
    Dialect, DialectKind, IdentityStatements, Issuing, SchemaTexts, ShardChange, texts,
};

/// SQLite 3.38 or newer (the `->>` operator).
pub const SQLITE: Dialect = Dialect {
    kind: DialectKind::Sqlite,
    issuing: Issuing::FromMemory,
    identity: texts!(IdentityStatements in "sqlite/identity" { read_identity, write_identity, list_tables }),
    changed_row_count: 1,
    no_wait: "",
    clock: None,
    lane_per_table: false,
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
            ShardChange::Texts(
                include_str!("../../../sql/sqlite/schema/shard_0001_once.sql"),
                include_str!("../../../sql/sqlite/schema/shard_0001_tables.sql"),
            ),
            ShardChange::Texts(
                "",
                include_str!("../../../sql/sqlite/schema/shard_0002_tables.sql"),
            ),
            ShardChange::Texts(
                include_str!("../../../sql/sqlite/schema/shard_0003_once.sql"),
                "",
            ),
            ShardChange::Texts(include_str!("../../../sql/sqlite/schema/identity.sql"), ""),
            ShardChange::Texts(
                "",
                include_str!("../../../sql/sqlite/schema/shard_0005_tables.sql"),
            ),
            ShardChange::Texts(
                "",
                include_str!("../../../sql/sqlite/schema/shard_0006_tables.sql"),
            ),
            ShardChange::Calls,
            ShardChange::Texts(
                "",
                include_str!("../../../sql/sqlite/schema/shard_0008_tables.sql"),
            ),
        ],
    },
};
