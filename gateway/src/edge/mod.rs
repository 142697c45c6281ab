//! The edge: connections in, bounded in number and in time, and a clean way out.
mod connection;
mod give_way;
mod in_flight;
mod metrics;
mod peer;
mod runtime;
mod server;
mod state;
mod table;
mod tls;
mod turn;

pub use connection::Handler;
pub use in_flight::{InFlight, Place};
pub use metrics::ConnectionMetrics;
pub use peer::{Peer, TrustedProxies, network};
pub use runtime::{InRuntime, on_own_thread};
pub use server::{Drained, Limits, Listener, Stop, bind};
pub use state::Timeouts;
pub use table::Bounds;
pub use tls::{Tls, TlsFiles, certificates};
pub use turn::ask_again;

/// What the answers to requests need to know of the edge before them.
#[derive(Debug, Clone)]
pub struct EdgeView {
    /// Believed where they say whose request they pass on.
    pub proxies: TrustedProxies,
    /// Says when the server drains.
    pub stop: Stop,
}
