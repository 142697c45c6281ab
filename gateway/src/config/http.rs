//! The section `[http]`: addresses, and what the edge and the public API let callers do.
use std::net::SocketAddr;
use std::time::Duration;

use settings::{Faulted, Section, all};

use super::values::{milliseconds, socket_address};
use crate::answer::Language;
use crate::edge::{TrustedProxies, network};
use crate::http::cors::AllowedOrigins;
use crate::http::language::LanguageChoice;
use crate::http::statuses::Statuses;

/// The HTTP edge.
#[derive(Debug, Clone)]
pub struct HttpConfig {
    /// Where players draw.
    pub listen: SocketAddr,
    /// Health, readiness, metrics.
    pub admin: SocketAddr,
    /// A second address of health, readiness and metrics, and nothing else.
    pub probes: Option<SocketAddr>,
    /// Which answers have HTTP status 200.
    pub always_200: Statuses,
    /// In which language refusals are written.
    pub language: LanguageChoice,
    /// Whose pages may call.
    pub allowed_origins: AllowedOrigins,
    /// Open connections; more wait in the system's queue.
    pub connections_max: usize,
    /// Open connections of one address; more only where others of it give way.
    pub connections_per_address_max: usize,
    /// From the connection to the end of its first request's head.
    pub first_header_timeout: Duration,
    /// From the end of one request's answer to the end of the next one's head.
    pub header_timeout: Duration,
    /// For a request's body.
    pub body_timeout: Duration,
    /// For a caller to take more of an answer that it has not read yet.
    pub write_timeout: Duration,
    /// Largest request body, in bytes.
    pub body_max_bytes: usize,
    /// Proxies whose headers about the caller are believed.
    pub trusted_proxies: TrustedProxies,
}

/// Reads the section.
pub fn read(section: &Section<'_>) -> Result<HttpConfig, Faulted> {
    let address = |key| {
        section
            .string(key, 1..=64)
            .try_map(|text| socket_address(&text))
    };
    let listen = address("listen").or(SocketAddr::from(([127, 0, 0, 1], 8091)));
    let admin = address("admin").or(SocketAddr::from(([127, 0, 0, 1], 8092)));
    let probes = address("probes").optional();
    let known = |address: &Result<SocketAddr, Faulted>| address.as_ref().ok().copied();
    let of_probes = probes.as_ref().ok().copied().flatten();
    let addresses = [
        ("listen", known(&listen)),
        ("admin", known(&admin)),
        ("probes", of_probes),
    ];
    check_are_different(section, &addresses);
    let always_200 = always_200(section);
    let language = language(section);
    let allowed_origins = allowed_origins(section);
    let connections_max = section.integer("connections_max", 1..=1_000_000).or(10_000);
    let connections_per_address_max = section
        .integer("connections_per_address_max", 1..=1_000_000)
        .or(2_000);
    let first_header_timeout = milliseconds(section, "first_header_timeout_ms", 5_000);
    let header_timeout = milliseconds(section, "header_timeout_ms", 30_000);
    let body_timeout = milliseconds(section, "body_timeout_ms", 10_000);
    let write_timeout = milliseconds(section, "write_timeout_ms", 10_000);
    let body_max_bytes = section.integer("body_max_bytes", 1024..=1_048_576).or(4096);
    let trusted_proxies = trusted_proxies(section);
    Ok(HttpConfig {
        listen: listen?,
        admin: admin?,
        probes: probes?,
        always_200: always_200?,
        language: language?,
        allowed_origins: allowed_origins?,
        connections_max: connections_max?,
        connections_per_address_max: connections_per_address_max?,
        first_header_timeout: first_header_timeout?,
        header_timeout: header_timeout?,
        body_timeout: body_timeout?,
        write_timeout: write_timeout?,
        body_max_bytes: body_max_bytes?,
        trusted_proxies: trusted_proxies?,
    })
}

fn always_200(section: &Section<'_>) -> Result<Statuses, Faulted> {
    let choices = [
        ("false", Statuses::Honest),
        ("true", Statuses::Always),
        ("rules", Statuses::Rules),
    ];
    section
        .choice_or_boolean("always_200", &choices)
        .or(Statuses::Honest)
}

fn language(section: &Section<'_>) -> Result<LanguageChoice, Faulted> {
    let choices = [
        ("auto", LanguageChoice::Auto),
        ("en", LanguageChoice::Fixed(Language::English)),
        ("zh", LanguageChoice::Fixed(Language::Chinese)),
    ];
    section
        .choice("language", &choices)
        .or(LanguageChoice::Auto)
}

fn allowed_origins(section: &Section<'_>) -> Result<AllowedOrigins, Faulted> {
    let Some(list) = section.list("allowed_origins", 0..=256).optional()? else {
        return Ok(AllowedOrigins::Any);
    };
    let list = all(list.iter().map(|value| value.string(1..=255).required()))?;
    AllowedOrigins::of(&list).map_err(|error| section.fault("allowed_origins", error))
}

/// Nothing can listen where something else does.
fn check_are_different(section: &Section<'_>, addresses: &[(&'static str, Option<SocketAddr>)]) {
    for (index, &(key, address)) in addresses.iter().enumerate() {
        for &(other_key, other) in &addresses[..index] {
            if let (Some(address), Some(other)) = (address, other)
                && are_one_address(address, other)
            {
                section.fault(
                    key,
                    format!("is {address}, and http.{other_key} is {other}: give them two ports"),
                );
            }
        }
    }
}

/// Whether a server cannot listen on both.
fn are_one_address(one: SocketAddr, other: SocketAddr) -> bool {
    let everywhere = one.ip().is_unspecified() || other.ip().is_unspecified();
    // The system gives each port 0 a port of its own.
    one.port() == other.port() && one.port() != 0 && (one.ip() == other.ip() || everywhere)
}

fn trusted_proxies(section: &Section<'_>) -> Result<TrustedProxies, Faulted> {
    let networks = section.list("trusted_proxies", 0..=256).or(Vec::new())?;
    let networks = networks.iter().map(|value| {
        value
            .string(1..=64)
            .try_map(|text| network(&text))
            .required()
    });
    Ok(TrustedProxies::new(all(networks)?))
}

#[cfg(test)]
mod tests {
    use super::super::load::Config;

    #[test]
    fn the_two_addresses_are_two() {
        let faults = |listen: &str, admin: &str| match Config::parse(
            &format!("[http]\nlisten = \"{listen}\"\nadmin = \"{admin}\"\n"),
            Vec::new(),
        ) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        for (listen, admin) in [
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("127.0.0.1:1", "127.0.0.2:1"),
            ("localhost:1", "[::1]:1"),
        ] {
            assert_eq!(faults(listen, admin), "", "{listen} {admin}");
        }
        for (listen, admin) in [
            ("127.0.0.1:1", "localhost:1"),
            ("127.0.0.1:1", "0.0.0.0:1"),
            ("[::1]:1", "[::]:1"),
        ] {
            let text = faults(listen, admin);
            assert!(
                text.contains("http.admin") && text.contains("two ports"),
                "{listen} {admin}: {text}"
            );
        }
    }
}
