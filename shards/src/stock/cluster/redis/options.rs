//! Where a Redis server is, how to connect to it, and error messages that say what helps.
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::{
    Client, ConnectionAddr, ErrorKind, IntoConnectionInfo, RedisConnectionInfo, RedisError,
    TlsCertificates,
};

use crate::store::{Tls, one_line};

/// Where a Redis server is, how to connect, and how long to wait.
#[derive(Clone)]
pub struct RedisOptions {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The user of its access control list; `None` for its default user.
    pub user: Option<String>,
    /// For `AUTH`; `None` where the server needs none.
    pub password: Option<String>,
    /// Whether the connection is encrypted. With a `ca_file` only its authorities are trusted.
    pub tls: Tls,
    /// The beginning of all keys.
    pub prefix: String,
    /// The timeout of each call, and of making a connection.
    pub timeout: Duration,
    /// The most connections of this process.
    pub connections_max: u32,
}

impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisOptions")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("user", &self.user)
            .field("tls", &self.tls)
            .field("prefix", &self.prefix)
            .field("timeout", &self.timeout)
            .field("connections_max", &self.connections_max)
            .finish_non_exhaustive()
    }
}

impl RedisOptions {
    /// A client whose connections authenticate by themselves.
    pub(crate) fn client(&self) -> Result<Client, String> {
        let mut settings = RedisConnectionInfo::default().set_skip_set_lib_name();
        if let Some(user) = &self.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &self.password {
            settings = settings.set_password(password);
        }
        self.client_with(settings)
    }

    /// A client whose connections do not authenticate. The caller does that itself, because only so
    /// it gets the server's own message when the server refuses.
    pub(super) fn silent_client(&self) -> Result<Client, String> {
        self.client_with(RedisConnectionInfo::default().set_skip_set_lib_name())
    }

    fn client_with(&self, settings: RedisConnectionInfo) -> Result<Client, String> {
        let (host, port) = (self.host.clone(), self.port);
        let encrypted = |insecure| {
            // Chooses the implementation of TLS, if none was chosen before. Twice does no harm.
            let _ = rustls::crypto::ring::default_provider().install_default();
            ConnectionAddr::TcpTls {
                host: host.clone(),
                port,
                insecure,
                tls_params: None,
            }
        };
        let (address, ca_file) = match &self.tls {
            Tls::Off => (ConnectionAddr::Tcp(host, port), None),
            Tls::Required => (encrypted(true), None),
            Tls::Verify { ca_file } => (encrypted(false), Some(ca_file)),
        };
        let info = address
            .into_connection_info()
            .map_err(|error| error.to_string())?;
        // Without this the kernel may wait up to 40 ms for more data to send.
        let info = info
            .set_redis_settings(settings)
            .set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let Some(ca_file) = ca_file else {
            return Client::open(info).map_err(|error| error.to_string());
        };
        let unusable =
            |error: &dyn fmt::Display| format!("tls_ca_file {}: {error}", ca_file.display());
        let root_cert = Some(std::fs::read(ca_file).map_err(|error| unusable(&error))?);
        Client::build_with_tls(
            info,
            TlsCertificates {
                client_tls: None,
                root_cert,
            },
        )
        .map_err(|error| unusable(&error))
    }

    /// The message about a dial that timed out.
    pub(super) fn late(&self) -> String {
        // A server that expects TLS waits for the rest of what it cannot read.
        let help = if self.tls == Tls::Off {
            ""
        } else {
            ": does it speak TLS? (tls in [[storage.redis]])"
        };
        format!(
            "{}:{} does not answer within {:?}{help}",
            self.host, self.port, self.timeout
        )
    }

    /// What went wrong, and what helps where that is known.
    pub(super) fn explain(&self, error: &RedisError) -> String {
        let (help, words) = (self.help(error), words(error));
        // Something that is not Redis may answer anything.
        let words = one_line(&words);
        format!(
            "{}:{}: {words}{}",
            self.host,
            self.port,
            help.map(|help| format!(": {help}")).unwrap_or_default()
        )
    }

    fn help(&self, error: &RedisError) -> Option<String> {
        let detail = error.detail().unwrap_or_default();
        let user = self.user.as_deref().unwrap_or("default");
        match error.code() {
            Some("WRONGPASS") => Some(format!(
                "check user and password of {user:?} in [[storage.redis]]"
            )),
            Some("NOAUTH") => {
                Some("it needs a password: password_file in [[storage.redis]]".to_owned())
            }
            Some("NOPERM") => Some(format!(
                "the commands that {user:?} needs are listed in docs/cluster.md"
            )),
            Some("ERR") if detail.contains("without any password") => Some(
                "it has no password for this user: leave it out in [[storage.redis]]".to_owned(),
            ),
            Some("ERR") if detail.contains("max number of clients") => {
                Some("raise its maxclients, or lower connections_max".to_owned())
            }
            Some(_) => None,
            None if error.kind() == ErrorKind::Parse => Some(
                "the server there is not Redis: check host and port in [[storage.redis]]"
                    .to_owned(),
            ),
            None => self.help_with_io(error),
        }
    }

    fn help_with_io(&self, error: &RedisError) -> Option<String> {
        // The library wraps errors of other libraries.
        let source = error
            .source()
            .and_then(|source| source.downcast_ref::<Arc<dyn Error + Send + Sync>>());
        let io = source.and_then(|source| source.downcast_ref::<io::Error>());
        match io.map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => Some("nothing listens there".to_owned()),
            Some(io::ErrorKind::InvalidData) if self.tls != Tls::Off => {
                Some("check tls and tls_ca_file in [[storage.redis]]".to_owned())
            }
            _ if error.is_connection_dropped() => {
                Some(
                    "it closes the connection: it has just stopped, or is not Redis, or tls in [[storage.redis]] does not \
                     match it"
                        .to_owned(),
                )
            }
            _ => None,
        }
    }
}

/// The server's own message, or the library's.
fn words(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        (Some(code), None) => code.to_owned(),
        (None, _) => error.to_string(),
    }
}
