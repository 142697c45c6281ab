//! `stock_epoch`: how often each stock server was rebuilt, as far as this shard knows. Only MySQL
//! has it.
use crate::store::statements::table_statements;

table_statements! {
    /// Statements on epochs.
    EpochStatements in "epochs" for mysql {
        /// Rows of server -> server, epoch, which stays as it is until the commit.
        hold,
        /// `[[server, epoch]]`: raises a server's epoch; waits for the batches that hold it.
        raise,
        /// `[[server]]` -> epoch.
        read,
    }
}

/// The statements.
pub(crate) const EPOCHS: EpochStatements = EpochStatements::MYSQL;
