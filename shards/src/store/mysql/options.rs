//! What is dialled.
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};

use crate::store::ExpectedIdentity;

/// Whether a connection is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// It is not.
    Off,
    /// It is; the server is believed to be who it says.
    Required,
    /// It is, and the server's certificate must name its host and be signed by a known authority.
    Verify {
        /// Authorities besides the public ones, as PEM.
        ca_file: PathBuf,
    },
}

/// A database as the dialer knows it. The fields are those of
/// [`MysqlDatabase`](crate::store::MysqlDatabase), which also has the dialer.
#[derive(Clone, PartialEq)]
pub(super) struct RemoteDatabase {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) user: String,
    pub(super) password: String,
    pub(super) database: String,
    pub(super) tls: Tls,
    pub(super) connect_timeout: Duration,
    pub(super) statement_timeout: Duration,
    pub(super) expected: ExpectedIdentity,
}

impl fmt::Debug for RemoteDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the password: this ends up in logs.
        write!(
            f,
            "mysql://{}@{}:{}/{}",
            self.user, self.host, self.port, self.database
        )
    }
}

impl RemoteDatabase {
    /// How to dial it at `host`, which is its name or one of that name's addresses.
    pub(super) fn options(&self, host: &str) -> MySqlConnectOptions {
        let options = MySqlConnectOptions::new()
            .host(host)
            .port(self.port)
            .username(&self.user)
            .database(&self.database)
            .charset("utf8mb4")
            .collation("utf8mb4_bin")
            // Said in `session`, together with the rest and in the same round trip.
            .set_names(false)
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .timezone(None)
            // A reader knows three statements on each of up to 64 tables.
            .statement_cache_capacity(256)
            .disable_statement_logging();
        let options = if self.password.is_empty() {
            options
        } else {
            options.password(&self.password)
        };
        match &self.tls {
            Tls::Off => options.ssl_mode(MySqlSslMode::Disabled),
            Tls::Required => options.ssl_mode(MySqlSslMode::Required),
            Tls::Verify { ca_file } => options
                .ssl_mode(MySqlSslMode::VerifyIdentity)
                .ssl_ca(ca_file),
        }
    }
}
