//! Callers who prove who they are by a signed token in the header `Authorization`.
use std::sync::Arc;

use arc_swap::ArcSwap;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{decode, decode_header};
use market::UserId;
use moka::sync::Cache;
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value};

use super::keys::{ExpectedClaims, KeySource, TokenKeys};
use crate::answer::Code;

/// Far more than issuers put into one; heads have 16 KiB for all headers.
const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// What tokens must look like.
#[derive(Debug, Clone)]
pub struct JwtOptions {
    /// Where the keys are.
    pub source: KeySource,
    /// What a token must say.
    pub expected: ExpectedClaims,
    /// The claim that holds the user id.
    pub user_claim: String,
    /// How far the clocks of issuers may be from ours.
    pub clock_skew: SignedDuration,
    /// Tokens whose signature need not be checked again.
    pub tokens_cached_max: u64,
}

/// Checks tokens.
pub struct Jwt {
    options: JwtOptions,
    ring: ArcSwap<Ring>,
}

/// The keys, and the tokens that they have verified: one thing, so that a token which the keys
/// of before have verified is never found beside the new ones.
struct Ring {
    keys: TokenKeys,
    /// What their file held.
    fingerprint: [u8; 32],
    /// By SHA-256. Checking an RSA signature costs tens of look-ups. Guessed tokens displace
    /// nothing: only good ones are kept.
    verified: Cache<[u8; 32], Verified>,
}

/// What a token says whose signature is good. Whether it is good now is another question.
#[derive(Debug, Clone)]
struct Verified {
    user: UserId,
    /// `nbf`, since 1970.
    from: Option<SignedDuration>,
    /// `exp`, since 1970.
    until: SignedDuration,
}

impl Jwt {
    /// Reads the keys.
    pub fn new(options: JwtOptions) -> Result<Self, String> {
        let ring = ArcSwap::from_pointee(Ring::read(&options)?);
        Ok(Self { options, ring })
    }

    pub(super) fn has_key_set(&self) -> bool {
        matches!(self.options.source, KeySource::Set { .. })
    }

    /// Reads the keys again and forgets verified tokens; returns how many keys there are, or `None`
    /// when their file is the same. When they cannot be read, all stays as it is.
    pub fn reload(&self) -> Result<Option<usize>, String> {
        let ring = Ring::read(&self.options)?;
        if ring.fingerprint == self.ring.load().fingerprint {
            return Ok(None);
        }
        let count = ring.keys.count();
        self.ring.store(Arc::new(ring));
        Ok(Some(count))
    }

    /// The user that the token of a request names.
    pub fn user(&self, headers: &HeaderMap, now: Timestamp) -> Result<UserId, Code> {
        let token = token(headers)?;
        let verified = self.verified(token).ok_or(Code::IdentityInvalid)?;
        verified.user_at(now, self.options.clock_skew)
    }

    /// Callers do not learn why a token is not good.
    fn verified(&self, token: &str) -> Option<Verified> {
        let ring = self.ring.load();
        let name = sha_256(token);
        if let Some(known) = ring.verified.get(&name) {
            return Some(known);
        }
        let verified = verify(token, &ring.keys, &self.options.user_claim)?;
        ring.verified.insert(name, verified.clone());
        Some(verified)
    }
}

impl Ring {
    fn read(options: &JwtOptions) -> Result<Self, String> {
        // Before the keys: a file that changes in between is read again by the next reload.
        let fingerprint = TokenKeys::fingerprint(&options.source)?;
        let keys = TokenKeys::read(&options.source, &options.expected)?;
        Ok(Self {
            keys,
            fingerprint,
            verified: Cache::new(options.tokens_cached_max),
        })
    }
}

impl Verified {
    fn user_at(self, now: Timestamp, skew: SignedDuration) -> Result<UserId, Code> {
        let now = now.as_duration();
        if self
            .from
            .is_some_and(|from| now.saturating_add(skew) < from)
        {
            return Err(Code::IdentityInvalid);
        }
        if self.until.saturating_add(skew) <= now {
            return Err(Code::TokenExpired);
        }
        Ok(self.user)
    }
}

/// The token of a request: after `Bearer`, or all alone, as clients of the reference send it.
fn token(headers: &HeaderMap) -> Result<&str, Code> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values
        .next()
        .filter(|value| !value.is_empty())
        .ok_or(Code::IdentityMissing)?;
    // Two could be two callers.
    if values.next().is_some() {
        return Err(Code::IdentityInvalid);
    }
    let text = value.to_str().map_err(|_| Code::IdentityInvalid)?;
    let token = match text.split_once(' ') {
        None => text,
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("Bearer") => token.trim_start(),
        Some(_) => return Err(Code::IdentityInvalid),
    };
    if token.len() > TOKEN_BYTES_MAX {
        Err(Code::IdentityInvalid)
    } else {
        Ok(token)
    }
}

fn verify(token: &str, keys: &TokenKeys, user_claim: &str) -> Option<Verified> {
    let header = decode_header(token).ok()?;
    // These are extensions that the reader of a token must understand; we know none.
    if header.crit.is_some() {
        return None;
    }
    let key = keys.find(header.kid.as_deref())?;
    let claims = decode::<Map<String, Value>>(token, &key.decoding, &key.validation)
        .ok()?
        .claims;
    let from = match claims.get("nbf") {
        None => None,
        Some(value) => Some(since_1970(value)?),
    };
    Some(Verified {
        user: user(claims.get(user_claim)?)?,
        from,
        until: since_1970(claims.get("exp")?)?,
    })
}

/// Some issuers write ids as numbers.
fn user(claim: &Value) -> Option<UserId> {
    match claim {
        Value::String(text) => UserId::new(text).ok(),
        Value::Number(number) if number.is_u64() => UserId::new(&number.to_string()).ok(),
        _ => None,
    }
}

/// Seconds, which may have a fraction.
fn since_1970(value: &Value) -> Option<SignedDuration> {
    SignedDuration::try_from_secs_f64(value.as_f64()?).ok()
}

fn sha_256(token: &str) -> [u8; 32] {
    digest(&SHA256, token.as_bytes())
        .as_ref()
        .try_into()
        .expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests;
