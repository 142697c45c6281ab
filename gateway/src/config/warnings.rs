//! Warnings about pairs of settings that are right by themselves and dangerous together. They are
//! no faults, since a network outside may make up for them.
use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;

use hyper::header::HeaderName;
use ipnet::IpNet;

use super::http::HttpConfig;
use super::load::Config;
use crate::identity::IdentityOptions;

/// The header that the shipped nginx clears by itself.
const CLEARED_BY_NGINX: HeaderName = HeaderName::from_static("x-user-id");

/// A network with more bits of addresses than this holds more than proxies.
const PROXY_BITS_MAX: u8 = 8;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WarningLevel {
    /// Strangers may do what only few should.
    Warning,
    /// It may be intended.
    Note,
}

impl Display for WarningLevel {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WarningLevel::Warning => "warning",
            WarningLevel::Note => "note",
        })
    }
}

/// What is dangerous in a configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// A trusted network has room for others than proxies.
    TrustedNetworkWide { network: IpNet, header: HeaderName },
    /// The server itself is in a trusted network, and so are its neighbours.
    TrustedNetworkHoldsListen {
        network: IpNet,
        header: HeaderName,
        listen: SocketAddr,
    },
    /// Every program on this machine may name the caller.
    EverybodyHereIsTrusted { header: HeaderName },
    /// A proxy lets callers in, and they are believed.
    OpenBehindProxies { networks: usize },
    /// Every caller that reaches the players' address is believed.
    OpenToNetwork { listen: SocketAddr },
    /// The shipped nginx lets the header pass as callers send it.
    HeaderNotCleared { header: HeaderName },
    /// Tokens of operators cross a network in clear.
    AdminInClear { admin: SocketAddr },
}

impl Warning {
    /// How bad it is.
    pub const fn level(&self) -> WarningLevel {
        match self {
            Warning::TrustedNetworkWide { .. }
            | Warning::TrustedNetworkHoldsListen { .. }
            | Warning::OpenToNetwork { .. }
            | Warning::AdminInClear { .. } => WarningLevel::Warning,
            Warning::EverybodyHereIsTrusted { .. }
            | Warning::OpenBehindProxies { .. }
            | Warning::HeaderNotCleared { .. } => WarningLevel::Note,
        }
    }
}

impl Display for Warning {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Warning::TrustedNetworkWide { network, header } => write!(
                f,
                "http.trusted_proxies: {network} has room for more than proxies, and each address in it may be \
                 any user by {header}; name the proxies one by one"
            ),
            Warning::TrustedNetworkHoldsListen {
                network,
                header,
                listen,
            } => write!(
                f,
                "http.trusted_proxies: {network} holds http.listen ({listen}) itself, so each machine beside this \
                 one may be any user by {header}; name the proxies one by one"
            ),
            Warning::EverybodyHereIsTrusted { header } => write!(
                f,
                "http.listen and http.trusted_proxies are this machine: each program on it may be any user by {header}"
            ),
            Warning::OpenBehindProxies { networks } => write!(
                f,
                "identity.kind is open, and {networks} trusted proxies or networks let callers in: each of them may \
                 be any user; set trusted-header or jwt where they are not your own"
            ),
            Warning::OpenToNetwork { listen } => write!(
                f,
                "identity.kind is open, and http.listen ({listen}) is reached over a network: any caller may draw for \
                 any user; set trusted-header or jwt where that is not meant"
            ),
            Warning::HeaderNotCleared { header } => write!(
                f,
                "identity.header is {header}: the proxy must replace what callers send under this name; for the \
                 shipped nginx write the name into drawbridge/identity.conf"
            ),
            Warning::AdminInClear { admin } => write!(
                f,
                "http.admin ({admin}) is reached over a network without TLS: tokens of operators can be read on the \
                 way; let only operators and Prometheus reach it"
            ),
        }
    }
}

/// Returns the warnings about a configuration, the worst first.
pub fn warnings(config: &Config) -> Vec<Warning> {
    let mut warnings = match &config.identity {
        IdentityOptions::Open => of_open(&config.http),
        IdentityOptions::TrustedHeader(header) => of_trusted_header(&config.http, &header.name),
        IdentityOptions::Jwt(_) => Vec::new(),
    };
    let admin = config.http.admin;
    if !is_loopback(admin) && config.admin.tls.is_none() {
        warnings.push(Warning::AdminInClear { admin });
    }
    warnings.sort_by_key(|warning| warning.level() == WarningLevel::Note);
    warnings
}

fn of_open(http: &HttpConfig) -> Vec<Warning> {
    let networks = http.trusted_proxies.networks().len();
    let to_network = (!is_loopback(http.listen)).then_some(Warning::OpenToNetwork {
        listen: http.listen,
    });
    let behind_proxies = (networks > 0).then_some(Warning::OpenBehindProxies { networks });
    [to_network, behind_proxies].into_iter().flatten().collect()
}

fn of_trusted_header(http: &HttpConfig, header: &HeaderName) -> Vec<Warning> {
    let networks = http.trusted_proxies.networks().iter();
    let mut warnings: Vec<_> = networks
        .filter_map(|&network| of_trusted_network(network, header, http.listen))
        .collect();
    if *header != CLEARED_BY_NGINX {
        warnings.push(Warning::HeaderNotCleared {
            header: header.clone(),
        });
    }
    warnings
}

