//! The admin address of a running server: how it is written, and how commands connect to it.
use std::fmt;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt, Full};
use hyper::http::uri::Authority;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::edge::certificates;

/// A server's admin address, and the authority of its certificate.
#[derive(Debug, Clone, Args)]
pub struct AdminAddress {
    /// Its admin address, such as http://127.0.0.1:8092, localhost:8092 or https://gateway-0:8092
    #[arg(
        long = "admin",
        value_name = "URL",
        default_value = "http://127.0.0.1:8092"
    )]
    url: AdminUrl,
    /// The authorities that may have signed its certificate, as PEM; for https://
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

/// `http://host:port` or `https://host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct AdminUrl {
    is_tls: bool,
    /// A name, or an address without brackets.
    host: String,
    port: u16,
}

impl fmt::Display for AdminUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}", self.authority())
    }
}

impl FromStr for AdminUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected an address such as http://127.0.0.1:8092, localhost:8092 or \
                                https://gateway-0.internal:8092";
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        let is_tls = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err(EXPECTED),
        };
        let authority: Authority = rest
            .strip_suffix('/')
            .unwrap_or(rest)
            .parse()
            .map_err(|_| EXPECTED)?;
        let host = authority
            .host()
            .trim_start_matches('[')
            .trim_end_matches(']');
        match authority.port_u16() {
            Some(port) if !host.is_empty() && !authority.as_str().contains('@') => Ok(Self {
                is_tls,
                host: host.to_owned(),
                port,
            }),
            _ => Err(EXPECTED),
        }
    }
}

impl AdminUrl {
    fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        }
    }

    /// Whether requests to it leave this machine unencrypted.
    fn is_overheard(&self) -> bool {
        let is_loopback = self
            .host
            .parse()
            .map_or(self.host == "localhost", |address: IpAddr| {
                address.is_loopback()
            });
        !self.is_tls && !is_loopback
    }
}

impl fmt::Display for AdminAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.url.fmt(f)
    }
}

impl AdminAddress {
    /// An address as it is written, without an authority.
    pub(super) fn of(url: &str) -> Result<Self, &'static str> {
        let (url, ca_file) = (url.parse()?, None);
        Ok(Self { url, ca_file })
    }

    /// The host header of a request to it.
    pub(super) fn authority(&self) -> String {
        self.url.authority()
    }

    /// Whether requests to it leave this machine unencrypted.
    pub(super) fn is_overheard(&self) -> bool {
        self.url.is_overheard()
    }

    /// Sends one request on a connection of its own. With https:// nothing is sent before the
    /// server has shown a certificate for its name.
    pub(super) async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), String> {
        let AdminUrl { is_tls, host, port } = &self.url;
        let connector = match (is_tls, &self.ca_file) {
            (true, Some(ca_file)) => Some(connector(ca_file)?),
            (true, None) => {
                return Err(
                    "https:// needs --ca-file FILE, the authority of its certificate".to_owned(),
                );
            }
            (false, Some(_)) => return Err("--ca-file goes with https://".to_owned()),
            (false, None) => None,
        };
        let stream = TcpStream::connect((host.as_str(), *port))
            .await
            .map_err(|error| unreached(&error))?;
        match connector {
            None => converse(stream, request).await,
            Some(connector) => {
                let name = ServerName::try_from(host.clone())
                    .map_err(|error| format!("{host}: {error}"))?;
                let stream = connector
                    .connect(name, stream)
                    .await
                    .map_err(|error| self.explain(&error))?;
                converse(stream, request).await
            }
        }
    }

    /// Why there is no TLS.
    fn explain(&self, error: &std::io::Error) -> String {
        let cause = error
            .get_ref()
            .and_then(|error| error.downcast_ref::<rustls::Error>());
        match cause {
            Some(rustls::Error::InvalidMessage(_)) => {
                "it does not speak TLS; is http:// meant?".to_owned()
            }
            Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
                "its certificate is not signed by an authority in --ca-file".to_owned()
            }
            Some(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => format!("its certificate does not name {}", self.url.host),
            _ => format!("TLS: {error}"),
        }
    }
}

/// Why there is no connection, and what helps.
fn unreached(error: &std::io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionRefused => {
            "no server listens there: start `drawbridge serve`, or name the admin address of a \
                                         server that runs (http.admin of its configuration): --admin URL"
                .to_owned()
        }
        _ => error.to_string(),
    }
}

fn connector(ca_file: &Path) -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca_file).map_err(|error| format!("--ca-file {error}"))? {
        roots
            .add(certificate)
            .map_err(|error| format!("--ca-file {}: {error}", ca_file.display()))?;
    }
    let builder =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(TlsConnector::from(Arc::new(
        builder.with_root_certificates(roots).with_no_client_auth(),
    )))
}

async fn converse<S>(
    stream: S,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let explain = |error: hyper::Error| {
        let help = if error.is_parse() {
            "; does it speak TLS (https://)?"
        } else {
            ""
        };
        format!("{error}{help}")
    };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(explain)?;
    tokio::spawn(connection);
    let response = sender.send_request(request).await.map_err(explain)?;
    let status = response.status();
    let body = response.into_body().collect().await.map_err(explain)?;
    Ok((status, body.to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Result<String, &'static str> {
        text.parse::<AdminUrl>().map(|url| url.to_string())
    }

    #[test]
    fn an_address_needs_no_scheme_and_may_be_a_name() {
        for (text, expected) in [
            ("http://127.0.0.1:8092", "http://127.0.0.1:8092"),
            ("http://127.0.0.1:8092/", "http://127.0.0.1:8092"),
            ("localhost:8092", "http://localhost:8092"),
            ("127.0.0.1:8092", "http://127.0.0.1:8092"),
            ("[::1]:8092", "http://[::1]:8092"),
            (
                "https://gateway-0.internal:8092",
                "https://gateway-0.internal:8092",
            ),
        ] {
            assert_eq!(url(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_admin_address_says_what_is_one() {
        for text in [
            "",
            "/readyz",
            "localhost",
            "http://localhost",
            "ftp://localhost:1",
            "http://u:p@localhost:1",
            ":8092",
        ] {
            assert!(
                url(text).is_err_and(|error| error.contains("localhost:8092")),
                "{text}"
            );
        }
        for text in [
            "http://localhost:1/admin",
            "localhost:port",
            "localhost:70000",
            "http://localhost:1?x",
            "a b:1",
        ] {
            assert!(url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_loopback_and_tls_are_safe_for_a_token() {
        let is_overheard =
            |text: &str| text.parse::<AdminUrl>().expect("an address").is_overheard();
        for safe in [
            "localhost:1",
            "127.0.0.2:1",
            "[::1]:1",
            "https://gateway-0:1",
        ] {
            assert!(!is_overheard(safe), "{safe}");
        }
        for overheard in [
            "gateway-0:1",
            "http://10.0.0.1:1",
            "localhost.example:1",
            "[2001:db8::1]:1",
        ] {
            assert!(is_overheard(overheard), "{overheard}");
        }
    }
}
