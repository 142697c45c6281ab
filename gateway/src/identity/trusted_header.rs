//! Callers that a proxy in front of the server has checked and named in a header.
use hyper::HeaderMap;
use hyper::header::HeaderName;
use market::UserId;

use crate::answer::{Code, Failure};
use crate::edge::{Peer, TrustedProxies};

/// Believes a header, of some.
#[derive(Debug, Clone)]
pub struct TrustedHeader {
    /// Where the user id stands, as UTF-8.
    pub name: HeaderName,
    /// Who may write it.
    pub proxies: TrustedProxies,
}

impl TrustedHeader {
    /// The user that the proxy names.
    pub fn user(&self, peer: Peer, headers: &HeaderMap) -> Result<UserId, Failure> {
        if !self.proxies.contains(peer) {
            return Err(Code::PeerUntrusted.into());
        }
        let mut values = headers.get_all(&self.name).iter();
        let value = values.next().ok_or(Code::IdentityMissing)?;
        // A proxy that adds its header to the caller's own must not be taken at the caller's word.
        if values.next().is_some() {
            return Err(self.invalid("stands twice"));
        }
        let text =
            std::str::from_utf8(value.as_bytes()).map_err(|_| self.invalid("must be UTF-8"))?;
        UserId::new(text).map_err(|error| self.invalid(error))
    }

    fn invalid(&self, why: impl std::fmt::Display) -> Failure {
        Failure::detailed(Code::IdentityInvalid, format!("{}: {why}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;
    use crate::edge::network;

    const PROXY: &str = "10.0.0.1";

    fn ask(peer: &str, values: &[&[u8]]) -> Result<UserId, Code> {
        let name = HeaderName::from_static("x-user-id");
        let proxies = TrustedProxies::new(vec![network(PROXY).expect("an address")]);
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(
                &name,
                HeaderValue::from_bytes(value).expect("a header value"),
            );
        }
        let peer = Peer(peer.parse().expect("an address"));
        TrustedHeader { name, proxies }
            .user(peer, &headers)
            .map_err(|failure| failure.code)
    }

    #[test]
    fn a_trusted_proxy_names_the_user_as_it_is_spelled() {
        for id in ["u1", "ú", "用户", "a%20b", "a b", "50%"] {
            assert_eq!(
                ask(PROXY, &[id.as_bytes()]).as_ref().map(UserId::as_str),
                Ok(id)
            );
        }
    }

    #[test]
    fn everything_else_is_refused() {
        assert_eq!(ask("10.0.0.2", &[b"u1"]), Err(Code::PeerUntrusted));
        assert_eq!(ask("10.0.0.2", &[]), Err(Code::PeerUntrusted));
        assert_eq!(ask(PROXY, &[]), Err(Code::IdentityMissing));
        for values in [
            &[&b"u1"[..], b"u1"][..],
            &[b"u1", b"u2"],
            &[b""],
            &[b"\xfa"],
            &[b"a\tb"],
            &[&[b'x'; 129]],
        ] {
            assert_eq!(ask(PROXY, values), Err(Code::IdentityInvalid), "{values:?}");
        }
    }
}
