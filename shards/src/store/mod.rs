//! Databases: connections, the statement files of each dialect, schema versions.
mod claims;
#[cfg(test)]
pub(crate) mod conformance;
mod connection;
mod files;
mod grant;
mod identity;
mod lane_tables;
mod makings;
mod migrate;
mod mysql;
mod pool;
mod rows;
mod runs;
mod shard;
mod shard_store;
mod sqlite;
pub(crate) mod statements;
pub(crate) mod tables;
mod wanted_rows;

pub use connection::{
    Columns, Connection, Database, ExpectedRows, Input, ReadOutcomes, Rows, SqlOutcome, SqlStep,
    StoreError, Value, check_all, out_of_range,
};
pub(crate) use files::{explained, named, one_line};
#[cfg(test)]
pub(crate) use grant::GrantNote;
pub use identity::{
    ClusterId, DatabaseIdentity, DatabaseRole, ExpectedIdentity, IdentityMismatch, Layout, counted,
    read_identity,
};
pub(crate) use identity::{IDENTITY_TABLE, MismatchNotice, write_identity};
pub(crate) use makings::{MadeTable, Makings, StoredMade};
#[cfg(test)]
pub(crate) use makings::{NewRows, add_new_rows, examples};
pub use migrate::{
    ConversionProgress, MigrateError, awaits_conversion, check_meta, check_shard, migrate_meta,
    migrate_shard, migrate_shard_watched,
};
pub use mysql::{Dialer, MysqlConnection, MysqlDatabase, MysqlOptions, Tls, check_durability};
pub(crate) use pool::{Pool, PoolLimits, PooledConnection};
pub(crate) use rows::json_rows;
pub use runs::OlderMeta;
pub(crate) use runs::{ClaimedRuns, RunCheck, last_grant_run, last_order_of, last_run_in};
pub use shard::SqlShard;
pub use shard_store::{
    CallKeys, CommitVerdict, FetchedBatch, InDoubtBatch, OnLock, PersistError, ShardStore,
};
pub(crate) use sqlite::FILE_MODE;
pub use sqlite::{Access, SqliteConnection, SqliteFile};
pub use statements::{
    Dialect, DialectKind, IdentityStatements, Issuing, MYSQL, SQLITE, SchemaTexts, ShardChange,
};
