//! Checks that the meta database is one, and finds out which cluster it belongs to.
use super::cluster_error::ClusterError;
use super::options::ClusterOptions;
use crate::store::{
    ClusterId, Database, DatabaseIdentity, DatabaseRole, IdentityMismatch, Layout, MysqlDatabase,
    StoreError, read_identity,
};

impl ClusterOptions {
    /// The identity that the meta database has stored.
    pub(super) async fn meta_identity(&self) -> Result<Option<DatabaseIdentity>, StoreError> {
        read_identity::<MysqlDatabase>(&mut self.meta.connect().await?).await
    }

    /// Refuses another part of a cluster in place of the meta database. Comes before the check of
    /// the schema, whose message would help less.
    pub(super) fn refuse_other_part(
        &self,
        found: Option<DatabaseIdentity>,
    ) -> Result<(), ClusterError> {
        match found {
            Some(found) if found.role != DatabaseRole::Meta => {
                let expected = DatabaseIdentity {
                    role: DatabaseRole::Meta,
                    ..found.clone()
                };
                Err(self.not_ours(&IdentityMismatch {
                    expected,
                    found: Some(found),
                }))
            }
            _ => Ok(()),
        }
    }

    /// The id of the cluster that the meta database belongs to.
    pub(super) async fn recognise_meta(&self, layout: Layout) -> Result<ClusterId, ClusterError> {
        let found = self.meta_identity().await.map_err(ClusterError::Meta)?;
        let found = found.ok_or(ClusterError::NotMigrated)?;
        let expected = DatabaseIdentity {
            cluster: found.cluster.clone(),
            role: DatabaseRole::Meta,
            layout,
        };
        match expected.check(Some(&found)) {
            Ok(()) => Ok(found.cluster),
            Err(mismatch) => Err(self.not_ours(&mismatch)),
        }
    }

    fn not_ours(&self, mismatch: &IdentityMismatch) -> ClusterError {
        ClusterError::NotOurs(vec![format!(
            "{}: {mismatch}",
            self.name(DatabaseRole::Meta)
        )])
    }
}
