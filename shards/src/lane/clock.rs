//! The gateway's clock beside its shard's. A draw's day is stored with its account and never goes
//! back, so a clock that is far ahead would spoil accounts for as long as it is: nothing is planned
//! by a clock that the shard's own contradicts. Which of the two is wrong nobody here can know.
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use prometheus::Gauge;

use crate::DrawError;

/// Clocks that are kept in step differ by much less; day limits change hands a little early or late.
const WARNED_FROM: SignedDuration = SignedDuration::from_secs(5);

/// Nothing is planned.
const REFUSED_FROM: SignedDuration = SignedDuration::from_secs(60);

/// What a difference means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grade {
    Sound,
    Warned,
    Refused,
}

/// What was seen of the shard's clock.
#[derive(Debug)]
pub(super) struct Watch {
    /// By how much ours is ahead.
    skew_seconds: Gauge,
    grade: Grade,
}

impl Watch {
    pub(super) fn new(skew_seconds: Gauge) -> Self {
        Self { skew_seconds, grade: Grade::Sound }
    }

    /// Compares the shard's time with ours, `now` that the answer is there, so long after it was asked.
    /// Whatever lies between these is no difference: nobody knows how long each way took.
    pub(super) fn compare(&mut self, theirs: Timestamp, now: Timestamp, took: Duration) -> Result<(), DrawError> {
        let skew = ahead(theirs, now, took);
        self.skew_seconds.set(skew.as_secs_f64());
        let grade = match skew.abs() {
            skew if skew > REFUSED_FROM => Grade::Refused,
            skew if skew > WARNED_FROM => Grade::Warned,
            _ => Grade::Sound,
        };
        if grade != self.grade {
            self.grade = grade;
            tell(grade, skew);
        }
        if grade == Grade::Refused {
            return Err(DrawError::ClocksDiffer { ahead_seconds: skew.as_secs() });
        }
        Ok(())
    }
}

/// By how much our clock is ahead of theirs; negative where it is behind. How long it took is not told
/// by our clock: that may have been set in between.
fn ahead(theirs: Timestamp, now: Timestamp, took: Duration) -> SignedDuration {
    let since = now.duration_since(theirs);
    let took = SignedDuration::try_from(took).unwrap_or(SignedDuration::MAX);
    if since.is_negative() { since } else { since.saturating_sub(took).max(SignedDuration::ZERO) }
}

fn tell(grade: Grade, skew: SignedDuration) {
    let ahead_seconds = skew.as_secs_f64();
    match grade {
        Grade::Sound => tracing::info!("this gateway's clock and the shard's agree again"),
        Grade::Warned => tracing::warn!(ahead_seconds, "this gateway's clock and the shard's differ: one is wrong"),
        Grade::Refused => tracing::error!(
            ahead_seconds,
            "this gateway's clock and the shard's differ too much: one is wrong, and nothing is drawn until they agree"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn compare(theirs: i64, now: i64, took: u64) -> (f64, Result<(), DrawError>) {
        let mut watch = Watch::new(Gauge::new("skew", "test").expect("a gauge"));
        let result = watch.compare(at(theirs), at(now), Duration::from_secs(took));
        (watch.skew_seconds.get(), result)
    }

    #[test]
    fn what_lies_between_asking_and_the_answer_is_no_difference() {
        for theirs in [100, 150, 200] {
            assert_eq!(compare(theirs, 200, 100), (0.0, Ok(())));
        }
        assert_eq!(compare(95, 200, 100), (5.0, Ok(())));
        assert_eq!(compare(210, 200, 100), (-10.0, Ok(())));
    }

    #[test]
    fn nothing_is_planned_beyond_a_minute() {
        assert_eq!(compare(100, 160, 0).1, Ok(()));
        assert_eq!(compare(100, 161, 0).1, Err(DrawError::ClocksDiffer { ahead_seconds: 61 }));
        assert_eq!(compare(3_556_100, 101, 1).1, Err(DrawError::ClocksDiffer { ahead_seconds: -3_555_999 }));
    }

    #[test]
    fn a_clock_that_is_set_while_the_answer_is_under_way_is_found_out() {
        assert!(compare(100, 3_456_000, 1).1.is_err(), "though it was right when the shard was asked");
        assert!(compare(3_456_000, 100, 1).1.is_err());
    }

    #[test]
    fn a_clock_that_is_right_again_is_believed() {
        let mut watch = Watch::new(Gauge::new("skew", "test").expect("a gauge"));
        assert!(watch.compare(at(100), at(500), Duration::ZERO).is_err());
        assert_eq!(watch.compare(at(100), at(100), Duration::ZERO), Ok(()));
        assert!((watch.skew_seconds.get(), watch.grade) == (0.0, Grade::Sound));
    }
}
