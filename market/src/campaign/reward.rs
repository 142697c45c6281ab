//! Rewards: what users get for what they do, as a campaign file lists it.
use std::num::NonZeroU32;

use crate::ids::{Behaviour, SkuId};
use crate::points::Points;

/// What a user gets for a behaviour, once for each time that it is reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reward {
    /// What it is for.
    pub behaviour: Behaviour,
    /// What the user gets.
    pub gives: Gives,
    /// Given on each so-manieth day in a row only, beside what each day gives. Only sign-ins count
    /// days.
    pub streak: Option<NonZeroU32>,
}

/// What a reward consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// The chances of a sku of the same campaign, and with them one unit of its stock. Its price is
    /// not paid.
    Chances(SkuId),
    /// Points.
    Points(Points),
}

impl Reward {
    /// Whether it is given on a user's `day`-th day in a row, counted from 1.
    pub const fn is_due(&self, day: u32) -> bool {
        match self.streak {
            None => true,
            Some(streak) => day > 0 && day.is_multiple_of(streak.get()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_streak_is_due_on_each_so_manieth_day() {
        let reward = |streak| Reward {
            behaviour: Behaviour::sign(),
            gives: Gives::Points(Points::ZERO),
            streak: NonZeroU32::new(streak),
        };
        let due = |streak| -> Vec<u32> {
            let reward = reward(streak);
            (0..15).filter(|&day| reward.is_due(day)).collect()
        };
        assert_eq!(due(7), [7, 14]);
        assert_eq!(due(0), (0..15).collect::<Vec<_>>(), "one without a streak");
    }
}
