//! `label_repair_N`: accounts whose day label was ahead of the clock and was set back, by
//! `drawbridge audit --repair`, which locks the account first. Only the audit reads it.
use crate::store::statements::numbered_statements;

numbered_statements! {
    /// Statements on repairs of labels.
    LabelRepairStatements in "label_repairs" {
        /// `[[user, activity, used, today, day_before, at_ms]]`: notes a repair.
        insert,
        /// `[after, up to]` -> at most `{rows_max}` repairs of the users in between, by key.
        page,
        /// `[user]` -> repairs, by key.
        of_user,
    }
}
