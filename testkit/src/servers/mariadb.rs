//! MariaDB servers: one for all tests of the process, and private ones to pause and to kill.
use std::ops::Deref;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::OnceCell;

use super::certificates::make_certificates;
use super::process::{PID_FILE, ServerProcess, is_root, server_path};

/// Options of every server here, and of the program that makes the system tables. Nothing waits for
/// the disk: tests kill servers, not the machine.
const OPTIONS: &str = "--skip-name-resolve --innodb-log-file-size=8M --innodb-buffer-pool-size=64M \
                       --innodb-flush-log-at-trx-commit=1 --innodb-flush-method=nosync --debug-no-sync";

/// Names a port of 127.0.0.1 whose server (a real MySQL, say) takes the place of the shared one;
/// its root has no password.
pub const INSTEAD: &str = "DRAWBRIDGE_TEST_MYSQL_PORT";

/// When this is set, servers get hostile defaults for all that a session can set for itself.
pub const HOSTILE: &str = "DRAWBRIDGE_TEST_HOSTILE";

/// The statements that such a server runs first, by kind of server.
const HOSTILE_SETTINGS: &str = include_str!("hostile.sql");

/// How to connect to [`INSTEAD`]: `required` for TLS, or nothing.
const INSTEAD_TLS: &str = "DRAWBRIDGE_TEST_MYSQL_TLS";

/// A MariaDB server; its root has no password.
#[derive(Debug)]
pub struct Mariadb(ServerProcess);

/// How to reach the server that the tests of a process share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharedMariadb {
    /// Of 127.0.0.1.
    pub port: u16,
    /// Whether it refuses connections without TLS.
    pub requires_tls: bool,
}

impl SharedMariadb {
    /// Reaches the server. The first call starts it.
    pub async fn reached() -> Self {
        static SHARED: OnceCell<Mariadb> = OnceCell::const_new();
        let Ok(port) = std::env::var(INSTEAD) else {
            let server = SHARED.get_or_init(Mariadb::private).await;
            return Self {
                port: server.address().port(),
                requires_tls: false,
            };
        };
        Self {
            port: port.parse().expect("a port"),
            requires_tls: std::env::var(INSTEAD_TLS).as_deref() == Ok("required"),
        }
    }
}

/// A name for a database that no other test of this process has, and the statement that makes it.
/// Its defaults are those of an unconfigured server.
pub fn new_database() -> (String, String) {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let number = MADE.fetch_add(1, Ordering::Relaxed);
    let name = format!("test_{}_{number}", std::process::id());
    let make = format!("CREATE DATABASE {name} CHARACTER SET latin1 COLLATE latin1_swedish_ci");
    (name, make)
}

impl Mariadb {
    /// Starts a server for one test.
    pub async fn private() -> Self {
        Self::with_options(&[]).await
    }

    /// Starts a server for one test with further options.
    pub async fn with_options(options: &[&str]) -> Self {
        Self::prepared(options, |_| {}).await
    }

    /// Starts a server for one test that can speak TLS. In its folder are `ca.pem`, whose
    /// certificate names it, and `other.pem`, which does not.
    pub async fn encrypted() -> Self {
        let options = ["--ssl-cert=../tls.pem", "--ssl-key=../tls.key"];
        Self::prepared(&options, make_certificates).await
    }

    /// Starts a server for one test with hostile settings.
    pub async fn hostile() -> Self {
        Self::started(true, &[], |_| {}).await
    }

    async fn prepared(options: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        Self::started(std::env::var_os(HOSTILE).is_some(), options, prepare).await
    }

    async fn started(hostile: bool, options: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        let server = ServerProcess::new(|folder, port| {
            let command = format!(
                "mariadbd --no-defaults --datadir={0}/data --socket={0}/s --pid-file={0}/{PID_FILE} --port={port} \
                 --tmpdir={0} --bind-address=127.0.0.1 --performance-schema=OFF --max-connections=500 {OPTIONS}",
                folder.display()
            );
            let user = is_root(folder).then_some("--user=root");
            let hostile = hostile.then(|| format!("--init-file={}/hostile.sql", folder.display()));
            let options = user
                .into_iter()
                .chain(options.iter().copied())
                .map(str::to_owned);
            command
                .split_whitespace()
                .map(str::to_owned)
                .chain(options)
                .chain(hostile)
                .collect()
        });
        make_system_tables(&server);
        std::fs::write(server.folder().join("hostile.sql"), HOSTILE_SETTINGS).expect("written");
        prepare(server.folder());
        server.start().await;
        Self(server)
    }
}

impl Deref for Mariadb {
    type Target = ServerProcess;

    fn deref(&self) -> &ServerProcess {
        &self.0
    }
}

fn make_system_tables(server: &ServerProcess) {
    let folder = server.folder();
    let made = Command::new("mariadb-install-db")
        .env("PATH", server_path())
        .args([
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ])
        .arg(format!("--datadir={}/data", folder.display()))
        // In a shared folder, a starting server would remove the temporary tables of others.
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
