//! How many units of each item a shard has issued: `stock_issued`. In MySQL each lane counts in
//! rows of its own; SQLite has one writer.
use crate::store::statements::table_statements;

table_statements! {
    /// Statements that both have.
    IssuedStatements in "issued" {
        /// Rows of server, activity, kind, good, segment, run, lane, count; in SQLite of activity,
        /// kind, good, count: adds them.
        count,
        /// Activity, kind, good, units of each item.
        read,
    }
}

table_statements! {
    /// Statements on the counters of lanes.
    CounterStatements in "issued" for mysql {
        /// `[[server]]` -> activity, kind, good, segment, units issued out of that server.
        read_of_server,
        /// Activity, kind, good, lane, units of each lane that still writes or did a while ago.
        read_by_lane,
        /// `[[idle_s]]` -> keys of at most 1,000 counters that were not changed for this long.
        idle,
        /// `[[server, activity, kind, good, segment, run, lane], ...]`, sorted: locks them -> index,
        /// count.
        lock,
        /// `[[server, activity, kind, good, segment, run, lane], ...]`: deletes them.
        delete,
    }
}

/// The statements on the counters of lanes.
pub(crate) const COUNTERS: CounterStatements = CounterStatements::MYSQL;

/// Its name, and the one that it had in SQLite before there were skus in stock. It has rows as soon
/// as a draw took a unit.
pub(crate) const ISSUED_TABLES: [&str; 2] = ["award_issued", "stock_issued"];
