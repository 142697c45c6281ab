//! Checks which database a new connection leads to.
use sqlx::Executor;
use sqlx::mysql::MySqlDatabaseError;

use super::failure::Failure;
use crate::store::identity::{DatabaseIdentity, ExpectedIdentity};
use crate::store::{MYSQL, StoreError};

/// The server's error number for a missing table.
const NO_SUCH_TABLE: u16 = 1146;

/// Refuses a connection to a database that is not the expected one, before it is used.
pub(super) async fn recognise(
    expected: &ExpectedIdentity,
    connection: &mut sqlx::MySqlConnection,
) -> Result<(), StoreError> {
    if expected.is_anything() {
        return Ok(());
    }
    let found = match connection
        .fetch_optional(MYSQL.identity.read_identity)
        .await
    {
        Err(sqlx::Error::Database(error))
            if error
                .try_downcast_ref::<MySqlDatabaseError>()
                .map(MySqlDatabaseError::number)
                == Some(NO_SUCH_TABLE) =>
        {
            None
        }
        found => found.map_err(Failure::from)?,
    };
    let found = found.as_ref().map(DatabaseIdentity::from_row).transpose()?;
    expected.judge(found.as_ref())
}
