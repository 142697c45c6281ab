//! Operations on a SQLite file as a file: checks that it can be written, marks its head so that an
//! older copy shows, and merges its side files into it.
use std::path::PathBuf;

use sqlx::{Connection as _, Executor, Row};

use super::{SqliteFile, is_busy};
use crate::store::{Database, StoreError};

impl SqliteFile {
    /// The number that [`SqliteFile::set_mark`] wrote last; 0 in a file that never got one.
    pub(crate) async fn mark(&self) -> Result<u32, StoreError> {
        let mut connection = self.connect().await?.inner;
        let row = connection
            .fetch_one("PRAGMA user_version")
            .await
            .map_err(|error| self.failed(&error))?;
        row.try_get(0).map_err(|error| self.failed(&error))
    }

    /// Writes a number into the file's head.
    pub(crate) async fn set_mark(&self, mark: u32) -> Result<(), StoreError> {
        let mut connection = self.connect().await?.inner;
        connection
            .execute(&*format!("PRAGMA user_version = {mark}"))
            .await
            .map_err(|error| self.failed(&error))?;
        connection
            .close()
            .await
            .map_err(|error| self.failed(&error))
    }

    /// Writes to the file without changing anything. A file that another process keeps locked
    /// counts as writable.
    pub(crate) async fn check_writable(&self) -> Result<(), StoreError> {
        let mut connection = self.connect().await?.inner;
        match write_head(&mut connection).await {
            Err(error) if !is_busy(&error) => Err(self.failed(&error)),
            _ => Ok(()),
        }
    }

    /// Merges the side files into the file itself and removes them. Returns whether they are gone:
    /// while another process has the file open they stay, but are empty.
    pub(crate) async fn fold_up(&self) -> Result<bool, StoreError> {
        if self.side_files().iter().all(|file| !file.exists()) {
            return Ok(true);
        }
        let mut connection = self.connect().await?.inner;
        let row = connection
            .fetch_one("PRAGMA wal_checkpoint(TRUNCATE)")
            .await
            .map_err(|error| self.failed(&error))?;
        if row
            .try_get::<i32, _>(0)
            .map_err(|error| self.failed(&error))?
            != 0
        {
            return Err(StoreError::Unavailable(
                "another process reads or writes it".to_owned(),
            ));
        }
        // The last process that closes the file removes them.
        connection
            .close()
            .await
            .map_err(|error| self.failed(&error))?;
        Ok(self.side_files().iter().all(|file| !file.exists()))
    }

    fn side_files(&self) -> [PathBuf; 2] {
        ["-wal", "-shm"].map(|suffix| {
            let mut name = self.path.clone().into_os_string();
            name.push(suffix);
            PathBuf::from(name)
        })
    }
}

/// Writes the present mark again.
async fn write_head(connection: &mut sqlx::SqliteConnection) -> Result<(), sqlx::Error> {
    connection.execute("BEGIN IMMEDIATE").await?;
    let mark: u32 = connection
        .fetch_one("PRAGMA user_version")
        .await?
        .try_get(0)?;
    connection
        .execute(&*format!("PRAGMA user_version = {mark}"))
        .await?;
    connection.execute("COMMIT").await.map(drop)
}
