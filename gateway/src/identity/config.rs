//! The section `[identity]` of the configuration.
use std::net::SocketAddr;
use std::path::PathBuf;

use hyper::header::HeaderName;
use jiff::SignedDuration;
use settings::{Faulted, Section};

use super::jwt::JwtOptions;
use super::keys::{ExpectedClaims, KeySource, SigningAlgorithm, TokenKeys};
use super::options::IdentityOptions;
use super::trusted_header::TrustedHeader;
use crate::edge::TrustedProxies;

#[derive(Clone, Copy, PartialEq)]
enum IdentityKind {
    Open,
    TrustedHeader,
    Jwt,
}

/// Where players call, and through whom: what the kinds of identity are checked against.
#[derive(Debug, Clone, Copy)]
pub struct ListensAt<'a> {
    /// The players' address.
    pub address: SocketAddr,
    /// Proxies whose headers about the caller are believed.
    pub proxies: &'a TrustedProxies,
}

/// Reads the section. The keys of one kind are unknown to the others. `listens_at` is known unless
/// the section `[http]` has faults. Keys are looked at if `with_keys` says so.
pub fn read(
    section: &Section<'_>,
    listens_at: Option<ListensAt<'_>>,
    with_keys: bool,
) -> Result<IdentityOptions, Faulted> {
    // Known to every kind, so that an operator who chooses another one need not remove it.
    let to_network = section.boolean("open_to_network").or(false);
    let kinds = [
        ("open", IdentityKind::Open),
        ("trusted-header", IdentityKind::TrustedHeader),
        ("jwt", IdentityKind::Jwt),
    ];
    match section.choice("kind", &kinds).or(IdentityKind::Open) {
        Ok(IdentityKind::Open) => open(section, listens_at, to_network?),
        Ok(IdentityKind::TrustedHeader) => trusted_header(section, listens_at),
        Ok(IdentityKind::Jwt) => Ok(IdentityOptions::Jwt(Box::new(jwt(section, with_keys)?))),
        Err(faulted) => {
            section.leave_unread();
            Err(faulted)
        }
    }
}

fn open(
    section: &Section<'_>,
    listens_at: Option<ListensAt<'_>>,
    to_network: bool,
) -> Result<IdentityOptions, Faulted> {
    match listens_at {
        // An address of IPv4 may be written as one of IPv6.
        Some(ListensAt { address, .. })
            if !to_network && !address.ip().to_canonical().is_loopback() =>
        {
            let message = format!(
                "open believes any userId, so http.listen must be a loopback address, not {address}; \
                 set trusted-header or jwt, or open_to_network where all who reach it may draw for any user"
            );
            Err(section.fault("kind", message))
        }
        _ => Ok(IdentityOptions::Open),
    }
}

fn trusted_header(
    section: &Section<'_>,
    listens_at: Option<ListensAt<'_>>,
) -> Result<IdentityOptions, Faulted> {
    let name = section.string("header", 1..=64).try_map(|text| {
        HeaderName::from_bytes(text.as_bytes())
            .map_err(|_| "expected the name of a header such as X-User-Id")
    });
    let name = name.or(HeaderName::from_static("x-user-id"))?;
    // Faults of http are reported by now.
    let proxies = listens_at.map(|at| at.proxies.clone()).unwrap_or_default();
    if listens_at.is_some() && proxies.is_empty() {
        return Err(section.fault(
            "kind",
            "trusted-header needs http.trusted_proxies: who may write the header",
        ));
    }
    Ok(IdentityOptions::TrustedHeader(TrustedHeader {
        name,
        proxies,
    }))
}

fn jwt(section: &Section<'_>, with_keys: bool) -> Result<JwtOptions, Faulted> {
    let user_claim = section.string("user_claim", 1..=64).or("sub".to_owned());
    let audience = section.string("audience", 1..=256).optional();
    let issuer = section.string("issuer", 1..=256).optional();
    let clock_skew = section
        .integer("clock_skew_s", 0..=600)
        .or(30)
        .map(SignedDuration::from_secs);
    let tokens_cached_max = section
        .integer("tokens_cached_max", 0..=1_000_000)
        .or(100_000);
    let source = source(section, with_keys);
    Ok(JwtOptions {
        source: source?,
        expected: ExpectedClaims {
            audience: audience?,
            issuer: issuer?,
        },
        user_claim: user_claim?,
        clock_skew: clock_skew?,
        tokens_cached_max: tokens_cached_max?,
    })
}

