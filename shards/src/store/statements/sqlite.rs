//! The dialect of SQLite.
use super::dialect::{Dialect, DialectKind, IdentityStatements, Issuing, texts};
use super::schema::SQLITE_SCHEMA;

/// SQLite 3.38 or newer (the `->>` operator).
pub const SQLITE: Dialect = Dialect {
    kind: DialectKind::Sqlite,
    issuing: Issuing::FromMemory,
    identity: texts!(IdentityStatements in "sqlite/identity" { read_identity, write_identity, list_tables }),
    changed_row_count: 1,
    no_wait: "",
    clock: None,
    lane_per_table: false,
    schema: SQLITE_SCHEMA,
};
