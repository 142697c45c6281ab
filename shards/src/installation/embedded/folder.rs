//! The data folder: its files, and the process that holds it.
use std::fs::{DirBuilder, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{sleep, timeout};

use crate::meta::Meta;
use crate::store::{Access, MigrateError, SqliteFile, explained, migrate_meta, named};

/// A start that fails may take two seconds: a folder that another process holds is reported well
/// within them.
const LOCK_RETRIES: u32 = 10;
/// A server waits longer: a short command may be at work in the folder.
const LOCK_RETRIES_OF_SERVERS: u32 = 70;
const LOCK_RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// Dropped connections close in the background. This is the wait for them, and for other processes
/// that have the files open.
const FOLD_UP_MAX: Duration = Duration::from_secs(3);
const FOLD_UP_PAUSE: Duration = Duration::from_millis(20);

/// A data folder is for its owner only.
const FOLDER_MODE: u32 = 0o700;

/// The permissions of users who are neither the owner nor in the group.
const OTHERS: u32 = 0o007;

/// A data folder that this process does not hold.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
}

/// A data folder that only this process may serve from. Other processes may still read it and
/// publish into it.
#[derive(Debug)]
pub struct Held {
    folder: Folder,
    meta: Meta<SqliteFile>,
    /// Unlocked when dropped, and by the system when the process dies.
    _lock: File,
}

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process serves from it.
    #[error(
        "the data folder {} is held by another process: stop that one (its number is in the file LOCK there), or name \
         another folder: --data DIR",
        absolute(.0).display()
    )]
    Held(PathBuf),
    /// The folder does not exist, or no server was ever started in it.
    #[error(
        "there is no data folder at {}{}: `drawbridge serve` makes it when it first starts; name one that is elsewhere: \
         --data DIR",
        absolute(.0).display(),
        if .0.is_dir() { " (the folder has no meta.sqlite)" } else { "" }
    )]
    Missing(PathBuf),
    /// The file system returned an error.
    #[error("{}: {}", absolute(path).display(), explained(error))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The error.
        error: std::io::Error,
    },
    /// There are shards, but their meta file is missing.
    #[error("{} has shard files but no meta.sqlite: restore it, without it ids would be given out twice", .0.display())]
    MetaMissing(PathBuf),
    /// A database file cannot be used.
    #[error("{}", named(&path.display().to_string(), why))]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

/// The absolute path, for a message: the operator may have meant another folder.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

impl FolderError {
    pub(crate) fn file(file: &SqliteFile, error: &MigrateError) -> Self {
        Self::File {
            path: file.path.clone(),
            why: error.to_string(),
        }
    }
}

impl Folder {
    /// The folder at `path`. A missing one is made, for its owner only.
    pub fn create(path: &Path) -> Result<Self, FolderError> {
        let io = |error| FolderError::Io {
            path: path.to_owned(),
            error,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE)
            .create(path)
            .map_err(io)?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// A warning when too many users may enter the folder, with what helps. Changes nothing: it may
    /// be intended.
    pub fn access_warning(&self) -> Option<String> {
        let mode = std::fs::metadata(&self.path).ok()?.mode();
        (mode & OTHERS != 0).then(|| {
            let path = self.path.display();
            format!(
                "every user of this machine gets into the data folder {path} (mode {:04o}), which holds the users' \
                 draws: chmod 700 {path}",
                mode & 0o7777
            )
        })
    }

    /// The folder at `path`, which must hold a meta file.
    pub fn existing(path: &Path) -> Result<Self, FolderError> {
        let folder = Self {
            path: path.to_owned(),
        };
        let meta = folder.meta_file(Access::Read).path;
        match std::fs::metadata(&meta) {
            Ok(found) if found.is_file() => Ok(folder),
            Ok(_) => Err(FolderError::File {
                path: meta,
                why: "is no file".to_owned(),
            }),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Err(FolderError::Missing(folder.path))
            }
            Err(error) => Err(FolderError::Io { path: meta, error }),
        }
    }

    /// Takes the folder's lock for this process.
    pub async fn hold(self) -> Result<Held, FolderError> {
        self.hold_after(LOCK_RETRIES).await
    }

    /// The same for a server.
    pub(super) async fn hold_for_server(self) -> Result<Held, FolderError> {
        self.hold_after(LOCK_RETRIES_OF_SERVERS).await
    }

