//! Mints tokens, good ones and hostile ones. The unit tests of identity include this file too.
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair, RsaPublicKeyComponents,
};
use serde_json::{Value, json};

/// A secret that is long enough.
pub const SECRET: &str = "a secret of at least thirty-two bytes";

/// Who signs a token.
pub enum Signer {
    Secret(Vec<u8>),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
    /// Leaves the signature empty.
    Unsigned,
}

impl Signer {
    pub fn secret() -> Self {
        Signer::Secret(SECRET.as_bytes().to_vec())
    }

    /// The owner of `tests/keys/rsa.pem`.
    pub fn rsa() -> Self {
        Signer::Rsa(RsaKeyPair::from_pkcs8(include_bytes!("../../keys/rsa.pk8")).expect("a key"))
    }

    /// The owner of `tests/keys/ed25519.pem`.
    pub fn ed25519() -> Self {
        let key = include_bytes!("../../keys/ed25519.pk8");
        Signer::Ed25519(Ed25519KeyPair::from_pkcs8_maybe_unchecked(key).expect("a key"))
    }

    /// A stranger with a new key of Ed25519.
    pub fn stranger() -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        Signer::Ed25519(Ed25519KeyPair::from_pkcs8(key.as_ref()).expect("a key"))
    }

    /// The name of its algorithm.
    pub fn algorithm(&self) -> &'static str {
        match self {
            Signer::Secret(_) => "HS256",
            Signer::Ed25519(_) => "EdDSA",
            Signer::Rsa(_) => "RS256",
            Signer::Unsigned => "none",
        }
    }

    /// What verifies its signatures, as a key of a set.
    pub fn jwk(&self, kid: &str) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Signer::Secret(secret) => {
                json!({"kty": "oct", "kid": kid, "alg": "HS256", "k": text(secret)})
            }
            Signer::Ed25519(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": text(key.public_key().as_ref())})
            }
            Signer::Rsa(key) => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(key.public_key());
                json!({"kty": "RSA", "kid": kid, "use": "sig", "n": text(&public.n), "e": text(&public.e)})
            }
            Signer::Unsigned => panic!("an unsigned token has no key"),
        }
    }

    /// A token with these claims and an honest header.
    pub fn mint(&self, claims: &Value) -> String {
        self.mint_under(&json!({"alg": self.algorithm(), "typ": "JWT"}), claims)
    }

    /// The same for a key of a set.
    pub fn mint_as(&self, kid: &str, claims: &Value) -> String {
        self.mint_under(&json!({"alg": self.algorithm(), "kid": kid}), claims)
    }

    /// A token with any header.
    pub fn mint_under(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = self.sign(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Signer::Secret(secret) => {
                let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
                ring::hmac::sign(&key, message).as_ref().to_vec()
            }
            Signer::Ed25519(key) => key.sign(message).as_ref().to_vec(),
            Signer::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(
                    &RSA_PKCS1_SHA256,
                    &SystemRandom::new(),
                    message,
                    &mut signature,
                )
                .expect("a signature");
                signature
            }
            Signer::Unsigned => Vec::new(),
        }
    }
}
