//! `stock_receipt`: one row for each batch that took units from servers and whose grant may still
//! be open there, or that is void. A batch and a process that takes it for dead meet here: the
//! first of the two inserts the row. Only MySQL has it: SQLite goes with stock in memory.
use crate::grant::GrantId;
use crate::store::Rows;
use crate::store::rows::number;
use crate::store::statements::table_statements;

table_statements! {
    /// Statements on receipts.
    ReceiptStatements in "receipts" for mysql {
        /// Rows of grant, void, units: notes that a batch commits, or never will.
        insert,
        /// `[[grant]]` -> void, units.
        read,
        /// The greatest grant that has a receipt; 0 without any.
        read_last,
        /// Rows of grant, sorted: deletes the receipts of those that have committed.
        delete,
        /// `[[after]]` -> grant, age in ms, units of at most 1,000 committed grants, by grant.
        old,
        /// `[[min_age_ms]]` -> how many committed grants that old have a receipt.
        count_old,
        /// `[[min_age_s]]` -> at most 1,000 void grants that old.
        old_void,
        /// Rows of grant, sorted: deletes the receipts of void ones.
        delete_void,
    }
}

/// The statements.
pub(crate) const RECEIPTS: ReceiptStatements = ReceiptStatements::MYSQL;

/// The one row of a grant's receipt; a void one forbids its batch.
pub(crate) fn receipt_row(grant: GrantId, void: bool, units: &str) -> Rows<'_> {
    let mut rows = Rows::default();
    rows.push([number(grant.0), u8::from(void).into(), units.into()]);
    rows
}

/// Rows of grants, in their order.
pub(crate) fn grant_rows<'a>(grants: &[GrantId]) -> Rows<'a> {
    let mut grants = grants.to_vec();
    grants.sort_unstable();
    let mut rows = Rows::default();
    for grant in grants {
        rows.push([number(grant.0)]);
    }
    rows
}
