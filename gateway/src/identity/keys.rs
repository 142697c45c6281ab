//! The keys that tokens are checked with. Each key has one algorithm, fixed by the
//! configuration or the key set: a token may name it, and never chooses it.
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, JwkSet, KeyAlgorithm, KeyOperations, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, Validation};
use ring::digest::{SHA256, digest};

use super::crypto;

/// Shorter secrets could be guessed.
const SECRET_BYTES_MIN: usize = 32;

/// Those of RSA keys of 2048 bits, below which ring checks nothing.
const MODULUS_BYTES_MIN: usize = 256;

/// Larger than any key file.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// How tokens may be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SigningAlgorithm {
    /// HMAC with SHA-256: a secret that issuer and server share.
    Hs256,
    /// Ed25519.
    EdDsa,
    /// RSA, PKCS #1 v1.5 with SHA-256.
    Rs256,
}

impl SigningAlgorithm {
    fn algorithm(self) -> Algorithm {
        match self {
            SigningAlgorithm::Hs256 => Algorithm::HS256,
            SigningAlgorithm::EdDsa => Algorithm::EdDSA,
            SigningAlgorithm::Rs256 => Algorithm::RS256,
        }
    }
}

/// Where the keys are.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// One key: a secret, or a public key as PEM.
    File {
        /// Its file.
        path: PathBuf,
        /// How it is used.
        signing: SigningAlgorithm,
    },
    /// A JSON Web Key Set; the token's `kid` chooses among its keys.
    Set {
        /// Its file.
        path: PathBuf,
    },
}

/// The claims that a token must have, whatever key has signed it.
#[derive(Debug, Clone, Default)]
pub struct ExpectedClaims {
    /// One of `aud`. Without it a token must name no audience.
    pub audience: Option<String>,
    /// `iss`.
    pub issuer: Option<String>,
}

/// A key, and the claims that are expected of tokens that it has signed.
pub struct TokenKey {
    pub(super) decoding: DecodingKey,
    pub(super) validation: Validation,
}

impl TokenKey {
    fn new(signing: SigningAlgorithm, decoding: DecodingKey, expected: &ExpectedClaims) -> Self {
        let mut validation = Validation::new(signing.algorithm());
        // Times are compared at each use of a token, not only when its signature is checked.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        if let Some(audience) = &expected.audience {
            validation.set_audience(&[audience]);
            validation.required_spec_claims.insert("aud".to_owned());
        }
        if let Some(issuer) = &expected.issuer {
            validation.set_issuer(&[issuer]);
            validation.required_spec_claims.insert("iss".to_owned());
        }
        Self {
            decoding,
            validation,
        }
    }
}

/// All keys.
pub enum TokenKeys {
    /// For every token, whatever `kid` it names.
    One(Box<TokenKey>),
    /// By `kid`.
    Set(HashMap<String, TokenKey>),
}

impl TokenKeys {
    /// Reads them. The message names the file, and nothing that is in it.
    pub fn read(source: &KeySource, expected: &ExpectedClaims) -> Result<Self, String> {
        crypto::install();
        let (KeySource::File { path, .. } | KeySource::Set { path }) = source;
        let keys = content(path).and_then(|content| match source {
            KeySource::File { signing, .. } => one(&content, *signing).map(|decoding| {
                TokenKeys::One(Box::new(TokenKey::new(*signing, decoding, expected)))
            }),
            KeySource::Set { .. } => set(&content, expected).map(TokenKeys::Set),
        });
        keys.map_err(|why| format!("{}: {why}", path.display()))
    }

    /// A hash of what their file holds.
    pub fn fingerprint(source: &KeySource) -> Result<[u8; 32], String> {
        let (KeySource::File { path, .. } | KeySource::Set { path }) = source;
        let content = content(path).map_err(|why| format!("{}: {why}", path.display()))?;
        Ok(digest(&SHA256, &content)
            .as_ref()
            .try_into()
            .expect("SHA-256 has 32 bytes"))
    }

    /// The key for a token with this `kid`.
    pub fn find(&self, kid: Option<&str>) -> Option<&TokenKey> {
        match self {
            TokenKeys::One(key) => Some(key),
            TokenKeys::Set(keys) => keys.get(kid?),
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        match self {
            TokenKeys::One(_) => 1,
            TokenKeys::Set(keys) => keys.len(),
        }
    }
}

fn content(path: &Path) -> Result<Vec<u8>, String> {
    let mut content = Vec::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut content)
        .map_err(|error| error.to_string())?;
    if content.len() as u64 > FILE_BYTES_MAX {
        return Err("is larger than 1 MiB".to_owned());
    }
    Ok(content)
}

