//! One keep-alive connection that has at most one request in flight.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::chunks;
use crate::error::Error;
use crate::error::Malformed;
use crate::response::{Frame, parse};

/// A request without a response by then is an error, unless the connection has a timeout of its
/// own.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Room for a response with all its headers, so that one read takes it whole.
const INPUT_BYTES: usize = 4 * 1024;

/// No expected response is near this size. A larger one is not read to its end.
const INPUT_BYTES_MAX: usize = 1024 * 1024;

/// Why a request has no response.
#[derive(Debug, Error)]
pub(crate) enum ExchangeError {
    /// No connection could be made.
    #[error("connect: {0}")]
    Connect(io::Error),
    /// The connection broke.
    #[error("connection: {0}")]
    Io(#[from] io::Error),
    /// There was no response in time.
    #[error("no response in time")]
    Timeout,
    /// There was a response, but not a correct one.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl ExchangeError {
    /// The name that reports count it under.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Io(_) => "io",
            Self::Timeout => "timeout",
            Self::Malformed(_) => "malformed",
        }
    }
}

/// A response, in the connection's buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HttpResponse<'a> {
    pub(crate) status: u16,
    pub(crate) retry_after_s: Option<u32>,
    pub(crate) body: &'a [u8],
}

/// A connection that opens itself when a request needs it.
#[derive(Debug)]
pub(crate) struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
    input: Vec<u8>,
    timeout: Duration,
    /// One timer for the connection's whole life. It is set again only when it fires, because
    /// setting it for each request would cost two visits to the timer wheel.
    timer: Pin<Box<Sleep>>,
}

impl Connection {
    /// Needs a runtime around it.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self::with_timeout(address, REQUEST_TIMEOUT)
    }

    /// A connection with this timeout for each response.
    pub(crate) fn with_timeout(address: SocketAddr, timeout: Duration) -> Self {
        Self {
            address,
            stream: None,
            input: Vec::with_capacity(INPUT_BYTES),
            timeout,
            timer: Box::pin(sleep_until(Instant::now() + timeout)),
        }
    }

    /// Takes over a stream that is connected already.
    pub(crate) fn from_std(stream: std::net::TcpStream) -> io::Result<Self> {
        let mut connection = Self::new(stream.peer_addr()?);
        connection.adopt(stream)?;
        Ok(connection)
    }

    /// Takes over a stream that is connected to the same address.
    pub(crate) fn adopt(&mut self, stream: std::net::TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        self.stream = Some(TcpStream::from_std(stream)?);
        Ok(())
    }

    /// Sends one request and waits for its response. After an error the next call connects again.
    pub(crate) async fn exchange(
        &mut self,
        request: &[u8],
    ) -> Result<HttpResponse<'_>, ExchangeError> {
        let frame = {
            let (stream, input) = (&mut self.stream, &mut self.input);
            // Pinned here and not in `within`: passing a future by value copies it.
            let work = pin!(async {
                // The stream is out of the connection until the response is whole, so an error or a
                // timeout drops it.
                let mut open = match stream.take().filter(is_usable) {
                    Some(open) => open,
                    None => connect(self.address)
                        .await
                        .map_err(ExchangeError::Connect)?,
                };
                let frame = send_and_receive(&mut open, input, request).await?;
                if !frame.closes {
                    *stream = Some(open);
                }
                Ok(frame)
            });
            within(self.timer.as_mut(), self.timeout, work).await?
        };
        let Frame {
            status,
            head_len,
            mut body_len,
            retry_after_s,
            ..
        } = frame;
        if frame.chunked {
            body_len = chunks::join(&mut self.input[head_len..head_len + body_len])?;
        }
        Ok(HttpResponse {
            status,
            retry_after_s,
            body: &self.input[head_len..head_len + body_len],
        })
    }
}

