//! Values that several sections have.
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use settings::{Faulted, Section};

/// What becomes of files that a configuration names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedFiles {
    /// They are read: passwords are needed, and a broken key should be seen at once.
    Read,
    /// They are not read: what they hold does not matter here.
    Leave,
}

/// A time of at least a millisecond and at most ten minutes.
pub fn milliseconds(
    section: &Section<'_>,
    key: &'static str,
    default: u64,
) -> Result<Duration, Faulted> {
    section
        .integer(key, 1..=600_000)
        .or(default)
        .map(Duration::from_millis)
}

/// Where to listen. Of names only `localhost` is one address for sure.
pub fn socket_address(text: &str) -> Result<SocketAddr, String> {
    let numeric = text
        .strip_prefix("localhost:")
        .map_or(text.to_owned(), |port| format!("127.0.0.1:{port}"));
    let expected =
        |_| format!("expected an IP address and a port such as 127.0.0.1:8091, found {text:?}");
    numeric.parse().map_err(expected)
}

/// The path of a file or a folder, if the section names one.
pub fn path(section: &Section<'_>, key: &'static str) -> Result<Option<PathBuf>, Faulted> {
    section
        .string(key, 1..=4096)
        .optional()
        .map(|path| path.map(PathBuf::from))
}
