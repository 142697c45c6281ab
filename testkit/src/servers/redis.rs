//! Redis servers, one per test.
use std::ops::Deref;
use std::path::Path;

use super::certificates::make_certificates;
use super::process::{PID_FILE, ServerProcess};

/// A Redis server that keeps nothing over a restart.
#[derive(Debug)]
pub struct Redis(ServerProcess);

impl Redis {
    /// Starts a server for one test.
    pub async fn start() -> Self {
        let server = ServerProcess::new(|folder, port| command(folder, &format!("--port {port}")));
        server.start().await;
        Self(server)
    }

    /// Starts a server for one test that speaks TLS only. In its folder are `ca.pem`, whose
    /// certificate names it, and `other.pem`, which does not.
    pub async fn encrypted() -> Self {
        let server = ServerProcess::new(|folder, port| {
            make_certificates(folder);
            let options = format!(
                "--port 0 --tls-port {port} --tls-auth-clients no --tls-cert-file {0}/tls.pem \
                 --tls-key-file {0}/tls.key --tls-ca-cert-file {0}/ca.pem",
                folder.display()
            );
            command(folder, &options)
        });
        server.start().await;
        Self(server)
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
}

impl Deref for Redis {
    type Target = ServerProcess;

    fn deref(&self) -> &ServerProcess {
        &self.0
    }
}

fn command(folder: &Path, options: &str) -> Vec<String> {
    let command = format!(
        "redis-server --bind 127.0.0.1 {options} --dir {0} --pidfile {0}/{PID_FILE} --appendonly no \
         --daemonize no --save",
        folder.display()
    );
    // The value of --save is the empty string.
    command
        .split_whitespace()
        .map(str::to_owned)
        .chain([String::new()])
        .collect()
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_redis_can_be_paused_killed_and_restarted() {
        let redis = Redis::start().await;
        let connect = async || TcpStream::connect(redis.address()).await;
        connect().await.expect("it listens");
        redis.pause();
        redis.resume();
        assert_eq!(redis.command(&["PING"]).await, "PONG");
        let first = redis.pid();
        redis.kill();
        connect().await.expect_err("it is gone");
        redis.restart().await;
        assert_ne!(redis.pid(), first);
        let folder = redis.folder().to_owned();
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
