//! The simulation: the real lanes, stock and jobs of two gateways over databases, stock servers
//! and a network that exist in memory only and fail in every way that one seed thinks of.
//!
//! Time is virtual and one thread runs everything, so a seed decides it all: what users do, how
//! long each request travels, which of them lands late, twice removed from its sender, or never,
//! and who crashes when. A run ends in calm weather; then everything must come to rest with every
//! unit accounted for and every player answered (`checks.rs`).
//!
//! * `world.rs` holds what there is, `wire.rs` how requests travel in it, `scenario.rs` what a
//!   seed may choose.
//! * `tables.rs`, `transaction.rs`: a shard's database; `store.rs` and `ledger.rs` are what lanes
//!   and jobs see of it. `process.rs` is a stock server (`lua/*.lua`, verb by verb), `session.rs`
//!   what gateways see of it; `meta.rs` is the meta database.
//! * `conformance.rs` runs the suites of the real shards and servers over these fakes.
//! * `gateway.rs`, `players.rs`, `disasters.rs`: who acts.
//! * `fault.rs` lists rules of the protocol that a fake can be told to break. Each must be found
//!   out (`tests.rs`), else the simulation would prove nothing.
//!
//! A failing seed is replayed by `SIM_SEED=123 SIM_TRACE=1 cargo test -p shards simulation --
//! --nocapture`.
mod checks;
mod clocks;
mod conformance;
mod dice;
mod disasters;
mod fault;
mod gateway;
mod ledger;
mod log;
mod meta;
mod players;
mod process;
mod scenario;
mod session;
mod store;
mod story;
mod tables;
mod tests;
mod transaction;
mod wire;
mod world;
