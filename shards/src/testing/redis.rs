//! Redis servers, one per test.
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::server::Server;

/// A Redis server that keeps nothing over a restart.
#[derive(Debug)]
pub(crate) struct Redis(Server);

impl Redis {
    /// Starts a server for one test.
    pub(crate) async fn start() -> Self {
        let server = Server::new(|folder, port| {
            let options = format!(
                "redis-server --bind 127.0.0.1 --port {port} --dir {} --appendonly no --daemonize no --save",
                folder.display()
            );
            // The value of --save is the empty text.
            options.split(' ').map(str::to_owned).chain([String::new()]).collect()
        });
        server.start(answers).await;
        Self(server)
    }

    /// Where it listens, also after a restart.
    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Runs a command and answers what it says, as `redis-cli` writes it.
    pub(crate) async fn command(&self, words: &[&str]) -> String {
        let port = self.address().port().to_string();
        let mut command = tokio::process::Command::new("redis-cli");
        let ran =
            command.args(["-h", "127.0.0.1", "-p", &port]).args(words).output().await.expect("redis-cli is installed");
        assert!(ran.status.success(), "{words:?}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8_lossy(&ran.stdout).trim().to_owned()
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.0.pid()
    }

    /// Stops it in its tracks: connections stay open and nothing is answered.
    pub(crate) fn pause(&self) {
        self.0.pause();
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.0.resume();
    }

    /// Kills it; what it held is lost.
    pub(crate) fn kill(&self) {
        self.0.kill();
    }

    /// Starts it again after [`Redis::kill`], on the same port.
    pub(crate) async fn restart(&self) {
        self.0.start(answers).await;
    }
}

/// Whether the process itself answers, not some other server on its port.
async fn answers(server: &Server) -> bool {
    let says = async {
        let mut stream = TcpStream::connect(server.address()).await?;
        stream.write_all(b"INFO server\r\nQUIT\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.map(|_| answer)
    };
    says.await.is_ok_and(|answer: String| answer.contains(&format!("process_id:{}\r\n", server.pid())))
}

#[tokio::test]
async fn a_redis_can_be_paused_killed_and_restarted() {
    let redis = Redis::start().await;
    let connect = async || TcpStream::connect(redis.address()).await;
    connect().await.expect("it listens");
    redis.pause();
    redis.resume();
    assert!(answers(&redis.0).await);
    let first = redis.pid();
    redis.kill();
    connect().await.expect_err("it is gone");
    redis.restart().await;
    assert_ne!(redis.pid(), first);
    let folder = redis.0.folder().to_owned();
    drop(redis);
    assert!(!folder.exists());
}
