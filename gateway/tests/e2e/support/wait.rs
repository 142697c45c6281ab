//! Waiting for conditions, never for a fixed time.
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use testkit::eventually;

/// Within this a running server follows what is published.
pub const FOLLOWED: Duration = Duration::from_secs(2);

/// Tests that count the draws of a day must not run across a midnight of the demo activities.
pub async fn away_from_midnight() {
    const NEAR_S: i64 = 20;
    let zone = TimeZone::get("Asia/Shanghai").expect("a time zone");
    eventually("past midnight", Duration::from_secs(30), async || {
        let now = Timestamp::now().to_zoned(zone.clone());
        let midnight = now
            .tomorrow()
            .and_then(|day| day.start_of_day())
            .expect("a next day");
        (midnight.timestamp().as_second() - now.timestamp().as_second() > NEAR_S).then_some(())
    })
    .await;
}
