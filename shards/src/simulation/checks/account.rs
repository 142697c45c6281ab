//! What must hold of accounts.
use market::batch::AccountKey;
use market::calendar::Day;
use market::chances::Account;
use market::{ActivityId, Made, UserId};

use super::kinds::chances_given;
use crate::simulation::scenario::CHANCES;
use crate::simulation::world::WorldState;

impl WorldState {
    /// Chances used are orders, chances granted are the welcome chances and those that calls gave;
    /// limits hold; days never go back.
    pub(super) fn check_account(&mut self, shard: usize, user: &UserId, activity: ActivityId) {
        let key = (user.clone(), activity);
        let account = self.shards[shard].accounts.get(&key).copied();
        let (given, orders) = (self.given(&key), self.orders_of(&key));
        if let Some(why) = account.and_then(|account| wrong_account(account, given, &orders)) {
            self.violate(|| {
                format!(
                    "{} in {activity}: {why}: {account:?}, {given} given, {orders:?}",
                    user.as_str()
                )
            });
        }
    }

    /// What the calls of a user made.
    pub(super) fn made_by(&self, user: &UserId) -> impl Iterator<Item = &Made> {
        let calls = self.book.calls.iter();
        calls
            .filter(move |((of, _), _)| of == user)
            .map(|(_, made)| &made.made)
    }

    /// The chances that a user was given in an activity.
    fn given(&self, key: &AccountKey) -> u32 {
        let (user, activity) = key;
        self.made_by(user)
            .map(|made| chances_given(made, *activity))
            .sum()
    }

    /// A user's orders in an activity, in the order of their ordinals.
    fn orders_of(&self, key: &AccountKey) -> Vec<(u32, Day)> {
        let (user, activity) = key;
        let orders = self.made_by(user).flat_map(Made::orders);
        let orders = orders.filter(|order| order.activity == *activity);
        let mut orders: Vec<_> = orders.map(|order| (order.ordinal, order.day)).collect();
        orders.sort_unstable();
        orders
    }
}

/// What is wrong with an account, to which calls gave these chances and from which these orders
/// were drawn.
fn wrong_account(account: Account, given: u32, orders: &[(u32, Day)]) -> Option<&'static str> {
    let count = |same: &dyn Fn(Day) -> bool| orders.iter().filter(|(_, day)| same(*day)).count();
    let on = |of: Day| count(&|day| day == of);
    let in_month = |of: Day| count(&|day| day.month() == of.month());
    if !orders
        .iter()
        .map(|(ordinal, _)| *ordinal)
        .eq(1..=account.used)
    {
        return Some("chances used are not the orders");
    }
    if account.used > account.granted || account.granted != CHANCES.welcome + given {
        return Some("chances came from nowhere");
    }
    if !orders.is_sorted_by_key(|(_, day)| *day)
        || orders.last().is_some_and(|(_, day)| *day != account.day)
    {
        return Some("a day came back");
    }
    if orders
        .iter()
        .any(|(_, day)| on(*day) > CHANCES.day_limit as usize)
    {
        return Some("a day's limit was passed");
    }
    if orders
        .iter()
        .any(|(_, day)| in_month(*day) > CHANCES.month_limit as usize)
    {
        return Some("a month's limit was passed");
    }
    let counters = (account.day_used as usize, account.month_used as usize);
    (counters != (on(account.day), in_month(account.day)))
        .then_some("the counters are not the orders")
}
