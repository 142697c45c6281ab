//! The rows that a batch reads before it is planned: as statements, and as what those found.
use market::batch::{Batch, Known, NeededRows, Needs};
use market::{Call, RequestId, UserId};

use super::lane_tables::{ByTable, LaneTables};
use super::rows::json_rows;
use super::shard_store::OnLock;
use super::tables::accounts::Accounts;
use super::tables::locked::LockedTable;
use super::tables::points_accounts::PointsAccounts;
use super::tables::sign_ins::SignIns;
use super::tables::user_awards::UserAwards;
use super::tables::{Numbered, calls};
use super::{Columns, Input, Rows, SqlOutcome, SqlStep, StoreError, out_of_range};

/// The column of a row of `calls/lock_batch` at which the call begins.
const CALL_COLUMN: usize = 1;

/// What is read: for each table indexes of the batch's needs. Nothing that the batch does not need
/// costs a statement.
pub(super) struct WantedRows<'b> {
    needs: &'b Needs,
    accounts: ByTable,
    points: ByTable,
    sign_ins: ByTable,
    user_awards: ByTable,
    /// Empty where the batch does not look for earlier calls.
    calls: ByTable,
}

impl<'b> WantedRows<'b> {
    /// All that a batch needs but earlier calls: it claims their keys.
    pub(super) fn without_calls(tables: &LaneTables, batch: &'b Batch) -> Self {
        let needs = batch.needs();
        Self {
            needs,
            accounts: by_table::<Accounts>(tables, &needs.accounts),
            points: by_table::<PointsAccounts>(tables, &needs.points),
            sign_ins: by_table::<SignIns>(tables, &needs.sign_ins),
            user_awards: by_table::<UserAwards>(tables, &needs.user_awards),
            calls: Vec::new(),
        }
    }

    /// All that a batch needs.
    pub(super) fn with_calls(tables: &LaneTables, batch: &'b Batch) -> Self {
        Self {
            calls: tables.calls_by_table(&batch.needs().calls),
            ..Self::without_calls(tables, batch)
        }
    }

    /// The statements that read it, in the order in which tables are locked.
    pub(super) fn steps<'a>(&'a self, tables: &'a LaneTables, on_lock: OnLock) -> Vec<SqlStep<'a>>
    where
        'b: 'a,
    {
        let sql = tables.reading(on_lock);
        let mut steps = locking::<Accounts>(sql, &self.needs.accounts, &self.accounts);
        steps.extend(locking::<PointsAccounts>(
            sql,
            &self.needs.points,
            &self.points,
        ));
        steps.extend(locking::<SignIns>(
            sql,
            &self.needs.sign_ins,
            &self.sign_ins,
        ));
        steps.extend(locking::<UserAwards>(
            sql,
            &self.needs.user_awards,
            &self.user_awards,
        ));
        steps.extend(sql.iter().zip(&self.calls).map(|(sql, indexes)| {
            let calls = indexes.iter().map(|&index| &self.needs.calls[index]);
            SqlStep::read(&sql.calls.lock_batch, Input::Json(json_calls(calls)))
        }));
        steps
    }

    /// What the statements have found: the rows, and earlier calls without what they made.
    pub(super) fn read<R: Columns>(
        &self,
        mut found: impl Iterator<Item = SqlOutcome<R>>,
    ) -> Result<(Known, Vec<Option<Call>>), StoreError> {
        let known = Known {
            accounts: states::<Accounts, R>(&self.needs.accounts, &self.accounts, &mut found)?,
            points: states::<PointsAccounts, R>(&self.needs.points, &self.points, &mut found)?,
            sign_ins: states::<SignIns, R>(&self.needs.sign_ins, &self.sign_ins, &mut found)?,
            user_awards: states::<UserAwards, R>(
                &self.needs.user_awards,
                &self.user_awards,
                &mut found,
            )?,
            calls: Vec::new(),
        };
        let mut calls = vec![None; self.needs.calls.len()];
        for (indexes, SqlOutcome { rows, .. }) in self.calls.iter().zip(found) {
            for row in rows {
                let index = index_of(&row, indexes)?;
                let (user, request) = &self.needs.calls[index];
                calls[index] = Some(calls::read_record(&row, CALL_COLUMN, user, request)?);
            }
        }
        Ok((known, calls))
    }

