//! Who may use the admin address: a secret token per person, or one per role, sent as
//! `Authorization: Bearer`.
//!
//! A token is looked up by a hash under a key of this process. So neither the time of the search
//! nor that of the comparison reveals how much of a token was right.
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use market::random::Randomness;
use ring::hmac;
use shards::OsRandom;
use subtle::ConstantTimeEq;

use crate::config::AdminConfig;

/// Shorter ones could be guessed.
const TOKEN_CHARS_MIN: usize = 16;

/// Longest file of a token.
const TOKEN_BYTES_MAX: u64 = 4 * 1024;

/// Far more tokens than there should be people who can turn draws off.
const TOKENS_MAX: usize = 1_000;

/// Longest name of a person.
const NAME_CHARS_MAX: usize = 64;

/// The mode bits of users who are neither the owner nor in the group. (Kubernetes lets readers of a
/// secret in through the group.)
const OTHERS: u32 = 0o007;

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Read.
    Viewer,
    /// Read and change.
    Operator,
}

impl Role {
    /// The folder of its personal tokens.
    const fn folder(self) -> &'static str {
        match self {
            Role::Viewer => "viewers",
            Role::Operator => "operators",
        }
    }

    /// The name of a caller whose token is shared.
    const fn shared_name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
        }
    }
}

/// Who calls, by the token that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminCaller {
    /// Whose token it is; `operator` or `viewer` for a shared one.
    pub name: String,
    /// What the caller may do.
    pub role: Role,
    /// Whether the token is a person's.
    pub is_person: bool,
}

impl AdminCaller {
    /// The name under which a change is recorded. A name in the request counts only with a shared
    /// token; beside a person's token it is recorded as a remark: `alice (as "bob")`.
    pub fn who(&self, said: Option<&str>) -> String {
        match said.map(str::trim).filter(|said| !said.is_empty()) {
            Some(said) if !self.is_person => said.to_owned(),
            Some(said) if said != self.name => {
                let room =
                    crate::text::WHO_CHARS_MAX - self.name.chars().count() - r#" (as "")"#.len();
                let said: String = said.chars().take(room).collect();
                format!(r#"{} (as "{said}")"#, self.name)
            }
            _ => self.name.clone(),
        }
    }
}

/// Why a request has no caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unauthenticated {
    /// It sends no token.
    Missing,
    /// Its token is not known.
    Unknown,
}

/// A secret. It is never shown.
#[derive(Clone)]
pub struct AdminToken(String);

impl std::fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl AdminToken {
    /// The token in a file, without the white space around it.
    pub fn read(path: &Path) -> Result<Self, String> {
        Self::read_from(path, &mut open(path)?)
    }

    /// The same for a file that only its owner and group may read.
    fn read_private(path: &Path) -> Result<Self, String> {
        let mut file = open(path)?;
        let metadata = file
            .metadata()
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let mode = metadata.mode();
        if mode & OTHERS != 0 {
            let path = path.display();
            let mode = mode & 0o7777;
            return Err(format!(
                "{path}: every user of this machine may read it (mode {mode:04o}): chmod 600 {path}"
            ));
        }
        Self::read_from(path, &mut file)
    }

    fn read_from(path: &Path, file: &mut File) -> Result<Self, String> {
        let failed = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
        let mut text = String::new();
        let length = file
            .take(TOKEN_BYTES_MAX + 1)
            .read_to_string(&mut text)
            .map_err(|error| failed(&error))?;
        if length as u64 > TOKEN_BYTES_MAX {
            return Err(failed(&format_args!(
                "has more than {TOKEN_BYTES_MAX} bytes; expected a token"
            )));
        }
        let token = text.trim();
        if token.len() < TOKEN_CHARS_MIN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            let expected =
                format_args!("expected at least {TOKEN_CHARS_MIN} visible ASCII characters");
            return Err(failed(&expected));
        }
        Ok(Self(token.to_owned()))
    }

    /// The token in a file. A missing file is created with a random token, for its owner only.
    pub fn read_or_make(path: &Path) -> Result<Self, String> {
        match path.try_exists() {
            Ok(true) => {}
            Ok(false) => make(path).map_err(|error| format!("{}: {error}", path.display()))?,
            Err(error) => return Err(format!("{}: {error}", path.display())),
        }
        Self::read(path)
    }

    /// The token itself, to be sent.
    pub fn secret(&self) -> &str {
        &self.0
    }
}

