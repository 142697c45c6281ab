//! Run numbers: each process builds its ids from a number that no other process ever had.
use std::future::Future;
use std::pin::Pin;

use router::Run;

use super::columns::{NOTHING, only_number};
use super::connections::Meta;
use super::statements::statements;
use super::topic::topic;
use crate::lane::Runs;
use crate::store::{ClaimedRuns, Connection, Database, StoreError, json_rows};

statements! {
    /// Statements on run numbers.
    RunStatements in "runs" {
        /// Claims the next run number.
        claim,
        /// The run number claimed last.
        read,
        /// `[[claimed]]`: raises it to at least this number.
        raise,
    }
}

topic! {
    /// The run numbers of an installation.
    RunNumbers,
    /// Its run numbers.
    runs
}

impl<D: Database> RunNumbers<'_, D> {
    const SQL: &'static RunStatements = RunStatements::of::<D>();

    /// Claims a run number that was never claimed before; `None` when all are used up.
    pub async fn claim(&self) -> Result<Option<Run>, StoreError> {
        let mut connection = self.0.begin().await?;
        connection.execute(Self::SQL.claim, NOTHING).await?;
        let number = only_number(&connection.rows(Self::SQL.read, NOTHING).await?)?;
        let Some(run) = Run::new(number) else {
            return Ok(None);
        };
        // Committed before it is used: otherwise another lane could claim the same number.
        self.0.commit(connection).await?;
        Ok(Some(run))
    }

    /// How many run numbers were claimed so far.
    pub async fn claimed(&self) -> Result<u64, StoreError> {
        only_number(&self.0.rows(Self::SQL.read, NOTHING).await?)
    }

    /// Makes at least this many run numbers count as claimed.
    pub(crate) async fn raise(&self, claimed: u64) -> Result<(), StoreError> {
        let mut connection = self.0.begin().await?;
        connection
            .execute(Self::SQL.raise, &json_rows([[claimed]]))
            .await?;
        connection.commit().await
    }
}

impl<D: Database> ClaimedRuns for Meta<D> {
    fn claimed(&self) -> Pin<Box<dyn Future<Output = Result<u64, StoreError>> + Send + '_>> {
        Box::pin(async { self.runs().claimed().await })
    }
}

impl<D: Database> Runs for Meta<D> {
    fn claim(&self) -> Pin<Box<dyn Future<Output = Result<Option<Run>, StoreError>> + Send + '_>> {
        Box::pin(async { self.runs().claim().await })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use crate::meta::testing::{fresh, over_each_database};
    use crate::store::Database;

    async fn run_numbers_are_claimed_once<D: Database>(database: D) {
        let meta = fresh(database).await;
        let mut runs = Vec::new();
        for _ in 0..5 {
            runs.extend(
                join_all((0..4).map(|_| async { meta.runs().claim().await }))
                    .await
                    .into_iter()
                    .map(|run| run.expect("an answer").expect("a run").get()),
            );
        }
        runs.sort_unstable();
        assert_eq!(runs, (1..=20).collect::<Vec<_>>());
        assert_eq!(meta.runs().claimed().await, Ok(20));
    }

    over_each_database!(run_numbers_are_claimed_once);
}
