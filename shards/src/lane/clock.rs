//! Compares the gateway's clock with its shard's. A draw's day is stored with its account and never
//! goes back, so a clock that is far ahead would spoil accounts until that day. So nothing is
//! planned by a clock that differs from the shard's. Which of the two is wrong cannot be known
//! here.
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use prometheus::Gauge;
use tokio::time::Instant;

use crate::error::CommandError;

/// Clocks that are synchronized differ by much less. With this difference a day begins a little
/// early or late.
const WARNED_FROM: SignedDuration = SignedDuration::from_secs(5);

/// Nothing is planned.
const REFUSED_FROM: SignedDuration = SignedDuration::from_secs(60);

/// The shard is not asked with each batch, because that costs a statement. A clock that agreed
/// still agrees while it moves as monotonic time does; what it drifts in this time does not matter.
const BELIEVED: Duration = Duration::from_millis(200);

/// A clock that differs from monotonic time by more than this was set.
const SET_FROM: SignedDuration = SignedDuration::from_secs(1);

/// What a difference means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grade {
    Sound,
    Warned,
    Refused,
}

/// What is known of the shard's clock.
#[derive(Debug)]
pub(super) struct Watch {
    /// By how much ours is ahead.
    skew_seconds: Gauge,
    grade: Grade,
    /// Our time by both measures when the two clocks last agreed.
    agreed: Option<(Timestamp, Instant)>,
}

impl Watch {
    pub(super) fn new(skew_seconds: Gauge) -> Self {
        Self {
            skew_seconds,
            grade: Grade::Sound,
            agreed: None,
        }
    }

    /// Whether the shard is to be asked for its time, when ours is `now`.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.agreed
            .is_none_or(|(_, since)| since.elapsed() >= BELIEVED)
            || self.was_set(now)
    }

    /// Whether our clock was set since the two agreed.
    pub(super) fn was_set(&self, now: Timestamp) -> bool {
        (self.agreed).is_some_and(|(then, since)| was_set_since(then, since, now))
    }

    /// Compares the shard's time with ours. `now` is when the answer arrived, `took` how long after
    /// the question. The shard's time may be any in between: how long each way took is not known.
    pub(super) fn compare(
        &mut self,
        theirs: Timestamp,
        now: Timestamp,
        took: Duration,
    ) -> Result<(), CommandError> {
        let skew = ahead(theirs, now, took);
        self.skew_seconds.set(skew.as_secs_f64());
        let grade = match skew.abs() {
            skew if skew > REFUSED_FROM => Grade::Refused,
            skew if skew > WARNED_FROM => Grade::Warned,
            _ => Grade::Sound,
        };
        if grade != self.grade {
            self.grade = grade;
            log(grade, skew);
        }
        self.agreed = (grade == Grade::Sound).then(|| (now, Instant::now()));
        if grade == Grade::Refused {
            return Err(CommandError::ClocksDiffer {
                ahead_seconds: skew.as_secs(),
            });
        }
        Ok(())
    }
}

/// Whether our clock, which is `now`, was set after it was `then`.
pub(super) fn was_set_since(then: Timestamp, since: Instant, now: Timestamp) -> bool {
    let passed = SignedDuration::try_from(since.elapsed()).unwrap_or(SignedDuration::MAX);
    (now.duration_since(then) - passed).abs() > SET_FROM
}

/// By how much our clock is ahead of theirs; negative where it is behind. How long the answer took
/// is not measured by our clock, because that may have been set in between.
fn ahead(theirs: Timestamp, now: Timestamp, took: Duration) -> SignedDuration {
    let since = now.duration_since(theirs);
    let took = SignedDuration::try_from(took).unwrap_or(SignedDuration::MAX);
    if since.is_negative() {
        since
    } else {
        since.saturating_sub(took).max(SignedDuration::ZERO)
    }
}

fn log(grade: Grade, skew: SignedDuration) {
    let ahead_seconds = skew.as_secs_f64();
    match grade {
        Grade::Sound => tracing::info!("this gateway's clock and the shard's agree again"),
        Grade::Warned => tracing::warn!(
            ahead_seconds,
            "this gateway's clock and the shard's differ: one is wrong"
        ),
        Grade::Refused => tracing::error!(
            ahead_seconds,
            "this gateway's clock and the shard's differ too much: one is wrong, and no command is executed until they agree"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn compare(theirs: i64, now: i64, took: u64) -> (f64, Result<(), CommandError>) {
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
        assert_eq!(
            compare(100, 161, 0).1,
            Err(CommandError::ClocksDiffer { ahead_seconds: 61 })
        );
        assert_eq!(
            compare(3_556_100, 101, 1).1,
            Err(CommandError::ClocksDiffer {
                ahead_seconds: -3_555_999
            })
        );
    }

    #[test]
    fn a_clock_that_is_set_while_the_answer_is_under_way_is_found_out() {
        assert!(
            compare(100, 3_456_000, 1).1.is_err(),
            "though it was right when the shard was asked"
        );
        assert!(compare(3_456_000, 100, 1).1.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_agreed_is_believed_for_a_moment_unless_it_is_set() {
        let mut watch = Watch::new(Gauge::new("skew", "test").expect("a gauge"));
        assert!(
            watch.is_due(at(100)) && !watch.was_set(at(100)),
            "the database was not asked yet"
        );
        assert_eq!(watch.compare(at(100), at(100), Duration::ZERO), Ok(()));
        assert!(!watch.is_due(at(100)) && !watch.was_set(at(100)));
        for set in [at(98), at(102), at(3_456_000)] {
            assert!(watch.was_set(set) && watch.is_due(set), "{set}");
        }
        tokio::time::advance(BELIEVED).await;
        assert!(watch.is_due(at(100)) && !watch.was_set(at(100)));
        assert_eq!(watch.compare(at(100), at(110), Duration::ZERO), Ok(()));
        assert!(
            watch.is_due(at(110)),
            "clocks that differ are asked for with each batch"
        );
    }

    #[test]
    fn a_clock_that_is_right_again_is_believed() {
        let mut watch = Watch::new(Gauge::new("skew", "test").expect("a gauge"));
        assert!(watch.compare(at(100), at(500), Duration::ZERO).is_err());
        assert_eq!(watch.compare(at(100), at(100), Duration::ZERO), Ok(()));
        assert!((watch.skew_seconds.get(), watch.grade) == (0.0, Grade::Sound));
    }
}
