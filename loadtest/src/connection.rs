//! One keep-alive connection that has at most one request in flight.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::response::{Frame, Malformed, parse};

/// A request without an answer by then counts as an error.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Room for an answer with all its headers, so that one read takes it whole.
const INPUT_BYTES: usize = 4 * 1024;

/// No answer that we ask for is near this; a larger one is not read to its end.
const INPUT_BYTES_MAX: usize = 1024 * 1024;

/// Why a request has no answer.
#[derive(Debug, Error)]
pub(crate) enum ExchangeError {
    /// No connection could be made.
    #[error("connect: {0}")]
    Connect(io::Error),
    /// The connection broke.
    #[error("connection: {0}")]
    Io(#[from] io::Error),
    /// There was no answer in time.
    #[error("no answer in {} s", REQUEST_TIMEOUT.as_secs())]
    Timeout,
    /// There was an answer, but not one of HTTP as we know it.
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

/// An answer, as it lies in the connection's buffer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

/// A connection that opens itself when it is used and not open.
#[derive(Debug)]
pub(crate) struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
    input: Vec<u8>,
    /// One timer for the connection's whole life. It is moved on only when it fires, not with each
    /// request: that would cost two visits to the timer wheel a request.
    timer: Pin<Box<Sleep>>,
}

impl Connection {
    /// Needs a runtime around it.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            stream: None,
            input: Vec::with_capacity(INPUT_BYTES),
            timer: Box::pin(sleep_until(Instant::now() + REQUEST_TIMEOUT)),
        }
    }

    /// Takes over a stream that is connected already.
    pub(crate) fn from_std(stream: std::net::TcpStream) -> io::Result<Self> {
        let address = stream.peer_addr()?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut connection = Self::new(address);
        connection.stream = Some(TcpStream::from_std(stream)?);
        Ok(connection)
    }

    /// Sends one request and waits for its answer. After an error the next call opens anew.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>, ExchangeError> {
        let frame = {
            let (stream, input) = (&mut self.stream, &mut self.input);
            // Pinned here and not in `within`: a future passed by value is copied whole.
            let work = pin!(async {
                // The stream stays out of its place until the answer is whole: an error or a
                // time-out on the way drops it.
                let mut open = match stream.take() {
                    Some(open) => open,
                    None => connect(self.address).await.map_err(ExchangeError::Connect)?,
                };
                let frame = send_and_receive(&mut open, input, request).await?;
                if !frame.closes {
                    *stream = Some(open);
                }
                Ok(frame)
            });
            within(self.timer.as_mut(), work).await?
        };
        Ok(Answer { status: frame.status, body: &self.input[frame.head_len..frame.head_len + frame.body_len] })
    }
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn send_and_receive(stream: &mut TcpStream, input: &mut Vec<u8>, request: &[u8]) -> Result<Frame, ExchangeError> {
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
    mut work: Pin<&mut impl Future<Output = Result<T, ExchangeError>>>,
) -> Result<T, ExchangeError> {
    let deadline = Instant::now() + REQUEST_TIMEOUT;
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
    async fn an_answer_in_pieces_is_put_together_and_a_broken_connection_reopened() {
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
