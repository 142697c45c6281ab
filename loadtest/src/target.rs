//! Addresses that a load driver may connect to: those of this machine only.

use std::net::{IpAddr, SocketAddr};

/// A gateway on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target(pub(crate) SocketAddr);

/// Parses `http://HOST:PORT`. Names other than `localhost` are refused and not resolved: the
/// address of a name may change between the check and the connect.
pub(crate) fn parse_target(url: &str) -> Result<Target, String> {
    let rest = url
        .strip_prefix("http://")
        .ok_or("must start with http://")?;
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let literal = match authority.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => authority.to_owned(),
    };
    let target = parse_listen(&literal)?;
    if target.port() == 0 {
        return Err("needs a port".to_owned());
    }
    Ok(Target(target))
}

/// Parses `IP:PORT` of a loopback address.
pub(crate) fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr = text
        .parse()
        .map_err(|_| "must be a loopback address and a port, like 127.0.0.1:8091".to_owned())?;
    require_loopback(address.ip())?;
    Ok(address)
}

pub(crate) fn require_loopback(ip: IpAddr) -> Result<(), String> {
    if ip.is_loopback() {
        Ok(())
    } else {
        Err(format!(
            "{ip} is not a loopback address; load goes to this machine only"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_addresses_pass() {
        for (url, address) in [
            ("http://127.0.0.1:8091", "127.0.0.1:8091"),
            ("http://127.9.9.9:1/", "127.9.9.9:1"),
            ("http://localhost:80", "127.0.0.1:80"),
            ("http://[::1]:8091", "[::1]:8091"),
        ] {
            let address = address.parse().expect("an address");
            assert_eq!(parse_target(url), Ok(Target(address)), "{url}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for url in [
            "https://127.0.0.1:1",
            "127.0.0.1:1",
            "http://127.0.0.1",
            "http://127.0.0.1:0",
            "http://127.0.0.1:1/path",
            "http://192.168.0.1:80",
            "http://0.0.0.0:80",
            "http://[::]:80",
            "http://[::ffff:10.0.0.1]:80",
            "http://localhost.example:80",
            "http://user@127.0.0.1:80",
        ] {
            assert!(parse_target(url).is_err(), "{url}");
        }
    }
}
