//! What a server leaves in its data folder for commands that are given to it: its token, and its
//! admin address while it serves.
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::server::AdminServer;
use crate::config::Config;

/// The embedded default's own token, in its data folder.
pub(super) const TOKEN_FILE: &str = "admin-token";

/// The admin address of the server that holds the folder: `http://127.0.0.1:8092`.
const ADDRESS_FILE: &str = "admin-address";

/// Longest address that is read.
const ADDRESS_BYTES_MAX: u64 = 1024;

/// The file with a server's admin address; removed when this value is dropped. A server that was
/// killed leaves it there. The next holder of the folder writes another one.
#[derive(Debug)]
pub(super) struct AddressFile(PathBuf);

impl AddressFile {
    /// Writes where a server listens, for its owner only. A server without a data folder writes
    /// nothing. One that cannot write serves all the same.
    pub(super) fn write(config: &Config, admin: SocketAddr) -> Option<Self> {
        let path = config.storage.folder()?.join(ADDRESS_FILE);
        let scheme = if config.admin.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let line = format!("{scheme}://{}\n", reachable(admin));
        match write(&path, &line) {
            Ok(()) => Some(Self(path)),
            Err(error) => {
                let path = path.display();
                tracing::warn!(%path, %error, "commands will not find this server");
                None
            }
        }
    }
}

impl Drop for AddressFile {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// Removes the address of a server that has died. Only for a process that holds the folder.
pub(super) fn forget_server(folder: &Path) {
    remove(&folder.join(ADDRESS_FILE));
}

/// The server that holds the folder of an installation; `None` while its address is not known.
pub(super) fn server_of(config: &Config) -> Result<Option<AdminServer>, String> {
    let Some(folder) = config.storage.folder() else {
        return Ok(None);
    };
    let path = folder.join(ADDRESS_FILE);
    let Some(address) = read(&path).map_err(|error| format!("{}: {error}", path.display()))? else {
        return Ok(None);
    };
    let token_file = config.admin.token_file.clone();
    let token_file = token_file.unwrap_or_else(|| folder.join(TOKEN_FILE));
    let server = AdminServer::at(address.trim(), token_file);
    server
        .map(Some)
        .map_err(|why| format!("{}: {why}", path.display()))
}

/// An address to which this machine connects: a server that listens on all of its addresses is
/// reached on that of the machine itself.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Writes a file as a whole: a reader sees the old one or the new one.
fn write(path: &Path, line: &str) -> std::io::Result<()> {
    let unfinished = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(line.as_bytes())?;
    std::fs::rename(&unfinished, path)
}

fn read(path: &Path) -> std::io::Result<Option<String>> {
    match std::fs::metadata(path) {
        Ok(found) if found.len() > ADDRESS_BYTES_MAX => {
            Err(std::io::Error::other("is too long for an address"))
        }
        Ok(_) => std::fs::read_to_string(path).map(Some),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn remove(path: &Path) {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "the address of a server stays");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_all_interfaces_is_reached_on_this_machine() {
        for (listens, reached) in [
            ("0.0.0.0:1", "127.0.0.1:1"),
            ("[::]:1", "[::1]:1"),
            ("10.0.0.1:1", "10.0.0.1:1"),
            ("127.0.0.2:1", "127.0.0.2:1"),
        ] {
            let listens = listens.parse().expect("an address");
            assert_eq!(reachable(listens).to_string(), reached);
        }
    }
}