fn source(section: &Section<'_>, with_keys: bool) -> Result<KeySource, Faulted> {
    let algorithms = [
        ("HS256", SigningAlgorithm::Hs256),
        ("EdDSA", SigningAlgorithm::EdDsa),
        ("RS256", SigningAlgorithm::Rs256),
    ];
    let signing = section.choice("algorithm", &algorithms).optional();
    let file = |key| {
        section
            .string(key, 1..=4096)
            .optional()
            .map(|path| path.map(PathBuf::from))
    };
    let (key_file, jwks_file) = (file("key_file"), file("jwks_file"));
    let (key, source) = match (key_file?, jwks_file?, signing?) {
        (Some(path), None, Some(signing)) => ("key_file", KeySource::File { path, signing }),
        (None, Some(path), None) => ("jwks_file", KeySource::Set { path }),
        (Some(_), None, None) => {
            return Err(section.fault("algorithm", "is needed for identity.key_file"));
        }
        (None, Some(_), Some(_)) => {
            return Err(section.fault(
                "algorithm",
                "goes with key_file only: the keys of a set name their own",
            ));
        }
        (Some(_), Some(_), _) => {
            return Err(section.fault("jwks_file", "and key_file exclude each other"));
        }
        (None, None, _) => {
            return Err(section.fault("key_file", "or jwks_file is needed for kind = \"jwt\""));
        }
    };
    // Read again when the server starts; here so that check-config reports a broken one. A reload
    // reads them by itself: a broken key set must not keep a limit from being lifted.
    if !with_keys {
        return Ok(source);
    }
    match TokenKeys::read(&source, &ExpectedClaims::default()) {
        Ok(_) => Ok(source),
        Err(why) => Err(section.fault(key, why)),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, ConfigError};

    /// The one fault of a configuration.
    fn fault(text: &str) -> String {
        match Config::parse(text, Vec::new()) {
            Err(ConfigError::Faults(faults)) => {
                assert_eq!(faults.len(), 1, "{faults:?}");
                faults[0].to_string()
            }
            other => panic!("expected a fault, got {other:?}"),
        }
    }

    fn is_good(text: &str) {
        Config::parse(text, Vec::new()).unwrap_or_else(|error| panic!("{text}: {error}"));
    }

    fn key(name: &str) -> String {
        format!("{}/tests/keys/{name}", env!("CARGO_MANIFEST_DIR"))
    }

    #[test]
    fn open_goes_with_loopback_only() {
        for listen in [
            "0.0.0.0:8091",
            "[::]:8091",
            "10.0.0.1:8091",
            "[::ffff:10.0.0.1]:8091",
        ] {
            let fault = fault(&format!("[http]\nlisten = \"{listen}\"\n"));
            assert!(
                fault.starts_with("identity.kind: ") && fault.contains(listen),
                "{fault}"
            );
        }
        for listen in [
            "127.0.0.1:8091",
            "127.1.2.3:8091",
            "[::1]:8091",
            "[::ffff:127.0.0.1]:8091",
        ] {
            is_good(&format!(
                "[http]\nlisten = \"{listen}\"\n[identity]\nkind = \"open\"\n"
            ));
        }
        is_good("[http]\nlisten = \"0.0.0.0:8091\"\n[identity]\nopen_to_network = true\n");
    }

    #[test]
    fn a_trusted_header_needs_proxies_to_trust() {
        let with = |proxies: &str, more: &str| {
            format!(
                "[http]\nlisten = \"0.0.0.0:8091\"\ntrusted_proxies = [{proxies}]\n\
                 [identity]\nkind = \"trusted-header\"\n{more}"
            )
        };
        is_good(&with("\"10.0.0.0/8\"", ""));
        is_good(&with("\"10.0.0.0/8\"", "header = \"X-Player\"\n"));
        assert!(
            fault(&with("", ""))
                .contains("identity.kind: trusted-header needs http.trusted_proxies")
        );
        assert!(
            fault(&with("\"10.0.0.0/8\"", "header = \"X Player\"\n")).contains("identity.header")
        );
        assert!(
            fault(&with("\"10.0.0.0/8\"", "audience = \"a\"\n"))
                .contains("identity.audience: unknown key")
        );
    }

    #[test]
    fn keys_go_with_their_algorithm() {
        let jwt = |more: &str| format!("[identity]\nkind = \"jwt\"\n{more}\n");
        let (rsa, ed25519) = (key("rsa.pem"), key("ed25519.pem"));
        is_good(&jwt(&format!("key_file = {rsa:?}\nalgorithm = \"RS256\"")));
        is_good(&jwt(&format!(
            "key_file = {ed25519:?}\nalgorithm = \"EdDSA\"\naudience = \"a\"\nissuer = \"i\""
        )));
        for (more, part) in [
            (String::new(), "identity.key_file"),
            (format!("key_file = {rsa:?}"), "identity.algorithm"),
            (
                format!("jwks_file = {rsa:?}\nalgorithm = \"RS256\""),
                "identity.algorithm",
            ),
            (
                format!("key_file = {rsa:?}\njwks_file = {rsa:?}"),
                "identity.jwks_file",
            ),
            (
                format!("key_file = {rsa:?}\nalgorithm = \"none\""),
                "identity.algorithm",
            ),
            (
                format!("key_file = {rsa:?}\nalgorithm = \"ES256\""),
                "identity.algorithm",
            ),
            // Otherwise anyone who knows the public key could sign.
            (
                format!("key_file = {rsa:?}\nalgorithm = \"HS256\""),
                "identity.key_file",
            ),
            (
                format!("key_file = {rsa:?}\nalgorithm = \"EdDSA\""),
                "identity.key_file",
            ),
            (
                format!("key_file = {ed25519:?}\nalgorithm = \"RS256\""),
                "identity.key_file",
            ),
            (
                format!(
                    "key_file = {:?}\nalgorithm = \"RS256\"",
                    key("rsa-1024.pem")
                ),
                "identity.key_file",
            ),
            (
                format!("key_file = {:?}\nalgorithm = \"RS256\"", key("rsa.pk8")),
                "identity.key_file",
            ),
            (
                format!("key_file = {:?}\nalgorithm = \"RS256\"", key("nowhere")),
                "identity.key_file",
            ),
            (format!("jwks_file = {rsa:?}"), "identity.jwks_file"),
            (
                format!("key_file = {rsa:?}\nalgorithm = \"RS256\"\nclock_skew_s = 601"),
                "identity.clock_skew_s",
            ),
            (
                format!("key_file = {rsa:?}\nalgorithm = \"RS256\"\nheader = \"X\""),
                "identity.header: unknown key",
            ),
        ] {
            let fault = fault(&jwt(&more));
            assert!(fault.contains(part), "{more}: {fault}");
        }
    }
}
