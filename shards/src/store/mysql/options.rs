//! The options of a database on a MySQL or MariaDB server.
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
    /// It is; the server's certificate is not checked.
    Required,
    /// It is, and the server's certificate must name its host and be signed by a known authority.
    Verify {
        /// Authorities besides the public ones, as PEM.
        ca_file: PathBuf,
    },
}

/// Where a database is, and what connections to it are like.
#[derive(Clone, PartialEq, Eq)]
pub struct MysqlOptions {
    /// Name or address of the server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The account.
    pub user: String,
    /// Its password; empty for none.
    pub password: String,
    /// The database's name. It must exist; `migrate` makes the tables in it.
    pub database: String,
    /// Whether connections are encrypted.
    pub tls: Tls,
    /// For making a connection.
    pub connect_timeout: Duration,
    /// For each statement, more than 2 s. The server refuses a row lock earlier than that, so its
    /// refusal comes before the timeout, which costs the connection.
    pub statement_timeout: Duration,
    /// What each new connection must find there.
    pub expected: ExpectedIdentity,
}

impl fmt::Debug for MysqlOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the password: this goes into logs.
        write!(
            f,
            "mysql://{}@{}:{}/{}",
            self.user, self.host, self.port, self.database
        )
    }
}

impl MysqlOptions {
    /// How to connect to it at `host`, which is its name or one of that name's addresses.
    pub(super) fn connect_options(&self, host: &str) -> MySqlConnectOptions {
        let options = MySqlConnectOptions::new()
            .host(host)
            .port(self.port)
            .username(&self.user)
            .database(&self.database)
            .charset("utf8mb4")
            .collation("utf8mb4_bin")
            // Set in `session`, with the rest and in the same round trip.
            .set_names(false)
            .pipes_as_concat(false)
            .no_engine_substitution(false)
            .timezone(None)
            // A reader has three statements on each of up to 64 tables.
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
