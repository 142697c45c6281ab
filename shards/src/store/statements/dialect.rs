//! What a dialect consists of.

/// The kind of database that a dialect is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialectKind {
    /// MySQL or MariaDB.
    Mysql,
    /// SQLite.
    Sqlite,
}

/// How one kind of database is used, except the statements of the meta database.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// Which kind of database.
    pub kind: DialectKind,
    /// Statements that read and write the identity of a database.
    pub identity: IdentityStatements,
    /// How the transaction that issues units counts them.
    pub issuing: Issuing,
    /// What the database counts for a row of an update that was there. MySQL counts a row that an
    /// upsert changed as two, and one that it had to add as one.
    pub changed_row_count: u64,
    /// The clause by which a locking read refuses a row that another transaction has locked,
    /// instead of waiting for it.
    pub no_wait: &'static str,
    /// Reads the database's clock, where it has one of its own.
    pub clock: Option<&'static str>,
    /// Whether each table of a shard can have a writer of its own. A SQLite file has one.
    pub lane_per_table: bool,
    /// Schema changes in order, oldest first.
    pub schema: SchemaTexts,
}

/// What a batch does with its units, by where they come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Issuing {
    /// They must not be of an epoch that has passed, and their grant has a receipt.
    FromServers,
    /// They are counted at once.
    FromMemory,
}

/// Schema changes: the version of a database is the number of them that were made there.
#[derive(Debug, Clone, Copy)]
pub struct SchemaTexts {
    /// Returns a row when the database was ever migrated.
    pub find_versions: &'static str,
    /// Of the meta database.
    pub meta: &'static [&'static str],
    /// Of a shard.
    pub shard: &'static [ShardChange],
    /// The number of the last change of a shard that no gateway of an earlier version can live
    /// with.
    pub shard_fenced: usize,
}

/// A schema change of a shard.
#[derive(Debug, Clone, Copy)]
pub enum ShardChange {
    /// The part that runs once, if there is one, and the part that runs for each table number.
    Texts(&'static str, &'static str),
    /// The calls of the orders that are there: a conversion of rows, in pages.
    Calls,
}

/// Statements that the meta database and shards have in common.
#[derive(Debug, Clone, Copy)]
pub struct IdentityStatements {
    /// Cluster, part, shards, tables, servers, segments.
    pub read_identity: &'static str,
    /// `[[cluster, part, shards, tables, servers, segments]]`: writes it, once.
    pub write_identity: &'static str,
    /// The names of all tables.
    pub list_tables: &'static str,
}

/// A set of statements out of the files that bear their names.
macro_rules! texts {
    ($set:ident in $folder:literal { $($field:ident),* $(,)? }) => {
        $set { $($field: include_str!(concat!("../../../sql/", $folder, "/", stringify!($field), ".sql"))),* }
    };
}
pub(super) use texts;

impl Dialect {
    /// The SQL of this dialect, out of both.
    pub(crate) const fn pick(&self, mysql: &'static str, sqlite: &'static str) -> &'static str {
        match self.kind {
            DialectKind::Mysql => mysql,
            DialectKind::Sqlite => sqlite,
        }
    }
}
