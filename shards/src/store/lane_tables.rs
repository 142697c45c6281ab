//! The tables that a lane writes, and which users' rows belong to which of them.
use std::ops::Range;

use market::batch::{AccountKey, Batch};
use market::chances::Account;
use market::{Call, Command, MadeCall, OrderId, UserId};
use router::{ShardId, SlotMap};

use super::makings::{NewRows, add_new_rows};
use super::rows::json_rows;
use super::shard_store::OnLock;
use super::tables::accounts::{self, Accounts};
use super::tables::calls::Calls;
use super::tables::{InOrder, Numbered, OfUsers, Writes};
use super::{Dialect, ExpectedRows, Input, Rows, SqlStep, StoreError};

/// The tables of a lane.
#[derive(Debug)]
pub(super) struct LaneTables {
    map: SlotMap,
    /// The shard that they are in.
    shard: ShardId,
    /// The number of the first one.
    pub(super) first: u16,
    /// The statements on each of them.
    pub(super) statements: Vec<Numbered>,
    /// The statements that lock a batch's rows in each of them and do not wait.
    no_wait: Vec<LockingReads>,
}

/// The statements that lock a batch's rows in the tables of one number.
#[derive(Debug)]
struct LockingReads {
    accounts: String,
    calls: String,
}

impl LaneTables {
    /// The users that `map` sends to these tables of `shard`.
    pub(super) fn new(dialect: &Dialect, map: SlotMap, shard: ShardId, tables: Range<u16>) -> Self {
        let first = tables.start;
        let statements: Vec<_> = tables.map(|table| Numbered::of(dialect, table)).collect();
        let no_wait = |sql: &Numbered| LockingReads {
            accounts: format!("{}{}", sql.accounts.lock_batch, dialect.no_wait),
            calls: format!("{}{}", sql.calls.lock_batch, dialect.no_wait),
        };
        let no_wait = statements.iter().map(no_wait).collect();
        Self {
            map,
            shard,
            first,
            statements,
            no_wait,
        }
    }

    /// Refuses users of another shard: the caller and this lane have different layouts.
    pub(super) fn refuse_strangers(&self, batch: &Batch) -> Result<(), StoreError> {
        for command in batch.commands() {
            let home = self.map.route(command.user.as_str()).shard();
            if home != self.shard {
                let lane = self.shard;
                return Err(StoreError::Data(format!(
                    "a user of shard {home} was sent to a lane of shard {lane}"
                )));
            }
        }
        Ok(())
    }

    /// For each table the statement that locks and reads accounts.
    pub(super) fn lock_accounts(&self, on_lock: OnLock) -> impl Iterator<Item = &String> {
        let both = self.no_wait.iter().zip(&self.statements);
        both.map(move |(no_wait, waiting)| match on_lock {
            OnLock::Refuse => &no_wait.accounts,
            OnLock::Wait => &waiting.accounts.lock_batch,
        })
    }

    /// For each table the statement that locks and reads accounts and calls.
    pub(super) fn lock_calls(&self, on_lock: OnLock) -> impl Iterator<Item = &String> {
        let both = self.no_wait.iter().zip(&self.statements);
        both.map(move |(no_wait, waiting)| match on_lock {
            OnLock::Refuse => &no_wait.calls,
            OnLock::Wait => &waiting.calls.lock_batch,
        })
    }

    /// For each table the indexes of the accounts that belong to it.
    pub(super) fn accounts_by_table(&self, accounts: &[AccountKey]) -> Vec<Vec<usize>> {
        self.by_table(accounts.iter().map(|(user, activity)| (user, *activity)))
    }

    /// For each table the indexes of the calls that belong to it.
    pub(super) fn calls_by_table(&self, commands: &[Command]) -> Vec<Vec<usize>> {
        self.by_table(
            commands
                .iter()
                .map(|command| (&command.user, (command.ask.activity(), &command.request))),
        )
    }

