//! Laying out: brings the databases up to date. The first time it fixes the layout.
use jiff::Timestamp;
use router::SlotMap;

use super::cluster_error::ClusterError;
use super::options::{ClusterOptions, layout};
use crate::installation::founding::{Founding, FoundingError};
use crate::meta::Meta;
use crate::stock::cluster::SqlMetaLedger;
use crate::stock::spread::Spread;
use crate::store::{ConversionProgress, MysqlDatabase, StoreError, migrate_meta};

impl ClusterOptions {
    /// Lays out without showing progress.
    #[cfg(test)]
    pub(crate) async fn migrate(&self) -> Result<(), ClusterError> {
        let progress = ConversionProgress::default();
        self.lay_out(false, &progress).await.map(drop)
    }

    /// Brings the meta database and all shards up to date. The first time it also fixes the layout
    /// and stores the identity of each database. Does nothing when all is up to date; several
    /// processes may do it at once. With `accept_older_meta` it accepts a meta database that lacks
    /// what the shards know. Returns the greatest run of any shard's ids.
    pub(super) async fn lay_out(
        &self,
        accept_older_meta: bool,
        progress: &ConversionProgress,
    ) -> Result<u64, ClusterError> {
        let meta = Meta::new(self.meta.clone());
        // Before it is changed.
        self.refuse_other_part(self.meta_identity().await.map_err(ClusterError::Meta)?)?;
        self.refuse_older_gateways(&meta).await?;
        let name = "meta database".to_owned();
        migrate_meta(&self.meta)
            .await
            .map_err(|error| ClusterError::Migrate { name, error })?;
        // Before missing tables are read; nothing is written yet.
        let map = match self.found_layout(&meta).await {
            Ok((map, _)) => map,
            Err(ClusterError::NotMigrated) => self.map(1)?,
            Err(error) => return Err(error),
        };
        let founding = Founding::look(
            &meta,
            &self.shards,
            &map,
            layout(&map, self.spread()),
            accept_older_meta,
        )
        .await;
        let founding = founding.map_err(|error| self.unfounded(error))?;
        let last_run = founding.last_run();
        self.fix_layout(&meta).await?;
        founding
            .settle(progress)
            .await
            .map_err(|error| self.unfounded(error))?;
        meta.campaigns()
            .stock_what_is_published(Timestamp::now())
            .await
            .map_err(ClusterError::Meta)?;
        Ok(last_run)
    }

    fn unfounded(&self, error: FoundingError) -> ClusterError {
        match error {
            FoundingError::Database(role, error) => ClusterError::Migrate {
                name: self.name(role),
                error,
            },
            FoundingError::Unfit(unfit) => ClusterError::NotOurs(
                unfit
                    .iter()
                    .map(|(role, unfit)| format!("{}: {unfit}", self.name(*role)))
                    .collect(),
            ),
        }
    }

    async fn fix_layout(&self, meta: &Meta<MysqlDatabase>) -> Result<(), ClusterError> {
        let (map, spread) = (self.map(1)?, self.spread());
        if meta
            .layout()
            .slot_map()
            .await
            .map_err(ClusterError::Meta)?
            .is_none()
        {
            // A duplicate key says that another migration was faster; what it fixed is compared
            // below.
            accept_conflict(meta.layout().fix_slot_map(&map).await)?;
        }
        if SqlMetaLedger::layout(&self.meta)
            .await
            .map_err(ClusterError::Meta)?
            .is_none()
        {
            accept_conflict(SqlMetaLedger::fix_layout(&self.meta, spread).await)?;
        }
        self.found_layout(meta).await.map(drop)
    }

    /// The stored layout, which must be the configured one.
    pub(super) async fn found_layout(
        &self,
        meta: &Meta<MysqlDatabase>,
    ) -> Result<(SlotMap, Spread), ClusterError> {
        let (version, shards, tables) = meta
            .layout()
            .slot_map()
            .await
            .map_err(ClusterError::Meta)?
            .ok_or(ClusterError::NotMigrated)?;
        let spread = SqlMetaLedger::layout(&self.meta)
            .await
            .map_err(ClusterError::Meta)?;
        let found = (
            SlotMap::even(version, shards, tables)?,
            spread.ok_or(ClusterError::NotMigrated)?,
        );
        let configured = (self.map(version)?, self.spread());
        if found != configured {
            let text = |(map, spread): &(SlotMap, Spread)| layout(map, *spread).to_string();
            return Err(ClusterError::Layout {
                found: text(&found),
                configured: text(&configured),
            });
        }
        Ok(found)
    }
}

fn accept_conflict(result: Result<(), StoreError>) -> Result<(), ClusterError> {
    match result {
        Ok(()) | Err(StoreError::Conflict(_)) => Ok(()),
        Err(error) => Err(ClusterError::Meta(error)),
    }
}
