//! How many units of each prize a shard has issued: `stock_issued`, where each lane counts in rows
//! of its own, and `award_issued` in SQLite, which has one writer.
use crate::store::statements::table_statements;

table_statements! {
    /// Statements that both have.
    IssuedStatements in "issued" {
        /// Rows of server, activity, award, segment, run, lane, count; in SQLite of activity,
        /// award, count: adds them.
        count,
        /// Activity, award, units of each prize.
        read,
    }
}

table_statements! {
    /// Statements on the counters of lanes.
    CounterStatements in "issued" for mysql {
        /// `[[server]]` -> activity, award, segment, units issued out of that server.
        read_of_server,
        /// Activity, award, lane, units of each lane that still writes or did a while ago.
        read_by_lane,
        /// `[[idle_s]]` -> keys of at most 1,000 counters that were not changed for this long.
        idle,
        /// `[[server, activity, award, segment, run, lane], ...]`, sorted -> index, count, locked.
        lock,
        /// `[[server, activity, award, segment, run, lane], ...]`: deletes them.
        delete,
    }
}

/// The statements on the counters of lanes.
pub(crate) const COUNTERS: CounterStatements = CounterStatements::MYSQL;

/// The names that it has, by dialect. It has rows as soon as a draw took a unit.
pub(crate) const ISSUED_TABLES: [&str; 2] = ["award_issued", "stock_issued"];
