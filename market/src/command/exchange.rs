//! To buy chances with points: the reference's `credit_pay_trade`.
//!
//! Points are taken, chances are given and a unit of the sku is used, all in one transaction. The
//! rules are asked twice: when the command is planned, so that nothing is taken from the stock in
//! vain, and when it is settled. Only then rows change, because only then it is known whether there
//! is a unit, and what the commands before it have taken.
use std::sync::Arc;

use super::recharge::{RechargeKind, RechargeOrder};
use crate::batch::context::{Planning, Settling};
use crate::batch::needs::Needing;
use crate::campaign::{Catalogue, Published, Sku};
use crate::chances::Account;
use crate::ids::{OrderId, SkuId, UserId};
use crate::points::{Amount, Points, PointsAccount, Trade};
use crate::random::Randomness;
use crate::refusal::Refusal;
use crate::units::StockItem;

/// A command to buy one unit of a sku.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExchangeAsk {
    /// Of which.
    pub sku: SkuId,
}

/// A purchase that is allowed, where there is a unit.
#[derive(Debug)]
pub(crate) struct PlannedExchange {
    published: Arc<Published>,
    sku: Sku,
    item: StockItem,
}

impl ExchangeAsk {
    /// Whether a call that made this was for the same.
    pub(crate) fn would_make(self, made: &[RechargeOrder]) -> bool {
        made.iter()
            .all(|order| order.kind == RechargeKind::Exchange(self.sku))
    }

    pub(crate) fn needs(self, catalogue: &Catalogue, needing: &mut Needing<'_, '_>) {
        needing.points();
        if let Some((published, _)) = catalogue.sku(self.sku) {
            needing.account(published.campaign.activity.id);
        }
    }

    pub(crate) fn plan<R: Randomness>(
        self,
        planning: &Planning<'_, R>,
    ) -> Result<PlannedExchange, Refusal> {
        let around = planning.around;
        let (published, sku) = around.catalogue.sku(self.sku).ok_or(Refusal::SkuUnknown)?;
        let activity = published.campaign.activity.id;
        around
            .catalogue
            .open_activity(activity, planning.user, around.now)?;
        let item = StockItem::sku(activity, sku.id);
        let planned = PlannedExchange {
            published: published.clone(),
            sku: sku.clone(),
            item,
        };
        planned.trade(planning.rows.account(0), planning.rows.points())?;
        if around.supply.lacks(item) {
            return Err(Refusal::StockUnavailable);
        }
        Ok(planned)
    }
}

impl PlannedExchange {
    /// The unit that it wants.
    pub(crate) const fn wants(&self) -> StockItem {
        self.item
    }

    fn price(&self) -> Points {
        Points::from_hundredths(self.sku.price_minor).unwrap_or(Points::MAX)
    }

    /// Both accounts after the purchase.
    fn trade(
        &self,
        account: Option<Account>,
        points: PointsAccount,
    ) -> Result<(Account, PointsAccount), Refusal> {
        let account = account.unwrap_or_else(|| Account::new(self.published.campaign.chances));
        let points = match self.price() {
            Points::ZERO => points,
            price => points.take(price)?,
        };
        Ok((account.receive(self.sku.chances)?, points))
    }

    /// Buys, if there is a unit.
    pub(crate) fn settle<M: FnMut(&UserId) -> OrderId>(
        self,
        settling: &mut Settling<'_, M>,
    ) -> Result<RechargeOrder, Refusal> {
        let (account, points) = self.trade(settling.rows.account(0), settling.rows.points())?;
        if !settling.purse.take(self.item) {
            return Err(Refusal::SkuSoldOut);
        }
        settling.rows.set_account(0, account);
        let activity = Some(self.published.campaign.activity.id);
        let kind = RechargeKind::Exchange(self.sku.id);
        // What costs nothing has no entry in the ledger.
        let price = Some(self.price()).filter(|price| !price.is_zero());
        let price = price.map(Amount::take);
        let order = settling.recharge(activity, kind, self.sku.chances, price);
        if let Some(price) = price {
            settling.enter(points, Trade::Exchange, activity, price, order.id);
        }
        Ok(order)
    }
}
