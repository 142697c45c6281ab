//! Stock operations of an installation of either kind.
use std::collections::BTreeMap;
use std::time::Duration;

use market::batch::StockItem;
use tokio::time::{Instant, sleep};

use super::embedded::{FolderError, issued_in, withdraw_at_rest};
use super::error::InstallationError;
use super::opened::{BackEnd, Installation};
use crate::stock::ids::{Epoch, ServerId};

/// The pause before a withdrawal that is not done yet is tried again.
const WITHDRAWAL_PAUSE: Duration = Duration::from_millis(100);

/// The state of a withdrawal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WithdrawalState {
    /// The item's total has changed by this.
    Applied(i64),
    /// It is recorded but not done yet, with the reason.
    Waits(String),
}

impl Installation {
    /// How many units of each item the shards have issued.
    pub async fn issued(&self) -> Result<BTreeMap<StockItem, u64>, InstallationError> {
        match &self.back_end {
            BackEnd::Embedded(folder) => Ok(issued_in(folder).await?),
            BackEnd::Cluster(cluster) => Ok(cluster.issued().await?),
        }
    }

    /// Brings recorded operations to the stock servers now. A gateway does it too, a moment later,
    /// so a failure does no harm. Stock in memory is brought up to date by its server.
    pub async fn deliver(&self) -> Result<(), InstallationError> {
        match &self.back_end {
            BackEnd::Embedded(_) => Ok(()),
            BackEnd::Cluster(cluster) => cluster
                .deliver()
                .await
                .map_err(InstallationError::StockServers),
        }
    }

    /// Does a recorded withdrawal, or waits until a server has done it.
    pub async fn withdraw(
        &self,
        operation: u64,
        within: Duration,
    ) -> Result<WithdrawalState, InstallationError> {
        let deadline = Instant::now() + within;
        loop {
            let why = self.try_withdrawals().await?;
            if let Some(applied) = self.applied(operation).await? {
                return Ok(WithdrawalState::Applied(applied));
            }
            if Instant::now() >= deadline {
                return Ok(WithdrawalState::Waits(why));
            }
            sleep(WITHDRAWAL_PAUSE).await;
        }
    }

    /// Does the waiting withdrawals, if this process may. Returns why one may still wait after
    /// that.
    async fn try_withdrawals(&self) -> Result<String, InstallationError> {
        match &self.back_end {
            // The holder of the folder holds the stock: this process, if no server runs.
            BackEnd::Embedded(folder) => match folder.clone().hold().await {
                Ok(held) => withdraw_at_rest(&held).await?,
                Err(FolderError::Held(_)) => {}
                Err(error) => return Err(error.into()),
            },
            // Gateways do the same, and the first one counts.
            BackEnd::Cluster(cluster) => {
                let delivered = cluster.deliver().await.err();
                let rebuilt = || "the stock servers are being rebuilt".to_owned();
                return Ok(delivered.unwrap_or_else(rebuilt));
            }
        }
        Ok("the server has not done it yet".to_owned())
    }

    /// Counts the units on every stock server again. The audit log gets who asked for it and why.
    pub async fn rebuild_stock(
        &self,
        who: &str,
        why: &str,
    ) -> Result<Vec<(ServerId, Epoch)>, InstallationError> {
        match &self.back_end {
            BackEnd::Embedded(_) => Err(InstallationError::NotOffered(
                "the embedded default counts its stock again at each start",
            )),
            BackEnd::Cluster(cluster) => cluster
                .rebuild(who, why)
                .await
                .map_err(InstallationError::StockServers),
        }
    }
}
