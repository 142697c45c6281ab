//! The meta database of a running gateway, for callers that do not know its kind.
//!
//! An enum, because there are two kinds and each call is one line: a trait per topic would declare
//! every method three times (as a method, in the trait, in its implementation) and box its future.
//! Only what running gateways call is here; commands use [`Meta`] with its kind.
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::audit_log::AuditEntry;
use super::connections::Meta;
use super::error::ChangeError;
use super::fleet_settings::{FleetChange, FleetSetting};
use super::gateways::{Gateway, GatewayReport, OwnReport, ReportOutcome};
use super::stored_campaign::StoredCampaign;
use super::switches::{PastSwitchChange, SwitchChange};
use crate::store::{MysqlDatabase, SqliteFile, StoreError};
use market::ActivityId;
use market::batch::StockItem;
use market::switches::Switches;

/// The meta database of this installation.
#[derive(Debug)]
pub(crate) enum InstalledMeta {
    /// A file: an installation with one gateway.
    Embedded {
        /// The file.
        meta: Meta<SqliteFile>,
        /// What that gateway reported.
        own_report: Box<OwnReport>,
    },
    /// A database that all gateways share.
    Cluster(Meta<MysqlDatabase>),
}

/// Makes the same call on either kind.
macro_rules! on {
    ($installed:expr, $meta:ident => $call:expr) => {
        match $installed {
            InstalledMeta::Embedded { meta: $meta, .. } => $call.await,
            InstalledMeta::Cluster($meta) => $call.await,
        }
    };
}

impl InstalledMeta {
    /// The embedded default's.
    pub(crate) fn embedded(meta: Meta<SqliteFile>) -> Self {
        Self::Embedded {
            meta,
            own_report: Box::default(),
        }
    }

    /// A meta database for callers that only read.
    pub(crate) fn of_cluster(meta: &Meta<MysqlDatabase>) -> Self {
        Self::Cluster(meta.clone())
    }

    /// One version of a campaign, if there is one.
    pub(crate) async fn version(
        &self,
        activity: ActivityId,
        version: u32,
    ) -> Result<Option<StoredCampaign>, StoreError> {
        on!(self, meta => meta.campaigns().version(activity, version))
    }

    /// Each item's total.
    pub(crate) async fn totals(&self) -> Result<BTreeMap<StockItem, u64>, StoreError> {
        on!(self, meta => meta.stock_operations().totals())
    }

    /// What was left of each item when a running server last said so.
    pub(crate) async fn last_left(&self) -> Result<BTreeMap<StockItem, u64>, StoreError> {
        let snapshots = on!(self, meta => meta.stock_snapshots().read())?;
        let left = snapshots
            .iter()
            .map(|snapshot| (snapshot.item, snapshot.left));
        Ok(left.collect())
    }

    pub(crate) async fn switches(&self) -> Result<Switches, StoreError> {
        on!(self, meta => meta.switches().read())
    }

    pub(crate) async fn change_switch(
        &self,
        change: &SwitchChange,
        now: Timestamp,
    ) -> Result<u64, ChangeError> {
        on!(self, meta => meta.switches().change(change, now))
    }

    pub(crate) async fn switch_changes(&self) -> Result<Vec<PastSwitchChange>, StoreError> {
        on!(self, meta => meta.switches().changes())
    }

    pub(crate) async fn fleet_settings(&self) -> Result<Vec<FleetSetting>, StoreError> {
        on!(self, meta => meta.fleet_settings().read())
    }

    pub(crate) async fn change_fleet(
        &self,
        change: &FleetChange,
        now: Timestamp,
    ) -> Result<u64, ChangeError> {
        on!(self, meta => meta.fleet_settings().change(change, now))
    }

    pub(crate) async fn add_audit_entry(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        on!(self, meta => meta.audit_log().add(entry))
    }

    pub(crate) async fn audit_log(&self) -> Result<Vec<AuditEntry>, StoreError> {
        on!(self, meta => meta.audit_log().latest())
    }

    pub(crate) async fn report(
        &self,
        report: &GatewayReport,
        first: bool,
    ) -> Result<ReportOutcome, StoreError> {
        match self {
            Self::Embedded { own_report, .. } => {
                own_report.set(report);
                Ok(ReportOutcome::Noted)
            }
            Self::Cluster(meta) => meta.gateways().report(report, first).await,
        }
    }

    pub(crate) async fn gateways(&self) -> Result<Vec<Gateway>, StoreError> {
        match self {
            Self::Embedded { own_report, .. } => Ok(own_report.list()),
            Self::Cluster(meta) => meta.gateways().list().await,
        }
    }

    pub(crate) async fn remove_gateway(
        &self,
        name: &str,
        instance: &str,
    ) -> Result<(), StoreError> {
        match self {
            Self::Embedded { own_report, .. } => {
                own_report.remove();
                Ok(())
            }
            Self::Cluster(meta) => meta.gateways().remove(name, instance).await,
        }
    }
}
