//! What to send, how often and to which server: the options of `loadtest load`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, value_parser};

use crate::call::{UserPattern, parse_path};
use crate::error::Error;
use crate::load::arrivals::Spacing;
use crate::load::profile::Profile;
use crate::load::spread::Spread;
use crate::target::{Target, parse_target};

#[derive(Clone, Debug, Args)]
pub(crate) struct LoadArgs {
    #[command(flatten)]
    pub(crate) plan: LoadPlan,
    /// Write each call with the draw that its user received to this file, one JSON document a line,
    /// for `loadtest audit`.
    #[arg(long, value_name = "FILE", conflicts_with = "no_key")]
    pub(crate) keep: Option<PathBuf>,
    /// Write the report to this file as one JSON document.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write a page with plots to this folder, which is created if it does not exist.
    #[arg(long, value_name = "DIR")]
    pub(crate) report: Option<PathBuf>,
    /// Print progress each second, even if standard error is not a terminal.
    #[arg(long)]
    pub(crate) progress: bool,
}

/// What to send, how often and to which server.
#[derive(Clone, Debug, Args)]
pub(crate) struct LoadPlan {
    /// The server, for example `http://127.0.0.1:8091`.
    #[arg(long, value_parser = parse_target)]
    pub(crate) url: Target,
    /// The path of the draw call.
    #[arg(long, default_value = "/api/v1/raffle/activity/draw", value_parser = parse_path)]
    pub(crate) path: String,
    /// The ids of users; {} is the user's number.
    #[arg(long, default_value = "u{}")]
    pub(crate) user_pattern: UserPattern,
    /// The activity to draw in.
    #[arg(long, default_value_t = 200_001)]
    pub(crate) activity: u64,
    /// Users to choose from.
    #[arg(long, default_value_t = 1_000_000, value_parser = value_parser!(u64).range(1..=1_000_000_000))]
    pub(crate) users: u64,
    /// How arrivals are spread over users: uniform, or zipf:EXPONENT.
    #[arg(long, default_value = "uniform")]
    pub(crate) spread: Spread,
    /// Arrivals a second.
    #[arg(long, default_value_t = 1_000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(crate) rate: u32,
    /// Seconds of arrivals.
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u64).range(1..=7_200))]
    pub(crate) seconds: u64,
    /// Instead of rate and seconds: segments with commas, hold:R:TIME, ramp:R..R:TIME,
    /// step:R..R:STEPS:TIME or spike:R:TIME, for example ramp:0..5000:30s,hold:5000:1m.
    #[arg(long, conflicts_with_all = ["rate", "seconds"])]
    pub(crate) profile: Option<Profile>,
    /// How arrivals are spaced.
    #[arg(long, value_enum, default_value_t = Spacing::Poisson)]
    pub(crate) spacing: Spacing,
    /// Seconds at the beginning that the totals leave out.
    #[arg(long, default_value_t = 0, value_parser = value_parser!(u64).range(0..=600))]
    pub(crate) warmup_seconds: u64,
    /// Connections, each with at most one request in flight.
    #[arg(long, default_value_t = 256, value_parser = value_parser!(u16).range(1..=10_000))]
    pub(crate) connections: u16,
    /// Threads of the driver.
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u16).range(1..=64))]
    pub(crate) threads: u16,
    /// Milliseconds that an attempt may take.
    #[arg(long, default_value_t = 10_000, value_parser = value_parser!(u64).range(1..=60_000))]
    pub(crate) timeout_ms: u64,
    /// Attempts after the first one, with the same key, where another attempt may help.
    #[arg(long, default_value_t = 0, value_parser = value_parser!(u8).range(0..=20))]
    pub(crate) retries: u8,
    /// Arrivals and retries that may wait. Further arrivals are dropped and counted.
    #[arg(long, default_value_t = 100_000, value_parser = value_parser!(u32).range(1..=10_000_000))]
    pub(crate) backlog: u32,
    /// Seconds after the last arrival in which waiting calls are still sent.
    #[arg(long, default_value_t = 15, value_parser = value_parser!(u64).range(0..=60))]
    pub(crate) drain_seconds: u64,
    /// Send no Idempotency-Key, for servers that do not know it.
    #[arg(long)]
    pub(crate) no_key: bool,
    /// Chooses arrivals and users. Keys differ between runs with the same seed.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

impl LoadPlan {
    /// A plan with the default of every option.
    pub(crate) fn usual() -> Self {
        /// PlanOptions of a plan and nothing else.
        #[derive(Parser)]
        struct PlanOptions {
            #[command(flatten)]
            plan: LoadPlan,
        }
        // Only the server has no default.
        PlanOptions::parse_from(["load", "--url", "http://127.0.0.1:1"]).plan
    }

    /// The rate over time, however it was given.
    pub(crate) fn profile(&self) -> Result<Profile, Error> {
        let profile = match &self.profile {
            Some(profile) => profile.clone(),
            None => Profile::hold(self.rate, self.seconds).map_err(Error::CannotRun)?,
        };
        if self.warmup() >= profile.length() {
            return Err(Error::CannotRun(
                "the warm-up is as long as the whole run".to_owned(),
            ));
        }
        Ok(profile)
    }

    pub(crate) fn warmup(&self) -> Duration {
        Duration::from_secs(self.warmup_seconds)
    }

    pub(crate) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    pub(crate) fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }
}
