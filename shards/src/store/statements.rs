//! The statement texts of each dialect. A text is complete as it stands in its file, except for
//! the number of the table it speaks of, which is filled in once at start.
mod mysql;
mod sqlite;

pub use mysql::{MYSQL, MYSQL_STOCK};
pub use sqlite::SQLITE;

/// The kind of database that a dialect is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DialectKind {
    /// MySQL or MariaDB.
    Mysql,
    /// SQLite.
    Sqlite,
}

/// All texts of one kind of database, except those of the meta database's topics.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// Which kind of database.
    pub kind: DialectKind,
    /// Statements on the tables that each shard has several of, as templates.
    table: TableTemplates,
    /// Statements on the tables that each shard has once.
    pub shard: ShardStatements,
    /// Statements by which a database says whose it is.
    pub identity: IdentityStatements,
    /// How the transaction that issues units counts them.
    pub issuing: Issuing,
    /// What the database counts for a row of `update_accounts` that was there. MySQL counts a row
    /// that an upsert changed as two, and one that it had to add as one.
    pub changed_row_count: u64,
    /// What makes `lock_batch` refuse a row that somebody else has locked, rather than wait for it.
    pub no_wait: &'static str,
    /// Reads the database's clock, where it has one of its own.
    pub clock: Option<&'static str>,
    /// Whether each table of a shard can have a writer of its own. A SQLite file has one.
    pub lane_per_table: bool,
    /// What the audit reads of the tables that each shard has several of, as templates.
    audit: AuditTemplates,
    /// Says in `{by_request}` of the audit's texts that the key of requests is gone through.
    by_request: &'static str,
    /// Schema changes in order, oldest first.
    pub schema: SchemaTexts,
}

/// What a batch does about its units, by where they come from.
#[derive(Debug, Clone, Copy)]
pub enum Issuing {
    /// They must not be of an epoch that has passed, and their grant has a receipt.
    FromServers(ReceiptStatements),
    /// They are counted at once.
    FromMemory {
        /// Rows of activity, award, count: adds them.
        count_issued: &'static str,
    },
}

/// Schema changes: the version of a database is how many of them it has seen.
#[derive(Debug, Clone, Copy)]
pub struct SchemaTexts {
    /// Has a row when the database was ever migrated.
    pub find_versions: &'static str,
    /// Of the meta database.
    pub meta: &'static [&'static str],
    /// Of a shard: the part that runs once, if there is one, and the part that runs for each table
    /// number.
    pub shard: &'static [(&'static str, &'static str)],
}

/// A set of statements out of the files that bear their names.
macro_rules! texts {
    ($set:ident in $folder:literal { $($field:ident),* $(,)? }) => {
        $set { $($field: include_str!(concat!("../../../sql/", $folder, "/", stringify!($field), ".sql"))),* }
    };
}
use texts;

