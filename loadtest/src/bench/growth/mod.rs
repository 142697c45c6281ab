//! How the cost of a draw grows: the cluster's draw benchmark with more shards, more prizes, more
//! accounts, more connections, one at a time and each in a cluster of its own.

pub(super) mod accounts;
mod campaign;
mod line;
mod step;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::{Args, value_parser};
use router::SlotMap;

use crate::bench::cases::mysql_insert;
use crate::bench::cluster::{Cluster, Setup, TABLES};
use crate::bench::driving::{Driven, drive_crowd, plan};
use crate::bench::files::{folder_of, require_files};
use crate::bench::growth::line::GrowthLine;
use crate::bench::growth::step::{DEFAULT_STEPS, GrowthStep, Setting};
use crate::bench::interrupt::run_to_end;
use crate::bench::options::{ACTIVITY, Effort, Programs};
use crate::bench::results;

use crate::error::Error;
use crate::request::RequestCase;

#[derive(Clone, Debug, Args)]
pub(crate) struct GrowthArgs {
    #[command(flatten)]
    pub(crate) effort: Effort,
    /// The lines of the table: shards=N, prizes=N, accounts=N or connections=N, with commas between
    /// them. The other values of a line are 2 shards, 9 prizes, no accounts, 512 connections.
    #[arg(long, value_delimiter = ',', default_value = DEFAULT_STEPS)]
    pub(crate) steps: Vec<GrowthStep>,
    /// Minutes for the whole run: no line is begun that would probably end later.
    #[arg(long, default_value_t = 30, value_parser = value_parser!(u64).range(1..=600))]
    pub(crate) minutes: u64,
    #[command(flatten)]
    pub(crate) programs: Programs,
    /// Where to write the results; the same folder holds the data of the runs until they end.
    #[arg(long, default_value = "target/bench/growth.json")]
    pub(crate) out: PathBuf,
}

/// `loadtest growth`.
pub(crate) fn command(args: &GrowthArgs) -> Result<(), Error> {
    run_to_end(growth(args))
}

async fn growth(args: &GrowthArgs) -> Result<(), Error> {
    require_files([&args.programs.drawbridge, &args.programs.cluster])?;
    let folder = folder_of(&args.out)?;
    let start = Instant::now();
    let limit = Duration::from_mins(args.minutes);
    let (mut lines, mut longest) = (Vec::new(), Duration::ZERO);
    for (done, step) in args.steps.iter().enumerate() {
        if start.elapsed() + longest > limit {
            let left: Vec<String> = args.steps[done..]
                .iter()
                .map(GrowthStep::to_string)
                .collect();
            eprintln!(
                "no time is left for {}: measure them with --steps",
                left.join(",")
            );
            break;
        }
        eprintln!("{step}");
        let began = Instant::now();
        lines.push(measure(args, &folder, *step).await?);
        longest = longest.max(began.elapsed());
        // After each line, so that no line is lost if the run is stopped.
        results::write(&args.out, &lines)?;
    }
    print!("{}", line::table(&lines));
    println!("\nwritten to {}", args.out.display());
    Ok(())
}

async fn measure(args: &GrowthArgs, folder: &Path, step: GrowthStep) -> Result<GrowthLine, Error> {
    let setting = step.setting();
    let cluster = Cluster::start(&args.programs, folder, Setup::of_shards(setting.shards)).await?;
    let activity = publish(&cluster, folder, setting).await?;
    load(&cluster, setting, activity).await?;
    let driven = drive_on(args, &cluster, setting, activity).await?;
    cluster.stop_gateway_and_audit().await?;
    // On the servers that the draws used, with the work that the draws left behind.
    let inserted = mysql_insert(&cluster, args.effort.seconds).await?;
    Ok(GrowthLine::new(step, &driven, inserted))
}

/// The activity to draw in.
async fn publish(cluster: &Cluster, folder: &Path, setting: Setting) -> Result<u64, Error> {
    let Some(prizes) = setting.prizes else {
        return Ok(ACTIVITY);
    };
    let text = campaign::text(prizes);
    cluster.publish_text(&text, folder).await?;
    Ok(campaign::ACTIVITY)
}

async fn load(cluster: &Cluster, setting: Setting, activity: u64) -> Result<(), Error> {
    let Some(accounts) = setting.accounts else {
        return Ok(());
    };
    let map = SlotMap::even(1, setting.shards, TABLES);
    let map = map.map_err(|e| Error::CannotRun(e.to_string()))?;
    let began = Instant::now();
    accounts::load(cluster.shards(), map, activity, accounts).await?;
    eprintln!(
        "  {accounts} accounts loaded in {:.1} s",
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

async fn drive_on(
    args: &GrowthArgs,
    cluster: &Cluster,
    setting: Setting,
    activity: u64,
) -> Result<Driven, Error> {
    cluster.wait_drawing(activity).await?;
    let mut plan = plan(
        args.effort,
        cluster.gateway(),
        RequestCase::Draw,
        setting.connections,
    );
    plan.activity = activity;
    // All users that draw have an account already.
    plan.users = setting.accounts.unwrap_or(plan.users);
    drive_crowd(plan, &cluster.watched()).await
}
