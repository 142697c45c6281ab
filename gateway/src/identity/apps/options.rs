//! An application, as configured.
use std::path::PathBuf;

use super::id::AppId;

/// An application, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppConfig {
    /// Its name.
    pub id: AppId,
    /// The keys that it may sign with: the new one and the old one, while it changes.
    pub key_files: Vec<PathBuf>,
    /// Its token, where a token is enough.
    pub token_file: Option<PathBuf>,
}
