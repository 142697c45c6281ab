//! Writes over a connection that answers as it is told.
use std::sync::{Arc, Mutex};

use market::batch::AccountKey;

use super::super::conformance::{Bench, account, map};
use super::super::{Dialect, MYSQL};
use super::*;

/// What the statements of a batch's writes touch, in their order: accounts, changed accounts,
/// orders (of one table), then the grant's.
#[derive(Debug, Clone, Default)]
struct Told(Arc<Mutex<Vec<u64>>>);

#[derive(Debug)]
struct NoRow;

impl Columns for NoRow {
    fn integer(&self, index: usize) -> Result<i64, StoreError> {
        Err(super::super::out_of_range(index))
    }

    fn text(&self, index: usize) -> Result<&str, StoreError> {
        Err(super::super::out_of_range(index))
    }

    fn optional_integer(&self, index: usize) -> Result<Option<i64>, StoreError> {
        Err(super::super::out_of_range(index))
    }
}

impl Database for Told {
    type Connection = Told;

    const DIALECT: Dialect = MYSQL;

    async fn connect(&self) -> Result<Told, StoreError> {
        Ok(self.clone())
    }
}

impl Connection for Told {
    type Row = NoRow;

    async fn begin(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn begin_snapshot(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn rollback(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn begin_schema_change(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn end_schema_change(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn execute(&mut self, _: &str, _: &str) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn rows(&mut self, _: &str, _: &str) -> Result<Vec<NoRow>, StoreError> {
        Ok(Vec::new())
    }

    async fn rows_uncommitted(&mut self, _: &str, _: &str) -> Result<Vec<NoRow>, StoreError> {
        Ok(Vec::new())
    }

    async fn begin_with(
        &mut self,
        _: &[SqlStep<'_>],
    ) -> Result<Vec<SqlOutcome<NoRow>>, StoreError> {
        Ok(Vec::new())
    }

    async fn run_all(
        &mut self,
        steps: &[SqlStep<'_>],
    ) -> Result<Vec<SqlOutcome<NoRow>>, StoreError> {
        let mut told = self
            .0
            .lock()
            .expect("nothing panics here")
            .clone()
            .into_iter();
        let done = |step: &SqlStep<'_>| {
            // What is right for all that the test does not speak of.
            let touched = told.next().unwrap_or(match step.expected {
                ExpectedRows::Any => 0,
                ExpectedRows::Rows(rows) | ExpectedRows::AddedOrChanged(rows) => rows as u64,
                ExpectedRows::Changed(rows) => 2 * rows as u64,
            });
            SqlOutcome {
                rows: Vec::new(),
                touched,
            }
        };
        Ok(steps.iter().map(done).collect())
    }

    async fn scan(
        &mut self,
        _: &str,
        _: &str,
        _: impl FnMut(&NoRow) -> Result<(), StoreError> + Send,
    ) -> Result<(), StoreError> {
        Ok(())
    }

    async fn run(&mut self, _: &str) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Persists one new account, two changed ones and three orders of one table, whose statements touch
/// so many rows.
async fn persist(touched: [u64; 3]) -> Result<(), PersistError> {
    let names: Vec<String> = (0..100).map(|number| format!("user{number}")).collect();
    let here = |name: &&String| map().route(name).table().get() == 0;
    let calls: Vec<(&str, &str)> = names
        .iter()
        .filter(here)
        .take(3)
        .map(|name| (name.as_str(), "key"))
        .collect();
    let told = Told(Arc::new(Mutex::new(touched.to_vec())));
    let mut settlement = Bench::of_run(told.clone(), 1).settlement(&calls);
    let change = |(index, (key, _)): (usize, (&AccountKey, _))| {
        let stored = (index > 0).then(|| account(1));
        (key.clone(), stored, Some(account(2)))
    };
    let accounts = settlement.rows.accounts.written_rows().enumerate();
    settlement.rows.accounts = accounts.map(change).collect();
    let mut store = SqlShard::new(told.clone(), map(), ShardId::new(0), 0..1);
    store.connection = Some(told);
    store
        .persist(GrantId(1), &settlement, &Receipt::default())
        .await
}

#[tokio::test]
async fn each_statement_is_judged_by_itself() {
    persist([1, 4, 3]).await.expect("all were written");
    // The sum is right in each of these: a changed account was added instead, and something else
    // wrote one row too many.
    for touched in [[1, 3, 4], [2, 3, 3], [0, 4, 4], [2, 4, 2], [1, 5, 2]] {
        let persisted = persist(touched).await;
        assert!(
            matches!(
                persisted,
                Err(PersistError::Undone(StoreError::Conflict(_)))
            ),
            "{touched:?}: {persisted:?}"
        );
    }
}