/// Opens connections before the measurement, one after the other. Thousands at once would overflow
/// the server's accept queue, and the kernel tries those again only after a second.
pub(crate) fn connect_all(
    address: SocketAddr,
    connections: u16,
) -> Result<Vec<std::net::TcpStream>, Error> {
    // A shell often allows 1,024 files. If the limit cannot be raised, connecting fails.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
    (0..connections)
        .map(|number| {
            let stream = std::net::TcpStream::connect(address);
            stream.map_err(|e| Error::io(format!("connection {number} to {address}"), e))
        })
        .collect()
}

/// Whether the server has not closed the connection, as it may when it was idle for long. This
/// costs no system call unless something was received.
fn is_usable(stream: &TcpStream) -> bool {
    matches!(stream.try_read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn send_and_receive(
    stream: &mut TcpStream,
    input: &mut Vec<u8>,
    request: &[u8],
) -> Result<Frame, ExchangeError> {
    input.clear();
    stream.write_all(request).await?;
    loop {
        if stream.read_buf(input).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        if let Some(frame) = parse(input)? {
            return Ok(frame);
        }
        if input.len() > INPUT_BYTES_MAX {
            return Err(Malformed("too long").into());
        }
    }
}

async fn within<T>(
    mut timer: Pin<&mut Sleep>,
    timeout: Duration,
    mut work: Pin<&mut impl Future<Output = Result<T, ExchangeError>>>,
) -> Result<T, ExchangeError> {
    let deadline = Instant::now() + timeout;
    loop {
        tokio::select! {
            biased;
            outcome = &mut work => return outcome,
            () = timer.as_mut() => {
                if Instant::now() >= deadline {
                    return Err(ExchangeError::Timeout);
                }
                timer.as_mut().reset(deadline);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    const PIECES: [&[u8]; 3] = [b"HTTP/1.1 200 OK\r\nContent-", b"Length: 2\r\n\r\no", b"k"];

    #[tokio::test]
    async fn a_response_in_pieces_is_put_together_and_a_broken_connection_reopened() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        let server = tokio::spawn(async move {
            let (first, _) = listener.accept().await.expect("accept");
            drop(first);
            let (mut second, _) = listener.accept().await.expect("accept");
            second.set_nodelay(true).expect("nodelay");
            for piece in PIECES {
                second.write_all(piece).await.expect("write");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        let mut connection = Connection::new(address);
        let broken = connection.exchange(b"x").await.expect_err("closed");
        assert_eq!(broken.kind(), "io");
        let answer = connection.exchange(b"x").await.expect("an answer");
        assert_eq!((answer.status, answer.body), (200, &b"ok"[..]));
        server.await.expect("the server's end");
    }

    #[tokio::test]
    async fn a_connection_that_was_closed_while_idle_is_opened_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let address = listener.local_addr().expect("address");
        let server = tokio::spawn(async move {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().await.expect("accept");
                let mut request = [0];
                stream.read_exact(&mut request).await.expect("a request");
                stream.write_all(&PIECES.concat()).await.expect("written");
            }
        });
        let mut connection = Connection::new(address);
        assert_eq!(
            connection.exchange(b"x").await.expect("an answer").body,
            b"ok"
        );
        connection
            .stream
            .as_ref()
            .expect("kept open")
            .readable()
            .await
            .expect("closed by the server");
        assert_eq!(
            connection
                .exchange(b"x")
                .await
                .expect("another answer")
                .body,
            b"ok"
        );
        server.await.expect("the server's end");
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_a_timeout_measured_from_the_request() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let mut connection = Connection::new(listener.local_addr().expect("address"));
        // The timer, set when the connection was made, fires in the middle of this request.
        tokio::time::sleep(Duration::from_secs(7)).await;
        let before = Instant::now();
        let error = connection.exchange(b"x").await.expect_err("silent");
        assert_eq!(error.kind(), "timeout");
        assert!(before.elapsed() >= REQUEST_TIMEOUT);
    }
}
