//! Days and months as labels in an activity's time zone.
//!
//! A label is computed once, when a draw is planned, and stored with it. It does not change later,
//! whatever clocks do.
use std::fmt;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A calendar day of some time zone as the number `yyyymmdd`; ordered as the days are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Day(u32);

/// A calendar month as the number `yyyymm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Month(u32);

impl Day {
    /// Before every real day: the label of an account that has never drawn.
    pub const NEVER: Day = Day(0);

    /// The local day of `now` in `zone`.
    pub fn of(now: Timestamp, zone: &TimeZone) -> Day {
        let date = zone.to_datetime(now).date();
        let part = |number: i8| u32::try_from(number).unwrap_or(0);
        // A server's clock cannot show a year before 0; it would count as "never".
        let year = u32::try_from(date.year()).unwrap_or(0);
        Day(year * 10_000 + part(date.month()) * 100 + part(date.day()))
    }

    /// The day of a stored label, as [`Day::number`] returns it.
    pub const fn from_number(yyyymmdd: u32) -> Day {
        Day(yyyymmdd)
    }

    /// The label as stored: `yyyymmdd`.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The day after this one; `None` for a label that is no day.
    pub fn next(self) -> Option<Day> {
        let part = |number: u32| i8::try_from(number).ok();
        let year = i16::try_from(self.0 / 10_000).ok()?;
        let (month, day) = (part(self.0 / 100 % 100)?, part(self.0 % 100)?);
        let date = jiff::civil::Date::new(year, month, day)
            .ok()?
            .tomorrow()
            .ok()?;
        let part = |number: i8| u32::try_from(number).ok();
        let year = u32::try_from(date.year()).ok()?;
        Some(Day(year * 10_000
            + part(date.month())? * 100
            + part(date.day())?))
    }

    /// The month of this day. A later day is never in an earlier month, so one label serves the
    /// limits of day and month.
    pub const fn month(self) -> Month {
        Month(self.0 / 100)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:04}-{:02}-{:02}",
            self.0 / 10_000,
            self.0 / 100 % 100,
            self.0 % 100
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).expect("bundled time zone")
    }

    fn at(text: &str) -> Timestamp {
        text.parse().expect("timestamp")
    }

    #[test]
    fn the_next_day_is_that_of_the_calendar() {
        for (day, next) in [
            (20_261_130, 20_261_201),
            (20_261_231, 20_270_101),
            (20_240_228, 20_240_229),
            (20_260_228, 20_260_301),
        ] {
            assert_eq!(Day(day).next(), Some(Day(next)));
        }
        assert_eq!(Day::NEVER.next(), None);
        assert_eq!(Day(20_260_231).next(), None);
    }

    /// D18 of `docs/reference-faults.md`: nothing is shared that two threads could mix up.
    #[test]
    fn days_are_right_on_many_threads_at_once() {
        let shanghai = zone("Asia/Shanghai");
        let noon = |day: i64| {
            let at = at("2026-01-01T04:00:00Z").as_second() + day * 86_400;
            Timestamp::from_second(at).expect("a time")
        };
        let days: Vec<Day> = (0..400).map(|day| Day::of(noon(day), &shanghai)).collect();
        assert!(days.windows(2).all(|pair| pair[0].next() == Some(pair[1])));
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (days, zone) = (&days, &shanghai);
                scope.spawn(move || {
                    for number in 0..4_000_i64 {
                        let day = (number * 7 + thread * 50) % 400;
                        let index = usize::try_from(day).expect("small");
                        assert_eq!(Day::of(noon(day), zone), days[index]);
                    }
                });
            }
        });
    }

    #[test]
    fn a_day_begins_at_local_midnight() {
        let shanghai = zone("Asia/Shanghai");
        assert_eq!(
            Day::of(at("2026-11-20T15:59:59Z"), &shanghai).to_string(),
            "2026-11-20"
        );
        assert_eq!(
            Day::of(at("2026-11-20T16:00:00Z"), &shanghai).to_string(),
            "2026-11-21"
        );
    }

    #[test]
    fn days_of_daylight_saving_changes_are_one_day_each() {
        let berlin = zone("Europe/Berlin");
        // 2026-03-29 has 23 hours, 2026-10-25 has 25.
        for (from, hours, label) in [
            ("2026-03-28T23:00:00Z", 23, 20_260_329),
            ("2026-10-24T22:00:00Z", 25, 20_261_025),
        ] {
            for hour in 0..hours {
                let now = at(from) + jiff::SignedDuration::from_hours(hour);
                assert_eq!(Day::of(now, &berlin).number(), label, "hour {hour}");
            }
            let after = at(from) + jiff::SignedDuration::from_hours(hours);
            assert_eq!(Day::of(after, &berlin).number(), label + 1);
        }
    }

    #[test]
    fn months_follow_days() {
        assert_eq!(
            Day::from_number(20_261_130).month(),
            Day::from_number(20_261_101).month()
        );
        assert!(Day::from_number(20_261_130).month() < Day::from_number(20_261_201).month());
        assert!(Day::NEVER < Day::from_number(19_700_101));
    }
}
