//! How the follower keeps the stock servers up to date.
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::opened::Parts;
use crate::installation::follow::FollowedStock;
use crate::stock::cluster::ReconcileError;
use crate::store::StoreError;

/// New units are brought to their servers before their campaign is drawn from. If the servers do
/// not answer, draws are refused because the stock is unavailable.
const DELIVERY_MAX: Duration = Duration::from_secs(1);

pub(super) struct FollowedServers(pub(super) Arc<Parts>);

impl FollowedStock for FollowedServers {
    /// Another gateway may have rebuilt a server.
    async fn look(&mut self) -> Result<(), StoreError> {
        self.0.learn_servers().await
    }

    async fn catch_up(&mut self) -> Result<(), StoreError> {
        match timeout(DELIVERY_MAX, self.0.deliver()).await {
            Ok(Ok(())) => {}
            Ok(Err(ReconcileError::Store(error))) => return Err(error),
            Ok(Err(error)) => tracing::warn!(%error, "new units are delivered later"),
            Err(_) => {
                tracing::warn!("new units are delivered later: the stock servers do not answer");
            }
        }
        self.0.stock.forget_sold_out();
        Ok(())
    }
}
