//! The edge: connections in, bounded in number and in time, and a clean way out.
mod body;
mod connection;
mod give_way;
mod group;
mod handler;
mod in_flight;
mod metrics;
mod peer;
mod runtime;
mod server;
mod state;
mod table;
mod tls;
mod turn;

pub use body::{AnswerBody, ChunkSender};
pub use handler::{Handler, HttpResponse};
pub use in_flight::{InFlight, InFlightRequest};
pub use metrics::ConnectionMetrics;
pub use peer::{Peer, TrustedProxies, network};
pub use runtime::{InRuntime, on_own_thread};
pub use server::{DrainedListener, Listener, ListenerBounds, ListenerStop, bind};
pub use state::ConnectionTimeouts;
pub use table::ConnectionBounds;
pub use tls::{Tls, TlsFiles, certificates};
pub use turn::ask_again;