fn open(path: &Path) -> Result<File, String> {
    File::open(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Creates a file with a random token. It gets its name when it is complete: a start that is killed
/// here leaves nothing that stops the next one.
fn make(path: &Path) -> std::io::Result<()> {
    let mut random = OsRandom::default();
    let token = format!("{:016x}{:016x}\n", random.next_u64(), random.next_u64());
    let unfinished = path.with_extension("new");
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(token.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)
}

/// The personal tokens of a folder: `operators/alice`, `viewers/bob`. A name ends at the first dot,
/// so `alice` and `alice.new` are both hers while one replaces the other.
fn personal(folder: &Path) -> Result<Vec<(AdminCaller, AdminToken)>, String> {
    let failed = |path: &Path, why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let mut tokens = Vec::new();
    for path in visible(folder)? {
        let role = [Role::Operator, Role::Viewer]
            .into_iter()
            .find(|role| path.ends_with(role.folder()));
        let Some(role) = role else {
            return Err(failed(
                &path,
                &"is in no role's folder; expected operators/NAME or viewers/NAME",
            ));
        };
        for path in visible(&path)? {
            if tokens.len() == TOKENS_MAX {
                return Err(failed(
                    folder,
                    &format_args!("has more than {TOKENS_MAX} tokens"),
                ));
            }
            let name = name_of(&path).map_err(|why| failed(&path, &why))?;
            tokens.push((
                AdminCaller {
                    name,
                    role,
                    is_person: true,
                },
                AdminToken::read_private(&path)?,
            ));
        }
    }
    Ok(tokens)
}

/// The files of a folder, without hidden ones: those of editors, and the `..data` of Kubernetes.
fn visible(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
        if paths.len() > TOKENS_MAX {
            return Err(format!(
                "{}: has more than {TOKENS_MAX} files",
                folder.display()
            ));
        }
    }
    paths.sort_unstable();
    Ok(paths)
}

/// The name of the person whose token a file holds.
fn name_of(path: &Path) -> Result<String, String> {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let name = file.split('.').next().unwrap_or_default();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_@".contains(&byte);
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.bytes().all(is_plain) {
        return Err(format!(
            "expected a name of 1 to {NAME_CHARS_MAX} letters, digits, -, _ and @, before the first dot"
        ));
    }
    Ok(name.to_owned())
}

type Digest = [u8; 32];

/// The tokens that are known.
pub struct TokenStore {
    /// The embedded default's own token, which counts where no other operator's is configured.
    own: Option<PathBuf>,
    key: hmac::Key,
    known: ArcSwap<HashMap<Digest, AdminCaller>>,
}

impl TokenStore {
    /// Reads the tokens.
    pub fn open(config: &AdminConfig, own: Option<PathBuf>) -> Result<Self, String> {
        let mut random = OsRandom::default();
        let key: [u64; 4] = std::array::from_fn(|_| random.next_u64());
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.map(u64::to_le_bytes).as_flattened());
        let store = Self {
            own,
            key,
            known: ArcSwap::default(),
        };
        store.reload(config)?;
        Ok(store)
    }

    /// Reads the tokens again; returns whether they have changed. When one cannot be read, all stay
    /// as they were.
    pub fn reload(&self, config: &AdminConfig) -> Result<bool, String> {
        let known = self.read(config)?;
        let changed = known != **self.known.load();
        self.known.store(Arc::new(known));
        Ok(changed)
    }

    fn read(&self, config: &AdminConfig) -> Result<HashMap<Digest, AdminCaller>, String> {
        let mut tokens = config
            .tokens_dir
            .as_deref()
            .map(personal)
            .transpose()?
            .unwrap_or_default();
        let shared = |role: Role| AdminCaller {
            name: role.shared_name().to_owned(),
            role,
            is_person: false,
        };
        let operator = match (&config.token_file, &self.own) {
            (Some(path), _) => Some(AdminToken::read(path)?),
            (None, Some(own)) if config.tokens_dir.is_none() => {
                Some(AdminToken::read_or_make(own)?)
            }
            (None, _) => None,
        };
        tokens.extend(operator.map(|token| (shared(Role::Operator), token)));
        let viewer = config
            .viewer_token_file
            .as_deref()
            .map(AdminToken::read)
            .transpose()?;
        tokens.extend(viewer.map(|token| (shared(Role::Viewer), token)));
        let mut known = HashMap::new();
        for (caller, token) in tokens {
            let name = caller.name.clone();
            if let Some(other) = known.insert(self.digest(token.secret()), caller.clone())
                && other != caller
            {
                return Err(format!(
                    "{name} and {} have the same token: who acts would not be known",
                    other.name
                ));
            }
        }
        Ok(known)
    }

    /// Who sends these headers.
    pub fn caller(&self, headers: &HeaderMap) -> Result<AdminCaller, Unauthenticated> {
        let sent = headers.get(AUTHORIZATION).ok_or(Unauthenticated::Missing)?;
        let token = sent
            .to_str()
            .ok()
            .and_then(|sent| sent.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer"))
            .map(|(_, token)| token)
            .ok_or(Unauthenticated::Unknown)?;
        let digest = self.digest(token);
        let known = self.known.load();
        match known.get_key_value(&digest) {
            Some((found, caller)) if bool::from(found.ct_eq(&digest)) => Ok(caller.clone()),
            _ => Err(Unauthenticated::Unknown),
        }
    }

    fn digest(&self, token: &str) -> Digest {
        hmac::sign(&self.key, token.as_bytes())
            .as_ref()
            .try_into()
            .expect("SHA-256 has 32 bytes")
    }
}

#[cfg(test)]
mod tests;
