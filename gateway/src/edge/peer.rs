//! Who is at the other end of a connection, and which proxies are believed.
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use hyper::HeaderMap;
use ipnet::IpNet;

const FORWARDED_FOR: &str = "X-Forwarded-For";

/// More proxies than this in a row are not believed.
const HOPS_MAX: usize = 16;

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

    /// The networks that they are in.
    pub fn networks(&self) -> &[IpNet] {
        &self.0
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

    /// Returns the address of a request's client. Where the peer is one of these proxies, this is
    /// the last address in `X-Forwarded-For` that is none of them. Each proxy adds its own peer at
    /// the end, so what a client wrote there stands before what is believed. An entry that is no
    /// address ends the search: then the client is the proxy that added it.
    pub fn client(&self, peer: Peer, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.0.to_canonical();
        let values = headers.get_all(FORWARDED_FOR).iter().rev();
        let mut hops = values
            .flat_map(|value| value.to_str().unwrap_or_default().rsplit(','))
            .take(HOPS_MAX);
        while self.contains(Peer(client)) {
            let Some(address) = hops.next().and_then(hop) else {
                break;
            };
            client = address;
        }
        client
    }
}

/// An address as proxies write it, some with its port.
fn hop(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = text
        .parse()
        .or_else(|_| text.parse().map(|address: SocketAddr| address.ip()));
    address.ok().map(|address| address.to_canonical())
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
        let networks =
            ["127.0.0.1", "10.1.0.0/16", "fd00::/8"].map(|text| network(text).expect("a network"));
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
    /// The client of a request from `from` with these header lines, behind proxies at 127.0.0.1
    /// and in 10.0.0.0/8.
    fn client(from: &str, lines: &[&str]) -> String {
        let networks = ["127.0.0.1", "10.0.0.0/8"].map(|text| network(text).expect("a network"));
        let mut headers = HeaderMap::new();
        for line in lines {
            let value =
                hyper::header::HeaderValue::from_bytes(line.as_bytes()).expect("a header value");
            headers.append(FORWARDED_FOR, value);
        }
        TrustedProxies::new(networks.to_vec())
            .client(peer(from), &headers)
            .to_string()
    }

    #[test]
    fn only_proxies_are_believed_about_the_client() {
        for (from, lines, expected) in [
            ("192.0.2.1", &["192.0.2.9"][..], "192.0.2.1"),
            ("127.0.0.1", &[], "127.0.0.1"),
            ("127.0.0.1", &["192.0.2.9"], "192.0.2.9"),
            ("::ffff:127.0.0.1", &["192.0.2.9"], "192.0.2.9"),
            // What the client itself wrote stands to the left.
            ("127.0.0.1", &["198.51.100.1, 192.0.2.9"], "192.0.2.9"),
            (
                "127.0.0.1",
                &["198.51.100.1", "192.0.2.9, 10.0.0.1"],
                "192.0.2.9",
            ),
            (
                "127.0.0.1",
                &["127.0.0.1,192.0.2.9 ,\t10.0.0.1 , 10.0.0.2"],
                "192.0.2.9",
            ),
            // Proxies all the way.
            ("127.0.0.1", &["10.0.0.1, 10.0.0.2"], "10.0.0.1"),
        ] {
            assert_eq!(client(from, lines), expected, "{from} {lines:?}");
        }
    }

    #[test]
    fn addresses_come_in_several_forms_and_garbage_ends_the_search() {
        for (line, expected) in [
            ("192.0.2.9:4711", "192.0.2.9"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:192.0.2.9", "192.0.2.9"),
            ("192.0.2.9, garbage, 10.0.0.1", "10.0.0.1"),
            ("192.0.2.9, unknown", "127.0.0.1"),
            ("192.0.2.9,", "127.0.0.1"),
            ("", "127.0.0.1"),
            ("192.0.2.9, \u{e9}", "127.0.0.1"),
        ] {
            assert_eq!(client("127.0.0.1", &[line]), expected, "{line}");
        }
    }

    #[test]
    fn a_long_row_of_proxies_is_not_followed_to_its_end() {
        let row = |proxies: usize| format!("192.0.2.9{}", ", 10.0.0.1".repeat(proxies));
        assert_eq!(client("127.0.0.1", &[&row(HOPS_MAX - 1)]), "192.0.2.9");
        assert_eq!(client("127.0.0.1", &[&row(HOPS_MAX)]), "10.0.0.1");
        assert_eq!(client("127.0.0.1", &[&row(1000)]), "10.0.0.1");
    }
}
