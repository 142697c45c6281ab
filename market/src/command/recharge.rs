//! The record of what a user was given or has bought beside prizes: chances and points.
//!
//! What an account was granted in all is the welcome chances of its activity and the sum of its
//! recharge orders. Where one has points, the ledger has an entry under its id.
use std::num::NonZeroU32;
use std::sync::Arc;

use jiff::Timestamp;

use crate::ids::{ActivityId, Behaviour, BusinessNumber, OrderId, RequestId, SkuId, UserId};
use crate::points::Amount;

/// The recharge orders of one call; at least one.
pub type Recharges = Arc<[RechargeOrder]>;

/// One recharge order. It is never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RechargeOrder {
    /// Its own id; it carries the user's slot.
    pub id: OrderId,
    /// Who got it.
    pub user: UserId,
    /// The idempotency key of its call, unique per user.
    pub request: RequestId,
    /// In which activity; `None` for points that an operator gave or took.
    pub activity: Option<ActivityId>,
    /// Why.
    pub kind: RechargeKind,
    /// How many chances were given.
    pub chances: u32,
    /// Which points were added or taken.
    pub points: Option<Amount>,
    /// When the call was planned.
    pub created_at: Timestamp,
}

/// Why there is a recharge order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RechargeKind {
    /// An operator gave or took something.
    Operator,
    /// An operator froze the account of points.
    Freeze,
    /// An operator ended that.
    Unfreeze,
    /// The user bought a unit of this sku.
    Exchange(SkuId),
    /// The user did something that has a reward.
    Reward(RewardFor),
}

/// What a reward was given for. No two rewards of one user, activity, behaviour, number and streak
/// give both chances, or both points.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RewardFor {
    /// What the user did.
    pub behaviour: Behaviour,
    /// The number under which it was reported; the day of a sign-in, as `yyyymmdd`.
    pub number: BusinessNumber,
    /// The sku whose unit was given, where chances were.
    pub sku: Option<SkuId>,
    /// The streak that it was given for; `None` for what each day gives.
    pub streak: Option<NonZeroU32>,
}

impl RechargeKind {
    /// The stored name. Those of trades are the reference's.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Freeze => "freeze",
            Self::Unfreeze => "unfreeze",
            Self::Exchange(_) => "credit_pay_trade",
            Self::Reward(_) => "rebate_no_pay_trade",
        }
    }

    /// The sku that a unit was taken of.
    pub const fn sku(&self) -> Option<SkuId> {
        match self {
            Self::Exchange(sku) => Some(*sku),
            Self::Reward(reward) => reward.sku,
            Self::Operator | Self::Freeze | Self::Unfreeze => None,
        }
    }

    /// The reward.
    pub const fn reward(&self) -> Option<&RewardFor> {
        match self {
            Self::Reward(reward) => Some(reward),
            _ => None,
        }
    }
}
