//! The writes of one transaction, brought into the order of all tables.
use super::{InOrder, LockOrder};
use crate::store::{ExpectedRows, Input, Rows, SqlStep};

/// The writes of one transaction, in whatever order they are added.
#[derive(Debug, Default)]
pub(crate) struct Writes<'a>(Vec<(LockOrder, SqlStep<'a>)>);

impl<'a> Writes<'a> {
    /// Adds a statement that writes these rows of a table.
    pub(crate) fn add<T: InOrder>(&mut self, sql: &'a str, rows: Rows<'a>, expected: ExpectedRows) {
        self.add_step(
            T::LOCKED,
            SqlStep {
                sql,
                input: Input::Rows(rows),
                expected,
            },
        );
    }

    /// Adds a statement on a table with this place in the order.
    pub(crate) fn add_step(&mut self, locked: LockOrder, step: SqlStep<'a>) {
        self.0.push((locked, step));
    }

    /// The statements in the order in which they are to run. Those of one table stay as they came.
    pub(crate) fn in_order(mut self) -> Vec<SqlStep<'a>> {
        self.0.sort_by_key(|(locked, _)| *locked);
        self.0.into_iter().map(|(_, step)| step).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_run_in_the_order_of_their_tables() {
        let mut writes = Writes::default();
        for (locked, sql) in [
            (LockOrder::Issued, "issued"),
            (LockOrder::Orders, "orders of table 0"),
            (LockOrder::Accounts, "new accounts"),
            (LockOrder::Orders, "orders of table 1"),
            (LockOrder::Accounts, "changed accounts"),
        ] {
            writes.add_step(locked, SqlStep::read(sql, Input::Nothing));
        }
        let order: Vec<&str> = writes.in_order().iter().map(|step| step.sql).collect();
        assert_eq!(
            order,
            [
                "new accounts",
                "changed accounts",
                "orders of table 0",
                "orders of table 1",
                "issued"
            ]
        );
    }
}
