//! What can be read: campaigns from memory, accounts and orders from the user's shard.
use std::sync::Arc;

use jiff::Timestamp;
use market::batch::StockItem;
use market::calendar::Day;
use market::campaign::{Award, Campaign, Catalogue, LifeState, Published, Stage};
use market::chances::Account;
use market::ids::AwardIndex;
use market::points::{PointsAccount, PointsEntry};
use market::sign_in::{SignIn, SignInAsk};
use market::{ActivityId, Order, SkuId, StrategyId, UserId};
use shards::stock::Left;
use shards::{FoundPage, FoundRecharges, LedgerPage, OrderKey, OrdersPage, RechargesPage};

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

    /// What is left of a prize: none where it has no limit.
    pub fn left(&self, activity: ActivityId, award: &Award) -> Option<Left> {
        award.count?;
        Some(self.shards.left(StockItem::award(activity, award.id)))
    }

    /// All units of a sku, once this gateway has read them.
    pub fn sku_total(&self, activity: ActivityId, sku: SkuId) -> Option<u64> {
        self.shards.stock_total(StockItem::sku(activity, sku))
    }

    /// What is left of a sku.
    pub fn sku_left(&self, activity: ActivityId, sku: SkuId) -> Left {
        self.shards.left(StockItem::sku(activity, sku))
    }

    /// Sees to it that [`Desk::left`] knows the present. It waits for a moment at most, and never
    /// fails.
    pub async fn refresh_left(&self) {
        self.shards.refresh_left().await;
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

    /// A user's points.
    pub async fn points(&self, user: &UserId) -> Result<PointsAccount, Failure> {
        Ok(self.shards.points(user).await?.unwrap_or_default())
    }

    /// A page of a user's ledger of points, the newest entry first, and whether there are more.
    pub async fn ledger(
        &self,
        user: &UserId,
        page: LedgerPage,
    ) -> Result<(Vec<PointsEntry>, bool), Failure> {
        Ok(self.shards.ledger(user, page).await?)
    }

    /// Whether no sign-in is left to the user today, in one activity or in all that reward it.
    pub async fn is_signed_in(
        &self,
        user: &UserId,
        activity: Option<ActivityId>,
    ) -> Result<bool, Failure> {
        if let Some(activity) = activity {
            self.activity(activity)?;
        }
        let sign_ins = self.shards.sign_ins(user).await?;
        let catalogue = self.shards.catalogue();
        let ask = SignInAsk { activity };
        let last = |activity| {
            let mut known = sign_ins.iter();
            let found = known.find(|(known, _)| *known == activity);
            found.map_or_else(SignIn::default, |(_, sign_in)| *sign_in)
        };
        Ok(ask.is_used_up(user, &catalogue, Timestamp::now(), last))
    }

    /// A page of a user's orders.
    pub async fn orders_page(&self, user: &UserId, page: OrdersPage) -> Result<FoundPage, Failure> {
        let found = self.shards.orders_page(user, page).await?;
        found.ok_or_else(|| Code::RecordUnknown.into())
    }

    /// A page of what a user was given or has bought beside prizes.
    pub async fn recharges_page(
        &self,
        user: &UserId,
        page: RechargesPage,
    ) -> Result<FoundRecharges, Failure> {
        let found = self.shards.recharges_page(user, page).await?;
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
