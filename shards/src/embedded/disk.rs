//! Whether the data folder can be written. At rest a small file is tried now and then; when that
//! fails, or draws do, every database is written to, until all of them can be again.
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::folder::Folder;
use crate::metrics::Metrics;
use crate::readiness::Readiness;
use crate::store::{Access, SqliteFile};

/// How often it is looked whether draws fail, and tried again while the disk cannot be written.
const PAUSE: Duration = Duration::from_millis(500);
/// How many looks lie between two tries at rest.
const REST: u32 = 10;
/// What must fit: a few batches.
const PROBE_BYTES: usize = 64 * 1024;
/// What `/readyz` says of the disk is filed under this.
const OBSTACLE: &str = "disk";

pub(super) struct Disk {
    probe: PathBuf,
    files: Vec<SqliteFile>,
    shards: u16,
    metrics: Metrics,
    readiness: Arc<Readiness>,
    /// Draws that had failed at the last look.
    failed: u64,
    well: bool,
}

impl Disk {
    pub(super) fn new(
        folder: &Folder,
        shards: u16,
        metrics: Metrics,
        readiness: Arc<Readiness>,
    ) -> Self {
        let files = folder.files(shards, Access::Write);
        Self {
            probe: folder.probe(),
            files,
            shards,
            metrics,
            readiness,
            failed: 0,
            well: true,
        }
    }

    /// Looks until told to stop.
    pub(super) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut ticks = interval(PAUSE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for look in 0_u32.. {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = stop.wait_for(|&stop| stop) => return,
            }
            let failed = self.metrics.failed(self.shards);
            let calm = self.well && failed == self.failed;
            self.failed = failed;
            if calm && look % REST != 0 {
                continue;
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
        }
    }

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
