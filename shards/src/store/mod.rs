//! Databases: connections, the statement files of each dialect, schema versions.
#[cfg(test)]
mod conformance;
mod connection;
mod grant;
mod migrate;
mod mysql;
mod rows;
mod shard;
mod sqlite;
mod statements;

pub use connection::{Columns, Connection, Database, Input, Outcome, Rows, Step, StoreError, Value, out_of_range};
#[cfg(test)]
pub(crate) use grant::GrantNote;
pub(crate) use grant::{grant_rows, receipt_row};
pub use migrate::{MigrateError, check_meta, check_shard, migrate_meta, migrate_shard};
pub use mysql::{MysqlConnection, MysqlDatabase, Tls, check_durability};
pub(crate) use rows::{account_from_row, json_rows, order_from_row};
pub use shard::{GrantId, InDoubt, PersistError, ShardStore, SqlShard, Verdict};
pub use sqlite::{Access, SqliteConnection, SqliteFile};
pub use statements::{
    AuditStatements, Dialect, Issuing, MYSQL, MYSQL_STOCK, MetaStatements, ReceiptStatements, SQLITE, ShardStatements,
    StockStatements, TableStatements,
};
