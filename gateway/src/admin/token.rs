//! Who may do what on the admin address: a secret token per role, sent as `Authorization: Bearer`.
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use market::random::Randomness;
use shards::OsRandom;
use subtle::ConstantTimeEq;

/// Shorter ones could be guessed.
const TOKEN_CHARS_MIN: usize = 16;

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Viewer,
    /// Look and change.
    Operator,
}

/// A secret. It is never shown.
#[derive(Clone)]
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    /// The token in a file; white space around it does not count.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let token = text.trim();
        if token.len() < TOKEN_CHARS_MIN || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!("{}: expected at least {TOKEN_CHARS_MIN} visible ASCII characters", path.display()));
        }
        Ok(Self(token.to_owned()))
    }

    /// The token in a file, which is made with a random one when it is not there, for its owner only.
    pub fn read_or_make(path: &Path) -> Result<Self, String> {
        match path.try_exists() {
            Ok(true) => {}
            Ok(false) => make(path).map_err(|error| format!("{}: {error}", path.display()))?,
            Err(error) => return Err(format!("{}: {error}", path.display())),
        }
        Self::read(path)
    }

    /// The text, to be sent.
    pub fn secret(&self) -> &str {
        &self.0
    }

    /// Takes as long whatever was sent.
    fn is(&self, sent: &str) -> bool {
        self.0.as_bytes().ct_eq(sent.as_bytes()).into()
    }
}

/// Makes a file with a random token. It gets its name when it is whole: a start that is killed here
/// leaves nothing that the next one stumbles over.
fn make(path: &Path) -> std::io::Result<()> {
    let mut random = OsRandom::default();
    let token = format!("{:016x}{:016x}\n", random.next_u64(), random.next_u64());
    let unfinished = path.with_extension("new");
    match std::fs::remove_file(&unfinished) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(token.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)
}

/// The tokens that are known.
#[derive(Debug, Clone, Default)]
pub struct Tokens {
    /// Who may change things.
    pub operator: Option<Token>,
    /// Who may look.
    pub viewer: Option<Token>,
}

impl Tokens {
    /// The caller's role; `None` for a stranger.
    pub fn role(&self, headers: &HeaderMap) -> Option<Role> {
        let sent = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")?;
        let known = |token: &Option<Token>| token.as_ref().is_some_and(|token| token.is(sent));
        // Both are compared, whoever it is.
        match (known(&self.operator), known(&self.viewer)) {
            (true, _) => Some(Role::Operator),
            (false, true) => Some(Role::Viewer),
            (false, false) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(text: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, text.parse().expect("a header"))])
    }

    #[test]
    fn a_token_gives_its_role_and_nothing_else_does() {
        let token = |text: &str| Some(Token(text.to_owned()));
        let tokens = Tokens { operator: token("operators-secret-1"), viewer: token("viewers-secret-123") };
        assert_eq!(tokens.role(&headers("Bearer operators-secret-1")), Some(Role::Operator));
        assert_eq!(tokens.role(&headers("Bearer viewers-secret-123")), Some(Role::Viewer));
        for text in
            ["Bearer operators-secret-", "Bearer operators-secret-12", "Bearer ", "operators-secret-1", "Basic x"]
        {
            assert_eq!(tokens.role(&headers(text)), None, "{text}");
        }
        assert_eq!(tokens.role(&HeaderMap::new()), None);
        assert_eq!(Tokens::default().role(&headers("Bearer ")), None);
    }

    #[test]
    fn a_token_file_is_made_once_for_its_owner_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("admin-token");
        let made = Token::read_or_make(&path).expect("made");
        let read = Token::read_or_make(&path).expect("read");
        assert_eq!(made.secret(), read.secret());
        assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        std::fs::remove_file(&path).expect("removed");
        // What a start that was killed leaves.
        std::fs::write(path.with_extension("new"), "").expect("written");
        let anew = Token::read_or_make(&path).expect("made anew");
        assert_ne!(anew.secret(), made.secret());
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1);
        std::fs::write(&path, "short").expect("written");
        assert!(Token::read(&path).is_err());
        assert!(!format!("{made:?}").contains(made.secret()));
    }
}