    /// The statements that find which of the rows another transaction has locked.
    pub(super) fn find_held<'a>(&self, tables: &'a LaneTables) -> Vec<(&'a String, String)> {
        let sql = &tables.statements;
        let mut steps = finding::<Accounts>(sql, &self.needs.accounts, &self.accounts);
        steps.extend(finding::<PointsAccounts>(
            sql,
            &self.needs.points,
            &self.points,
        ));
        steps.extend(finding::<SignIns>(
            sql,
            &self.needs.sign_ins,
            &self.sign_ins,
        ));
        steps.extend(finding::<UserAwards>(
            sql,
            &self.needs.user_awards,
            &self.user_awards,
        ));
        steps.extend(sql.iter().zip(&self.calls).map(|(sql, indexes)| {
            let calls = indexes.iter().map(|&index| &self.needs.calls[index]);
            (&sql.calls.find_held, json_calls(calls))
        }));
        steps
    }

    /// Notes which rows are held: what the statements of [`WantedRows::find_held`] have found.
    pub(super) fn read_held<R: Columns>(
        &self,
        found: impl IntoIterator<Item = Vec<R>>,
        held: &mut NeededRows,
    ) -> Result<(), StoreError> {
        let mut found = found.into_iter();
        for (by_table, held) in [
            (&self.accounts, &mut held.accounts),
            (&self.points, &mut held.points),
            (&self.sign_ins, &mut held.sign_ins),
            (&self.user_awards, &mut held.user_awards),
            (&self.calls, &mut held.calls),
        ] {
            for (indexes, rows) in by_table.iter().zip(&mut found) {
                for row in rows {
                    held[index_of(&row, indexes)?] = true;
                }
            }
        }
        Ok(())
    }
}

/// Nothing where there are no keys.
fn by_table<T: LockedTable>(tables: &LaneTables, keys: &[T::Key]) -> ByTable {
    if keys.is_empty() {
        Vec::new()
    } else {
        tables.keys_by_table::<T>(keys)
    }
}

fn locking<'a, T: LockedTable>(
    sql: &'a [Numbered],
    keys: &'a [T::Key],
    by_table: &[Vec<usize>],
) -> Vec<SqlStep<'a>> {
    let step = |(sql, indexes): (&'a Numbered, &Vec<usize>)| {
        let mut rows = Rows::default();
        for &index in indexes {
            T::write_key(&keys[index], &mut rows);
        }
        SqlStep::read(T::statements(sql).lock_batch, Input::Rows(rows))
    };
    sql.iter().zip(by_table).map(step).collect()
}

fn finding<'a, T: LockedTable>(
    sql: &'a [Numbered],
    keys: &[T::Key],
    by_table: &[Vec<usize>],
) -> Vec<(&'a String, String)> {
    let step = |(sql, indexes): (&'a Numbered, &Vec<usize>)| {
        let keys = indexes.iter().map(|&index| T::json_key(&keys[index]));
        (T::statements(sql).find_held, json_rows(keys))
    };
    sql.iter().zip(by_table).map(step).collect()
}

fn states<T: LockedTable, R: Columns>(
    keys: &[T::Key],
    by_table: &[Vec<usize>],
    found: &mut impl Iterator<Item = SqlOutcome<R>>,
) -> Result<Vec<Option<T::State>>, StoreError> {
    let mut states = vec![None; keys.len()];
    for (indexes, SqlOutcome { rows, .. }) in by_table.iter().zip(found) {
        for row in rows {
            // The indexes of a table are in the order of their keys.
            let named = T::read_key(&row)?;
            let at = indexes.binary_search_by(|&index| T::as_in_row(&keys[index]).cmp(&named));
            let index = indexes[at.map_err(|_| out_of_range(0))?];
            states[index] = Some(T::read_state(&row)?);
        }
    }
    Ok(states)
}

/// These calls as `lock_batch` and `find_held` read them.
fn json_calls<'c>(calls: impl Iterator<Item = &'c (UserId, RequestId)>) -> String {
    json_rows(calls.map(|(user, request)| (user.as_str(), request.as_str())))
}

/// The index that a row begins with, among those of its table.
fn index_of(row: &impl Columns, indexes: &[usize]) -> Result<usize, StoreError> {
    let key: usize = row.number(0)?;
    indexes.get(key).copied().ok_or_else(|| out_of_range(0))
}
