//! What commands read and change in the meta database of an installation.
use std::collections::BTreeMap;

use jiff::Timestamp;
use market::batch::StockItem;
use market::campaign::{Catalogue, LifeChange};
use market::{ActivityId, UserId};

use super::error::InstallationError;
use super::opened::{BackEnd, Installation};
use crate::meta::{
    BlacklistChange, BlacklistError, BlacklistRecord, CampaignChange, HaltRecord, LifeError,
    PastVersion, Publication, PublishError, RollbackError, StockChange, StockOperation,
    StoredCampaign,
};

/// Makes the same call on the meta database of either kind, for reading.
macro_rules! read {
    ($installation:expr, $meta:ident => $call:expr) => {
        match &$installation.back_end {
            BackEnd::Embedded(folder) => {
                let $meta = folder.meta_for_reading();
                $call.await
            }
            BackEnd::Cluster(cluster) => {
                let $meta = cluster.meta();
                $call.await
            }
        }
    };
}

/// The same, for changes.
macro_rules! change {
    ($installation:expr, $meta:ident => $call:expr) => {
        match &$installation.back_end {
            BackEnd::Embedded(folder) => {
                let $meta = folder.meta_for_changes();
                $call.await
            }
            BackEnd::Cluster(cluster) => {
                let $meta = cluster.meta();
                $call.await
            }
        }
    };
}

impl Installation {
    /// The current version of each campaign.
    pub async fn catalogue(&self) -> Result<Catalogue, InstallationError> {
        Ok(read!(self, meta => meta.campaigns().catalogue())?)
    }

    /// Stores a campaign file as a new version. Its units come to the stock servers by
    /// [`Installation::deliver`].
    pub async fn publish(&self, file: &str, who: &str) -> Result<Publication, PublishError> {
        let now = Timestamp::now();
        let published = change!(self, meta => meta.campaigns().publish(&[file], who, now));
        published.map(|publications| publications[0])
    }

    /// The latest versions of a campaign, newest first; none for an activity that is not published.
    pub async fn versions(
        &self,
        activity: ActivityId,
    ) -> Result<Vec<PastVersion>, InstallationError> {
        Ok(read!(self, meta => meta.campaigns().history(activity))?)
    }

    /// One version of a campaign, if there is one.
    pub async fn version(
        &self,
        activity: ActivityId,
        version: u32,
    ) -> Result<Option<StoredCampaign>, InstallationError> {
        Ok(read!(self, meta => meta.campaigns().version(activity, version))?)
    }

    /// What operators did to an activity beside publishing, newest first.
    pub async fn campaign_changes(
        &self,
        activity: ActivityId,
    ) -> Result<Vec<CampaignChange>, InstallationError> {
        Ok(read!(self, meta => meta.campaign_changes().of_activity(activity))?)
    }

    /// The activities that operators have paused or closed.
    pub async fn halted(&self) -> Result<Vec<HaltRecord>, InstallationError> {
        Ok(read!(self, meta => meta.campaign_changes().halted())?)
    }

    /// Pauses, resumes or closes an activity; false when it was like that already.
    pub async fn change_life(
        &self,
        activity: ActivityId,
        change: LifeChange,
        record: (&str, &str),
    ) -> Result<bool, LifeError> {
        let now = Timestamp::now();
        change!(self, meta => meta.campaign_changes().change_life(activity, change, record, now))
    }

    /// The blacklists that operators keep beside the campaign files, without their users.
    pub async fn blacklists(&self) -> Result<Vec<BlacklistRecord>, InstallationError> {
        Ok(read!(self, meta => meta.blacklists().records())?)
    }

    /// Hands out the users of an activity's blacklist in pages.
    pub async fn each_page_of_blacklist(
        &self,
        activity: ActivityId,
        each: impl FnMut(Vec<UserId>) + Send,
    ) -> Result<(), InstallationError> {
        Ok(read!(self, meta => meta.blacklists().each_page(activity, each))?)
    }

    /// Lists users or takes them off. Returns how many of them were not like that already.
    pub async fn change_blacklist(
        &self,
        activity: ActivityId,
        change: BlacklistChange,
        users: &[UserId],
        record: (&str, &str),
    ) -> Result<u64, BlacklistError> {
        let now = Timestamp::now();
        change!(self, meta => meta.blacklists().change(activity, change, users, record, now))
    }

    /// Publishes an older version of a campaign again, as a new version.
    pub async fn roll_back(
        &self,
        activity: ActivityId,
        to: u32,
        record: (&str, &str),
    ) -> Result<Publication, RollbackError> {
        let now = Timestamp::now();
        change!(self, meta => meta.campaigns().roll_back(activity, to, record, now))
    }

    /// Each item's total: what was published and added, less what was withdrawn.
    pub async fn totals(&self) -> Result<BTreeMap<StockItem, u64>, InstallationError> {
        Ok(read!(self, meta => meta.stock_operations().totals())?)
    }

    /// All operations on an item, oldest first.
    pub async fn operations(
        &self,
        item: StockItem,
    ) -> Result<Vec<StockOperation>, InstallationError> {
        let mut all = Vec::new();
        loop {
            let after = all.last().map_or(0, |last: &StockOperation| last.id);
            let page = read!(self, meta => meta.stock_operations().page_of(item, after))?;
            if page.is_empty() {
                return Ok(all);
            }
            all.extend(page);
        }
    }

    /// How many units of each item waiting withdrawals ask for.
    pub async fn waiting_units(&self) -> Result<BTreeMap<StockItem, u64>, InstallationError> {
        Ok(read!(self, meta => meta.stock_operations().waiting_units())?)
    }

    /// Adds units to an item. They come to the stock servers by [`Installation::deliver`].
    pub async fn add_stock(&self, change: &StockChange) -> Result<(), InstallationError> {
        let now = Timestamp::now();
        change!(self, meta => meta.stock_operations().add(change, now))?;
        Ok(())
    }

    /// Records a withdrawal. Returns its operation, for [`Installation::withdraw`].
    pub async fn ask_withdrawal(&self, change: &StockChange) -> Result<u64, InstallationError> {
        let now = Timestamp::now();
        Ok(change!(self, meta => meta.stock_operations().ask_withdrawal(change, now))?)
    }

    /// The change of the total that an operation made; `None` while it waits.
    pub(super) async fn applied(&self, operation: u64) -> Result<Option<i64>, InstallationError> {
        Ok(read!(self, meta => meta.stock_operations().applied(operation))?)
    }
}
