//! A database of a cluster, as `cluster.json` describes it.

use std::net::IpAddr;

use serde::Deserialize;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlSslMode};
use sqlx::{ConnectOptions as _, Executor as _};

/// Its address and credentials.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Database {
    pub(crate) host: IpAddr,
    port: u16,
    user: String,
    password: String,
    #[serde(rename = "database")]
    name: String,
    pub(crate) pid: u32,
}

impl Database {
    /// A connection over TCP, configured like the gateway's. sqlx turns Nagle's algorithm off.
    pub(crate) async fn connect(&self) -> Result<MySqlConnection, sqlx::Error> {
        let mut connection = MySqlConnectOptions::new()
            .host(&self.host.to_string())
            .port(self.port)
            .username(&self.user)
            .password(&self.password)
            .database(&self.name)
            .charset("utf8mb4")
            .collation("utf8mb4_bin")
            .ssl_mode(MySqlSslMode::Disabled)
            .disable_statement_logging()
            .connect()
            .await?;
        connection
            .execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
            .await?;
        Ok(connection)
    }
}
