//! Accepts connections and serves HTTP/1.1 on them until told to stop.
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use prometheus::IntGauge;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Peer;
use super::connection::{self, Handler};

/// Connections that the system queues until we accept them.
const BACKLOG: u32 = 4096;

/// After an accept that failed (out of file descriptors, say) the next one waits this long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Bounds of a listener.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Open connections; more wait in the system's queue.
    pub connections_max: usize,
    /// From one request's answer being ready to the end of the next one's head.
    pub header_timeout: Duration,
    /// For a caller to take more of an answer that it has not read yet.
    pub write_timeout: Duration,
    /// For connections to end once we stop.
    pub drain: Duration,
}

/// A listening socket with its bounds.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    limits: Limits,
    connections: Option<IntGauge>,
}

/// Listens on `address`.
pub fn bind(address: SocketAddr, limits: Limits, connections: Option<IntGauge>) -> std::io::Result<Listener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restarted server need not wait for its predecessor's connections to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(Listener { socket: socket.listen(BACKLOG)?, limits, connections })
}

impl Listener {
    /// The address that it listens on.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until `stop` says true; then takes no more connections, lets requests under way
    /// finish, and closes what is left at the deadline.
    pub async fn serve<H: Handler>(self, handler: Arc<H>, mut stop: watch::Receiver<bool>) {
        let Self { socket, limits, connections } = self;
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(limits.connections_max));
        let mut tasks = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = accept(&socket, &places) => accepted,
                Some(_) = tasks.join_next() => continue,
                _ = stop.wait_for(|&stop| stop) => break,
            };
            let Some((stream, peer, place)) = accepted else {
                sleep(ACCEPT_PAUSE).await;
                continue;
            };
            let connection = connection::serve(stream, peer, handler.clone(), limits, &graceful);
            let open = connections.clone().map(Open::new);
            tasks.spawn(async move {
                connection.await;
                drop((place, open));
            });
        }
        drop(socket);
        if timeout(limits.drain, graceful.shutdown()).await.is_err() {
            tracing::warn!("closing connections that did not end before the deadline");
            tasks.shutdown().await;
        }
    }
}

/// The next connection, once there is room for one.
async fn accept(socket: &TcpListener, places: &Arc<Semaphore>) -> Option<(TcpStream, Peer, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    match socket.accept().await {
        Ok((stream, address)) => {
            // An answer is one small packet: it must not wait for another.
            let _ = stream.set_nodelay(true);
            Some((stream, Peer(address.ip()), place))
        }
        Err(error) => {
            tracing::warn!(%error, "a connection was not accepted");
            None
        }
    }
}

/// Counts a connection while it is open.
struct Open(IntGauge);

impl Open {
    fn new(gauge: IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}
