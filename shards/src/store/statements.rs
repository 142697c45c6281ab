//! The statement texts of each dialect. A text is complete as it stands in its file, except for
//! the number of the table it speaks of, which is filled in once at start.

/// All texts of one kind of database.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// Statements on the tables that each shard has several of, as templates.
    table: TableTemplates,
    /// Statements on the tables that each shard has once.
    pub shard: ShardStatements,
    /// Statements on the meta database.
    pub meta: MetaStatements,
    /// Schema changes in order, oldest first.
    pub schema: SchemaTexts,
}

/// Schema changes: the version of a database is how many of them it has seen.
#[derive(Debug, Clone, Copy)]
pub struct SchemaTexts {
    /// Of the meta database.
    pub meta: &'static [&'static str],
    /// Of a shard: the part that runs once and the part that runs for each table number.
    pub shard: &'static [(&'static str, &'static str)],
}

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
        /// Locks and reads accounts.
        lock_accounts,
        /// Reads accounts without locking them.
        read_accounts,
        /// Finds orders by user and request id.
        find_orders,
        /// Finds orders by user and order id.
        find_orders_by_id,
        /// Adds accounts that were not there.
        insert_accounts,
        /// Changes accounts that were.
        update_accounts,
        /// Adds orders.
        insert_orders,
        /// All accounts and orders, by user and activity: the account, then its orders by ordinal.
        scan_draws,
        /// Request ids that more than one order has.
        scan_repeated_requests,
    }
}

statements! {
    /// Statements on the tables that a shard has once.
    ShardStatements {
        /// Notes a batch's grant and counts what it issued.
        insert_grant,
        /// Makes sure that a batch that has not committed never will.
        void_grant,
        /// Whether a noted grant is void.
        read_grant,
        /// The grant of the latest batch.
        read_last_grant,
        /// How many units of each prize the shard has issued.
        read_issued,
    }
}

statements! {
    /// Statements on the meta database.
    MetaStatements {
        /// Claims the next run number.
        claim_run,
        /// The run number claimed last.
        read_run,
        /// How users are spread.
        read_slot_map,
        /// Fixes how users are spread.
        insert_slot_map,
        /// The number that every change raises.
        read_revision,
        /// Raises it.
        raise_revision,
        /// The latest version of each campaign.
        read_campaigns,
        /// All versions of all campaigns.
        read_campaign_versions,
        /// Adds a version of a campaign.
        insert_campaign,
        /// Adds a stock operation.
        insert_operation,
        /// The id of the operation added last.
        last_operation,
        /// Each prize's total.
        read_totals,
        /// What each limited prize was first published with.
        read_published_counts,
        /// Withdrawals that wait for the holder of the stock.
        read_waiting_operations,
        /// What became of one operation.
        read_operation,
        /// All operations on a prize.
        read_operations,
        /// Notes what became of a waiting operation.
        apply_operation,
        /// Forgets the view that an earlier server had of its stock.
        forget_pictures,
        /// Writes the running server's view of its stock.
        write_picture,
        /// Reads it.
        read_picture,
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

    /// The schema change from version `from` to the next, for a shard of `tables` tables;
    /// `None` when `from` is the newest.
    pub fn shard_change(&self, from: usize, tables: u16) -> Option<String> {
        let (once, each) = self.schema.shard.get(from)?;
        let texts = (0..tables).map(|table| fill_in(each, table));
        Some(std::iter::once((*once).to_owned()).chain(texts).collect::<Vec<_>>().join("\n;\n"))
    }
}

/// SQLite 3.38 or newer (the `->>` operator).
pub const SQLITE: Dialect = Dialect {
    table: TableTemplates {
        lock_accounts: include_str!("../../sql/sqlite/shard/lock_accounts.sql"),
        read_accounts: include_str!("../../sql/sqlite/shard/read_accounts.sql"),
        find_orders: include_str!("../../sql/sqlite/shard/find_orders.sql"),
        find_orders_by_id: include_str!("../../sql/sqlite/shard/find_orders_by_id.sql"),
        insert_accounts: include_str!("../../sql/sqlite/shard/insert_accounts.sql"),
        update_accounts: include_str!("../../sql/sqlite/shard/update_accounts.sql"),
        insert_orders: include_str!("../../sql/sqlite/shard/insert_orders.sql"),
        scan_draws: include_str!("../../sql/sqlite/shard/scan_draws.sql"),
        scan_repeated_requests: include_str!("../../sql/sqlite/shard/scan_repeated_requests.sql"),
    },
    shard: ShardStatements {
        insert_grant: include_str!("../../sql/sqlite/shard/insert_grant.sql"),
        void_grant: include_str!("../../sql/sqlite/shard/void_grant.sql"),
        read_grant: include_str!("../../sql/sqlite/shard/read_grant.sql"),
        read_last_grant: include_str!("../../sql/sqlite/shard/read_last_grant.sql"),
        read_issued: include_str!("../../sql/sqlite/shard/read_issued.sql"),
    },
    meta: MetaStatements {
        claim_run: include_str!("../../sql/sqlite/meta/claim_run.sql"),
        read_run: include_str!("../../sql/sqlite/meta/read_run.sql"),
        read_slot_map: include_str!("../../sql/sqlite/meta/read_slot_map.sql"),
        insert_slot_map: include_str!("../../sql/sqlite/meta/insert_slot_map.sql"),
        read_revision: include_str!("../../sql/sqlite/meta/read_revision.sql"),
        raise_revision: include_str!("../../sql/sqlite/meta/raise_revision.sql"),
        read_campaigns: include_str!("../../sql/sqlite/meta/read_campaigns.sql"),
        read_campaign_versions: include_str!("../../sql/sqlite/meta/read_campaign_versions.sql"),
        insert_campaign: include_str!("../../sql/sqlite/meta/insert_campaign.sql"),
        insert_operation: include_str!("../../sql/sqlite/meta/insert_operation.sql"),
        last_operation: include_str!("../../sql/sqlite/meta/last_operation.sql"),
        read_totals: include_str!("../../sql/sqlite/meta/read_totals.sql"),
        read_published_counts: include_str!("../../sql/sqlite/meta/read_published_counts.sql"),
        read_waiting_operations: include_str!("../../sql/sqlite/meta/read_waiting_operations.sql"),
        read_operation: include_str!("../../sql/sqlite/meta/read_operation.sql"),
        read_operations: include_str!("../../sql/sqlite/meta/read_operations.sql"),
        apply_operation: include_str!("../../sql/sqlite/meta/apply_operation.sql"),
        forget_pictures: include_str!("../../sql/sqlite/meta/forget_pictures.sql"),
        write_picture: include_str!("../../sql/sqlite/meta/write_picture.sql"),
        read_picture: include_str!("../../sql/sqlite/meta/read_picture.sql"),
    },
    schema: SchemaTexts {
        meta: &[include_str!("../../sql/sqlite/schema/meta_0001_once.sql")],
        shard: &[(
            include_str!("../../sql/sqlite/schema/shard_0001_once.sql"),
            include_str!("../../sql/sqlite/schema/shard_0001_tables.sql"),
        )],
    },
};
