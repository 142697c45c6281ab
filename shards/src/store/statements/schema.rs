//! The schema changes of both dialects, oldest first: their files are in `sql/*/schema/`. A new
//! change is a new file for each dialect and one line at the end of its list. The length of a list
//! is the version of the schema, so the lines before it never change.
use super::dialect::{SchemaTexts, ShardChange};

/// The SQL of a file.
macro_rules! text {
    ($dialect:literal, $file:literal) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/sql/",
            $dialect,
            "/schema/",
            $file,
            ".sql"
        ))
    };
}

/// A list of changes. `once` names a file that runs once, `tables` one that runs for each table
/// number; a change may have both. `calls` is a conversion of rows.
macro_rules! shard_changes {
    ($dialect:literal: $({ $($change:tt)* })*) => {
        &[$(shard_changes!(@one $dialect $($change)*)),*]
    };
    (@one $dialect:literal once $once:literal, tables $tables:literal) => {
        ShardChange::Texts(text!($dialect, $once), text!($dialect, $tables))
    };
    (@one $dialect:literal once $once:literal) => {
        ShardChange::Texts(text!($dialect, $once), "")
    };
    (@one $dialect:literal tables $tables:literal) => {
        ShardChange::Texts("", text!($dialect, $tables))
    };
    (@one $dialect:literal calls) => {
        ShardChange::Calls
    };
}

/// The changes of a shard. Both dialects have the same.
macro_rules! of_shards {
    ($dialect:literal) => {
        shard_changes! { $dialect:
            { once "shard_0001_once", tables "shard_0001_tables" }
            { tables "shard_0002_tables" }
            { once "shard_0003_once" }
            { once "identity" }
            { tables "shard_0005_tables" }
            { tables "shard_0006_tables" }
            { calls }
            { tables "shard_0008_tables" }
            { once "shard_0009_stock_goods" }
            { tables "shard_0010_tables" }
            { tables "shard_0011_tables" }
        }
    };
}

/// The stock of goods.
const SHARD_FENCED: usize = 9;

/// Of MySQL and MariaDB. Each change must be right when it runs twice.
pub(super) const MYSQL_SCHEMA: SchemaTexts = SchemaTexts {
    find_versions: "SHOW TABLES LIKE 'schema_version'",
    meta: &[
        text!("mysql", "meta_0001_once"),
        text!("mysql", "meta_0002_switches"),
        text!("mysql", "identity"),
        text!("mysql", "meta_0004_fleet"),
        text!("mysql", "meta_0005_campaign_key"),
        text!("mysql", "meta_0006_campaign_change"),
        text!("mysql", "meta_0007_stock_goods"),
        text!("mysql", "meta_0008_blacklist"),
    ],
    shard: of_shards!("mysql"),
    shard_fenced: SHARD_FENCED,
};

/// Of SQLite.
pub(super) const SQLITE_SCHEMA: SchemaTexts = SchemaTexts {
    find_versions: "SELECT name FROM sqlite_schema WHERE name = 'schema_version'",
    meta: &[
        text!("sqlite", "meta_0001_once"),
        text!("sqlite", "meta_0002_switches"),
        text!("sqlite", "meta_0003_audit_log"),
        text!("sqlite", "identity"),
        text!("sqlite", "meta_0005_fleet"),
        text!("sqlite", "meta_0006_campaign_key"),
        text!("sqlite", "meta_0007_campaign_change"),
        text!("sqlite", "meta_0008_stock_goods"),
        text!("sqlite", "meta_0009_blacklist"),
    ],
    shard: of_shards!("sqlite"),
    shard_fenced: SHARD_FENCED,
};
