//! A proxy between a program and a server, for what happens to networks: delay, silence, and an
//! address that passes to another server.
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

const CHUNK: usize = 64 * 1024;

/// What happens to bytes on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyWay {
    /// They pass.
    Open,
    /// Each piece takes this long, in each direction.
    Slow(Duration),
    /// Nothing passes, and neither side learns that the other has closed.
    Silent,
}

/// Listens on a port of this machine and forwards to a server. It takes no more connections when
/// it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    target: watch::Sender<SocketAddr>,
    way: watch::Sender<ProxyWay>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// A proxy before a server.
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (target, way) = (
            watch::Sender::new(target),
            watch::Sender::new(ProxyWay::Open),
        );
        let task = tokio::spawn(accept(listener, target.subscribe(), way.subscribe()));
        Self {
            address,
            target,
            way,
            task,
        }
    }

    /// A proxy before a server on a port of this machine.
    pub async fn before(port: u16) -> Self {
        Self::to(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Changes what happens to bytes, on open connections too.
    pub fn set(&self, way: ProxyWay) {
        self.way.send_replace(way);
    }

    /// Gives the address to another server: connections from now on go there, while open ones
    /// stay where they are.
    pub fn lead_to(&self, target: SocketAddr) {
        self.target.send_replace(target);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    target: watch::Receiver<SocketAddr>,
    way: watch::Receiver<ProxyWay>,
) {
    while let Ok((client, _)) = listener.accept().await {
        let target = *target.borrow();
        tokio::spawn(forward(client, target, way.clone()));
    }
}

/// A missing server looks like one that hangs up.
async fn forward(
    client: TcpStream,
    target: SocketAddr,
    mut way: watch::Receiver<ProxyWay>,
) -> io::Result<()> {
    pass(&mut way).await;
    let server = TcpStream::connect(target).await?;
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
    mut way: watch::Receiver<ProxyWay>,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = from.read(&mut chunk).await;
        // An end and a failure have to wait like bytes.
        pass(&mut way).await;
        match read? {
            0 => return to.shutdown().await,
            length => to.write_all(&chunk[..length]).await?,
        }
    }
}

/// Returns when bytes may pass.
async fn pass(way: &mut watch::Receiver<ProxyWay>) {
    let now = *way.borrow();
    if let ProxyWay::Slow(delay) = now {
        sleep(delay).await;
    }
    if way.wait_for(|way| *way != ProxyWay::Silent).await.is_err() {
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
        let client = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port()))
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
        proxy.set(ProxyWay::Silent);
        client.write_all(b"two").await.expect("sent");
        client.shutdown().await.expect("closed");
        let mut byte = [0];
        assert!(
            timeout(QUIET, server.read(&mut byte)).await.is_err(),
            "silence has been broken"
        );
        proxy.set(ProxyWay::Open);
        assert_eq!(next(&mut server).await.as_deref(), Some(&b"two"[..]));
        assert_eq!(next(&mut server).await, None);
    }

    #[tokio::test]
    async fn a_slow_way_takes_its_time() {
        let (proxy, mut client, mut server) = connected().await;
        proxy.set(ProxyWay::Slow(QUIET));
        let sent = tokio::time::Instant::now();
        client.write_all(b"one").await.expect("sent");
        assert_eq!(next(&mut server).await.as_deref(), Some(&b"one"[..]));
        assert!(sent.elapsed() >= QUIET);
    }

    #[tokio::test]
    async fn an_address_that_passes_to_another_server_leaves_open_connections_alone() {
        let (proxy, mut client, mut server) = connected().await;
        let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        proxy.lead_to(other.local_addr().expect("an address"));
        client.write_all(b"one").await.expect("sent");
        assert_eq!(next(&mut server).await.as_deref(), Some(&b"one"[..]));
        let mut second = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port()))
            .await
            .expect("a connection");
        let (mut moved, _) = timeout(SOON, other.accept())
            .await
            .expect("in time")
            .expect("a connection");
        second.write_all(b"two").await.expect("sent");
        assert_eq!(next(&mut moved).await.as_deref(), Some(&b"two"[..]));
    }
}
