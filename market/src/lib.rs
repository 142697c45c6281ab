//! The rules of the marketing platform: odds, chances, rule chains and trees, campaigns.
//!
//! Everything here is a pure function over plain values: no I/O, no clock, no global random
//! numbers, no knowledge of shards or HTTP. Time and random numbers come in as parameters, so
//! every rule can be replayed from a seed.
//!
//! The way of a command through this crate:
//!
//! 1. [`batch::Batch::gather`] lists which accounts and earlier calls a batch has to read;
//! 2. [`batch::plan`] decides, command by command, by the rules of its kind ([`command`]);
//! 3. [`batch::settle`] gives out the units that the stock granted, and lists the rows to write.
pub mod batch;
pub mod calendar;
pub mod call;
pub mod campaign;
pub mod chances;
pub mod command;
pub mod forecast;
pub mod ids;
pub mod odds;
pub mod points;
pub mod random;
pub mod refusal;
pub mod sign_ins;
pub mod switches;
pub mod tree;
pub mod units;

pub use batch::RowCount;
pub use call::{Call, MadeCall};
pub use command::draw::{DrawCount, Order, Orders};
pub use command::recharge::{RechargeOrder, Recharges};
pub use command::{Ask, Command, Kind, Made, TypedAsk, adjust, draw, exchange, grant};
pub use command::{recharge, reward, rewarding, sign_in};
pub use ids::{
    ActivityId, AwardId, Behaviour, BusinessNumber, OrderId, RequestId, SkuId, StrategyId, UserId,
};
pub use points::Points;
pub use refusal::Refusal;
