//! Gateways of the version before: they must not run while their tables are converted.
use super::cluster_error::ClusterError;
use super::options::ClusterOptions;
use crate::meta::{Meta, SILENT_AFTER};
use crate::store::{
    Columns, Connection, Database, DatabaseRole, MysqlDatabase, StoreError, awaits_conversion,
};

/// The table of gateways' reports.
const REPORTS: &str = "gateway";

impl ClusterOptions {
    /// Refuses to convert a shard while a gateway reports. It must be of the version before: one of
    /// this version does not start on such a shard. Changes nothing.
    pub(super) async fn refuse_older_gateways(
        &self,
        meta: &Meta<MysqlDatabase>,
    ) -> Result<(), ClusterError> {
        if !self.awaits_conversion().await? {
            return Ok(());
        }
        match running(meta).await.map_err(ClusterError::Meta)? {
            gateways if gateways.is_empty() => Ok(()),
            gateways => Err(ClusterError::OlderGateways(gateways)),
        }
    }

    async fn awaits_conversion(&self) -> Result<bool, ClusterError> {
        for (number, shard) in (0..).zip(&self.shards) {
            let awaits = awaits_conversion(shard).await;
            let awaits = awaits.map_err(|error| ClusterError::Migrate {
                name: self.name(DatabaseRole::Shard(number)),
                error: error.into(),
            })?;
            if awaits {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The gateways that reported recently, each with its version.
async fn running(meta: &Meta<MysqlDatabase>) -> Result<Vec<String>, StoreError> {
    let mut connection = meta.database().connect().await?;
    let tables = connection
        .rows(MysqlDatabase::DIALECT.identity.list_tables, "[]")
        .await?;
    let names = tables.iter().map(|row| row.text(0));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    if !names.contains(&REPORTS) {
        return Ok(Vec::new());
    }
    let gateways = meta.gateways().list().await?.into_iter();
    let running = gateways.filter(|gateway| gateway.age < SILENT_AFTER);
    Ok(running
        .map(|gateway| {
            let report = gateway.report;
            format!("{} (version {})", report.name, report.version)
        })
        .collect())
}
