//! What `drawbridge migrate` does and reports.
use super::cluster_error::ClusterError;
use super::options::ClusterOptions;
use crate::installation::migrated::Migrated;
use crate::store::{ConversionProgress, check_durability, counted};

impl ClusterOptions {
    /// Lays the cluster out or brings it up to date. With `accept_older_meta`, (who, why), it goes
    /// on although the meta database is older than the shards.
    pub(crate) async fn migrate_and_report(
        &self,
        accept_older_meta: Option<(&str, &str)>,
        progress: &ConversionProgress,
    ) -> Result<Migrated, ClusterError> {
        let mut done = Vec::new();
        if let Some((who, why)) = accept_older_meta {
            done = self.accept_older_meta(who, why, progress).await?;
        } else {
            self.lay_out(false, progress).await?;
        }
        if progress.tables() > 0 {
            let (calls, tables) = (progress.calls(), progress.tables());
            done.push(format!("{calls} calls in {tables} tables were converted"));
        }
        let shards = u16::try_from(self.shards.len()).unwrap_or(u16::MAX);
        let shards = counted(shards, "shard");
        done.push(format!("the meta database and {shards} are up to date"));
        done.extend(self.warnings().await?);
        // Gateways would not start, so the operator who lays a cluster out gets the reason now.
        let strangers = self.open().await?.strangers().await;
        Ok(Migrated { done, strangers })
    }

    /// Bad settings of databases and stock servers, one line for each.
    async fn warnings(&self) -> Result<Vec<String>, ClusterError> {
        let mut warnings = Vec::new();
        let shards = self.shards.iter().enumerate();
        let shards = shards.map(|(number, shard)| (format!("shard {number}"), shard));
        let meta = ("meta database".to_owned(), &self.meta);
        for (name, database) in std::iter::once(meta).chain(shards) {
            let found = check_durability(database)
                .await
                .map_err(ClusterError::Meta)?;
            let named = found
                .into_iter()
                .map(|warning| format!("{name}: {warning}"));
            warnings.extend(named);
        }
        for (number, server) in (1..).zip(&self.redis) {
            let warning = server.memory_warning().await;
            warnings.extend(warning.map(|warning| format!("stock server {number}: {warning}")));
        }
        Ok(warnings)
    }
}
