//! What commands read and change in the meta database of an installation.
use std::collections::BTreeMap;

use jiff::Timestamp;
use market::batch::Prize;
use market::campaign::Catalogue;

use super::error::InstallationError;
use super::opened::{BackEnd, Installation};
use crate::meta::{Operation, Publication, PublishError, StockChange};

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

    /// Each prize's total: what was published and added, less what was withdrawn.
    pub async fn totals(&self) -> Result<BTreeMap<Prize, u64>, InstallationError> {
        Ok(read!(self, meta => meta.stock_operations().totals())?)
    }

    /// All operations on a prize, oldest first.
    pub async fn operations(&self, prize: Prize) -> Result<Vec<Operation>, InstallationError> {
        Ok(read!(self, meta => meta.stock_operations().of(prize))?)
    }

    /// Units of each prize that waiting withdrawals ask for.
    pub async fn waiting_withdrawals(&self) -> Result<BTreeMap<Prize, u64>, InstallationError> {
        let mut waiting = BTreeMap::new();
        for withdrawal in read!(self, meta => meta.stock_operations().waiting_withdrawals())? {
            *waiting.entry(withdrawal.prize).or_default() += withdrawal.units;
        }
        Ok(waiting)
    }

    /// Adds units to a prize. They come to the stock servers by [`Installation::deliver`].
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
