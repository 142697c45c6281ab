//! How many users an organiser expects, and how often they draw: what a forecast simulates.
use std::ops::RangeInclusive;

/// How many users take part, how often each of them draws, and over how many days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turnout {
    users: u32,
    draws_per_user: u32,
    days: u32,
}

/// Why numbers are no turnout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTurnout {
    /// A number is outside its bounds.
    #[error("{what}: expected an integer from {} to {}", bounds.start(), bounds.end())]
    OutOfBounds {
        /// Which number.
        what: &'static str,
        /// Its bounds.
        bounds: RangeInclusive<u32>,
    },
    /// The product is more than a forecast simulates.
    #[error(
        "{users} users with {draws_per_user} draws each make {} draws; \
         a forecast simulates at most {}: give fewer users or draws",
        u64::from(*users) * u64::from(*draws_per_user),
        Turnout::DRAWS_MAX
    )]
    TooManyDraws {
        /// The users.
        users: u32,
        /// The draws of each.
        draws_per_user: u32,
    },
}

impl Turnout {
    /// How many users there may be: their accounts are held in memory.
    pub const USERS: RangeInclusive<u32> = 1..=10_000_000;
    /// How often each of them may draw.
    pub const DRAWS_PER_USER: RangeInclusive<u32> = 1..=1_000_000;
    /// How many days there may be: ten years.
    pub const DAYS: RangeInclusive<u32> = 1..=3_660;
    /// How many draws of all users there may be.
    pub const DRAWS_MAX: u64 = 1_000_000_000;

    /// Checks numbers and makes them a turnout.
    pub fn new(users: u32, draws_per_user: u32, days: u32) -> Result<Self, InvalidTurnout> {
        let checks = [
            ("users", users, Self::USERS),
            ("draws_per_user", draws_per_user, Self::DRAWS_PER_USER),
            ("days", days, Self::DAYS),
        ];
        for (what, number, bounds) in checks {
            if !bounds.contains(&number) {
                return Err(InvalidTurnout::OutOfBounds { what, bounds });
            }
        }
        let turnout = Self {
            users,
            draws_per_user,
            days,
        };
        if turnout.draws() > Self::DRAWS_MAX {
            return Err(InvalidTurnout::TooManyDraws {
                users,
                draws_per_user,
            });
        }
        Ok(turnout)
    }

    /// How many users take part.
    pub const fn users(self) -> u32 {
        self.users
    }

    /// How often each of them draws in all.
    pub const fn draws_per_user(self) -> u32 {
        self.draws_per_user
    }

    /// Over how many days.
    pub const fn days(self) -> u32 {
        self.days
    }

    /// How many draws all users ask for.
    pub const fn draws(self) -> u64 {
        self.users as u64 * self.draws_per_user as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turnout_is_bounded() {
        for good in [(1, 1, 1), (10_000_000, 100, 3_660), (1_000, 1_000_000, 1)] {
            assert!(Turnout::new(good.0, good.1, good.2).is_ok(), "{good:?}");
        }
        for (bad, message) in [
            ((0, 1, 1), "users: expected an integer from 1 to 10000000"),
            (
                (1, 1_000_001, 1),
                "draws_per_user: expected an integer from 1 to 1000000",
            ),
            ((1, 1, 3_661), "days: expected an integer from 1 to 3660"),
            (
                (10_000_000, 101, 1),
                "10000000 users with 101 draws each make 1010000000 draws; a forecast simulates \
                 at most 1000000000: give fewer users or draws",
            ),
        ] {
            let error = Turnout::new(bad.0, bad.1, bad.2).expect_err(message);
            assert_eq!(error.to_string(), message);
        }
    }
}
