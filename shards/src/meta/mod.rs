//! The meta database: campaigns, their versions and what operators did to them, stock operations, run numbers, the layout,
//! switches, settings for all gateways, the audit log. Draws never wait for it.
//!
//! One file per topic. A topic owns its rows, its statements (each is one name in that file and
//! one SQL file per dialect, under `sql/*/meta/<topic>/`) and its tests. [`Meta`] hands out the
//! topics and their connections: `meta.switches().change(..)`. A topic adds its own accessor to
//! [`Meta`], so there is no list of topics to keep.
//!
//! Callers that do not know the kind of the database use [`InstalledMeta`].
mod audit_log;
mod blacklists;
mod campaign_changes;
mod campaign_statements;
mod campaigns;
mod columns;
mod connections;
mod error;
mod fleet_settings;
mod following;
mod gateways;
mod installed;
mod layout;
mod new_stock;
mod publication;
mod revision;
mod rollback;
mod runs;
mod statements;
mod stock_additions;
mod stock_operations;
mod stock_snapshots;
mod stocking;
mod stored_campaign;
mod switches;
#[cfg(test)]
mod testing;
mod topic;

pub use self::audit_log::{AuditEntry, AuditLog};
pub use self::blacklists::{
    BLACKLIST_CHANGE_MAX, BlacklistChange, BlacklistError, BlacklistRecord, BlacklistTopic,
};
pub use self::campaign_changes::{
    CampaignChange, CampaignChangeKind, CampaignChanges, HaltRecord, LifeError,
};
pub use self::campaigns::{Campaigns, PastVersion, Publication, PublishError};
pub(crate) use self::columns::item;
pub use self::connections::Meta;
pub use self::error::ChangeError;
pub use self::fleet_settings::{
    FleetChange, FleetSetting, FleetSettings, FleetValue, SETTINGS_MAX,
};
pub use self::following::Followed;
pub(crate) use self::following::Following;
pub use self::gateways::{
    FORGOTTEN_AFTER, Gateway, GatewayReport, GatewayReports, ReportOutcome, SILENT_AFTER,
};
pub(crate) use self::installed::InstalledMeta;
pub use self::layout::LayoutRecord;
pub(crate) use self::revision::raise as raise_revision;
pub use self::rollback::RollbackError;
pub use self::runs::RunNumbers;
pub(crate) use self::stock_additions::StockAdditionStatements;
pub(crate) use self::stock_operations::StockOperationStatements;
pub use self::stock_operations::{StockChange, StockOperation, StockOperations, Withdrawal};
pub use self::stock_snapshots::StockSnapshots;
pub use self::stored_campaign::StoredCampaign;
pub use self::switches::{PastSwitchChange, SwitchChange, SwitchSettings, SwitchTo};
