//! What must hold of points and rewards.
use std::collections::BTreeMap;

use market::points::Amount;
use market::recharge::RechargeKind;
use market::{BusinessNumber, Made, UserId};

use super::kinds::points_moved;
use crate::simulation::world::WorldState;

impl WorldState {
    /// The account of points is the last balance of the ledger, whose entries are numbered from 1,
    /// sum up, and are those of the user's orders. No reward was given twice.
    pub(super) fn check_points(&mut self, shard: usize, user: &UserId) {
        if let Some(why) = self.wrong_points(shard, user) {
            let account = self.shards[shard].points.get(user).copied();
            self.violate(|| format!("{}: {why}: {account:?}", user.as_str()));
        }
        let mut rewards = BTreeMap::new();
        for order in self.made_by(user).flat_map(Made::recharges) {
            if let RechargeKind::Reward(reward) = &order.kind {
                let (behaviour, number) = (&reward.behaviour, &reward.number);
                let gives_points = order.points.is_some();
                let key = (
                    order.activity,
                    behaviour,
                    number,
                    reward.streak,
                    gives_points,
                );
                *rewards.entry(key).or_insert(0) += 1;
            }
        }
        let twice = rewards.into_iter().find(|&(_, times)| times > 1);
        let twice = twice.map(|((activity, behaviour, ..), _)| {
            format!("{}: {} of {activity:?}", user.as_str(), behaviour.as_str())
        });
        if let Some(what) = twice {
            self.violate(|| format!("a reward was given twice: {what}"));
        }
    }

    fn wrong_points(&self, shard: usize, user: &UserId) -> Option<String> {
        let tables = &self.shards[shard];
        let moved = self.made_by(user).flat_map(points_moved);
        let mut moved: BTreeMap<BusinessNumber, Amount> = moved
            .map(|(order, amount)| (BusinessNumber::of_order(order), amount))
            .collect();
        let account = tables.points.get(user).copied().unwrap_or_default();
        let (mut number, mut balance) = (0, 0);
        for (_, entry) in tables.entries.iter().filter(|((of, _), _)| of == user) {
            number += 1;
            balance += entry.amount.hundredths();
            if entry.number != number || entry.balance.hundredths().cast_signed() != balance {
                return Some(format!("the ledger does not add up: {entry:?}"));
            }
            if moved.remove(&entry.business) != Some(entry.amount) {
                return Some(format!("an entry of no order: {entry:?}"));
            }
        }
        if !moved.is_empty() {
            return Some(format!("orders without entries: {moved:?}"));
        }
        let is_last = (account.entries, account.balance.hundredths().cast_signed());
        (is_last != (number, balance)).then(|| format!("the ledger says {balance} after {number}"))
    }

    /// The points that a user was ever given, and those that were ever taken, in hundredths.
    pub(super) fn points_of(&self, user: &UserId) -> (i64, i64) {
        let amounts = self.made_by(user).flat_map(points_moved);
        amounts.fold((0, 0), |(given, taken), (_, amount)| {
            let amount = amount.hundredths();
            (given + amount.max(0), taken - amount.min(0))
        })
    }

    /// Whether the user has signed in, ever and anywhere.
    pub(super) fn has_signed_in(&self, user: &UserId) -> bool {
        let mut recharges = self.made_by(user).flat_map(Made::recharges);
        recharges.any(|order| {
            order
                .kind
                .reward()
                .is_some_and(|reward| reward.behaviour.is_sign())
        })
    }
}
