//! One connection: its requests one after another, until its client is done, is silent for too long,
//! or takes none of an answer.
use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_io_timeout::TimeoutStream;

use super::{Limits, Peer};
use crate::api::answer::HttpResponse;

/// A connection's read buffer, and so the largest request head.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// What answers the requests of a listener.
pub trait Handler: Send + Sync + 'static {
    /// Answers a request that came over a connection from `peer`.
    fn handle(&self, peer: Peer, request: Request<Incoming>) -> impl Future<Output = HttpResponse> + Send;
}

/// What a connection's requests share. (One count of references for each connection: one for all
/// would be passed between the processors with every request.)
struct Shared<H> {
    handler: Arc<H>,
    silence: Silence,
}

/// Serves a connection to its end, or to the end of its request under way once `graceful` shuts down.
pub fn serve<H: Handler>(
    stream: TcpStream,
    peer: Peer,
    handler: Arc<H>,
    limits: Limits,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + use<H> {
    let shared = Arc::new(Shared { handler, silence: Silence::new(Instant::now()) });
    let of_requests = shared.clone();
    let service = service_fn(move |request| {
        let shared = of_requests.clone();
        async move {
            let _answering = shared.silence.interrupted();
            Ok::<_, Infallible>(shared.handler.handle(peer, request).await)
        }
    });
    let connection = http1::Builder::new()
        .max_buf_size(HEAD_BYTES_MAX)
        // An answer is small: copied together, head and body are one cheaper system call.
        .writev(false)
        // A client that has sent its last request still waits for the answer.
        .half_close(true)
        .serve_connection(TokioIo::new(impatient(stream, limits.write_timeout)), service);
    let connection = graceful.watch(connection);
    async move {
        let mut connection = pin!(connection);
        let mut timer = pin!(sleep(limits.header_timeout));
        loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => {
                    // Errors here are the client's: gone, or not speaking HTTP.
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection ended early");
                    }
                    return;
                }
                () = timer.as_mut() => match shared.silence.left(limits.header_timeout, Instant::now()) {
                    Some(left) => timer.as_mut().reset(tokio::time::Instant::now() + left),
                    None => return tracing::debug!("a connection was silent for too long"),
                },
            }
        }
    }
}

/// The stream, broken off when its other end takes nothing of what waits to be written for that
/// long: who never reads the answers must not keep the connection for ever.
fn impatient(stream: TcpStream, write_timeout: Duration) -> Pin<Box<TimeoutStream<TcpStream>>> {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(write_timeout));
    Box::pin(stream)
}

/// How long a connection has waited for the head of a request. With it the connection's timer is set
/// once per time-out; hyper's own is made and dropped with each request, which is dear.
struct Silence {
    accepted: Instant,
    /// Nanoseconds from then to the last answer; `ANSWERING` while there is a request.
    since_ns: AtomicU64,
}

const ANSWERING: u64 = u64::MAX;

impl Silence {
    fn new(accepted: Instant) -> Self {
        Self { accepted, since_ns: AtomicU64::new(0) }
    }

    /// There is none while a request is being answered.
    fn interrupted(&self) -> Answering<'_> {
        self.since_ns.store(ANSWERING, Ordering::Relaxed);
        Answering(self)
    }

    /// How much of `timeout` is left, at least; `None` when it is over.
    fn left(&self, timeout: Duration, now: Instant) -> Option<Duration> {
        match self.since_ns.load(Ordering::Relaxed) {
            ANSWERING => Some(timeout),
            since_ns => {
                let end = self.accepted + Duration::from_nanos(since_ns) + timeout;
                Some(end.saturating_duration_since(now)).filter(|left| !left.is_zero())
            }
        }
    }

    fn begins(&self, now: Instant) {
        let since = now.saturating_duration_since(self.accepted);
        self.since_ns.store(u64::try_from(since.as_nanos()).unwrap_or(ANSWERING - 1), Ordering::Relaxed);
    }
}

/// A request that is being answered; dropped, however it ends, the silence begins.
struct Answering<'a>(&'a Silence);

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        self.0.begins(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(30);

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn silence_ends_its_time_out_after_the_last_answer() {
        let start = Instant::now();
        let silence = Silence::new(start);
        assert_eq!(silence.left(TIMEOUT, after(start, 12)), Some(Duration::from_secs(18)));
        assert_eq!(silence.left(TIMEOUT, after(start, 30)), None);
        silence.begins(after(start, 29));
        assert_eq!(silence.left(TIMEOUT, after(start, 30)), Some(Duration::from_secs(29)));
        assert_eq!(silence.left(TIMEOUT, after(start, 59)), None);
        // A clock that is read in another order.
        assert_eq!(silence.left(TIMEOUT, after(start, 28)), Some(Duration::from_secs(31)));
    }

    #[test]
    fn a_request_under_way_is_no_silence_however_long_it_takes() {
        let start = Instant::now();
        let silence = Silence::new(start);
        let answering = silence.interrupted();
        assert_eq!(silence.left(TIMEOUT, after(start, 1_000_000)), Some(TIMEOUT));
        drop(answering);
        let left = silence.left(TIMEOUT, Instant::now()).expect("it has just begun");
        assert!(left > TIMEOUT / 2, "{left:?}");
        assert_eq!(silence.left(TIMEOUT, after(Instant::now(), 30)), None);
    }
}