    async fn hold_after(self, retries: u32) -> Result<Held, FolderError> {
        let path = self.path.join("LOCK");
        let io = |error| FolderError::Io {
            path: path.clone(),
            error,
        };
        let options = &mut File::options();
        let options = options
            .create(true)
            .truncate(false)
            .write(true)
            .mode(crate::store::FILE_MODE);
        let mut lock = options.open(&path).map_err(io)?;
        match try_lock(&lock, retries).await {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FolderError::Held(self.path)),
            Err(TryLockError::Error(error)) => return Err(io(error)),
        }
        // For operators who look for the holder; the lock itself is the system's.
        lock.set_len(0)
            .and_then(|()| writeln!(lock, "{}", std::process::id()))
            .map_err(io)?;
        let meta_file = self.meta_file(Access::Write);
        if self.shard(0, Access::Read).path.exists() && !meta_file.path.exists() {
            return Err(FolderError::MetaMissing(self.path));
        }
        let meta = self.meta().await?;
        // The snapshot of an earlier holder is not valid for our stock.
        let forgotten = meta.stock_snapshots().forget().await;
        forgotten.map_err(|error| FolderError::File {
            path: meta_file.path,
            why: error.to_string(),
        })?;
        Ok(Held {
            folder: self,
            meta,
            _lock: lock,
        })
    }

    /// Whether a process holds the folder now. The check itself holds it for an instant, which
    /// [`Folder::hold`] waits out.
    pub fn is_held(&self) -> Result<bool, FolderError> {
        let path = self.path.join("LOCK");
        let lock = match File::open(&path) {
            Ok(lock) => lock,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(FolderError::Io { path, error }),
        };
        // A shared lock, so that two checks do not see each other.
        match lock.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(FolderError::Io { path, error }),
        }
    }

    /// The meta database, migrated, for publishing and for stock operations.
    pub async fn meta(&self) -> Result<Meta<SqliteFile>, FolderError> {
        let create = self.meta_file(Access::Create);
        migrate_meta(&create)
            .await
            .map_err(|error| FolderError::file(&create, &error))?;
        Ok(Meta::new(self.meta_file(Access::Write)))
    }

    /// The meta database, which must be migrated, for changes.
    pub(crate) fn meta_for_changes(&self) -> Meta<SqliteFile> {
        Meta::new(self.meta_file(Access::Write))
    }

    /// The meta database, only for reading.
    pub fn meta_for_reading(&self) -> Meta<SqliteFile> {
        Meta::new(self.meta_file(Access::Read))
    }

    /// The file of a shard.
    pub fn shard(&self, shard: u16, access: Access) -> SqliteFile {
        SqliteFile {
            path: self.path.join(format!("shard-{shard}.sqlite")),
            access,
        }
    }

    /// All database files.
    pub(super) fn files(&self, shards: u16, access: Access) -> Vec<SqliteFile> {
        let shards = (0..shards).map(|shard| self.shard(shard, access));
        std::iter::once(self.meta_file(access))
            .chain(shards)
            .collect()
    }

    /// A file that exists for a moment only, to check that one can be written.
    pub(super) fn probe(&self) -> PathBuf {
        self.path.join("probe")
    }

    /// Merges the side files of the databases into the databases, so that the `*.sqlite` files
    /// alone are everything. Where a server runs, that is left to it. What cannot be done now is
    /// done when the files are opened next.
    pub async fn fold_up(&self) {
        if !self.is_held().is_ok_and(|held| held) {
            self.fold_up_all().await;
        }
    }

    async fn fold_up_all(&self) {
        if timeout(FOLD_UP_MAX, self.fold_up_each()).await.is_err() {
            tracing::warn!("another process has the databases open: side files stay");
        }
    }

    async fn fold_up_each(&self) {
        let is_there = |shard: &u16| self.shard(*shard, Access::Write).path.exists();
        let shards = (0..u16::MAX)
            .find(|shard| !is_there(shard))
            .unwrap_or_default();
        let files = self.files(shards, Access::Write);
        join_all(files.iter().filter(|file| file.path.exists()).map(fold_up)).await;
    }

    /// The file of the meta database.
    pub(crate) fn meta_file(&self, access: Access) -> SqliteFile {
        SqliteFile {
            path: self.path.join("meta.sqlite"),
            access,
        }
    }
}

/// Until its side files are gone.
async fn fold_up(file: &SqliteFile) {
    loop {
        match file.fold_up().await {
            Ok(true) => return,
            Ok(false) => sleep(FOLD_UP_PAUSE).await,
            Err(error) => {
                tracing::warn!(%error, file = %file.path.display(), "side files stay");
                return;
            }
        }
    }
}

/// Takes the lock. Another process that only checks whether the folder is held has it for an
/// instant, so a refusal is tried again.
async fn try_lock(lock: &File, retries: u32) -> Result<(), TryLockError> {
    for _ in 0..retries {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => sleep(LOCK_RETRY_INTERVAL).await,
            done => return done,
        }
    }
    lock.try_lock()
}

impl Held {
    /// Lets go of the folder: from now on the `*.sqlite` files alone are everything, and may be
    /// copied. All connections to them must have been dropped before.
    pub async fn let_go(self) {
        let Self {
            folder,
            meta,
            _lock,
        } = self;
        drop(meta);
        folder.fold_up_all().await;
    }

    /// The folder.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Its meta database.
    pub fn meta(&self) -> &Meta<SqliteFile> {
        &self.meta
    }
}
