//! Who is at the other end of a connection, and which proxies are believed.
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// The address at the other end of a request's connection: a client's, or a proxy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Peer(pub IpAddr);

/// Proxies whose headers about the caller are believed.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Those in one of `networks`.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the peer is one of them.
    pub fn contains(&self, Peer(address): Peer) -> bool {
        // A socket that listens on both families shows IPv4 callers as IPv6.
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// A network such as `10.0.0.0/8`, or one address.
pub fn network(text: &str) -> Result<IpNet, &'static str> {
    let network = IpNet::from_str(text).or_else(|_| IpAddr::from_str(text).map(IpNet::from));
    network.map_err(|_| "expected an address such as 10.0.0.1 or a network such as 10.0.0.0/8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> Peer {
        Peer(text.parse().expect("an address"))
    }

    #[test]
    fn proxies_are_known_by_address_or_network_in_either_form() {
        let networks = ["127.0.0.1", "10.1.0.0/16", "fd00::/8"].map(|text| network(text).expect("a network"));
        let proxies = TrustedProxies::new(networks.to_vec());
        for known in ["127.0.0.1", "10.1.255.255", "::ffff:10.1.2.3", "fd00::1"] {
            assert!(proxies.contains(peer(known)), "{known}");
        }
        for unknown in ["127.0.0.2", "10.2.0.0", "::1"] {
            assert!(!proxies.contains(peer(unknown)), "{unknown}");
        }
        assert!(!TrustedProxies::default().contains(peer("127.0.0.1")));
        assert!(network("10.0.0.0/33").is_err() && network("localhost").is_err());
    }
}
