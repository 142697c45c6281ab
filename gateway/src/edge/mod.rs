//! The edge: connections in, bounded in number and in time, and a clean way out.
mod connection;
mod in_flight;
mod peer;
mod server;

pub use connection::Handler;
pub use in_flight::{InFlight, Place};
pub use peer::{Peer, TrustedProxies, network};
pub use server::{Limits, Listener, bind};
