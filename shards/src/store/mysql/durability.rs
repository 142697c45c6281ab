//! Checks that the server keeps what it has confirmed, lets gateways back in after it hung, and is
//! new enough for the statements.
use super::{MysqlConnection, MysqlDatabase};
use crate::store::{Columns, Connection, Database, StoreError};

const SETTINGS: &str = "SELECT @@version, CAST(@@innodb_flush_log_at_trx_commit AS SIGNED),
    CAST(@@log_bin AS SIGNED), CAST(@@sync_binlog AS SIGNED),
    CAST(@@skip_name_resolve AS SIGNED), CAST(LEAST(@@max_connect_errors, 1000000000) AS SIGNED)";

/// Each gateway gives up one handshake in half a minute while a server hangs. This many are some
/// hours of ten gateways.
const CONNECT_ERRORS_ENOUGH: i64 = 10_000;

const OTHER_TABLES: &str = "SELECT table_name FROM information_schema.tables
    WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE' AND table_name <> 'schema_version'
      AND (engine <> 'InnoDB' OR row_format <> 'Dynamic')
    ORDER BY table_name";

/// Warnings about settings of the server and tables of `database` that could lose answered draws,
/// keep gateways out, or make statements fail.
pub async fn check_durability(database: &MysqlDatabase) -> Result<Vec<String>, StoreError> {
    let mut connection = database.connect().await?;
    let mut warnings = settings(&mut connection).await?;
    for row in connection.rows(OTHER_TABLES, "[]").await? {
        warnings.push(format!(
            "table {} is not InnoDB with ROW_FORMAT=DYNAMIC",
            row.text(0)?
        ));
    }
    Ok(warnings)
}

async fn settings(connection: &mut MysqlConnection) -> Result<Vec<String>, StoreError> {
    let rows = connection.rows(SETTINGS, "[]").await?;
    let row = rows
        .first()
        .ok_or_else(|| StoreError::Unavailable("the server returned no settings".to_owned()))?;
    let mut warnings = Vec::new();
    let version = row.text(0)?;
    if is_too_old(version) {
        warnings.push(format!(
            "the server is version {version}; MySQL 8.0.21 or MariaDB 10.6 is needed"
        ));
    }
    let flush = row.integer(1)?;
    if flush != 1 {
        warnings.push(format!(
            "innodb_flush_log_at_trx_commit is {flush}: draws that were answered are lost when the machine stops; set it to 1"
        ));
    }
    let sync = row.integer(3)?;
    if row.integer(2)? != 0 && sync != 1 {
        warnings.push(format!(
            "sync_binlog is {sync}: replicas may miss draws that were answered when the machine stops; set it to 1"
        ));
    }
    let connect_errors = row.integer(5)?;
    if row.integer(4)? == 0 && connect_errors < CONNECT_ERRORS_ENOUGH {
        warnings.push(format!(
            "max_connect_errors is {connect_errors} and names are resolved: a server that hung for long refuses gateways \
             until FLUSH HOSTS; set skip_name_resolve, or max_connect_errors to {CONNECT_ERRORS_ENOUGH} or more"
        ));
    }
    Ok(warnings)
}

/// MariaDB's version numbers are not those of MySQL: they began again at 10.
fn is_too_old(version: &str) -> bool {
    let mut numbers = version
        .split(['.', '-'])
        .map_while(|part| part.parse::<u32>().ok());
    let found: [u32; 3] = std::array::from_fn(|_| numbers.next().unwrap_or(0));
    // The first MariaDB with JSON_TABLE, and the first MySQL with JSON_VALUE.
    found
        < if version.contains("MariaDB") {
            [10, 6, 0]
        } else {
            [8, 0, 21]
        }
}

#[cfg(test)]
mod tests {
    use super::is_too_old;

    #[test]
    fn servers_that_lack_a_function_are_too_old() {
        for old in [
            "10.5.23-MariaDB-log",
            "5.7.44",
            "8.0.20",
            "5.5.68-MariaDB",
            "nonsense",
        ] {
            assert!(is_too_old(old), "{old}");
        }
        for new in [
            "10.6.0-MariaDB",
            "10.11.19-MariaDB-0+deb12u1",
            "11.4.2-MariaDB",
            "8.0.36",
            "9.7.0",
            "8.0.21-log",
        ] {
            assert!(!is_too_old(new), "{new}");
        }
    }
}
