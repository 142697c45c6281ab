//! Identity: who calls, and how the server knows. `docs/identity.md` is its page for operators.
pub mod apps;
mod caller;
mod config;
mod crypto;
mod jwt;
mod keys;
mod options;
mod trusted_header;
mod who;

pub use caller::Caller;
pub use config::{ListensAt, read};
pub use options::IdentityOptions;
pub use who::Identity;
