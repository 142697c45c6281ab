//! When users sign in: a label of a day, and how many days in a row.
use crate::calendar::Day;

/// When a user last signed in, in one activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignIn {
    /// The day, in the activity's time zone.
    pub day: Day,
    /// How many days in a row.
    pub streak: u32,
}

impl Default for SignIn {
    /// Never.
    fn default() -> Self {
        Self {
            day: Day::NEVER,
            streak: 0,
        }
    }
}

impl SignIn {
    /// The sign-in of the day `today`; `None` where that day has one, or has passed.
    pub fn on(self, today: Day) -> Option<Self> {
        if today <= self.day {
            return None;
        }
        let streak = if self.day.next() == Some(today) {
            self.streak.saturating_add(1)
        } else {
            1
        };
        Some(Self { day: today, streak })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(number: u32) -> Day {
        Day::from_number(number)
    }

    #[test]
    fn days_in_a_row_are_counted() {
        let first = SignIn::default().on(day(20_261_231)).expect("a day");
        let second = first.on(day(20_270_101)).expect("the next day");
        let after_a_pause = second.on(day(20_270_103)).expect("a later day");
        assert_eq!(
            [first.streak, second.streak, after_a_pause.streak],
            [1, 2, 1]
        );
    }

    proptest! {
        /// Clocks of several gateways that are seconds apart and step back.
        #[test]
        fn no_order_of_clocks_opens_a_day_twice(days in prop::collection::vec(0_usize..5, 1..40)) {
            let calendar = [20_260_130, 20_260_131, 20_260_201, 20_260_202, 20_260_301];
            let (mut sign_in, mut signed) = (SignIn::default(), Vec::new());
            for index in days {
                if let Some(next) = sign_in.on(day(calendar[index])) {
                    prop_assert!(!signed.contains(&next.day));
                    signed.push(next.day);
                    sign_in = next;
                }
            }
        }
    }
}
