//! Redis servers, one per test.
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::mariadb::make_certificates;
use super::server::Server;
use crate::stock::cluster::RedisOptions;
use crate::store::Tls;

/// What operators are told to let a user do, and nothing else.
const DOCS: &str = include_str!("../../../docs/cluster.md");

/// A Redis server that keeps nothing over a restart.
#[derive(Debug)]
pub(crate) struct Redis(Server);

impl Redis {
    /// Starts a server for one test.
    pub(crate) async fn start() -> Self {
        let server = Server::new(|folder, port| command(folder, &format!("--port {port}")));
        server.start(answers).await;
        Self(server)
    }

    /// Starts a server for one test that talks in secret only. In its folder are `ca.pem`, whose
    /// certificate names it, and `other.pem`, which does not.
    pub(crate) async fn encrypted() -> Self {
        let server = Server::new(|folder, port| {
            make_certificates(folder);
            let place = folder.display();
            let files = format!("--tls-cert-file {place}/tls.pem --tls-key-file {place}/tls.key");
            let options = format!(
                "--port 0 --tls-port {port} --tls-auth-clients no {files} --tls-ca-cert-file"
            );
            command(
                folder,
                &format!("{options} {place}/ca.pem --pidfile {place}/pid"),
            )
        });
        server.start(listens).await;
        Self(server)
    }

    /// How a gateway reaches it.
    pub(crate) fn options(&self) -> RedisOptions {
        RedisOptions {
            host: self.address().ip().to_string(),
            port: self.address().port(),
            user: None,
            password: None,
            tls: Tls::Off,
            prefix: "test".to_owned(),
            timeout: Duration::from_millis(500),
            connections_max: 8,
        }
    }

    /// Its folder, for certificates.
    pub(crate) fn folder(&self) -> &Path {
        self.0.folder()
    }

    /// Where it listens, also after a restart.
    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Runs a command and answers what it says, as `redis-cli` writes it.
    pub(crate) async fn command(&self, words: &[&str]) -> String {
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

fn command(folder: &Path, options: &str) -> Vec<String> {
    let folder = folder.display();
    let options = format!(
        "redis-server --bind 127.0.0.1 {options} --dir {folder} --appendonly no --daemonize no --save"
    );
    // The value of --save is the empty text.
    options
        .split(' ')
        .map(str::to_owned)
        .chain([String::new()])
        .collect()
}

/// Does what a server is told by these words, as `options` reach it.
pub(crate) async fn order(options: &RedisOptions, words: &[&str]) -> ::redis::Value {
    let client = options.client().expect("options that fit");
    let mut connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("a connection");
    ::redis::cmd(words[0])
        .arg(&words[1..])
        .query_async(&mut connection)
        .await
        .expect("it obeys")
}

/// Makes the user that the documentation tells operators to make, and answers how it reaches the
/// server.
pub(crate) async fn make_documented_user(options: &RedisOptions) -> RedisOptions {
    const PASSWORD: &str = "a password";
    let told = DOCS
        .lines()
        .find(|line| line.starts_with("ACL SETUSER"))
        .expect("the documentation says how");
    let secret = format!(">{PASSWORD}");
    let words: Vec<&str> = told
        .split(' ')
        .map(|word| if word == ">PASSWORD" { &secret } else { word })
        .collect();
    order(options, &words).await;
    RedisOptions {
        user: Some(words[2].to_owned()),
        password: Some(PASSWORD.to_owned()),
        prefix: "drawbridge".to_owned(),
        ..options.clone()
    }
}

/// Whether the process itself takes connections, where it cannot be asked who it is.
async fn listens(server: &Server) -> bool {
    let noted = std::fs::read_to_string(server.folder().join("pid")).unwrap_or_default();
    noted.trim() == server.pid().to_string() && TcpStream::connect(server.address()).await.is_ok()
}

/// Whether the process itself answers, not some other server on its port.
async fn answers(server: &Server) -> bool {
    let says = async {
        let mut stream = TcpStream::connect(server.address()).await?;
        stream.write_all(b"INFO server\r\nQUIT\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.map(|_| answer)
    };
    says.await
        .is_ok_and(|answer: String| answer.contains(&format!("process_id:{}\r\n", server.pid())))
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
