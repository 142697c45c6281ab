//! Job `disk` of the embedded default: checks that the data folder can be written. While all is
//! well, it writes a small file now and then. When that fails, or draws do, it writes to every
//! database until all succeed.
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;

use super::{Job, JobError, JobScope, Round};
use crate::metrics::Metrics;
use crate::readiness::Readiness;
use crate::store::SqliteFile;

/// How many rounds lie between two checks while all is well.
const REST: u32 = 10;
/// The size of the file: a few batches must fit.
const PROBE_BYTES: usize = 64 * 1024;
/// The name of the disk in `/readyz`.
const OBSTACLE: &str = "disk";

pub(crate) struct Disk {
    /// A file that exists for a moment only.
    probe: PathBuf,
    files: Vec<SqliteFile>,
    metrics: Metrics,
    readiness: Arc<Readiness>,
    rounds: u32,
    /// Failed draws at the last round.
    failed: u64,
    well: bool,
}

impl Disk {
    /// The files: the meta file and one per shard.
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

    /// Whether no draw has failed since the last round.
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

    /// The result is shown by `/readyz`, and is no failure of the job.
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

/// Writes a small file and removes it.
async fn write_probe(path: PathBuf) -> Result<(), String> {
    let written = spawn_blocking(move || {
        let written = write_whole(&path);
        // Removed in any case: a failed write may have left a part.
        let _ = std::fs::remove_file(&path);
        written.map_err(|error| format!("{}: {error}", path.display()))
    });
    written.await.unwrap_or_else(|error| Err(error.to_string()))
}

fn write_whole(path: &Path) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    file.write_all(&vec![0; PROBE_BYTES])
}
