//! What was made, over all shards: draws, recharge orders, and entries of the ledgers of points. For
//! operators, for finance, and for those who deliver prizes.
//!
//! Each table is walked through by the key of its calls (`walk`): a page of calls, then what they
//! made, by its ids. Entries are walked through by their own key. Rows are never changed, and a call is written with all that it made. So pages
//! need no common snapshot: no page shows half of a call, and what is made behind the walk is left
//! out. No read holds a snapshot for longer than a statement, sorts anything, or is longer than a
//! page, whatever the tables hold. `stream` goes through several tables at a time, on connections
//! of its own. `versions` knows the campaign versions that the orders name.
mod filter;
mod stream;
#[cfg(test)]
mod tests;
pub(crate) mod versions;
pub(crate) mod walk;

pub use self::filter::{Effort, ResultKind, ResultsFilter};
pub(crate) use self::stream::walks;
pub use self::stream::{Results, ResultsError, ResultsPage};
