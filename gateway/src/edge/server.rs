//! Accepts connections and serves HTTP/1.1 on them until it is stopped.
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::connection;
use super::handler::Handler;
use super::metrics::{CloseReason, ConnectionMetrics};
use super::peer::Peer;
use super::state::ConnectionTimeouts;
use super::table::{ConnectionBounds, ConnectionEntry, ConnectionTable, ListenerPhase, NoPlace};
use super::tls::Tls;
use crate::trace::LogSample;

/// Connections that the system queues until we accept them.
const BACKLOG: u32 = 4096;

/// After an accept that failed (out of file descriptors, say) the next one waits this long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The bounds of a listener.
#[derive(Debug, Clone)]
pub struct ListenerBounds {
    /// On the number of connections.
    pub bounds: ConnectionBounds,
    /// On their time.
    pub timeouts: ConnectionTimeouts,
    /// For requests under way to be answered once the listener drains.
    pub drain: Duration,
}

/// A listening socket with its bounds.
#[derive(Debug)]
pub struct Listener {
    /// Of no runtime yet: it belongs to that in which it is served.
    socket: std::net::TcpListener,
    table: Arc<ConnectionTable>,
    timeouts: ConnectionTimeouts,
    drain: Duration,
    tls: Option<Arc<Tls>>,
}

/// Stops a listener.
#[derive(Debug, Clone)]
pub struct ListenerStop(Arc<ConnectionTable>);

/// How a listener ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct DrainedListener {
    /// Requests that were under way and were not answered before the deadline.
    pub requests_cut: usize,
}

/// Listens on `address`; in TLS where there is a certificate.
pub async fn bind(
    address: SocketAddr,
    limits: ListenerBounds,
    metrics: ConnectionMetrics,
    tls: Option<Arc<Tls>>,
) -> std::io::Result<Listener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // A restarted server need not wait for its predecessor's connections to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    let socket = socket.listen(BACKLOG)?.into_std()?;
    let ListenerBounds {
        bounds,
        timeouts,
        drain,
    } = limits;
    Ok(Listener {
        socket,
        table: Arc::new(ConnectionTable::new(bounds, metrics)),
        timeouts,
        drain,
        tls,
    })
}

impl ListenerStop {
    /// From now on each answer says that the connection is closed after it.
    pub fn close_after_answers(&self) {
        self.0.enter_phase(ListenerPhase::Closing);
    }

    /// Takes no more connections, closes those without a request, and lets requests under way
    /// finish.
    pub fn drain(&self) {
        self.0.enter_phase(ListenerPhase::Draining);
    }

    /// Waits for that.
    pub async fn draining(&self) {
        self.0.reached(ListenerPhase::Draining).await;
    }
}

impl Listener {
    /// The address that it listens on.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// What stops it.
    pub fn stop(&self) -> ListenerStop {
        ListenerStop(self.table.clone())
    }

