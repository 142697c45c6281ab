//! Open-loop load: requests are sent when they are due, not after the response to an earlier one.
//!
//! A closed loop waits while a server stalls, so the stall is one slow request in its figures. Here
//! each user who came meanwhile counts with the time that they waited, because latency is measured
//! from when a request was due. (To leave them out is called "coordinated omission".)
//!
//! * `profile`, `arrivals` and `spread` decide what is due when and for which user;
//! * `agenda` holds what waits, `retry` decides what is sent again, `record` counts and measures.
//!   All of these are pure;
//! * `run` sends.

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
pub(crate) use self::report::LoadReport;
pub(crate) use self::run::{Run, Watch, run};
pub(crate) use self::spread::Spread;
use crate::error::Error;

/// The length of the record's periods. The report shows seconds; long measurements use periods.
const PERIOD_SECONDS: usize = 60;

/// `loadtest load`.
pub(crate) fn command(args: &LoadArgs) -> Result<(), Error> {
    // Fails before the run, not after it.
    if let Some(folder) = &args.report {
        fs::create_dir_all(folder).map_err(|e| Error::io(folder.display().to_string(), e))?;
    }
    let watch = Watch {
        progress: args.progress,
        period_seconds: PERIOD_SECONDS,
    };
    let run = run(&args.plan, args.keep.as_deref(), watch)?;
    let report = LoadReport::new(&args.plan, &run);
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
