//! What the tests share: a folder to work in, the program, an HTTP client, campaign files, a
//! cluster.
mod call;
pub mod campaign;
pub mod cluster;
mod database;
mod http;
mod place;
mod proxy;
mod server;
pub mod token;
mod wait;

pub use call::Call;
pub use cluster::Cluster;
pub use database::{lock, open, plant};
pub use http::{Connection, Envelope, Request, Response, ask_all};
pub use place::{Place, Ran, run, run_as_it_is, text_of};
pub use proxy::{Proxy, Way};
pub use server::Server;
pub use wait::{FOLLOWED, away_from_midnight, eventually};
