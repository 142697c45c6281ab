//! The settings of each session. No statement may depend on how a server is configured.
//!
//! All session variables of MariaDB 10.6 to 11.4 and MySQL 8.0 to 9.x were reviewed. A server
//! refuses a variable that it does not know, so each kind gets its own ones in comments that only
//! it executes. Left out are
//! - what costs only time or memory: sizes of buffers and temporary tables, statistics, most of the
//!   optimizer's limits and switches (those that are set decide in which order, and with which
//!   keys, a batch locks rows), logging, profiling, binary logs;
//! - what only a special privilege may set (`auto_increment_increment`,
//!   `explicit_defaults_for_timestamp` on MySQL, `sql_require_primary_key`, `max_allowed_packet`):
//!   statements name what they need, have no TIMESTAMP columns, and ids may have gaps;
//! - what concerns features that are not used: full text, regular expressions, zero dates, views,
//!   system versioning, procedures, temporary tables, LOAD DATA (weeks and names of months are set
//!   all the same, at no cost);
//! - Galera's and group replication's: whether a read waits for other nodes is the operator's
//!   choice;
//! - `innodb_snapshot_isolation`, which older versions do not know and which changes nothing under
//!   READ COMMITTED.
use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::Executor;

use super::failure::Failure;
use super::times::{IDLE_SECONDS_MAX, LOCK_WAIT_SECONDS};
use crate::store::connection::outcomes;
use crate::store::{Columns, StoreError};

/// A transaction may idle for this long: a lane asks Redis in between, for less than a second. The
/// locks of a gateway that stands still are released after this time.
const TRANSACTION_IDLE_SECONDS_MAX: u64 = 5;

/// The server that a session leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SessionServer {
    pub(super) kind: ServerKind,
    /// Whether it is read-only: a replica, or a server that is about to be one.
    pub(super) read_only: bool,
}

/// The kind of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServerKind {
    Mariadb,
    Mysql,
}

/// Whether the server is read-only. An account with special privileges could write all the same.
pub(super) const READ_ONLY: &str =
    "SELECT CAST(CAST(@@global.read_only AS CHAR) NOT IN ('0', 'OFF')
    OR @@global.innodb_read_only <> 0 AS SIGNED)";

const KIND: &str = "SELECT 0 /*M!100000 + 1 */";

/// Sets a new connection up and finds out which server it leads to, in one round trip. All other
/// checks before the first use belong here.
pub(super) async fn check(
    connection: &mut sqlx::MySqlConnection,
    statement_timeout: Duration,
) -> Result<SessionServer, StoreError> {
    let text = format!("{};\n{READ_ONLY};\n{KIND}", settings(statement_timeout));
    let results = connection.fetch_many(&*text);
    let done = outcomes(results.map_ok(|result| result.map_left(|done| done.rows_affected())));
    let done = done.await.map_err(Failure::from)?;
    let values: Vec<i64> = done
        .iter()
        .flat_map(|done| &done.rows)
        .map(|row| row.integer(0))
        .collect::<Result<_, _>>()?;
    let &[read_only, mariadb] = &*values else {
        return Err(StoreError::Unavailable(
            "the server did not return its kind".to_owned(),
        ));
    };
    let kind = if mariadb == 0 {
        ServerKind::Mysql
    } else {
        ServerKind::Mariadb
    };
    Ok(SessionServer {
        kind,
        read_only: read_only != 0,
    })
}

