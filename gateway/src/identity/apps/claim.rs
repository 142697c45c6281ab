//! What the head of an application's call says about who signed it, and when.
use hyper::HeaderMap;
use hyper::header::HeaderName;
use jiff::Timestamp;

use super::id::AppId;
use crate::answer::{Code, Failure};

const APP: HeaderName = HeaderName::from_static("x-app-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("x-timestamp");
const NONCE: HeaderName = HeaderName::from_static("x-nonce");
const SIGNATURE: HeaderName = HeaderName::from_static("x-signature");

/// How far the clock of an application may be from ours, in both directions.
const SKEW_S: u64 = 5 * 60;

/// The longest nonce, in characters.
const NONCE_CHARS_MAX: usize = 64;

/// A SHA-256 has so many bytes.
const SIGNATURE_BYTES: usize = 32;

/// Who claims to call, before the body is there.
#[derive(Debug)]
pub enum AppClaim {
    /// An application that has signed the call.
    Signed(Box<SignedHead>),
    /// The head says nothing: the body must bring a token.
    Unsigned,
}

/// Who calls, after the signature was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppProof {
    /// This application, for certain.
    Signed(AppId),
    /// The call is not signed.
    Unsigned,
}

/// The head of a signed call.
#[derive(Debug)]
pub struct SignedHead {
    /// Who signed it.
    pub app: AppId,
    /// As it was sent, because it is signed.
    timestamp: String,
    nonce: String,
    signature: [u8; SIGNATURE_BYTES],
}

impl AppClaim {
    /// Reads the head of a call that came at this moment.
    pub fn of(headers: &HeaderMap, now: Timestamp) -> Result<Self, Failure> {
        let is_signed = [APP, TIMESTAMP, NONCE, SIGNATURE]
            .iter()
            .any(|name| headers.contains_key(name));
        if !is_signed {
            return Ok(Self::Unsigned);
        }
        SignedHead::of(headers, now).map(|head| Self::Signed(Box::new(head)))
    }
}

impl SignedHead {
    fn of(headers: &HeaderMap, now: Timestamp) -> Result<Self, Failure> {
        let app = header(headers, &APP, "X-App-Id")?;
        let app = AppId::new(app).map_err(|error| Failure::field("X-App-Id", error))?;
        let timestamp = header(headers, &TIMESTAMP, "X-Timestamp")?;
        let nonce = header(headers, &NONCE, "X-Nonce")?;
        let signature = header(headers, &SIGNATURE, "X-Signature")?;
        let is_visible = nonce.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_visible || !(1..=NONCE_CHARS_MAX).contains(&nonce.len()) {
            let expected = "must be 1 to 64 visible ASCII characters";
            return Err(Failure::field("X-Nonce", expected));
        }
        check_time(timestamp, now)?;
        Ok(Self {
            app,
            timestamp: timestamp.to_owned(),
            nonce: nonce.to_owned(),
            signature: from_hexadecimal(signature).ok_or_else(|| {
                let detail = "X-Signature: expected 64 hexadecimal digits";
                Failure::detailed(Code::SignatureWrong, detail)
            })?,
        })
    }

    /// The bytes that are signed: timestamp, line feed, nonce, line feed, body.
    pub(super) fn message(&self, body: &[u8]) -> Vec<u8> {
        let parts = [self.timestamp.as_bytes(), self.nonce.as_bytes(), body];
        parts.join(&b'\n')
    }

    pub(super) const fn signature(&self) -> &[u8] {
        &self.signature
    }
}

/// A header that a signed call needs.
fn header<'h>(
    headers: &'h HeaderMap,
    header: &HeaderName,
    name: &'static str,
) -> Result<&'h str, Failure> {
    let mut values = headers.get_all(header).iter();
    let Some(value) = values.next() else {
        let detail = format!("the header {name} is missing");
        return Err(Failure::detailed(Code::IdentityMissing, detail));
    };
    // A proxy or a reader behind us could take the other one.
    if values.next().is_some() {
        return Err(Failure::field(name, "comes twice"));
    }
    value
        .to_str()
        .map_err(|_| Failure::field(name, "must be visible ASCII characters"))
}

fn check_time(text: &str, now: Timestamp) -> Result<(), Failure> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(signed_s) = is_plain.then(|| text.parse::<i64>().ok()).flatten() else {
        let detail = "X-Timestamp: expected seconds since 1970";
        return Err(Failure::detailed(Code::TimestampOld, detail));
    };
    if signed_s.abs_diff(now.as_second()) > SKEW_S {
        return Err(Code::TimestampOld.into());
    }
    Ok(())
}

/// The bytes that hexadecimal digits stand for, of either case.
fn from_hexadecimal(text: &str) -> Option<[u8; SIGNATURE_BYTES]> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = [0; SIGNATURE_BYTES];
    if text.len() != 2 * SIGNATURE_BYTES {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(bytes)
}
