//! The texts for MySQL and MariaDB.
//!
//! House rules, each learned the hard way: the array of rows is joined first (`STRAIGHT_JOIN`) and
//! the table by a named key (`FORCE INDEX`), because a small table is scanned otherwise, which
//! locks it whole. Every text says `utf8mb4_bin`. What locks (`FOR UPDATE`) has its `JSON_TABLE` in
//! a query of its own, which MySQL asks for. Sums and places are cast to signed numbers.
use super::dialect::{
    Dialect, DialectKind, IdentityStatements, Issuing, SchemaTexts, ShardChange, texts,
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
