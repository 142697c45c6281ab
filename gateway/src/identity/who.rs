//! Identifies callers.
use hyper::HeaderMap;
use hyper::header::HeaderValue;
use jiff::Timestamp;

use super::caller::Caller;
use super::jwt::Jwt;
use super::options::IdentityOptions;
use super::trusted_header::TrustedHeader;
use crate::answer::{Code, Failure};
use crate::edge::Peer;

/// Identifies callers.
pub enum Identity {
    /// The caller is the user that the request names.
    Open,
    /// A trusted proxy says so in a header.
    TrustedHeader(TrustedHeader),
    /// A signed token says so.
    Jwt(Box<Jwt>),
}

impl Identity {
    /// Reads the keys, where there are some.
    pub fn new(options: &IdentityOptions) -> Result<Self, String> {
        Ok(match options {
            IdentityOptions::Open => Identity::Open,
            IdentityOptions::TrustedHeader(header) => Identity::TrustedHeader(header.clone()),
            IdentityOptions::Jwt(options) => {
                Identity::Jwt(Box::new(Jwt::new((**options).clone())?))
            }
        })
    }

    /// Returns the sender of a request, from its head alone.
    pub fn caller(
        &self,
        peer: Peer,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Caller, Failure> {
        match self {
            Identity::Open => Ok(Caller::Anyone),
            Identity::TrustedHeader(header) => Ok(Caller::Known(header.user(peer, headers)?)),
            Identity::Jwt(jwt) => Ok(Caller::Known(jwt.user(headers, now)?)),
        }
    }

    /// The same for a path that takes the user from the identity alone.
    pub fn known_caller(
        &self,
        peer: Peer,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<Caller, Failure> {
        match self {
            Identity::Open => {
                let info = "this server checks no tokens (identity.kind is open): use the path without _by_token";
                Err(Failure::detailed(Code::IdentityMissing, info))
            }
            _ => self.caller(peer, headers, now),
        }
    }

    /// Whether a browser sends the identity by itself, such as a cookie that the proxy checks: then
    /// any page could call in the name of the user who looks at it.
    pub const fn is_ambient(&self) -> bool {
        matches!(self, Identity::TrustedHeader(_))
    }

    /// Reads the keys again, where there are some; returns whether they have changed. When they
    /// cannot be read, the last good ones stay. Blocks for as long as reading a small file takes.
    pub fn reload(&self) -> Result<bool, String> {
        let Identity::Jwt(jwt) = self else {
            return Ok(false);
        };
        match jwt.reload() {
            Ok(Some(keys)) => {
                tracing::info!(keys, "the keys of tokens are read again");
                Ok(true)
            }
            Ok(None) => Ok(false),
            Err(error) => {
                tracing::error!(
                    error,
                    "the keys of tokens cannot be read: the last good ones stay"
                );
                Err(error)
            }
        }
    }

    /// Whether a key set says which tokens are good: one that its issuer changes from time to time.
    pub fn has_key_set(&self) -> bool {
        matches!(self, Identity::Jwt(jwt) if jwt.has_key_set())
    }

    /// The header `WWW-Authenticate` for a caller whose identity is missing or not valid.
    pub fn challenge(&self, code: Code) -> HeaderValue {
        HeaderValue::from_static(match (self, code) {
            (Identity::TrustedHeader(_), _) => r#"TrustedProxy realm="drawbridge""#,
            (_, Code::IdentityInvalid) => r#"Bearer realm="drawbridge", error="invalid_token""#,
            (_, Code::TokenExpired) => {
                r#"Bearer realm="drawbridge", error="invalid_token", error_description="the token has expired""#
            }
            _ => r#"Bearer realm="drawbridge""#,
        })
    }
}
