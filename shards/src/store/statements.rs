//! The statement texts of each dialect. A text is complete as it stands in its file, except for the
//! number of the table that it names, which is filled in once at start.
//!
//! A set of statements is declared where it is used ([`super::tables`], say), each statement by its
//! name alone: [`numbered_statements`] and [`table_statements`] find the file of each dialect by the
//! set's folder. So a new statement is one name in one Rust file, and its two SQL files.
mod mysql;
mod sqlite;

pub use mysql::MYSQL;
pub use sqlite::SQLITE;

/// The kind of database that a dialect is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialectKind {
    /// MySQL or MariaDB.
    Mysql,
    /// SQLite.
    Sqlite,
}

/// How one kind of database is talked to, except the texts of the meta database.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// Which kind of database.
    pub kind: DialectKind,
    /// Statements by which a database says whose it is.
    pub identity: IdentityStatements,
    /// How the transaction that issues units counts them.
    pub issuing: Issuing,
    /// What the database counts for a row of an update that was there. MySQL counts a row that an
    /// upsert changed as two, and one that it had to add as one.
    pub changed_row_count: u64,
    /// What makes a locking read refuse a row that somebody else has locked, rather than wait for
    /// it.
    pub no_wait: &'static str,
    /// Reads the database's clock, where it has one of its own.
    pub clock: Option<&'static str>,
    /// Whether each table of a shard can have a writer of its own. A SQLite file has one.
    pub lane_per_table: bool,
    /// Schema changes in order, oldest first.
    pub schema: SchemaTexts,
}

/// What a batch does about its units, by where they come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Issuing {
    /// They must not be of an epoch that has passed, and their grant has a receipt.
    FromServers,
    /// They are counted at once.
    FromMemory,
}

/// Schema changes: the version of a database is how many of them it has seen.
#[derive(Debug, Clone, Copy)]
pub struct SchemaTexts {
    /// Has a row when the database was ever migrated.
    pub find_versions: &'static str,
    /// Of the meta database.
    pub meta: &'static [&'static str],
    /// Of a shard.
    pub shard: &'static [ShardChange],
}

/// A schema change of a shard.
#[derive(Debug, Clone, Copy)]
pub enum ShardChange {
    /// The part that runs once, if there is one, and the part that runs for each table number.
    Texts(&'static str, &'static str),
    /// The calls of the orders that are there: a conversion of rows, in pages.
    Calls,
}

/// The text of a file, by dialect, folder and name.
macro_rules! statement {
    ($dialect:literal, $folder:literal, $name:ident) => {
        include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/sql/",
            $dialect,
            "/",
            $folder,
            "/",
            stringify!($name),
            ".sql"
        ))
    };
}

/// Declares the statements on a table that each shard has several of. `of` picks the dialect and
/// fills in the number.
macro_rules! numbered_statements {
    ($(#[$doc:meta])* $name:ident in $folder:literal {
        $($(#[$field_doc:meta])* $field:ident),* $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub(crate) struct $name { $($(#[$field_doc])* pub(crate) $field: String),* }

        impl $name {
            /// On table number `table` of a shard.
            pub(crate) fn of(dialect: &$crate::store::Dialect, table: u16) -> Self {
                use $crate::store::statements::{fill_in, statement};
                let pick = |mysql, sqlite| fill_in(dialect.pick(mysql, sqlite), table);
                Self { $($field: pick(
                    statement!("mysql", $folder, $field),
                    statement!("sqlite", $folder, $field),
                )),* }
            }
        }
    };
}

/// Declares the statements on a table that each database has once. `of` picks the dialect. A table
/// that only MySQL has says `for mysql`, and gets `MYSQL`.
macro_rules! table_statements {
    ($(#[$doc:meta])* $name:ident in $folder:literal {
        $($(#[$field_doc:meta])* $field:ident),* $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name { $($(#[$field_doc])* pub $field: &'static str),* }

        impl $name {
            /// In this dialect.
            pub const fn of(dialect: &$crate::store::Dialect) -> Self {
                use $crate::store::statements::statement;
                Self { $($field: dialect.pick(
                    statement!("mysql", $folder, $field),
                    statement!("sqlite", $folder, $field),
                )),* }
            }
        }
    };
    ($(#[$doc:meta])* $name:ident in $folder:literal for mysql {
        $($(#[$field_doc:meta])* $field:ident),* $(,)?
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name { $($(#[$field_doc])* pub $field: &'static str),* }

        impl $name {
            /// The only ones.
            pub const MYSQL: Self = {
                use $crate::store::statements::statement;
                Self { $($field: statement!("mysql", $folder, $field)),* }
            };
        }
    };
}
pub(crate) use {numbered_statements, statement, table_statements};

/// A set of statements out of the files that bear their names.
macro_rules! texts {
    ($set:ident in $folder:literal { $($field:ident),* $(,)? }) => {
        $set { $($field: include_str!(concat!("../../../sql/", $folder, "/", stringify!($field), ".sql"))),* }
    };
}
use texts;

macro_rules! statements {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name { $($(#[$field_doc])* pub $field: &'static str),* }
    };
}

statements! {
    /// Statements that the meta database and shards have in common.
    IdentityStatements {
        /// Cluster, part, shards, tables, servers, segments.
        read_identity,
        /// `[[cluster, part, shards, tables, servers, segments]]`: writes it, once.
        write_identity,
        /// The names of all tables.
        list_tables,
    }
}

/// A template with the number of its table.
pub(crate) fn fill_in(template: &str, table: u16) -> String {
    template.replace("{table}", &table.to_string())
}

impl Dialect {
    /// The text of this dialect, out of both.
    pub(crate) const fn pick(&self, mysql: &'static str, sqlite: &'static str) -> &'static str {
        match self.kind {
            DialectKind::Mysql => mysql,
            DialectKind::Sqlite => sqlite,
        }
    }
}
