//! `drawbridge results`: who won what, or how points moved, streamed from all shards.
use std::io::{self, BufWriter, Write as _};
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use market::{ActivityId, AwardId};
use shards::LookUp;
use shards::results::{Effort, ResultKind, ResultsError, ResultsFilter};

use super::block_on::block_on_all_cores;
use super::look_up::{LIMITS, unknown_activity};
use super::output::{fail, refuse};
use super::progress::{rate, watched};
use super::run_command::RunCommand;
use super::storage::{OpenError, StorageArguments};
use crate::results::{Export, ExportProgress, Format, PrizeState, RowsPerSecond, Sheet};

/// What is written to standard output at once.
const CHUNK_BYTES: usize = 256 * 1024;

/// Which results, and how to write them.
#[derive(Debug, Args)]
pub struct ResultsOptions {
    /// The activity; with --kind points none means all
    activity: Option<ActivityId>,
    /// Those of this prize only
    #[arg(long, value_name = "ID")]
    award: Option<AwardId>,
    /// Those in this state only
    #[arg(long, value_name = "STATE")]
    state: Option<PrizeState>,
    /// Made then or later, such as 2026-11-30T08:00:00+08:00
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<Timestamp>,
    /// Made before then
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    /// How they are written
    #[arg(long, default_value = "table")]
    format: Format,
    /// Begin CSV with a byte order mark, so that Excel reads it as UTF-8
    #[arg(long)]
    bom: bool,
    /// What: prizes that were drawn, what users were given or have bought, or how points moved
    #[arg(long, default_value = "draws")]
    kind: ResultsKind,
    /// Read at most so many rows a second
    #[arg(long, value_name = "N", value_parser = rows_per_second)]
    rate: Option<RowsPerSecond>,
    #[command(flatten)]
    storage: StorageArguments,
}

/// What is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ResultsKind {
    /// Prizes that were drawn
    Draws,
    /// What users were given or have bought beside prizes
    Recharges,
    /// Entries of the ledgers of points
    Points,
}

/// Why there is no file, or not all of it.
#[derive(Debug, thiserror::Error)]
enum ResultsCommandError {
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Wrong(&'static str),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("{0}; what was written so far is not all")]
    Read(#[from] ResultsError),
    #[error("standard output: {0}")]
    Write(#[from] io::Error),
}

/// A moment in RFC 3339, which has an offset.
fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| {
        "expected a time with its offset, such as 2026-11-30T08:00:00+08:00".to_owned()
    })
}

fn rows_per_second(text: &str) -> Result<RowsPerSecond, String> {
    let number: Option<NonZeroU32> = text.parse().ok();
    number.ok_or_else(|| format!("expected an integer from 1 to {}", u32::MAX))
}

impl ResultsKind {
    const fn of_calls(self) -> ResultKind {
        match self {
            Self::Draws => ResultKind::Draws,
            Self::Recharges => ResultKind::Recharges,
            Self::Points => ResultKind::Points,
        }
    }
}

impl ResultsOptions {
    /// Refuses what goes together with nothing.
    fn check(&self) -> Result<(), ResultsCommandError> {
        let wrong = |why| Err(ResultsCommandError::Wrong(why));
        if self.bom && self.format != Format::Csv {
            return wrong("--bom: only --format csv has a byte order mark");
        }
        if self.kind != ResultsKind::Draws && (self.award.is_some() || self.state.is_some()) {
            return wrong("--kind: only draws have a prize; leave out --award and --state");
        }
        if self.kind != ResultsKind::Points && self.activity.is_none() {
            return wrong("ACTIVITY is missing: only --kind points goes without one");
        }
        if let (Some(since), Some(until)) = (self.since, self.until)
            && since >= until
        {
            return wrong("--until: nothing lies between --since and a time that is not later");
        }
        Ok(())
    }

    async fn export(&self) -> Result<(), ResultsCommandError> {
        self.check()?;
        let installation = self.storage.open().await?;
        let stored = installation
            .look_up(LIMITS)
            .await
            .map_err(OpenError::from)?;
        let progress = ExportProgress::default();
        let line = |passed: Duration| {
            let (rows, calls) = (progress.rows(), progress.calls());
            let rate = rate(calls, passed);
            format!("results: {rows} written, {calls} calls read, {rate} a second")
        };
        watched(line, self.write(&stored, &progress)).await
    }

    async fn write(
        &self,
        stored: &LookUp,
        progress: &ExportProgress,
    ) -> Result<(), ResultsCommandError> {
        let zone = match self.activity {
            None => TimeZone::UTC,
            Some(activity) => {
                let published = stored.catalogue().activity(activity);
                let published = published
                    .ok_or_else(|| ResultsCommandError::Refused(unknown_activity(activity)))?;
                published.campaign.activity.time_zone.clone()
            }
        };
        let filter = ResultsFilter {
            award: self.award,
            since: self.since,
            until: self.until,
            ..ResultsFilter::all(self.kind.of_calls(), self.activity)
        };
        let sheet = Sheet {
            format: self.format,
            byte_order_mark: self.bom,
            zone,
            state: self.state,
        };
        let effort = match self.rate {
            Some(rate) => Effort::ALONE.paced(rate.get()),
            None => Effort::ALONE,
        };
        let results = stored.results(filter, effort);
        let mut export = Export::new(results, self.kind.of_calls(), sheet, self.rate, progress);
        let mut output = BufWriter::with_capacity(CHUNK_BYTES, io::stdout().lock());
        while let Some(lines) = export.next().await? {
            output.write_all(lines.as_bytes())?;
            if self.rate.is_some() {
                output.flush()?;
            }
        }
        Ok(output.flush()?)
    }
}

impl RunCommand for ResultsOptions {
    fn storage(&self) -> Option<&StorageArguments> {
        Some(&self.storage)
    }

    fn run(&self) -> ExitCode {
        match block_on_all_cores(self.export()) {
            Ok(()) => ExitCode::SUCCESS,
            // `results | head` has what it wants.
            Err(ResultsCommandError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                ExitCode::SUCCESS
            }
            Err(ResultsCommandError::Refused(why)) => refuse(why),
            Err(error) => fail(error),
        }
    }
}
