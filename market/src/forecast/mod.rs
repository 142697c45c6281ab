//! What a campaign may cost, which prizes run out and who reaches a guarantee: simulated.
//!
//! A [`Forecast`] simulates runs of a campaign. In each run all users of a [`Turnout`] draw, and
//! each of their draws is decided and concluded by the functions that lanes use
//! ([`decide`](crate::draw::decide) and [`conclude`](crate::draw::Decision::conclude)). So a rule
//! has one definition. Time, accounts, stock and random numbers are the simulation's own:
//!
//! - **Order.** A run has as many rounds as a user has draws. In each round each user draws once,
//!   in an order that is mixed again for each round. All draws are evenly distributed over the
//!   days.
//! - **Days.** The first day is the local day on which the activity begins. All draws of a day are
//!   made at one moment of it, in the middle of the part on which the activity is open.
//! - **Users.** They start with the chances of the campaign, and are given or buy no others. The
//!   users of the blacklist are among them.
//! - **Stock.** It is that of the file, and always available.
//! - **State.** The activity counts as open, since forecasts are made before it is.
//!
//! A run depends on the seed and its number only, so runs may be made in any order and on any
//! number of threads. A [`Tally`] sums them up, whose [`Summary`] is then the same.
//!
//! [`Turnout`]: crate::campaign::Turnout
mod figures;
mod moments;
mod run;
mod setting;
mod summary;
mod tally;

pub use figures::{AwardCounts, GuaranteeCounts, RunFigures};
pub use run::Buffers;
pub use setting::{Forecast, Lock};
pub use summary::{
    AwardSummary, GuaranteeSummary, LockSummary, RefusalSummary, RunsOut, Spread, Summary,
};
pub use tally::{FinishedRun, Tally};

#[cfg(test)]
mod tests;
