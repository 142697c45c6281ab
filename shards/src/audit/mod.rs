//! The audit: looks whether what is stored keeps the invariants that the draws promise.
//!
//! It reads beside a running server, or when none runs, and changes nothing. Table pairs are read
//! in pages of users (`pages`), each in a snapshot of some milliseconds, a few tables at a time; so
//! it needs little memory, keeps nothing from being purged or checkpointed, and refuses no draw.
//! `draws` walks through the pages, user by user, and tells the checks of what it passes; they are
//! one a file in `checks`. `run` does all that in order. `repair` mends the one kind of fault that is safe to mend.
//!
//! What is compared across pages, shards and the meta database has no common instant, so it is read
//! in an order that makes each comparison safe whatever happens in between:
//!
//! * Campaign versions and run numbers are only ever added, and an order names ones that were there
//!   before it. So they are read after the orders (`known`).
//! * A shard's counters of issued units and the orders that took them grow together. So the
//!   counters are read before the orders and after them.
//! * A prize's total is never below what is issued of it at that moment: an addition is recorded
//!   before its units can be drawn, a withdrawal after its units can be drawn no more. Issued
//!   units only grow. So totals are read after the orders, and then even additions and
//!   withdrawals in between cannot make sound stock look oversold.
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
mod paged_tables;
mod pages;
mod progress;
mod repair;
mod report;
mod rows;
mod run;
mod stock;
mod table;
#[cfg(test)]
mod tests;

pub use self::audited::AuditError;
pub use self::progress::Progress;
pub use self::repair::RepairError;
pub use self::report::{Check, LISTED_MAX, Report, Verdict};
