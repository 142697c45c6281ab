//! The audit: checks that what is stored keeps the invariants that draws promise.
//!
//! It reads while servers run or while none does, and changes nothing. Table pairs are read in
//! pages of users (`pages`), each in a snapshot of some milliseconds, a few tables at a time. So it
//! needs little memory, does not delay purges and checkpoints, and refuses no draw. `draws` walks
//! through the pages user by user and hands each row to the checks. `checks` lists the checks,
//! which are one a file. `run` does all that in order. `repair` repairs the one kind of fault that
//! is safe to repair.
//!
//! Pages, shards and the meta database are read at different moments. The order of the reads makes
//! each comparison safe, whatever happens in between:
//!
//! * Campaign versions and run numbers are only ever added, and an order names ones that existed
//!   before it. So they are read after the orders (`known`).
//! * A shard's counters of issued units and the orders that took them grow together. So the
//!   counters are read before the orders and after them (`sums`).
//! * An item's total is never below what is issued of it at that moment. An addition is recorded
//!   before its units can be drawn, a withdrawal after its units can no longer be drawn. Issued
//!   units only grow. So totals are read after the orders: then even additions and withdrawals in
//!   between cannot make sound stock look oversold.
//! * What is left in a running stock is compared within the bounds that the counters before and
//!   after it leave (`checks::stock_adds_up`).
mod audited;
mod campaigns;
mod checks;
mod clock;
mod counts;
mod draws;
mod history;
mod known;
mod made;
mod offers;
mod paged_tables;
mod pages;
mod progress;
mod repair;
mod repair_outcome;
mod repair_sign_ins;
mod report;
mod rows;
mod run;
mod sign_ins;
mod stock;
mod sums;
mod table;
#[cfg(test)]
mod tests;

pub use self::audited::AuditError;
pub use self::progress::AuditProgress;
pub use self::repair::RepairError;
pub use self::report::{AuditReport, AuditVerdict, CheckReport, LISTED_MAX};
