//! The dialect of MySQL and MariaDB.
//!
//! Rules for its statements, each learned from a fault: the array of rows is joined first
//! (`STRAIGHT_JOIN`) and the table by a named key (`FORCE INDEX`), because a small table is scanned
//! otherwise, which locks it whole. Every statement says `utf8mb4_bin`. What locks (`FOR UPDATE`)
//! has its `JSON_TABLE` in a query of its own, which MySQL asks for. Sums and places are cast to
//! signed numbers.
use super::dialect::{Dialect, DialectKind, IdentityStatements, Issuing, texts};
use super::schema::MYSQL_SCHEMA;

/// MySQL 8.0.21 and MariaDB 10.6, or newer. Only what both understand.
pub const MYSQL: Dialect = Dialect {
    kind: DialectKind::Mysql,
    issuing: Issuing::FromServers,
    identity: texts!(IdentityStatements in "mysql/identity" { read_identity, write_identity, list_tables }),
    changed_row_count: 2,
    no_wait: "NOWAIT",
    clock: Some(include_str!("../../../sql/mysql/clock/read.sql")),
    lane_per_table: true,
    schema: MYSQL_SCHEMA,
};
