//! `drawbridge report`: what was drawn in an activity, and what it cost.
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use market::ActivityId;
use shards::results::{Effort, ResultKind, ResultsError, ResultsFilter};
use shards::store::StoreError;

use super::block_on::block_on_all_cores;
use super::look_up::{LIMITS, unknown_activity};
use super::output::{fail, refuse, say, say_json};
use super::progress::{rate, watched};
use super::run_command::RunCommand;
use super::storage::{OpenError, StorageArguments};
use crate::results::{ExportProgress, Report, Tally};

/// Which activity.
#[derive(Debug, Args)]
pub struct ReportOptions {
    /// The activity
    activity: ActivityId,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    storage: StorageArguments,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
enum ReportError {
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Read(#[from] ResultsError),
    #[error("the meta database: {0}")]
    Meta(#[from] StoreError),
}

impl ReportOptions {
    async fn report(&self) -> Result<Report, ReportError> {
        let installation = self.storage.open().await?;
        let stored = installation
            .look_up(LIMITS)
            .await
            .map_err(OpenError::from)?;
        let published = stored.catalogue().activity(self.activity);
        let published =
            published.ok_or_else(|| ReportError::Refused(unknown_activity(self.activity)))?;
        let progress = ExportProgress::default();
        let line = |passed: Duration| {
            let (draws, rate) = (progress.rows(), rate(progress.rows(), passed));
            format!("report: {draws} draws read, {rate} a second")
        };
        let mut tally = Tally::new(published.campaign.activity.time_zone.clone());
        let filter = ResultsFilter::all(ResultKind::Draws, self.activity);
        let results = stored.results(filter, Effort::ALONE);
        watched(line, tally.add_all(results, &progress)).await?;
        // After the draws: a total is never below what was issued of it.
        let totals = stored.stock_totals().await?;
        let left = stored.stock_last_left().await?;
        Ok(tally.report(published, &totals, &left))
    }
}

impl RunCommand for ReportOptions {
    fn storage(&self) -> Option<&StorageArguments> {
        Some(&self.storage)
    }

    fn run(&self) -> ExitCode {
        match block_on_all_cores(self.report()) {
            Ok(report) if self.json => {
                say_json(&report);
                ExitCode::SUCCESS
            }
            Ok(report) => {
                say(report.to_text());
                ExitCode::SUCCESS
            }
            Err(ReportError::Refused(why)) => refuse(why),
            Err(error) => fail(error),
        }
    }
}
