//! Rows that commands make, of whatever table: as the columns that the table's `write` writes and
//! its `read` reads. So a new table needs nothing here.
use std::collections::BTreeMap;
use std::sync::LazyLock;

use market::{Call, MadeCall, OrderId};

use crate::store::tables::{InOrder, Numbered, OfUsers, Table};
use crate::store::{
    Columns, MYSQL, Makings, NewRows, Rows, SqlOutcome, StoreError, Value, add_new_rows,
    out_of_range,
};

/// What names a row: its table and its id.
pub(super) type RowKey = (&'static str, OrderId);

/// A row, as its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FakeRow(Vec<Field>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Field {
    Integer(i64),
    Text(String),
}

impl FakeRow {
    fn of<T: Table>(row: &T::Row) -> Self {
        let mut rows = Rows::default();
        T::write(row, &mut rows);
        let field = |value: &Value<'_>| match value {
            Value::Integer(number) => Field::Integer(*number),
            Value::Text(text) => Field::Text((*text).to_owned()),
        };
        Self(rows.by_row().flatten().map(field).collect())
    }
}

impl Columns for FakeRow {
    fn integer(&self, index: usize) -> Result<i64, StoreError> {
        match self.0.get(index) {
            Some(Field::Integer(number)) => Ok(*number),
            Some(Field::Text(_)) | None => Err(out_of_range(index)),
        }
    }

    fn text(&self, index: usize) -> Result<&str, StoreError> {
        match self.0.get(index) {
            Some(Field::Text(text)) => Ok(text),
            Some(Field::Integer(_)) | None => Err(out_of_range(index)),
        }
    }

    fn optional_integer(&self, index: usize) -> Result<Option<i64>, StoreError> {
        self.integer(index).map(Some)
    }
}

/// Rows of all tables by their keys.
#[derive(Debug, Clone, Default)]
pub(super) struct RowsByTable(BTreeMap<RowKey, FakeRow>);

impl RowsByTable {
    pub(super) fn insert(&mut self, key: RowKey, row: FakeRow) {
        self.0.insert(key, row);
    }

    pub(super) fn contains(&self, key: &RowKey) -> bool {
        self.0.contains_key(key)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &RowKey> {
        self.0.keys()
    }

    /// What a call made, found as a lane finds it: by the ids that follow from the call.
    pub(super) fn made_by(&self, call: &Call) -> Result<MadeCall, StoreError> {
        // The statements are not run: the table's name stands for them.
        static STATEMENTS: LazyLock<Numbered> = LazyLock::new(|| Numbered::of(&MYSQL, 0));
        let mut made = Makings::default();
        made.look_for(&STATEMENTS, &std::iter::once(call));
        let mut outcomes = Vec::new();
        for sought in made.sought() {
            let row = |id| self.0.get(&(sought.table(), id)).cloned();
            outcomes.push(SqlOutcome {
                rows: sought.ids().filter_map(row).collect(),
                touched: 0,
            });
        }
        made.found(&outcomes)?;
        made.of(call)
    }
}

/// The rows that new calls made, table by table.
pub(super) fn new_rows(made: &[MadeCall]) -> Vec<(RowKey, FakeRow)> {
    let mut rows = CollectedRows::default();
    add_new_rows(made, &mut rows);
    rows.0
}

#[derive(Default)]
struct CollectedRows(Vec<(RowKey, FakeRow)>);

impl<'a> NewRows<'a> for CollectedRows {
    fn add<T: OfUsers<Key = OrderId> + InOrder>(
        &mut self,
        rows: &[&'a T::Row],
        _insert: fn(&Numbered) -> &String,
    ) {
        let row = |row: &&'a T::Row| ((T::NAME, T::key(row)), FakeRow::of::<T>(row));
        self.0.extend(rows.iter().map(row));
    }
}
