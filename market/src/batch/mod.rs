//! A batch of commands as one pure computation: gather, plan, settle.
//!
//! A lane gathers the commands that wait and reads what [`Needs`] lists ([`Known`]). It plans,
//! takes the wanted units from the stock and settles. Then it writes the rows of the
//! [`Settlement`] in one transaction. Commands count in arrival order; users who appear twice see
//! their own earlier commands.
//!
//! These rules hold for all kinds of commands, so they stand here and no kind repeats them:
//!
//! * An earlier call under the same key comes before every rule: a repeat gets its answer, another
//!   call is refused. A refused call does not hold its key.
//! * All or nothing: what a refused command has changed is undone.
//! * Random numbers belong to a command and are kept with it: trying again, or with fewer
//!   neighbours, draws what was drawn before.
//!
//! * `context.rs`: what a kind of command plans and settles with
//! * `rows.rs`: the rows that a batch reads, changes and appends
//! * `gather.rs`, `plan.rs`, `settle.rs`: the steps
pub mod context;
mod gather;
mod plan;
pub mod rows;
mod settle;
#[cfg(test)]
mod tests;

pub use self::context::Circumstances;
pub use self::gather::{Batch, Known, Needs};
pub use self::plan::{Plan, plan};
pub use self::rows::{AccountKey, Rows, Slots};
pub use self::settle::{CommandAnswer, Settlement, settle};
pub use crate::units::{Prize, Supply, Units};
