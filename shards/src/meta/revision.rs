//! The revision: the number that every change of the meta database raises, and that gateways poll.
//! Its row is also the lock by which writers take turns.
use super::columns::{NOTHING, only_number};
use super::statements::statements;
use crate::store::{Connection, Database, StoreError};

statements! {
    /// Statements on the revision.
    RevisionStatements in "revision" {
        /// Makes writers take turns: the first statement of each transaction that writes.
        lock,
        /// The number.
        read,
        /// Raises it.
        raise,
    }
}

/// Waits until no other transaction writes, and makes others wait until this one ends.
pub(super) async fn lock<D: Database>(connection: &mut D::Connection) -> Result<(), StoreError> {
    let sql = RevisionStatements::of::<D>();
    connection.rows(sql.lock, NOTHING).await.map(drop)
}

/// The current revision.
pub(super) async fn read<D: Database>(connection: &mut D::Connection) -> Result<u64, StoreError> {
    let sql = RevisionStatements::of::<D>();
    only_number(&connection.rows(sql.read, NOTHING).await?)
}

/// Raises the revision within a transaction that changes what gateways follow.
pub(crate) async fn raise<D: Database>(connection: &mut D::Connection) -> Result<(), StoreError> {
    let sql = RevisionStatements::of::<D>();
    connection.execute(sql.raise, NOTHING).await.map(drop)
}
