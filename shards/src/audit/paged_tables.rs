//! The statements by which table pairs are read in pages.
use serde::Serialize;

use crate::store::Dialect;
use crate::store::tables::Numbered;

/// The statements on the tables of one number, in pages of at most `rows_max` rows.
#[derive(Debug)]
pub(super) struct PagedTables {
    pub(super) sql: Numbered,
    pub(super) rows_max: usize,
}

impl PagedTables {
    pub(super) fn new(dialect: &Dialect, table: u16, rows_max: usize) -> Self {
        let mut sql = Numbered::of(dialect, table);
        for text in [
            &mut sql.accounts.page,
            &mut sql.calls.page,
            &mut sql.calls.of_user,
            &mut sql.label_repairs.page,
            &mut sql.points_accounts.page,
            &mut sql.points_entries.page,
            &mut sql.points_entries.of_user,
            &mut sql.sign_ins.page,
            &mut sql.user_awards.page,
        ] {
            *text = text.replace("{rows_max}", &rows_max.to_string());
        }
        Self { sql, rows_max }
    }
}

/// The JSON of a value that a statement binds.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain values")
}