macro_rules! statements {
    ($(#[$doc:meta])* $name:ident, $templates:ident { $($(#[$field_doc:meta])* $field:ident),* $(,)? }) => {
        #[derive(Debug, Clone, Copy)]
        struct $templates { $($field: &'static str),* }

        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name { $($(#[$field_doc])* pub $field: String),* }

        impl $templates {
            fn for_table(&self, table: u16) -> $name {
                $name { $($field: fill_in(self.$field, table)),* }
            }
        }
    };
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name { $($(#[$field_doc])* pub $field: &'static str),* }
    };
}

statements! {
    /// Statements on one table pair (accounts and orders) of a shard.
    TableStatements, TableTemplates {
        /// Locks and reads the accounts of calls, and the orders made under their request ids.
        lock_batch,
        /// Finds the calls whose rows somebody else has locked.
        find_held,
        /// Reads accounts without locking them.
        read_accounts,
        /// Finds orders by user and request id.
        find_orders,
        /// Finds orders by user and order id.
        find_orders_by_id,
        /// Reads a user's latest orders, of one activity or, for 0, of all; 100 at most.
        find_latest_orders,
        /// Writes rows of user, activity, granted, used, day, day_used, month_used: accounts that
        /// were not there.
        insert_accounts,
        /// The same rows: accounts that were, and that change.
        update_accounts,
        /// Writes rows of order, user, request, activity, version, ordinal, day, award, title,
        /// index, rule, stocked, created_at_ms, seq, asked.
        insert_orders,
        /// Rows of order -> the order, if it is there when the transaction that inserts it has
        /// ended.
        lock_order,
        /// The greatest order id; 0 without any.
        read_last_order,
        /// Activities and versions that orders name.
        scan_versions,
    }
}

statements! {
    /// What the audit reads of one table pair, in pages of `{rows_max}` rows, and what its repair
    /// writes. These may use their value in several places.
    AuditStatements, AuditTemplates {
        /// `[after, up to]` -> accounts of the users in between, by user.
        page_accounts,
        /// `[after, up to]` -> orders of the users in between, by user and request.
        page_orders,
        /// `[after, up to]` -> repairs of labels of the users in between, by user.
        page_label_repairs,
        /// `[user]` -> accounts.
        accounts_of,
        /// `[user, activity, ordinal]` -> the user's orders from there on, by request.
        orders_of,
        /// `[user]` -> repairs of labels.
        label_repairs_of,
        /// Has a row when the unique key of requests is there.
        find_request_key,
        /// The database's clock, in milliseconds.
        read_clock,
        /// `[user, activity]` -> the account, locked.
        lock_account,
        /// `[[user, activity, used, today, day_before, at_ms]]`: notes a repair.
        insert_label_repair,
        /// `[[user, activity, day, day_used, month_used]]`: changes an account's label.
        mend_label,
    }
}

statements! {
    /// Statements on the tables that a shard has once.
    ShardStatements {
        /// How many units of each prize the shard has issued.
        read_issued,
    }
}

statements! {
    /// What a batch writes of units that it took from servers, and how its grant is asked about.
    ReceiptStatements {
        /// Rows of server -> server, epoch, which stays as it is until the commit.
        hold_epochs,
        /// Rows of grant, void, units: notes that a batch commits, or never will.
        insert_receipt,
        /// `[[grant]]` -> void, units.
        read_receipt,
        /// The greatest grant that has a receipt; 0 without any.
        read_last_receipt,
        /// Rows of server, activity, award, segment, run, lane, count: adds them.
        count_issued,
        /// Rows of grant, sorted: deletes the receipts of those that have committed.
        delete_receipts,
    }
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

statements! {
    /// Statements on a shard's side of the stock that lies on servers. Only MySQL has them: SQLite
    /// goes with stock in memory.
    StockStatements {
        /// `[[server, epoch]]`: raises a server's epoch; waits for the batches that hold it.
        raise_epoch,
        /// `[[server]]` -> epoch.
        read_epoch,
        /// `[[server]]` -> activity, award, segment, units issued out of that server.
        read_issued_of,
        /// `[[after]]` -> grant, age in ms, units of at most 1,000 committed grants, by grant.
        old_receipts,
        /// `[[min_age_ms]]` -> how many committed grants that old have a receipt.
        count_old_receipts,
        /// `[[min_age_s]]` -> at most 1,000 void grants that old.
        old_void_receipts,
        /// Rows of grant, sorted: deletes the receipts of void ones.
        delete_void_receipts,
        /// `[[idle_s]]` -> keys of at most 1,000 counters that nobody has touched for so long.
        idle_counters,
        /// `[[server, activity, award, segment, run, lane], ...]`, sorted -> place, count, locked.
        lock_counters,
        /// `[[server, activity, award, segment, run, lane], ...]`: deletes them.
        delete_counters,
    }
}

fn fill_in(template: &str, table: u16) -> String {
    template.replace("{table}", &table.to_string())
}

impl Dialect {
    /// The statements on table number `table` of a shard.
    pub fn table(&self, table: u16) -> TableStatements {
        self.table.for_table(table)
    }

    /// What the audit runs on table number `table` of a shard, in pages of `rows_max` rows. Without
    /// its unique key (`has_request_key`) a table is read in whatever way the database finds.
    pub fn audit(&self, table: u16, rows_max: usize, has_request_key: bool) -> AuditStatements {
        let by_request = if has_request_key {
            fill_in(self.by_request, table)
        } else {
            String::new()
        };
        let mut statements = self.audit.for_table(table);
        for text in [&mut statements.page_orders, &mut statements.orders_of] {
            *text = text.replace("{by_request}", &by_request);
        }
        for text in [
            &mut statements.page_accounts,
            &mut statements.page_orders,
            &mut statements.page_label_repairs,
        ] {
            *text = text.replace("{rows_max}", &rows_max.to_string());
        }
        statements
    }

    /// The schema change from version `from` to the next, for a shard of `tables` tables;
    /// `None` when `from` is the newest.
    pub fn shard_change(&self, from: usize, tables: u16) -> Option<String> {
        let (once, each) = self.schema.shard.get(from)?;
        let each = (0..tables).map(|table| fill_in(each, table));
        let texts = std::iter::once((*once).to_owned()).chain(each);
        let mut texts = texts.filter(|text| !text.is_empty()).collect::<Vec<_>>();
        for text in &mut texts {
            // MySQL takes nothing between two semicolons for a fault.
            text.truncate(text.trim_end().trim_end_matches(';').len());
        }
        Some(texts.join(";\n"))
    }
}
