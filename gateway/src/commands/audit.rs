//! `drawbridge audit`: checks the invariants over all shards.
use std::process::ExitCode;

use clap::Args;
use shards::audit::{Check, Report, audit, audit_cluster};
use shards::cluster::Installation;

use super::{Installed, NO, Place, block_on, complain, fail, operator, say};

/// What to audit, and how to say it.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    place: Place,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// First mend a cluster's stock, as far as that is safe at any time: decide over open grants,
    /// deliver recorded operations, and count anew what is left where the sum is wrong. Orders and
    /// accounts are never touched
    #[arg(long)]
    repair: bool,
}

impl Options {
    pub(super) fn place(&self) -> &Place {
        &self.place
    }
}

pub fn run(options: &Options) -> ExitCode {
    let report = match block_on(look(options)) {
        Ok(report) => report,
        Err(error) => return fail(error),
    };
    if options.json {
        say(format_args!("{}\n", report.to_json()));
    } else {
        say(&report);
    }
    if report.ok() { ExitCode::SUCCESS } else { ExitCode::from(NO) }
}

async fn look(options: &Options) -> Result<Report, Box<dyn std::error::Error>> {
    match options.place.open().await? {
        Installed::Folder(_) if options.repair => {
            Err("the embedded default counts its stock anew at each start: nothing to repair".into())
        }
        Installed::Folder(folder) => Ok(audit(&folder).await?),
        Installed::Cluster(cluster) if options.repair => repair(&cluster).await,
        Installed::Cluster(cluster) => Ok(audit_cluster(&cluster).await?),
    }
}

/// Mends what is safe to mend, and looks again. What was done is said on standard error.
async fn repair(cluster: &Installation) -> Result<Report, Box<dyn std::error::Error>> {
    for done in cluster.mend().await? {
        complain(format_args!("{done}\n"));
    }
    let report = audit_cluster(cluster).await?;
    let wrong = |check: &Check| check.name == "stock_adds_up" && check.ok() == Some(false);
    if !report.checks.iter().any(wrong) {
        return Ok(report);
    }
    for (server, epoch) in cluster.rebuild(&operator(), "audit --repair").await? {
        complain(format_args!("stock server {server}: rebuilt under epoch {epoch}\n"));
    }
    Ok(audit_cluster(cluster).await?)
}
