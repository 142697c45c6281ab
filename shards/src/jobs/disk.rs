//! Job `disk` of the embedded default: whether the data folder can be written. At rest a small file
//! is tried now and then. When that fails, or draws do, every database is written to, until all of
//! them can be again.
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;

use super::{Job, JobError, JobScope, Round};
use crate::metrics::Metrics;
use crate::readiness::Readiness;
use crate::store::SqliteFile;

/// How many rounds lie between two tries at rest.
const REST: u32 = 10;
/// What must fit: a few batches.
const PROBE_BYTES: usize = 64 * 1024;
/// What `/readyz` says of the disk is filed under this.
const OBSTACLE: &str = "disk";

pub(crate) struct Disk {
    /// A file that is there for a moment only.
    probe: PathBuf,
    files: Vec<SqliteFile>,
    metrics: Metrics,
    readiness: Arc<Readiness>,
    rounds: u32,
    /// Draws that had failed at the last round.
    failed: u64,
    well: bool,
}

impl Disk {
    /// Of the meta file and one file per shard.
    pub(crate) fn new(
        probe: PathBuf,
        files: Vec<SqliteFile>,
        metrics: Metrics,
        readiness: Arc<Readiness>,
    ) -> Self {
        Self {
            probe,
            files,
            metrics,
            readiness,
            rounds: 0,
            failed: 0,
            well: true,
        }
    }

    /// Whether nothing speaks against the disk since the last round.
    fn is_calm(&mut self) -> bool {
        let shards = u16::try_from(self.files.len() - 1).unwrap_or(u16::MAX);
        let failed = self.metrics.failed(shards);
        let calm = self.well && failed == self.failed;
        self.failed = failed;
        calm
    }
}

impl Job for Disk {
    const NAME: &'static str = "disk";
    const EVERY: Duration = Duration::from_millis(500);
    const SCOPE: JobScope = JobScope::Process;

    /// What it finds is shown by `/readyz`, and is no failure of the job.
    async fn round(&mut self) -> Result<Round, JobError> {
        let is_due = self.rounds.is_multiple_of(REST);
        self.rounds = self.rounds.wrapping_add(1);
        let calm = self.is_calm();
        if calm && !is_due {
            return Ok(Round::DONE);
        }
        let written = match write_probe(self.probe.clone()).await {
            Ok(()) if calm => Ok(()),
            Ok(()) => self.write_files().await,
            Err(error) => Err(error),
        };
        self.well = written.is_ok();
        match written {
            Ok(()) => self.readiness.clear(OBSTACLE),
            Err(why) => self
                .readiness
                .hinder(OBSTACLE, &format!("the disk cannot be written: {why}")),
        }
        Ok(Round::DONE)
    }
}

impl Disk {
    async fn write_files(&self) -> Result<(), String> {
        for file in &self.files {
            file.check_writable()
                .await
                .map_err(|error| format!("{}: {error}", file.path.display()))?;
        }
        Ok(())
    }
}

/// Writes a file of its own and removes it.
async fn write_probe(path: PathBuf) -> Result<(), String> {
    let written = spawn_blocking(move || {
        let written = write_whole(&path);
        // Gone in any case: it may have got part of the way.
        let _ = std::fs::remove_file(&path);
        written.map_err(|error| format!("{}: {error}", path.display()))
    });
    written.await.unwrap_or_else(|error| Err(error.to_string()))
}

fn write_whole(path: &Path) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    file.write_all(&vec![0; PROBE_BYTES])
}
