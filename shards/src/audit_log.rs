//! The audit log in the meta database: who told a running installation what, and why. Switches
//! and stock have richer records of their own.
use jiff::Timestamp;

use crate::meta::Meta;
use crate::store::{Columns, Connection, Database, StoreError, json_rows, out_of_range};
use crate::switches::Answer;

/// An order that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who gave it; at most 128 characters.
    pub who: String,
    /// What was to be done; at most 64 characters.
    pub what: String,
    /// To what, or with what result.
    pub detail: String,
    /// And why.
    pub why: String,
}

impl<D: Database> Meta<D> {
    /// Adds an entry.
    pub async fn note(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let AuditEntry {
            at,
            who,
            what,
            detail,
            why,
        } = entry;
        let row = json_rows([(at.as_millisecond(), who, what, detail, why)]);
        let mut connection = self.begin().await?;
        connection
            .execute(D::DIALECT.meta.insert_trail_entry, &row)
            .await?;
        self.commit(connection).await
    }

    /// The latest entries, newest first.
    pub async fn audit_log(&self) -> Result<Vec<AuditEntry>, StoreError> {
        self.rows(D::DIALECT.meta.read_trail, "[]")
            .await?
            .iter()
            .map(entry)
            .collect()
    }
}

fn entry(row: &impl Columns) -> Result<AuditEntry, StoreError> {
    let text = |index| row.text(index).map(str::to_owned);
    let at = Timestamp::from_millisecond(row.integer(0)?).map_err(|_| out_of_range(0))?;
    Ok(AuditEntry {
        at,
        who: text(1)?,
        what: text(2)?,
        detail: text(3)?,
        why: text(4)?,
    })
}

/// The audit log of a running server, whatever its meta database is.
pub(crate) trait AuditLog: Send + Sync {
    fn note<'a>(&'a self, entry: &'a AuditEntry) -> Answer<'a, ()>;
    fn entries(&self) -> Answer<'_, Vec<AuditEntry>>;
}

impl<D: Database> AuditLog for Meta<D> {
    fn note<'a>(&'a self, entry: &'a AuditEntry) -> Answer<'a, ()> {
        Box::pin(Meta::note(self, entry))
    }

    fn entries(&self) -> Answer<'_, Vec<AuditEntry>> {
        Box::pin(self.audit_log())
    }
}
