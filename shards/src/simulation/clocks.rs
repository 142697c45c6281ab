//! The clocks of the gateways: each a little wrong, and midnight near.
use std::cell::RefCell;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::dice::Dice;
use super::scenario::GATEWAYS;

/// So wrong, in either direction, that nothing may be planned by it.
pub(super) const VERY_WRONG_MS: i64 = 60_000;

thread_local! {
    /// What the clocks of this thread's run show.
    static CLOCKS: RefCell<Option<Clocks>> = const { RefCell::new(None) };
}

struct Clocks {
    began: Instant,
    /// What the right time was then.
    at: Timestamp,
    /// How far each gateway's clock is ahead, in milliseconds.
    ahead_ms: [i64; GATEWAYS],
}

/// Sets the clocks a little before the end of a month, each a little wrong.
pub(super) fn set_clocks(dice: &mut Dice) {
    let midnight: Timestamp = "2026-12-01T00:00:00Z".parse().expect("a time");
    let before = SignedDuration::from_millis(i64::try_from(dice.below(15_000)).expect("small"));
    let ahead_ms =
        [(); GATEWAYS].map(|()| i64::try_from(dice.below(6_000)).expect("small") - 3_000);
    CLOCKS.set(Some(Clocks {
        began: Instant::now(),
        at: midnight - before,
        ahead_ms,
    }));
}

/// Sets one gateway's clock ahead or back.
pub(super) fn step_clock(place: usize, ahead_ms: i64) {
    CLOCKS
        .with_borrow_mut(|clocks| clocks.as_mut().expect("a run is on").ahead_ms[place] = ahead_ms);
}

/// Sets clocks right that are very wrong.
pub(super) fn mend_clocks() {
    CLOCKS.with_borrow_mut(|clocks| {
        let ahead_ms = clocks.iter_mut().flat_map(|clocks| &mut clocks.ahead_ms);
        ahead_ms
            .filter(|ahead_ms| ahead_ms.abs() > VERY_WRONG_MS)
            .for_each(|ahead_ms| *ahead_ms = 0);
    });
}

/// What the clocks of databases show.
pub(super) fn right_time() -> Timestamp {
    CLOCKS.with_borrow(|clocks| {
        let clocks = clocks.as_ref().expect("a run is on");
        clocks.at + SignedDuration::try_from(clocks.began.elapsed()).expect("a short run")
    })
}

/// What a gateway's clock shows.
fn clock<const PLACE: usize>() -> Timestamp {
    let ahead_ms =
        CLOCKS.with_borrow(|clocks| clocks.as_ref().expect("a run is on").ahead_ms[PLACE]);
    right_time() + SignedDuration::from_millis(ahead_ms)
}

/// The clock of each gateway.
pub(super) const CLOCK_OF: [fn() -> Timestamp; GATEWAYS] = [clock::<0>, clock::<1>];
