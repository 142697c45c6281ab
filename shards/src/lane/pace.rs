//! How long a lane's queue may be: no longer than what the lane commits within the target delay.
//!
//! A fixed bound is too long for a shard that has become slow: the callers of commands at its end
//! stop waiting before their turn. It is too short for a fast shard. So the bound follows the
//! measured rate.
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::limits::LaneLimits;

/// The latest batch counts for this much of the rate.
const WEIGHT: f64 = 0.2;

/// The bound on a queue, as callers see it.
#[derive(Debug, Clone)]
pub(super) struct Bound(Arc<AtomicUsize>);

impl Bound {
    pub(super) fn draws(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// What a lane has measured of its own speed.
#[derive(Debug)]
pub(super) struct Pace {
    limits: LaneLimits,
    draws_per_second: Option<f64>,
    bound: Bound,
}

impl Pace {
    /// Has measured nothing yet: the bound is the fixed one.
    pub(super) fn new(limits: LaneLimits) -> Self {
        Self {
            limits,
            draws_per_second: None,
            bound: Bound(Arc::new(AtomicUsize::new(limits.queue_max))),
        }
    }

    pub(super) fn bound(&self) -> Bound {
        self.bound.clone()
    }

    /// Measures a full batch that was executed. Only a full one shows what the lane can do: a
    /// smaller one could have held more in about the same time.
    pub(super) fn learn(&mut self, draws: usize, took: Duration) {
        if took.is_zero() {
            return;
        }
        let latest = f64::from(u32::try_from(draws).unwrap_or(u32::MAX)) / took.as_secs_f64();
        let rate = self
            .draws_per_second
            .map_or(latest, |rate| rate + WEIGHT * (latest - rate));
        self.draws_per_second = Some(rate);
        // Casts of floats saturate, and the rate is positive.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let within_target = (rate * self.limits.queue_target.as_secs_f64()) as usize;
        // What fits into the next batch does not wait for another one.
        let bound = within_target
            .max(self.limits.batch_max)
            .min(self.limits.queue_max);
        self.bound.0.store(bound, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: LaneLimits = LaneLimits {
        queue_max: 2000,
        queue_target: Duration::from_millis(500),
        batch_max: 100,
        linger: Duration::ZERO,
    };

    fn settled(draws: usize, took_ms: u64) -> usize {
        let mut pace = Pace::new(LIMITS);
        for _ in 0..50 {
            pace.learn(draws, Duration::from_millis(took_ms));
        }
        pace.bound().draws()
    }

    #[test]
    fn the_queue_holds_what_is_committed_within_the_target() {
        assert_eq!(settled(100, 100), 500);
        assert_eq!(settled(100, 250), 200);
    }

    #[test]
    fn one_batch_always_fits_and_the_fixed_bound_holds() {
        assert_eq!(settled(100, 10_000), 100);
        assert_eq!(settled(100, 1), 2000);
    }

    #[test]
    fn a_batch_that_took_no_time_teaches_nothing() {
        assert_eq!(settled(100, 0), 2000);
    }

    #[test]
    fn a_lane_that_becomes_slow_and_fast_again_is_followed() {
        let mut pace = Pace::new(LIMITS);
        let mut bound_after = |took_ms, batches| {
            for _ in 0..batches {
                pace.learn(100, Duration::from_millis(took_ms));
            }
            pace.bound().draws()
        };
        assert_eq!(bound_after(100, 50), 500);
        let slower = bound_after(1_000, 3);
        assert!((250..450).contains(&slower), "{slower}");
        assert_eq!(bound_after(1_000, 50), 100);
        assert_eq!(bound_after(100, 50), 499);
    }
}
