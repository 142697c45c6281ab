//! `drawbridge audit`: checks the invariants over all shards.
use std::process::ExitCode;

use clap::Args;
use shards::audit::{Report, audit};

use super::{NO, Place, block_on, fail, say};

/// What to audit, and how to say it.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    place: Place,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(options: &Options) -> ExitCode {
    let report: Report = match options.place.folder() {
        Ok(folder) => match block_on(audit(&folder)) {
            Ok(report) => report,
            Err(error) => return fail(error),
        },
        Err(error) => return fail(error),
    };
    if options.json {
        say(format_args!("{}\n", report.to_json()));
    } else {
        say(&report);
    }
    if report.ok() { ExitCode::SUCCESS } else { ExitCode::from(NO) }
}
