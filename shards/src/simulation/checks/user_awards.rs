//! What must hold of prizes of which a user gets a few at most.
use market::{ActivityId, AwardId, Made, UserId};

use crate::simulation::scenario::user_limits;
use crate::simulation::world::WorldState;

impl WorldState {
    /// A user has no more of a prize than one may have, and what is counted are the user's orders.
    pub(super) fn check_user_awards(&mut self, shard: usize, user: &UserId) {
        for (activity, award, most) in user_limits() {
            let drawn = self.drawn_by(user, activity, award);
            let key = (user.clone(), activity, award);
            let given = self.shards[shard].user_awards.get(&key).copied();
            if given.unwrap_or(0) != drawn || drawn > most {
                let who = user.as_str();
                self.violate(|| {
                    format!(
                        "{who} drew award {award} of activity {activity} {drawn} times, {given:?} are \
                         counted, and {most} are allowed"
                    )
                });
            }
            if drawn == most {
                self.note("limit for one user reached", String::new);
            }
        }
    }

    /// The users with such a count.
    pub(super) fn counted_users(&self, shard: usize) -> Vec<UserId> {
        let keys = self.shards[shard].user_awards.keys();
        keys.map(|(user, ..)| user.clone()).collect()
    }

    /// How often a user was given an award.
    fn drawn_by(&self, user: &UserId, activity: ActivityId, award: AwardId) -> u32 {
        let orders = self.made_by(user).flat_map(Made::orders);
        let orders = orders.filter(|order| (order.activity, order.award) == (activity, award));
        u32::try_from(orders.count()).expect("few")
    }
}
