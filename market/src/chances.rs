//! Chances: how often a user may draw, in total, per month and per day.
use crate::calendar::Day;
use crate::refusal::Refusal;

/// What an activity grants and allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chances {
    /// Chances that each new user starts with.
    pub welcome: u32,
    /// Most draws in one month. A limit: purchases do not raise it.
    pub month_limit: u32,
    /// Most draws on one day. A limit: purchases do not raise it.
    pub day_limit: u32,
}

/// A user's chances in one activity, as stored. The day label is the day of the latest draw; it
/// never goes back, whatever clocks say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// Chances received so far.
    pub granted: u32,
    /// Chances used so far: the number of orders.
    pub used: u32,
    /// The day that `day_used` counts, in the activity's time zone.
    pub day: Day,
    /// Draws on `day`.
    pub day_used: u32,
    /// Draws in the month of `day`.
    pub month_used: u32,
}

/// How many draws a user may still make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// In all.
    pub total: u32,
    /// In the month of the account's day.
    pub this_month: u32,
    /// On the account's day.
    pub today: u32,
}

impl Account {
    /// The account of a user who has not drawn yet.
    pub const fn new(chances: Chances) -> Self {
        Self {
            granted: chances.welcome,
            used: 0,
            day: Day::NEVER,
            day_used: 0,
            month_used: 0,
        }
    }

    /// The account as it stands on the local day `today`: counters of a past day or month start
    /// over. A day before the account's own changes nothing, so a clock that is behind (or steps
    /// back) cannot open a day twice.
    #[must_use]
    pub fn on(self, today: Day) -> Self {
        let day = self.day.max(today);
        let day_used = if day == self.day { self.day_used } else { 0 };
        let month_used = if day.month() == self.day.month() {
            self.month_used
        } else {
            0
        };
        Self {
            day,
            day_used,
            month_used,
            ..self
        }
    }

    /// What can be drawn on the account's day: none of it is more than a wider bound allows.
    pub fn left(self, chances: Chances) -> Left {
        let total = self.granted.saturating_sub(self.used);
        let this_month = chances
            .month_limit
            .saturating_sub(self.month_used)
            .min(total);
        let today = chances
            .day_limit
            .saturating_sub(self.day_used)
            .min(this_month);
        Left {
            total,
            this_month,
            today,
        }
    }

    /// Adds chances to those received so far. The limits of days and months stay as they are.
    pub fn receive(self, chances: u32) -> Result<Self, Refusal> {
        let granted = self
            .granted
            .checked_add(chances)
            .ok_or(Refusal::TooManyChances)?;
        Ok(Self { granted, ..self })
    }

    /// Uses one chance on the account's day. The first bound that is reached refuses: total, month,
    /// day, in the reference's order.
    pub fn draw(self, chances: Chances) -> Result<Self, Refusal> {
        if self.used >= self.granted {
            return Err(Refusal::NoChancesLeft);
        }
        if self.month_used >= chances.month_limit {
            return Err(Refusal::MonthLimit);
        }
        if self.day_used >= chances.day_limit {
            return Err(Refusal::DayLimit);
        }
        Ok(Self {
            used: self.used + 1,
            day_used: self.day_used + 1,
            month_used: self.month_used + 1,
            ..self
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CHANCES: Chances = Chances {
        welcome: 10,
        month_limit: 5,
        day_limit: 3,
    };

    fn day(number: u32) -> Day {
        Day::from_number(number)
    }

    fn draws(mut account: Account, today: Day, count: u32) -> Account {
        for _ in 0..count {
            account = account.on(today).draw(CHANCES).expect("a chance");
        }
        account
    }

    #[test]
    fn each_bound_has_its_own_refusal() {
        let first_day = draws(Account::new(CHANCES), day(20_260_101), 3);
        assert_eq!(first_day.draw(CHANCES), Err(Refusal::DayLimit));
        let second_day = draws(first_day, day(20_260_102), 2);
        assert_eq!(second_day.draw(CHANCES), Err(Refusal::MonthLimit));
        let next_month = draws(draws(second_day, day(20_260_201), 3), day(20_260_202), 2);
        assert_eq!(
            next_month.on(day(20_260_301)).draw(CHANCES),
            Err(Refusal::NoChancesLeft)
        );
    }

    #[test]
    fn chances_received_are_bounded_by_what_an_account_holds() {
        let account = Account::new(CHANCES);
        assert_eq!(
            account.receive(5),
            Ok(Account {
                granted: 15,
                ..account
            })
        );
        assert_eq!(account.receive(u32::MAX - 9), Err(Refusal::TooManyChances));
        assert!(account.receive(u32::MAX - 10).is_ok());
    }

    #[test]
    fn a_new_month_starts_over_and_an_old_day_does_not() {
        let account = draws(Account::new(CHANCES), day(20_260_131), 3);
        assert_eq!(
            account.on(day(20_260_201)),
            Account {
                day: day(20_260_201),
                day_used: 0,
                month_used: 0,
                ..account
            }
        );
        assert_eq!(account.on(day(20_260_130)), account);
    }

    fn accounts() -> impl Strategy<Value = Account> {
        (0..12_u32, 0..12_u32, 0..7_u32, 0..7_u32).prop_map(
            |(granted, used, day_used, month_used)| Account {
                granted,
                used,
                day: day(20_260_101),
                day_used,
                month_used,
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_left_is_what_can_be_drawn(mut account in accounts()) {
            let left = account.left(CHANCES);
            let next = account.draw(CHANCES);
            prop_assert_eq!(left.today > 0, next.is_ok());
            prop_assert_eq!(left.total > 0, next != Err(Refusal::NoChancesLeft));
            prop_assert_eq!(left.this_month > 0, next.is_ok() || next == Err(Refusal::DayLimit));
            let drawn = std::iter::from_fn(|| account.draw(CHANCES).ok().inspect(|after| account = *after)).count();
            prop_assert_eq!(drawn, left.today as usize);
        }

        /// Clocks of several gateways that are seconds apart and step back: whatever days they
        /// name and in whatever order, no day and no month gets more draws than its limit.
        #[test]
        fn no_order_of_clocks_opens_a_day_twice(days in prop::collection::vec(0_usize..6, 1..60)) {
            let calendar = [20_260_130, 20_260_131, 20_260_201, 20_260_202, 20_260_203, 20_260_301];
            let mut account = Account::new(Chances { welcome: 100, ..CHANCES });
            let mut per_day = std::collections::HashMap::new();
            let mut per_month = std::collections::HashMap::new();
            for index in days {
                if let Ok(after) = account.on(day(calendar[index])).draw(CHANCES) {
                    *per_day.entry(after.day).or_insert(0) += 1;
                    *per_month.entry(after.day.month()).or_insert(0) += 1;
                    prop_assert!(after.day >= account.day);
                    account = after;
                }
            }
            prop_assert!(per_day.values().all(|&count| count <= CHANCES.day_limit));
            prop_assert!(per_month.values().all(|&count| count <= CHANCES.month_limit));
            prop_assert_eq!(account.used, per_day.values().sum::<u32>());
        }
    }
}
