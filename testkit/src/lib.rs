//! Shared parts of the tests of all crates: real servers, campaign files, an HTTP client, random
//! numbers from a seed, and ways to run programs and to wait.
//!
//! A fault here is a fault of a test, so functions panic and say why. It depends on no other crate
//! of this workspace: their unit tests use it, and would get a second build of themselves.
pub mod campaign;
mod cluster;
mod command;
mod folder;
pub mod http;
mod program;
pub mod random;
pub mod servers;
mod wait;

pub use self::cluster::{ClusterSetup, LocalCluster};
pub use self::command::{Ran, run, run_as_it_is, run_within};
pub use self::folder::{Folder, text_of};
pub use self::program::Program;
pub use self::wait::eventually;
