//! The embedded default: a folder of SQLite files and stock in memory, no servers needed.
//!
//! One process at a time holds the folder (a locked file); commands open the files beside it.
//! Shards and tables are fixed at the first start.
mod folder;
mod lay_out;
mod options;
mod serve;
mod start_error;
mod stock;
#[cfg(test)]
mod tests;

pub use self::folder::{Folder, FolderError, Held};
pub use self::options::EmbeddedOptions;
pub use self::start_error::StartError;
pub(crate) use self::stock::issued_in;
pub(super) use self::stock::withdraw_at_rest;
