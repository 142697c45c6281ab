//! The audit log: who made a running installation do what, and why. Switches and stock have richer
//! records of their own.
use jiff::Timestamp;

use super::columns::{NOTHING, string, time};
use super::statements::statements;
use super::topic::topic;
use crate::store::{Columns, Connection, Database, StoreError, json_rows};

statements! {
    /// Statements on the audit log.
    AuditLogStatements in "audit_log" {
        /// Adds an entry.
        insert_entry,
        /// The latest entries, newest first.
        read_latest,
    }
}

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who asked for it; at most 128 characters.
    pub who: String,
    /// What was to be done; at most 64 characters.
    pub what: String,
    /// To what, or with what result.
    pub detail: String,
    /// And why.
    pub why: String,
}

topic! {
    /// The audit log of an installation.
    AuditLog,
    /// Its audit log.
    audit_log
}

impl<D: Database> AuditLog<'_, D> {
    /// Adds an entry.
    pub async fn add(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let mut connection = self.0.begin().await?;
        insert::<D>(&mut connection, entry).await?;
        self.0.commit(connection).await
    }

    /// The latest entries, newest first.
    pub async fn latest(&self) -> Result<Vec<AuditEntry>, StoreError> {
        let sql = AuditLogStatements::of::<D>();
        let rows = self.0.rows(sql.read_latest, NOTHING).await?;
        rows.iter().map(entry).collect()
    }
}

/// Adds an entry within the transaction of the change that it is about.
pub(super) async fn insert<D: Database>(
    connection: &mut D::Connection,
    entry: &AuditEntry,
) -> Result<(), StoreError> {
    let AuditEntry {
        at,
        who,
        what,
        detail,
        why,
    } = entry;
    let row = json_rows([(at.as_millisecond(), who, what, detail, why)]);
    let sql = AuditLogStatements::of::<D>();
    connection.execute(sql.insert_entry, &row).await.map(drop)
}

fn entry(row: &impl Columns) -> Result<AuditEntry, StoreError> {
    Ok(AuditEntry {
        at: time(row, 0)?,
        who: string(row, 1)?,
        what: string(row, 2)?,
        detail: string(row, 3)?,
        why: string(row, 4)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::testing::{WHO, WHY, fresh, now, over_each_database};

    async fn the_audit_log_returns_the_newest_first<D: Database>(database: D) {
        let meta = fresh(database).await;
        let entry = |what: &str| AuditEntry {
            at: now(),
            who: WHO.to_owned(),
            what: what.to_owned(),
            detail: "shard-0".to_owned(),
            why: WHY.to_owned(),
        };
        for what in ["reload", "breaker forced_open"] {
            meta.audit_log().add(&entry(what)).await.expect("added");
        }
        assert_eq!(
            meta.audit_log().latest().await,
            Ok(vec![entry("breaker forced_open"), entry("reload")])
        );
    }

    over_each_database!(the_audit_log_returns_the_newest_first);
}
