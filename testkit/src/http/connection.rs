//! Connections of a test to a server: it sends whatever bytes a test wants to send.
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::request::Request;
use super::response::{Response, parse_head};

/// No answer takes this long, however busy the machine is.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// One connection. All waits on it are bounded.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    input: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = within(TcpStream::connect(address)).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            input: Vec::new(),
        })
    }

    /// Connects from another address of this machine, such as 127.0.0.2.
    pub async fn open_from(source: &str, address: SocketAddr) -> io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(source.parse().expect("an address"), 0))?;
        let stream = within(socket.connect(address)).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            input: Vec::new(),
        })
    }

    /// Ends abruptly when dropped, and leaves nothing for the system to remember.
    pub fn reset_when_dropped(&self) {
        self.stream.set_zero_linger().expect("an open socket");
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        within(self.stream.write_all(bytes)).await
    }

    /// The next answer; an error when the connection ends before it is whole.
    pub async fn receive(&mut self) -> io::Result<Response> {
        within(self.read_response(true)).await
    }

    /// Sends a request and waits for its answer.
    pub async fn exchange(&mut self, request: &Request) -> io::Result<Response> {
        self.send(&request.bytes()).await?;
        within(self.read_response(request.method != "HEAD")).await
    }

    /// Waits for the other side to close; returns what came before that.
    pub async fn closed(&mut self) -> io::Result<Vec<u8>> {
        loop {
            match within(self.stream.read_buf(&mut self.input)).await {
                Ok(0) => return Ok(std::mem::take(&mut self.input)),
                Ok(_) => {}
                // Closed with something of ours unread: that is closed too.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Ok(std::mem::take(&mut self.input));
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn read_response(&mut self, with_body: bool) -> io::Result<Response> {
        let head_len = loop {
            if let Some(end) = self
                .input
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
            {
                break end + 4;
            }
            self.read_more().await?;
        };
        let head = String::from_utf8_lossy(&self.input[..head_len]).into_owned();
        let mut response = parse_head(&head);
        if with_body && response.header("Transfer-Encoding") == Some("chunked") {
            self.input.drain(..head_len);
            response.body = self.read_chunks().await?;
            return Ok(response);
        }
        let length = response
            .header("Content-Length")
            .map_or(0, |value| value.parse().expect("a length"));
        // Answers to HEAD name the length of a body that they do not have.
        let length = if with_body { length } else { 0 };
        while self.input.len() < head_len + length {
            self.read_more().await?;
        }
        response.body = self.input[head_len..head_len + length].to_vec();
        self.input.drain(..head_len + length);
        Ok(response)
    }

    /// The chunks of a body, until the empty one.
    async fn read_chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line_len = loop {
                if let Some(end) = self.input.windows(2).position(|window| window == b"\r\n") {
                    break end + 2;
                }
                self.read_more().await?;
            };
            let size = String::from_utf8_lossy(&self.input[..line_len - 2]).into_owned();
            let size = usize::from_str_radix(&size, 16).expect("the size of a chunk");
            let end = line_len + size;
            while self.input.len() < end + 2 {
                self.read_more().await?;
            }
            body.extend_from_slice(&self.input[line_len..end]);
            self.input.drain(..end + 2);
            if size == 0 {
                return Ok(body);
            }
        }
    }

    async fn read_more(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.input).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }
}

async fn within<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(ANSWER_TIMEOUT, work)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
