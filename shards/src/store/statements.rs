//! The SQL of each dialect. A statement is complete in its file, except for the number of the table
//! that it names, which is filled in once at start.
//!
//! A set of statements is declared where it is used ([`super::tables`], say), each statement by its
//! name alone: [`numbered_statements`] and [`table_statements`] find the file of each dialect by
//! the set's folder. So a new statement is one name in one Rust file, and its two SQL files.
mod dialect;
mod mysql;
mod schema;
mod sqlite;

pub use dialect::{Dialect, DialectKind, IdentityStatements, Issuing, SchemaTexts, ShardChange};
pub use mysql::MYSQL;
pub use sqlite::SQLITE;

/// The SQL of a file, by dialect, folder and name.
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

/// A template with the number of its table.
pub(crate) fn fill_in(template: &str, table: u16) -> String {
    template.replace("{table}", &table.to_string())
}
