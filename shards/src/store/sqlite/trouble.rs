//! Why a SQLite file cannot be used. SQLite reports little more than the fact, so this looks at the
//! file and its folder, and says what helps.
use std::fs::{File, OpenOptions};
use std::io::Error;
use std::path::Path;

use super::{Access, SqliteFile};
use crate::store::explained;

impl SqliteFile {
    /// The cause of SQLite's error with this code, as far as the files show it.
    pub(super) fn unavailable(&self, code: Option<i32>, message: &str) -> String {
        const ERROR: i32 = 1;
        const PERM: i32 = 3;
        const READONLY: i32 = 8;
        const IOERR: i32 = 10;
        const CORRUPT: i32 = 11;
        const FULL: i32 = 13;
        const CANTOPEN: i32 = 14;
        const NOTADB: i32 = 26;
        let path = self.path.display();
        match code.map(|code| code & 0xff) {
            Some(PERM | READONLY | IOERR | CANTOPEN) => match self.look() {
                Some(why) => why,
                None => format!("{path}: {message}"),
            },
            Some(CORRUPT) => {
                format!(
                    "{path} is damaged ({message}): restore a copy, together with the other files of the same moment"
                )
            }
            Some(ERROR) if message.contains("no such") => {
                format!(
                    "{path} was made by another version, or not completely ({message}): start `drawbridge serve` there"
                )
            }
            Some(FULL) => format!("{path}: the disk is full: make room"),
            Some(NOTADB) => format!(
                "{path} is no SQLite database: put the right file back, or name another folder"
            ),
            _ => format!("{path}: {message}"),
        }
    }

    /// What prevents using the file, with its name; `None` when nothing does.
    fn look(&self) -> Option<String> {
        let why = |path: &Path, error: &Error| format!("{}: {}", path.display(), explained(error));
        if let Err(error) = File::open(&self.path) {
            let made =
                self.access == Access::Create && error.kind() == std::io::ErrorKind::NotFound;
            if !made {
                return Some(why(&self.path, &error));
            }
        } else if self.access != Access::Read
            && let Err(error) = OpenOptions::new().write(true).open(&self.path)
        {
            return Some(why(&self.path, &error));
        }
        // For readers too: the log has an index in a file of its own beside the database.
        let folder = self.path.parent()?;
        let error = rustix::fs::access(folder, rustix::fs::Access::WRITE_OK).err()?;
        Some(format!(
            "{} (SQLite has side files there, readers too)",
            why(folder, &error.into())
        ))
    }
}
