//! How the server identifies callers, as configured.
use super::jwt::JwtOptions;
use super::trusted_header::TrustedHeader;

/// How the server identifies callers, as configured.
#[derive(Debug, Clone)]
pub enum IdentityOptions {
    /// It does not: the caller is the user that the request names.
    Open,
    /// A trusted proxy says so in a header.
    TrustedHeader(TrustedHeader),
    /// A signed token says so.
    Jwt(Box<JwtOptions>),
}
