//! MariaDB servers: one for all tests of the process, and private ones to pause and to kill.
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::OnceCell;

use super::server::{Server, is_root, path};
use crate::store::{Connection, Database, Dialer, ExpectedIdentity, MysqlDatabase, Tls};

/// What every server here is started with, the one that makes the system tables too. Nothing
/// waits for the disk: tests kill servers, not the machine.
const OPTIONS: &str = "--skip-name-resolve --innodb-log-file-size=8M --innodb-buffer-pool-size=64M \
                       --innodb-flush-log-at-trx-commit=1 --innodb-flush-method=nosync --debug-no-sync";

/// A test may have another server (a real MySQL, say) on this port of 127.0.0.1 stand in for the
/// shared one; its root has no password.
pub(crate) const INSTEAD: &str = "DRAWBRIDGE_TEST_MYSQL_PORT";

/// Where this is set, servers are set up against us in all that a session can choose for itself.
pub(crate) const HOSTILE: &str = "DRAWBRIDGE_TEST_HOSTILE";

/// What such a server does first, by kind of server.
const HOSTILE_SETTINGS: &str = include_str!("hostile.sql");

/// How to talk to that one: `required` or nothing.
const INSTEAD_TLS: &str = "DRAWBRIDGE_TEST_MYSQL_TLS";

/// A MariaDB server.
#[derive(Debug)]
pub(crate) struct Mariadb(Server);

impl Mariadb {
    /// A new database on the server that all tests of this process share.
    pub(crate) async fn shared_database() -> MysqlDatabase {
        static SHARED: OnceCell<Mariadb> = OnceCell::const_new();
        let Ok(port) = std::env::var(INSTEAD) else {
            return SHARED.get_or_init(Self::private).await.database().await;
        };
        let tls = match std::env::var(INSTEAD_TLS).as_deref() {
            Ok("required") => Tls::Required,
            _ => Tls::Off,
        };
        new_database(port.parse().expect("a port"), tls).await
    }

    /// Starts a server for one test.
    pub(crate) async fn private() -> Self {
        Self::with_options(&[]).await
    }

    /// Starts a server for one test with further options.
    pub(crate) async fn with_options(options: &[&str]) -> Self {
        Self::prepared(options, |_| {}).await
    }

    /// Starts a server for one test that can talk in secret. In its folder are `ca.pem`, whose
    /// certificate names it, and `other.pem`, which does not.
    pub(crate) async fn encrypted() -> Self {
        Self::prepared(
            &["--ssl-cert=../tls.pem", "--ssl-key=../tls.key"],
            make_certificates,
        )
        .await
    }

    /// Starts a server for one test whose settings are all against us.
    pub(crate) async fn hostile() -> Self {
        Self::started(true, &[], |_| {}).await
    }

    async fn prepared(options: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        Self::started(std::env::var_os(HOSTILE).is_some(), options, prepare).await
    }

    async fn started(hostile: bool, options: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        let server = Server::new(|folder, port| {
            let place = format!(
                "mariadbd --no-defaults --datadir={0}/data --socket={0}/s --pid-file={0}/pid --port={port} \
                 --tmpdir={0} --bind-address=127.0.0.1 --performance-schema=OFF --max-connections=500 {OPTIONS}",
                folder.display()
            );
            let user = is_root(folder).then_some("--user=root");
            let hostile = hostile.then(|| format!("--init-file={}/hostile.sql", folder.display()));
            let options = user
                .into_iter()
                .chain(options.iter().copied())
                .map(str::to_owned);
            place
                .split_whitespace()
                .map(str::to_owned)
                .chain(options)
                .chain(hostile)
                .collect()
        });
        make_system_tables(&server);
        std::fs::write(server.folder().join("hostile.sql"), HOSTILE_SETTINGS).expect("written");
        prepare(server.folder());
        server.start(listens).await;
        Self(server)
    }

    /// A new database.
    pub(crate) async fn database(&self) -> MysqlDatabase {
        new_database(self.0.address().port(), Tls::Off).await
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Its folder, for certificates and the like.
    pub(crate) fn folder(&self) -> &Path {
        self.0.folder()
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

    /// Kills it: what was not committed is lost.
    pub(crate) fn kill(&self) {
        self.0.kill();
    }

    /// Starts it again after [`Mariadb::kill`], on the same port and data.
    pub(crate) async fn restart(&self) {
        self.0.start(listens).await;
    }
}

fn make_system_tables(server: &Server) {
    let folder = server.folder();
    let made = Command::new("mariadb-install-db")
        .env("PATH", path())
        .args([
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ])
        .arg(format!("--datadir={}/data", folder.display()))
        // In a folder that it shares, a starting server removes the temporary tables of others.
        .arg(format!("--tmpdir={}", folder.display()))
        .args(is_root(folder).then_some("--user=root"))
        .args(OPTIONS.split_whitespace())
        .output()
        .expect("mariadb-server is installed");
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stdout)
    );
}

/// Makes `ca.pem`, `other.pem`, and a certificate of 127.0.0.1 that the first has signed.
pub(super) fn make_certificates(folder: &Path) {
    let make = |options: &str| {
        let new = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
        let options = new.split(' ').chain(options.split(' '));
        let made = Command::new("openssl")
            .current_dir(folder)
            .args(options)
            .output()
            .expect("openssl is installed");
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
    };
    make("-subj /CN=authority -keyout ca.key -out ca.pem");
    make("-subj /CN=authority -keyout other.key -out other.pem");
    make(
        "-subj /CN=server -keyout tls.key -out tls.pem -CA ca.pem -CAkey ca.key \
         -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=IP:127.0.0.1",
    );
}

/// Whether the process itself takes connections, not some other server on its port.
async fn listens(server: &Server) -> bool {
    let noted = std::fs::read_to_string(server.folder().join("pid")).unwrap_or_default();
    noted.trim() == server.pid().to_string() && TcpStream::connect(server.address()).await.is_ok()
}

/// Makes a database whose defaults are those of a server that nobody has configured.
async fn new_database(port: u16, tls: Tls) -> MysqlDatabase {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let server = MysqlDatabase {
        host: "127.0.0.1".to_owned(),
        port,
        user: "root".to_owned(),
        password: String::new(),
        database: "mysql".to_owned(),
        tls,
        connect_timeout: Duration::from_secs(10),
        statement_timeout: Duration::from_secs(10),
        expected: ExpectedIdentity::default(),
        dialer: Dialer::default(),
    };
    let name = format!(
        "test_{}_{}",
        std::process::id(),
        MADE.fetch_add(1, Ordering::Relaxed)
    );
    let make = format!("CREATE DATABASE {name} CHARACTER SET latin1 COLLATE latin1_swedish_ci");
    server
        .connect()
        .await
        .expect("a connection")
        .run(&make)
        .await
        .expect("a database");
    MysqlDatabase {
        database: name,
        ..server
    }
}
