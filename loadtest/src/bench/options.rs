//! Options that several benchmarks share.

use std::path::PathBuf;

use clap::{Args, value_parser};

/// The activity that benchmarks draw in.
pub(super) const ACTIVITY: u64 = 200_001;

/// How long each case is measured, and by how many threads.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Effort {
    /// Seconds measured for each case and round.
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u64).range(1..=120))]
    pub(crate) seconds: u64,
    /// Threads of the driver.
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u16).range(1..=64))]
    pub(crate) threads: u16,
}

/// Files that a benchmark starts or reads.
#[derive(Clone, Debug, Args)]
pub(crate) struct Programs {
    /// The gateway's binary.
    #[arg(long, default_value = "target/release/drawbridge")]
    pub(crate) drawbridge: PathBuf,
    /// The script that starts clusters.
    #[arg(long, default_value = "deploy/local/cluster")]
    pub(crate) cluster: PathBuf,
    /// The campaign file with activity 200001, for the embedded default; clusters have it already.
    #[arg(long, default_value = "deploy/campaigns/load.toml")]
    pub(crate) campaign: PathBuf,
}
