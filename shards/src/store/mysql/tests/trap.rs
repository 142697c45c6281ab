//! A database that runs an action just before each commit.
use std::pin::Pin;
use std::sync::Arc;

use sqlx::mysql::MySqlRow;

use crate::store::{
    Connection, Database, Dialect, MYSQL, MysqlConnection, MysqlDatabase, SqlOutcome, SqlStep,
    StoreError,
};

type Hook = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

#[derive(Clone)]
pub(super) struct Trapped {
    database: MysqlDatabase,
    before_commit: Hook,
}

pub(super) struct TrappedConnection {
    inner: MysqlConnection,
    before_commit: Hook,
}

impl Trapped {
    pub(super) fn new<F: Future<Output = ()> + Send + 'static>(
        database: &MysqlDatabase,
        before_commit: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self {
        Self {
            database: database.clone(),
            before_commit: Arc::new(move || Box::pin(before_commit())),
        }
    }
}

impl Database for Trapped {
    type Connection = TrappedConnection;

    const DIALECT: Dialect = MYSQL;

    async fn connect(&self) -> Result<TrappedConnection, StoreError> {
        Ok(TrappedConnection {
            inner: self.database.connect().await?,
            before_commit: self.before_commit.clone(),
        })
    }
}

impl Connection for TrappedConnection {
    type Row = MySqlRow;

    async fn begin(&mut self) -> Result<(), StoreError> {
        self.inner.begin().await
    }

    async fn begin_snapshot(&mut self) -> Result<(), StoreError> {
        self.inner.begin_snapshot().await
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        (self.before_commit)().await;
        self.inner.commit().await
    }

    async fn rollback(&mut self) -> Result<(), StoreError> {
        self.inner.rollback().await
    }

    async fn begin_schema_change(&mut self) -> Result<(), StoreError> {
        self.inner.begin_schema_change().await
    }

    async fn end_schema_change(&mut self) -> Result<(), StoreError> {
        self.inner.end_schema_change().await
    }

    async fn execute(&mut self, sql: &str, json: &str) -> Result<u64, StoreError> {
        self.inner.execute(sql, json).await
    }

    async fn rows_uncommitted(
        &mut self,
        sql: &str,
        json: &str,
    ) -> Result<Vec<Self::Row>, StoreError> {
        self.inner.rows_uncommitted(sql, json).await
    }

    async fn rows(&mut self, sql: &str, json: &str) -> Result<Vec<MySqlRow>, StoreError> {
        self.inner.rows(sql, json).await
    }

    async fn begin_with(
        &mut self,
        steps: &[SqlStep<'_>],
    ) -> Result<Vec<SqlOutcome<MySqlRow>>, StoreError> {
        self.inner.begin_with(steps).await
    }

    async fn run_all(
        &mut self,
        steps: &[SqlStep<'_>],
    ) -> Result<Vec<SqlOutcome<MySqlRow>>, StoreError> {
        self.inner.run_all(steps).await
    }

    async fn scan(
        &mut self,
        sql: &str,
        json: &str,
        each: impl FnMut(&MySqlRow) -> Result<(), StoreError> + Send,
    ) -> Result<(), StoreError> {
        self.inner.scan(sql, json, each).await
    }

    async fn run(&mut self, sql: &str) -> Result<(), StoreError> {
        self.inner.run(sql).await
    }
}
