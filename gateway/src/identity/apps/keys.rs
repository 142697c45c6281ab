//! The secrets of applications: the keys that they sign with, and the tokens of those that only
//! say who they are.
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use ring::digest::{SHA256, digest};
use ring::hmac;
use ring::rand::SystemRandom;
use subtle::ConstantTimeEq as _;

use super::claim::{AppClaim, AppProof, SignedHead};
use super::id::AppId;
use super::options::AppConfig;
use crate::answer::{Code, Failure};

/// Shorter keys could be guessed.
const KEY_BYTES_MIN: usize = 32;

/// Shorter tokens could be guessed.
const TOKEN_BYTES_MIN: usize = 16;

/// Larger than any key.
const FILE_BYTES_MAX: u64 = 4096;

/// The secrets of all applications.
pub struct AppKeyring {
    apps: BTreeMap<AppId, AppSecrets>,
    /// Stands for an application that is not known.
    nobody: AppSecrets,
}

/// The secrets of one application. What it does not have is replaced by random bytes that nobody
/// knows, so that each check costs the same.
struct AppSecrets {
    /// Two, so that one can be replaced by the other; the same twice where it has one.
    keys: [hmac::Key; 2],
    /// The SHA-256 of its token.
    token: [u8; 32],
    has_token: bool,
    /// What its files hold.
    fingerprint: Vec<[u8; 32]>,
}

impl AppKeyring {
    /// Reads the files. A message names the file and nothing that is in it.
    pub fn read(configs: &[AppConfig]) -> Result<Self, String> {
        let read = |config: &AppConfig| {
            let secrets = AppSecrets::read(config);
            let named = |why| format!("application {}: {why}", config.id.as_str());
            Ok((config.id.clone(), secrets.map_err(named)?))
        };
        let apps: Result<_, String> = configs.iter().map(read).collect();
        Ok(Self {
            apps: apps?,
            nobody: AppSecrets::unknowable()?,
        })
    }

    /// Whether another one has the same applications and secrets.
    pub fn is_same(&self, other: &Self) -> bool {
        let both = self.apps.iter().zip(&other.apps);
        let mut same = both.map(|((id, own), (other_id, other))| {
            id == other_id
                && own.has_token == other.has_token
                && own.fingerprint == other.fingerprint
        });
        self.apps.len() == other.apps.len() && same.all(|same| same)
    }

    /// Refuses a call by its head: of an application that is not known, or not signed where no
    /// application may bring a token.
    pub fn check_head(&self, claim: &AppClaim) -> Result<(), Failure> {
        match claim {
            AppClaim::Signed(head) if self.apps.contains_key(&head.app) => Ok(()),
            AppClaim::Signed(_) => Err(Code::AppUnknown.into()),
            AppClaim::Unsigned if self.apps.values().any(|app| app.has_token) => Ok(()),
            AppClaim::Unsigned => Err(unsigned()),
        }
    }

    /// Checks the signature of a call.
    pub fn check_signature(&self, head: &SignedHead, body: &[u8]) -> Result<(), Code> {
        let (secrets, is_known) = self.find(&head.app);
        let message = head.message(body);
        // Both keys, whichever matches: nobody learns by the time which one it was.
        let [newer, older] = secrets
            .keys
            .each_ref()
            .map(|key| hmac::verify(key, &message, head.signature()).is_ok());
        match (is_known, newer | older) {
            (false, _) => Err(Code::AppUnknown),
            (true, false) => Err(Code::SignatureWrong),
            (true, true) => Ok(()),
        }
    }

    /// Checks a token. Signed calls need none.
    pub fn check_token(
        &self,
        app: &AppId,
        token: Option<&str>,
        proof: &AppProof,
    ) -> Result<(), Failure> {
        let (secrets, is_known) = self.find(app);
        let given = sha_256(token.unwrap_or_default().as_bytes());
        let is_right = bool::from(given.ct_eq(&secrets.token)) & secrets.has_token;
        let is_signed = matches!(proof, AppProof::Signed(_));
        match (is_known, secrets.has_token, token) {
            // It was known when its signature was checked; a reload has come in between.
            (false, _, _) => Err(Code::AppUnknown.into()),
            (true, true, Some(_)) if is_right => Ok(()),
            (true, true, Some(_)) => Err(Code::AppTokenWrong.into()),
            _ if is_signed => Ok(()),
            (true, true, None) => Err(Code::AppTokenWrong.into()),
            (true, false, _) => Err(unsigned()),
        }
    }

    fn find(&self, app: &AppId) -> (&AppSecrets, bool) {
        match self.apps.get(app) {
            Some(secrets) => (secrets, true),
            None => (&self.nobody, false),
        }
    }
}

/// The failure of a call that must be signed.
fn unsigned() -> Failure {
    let detail = "sign it: X-App-Id, X-Timestamp, X-Nonce, X-Signature";
    Failure::detailed(Code::IdentityMissing, detail)
}

impl AppSecrets {
    fn read(config: &AppConfig) -> Result<Self, String> {
        let mut own = Self::unknowable()?;
        let mut keys = Vec::new();
        for path in &config.key_files {
            let key = secret(path, KEY_BYTES_MIN)?;
            own.fingerprint.push(sha_256(&key));
            keys.push(hmac::Key::new(hmac::HMAC_SHA256, &key));
        }
        if let (Some(first), Some(last)) = (keys.first(), keys.last()) {
            own.keys = [first.clone(), last.clone()];
        }
        if let Some(path) = &config.token_file {
            own.token = sha_256(&secret(path, TOKEN_BYTES_MIN)?);
            own.has_token = true;
            own.fingerprint.push(own.token);
        }
        Ok(own)
    }

    fn unknowable() -> Result<Self, String> {
        let random = SystemRandom::new();
        let key = || hmac::Key::generate(hmac::HMAC_SHA256, &random);
        let keys = key().and_then(|one| Ok([one, key()?]));
        let keys = keys.map_err(|_| "the system has no random numbers".to_owned())?;
        Ok(Self {
            keys,
            token: [0; 32],
            has_token: false,
            fingerprint: Vec::new(),
        })
    }
}

/// The secret in a file, as bytes, without white space at its end.
fn secret(path: &Path, bytes_min: usize) -> Result<Vec<u8>, String> {
    let named = |why: String| format!("{}: {why}", path.display());
    let mut content = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut content));
    read.map_err(|error| named(error.to_string()))?;
    if content.len() as u64 > FILE_BYTES_MAX {
        return Err(named(format!("is larger than {FILE_BYTES_MAX} bytes")));
    }
    let secret = content.trim_ascii_end();
    if secret.len() < bytes_min {
        let found = secret.len();
        let expected = format!("the secret has {found} bytes; expected at least {bytes_min}");
        return Err(named(expected));
    }
    Ok(secret.to_vec())
}

fn sha_256(bytes: &[u8]) -> [u8; 32] {
    digest(&SHA256, bytes)
        .as_ref()
        .try_into()
        .expect("SHA-256 has 32 bytes")
}
