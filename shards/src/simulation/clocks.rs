//! The clocks of the gateways: each a little wrong, and midnight near.
use std::cell::RefCell;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::dice::Dice;
use super::scenario::GATEWAYS;

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
    let ahead_ms = [(); GATEWAYS].map(|()| i64::try_from(dice.below(6_000)).expect("small") - 3_000);
    CLOCKS.set(Some(Clocks { began: Instant::now(), at: midnight - before, ahead_ms }));
}

/// Sets one gateway's clock ahead or back.
pub(super) fn step_clock(place: usize, ahead_ms: i64) {
    CLOCKS.with_borrow_mut(|clocks| clocks.as_mut().expect("a run is on").ahead_ms[place] = ahead_ms);
}

/// What a gateway's clock shows.
fn clock<const PLACE: usize>() -> Timestamp {
    CLOCKS.with_borrow(|clocks| {
        let clocks = clocks.as_ref().expect("a run is on");
        let gone_by = SignedDuration::try_from(clocks.began.elapsed()).expect("a short run");
        clocks.at + gone_by + SignedDuration::from_millis(clocks.ahead_ms[PLACE])
    })
}

/// The clock of each gateway.
pub(super) const CLOCK_OF: [fn() -> Timestamp; GATEWAYS] = [clock::<0>, clock::<1>];
