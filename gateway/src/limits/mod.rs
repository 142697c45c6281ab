//! Rate limits: for the whole gateway, for a route, for a client address, for a user; and the
//! cooldown of users who were refused too often.
//!
//! Asked from the widest to the narrowest. A request that a narrower limit refuses gives back
//! what it took from the wider ones, so that a flood from one address does not use up what is
//! there for all. Once its body is read a request has cost something and pays for it: the limit
//! of users, which comes then, gives nothing back. The route of applications' calls is asked when it
//! is known that an application calls: strangers use up none of it.
pub mod address;
pub mod bucket;
mod cells;
pub mod config;
pub mod cooldown;
mod guards;
mod kind;
pub mod metrics;
pub mod overrides;
mod rate_limits;
mod unproven;

pub use rate_limits::RateLimits;
pub use unproven::UnprovenCall;