fn one(content: &[u8], signing: SigningAlgorithm) -> Result<DecodingKey, String> {
    let holds = |part: &str| {
        content
            .windows(part.len())
            .any(|window| window == part.as_bytes())
    };
    let is_pem = holds("-----BEGIN ");
    match signing {
        // A public key that is configured as a secret would let anyone sign tokens.
        SigningAlgorithm::Hs256 if is_pem => {
            Err("holds a PEM, and HS256 takes a secret".to_owned())
        }
        SigningAlgorithm::Hs256 => {
            checked(signing, DecodingKey::from_secret(content.trim_ascii_end()))
        }
        // A private key can do more than this server should be able to do.
        _ if holds("PRIVATE KEY-----") || !holds("PUBLIC KEY-----") => {
            Err("expected a public key as PEM (BEGIN PUBLIC KEY)".to_owned())
        }
        SigningAlgorithm::EdDsa => checked(
            signing,
            DecodingKey::from_ed_pem(content).map_err(|_| "is not a public key of Ed25519")?,
        ),
        SigningAlgorithm::Rs256 => checked(
            signing,
            DecodingKey::from_rsa_pem(content).map_err(|_| "is not a public key of RSA")?,
        ),
    }
}

/// Refuses keys that are too weak, or that no token would ever match.
fn checked(signing: SigningAlgorithm, key: DecodingKey) -> Result<DecodingKey, String> {
    let bytes = match key.kind() {
        DecodingKeyKind::SecretOrDer(bytes) => bytes.len(),
        DecodingKeyKind::RsaModulusExponent { n, .. } => {
            n.iter().skip_while(|byte| **byte == 0).count()
        }
    };
    match signing {
        SigningAlgorithm::Hs256 if bytes < SECRET_BYTES_MIN => Err(format!(
            "the secret has {bytes} bytes; expected at least {SECRET_BYTES_MIN}"
        )),
        SigningAlgorithm::EdDsa if bytes != 32 => Err("is not a public key of Ed25519".to_owned()),
        SigningAlgorithm::Rs256 if bytes < MODULUS_BYTES_MIN => {
            Err("expected an RSA key of at least 2048 bits".to_owned())
        }
        _ => Ok(key),
    }
}

/// The keys of a set that sign in a way that we take; a set may hold others too.
fn set(content: &[u8], expected: &ExpectedClaims) -> Result<HashMap<String, TokenKey>, String> {
    // What the reader says of a fault may quote the text, which may be a secret.
    let set: JwkSet = serde_json::from_slice(content).map_err(|error| {
        format!(
            "is not a JSON Web Key Set (line {}, column {})",
            error.line(),
            error.column()
        )
    })?;
    let mut keys = HashMap::new();
    for (number, jwk) in set.keys.iter().enumerate() {
        let Some(signing) = signing_of(jwk) else {
            continue;
        };
        let nth = |why: &str| format!("key {}: {why}", number + 1);
        let kid = jwk.common.key_id.clone().ok_or_else(|| nth("has no kid"))?;
        let decoding = DecodingKey::from_jwk(jwk).map_err(|_| nth("is broken"))?;
        let decoding = checked(signing, decoding).map_err(|why| nth(&why))?;
        match keys.entry(kid) {
            Entry::Vacant(entry) => entry.insert(TokenKey::new(signing, decoding, expected)),
            Entry::Occupied(_) => return Err(nth("has the kid of another")),
        };
    }
    if keys.is_empty() {
        return Err("has no key for signatures by HS256, EdDSA or RS256".to_owned());
    }
    Ok(keys)
}

/// How a key of a set signs; `None` for what is not for signatures, or signs in another way.
fn signing_of(jwk: &Jwk) -> Option<SigningAlgorithm> {
    let common = &jwk.common;
    let for_signatures = common
        .public_key_use
        .as_ref()
        .is_none_or(|usage| *usage == PublicKeyUse::Signature)
        && common
            .key_operations
            .as_ref()
            .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    let signing = match &jwk.algorithm {
        AlgorithmParameters::OctetKey(_) => SigningAlgorithm::Hs256,
        AlgorithmParameters::RSA(_) => SigningAlgorithm::Rs256,
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => {
            SigningAlgorithm::EdDsa
        }
        _ => return None,
    };
    // `alg` is optional; the kind of key says the same where there is none.
    let agrees = common
        .key_algorithm
        .is_none_or(|algorithm| algorithm == KeyAlgorithm::from(signing.algorithm()));
    (for_signatures && agrees).then_some(signing)
}
