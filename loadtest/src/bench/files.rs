//! The files that a benchmark needs, and the folder that it may fill.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// Fails before the minutes that the limits take.
pub(super) fn require_files<const N: usize>(paths: [&PathBuf; N]) -> Result<(), Error> {
    match paths.into_iter().find(|path| !path.is_file()) {
        Some(path) => Err(Error::CannotRun(format!(
            "{} is not a file",
            path.display()
        ))),
        None => Ok(()),
    }
}

/// The folder of the results, which also holds the databases. The system's temporary folder may be
/// in memory, where a commit costs nothing.
pub(super) fn folder_of(out: &Path) -> Result<PathBuf, Error> {
    let folder = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    fs::create_dir_all(&folder).map_err(|e| Error::io(folder.display().to_string(), e))?;
    // Databases need an absolute path.
    folder
        .canonicalize()
        .map_err(|e| Error::io(folder.display().to_string(), e))
}

/// Fails when the disk of `folder` has less room than `bytes`.
pub(super) fn require_space(folder: &Path, bytes: u64) -> Result<(), Error> {
    let failed = |e: rustix::io::Errno| Error::io(folder.display().to_string(), e.into());
    let disk = rustix::fs::statvfs(folder).map_err(failed)?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    if free >= bytes {
        return Ok(());
    }
    let gib = |bytes: u64| bytes.div_ceil(1 << 30);
    Err(Error::CannotRun(format!(
        "{} has room for less than {} GiB, and this needs up to {} GiB: name a folder on another disk with --out, or \
         write fewer orders with --orders",
        folder.display(),
        gib(free),
        gib(bytes)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_too_small_is_noticed_before() {
        let folder = std::env::temp_dir();
        assert!(require_space(&folder, 1).is_ok());
        let error = require_space(&folder, u64::MAX).expect_err("no disk has that");
        assert!(error.to_string().contains("--orders"), "{error}");
    }
}
