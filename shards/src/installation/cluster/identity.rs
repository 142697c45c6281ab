//! Whether the meta database is one, and which cluster it is of.
use super::cluster_error::ClusterError;
use super::options::ClusterOptions;
use crate::store::{
    ClusterId, Database, Identity, Layout, Mismatch, MysqlDatabase, Role, StoreError, read_identity,
};

impl ClusterOptions {
    /// What the meta database says of itself.
    pub(super) async fn meta_identity(&self) -> Result<Option<Identity>, StoreError> {
        read_identity::<MysqlDatabase>(&mut self.meta.connect().await?).await
    }

    /// Refuses another part of a cluster in place of the meta database. Its schema is another one,
    /// and to say so would help less.
    pub(super) fn refuse_other_part(&self, found: Option<Identity>) -> Result<(), ClusterError> {
        match found {
            Some(found) if found.role != Role::Meta => {
                let expected = Identity {
                    role: Role::Meta,
                    ..found.clone()
                };
                Err(self.not_ours(&Mismatch {
                    expected,
                    found: Some(found),
                }))
            }
            _ => Ok(()),
        }
    }

    /// The id of the cluster that the meta database is of.
    pub(super) async fn recognise_meta(&self, layout: Layout) -> Result<ClusterId, ClusterError> {
        let found = self.meta_identity().await.map_err(ClusterError::Meta)?;
        let found = found.ok_or(ClusterError::NotMigrated)?;
        let expected = Identity {
            cluster: found.cluster.clone(),
            role: Role::Meta,
            layout,
        };
        match expected.check(Some(&found)) {
            Ok(()) => Ok(found.cluster),
            Err(mismatch) => Err(self.not_ours(&mismatch)),
        }
    }

    fn not_ours(&self, mismatch: &Mismatch) -> ClusterError {
        ClusterError::NotOurs(vec![format!("{}: {mismatch}", self.name(Role::Meta))])
    }
}
