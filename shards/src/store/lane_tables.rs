//! The tables that a lane writes, and which users' rows belong to which of them.
use std::ops::Range;

use market::batch::{Batch, Slots};
use market::{Call, MadeCall, OrderId, RequestId, UserId};
use router::{ShardId, SlotMap};

use super::makings::{NewRows, add_new_rows};
use super::rows::json_rows;
use super::shard_store::OnLock;
use super::tables::calls::Calls;
use super::tables::locked::LockedTable;
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
    /// The same, with locking reads that do not wait.
    impatient: Vec<Numbered>,
}

/// For each table the indexes of the keys that belong to it.
pub(super) type ByTable = Vec<Vec<usize>>;

impl LaneTables {
    /// The users that `map` sends to these tables of `shard`.
    pub(super) fn new(dialect: &Dialect, map: SlotMap, shard: ShardId, tables: Range<u16>) -> Self {
        let first = tables.start;
        let statements: Vec<_> = tables.map(|table| Numbered::of(dialect, table)).collect();
        let impatient = statements
            .iter()
            .map(|sql| sql.impatient(dialect))
            .collect();
        Self {
            map,
            shard,
            first,
            statements,
            impatient,
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

    /// For each table the statements whose locking reads do this about rows that are locked.
    pub(super) fn reading(&self, on_lock: OnLock) -> &[Numbered] {
        match on_lock {
            OnLock::Refuse => &self.impatient,
            OnLock::Wait => &self.statements,
        }
    }

    /// For each table the indexes of these keys that belong to it.
    pub(super) fn keys_by_table<T: LockedTable>(&self, keys: &[T::Key]) -> ByTable {
        self.by_table(keys.iter().map(|key| (T::user(key), key)))
    }

    /// For each table the indexes of these calls that belong to it.
    pub(super) fn calls_by_table(&self, calls: &[(UserId, RequestId)]) -> ByTable {
        self.by_table(calls.iter().map(|(user, request)| (user, request)))
    }

    /// Adds what writes the rows of a table that are new or changed. A table without any has no
    /// statement.
    pub(super) fn write_slots<'a, T: LockedTable + InOrder>(
        &'a self,
        slots: &'a Slots<T::Key, T::State>,
        writes: &mut Writes<'a>,
    ) {
        let new: Vec<_> = slots.new_rows().collect();
        self.write_states::<T>(
            &new,
            |sql| T::statements(sql).insert,
            ExpectedRows::Rows,
            writes,
        );
        let changed: Vec<_> = slots.changed_rows().collect();
        let update = |sql| T::statements(sql).update;
        self.write_states::<T>(&changed, update, ExpectedRows::Changed, writes);
    }

    fn write_states<'a, T: LockedTable + InOrder>(
        &'a self,
        rows: &[(&'a T::Key, &'a T::State)],
        statement: impl Fn(&'a Numbered) -> &'a String,
        expected: impl Fn(usize) -> ExpectedRows,
        writes: &mut Writes<'a>,
    ) {
        if rows.is_empty() {
            return;
        }
        let by_table = self.by_table(rows.iter().map(|&(key, _)| (T::user(key), key)));
        for (sql, indexes) in self.statements.iter().zip(&by_table) {
            let mut written = Rows::default();
            for &(key, state) in indexes.iter().map(|&index| &rows[index]) {
                T::write_state(key, state, &mut written);
            }
            writes.add::<T>(statement(sql), written, expected(indexes.len()));
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
    ) -> ByTable {
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
