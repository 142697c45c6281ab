//! A batch of commands as one pure computation: gather, plan, settle.
//!
//! A lane gathers the commands that wait and reads what [`Needs`] lists ([`Known`]). It plans,
//! takes the wanted units from the stock and settles. Then it writes the rows of the
//! [`Settlement`] in one transaction. Commands count in arrival order: a user's later command finds
//! the rows as the earlier one left them. Purchases, sign-ins and rewards change their rows when
//! they are settled: what they give and take, later commands find that are settled as well, and
//! those that were planned before do not. All commands of a batch were sent before any of them was
//! answered, so this is an order that their callers may see.
//!
//! These rules hold for all kinds of commands, so they stand here and no kind repeats them:
//!
//! * An earlier call under the same key comes before every rule: a repeat gets its answer, another
//!   call is refused. A refused call does not hold its key. Where one is refused only when it is
//!   settled, another call under its key that came beside it is decided in a batch of its own
//!   ([`Settlement::undecided`]).
//! * All or nothing: what a refused command has changed is undone.
//! * Random numbers belong to a command and are kept with it: another try, or one with fewer
//!   commands beside it, draws what was drawn before.
//!
//! * `context.rs`: what a kind of command plans and settles with
//! * `needs.rs`: which rows that takes
//! * `slots.rs`, `rows.rs`: the rows that a batch reads and changes, and those that it appends;
//!   `command_rows.rs`: those of one command
//! * `gather.rs`, `plan.rs`, `settle.rs`: the steps
mod command_rows;
pub mod context;
mod gather;
pub(crate) mod needs;
mod plan;
mod rows;
mod settle;
mod slots;
#[cfg(test)]
mod tests;

pub use self::context::Circumstances;
pub use self::gather::{Batch, Known};
pub use self::needs::{NeededRows, Needs, RowCount};
pub use self::plan::{Plan, plan};
pub use self::rows::Rows;
pub use self::settle::{CommandAnswer, Settlement, settle};
pub use self::slots::{AccountKey, Slots, UserAwardKey};
pub use crate::units::{Good, StockItem, Supply, Units};