fn of_trusted_network(network: IpNet, header: &HeaderName, listen: SocketAddr) -> Option<Warning> {
    let header = header.clone();
    let bits = network.max_prefix_len() - network.prefix_len();
    if is_loopback(listen) {
        // Callers come over the loopback or not at all.
        return network
            .addr()
            .is_loopback()
            .then_some(Warning::EverybodyHereIsTrusted { header });
    }
    if bits > PROXY_BITS_MAX && !network.addr().is_loopback() {
        return Some(Warning::TrustedNetworkWide { network, header });
    }
    let holds_listen = bits > 0 && network.contains(&listen.ip().to_canonical());
    holds_listen.then_some(Warning::TrustedNetworkHoldsListen {
        network,
        header,
        listen,
    })
}

fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The levels and first words of what a configuration is warned of.
    fn warned(text: &str) -> Vec<(WarningLevel, String)> {
        let config =
            Config::parse(text, Vec::new()).unwrap_or_else(|error| panic!("{text}: {error}"));
        warnings(&config)
            .iter()
            .map(|warning| (warning.level(), warning.to_string()))
            .collect()
    }

    fn trusted_header(listen: &str, proxies: &str, more: &str) -> Vec<(WarningLevel, String)> {
        warned(&format!(
            "[http]\nlisten = \"{listen}\"\ntrusted_proxies = [{proxies}]\n[identity]\nkind = \"trusted-header\"\n{more}"
        ))
    }

    #[test]
    fn the_defaults_are_warned_of_nothing() {
        assert_eq!(warned(""), []);
        assert_eq!(warned("[http]\nadmin = \"[::1]:8092\"\n"), []);
    }

    #[test]
    fn who_may_name_the_caller_must_be_few() {
        for network in [
            "0.0.0.0/0",
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "10.1.0.0/23",
            "::/0",
            "fd00::/64",
        ] {
            let reported = trusted_header("0.0.0.0:8091", &format!("\"{network}\""), "");
            let [(WarningLevel::Warning, text)] = &reported[..] else {
                panic!("{network}: {reported:?}")
            };
            assert!(
                text.contains(network) && text.contains("x-user-id"),
                "{text}"
            );
        }
        for few in [
            "\"10.0.0.5\", \"10.0.0.6\"",
            "\"10.1.0.0/24\"",
            "\"fd00::5\"",
            "\"127.0.0.0/8\"",
        ] {
            assert_eq!(trusted_header("0.0.0.0:8091", few, ""), [], "{few}");
        }
    }

    #[test]
    fn neighbours_of_the_server_are_no_proxies() {
        let reported = trusted_header(
            "10.0.0.7:8091",
            "\"10.0.0.0/24\", \"10.0.1.0/24\", \"10.0.0.7\"",
            "",
        );
        let [(WarningLevel::Warning, text)] = &reported[..] else {
            panic!("{reported:?}")
        };
        assert!(
            text.contains("10.0.0.0/24 holds http.listen (10.0.0.7:8091)"),
            "{text}"
        );
        let mapped = trusted_header("[::ffff:10.0.0.7]:8091", "\"10.0.0.0/24\"", "");
        assert_eq!(mapped.len(), 1, "{mapped:?}");
    }

    #[test]
    fn a_machine_of_its_own_is_noted() {
        let reported = trusted_header("127.0.0.1:8091", "\"127.0.0.1\", \"10.0.0.0/8\"", "");
        let [(WarningLevel::Note, text)] = &reported[..] else {
            panic!("{reported:?}")
        };
        assert!(
            text.contains("each program on it may be any user"),
            "{text}"
        );
    }

    #[test]
    fn another_header_must_be_cleared_by_hand() {
        let reported = trusted_header("0.0.0.0:8091", "\"10.0.0.5\"", "header = \"X-Player\"\n");
        let [(WarningLevel::Note, text)] = &reported[..] else {
            panic!("{reported:?}")
        };
        assert!(
            text.contains("x-player") && text.contains("identity.conf"),
            "{text}"
        );
        assert_eq!(
            trusted_header("0.0.0.0:8091", "\"10.0.0.5\"", "header = \"x-USER-id\"\n"),
            []
        );
    }

    #[test]
    fn a_proxy_before_an_open_server_is_noted() {
        let reported = warned("[http]\ntrusted_proxies = [\"127.0.0.1\"]\n");
        assert!(
            matches!(&reported[..], [(WarningLevel::Note, text)] if text.contains("identity.kind is open")),
            "{reported:?}"
        );
    }

    #[test]
    fn an_admin_address_on_a_network_is_warned_of_first() {
        for admin in ["0.0.0.0:8092", "[::]:8092", "10.0.0.1:8092"] {
            let reported = warned(&format!(
                "[http]\nadmin = \"{admin}\"\ntrusted_proxies = [\"127.0.0.1\"]\n"
            ));
            let levels: Vec<_> = reported.iter().map(|(level, _)| *level).collect();
            assert_eq!(
                levels,
                [WarningLevel::Warning, WarningLevel::Note],
                "{reported:?}"
            );
            assert!(reported[0].1.contains(admin), "{reported:?}");
        }
    }
}
