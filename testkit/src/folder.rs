//! Temporary folders.
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A temporary folder, removed when this value is dropped.
#[derive(Debug)]
pub struct Folder(TempDir);

impl Folder {
    /// A new one. Its name begins with `drawbridge-`.
    pub fn new() -> Self {
        Self(
            tempfile::Builder::new()
                .prefix("drawbridge-")
                .tempdir()
                .expect("a temporary folder"),
        )
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        self.0.path()
    }

    /// The path of a file in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file and returns its path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, content).expect("a file can be written");
        text_of(&path)
    }

    /// Keeps the folder, so that it can be inspected.
    pub fn keep(&mut self) {
        self.0.disable_cleanup(true);
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

/// A path as a command line takes it.
pub fn text_of(path: &Path) -> String {
    path.to_str()
        .expect("temporary folders have plain names")
        .to_owned()
}
