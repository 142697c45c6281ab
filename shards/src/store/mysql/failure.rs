//! How a statement can fail, by what can be done about it.
use std::future::Future;
use std::time::Duration;

use sqlx::mysql::MySqlDatabaseError;
use tokio::time::timeout;

use crate::store::StoreError;

/// A statement's failure.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server refuses the statement; the connection is as good as before.
    Refused(StoreError),
    /// The server has closed the connection, or closes it with this very refusal.
    Closed(String),
    /// The connection is not to be used any more.
    CutOff(StoreError),
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) | Failure::CutOff(error) => error,
            Failure::Closed(why) => StoreError::Away(why),
        }
    }
}

/// Waits for `work` on a connection, which stays usable only if `work` comes to its end.
pub(super) async fn within<T>(
    limit: Duration,
    usable: &mut bool,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, Failure> {
    // Taken away first: if the caller is dropped meanwhile, nobody gives it back.
    if !std::mem::replace(usable, false) {
        return Err(Failure::CutOff(StoreError::Away("an earlier statement was cut off".to_owned())));
    }
    let failure = match timeout(limit, work).await {
        Ok(Ok(value)) => {
            *usable = true;
            return Ok(value);
        }
        Ok(Err(error)) => Failure::from(error),
        Err(_) => Failure::CutOff(StoreError::Away(format!("no answer within {limit:?}"))),
    };
    *usable = matches!(failure, Failure::Refused(_));
    Err(failure)
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let message = error.to_string();
        match &error {
            sqlx::Error::Database(database) => {
                let number = database.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number);
                number.map_or_else(
                    || Failure::CutOff(StoreError::Away(message.clone())),
                    |number| by_number(number, message.clone()),
                )
            }
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Failure::Refused(StoreError::Data(message)),
            sqlx::Error::Io(_) => Failure::Closed(message),
            _ => Failure::CutOff(StoreError::Away(message)),
        }
    }
}

/// The server's error numbers. Below 2000 MySQL and MariaDB agree; above, a number of the one may
/// mean something else to the other, but nothing that statements of ours can meet.
fn by_number(number: u16, message: String) -> Failure {
    match number {
        // Duplicate key (in three wordings), record changed since it was read, deadlock.
        1022 | 1062 | 1586 | 1020 | 1213 => Failure::Refused(StoreError::Conflict(message)),
        // A lock that was waited for in vain, or not at all (MariaDB says the former for both).
        1205 | 3572 => Failure::Refused(StoreError::Held(message)),
        // NULL, value out of range, value cut, a value that is not of its type, bytes that are no
        // text, no default, not a number, too long, out of range while computing.
        1048 | 1264 | 1265 | 1292 | 1300 | 1364 | 1366 | 1406 | 1690
        // MySQL: not JSON (three ways), JSON that is too deep, nothing at a path, no scalar at a
        // path, a value at a path out of range, CHECK.
        | 3140 | 3141 | 3156 | 3157 | 3665 | 3666 | 3669 | 3819
        // MariaDB: CHECK, not JSON (six ways), a path of JSON_TABLE (three ways).
        | 4025 | 4035..=4040 | 4176 | 4178 | 4179 => Failure::Refused(StoreError::Data(message)),
        // A statement that is larger than the server takes. It closes the connection, but to send
        // the same again does not help: half of it may.
        1153 => Failure::CutOff(StoreError::Data(message)),
        // Shutting down, connection killed (MariaDB, MySQL), closed after idling (MySQL).
        1053 | 1927 | 3169 | 4031 => Failure::Closed(message),
        _ => Failure::Refused(StoreError::Away(message)),
    }
}
