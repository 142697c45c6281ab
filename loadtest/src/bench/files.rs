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