    /// Serves until it has drained.
    pub async fn serve<H: Handler>(self, handler: Arc<H>) -> std::io::Result<DrainedListener> {
        let Self {
            socket,
            table,
            timeouts,
            drain,
            tls,
        } = self;
        let socket = TcpListener::from_std(socket)?;
        let mut open = Connections {
            table,
            timeouts,
            tls,
            handler,
            tasks: JoinSet::new(),
            begun: Instant::now(),
            full: LogSample::new(1),
        };
        let table = open.table.clone();
        let mut drained = std::pin::pin!(table.reached(ListenerPhase::Draining));
        loop {
            tokio::select! {
                accepted = socket.accept() => match accepted {
                    Ok((stream, address)) => tokio::select! {
                        () = open.take(stream, address) => {}
                        () = drained.as_mut() => break,
                    },
                    Err(error) => {
                        tracing::warn!(%error, "a connection was not accepted");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = open.tasks.join_next() => {}
                () = drained.as_mut() => break,
            }
        }
        open.take_waiting(&socket.into_std()?);
        Ok(open.drain(drain).await)
    }
}

/// A listener's open connections.
struct Connections<H> {
    table: Arc<ConnectionTable>,
    timeouts: ConnectionTimeouts,
    tls: Option<Arc<Tls>>,
    handler: Arc<H>,
    tasks: JoinSet<()>,
    begun: Instant,
    /// Lines about connections for which there is no place.
    full: LogSample,
}

impl<H: Handler> Connections<H> {
    /// Serves a connection, once there is a place for it.
    async fn take(&mut self, stream: TcpStream, address: SocketAddr) {
        let peer = Peer(address.ip());
        loop {
            match self.table.enter(peer, Instant::now()) {
                Ok(entry) => return self.spawn(stream, peer, entry),
                Err(NoPlace::Address) => return self.refuse(),
                Err(NoPlace::Full) => self.table.place_left().await,
            }
        }
    }

    /// Closes a connection whose address is at its bound. It gets no answer, which would be one
    /// more thing to wait for.
    fn refuse(&mut self) {
        self.table.count_closed(CloseReason::AddressFull);
        if let Some(hidden) = self.full.admit(self.begun.elapsed().as_secs()) {
            // Addresses are in no line.
            tracing::warn!(
                hidden,
                "connections are closed at once: their address has http.connections_per_address_max with a request \
                 under way; a proxy belongs into http.trusted_proxies"
            );
        }
    }

    /// Serves connections that the system has accepted already, of which some have sent a request.
    /// Later ones are refused by the system.
    fn take_waiting(&mut self, socket: &std::net::TcpListener) {
        for _ in 0..BACKLOG {
            let Ok((stream, address)) = socket.accept() else {
                break;
            };
            let peer = Peer(address.ip());
            let Ok(entry) = self.table.enter(peer, Instant::now()) else {
                continue;
            };
            let Ok(stream) = stream
                .set_nonblocking(true)
                .and_then(|()| TcpStream::from_std(stream))
            else {
                continue;
            };
            self.spawn(stream, peer, entry);
        }
    }

    fn spawn(&mut self, stream: TcpStream, peer: Peer, entry: ConnectionEntry) {
        // An answer is one small packet: it must not wait for another.
        let _ = stream.set_nodelay(true);
        let tls = self.tls.as_ref().map(|tls| tls.acceptor());
        self.tasks.spawn(connection::serve(
            stream,
            tls,
            peer,
            self.handler.clone(),
            entry,
            self.timeouts,
        ));
    }

    async fn drain(mut self, drain: Duration) -> DrainedListener {
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(drain, ended).await.is_ok() {
            return DrainedListener { requests_cut: 0 };
        }
        let requests_cut = self.table.answering();
        self.tasks.shutdown().await;
        DrainedListener { requests_cut }
    }
}

#[cfg(test)]
mod tests {
    use hyper::body::Incoming;
    use hyper::{Request, Response};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::Notify;

    use super::super::body::AnswerBody;
    use super::super::handler::HttpResponse;
    use super::super::peer::TrustedProxies;
    use super::*;

    const IDLE_MAX: Duration = Duration::from_millis(10);

    /// Sends a chunk, and another one when it is notified.
    #[derive(Default)]
    struct TwoChunks(Arc<Notify>);

    impl Handler for TwoChunks {
        async fn handle(&self, _: Peer, _: Request<Incoming>) -> HttpResponse {
            let (sender, body) = AnswerBody::stream();
            let go_on = self.0.clone();
            tokio::spawn(async move {
                sender.send("first".into()).await.expect("it is read");
                go_on.notified().await;
                sender.send("second".into()).await.expect("it is read");
            });
            Response::new(body)
        }
    }

    fn bounds() -> ListenerBounds {
        let long = Duration::from_mins(1);
        ListenerBounds {
            bounds: ConnectionBounds {
                connections_max: 2,
                connections_per_address_max: 2,
                exempt: TrustedProxies::default(),
            },
            timeouts: ConnectionTimeouts {
                // The connection's timer is looked at when it rings: first after this time.
                first_header: Duration::from_secs(5),
                header: IDLE_MAX,
                write: long,
                linger: Duration::ZERO,
            },
            drain: long,
        }
    }

    #[tokio::test]
    async fn an_answer_that_streams_keeps_its_connection_until_it_ends() {
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let metrics = ConnectionMetrics::unregistered();
        let listener = bind(address, bounds(), metrics, None)
            .await
            .expect("a port");
        let (address, stop) = (listener.address().expect("its address"), listener.stop());
        let handler = Arc::new(TwoChunks::default());
        let served = tokio::spawn(listener.serve(handler.clone()));
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let request = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        stream.write_all(request).await.expect("written");
        let mut read = Vec::new();
        while !read.ends_with(b"first\r\n") {
            assert_ne!(stream.read_buf(&mut read).await.expect("bytes"), 0);
        }
        // Longer than a connection may be idle.
        sleep(4 * IDLE_MAX).await;
        handler.0.notify_one();
        // Then it is idle, and the server closes it.
        stream.read_to_end(&mut read).await.expect("bytes");
        assert!(read.ends_with(b"second\r\n0\r\n\r\n"));
        stop.drain();
        let drained = served.await.expect("no panic").expect("no error");
        assert_eq!(drained.requests_cut, 0);
    }
}
