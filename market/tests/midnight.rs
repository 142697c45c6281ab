//! Midnight on several gateways: clocks that differ by seconds, clocks that step back, and the days
//! on which daylight saving begins and ends. No day gets its limit twice.
use std::collections::HashMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use market::calendar::Day;
use market::chances::{Account, Chances};
use market::random::Randomness;
use testkit::random::seeded;

const CHANCES: Chances = Chances {
    welcome: 1_000_000,
    month_limit: 500,
    day_limit: 3,
};

/// Zones, each with a midnight to test around.
const MIDNIGHTS: [(&str, &str); 7] = [
    ("Asia/Shanghai", "2026-11-21T00:00:00+08:00"),
    // The day before daylight saving begins, the 23-hour day, and the 25-hour day.
    ("Europe/Berlin", "2026-03-29T00:00:00+01:00"),
    ("Europe/Berlin", "2026-03-30T00:00:00+02:00"),
    ("Europe/Berlin", "2026-10-26T00:00:00+01:00"),
    // Here the clock goes from 24:00 back to 23:00, so the last hour of a day comes twice.
    ("Africa/Cairo", "2026-10-30T00:00:00+03:00"),
    // Here it once went from 24:00 to 01:00, so the day had no midnight.
    ("America/Sao_Paulo", "2018-11-04T00:00:00-03:00"),
    // The end of a month.
    ("America/New_York", "2026-11-01T00:00:00-04:00"),
];

/// Draws as often as the rules allow, every 20 seconds from three hours before to three hours
/// after. Each draw uses the time of one gateway's `clock`.
fn draws_per_day(
    zone: &str,
    midnight: &str,
    mut clock: impl FnMut(Timestamp) -> Timestamp,
) -> HashMap<Day, u32> {
    let zone = TimeZone::get(zone).expect("a bundled zone");
    let midnight: Timestamp = midnight.parse().expect("a time");
    let mut account = Account::new(CHANCES);
    let mut per_day = HashMap::new();
    for step in -540..540 {
        let now = clock(midnight + SignedDuration::from_secs(step * 20));
        let mut today = account.on(Day::of(now, &zone));
        while let Ok(after) = today.draw(CHANCES) {
            assert!(after.day >= account.day, "a day came back");
            *per_day.entry(after.day).or_default() += 1;
            (account, today) = (after, after);
        }
    }
    assert_eq!(account.used, per_day.values().sum::<u32>());
    per_day
}

#[test]
fn each_side_of_midnight_has_its_own_chances_and_no_more() {
    for (zone, midnight) in MIDNIGHTS {
        let per_day = draws_per_day(zone, midnight, |now| now);
        assert_eq!(
            per_day.values().copied().collect::<Vec<_>>(),
            [3, 3],
            "{zone} {midnight}"
        );
    }
}

#[test]
fn gateways_whose_clocks_differ_open_no_day_twice() {
    for (zone, midnight) in MIDNIGHTS {
        for seed in 0..20 {
            let mut random = seeded(seed);
            // Each draw runs on a gateway whose clock is up to five seconds ahead or behind.
            let skewed = |now: Timestamp| {
                let skew = i64::try_from(random.below(10_001)).expect("small") - 5_000;
                now + SignedDuration::from_millis(skew)
            };
            let per_day = draws_per_day(zone, midnight, skewed);
            assert!(
                per_day.values().all(|&draws| draws == 3),
                "{zone} {midnight} seed {seed}: {per_day:?}"
            );
        }
    }
}

#[test]
fn a_clock_that_steps_back_opens_no_day_twice() {
    for (zone, midnight) in MIDNIGHTS {
        for seed in 0..20 {
            let mut random = seeded(seed);
            let mut behind = SignedDuration::ZERO;
            // Sometimes the clock is set back by up to two hours, or corrected.
            let stepping = |now: Timestamp| {
                match random.below(40) {
                    0 => {
                        behind = SignedDuration::from_secs(
                            i64::try_from(random.below(7_200)).expect("small"),
                        );
                    }
                    1 => behind = SignedDuration::ZERO,
                    _ => {}
                }
                now - behind
            };
            let per_day = draws_per_day(zone, midnight, stepping);
            assert!(
                per_day.values().all(|&draws| draws <= 3),
                "{zone} {midnight} seed {seed}: {per_day:?}"
            );
        }
    }
}
