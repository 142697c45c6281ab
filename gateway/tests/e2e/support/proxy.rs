//! A proxy between a gateway and a server, for what happens to networks: delay, and silence.
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

const CHUNK: usize = 64 * 1024;

/// How bytes fare on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Open,
    /// Each piece takes so long, in each direction.
    Slow(Duration),
    /// Nothing comes through and nobody is told, not even that the other side has closed.
    Silent,
}

/// Forwards to a port of this machine. It ends with the test's runtime.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    way: watch::Sender<Way>,
}

impl Proxy {
    pub async fn before(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let own = listener.local_addr().expect("an address").port();
        let way = watch::Sender::new(Way::Open);
        tokio::spawn(accept(listener, port, way.subscribe()));
        Self { port: own, way }
    }

    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn accept(listener: TcpListener, port: u16, way: watch::Receiver<Way>) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(forward(client, port, way.clone()));
    }
}

/// A server that is not there looks like one that hangs up.
async fn forward(client: TcpStream, port: u16, mut way: watch::Receiver<Way>) -> io::Result<()> {
    pass(&mut way).await;
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    for stream in [&client, &server] {
        stream.set_nodelay(true)?;
    }
    let ((from_client, to_client), (from_server, to_server)) =
        (client.into_split(), server.into_split());
    tokio::try_join!(
        pump(from_client, to_server, way.clone()),
        pump(from_server, to_client, way)
    )?;
    Ok(())
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut way: watch::Receiver<Way>,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = from.read(&mut chunk).await;
        // An end and a failure have to wait like everything else.
        pass(&mut way).await;
        match read? {
            0 => return to.shutdown().await,
            length => to.write_all(&chunk[..length]).await?,
        }
    }
}

/// Returns when something may come through.
async fn pass(way: &mut watch::Receiver<Way>) {
    let now = *way.borrow();
    if let Way::Slow(delay) = now {
        sleep(delay).await;
    }
    if way.wait_for(|way| *way != Way::Silent).await.is_err() {
        // The proxy has ended, and its network with it.
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::timeout;

    const SOON: Duration = Duration::from_secs(5);
    const QUIET: Duration = Duration::from_millis(200);

    /// A connection through a proxy, and its other end.
    async fn connected() -> (Proxy, TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let proxy = Proxy::before(listener.local_addr().expect("an address").port()).await;
        let client = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port))
            .await
            .expect("a connection");
        let (server, _) = listener.accept().await.expect("a connection");
        (proxy, client, server)
    }

    async fn next(stream: &mut TcpStream) -> Option<Vec<u8>> {
        let mut bytes = vec![0; 16];
        let read = timeout(SOON, stream.read(&mut bytes))
            .await
            .expect("in time")
            .expect("no failure");
        (read > 0).then(|| bytes[..read].to_vec())
    }

    #[tokio::test]
    async fn what_was_said_in_silence_and_the_end_arrive_after_it() {
        let (proxy, mut client, mut server) = connected().await;
        client.write_all(b"one").await.expect("sent");
        assert_eq!(next(&mut server).await.as_deref(), Some(&b"one"[..]));
        proxy.set(Way::Silent);
        client.write_all(b"two").await.expect("sent");
        client.shutdown().await.expect("closed");
        let mut byte = [0];
        assert!(
            timeout(QUIET, server.read(&mut byte)).await.is_err(),
            "silence has been broken"
        );
        proxy.set(Way::Open);
        assert_eq!(next(&mut server).await.as_deref(), Some(&b"two"[..]));
        assert_eq!(next(&mut server).await, None);
    }

    #[tokio::test]
    async fn a_slow_way_takes_its_time() {
        let (proxy, mut client, mut server) = connected().await;
        proxy.set(Way::Slow(QUIET));
        let sent = tokio::time::Instant::now();
        client.write_all(b"one").await.expect("sent");
        assert_eq!(next(&mut server).await.as_deref(), Some(&b"one"[..]));
        assert!(sent.elapsed() >= QUIET);
    }
}
