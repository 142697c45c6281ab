//! What the tests share: a folder to work in, the program, an HTTP client, campaign files, a
//! cluster.
mod call;
pub mod cluster;
mod database;
mod place;
mod server;
pub mod shop;
pub mod token;
mod wait;

pub use call::Call;
pub use cluster::Cluster;
pub use database::{lock, open, plant};
pub use place::Place;
pub use server::Server;
pub use testkit::http::{Connection, Envelope, Request, Response, ask_all};
pub use testkit::servers::{Proxy, ProxyWay};
pub use testkit::{Ran, campaign, eventually, run, run_as_it_is, text_of};
pub use wait::{FOLLOWED, away_from_midnight};
