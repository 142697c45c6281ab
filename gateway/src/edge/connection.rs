//! One connection: its requests one after another, until its client is done, is silent for too
//! long, takes none of an answer, or has to give way.
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Instant;

use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;

use super::handler::{Handler, HttpResponse};
use super::metrics::CloseReason;
use super::peer::Peer;
use super::state::{ConnectionActivity, ConnectionTimeouts};
use super::table::{ConnectionEntry, ListenerPhase};
use super::turn;

/// A connection's read buffer, and so the largest request head.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// What a connection's requests share. (One count of references for each connection: one for all
/// would be passed between the processors with every request.)
struct Shared<H> {
    handler: Arc<H>,
    peer: Peer,
    entry: ConnectionEntry,
}

/// Serves a connection to its end.
pub async fn serve<H: Handler>(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    peer: Peer,
    handler: Arc<H>,
    entry: ConnectionEntry,
    timeouts: ConnectionTimeouts,
) {
    let shared = Arc::new(Shared {
        handler,
        peer,
        entry,
    });
    match tls {
        None => shared.converse(stream, timeouts).await,
        // Boxed: connections without TLS are many, and need no room for it.
        Some(tls) => Box::pin(shared.converse_in_tls(tls, stream, timeouts)).await,
    }
}

impl<H: Handler> Shared<H> {
    async fn converse_in_tls(
        self: Arc<Self>,
        tls: TlsAcceptor,
        stream: TcpStream,
        timeouts: ConnectionTimeouts,
    ) {
        match self.while_it_may(pin!(tls.accept(stream)), &timeouts).await {
            Some(Ok(stream)) => self.converse(stream, timeouts).await,
            Some(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
            None => {}
        }
    }

    /// Speaks HTTP.
    async fn converse(
        self: Arc<Self>,
        stream: impl AsyncRead + AsyncWrite + Send,
        timeouts: ConnectionTimeouts,
    ) {
        let of_requests = self.clone();
        let service = service_fn(move |request| {
            let shared = of_requests.clone();
            async move { Ok::<_, Infallible>(shared.answer(request).await) }
        });
        let connection = http1::Builder::new()
            .max_buf_size(HEAD_BYTES_MAX)
            // An answer is small: copied together, head and body are one cheaper system call.
            .writev(false)
            // A client that has sent its last request still waits for the answer.
            .half_close(true)
            .serve_connection(TokioIo::new(impatient(stream, timeouts)), service);
        // Errors here are the client's: gone, or not speaking HTTP.
        if let Some(Err(error)) = self.while_it_may(pin!(connection), &timeouts).await {
            tracing::debug!(%error, "a connection ended early");
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> HttpResponse {
        let answering = self.entry.state().answers();
        let mut response = self.handler.handle(self.peer, request).await;
        // A stream goes on after its head: the connection is not idle before it ends.
        drop(answering);
        let streams = || self.entry.shared_state().streams();
        response.body_mut().keep_while_streaming(streams);
        // From the moment that a stop begins: the client sends its next request elsewhere, and
        // meets no broken connection at the end.
        if self.entry.table().phase() != ListenerPhase::Serving {
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// Does the connection's work until its time is over or it has to give way: then there is no
    /// output. Never while a request is being answered.
    async fn while_it_may<W: Future>(
        &self,
        mut work: Pin<&mut W>,
        timeouts: &ConnectionTimeouts,
    ) -> Option<W::Output> {
        let (state, table) = (self.entry.state(), self.entry.table());
        let mut timer = pin!(sleep(timeouts.first_header));
        let mut changed = pin!(state.changed());
        let mut draining = None;
        loop {
            let now = Instant::now();
            if draining.is_none() && table.phase() == ListenerPhase::Draining {
                draining = Some(state.age(now));
            }
            if state.takes_give_way() {
                if state.activity() != ConnectionActivity::Answering {
                    table.count_closed(CloseReason::GaveWay);
                    return None;
                }
                self.entry.stays();
            }
            let Some(left) = state.left(timeouts, now, draining) else {
                if draining.is_none() {
                    table.count_closed(CloseReason::Silent);
                }
                return None;
            };
            timer.as_mut().reset(tokio::time::Instant::now() + left);
            tokio::select! {
                biased;
                output = poll_fn(|context| turn::poll(work.as_mut(), context)) => return Some(output),
                () = timer.as_mut() => {}
                () = changed.as_mut() => changed.set(state.changed()),
            }
        }
    }
}

/// The stream, broken off when its other end takes nothing of what waits to be written for a while:
/// a client that never reads its answers must not keep the connection open.
fn impatient<S: AsyncRead + AsyncWrite>(
    stream: S,
    timeouts: ConnectionTimeouts,
) -> Pin<Box<TimeoutStream<S>>> {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(timeouts.write));
    Box::pin(stream)
}
