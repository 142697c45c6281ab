//! At which moment of each day the users of a forecast draw.
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use crate::campaign::Activity;

/// A moment of each of the first `days` local days of an activity: the middle of the part on which
/// it is open. On a day after its end there is no such part; there it is the end, at which the
/// rules refuse draws.
pub(super) fn moments(activity: &Activity, days: u32) -> Vec<Timestamp> {
    let zone = &activity.time_zone;
    let first = zone.to_datetime(activity.begins_at).date();
    (0..days)
        .map(|day| moment(activity, first, day.into()))
        .collect()
}

fn moment(activity: &Activity, first: Date, day: i64) -> Timestamp {
    // A day that the calendar does not have is after the end of each activity.
    let start = |day: i64| {
        let date = first.saturating_add(day.days());
        date.to_zoned(activity.time_zone.clone())
            .map_or(Timestamp::MAX, |start| start.timestamp())
    };
    let from = start(day).max(activity.begins_at);
    let until = start(day + 1).min(activity.ends_at);
    if from < until {
        from + from.duration_until(until) / 2
    } else {
        activity.ends_at
    }
}

#[cfg(test)]
mod tests {
    use testkit::campaign::CampaignFile;

    use super::*;
    use crate::calendar::Day;
    use crate::campaign::Campaign;

    fn days_of(begins_at: &str, ends_at: &str, zone: &str, days: u32) -> Vec<(u32, bool)> {
        let file = CampaignFile::one_award(7)
            .between(begins_at, ends_at)
            .time_zone(zone);
        let activity = Campaign::parse(&file.text())
            .expect("a valid campaign")
            .activity;
        let day = |moment: Timestamp| {
            let is_open = moment >= activity.begins_at && moment < activity.ends_at;
            (Day::of(moment, &activity.time_zone).number(), is_open)
        };
        moments(&activity, days).into_iter().map(day).collect()
    }

    #[test]
    fn each_local_day_has_a_moment_while_the_activity_is_open() {
        assert_eq!(
            days_of(
                "2026-03-31T23:59:00+08:00",
                "2026-04-02T00:01:00+08:00",
                "Asia/Shanghai",
                4
            ),
            [
                (20_260_331, true),
                (20_260_401, true),
                (20_260_402, true),
                // After the end there is nothing but the end.
                (20_260_402, false)
            ]
        );
        // One day has 23 hours there.
        assert_eq!(
            days_of(
                "2026-03-28T00:30:00+01:00",
                "2027-01-01T00:00:00+01:00",
                "Europe/Berlin",
                3
            ),
            [(20_260_328, true), (20_260_329, true), (20_260_330, true)]
        );
    }

    #[test]
    fn the_end_of_the_calendar_is_an_end_like_others() {
        let days = days_of(
            "9999-12-29T00:00:00+00:00",
            "9999-12-30T00:00:00+00:00",
            "UTC",
            3_660,
        );
        assert_eq!(days.len(), 3_660);
        assert_eq!(days[0], (99_991_229, true));
        assert!(days[1..].iter().all(|(_, is_open)| !is_open));
    }
}