/// The statements that set a session up.
fn settings(statement_timeout: Duration) -> String {
    let statement_seconds = statement_timeout.as_secs();
    // The wait for a table whose schema changes is a second longer than the statement's timeout, so
    // that the timeout always ends it.
    let table_wait = statement_seconds + 1;
    format!(
        "SET NAMES utf8mb4 COLLATE utf8mb4_bin;
         SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE;
         SET SESSION autocommit = 1, completion_type = 0, time_zone = '+00:00',
             sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', default_storage_engine = InnoDB,
             innodb_lock_wait_timeout = {LOCK_WAIT_SECONDS}, lock_wait_timeout = {table_wait},
             wait_timeout = {IDLE_SECONDS_MAX}, net_read_timeout = 30, net_write_timeout = 60,
             foreign_key_checks = 1, unique_checks = 1,
             sql_safe_updates = 0, sql_select_limit = {ALL}, max_join_size = {ALL}, sql_big_selects = 1,
             sql_auto_is_null = 0, sql_buffer_result = 0, max_sort_length = 1024,
             group_concat_max_len = 1048576, div_precision_increment = 4, default_week_format = 0,
             lc_time_names = 'en_US', optimizer_search_depth = 62, eq_range_index_dive_limit = 1
             /*M!100600 , optimizer_switch = 'derived_merge=on,mrr=off,mrr_sort_keys=off',
                 idle_transaction_timeout = {TRANSACTION_IDLE_SECONDS_MAX},
                 idle_readonly_transaction_timeout = 0, idle_write_transaction_timeout = 0,
                 max_statement_time = 0, max_session_mem_used = 9223372036854775807,
                 tmp_disk_table_size = {ALL}, join_cache_level = 2, in_predicate_conversion_threshold = 0,
                 optimizer_max_sel_arg_weight = 0, query_cache_type = OFF,
                 check_constraint_checks = 1, sql_if_exists = 0, old_mode = 'UTF8_IS_UTF8MB3', tcp_nodelay = 1 */
             /*!80000 , optimizer_switch = 'derived_merge=on,mrr=off,batched_key_access=off',
                 max_execution_time = 0, range_optimizer_max_mem_size = 0 */"
    )
}

/// The largest value of a variable, which is no bound.
const ALL: u64 = u64::MAX;

impl ServerKind {
    /// Begins a transaction that may write.
    pub(super) fn begin(self) -> &'static [&'static str] {
        match self {
            ServerKind::Mariadb => &["START TRANSACTION"],
            ServerKind::Mysql => &["SET SESSION wait_timeout = 5", "START TRANSACTION"],
        }
    }

    /// Begins one that only reads and sees one moment. The isolation level holds for this
    /// transaction only: under READ COMMITTED each statement would see a moment of its own. It
    /// locks no row, so it may idle as long as a session.
    pub(super) fn begin_snapshot(self) -> &'static str {
        match self {
            ServerKind::Mariadb => {
                "SET SESSION idle_transaction_timeout = 0;
                 SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
                 START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
            }
            ServerKind::Mysql => {
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
                 START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
            }
        }
    }

    /// Ends either of them.
    pub(super) fn end(self, word: TransactionEnd, snapshot: bool) -> &'static str {
        match (self, word, snapshot) {
            (ServerKind::Mariadb, TransactionEnd::Commit, false) => "COMMIT",
            (ServerKind::Mariadb, TransactionEnd::Commit, true) => {
                "COMMIT; SET SESSION idle_transaction_timeout = 5"
            }
            (ServerKind::Mariadb, TransactionEnd::Rollback, false) => "ROLLBACK",
            (ServerKind::Mariadb, TransactionEnd::Rollback, true) => {
                "ROLLBACK; SET SESSION idle_transaction_timeout = 5"
            }
            (ServerKind::Mysql, TransactionEnd::Commit, _) => {
                "COMMIT; SET SESSION wait_timeout = 60"
            }
            (ServerKind::Mysql, TransactionEnd::Rollback, _) => {
                "ROLLBACK; SET SESSION wait_timeout = 60"
            }
        }
    }
}

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TransactionEnd {
    Commit,
    Rollback,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MySQL has no timeout for idle transactions, so the SQL that begins one sets the session's.
    #[test]
    fn texts_say_the_seconds_of_their_constants() {
        let short = format!("SET SESSION wait_timeout = {TRANSACTION_IDLE_SECONDS_MAX}");
        assert_eq!(ServerKind::Mysql.begin()[0], short);
        for word in [TransactionEnd::Commit, TransactionEnd::Rollback] {
            let long = format!("SET SESSION wait_timeout = {IDLE_SECONDS_MAX}");
            assert!(ServerKind::Mysql.end(word, false).ends_with(&long));
            let short =
                format!("SET SESSION idle_transaction_timeout = {TRANSACTION_IDLE_SECONDS_MAX}");
            assert!(ServerKind::Mariadb.end(word, true).ends_with(&short));
        }
    }
}
