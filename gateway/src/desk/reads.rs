//! What can be read: campaigns from memory, accounts and orders from the user's shard.
use std::sync::Arc;

use jiff::Timestamp;
use market::calendar::Day;
use market::campaign::{Campaign, Catalogue, LifeState, Published, Stage};
use market::chances::Account;
use market::ids::AwardIndex;
use market::{ActivityId, Order, StrategyId, UserId};
use shards::{FoundPage, OrderKey, OrdersPage};

use super::service::Desk;
use crate::answer::{Code, Failure};

impl Desk {
    /// All published campaigns.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        Arc::clone(&self.shards.catalogue())
    }

    /// The campaign of an activity.
    pub fn activity(&self, activity: ActivityId) -> Result<Arc<Published>, Failure> {
        self.shards
            .catalogue()
            .activity(activity)
            .cloned()
            .ok_or_else(|| Code::ActivityUnknown.into())
    }

    /// The campaign of an activity, and its state.
    pub fn activity_state(
        &self,
        activity: ActivityId,
        now: Timestamp,
    ) -> Result<(Arc<Published>, LifeState), Failure> {
        let catalogue = self.shards.catalogue();
        let published = catalogue.activity(activity).ok_or(Code::ActivityUnknown)?;
        let state = catalogue.state(&published.campaign.activity, now);
        Ok((published.clone(), state))
    }

    /// The campaign of a strategy.
    pub fn strategy(&self, strategy: StrategyId) -> Result<Arc<Published>, Failure> {
        self.shards
            .catalogue()
            .strategy(strategy)
            .cloned()
            .ok_or_else(|| Code::ActivityUnknown.into())
    }

    /// The activity that is shown at a channel and a source, if one is.
    pub fn shown_at(&self, stage: &Stage) -> Option<ActivityId> {
        self.shards.catalogue().stage(stage)
    }

    /// An award out of a strategy's pool. Takes no stock and writes no order.
    pub fn sample(&self, published: &Published) -> AwardIndex {
        AwardIndex(published.campaign.strategy.pool.draw(&mut *self.random()))
    }

    /// The campaign and the user's account in it, as of today.
    pub async fn account_today(
        &self,
        user: &UserId,
        activity: ActivityId,
    ) -> Result<(Arc<Published>, Account), Failure> {
        let published = self.activity(activity)?;
        let stored = self.shards.account(user, activity).await?;
        let account = today(&published, stored);
        Ok((published, account))
    }

    /// The orders of a user under a key; none where there are none.
    pub async fn orders(&self, user: &UserId, key: OrderKey) -> Result<Vec<Order>, Failure> {
        Ok(self.shards.orders(user, key).await?)
    }

    /// A page of a user's orders.
    pub async fn orders_page(&self, user: &UserId, page: OrdersPage) -> Result<FoundPage, Failure> {
        let found = self.shards.orders_page(user, page).await?;
        found.ok_or_else(|| Code::RecordUnknown.into())
    }
}

/// Returns an account as of today. A user who has never drawn has the welcome chances.
pub fn today(published: &Published, stored: Option<Account>) -> Account {
    let Campaign {
        chances, activity, ..
    } = &published.campaign;
    let account = stored.unwrap_or_else(|| Account::new(*chances));
    account.on(Day::of(Timestamp::now(), &activity.time_zone))
}
