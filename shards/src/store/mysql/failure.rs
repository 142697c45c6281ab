//! How a statement can fail, by what can be done about it.
use sqlx::mysql::MySqlDatabaseError;

use crate::store::{StoreError, one_line};

/// Why a statement failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server refuses the statement; the connection is as good as before.
    Refused(StoreError),
    /// The server has closed the connection, or closes it with this refusal.
    Closed(String),
    /// The connection must not be used any more.
    CutOff(StoreError),
    /// Nor must any other of its generation: the server is read-only, does not serve or does not
    /// answer.
    Unfit(StoreError),
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) | Failure::CutOff(error) | Failure::Unfit(error) => error,
            Failure::Closed(why) => StoreError::Unavailable(why),
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let message = one_line(&error.to_string());
        match &error {
            sqlx::Error::Database(database) => {
                let number = database
                    .try_downcast_ref::<MySqlDatabaseError>()
                    .map(MySqlDatabaseError::number);
                number.map_or_else(
                    || Failure::CutOff(StoreError::Unavailable(message.clone())),
                    |number| by_number(number, message.clone()),
                )
            }
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                Failure::Refused(StoreError::Data(message))
            }
            sqlx::Error::Io(_) => Failure::Closed(message),
            _ => Failure::CutOff(StoreError::Unavailable(message)),
        }
    }
}

/// The server's error numbers. Below 2000 MySQL and MariaDB agree. Above, a number of one may mean
/// something else for the other, but nothing that our statements can meet.
///
/// An error that is not listed costs the connection: its meaning is unknown, it may be about the
/// server, and another connection may lead to a better one.
fn by_number(number: u16, message: String) -> Failure {
    match number {
        // Duplicate key (in three wordings), record changed since it was read, deadlock.
        1022 | 1062 | 1586 | 1020 | 1213
        // MySQL: rolled back because another member of the group was faster.
        | 3101 => Failure::Refused(StoreError::Conflict(message)),
        // A lock wait that timed out, or a lock that was not waited for (MariaDB has one number for
        // both).
        1205 | 3572 => Failure::Refused(StoreError::Held(message)),
        // NULL, value out of range, value cut, a value that is not of its type, bytes that are no
        // string, no default, not a number, too long, out of range while computing.
        1048 | 1264 | 1265 | 1292 | 1300 | 1364 | 1366 | 1406 | 1690
        // MySQL: not JSON (three ways), JSON that is too deep, nothing at a path, no scalar at a
        // path, a value at a path out of range, CHECK.
        | 3140 | 3141 | 3156 | 3157 | 3665 | 3666 | 3669 | 3819
        // MariaDB: CHECK, not JSON (six ways), a path of JSON_TABLE (three ways).
        | 4025 | 4035..=4040 | 4176 | 4178 | 4179 => Failure::Refused(StoreError::Data(message)),
        // A statement that is too large for the server. The server closes the connection. Sending
        // the same again does not help, but half of it may.
        1153 => Failure::CutOff(StoreError::Data(message)),
        // Connection killed (MariaDB, MySQL), closed after idling (MySQL).
        1927 | 3169 | 4031 => Failure::Closed(message),
        // Read-only: a table, an option (`--read-only`, `--super-read-only`), a transaction because
        // sessions begin so, InnoDB, a database (MySQL). Not part of its cluster any more (Galera;
        // MySQL's group). Shutting down, offline (MySQL).
        1036 | 1290 | 1792 | 1836 | 3989 | 1047 | 3100 | 1053 | 3032 => Failure::Unfit(StoreError::Unavailable(message)),
        // The statement itself: no right to it (four ways), no such database, table, column, key or
        // function, exists already (four ways), no SQL, a variable that is unknown or has a wrong
        // value, too many rows to look at, a missing key.
        1044 | 1142 | 1143 | 1227 | 1049 | 1051 | 1146 | 1054 | 1091 | 1305 | 1007 | 1050 | 1060 | 1061 | 1064 | 1193
        | 1231 | 1104 | 1175
        // What it met: a full disk or table, rows that are too long for a page, its time limit
        // (MariaDB, MySQL), a KILL QUERY.
        | 1021 | 1114 | 1118 | 1969 | 3024 | 1317 => Failure::Refused(StoreError::Unavailable(message)),
        _ => Failure::CutOff(StoreError::Unavailable(message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(number: u16) -> &'static str {
        match by_number(number, "why".to_owned()) {
            Failure::Refused(StoreError::Conflict(_)) => "conflict",
            Failure::Refused(StoreError::Data(_)) => "data",
            Failure::Refused(_) => "sound",
            Failure::Closed(_) => "closed",
            Failure::CutOff(_) => "cut off",
            Failure::Unfit(_) => "unfit",
        }
    }

    #[test]
    fn a_server_that_may_not_be_written_to_ends_all_its_connections() {
        for number in [1036, 1290, 1792, 1836, 3989, 1047, 3100, 1053, 3032] {
            assert_eq!(kind(number), "unfit", "{number}");
        }
    }

    #[test]
    fn a_number_that_is_not_listed_costs_the_connection() {
        let unknown = (1000..=5000)
            .filter(|&number| kind(number) == "cut off")
            .count();
        assert!(
            unknown > 3_900,
            "{unknown}: only numbers that leave the connection sound are listed"
        );
        for number in [1030, 1105, 1180, 1412, 1478, 1614, 3572 + 1000, 65_535] {
            assert_eq!(kind(number), "cut off", "{number}");
        }
    }

    #[test]
    fn what_a_statement_did_wrong_costs_nothing() {
        for (number, expected) in [
            (1062, "conflict"),
            (1213, "conflict"),
            (3101, "conflict"),
            (1406, "data"),
            (4025, "data"),
            (1064, "sound"),
            (1146, "sound"),
            (1114, "sound"),
            (1927, "closed"),
        ] {
            assert_eq!(kind(number), expected, "{number}");
        }
    }
}
