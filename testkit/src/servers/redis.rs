//! Redis servers, one per test.
use std::net::SocketAddr;
use std::path::Path;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::certificates::make_certificates;
use super::process::ServerProcess;

/// A Redis server that keeps nothing over a restart.
#[derive(Debug)]
pub struct Redis(ServerProcess);

impl Redis {
    /// Starts a server for one test.
    pub async fn start() -> Self {
        let server = ServerProcess::new(|folder, port| command(folder, &format!("--port {port}")));
        server.start(answers).await;
        Self(server)
    }

    /// Starts a server for one test that speaks TLS only. In its folder are `ca.pem`, whose
    /// certificate names it, and `other.pem`, which does not.
    pub async fn encrypted() -> Self {
        let server = ServerProcess::new(|folder, port| {
            make_certificates(folder);
            let options = format!(
                "--port 0 --tls-port {port} --tls-auth-clients no --tls-cert-file {0}/tls.pem \
                 --tls-key-file {0}/tls.key --tls-ca-cert-file {0}/ca.pem --pidfile {0}/pid",
                folder.display()
            );
            command(folder, &options)
        });
        server.start(listens).await;
        Self(server)
    }

    /// Its folder, for certificates.
    pub fn folder(&self) -> &Path {
        self.0.folder()
    }

    /// Where it listens, also after a restart.
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Runs a command and returns the reply, as `redis-cli` writes it.
    pub async fn command(&self, words: &[&str]) -> String {
        let port = self.address().port().to_string();
        let mut command = tokio::process::Command::new("redis-cli");
        let ran = command
            .args(["-h", "127.0.0.1", "-p", &port])
            .args(words)
            .output()
            .await
            .expect("redis-cli is installed");
        assert!(
            ran.status.success(),
            "{words:?}: {}",
            String::from_utf8_lossy(&ran.stderr)
        );
        String::from_utf8_lossy(&ran.stdout).trim().to_owned()
    }

    /// The id of its process.
    pub fn pid(&self) -> u32 {
        self.0.pid()
    }

    /// Stops it: connections stay open and nothing is answered.
    pub fn pause(&self) {
        self.0.pause();
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.0.resume();
    }

    /// Kills it; what it held is lost.
    pub fn kill(&self) {
        self.0.kill();
    }

    /// Starts it again after [`Redis::kill`], on the same port.
    pub async fn restart(&self) {
        self.0.start(answers).await;
    }
}

fn command(folder: &Path, options: &str) -> Vec<String> {
    let command = format!(
        "redis-server --bind 127.0.0.1 {options} --dir {} --appendonly no --daemonize no --save",
        folder.display()
    );
    // The value of --save is the empty string.
    command
        .split_whitespace()
        .map(str::to_owned)
        .chain([String::new()])
        .collect()
}

/// Whether the process itself takes connections, where it cannot be asked for its id.
async fn listens(server: &ServerProcess) -> bool {
    server.is_in_pid_file("pid") && TcpStream::connect(server.address()).await.is_ok()
}

/// Whether the process itself answers, not another server on its port.
async fn answers(server: &ServerProcess) -> bool {
    let information = async {
        let mut stream = TcpStream::connect(server.address()).await?;
        stream.write_all(b"INFO server\r\nQUIT\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.map(|_| answer)
    };
    information
        .await
        .is_ok_and(|answer: String| answer.contains(&format!("process_id:{}\r\n", server.pid())))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[tokio::test]
    async fn a_server_ends_with_a_test_that_panics() {
        let (send, receive) = tokio::sync::oneshot::channel();
        let test = tokio::spawn(async move {
            let redis = Redis::start().await;
            send.send(redis.address()).expect("it is waited for");
            panic!("planted");
        });
        let address = receive.await.expect("it started");
        assert!(test.await.is_err());
        TcpStream::connect(address).await.expect_err("it is gone");
    }
}