    /// Adds what writes accounts. A batch without any has no statement on them.
    pub(super) fn write_accounts<'a>(
        &'a self,
        changes: &[(&'a AccountKey, &'a Account)],
        statement: impl Fn(&'a Numbered) -> &'a String,
        expected: impl Fn(usize) -> ExpectedRows,
        writes: &mut Writes<'a>,
    ) {
        if changes.is_empty() {
            return;
        }
        let keys = changes.iter().map(|(key, _)| (&key.0, key.1));
        let by_table = self.by_table(keys);
        for (sql, indexes) in self.statements.iter().zip(&by_table) {
            let mut rows = Rows::default();
            for &(key, account) in indexes.iter().map(|&index| &changes[index]) {
                accounts::write(key, account, &mut rows);
            }
            writes.add::<Accounts>(statement(sql), rows, expected(indexes.len()));
        }
    }

    /// Adds what inserts new rows of a table, each of a user. A batch without any has no statement
    /// on the table.
    pub(super) fn write_new<'a, T: OfUsers + InOrder>(
        &'a self,
        new: &[&'a T::Row],
        statement: impl Fn(&'a Numbered) -> &'a String,
        writes: &mut Writes<'a>,
    ) {
        if new.is_empty() {
            return;
        }
        let by_table = self.by_table(new.iter().map(|row| (T::user(row), T::key(row))));
        for (sql, indexes) in self.statements.iter().zip(&by_table) {
            let rows = T::rows(indexes.iter().map(|&index| new[index]));
            writes.add::<T>(statement(sql), rows, ExpectedRows::Rows(indexes.len()));
        }
    }

    /// Adds what takes back calls that the transaction has inserted.
    pub(super) fn take_back<'a>(&'a self, calls: &[&'a Call], writes: &mut Writes<'a>) {
        if calls.is_empty() {
            return;
        }
        let by_table = self.by_table(calls.iter().map(|call| (&call.user, &call.request)));
        for (sql, indexes) in self.statements.iter().zip(&by_table) {
            let calls = indexes.iter().map(|&index| calls[index]);
            let keys = calls.map(|call| (call.user.as_str(), call.request.as_str()));
            let step = SqlStep {
                sql: &sql.calls.take_back,
                input: Input::Json(json_rows(keys)),
                expected: ExpectedRows::Rows(indexes.len()),
            };
            writes.add_step(Calls::LOCKED, step);
        }
    }

    /// Adds what inserts the rows that new calls made.
    pub(super) fn write_made<'a>(&'a self, made: &'a [MadeCall], writes: &mut Writes<'a>) {
        add_new_rows(
            made,
            &mut NewRowsOfLane {
                tables: self,
                writes,
            },
        );
    }

    /// The statements on a user's table.
    pub(super) fn table_of(&self, user: &UserId) -> &Numbered {
        &self.statements[self.index_of(user)]
    }

    /// For each table the indexes of the keys that belong to it, in the order of keys. Rows are
    /// locked in the order of this list, and two lanes that lock in one order cannot deadlock.
    pub(super) fn by_table<'k, K: Ord>(
        &self,
        keys: impl Iterator<Item = (&'k UserId, K)>,
    ) -> Vec<Vec<usize>> {
        let keys: Vec<(&UserId, K)> = keys.collect();
        let mut tables = vec![Vec::new(); self.statements.len()];
        for (index, (user, _)) in keys.iter().enumerate() {
            tables[self.index_of(user)].push(index);
        }
        for indexes in &mut tables {
            indexes.sort_unstable_by(|&a, &b| keys[a].cmp(&keys[b]));
        }
        tables
    }

    /// Which of the tables a user's rows belong to.
    fn index_of(&self, user: &UserId) -> usize {
        let table = self.map.route(user.as_str()).table().get();
        // A user of another lane's table is a bug of the caller that routed here. A panic is better
        // than a lost row.
        let index = table
            .checked_sub(self.first)
            .expect("the lane has the user's table");
        usize::from(index)
    }
}

/// Writes new rows into the tables of a lane.
struct NewRowsOfLane<'a, 'w> {
    tables: &'a LaneTables,
    writes: &'w mut Writes<'a>,
}

impl<'a> NewRows<'a> for NewRowsOfLane<'a, '_> {
    fn add<T: OfUsers<Key = OrderId> + InOrder>(
        &mut self,
        rows: &[&'a T::Row],
        insert: fn(&Numbered) -> &String,
    ) {
        self.tables.write_new::<T>(rows, insert, self.writes);
    }
}
