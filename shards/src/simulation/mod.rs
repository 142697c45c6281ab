//! The simulation: the real lanes, stock and jobs of two gateways. Databases, stock servers and the
//! network exist in memory only, and fail in every way that a seed chooses.
//!
//! Time is virtual and one thread runs everything, so a seed decides it all: what users do, how
//! long each request travels, which of them lands late or never, and what crashes when. A run ends
//! in calm weather. Then everything must come to rest with every unit accounted for and every
//! player answered (`checks/`).
//!
//! * `world.rs` holds what there is, `wire.rs` how requests travel in it, `scenario.rs` what a
//!   seed may choose. `run.rs` is one run.
//! * `tables.rs`, `rows.rs`, `locks.rs`, `transaction.rs`: a shard's database. `store.rs` is what
//!   lanes have of it, `ledger.rs` what jobs have. The rows that commands make are kept as columns,
//!   whatever their table: a new table needs nothing here.
//! * `process.rs` is a stock server (`lua/*.lua`, verb by verb), `session.rs` what gateways have of
//!   it. `meta.rs` is the meta database.
//! * `refused_debits.rs`: the units of purchases that are refused when they are settled.
//! * `conformance.rs` runs the suites of the real shards and servers over these fakes.
//! * `gateway.rs`, `players.rs`, `disasters.rs`: who acts.
//! * `fault.rs` lists rules of the protocol that a fake can break. Each must be found out
//!   (`tests.rs`), else the simulation would prove nothing.
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
mod locks;
mod log;
mod meta;
mod players;
mod process;
mod refused_debits;
mod rows;
mod run;
mod scenario;
mod session;
mod store;
mod tables;
mod tests;
mod transaction;
mod wire;
mod world;
