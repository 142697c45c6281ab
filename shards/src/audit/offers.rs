//! What campaigns have offered for points and for behaviours, and whether a recharge order can be of
//! such an offer. A recharge order does not say under which version it was made: any may be.
use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;

use market::campaign::{Campaign, Gives};

use super::rows::StoredRecharge;

/// The offers of all versions that can be read.
#[derive(Debug, Clone, Default)]
pub(super) struct Offers {
    /// By activity and sku: chances, and the price in hundredths.
    skus: HashMap<(i64, i64), HashSet<(i64, i64)>>,
    /// By activity.
    rewards: HashMap<i64, HashSet<OfferedReward>>,
}

/// A reward of a version.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct OfferedReward {
    behaviour: Box<str>,
    /// 0 for one of each day.
    streak: i64,
    /// 0 for points.
    sku: i64,
    /// In hundredths; 0 for chances.
    points: i64,
}

impl Offers {
    /// Adds those of a version.
    pub(super) fn learn(&mut self, campaign: &Campaign) {
        let activity = campaign.activity.id.get().cast_signed();
        for sku in &campaign.skus {
            let offered = self.skus.entry((activity, sku.id.get().cast_signed()));
            let terms = (i64::from(sku.chances), sku.price_minor.cast_signed());
            offered.or_default().insert(terms);
        }
        let offered = self.rewards.entry(activity).or_default();
        for reward in &campaign.rewards {
            let (sku, points) = match reward.gives {
                Gives::Chances(sku) => (sku.get().cast_signed(), 0),
                Gives::Points(points) => (0, points.hundredths().cast_signed()),
            };
            offered.insert(OfferedReward {
                behaviour: reward.behaviour.as_str().into(),
                streak: reward.streak.map_or(0, NonZeroU32::get).into(),
                sku,
                points,
            });
        }
    }

    /// Why the recharge order, which is sound by itself, is of none of them.
    pub(super) fn fault(&self, order: &StoredRecharge) -> Option<String> {
        let (sku, chances) = (order.sku, order.chances);
        let terms = self.skus.get(&(order.activity, sku));
        let has_terms =
            |fits: &dyn Fn(&(i64, i64)) -> bool| terms.is_some_and(|terms| terms.iter().any(fits));
        if order.is_exchange() {
            let price = order.points.saturating_neg();
            let sold = has_terms(&|terms| *terms == (chances, price));
            return (!sold).then(|| {
                format!("no version sells sku {sku} with {chances} chances for {price} hundredths")
            });
        }
        if !order.is_reward() {
            return None;
        }
        if sku != 0 && !has_terms(&|terms| terms.0 == chances) {
            return Some(format!("no version has sku {sku} with {chances} chances"));
        }
        let reward = OfferedReward {
            behaviour: order.behaviour.clone(),
            streak: order.streak,
            sku,
            points: order.points,
        };
        let rewards = self.rewards.get(&order.activity);
        let is_offered = rewards.is_some_and(|rewards| rewards.contains(&reward));
        (!is_offered).then(|| {
            let (behaviour, streak, points) = (&order.behaviour, order.streak, order.points);
            format!(
                "no version rewards {behaviour:?} (streak {streak}) with sku {sku} and {points} \
                 hundredths"
            )
        })
    }
}

/// Why no command makes such a recharge order, whatever was published.
pub(super) fn fault_of_itself(order: &StoredRecharge) -> Option<String> {
    let StoredRecharge {
        activity,
        chances,
        points,
        sku,
        ..
    } = *order;
    let expected = match &*order.kind {
        "operator" if activity == 0 => (chances, sku) == (0, 0),
        "operator" => chances > 0 && (points, sku) == (0, 0),
        "freeze" | "unfreeze" => (activity, chances, points, sku) == (0, 0, 0, 0),
        _ if order.is_exchange() => activity != 0 && sku != 0 && chances > 0 && points <= 0,
        _ if order.is_reward() && sku != 0 => activity != 0 && chances > 0 && points == 0,
        _ if order.is_reward() => activity != 0 && chances == 0 && points > 0,
        kind => return Some(format!("{kind:?} is no kind of recharge order")),
    };
    let of_reward = order.is_reward();
    let named = !order.behaviour.is_empty() && !order.business.is_empty();
    let unnamed = order.behaviour.is_empty() && order.business.is_empty() && order.streak == 0;
    if expected && (of_reward && named || !of_reward && unnamed) {
        return None;
    }
    let kind = &order.kind;
    Some(format!(
        "{kind} does not go with activity {activity}, sku {sku}, {chances} chances, {points} \
         hundredths, behaviour {:?}, business number {:?} and streak {}",
        order.behaviour, order.business, order.streak
    ))
}

impl StoredRecharge {
    /// Whether chances were bought with points.
    pub(super) fn is_exchange(&self) -> bool {
        &*self.kind == "credit_pay_trade"
    }

    /// Whether it was given for a behaviour.
    pub(super) fn is_reward(&self) -> bool {
        &*self.kind == "rebate_no_pay_trade"
    }

    /// What its entry in the ledger is for; `None` where it has none.
    pub(super) fn trade(&self) -> Option<&'static str> {
        match &*self.kind {
            // What costs nothing has no entry.
            "credit_pay_trade" => (self.points != 0).then_some("exchange"),
            "rebate_no_pay_trade" => (self.sku == 0 || self.points != 0).then_some("reward"),
            "operator" => (self.activity == 0 || self.points != 0).then_some("operator"),
            _ => (self.points != 0).then_some("none"),
        }
    }
}
