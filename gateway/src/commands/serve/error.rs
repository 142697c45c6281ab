//! Why a server does not start.
use std::net::SocketAddr;

use shards::InstallationError;

use crate::config::ConfigError;

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub(super) enum ServeError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("cannot listen on {address} ({key}): {error}")]
    Listen {
        address: SocketAddr,
        key: &'static str,
        error: std::io::Error,
    },
    #[error(
        "the system lends this process {lent} open files at most, {needed} are needed: {reserved} for storage and the \
         admin address, {players} for connections of players. Raise the hard limit: `ulimit -Hn 65536` in the shell \
         that starts it, LimitNOFILE=65536 in a systemd unit, --ulimit nofile=65536:65536 for a container"
    )]
    Descriptors {
        lent: u64,
        needed: u64,
        reserved: u64,
        players: u64,
    },
    #[error("the limit on open files cannot be read: {0}")]
    Limit(std::io::Error),
    #[error(transparent)]
    Installation(#[from] InstallationError),
    #[error("admin token: {0}")]
    Token(String),
    #[error("admin.tls_certificate_file, admin.tls_key_file: {0}")]
    Tls(String),
    #[error("a thread for the admin address cannot be started: {0}")]
    Thread(std::io::Error),
    #[error("a thread for the log cannot be started: {0}")]
    Log(std::io::Error),
    #[error("identity: {0}")]
    Identity(String),
    #[error("metrics cannot be registered: {0}")]
    Metrics(#[from] prometheus::Error),
    #[error("signals cannot be received: {0}")]
    Signals(std::io::Error),
    #[error("the runtime cannot be started: {0}")]
    Runtime(std::io::Error),
}
