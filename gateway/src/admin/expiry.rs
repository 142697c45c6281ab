//! Until when a setting holds that is set for a limited time.
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// A setting with an expiry is set for at most this long.
const FOR_MAX: Duration = Duration::from_hours(24 * 366);

/// The time that lies `seconds` after `now`; the error names the field of the request.
pub(super) fn expiry(now: Timestamp, seconds: u64) -> Result<Timestamp, String> {
    if seconds == 0 || seconds > FOR_MAX.as_secs() {
        return Err(format!(
            "forSeconds: expected 1 to {}, found {seconds}",
            FOR_MAX.as_secs()
        ));
    }
    let lasts = SignedDuration::from_secs(i64::try_from(seconds).expect("bounded above"));
    now.checked_add(lasts)
        .map_err(|error| format!("forSeconds: {error}"))
}
