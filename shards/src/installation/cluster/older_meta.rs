//! For a meta database that is older than the shards, when there is no newer copy: raises its run
//! numbers above all that shards know, and reports what else it lacks.
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use market::batch::StockItem;

use super::cluster_error::ClusterError;
use super::options::ClusterOptions;
use crate::meta::{AuditEntry, Meta, StoredCampaign};
use crate::stock::cluster::{SqlShardLedger, issued};
use crate::store::tables::orders::OrderStatements;
use crate::store::{Columns, Connection, ConversionProgress, Database, MysqlDatabase, StoreError};

/// The maximum length of the report in the audit log.
const DETAIL_CHARS_MAX: usize = 4_000;

impl ClusterOptions {
    /// Accepts a meta database that is older than the shards, and does what
    /// [`ClusterOptions::migrate`] does. Returns what was done and what else it lacks, one string
    /// for each. The audit log gets the same, with who asked for it and why.
    pub(crate) async fn accept_older_meta(
        &self,
        who: &str,
        why: &str,
        progress: &ConversionProgress,
    ) -> Result<Vec<String>, ClusterError> {
        let last_run = self.lay_out(true, progress).await?;
        let meta = Meta::new(self.meta.clone());
        let before = meta.runs().claimed().await.map_err(ClusterError::Meta)?;
        meta.runs()
            .raise(last_run)
            .await
            .map_err(ClusterError::Meta)?;
        let mut report = vec![if last_run > before {
            format!("the meta database had given out runs up to {before}: raised to {last_run}")
        } else {
            format!(
                "the meta database has given out runs up to {before}, and no shard knows a later one"
            )
        }];
        report.extend(self.lacking(&meta).await.map_err(ClusterError::Meta)?);
        let entry = AuditEntry {
            at: Timestamp::now(),
            who: who.to_owned(),
            what: "accept older meta".to_owned(),
            detail: report.join("; ").chars().take(DETAIL_CHARS_MAX).collect(),
            why: why.to_owned(),
        };
        meta.audit_log()
            .add(&entry)
            .await
            .map_err(ClusterError::Meta)?;
        Ok(report)
    }

    /// Versions that orders name and the meta database does not have, and items issued beyond
    /// their total.
    async fn lacking(&self, meta: &Meta<MysqlDatabase>) -> Result<Vec<String>, StoreError> {
        let mut stored: BTreeSet<(u64, u32)> = BTreeSet::new();
        let names = |stored: &StoredCampaign| (stored.activity.get(), stored.version);
        let campaigns = meta.campaigns();
        campaigns
            .each_page_of_versions(|page| stored.extend(page.iter().map(names)))
            .await?;
        let mut lacking: Vec<String> = Vec::new();
        for (activity, version) in self.named_versions().await?.difference(&stored) {
            lacking
                .push(format!("orders name version {version} of activity {activity}, which the meta database lacks"));
        }
        let totals: BTreeMap<StockItem, u64> = meta.stock_operations().totals().await?;
        let ledgers: Vec<_> = self
            .shards
            .iter()
            .cloned()
            .map(SqlShardLedger::new)
            .collect();
        for (item, issued) in issued(&ledgers).await? {
            let total = totals.get(&item).copied().unwrap_or(0);
            if issued > total {
                lacking.push(format!(
                    "{item}: {issued} units are issued, the total is {total}: `drawbridge stock add` \
                     the {} that it lacks",
                    issued - total
                ));
            }
        }
        Ok(lacking)
    }

    /// Activities and versions that orders name. Reads all orders.
    async fn named_versions(&self) -> Result<BTreeSet<(u64, u32)>, StoreError> {
        let mut named = BTreeSet::new();
        for shard in &self.shards {
            let mut connection = shard.connect().await?;
            for table in 0..self.tables {
                let sql = OrderStatements::of(&MysqlDatabase::DIALECT, table).scan_versions;
                let mut note =
                    |row: &<<MysqlDatabase as Database>::Connection as Connection>::Row| {
                        named.insert((row.number(0)?, row.number(1)?));
                        Ok(())
                    };
                connection.scan(&sql, "[]", &mut note).await?;
            }
        }
        Ok(named)
    }
}
