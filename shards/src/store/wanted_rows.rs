//! The rows that a batch reads before it is planned: as statements, and as what those found.
use market::batch::Batch;
use market::chances::Account;
use market::{Call, Command};

use super::lane_tables::LaneTables;
use super::rows::{activity_id, json_rows};
use super::shard_store::OnLock;
use super::tables::accounts;
use super::tables::calls;
use super::{Columns, Input, Rows, SqlOutcome, SqlStep, StoreError, out_of_range};

/// The columns of a row of `calls/lock_batch` at which the account and the call begin.
const ACCOUNT_COLUMN: usize = 1;
const CALL_COLUMN: usize = ACCOUNT_COLUMN + accounts::STATE_COLUMNS;

/// The column of a row of `accounts/lock_batch` at which the account begins, behind its key.
const STATE_COLUMN: usize = 2;

/// What is read: for each table indexes of a batch.
pub(super) enum WantedRows {
    /// Its accounts. A list of keys costs the server half of what it needs for accounts and
    /// calls (docs/performance-log.md).
    Accounts(Vec<Vec<usize>>),
    /// For each of its commands the account and the call.
    Calls(Vec<Vec<usize>>),
}

/// The accounts of a batch, and the calls under its keys, in the order of its needs.
type FoundRows = (Vec<Option<Account>>, Vec<Option<Call>>);

impl WantedRows {
    pub(super) fn accounts(tables: &LaneTables, batch: &Batch) -> Self {
        Self::Accounts(tables.accounts_by_table(&batch.needs().accounts))
    }

    pub(super) fn calls(tables: &LaneTables, batch: &Batch) -> Self {
        Self::Calls(tables.calls_by_table(batch.commands()))
    }

    /// The statements that read it, one for each table.
    pub(super) fn steps<'a>(
        &'a self,
        tables: &'a LaneTables,
        batch: &'a Batch,
        on_lock: OnLock,
    ) -> impl Iterator<Item = SqlStep<'a>> {
        let (sql, by_table): (Vec<&String>, _) = match self {
            Self::Accounts(by_table) => (tables.lock_accounts(on_lock).collect(), by_table),
            Self::Calls(by_table) => (tables.lock_calls(on_lock).collect(), by_table),
        };
        sql.into_iter().zip(by_table).map(move |(sql, indexes)| {
            let input = match self {
                Self::Accounts(_) => Input::Rows(keys(batch, indexes)),
                Self::Calls(_) => Input::Json(json_calls(batch.commands(), indexes)),
            };
            SqlStep::read(sql, input)
        })
    }

    /// What the statements have found.
    pub(super) fn read<R: Columns>(
        &self,
        batch: &Batch,
        found: impl Iterator<Item = SqlOutcome<R>>,
    ) -> Result<FoundRows, StoreError> {
        let mut accounts = vec![None; batch.needs().accounts.len()];
        let mut calls = vec![None; batch.needs().calls.len()];
        match self {
            Self::Accounts(by_table) => {
                for (indexes, SqlOutcome { rows, .. }) in by_table.iter().zip(found) {
                    for row in rows {
                        let index = account_of(&row, batch, indexes)?;
                        accounts[index] = Some(accounts::read_state(&row, STATE_COLUMN)?);
                    }
                }
            }
            Self::Calls(by_table) => {
                for (indexes, SqlOutcome { rows, .. }) in by_table.iter().zip(found) {
                    for row in rows {
                        let index = index_of(&row, indexes)?;
                        if row.optional_integer(ACCOUNT_COLUMN)?.is_some() {
                            let account = accounts::read_state(&row, ACCOUNT_COLUMN)?;
                            accounts[batch.account_of()[index]] = Some(account);
                        }
                        if row.optional_integer(CALL_COLUMN)?.is_some() {
                            let Command { user, request, .. } = &batch.commands()[index];
                            let call = calls::read_record(&row, CALL_COLUMN, user, request)?;
                            calls[batch.call_of()[index]] = Some(call);
                        }
                    }
                }
            }
        }
        Ok((accounts, calls))
    }
}

fn keys<'a>(batch: &'a Batch, indexes: &[usize]) -> Rows<'a> {
    let mut rows = Rows::default();
    for &index in indexes {
        accounts::write_key(&batch.needs().accounts[index], &mut rows);
    }
    rows
}

/// The index of the account that a row names, among those of a table, which are sorted.
fn account_of(row: &impl Columns, batch: &Batch, indexes: &[usize]) -> Result<usize, StoreError> {
    let named = (row.text(0)?, activity_id(row, 1)?);
    let key = |&index: &usize| {
        let (user, activity) = &batch.needs().accounts[index];
        (user.as_str(), *activity)
    };
    let at = indexes.binary_search_by(|index| key(index).cmp(&named));
    at.map(|at| indexes[at]).map_err(|_| out_of_range(0))
}

/// These calls as `lock_batch` and `find_held` read them.
pub(super) fn json_calls(commands: &[Command], indexes: &[usize]) -> String {
    let calls = indexes.iter().map(|&index| &commands[index]);
    json_rows(calls.map(|command| {
        (
            command.user.as_str(),
            command.ask.activity().get(),
            command.request.as_str(),
        )
    }))
}

/// The index that a row of such calls begins with, among those of its table.
pub(super) fn index_of(row: &impl Columns, indexes: &[usize]) -> Result<usize, StoreError> {
    let key: usize = row.number(0)?;
    indexes.get(key).copied().ok_or_else(|| out_of_range(0))
}
