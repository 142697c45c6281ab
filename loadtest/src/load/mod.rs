//! Open-loop load: requests are sent when they are due, not when an earlier one was answered.
//!
//! A closed loop waits with a server that stalls, so the stall is one slow request in its figures.
//! Here everybody who came meanwhile counts with the time that they waited ("coordinated omission"
//! is what leaving them out is called): latency is measured from the moment a request was due.
//!
//! `profile`, `arrivals` and `spread` say what is due when and for whom, `agenda` what waits,
//! `retry` what is asked again, `record` what was seen; all of them are pure. `run` puts them to
//! work.

mod agenda;
mod arrivals;
mod page;
mod plan;
mod profile;
mod progress;
pub(crate) mod record;
pub(crate) mod report;
mod retry;
mod run;
mod spread;
mod svg;
mod timer;

use std::fs;

pub(crate) use self::plan::{LoadArgs, LoadPlan};
pub(crate) use self::report::Report;
pub(crate) use self::run::{Run, Watch, run};
pub(crate) use self::spread::Spread;
use crate::error::Error;

/// The record's periods are for those who measure for long; the report shows seconds.
const PERIOD_SECONDS: usize = 60;

/// `loadtest load`.
pub(crate) fn command(args: &LoadArgs) -> Result<(), Error> {
    // Said before the run, not after it.
    if let Some(folder) = &args.report {
        fs::create_dir_all(folder).map_err(|e| Error::io(folder.display().to_string(), e))?;
    }
    let watch = Watch {
        progress: args.progress,
        period_seconds: PERIOD_SECONDS,
    };
    let run = run(&args.plan, args.keep.as_deref(), watch)?;
    let report = Report::new(&args.plan, &run);
    println!("{report}");
    if let Some(path) = &args.json {
        report.write(path)?;
    }
    if let Some(folder) = &args.report {
        page::write(folder, &report, &run)?;
        println!("plots are in {}", folder.join("index.html").display());
    }
    Ok(())
}
