//! The rules of the marketing platform: odds, chances, rule chains and trees, campaigns.
//!
//! Everything here is a pure function over plain values: no I/O, no clock, no global random
//! numbers, no knowledge of shards or HTTP. Time and random numbers come in as parameters, so
//! every rule can be replayed from a seed.
//!
//! The way of a draw through this crate:
//!
//! 1. [`batch::Batch::gather`] lists which accounts and earlier orders a batch has to read;
//! 2. [`batch::plan`] decides, command by command, what each wants ([`draw::decide`]);
//! 3. [`batch::settle`] gives out the units that the stock granted ([`draw::Decision::conclude`]).
pub mod batch;
pub mod calendar;
pub mod call;
pub mod campaign;
pub mod chances;
pub mod document;
pub mod draw;
pub mod ids;
pub mod odds;
pub mod order;
pub mod random;
pub mod recharge;
pub mod refusal;
pub mod switches;
pub mod tree;

pub use ids::{ActivityId, AwardId, OrderId, RequestId, SkuId, StrategyId, UserId};
pub use order::{DrawCount, Order, Orders};
pub use refusal::Refusal;
