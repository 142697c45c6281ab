//! The auditor: compares the draws that users received with the orders in the shards.
//!
//! A kept file may have millions of lines, so it is read in pieces, and each piece is looked up in
//! all tables at once. Orders that no user received are found by counting: all keys of a run have
//! one prefix, and no more orders may have it than the file's keys explain.

mod findings;
mod shard;

use std::path::{Path, PathBuf};

use clap::{Args, value_parser};
use serde::Serialize;
use tokio::task::JoinSet;

use self::findings::Findings;
use self::shard::{Found, Shard, of_cluster, of_folder};
use crate::error::Error;
use crate::json::print_json;
use crate::keep::{KeptLine, lines};
use crate::target::{Target, parse_target};
use crate::verify;

/// Keys looked up at once.
const PIECE_KEYS: usize = 1_000;

#[derive(Clone, Debug, Args)]
pub(crate) struct AuditArgs {
    /// A file written by `load --keep` or `drive --keep`.
    #[arg(long)]
    pub(crate) file: PathBuf,
    /// Read the databases that this `cluster.json` names.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "data",
        required_unless_present = "data"
    )]
    pub(crate) cluster: Option<PathBuf>,
    /// Read the data folder of an embedded server, which may be running.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Read the draws from this gateway as well, as `verify` does.
    #[arg(long, value_parser = parse_target)]
    pub(crate) url: Option<Target>,
    /// Read this many draws from the gateway, chosen by the seed, instead of all.
    #[arg(long, requires = "url", value_parser = value_parser!(u64).range(1..=1_000_000))]
    pub(crate) sample: Option<u64>,
    /// Chooses the sample.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Connections to the gateway.
    #[arg(long, default_value_t = 16, value_parser = value_parser!(u16).range(1..=1_000))]
    pub(crate) connections: u16,
    /// Print the results as one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The findings in the shards, and those at the gateway.
#[derive(Debug, Serialize)]
pub(crate) struct AuditOutcome {
    shards: Findings,
    gateway: Option<verify::Findings>,
}

impl AuditOutcome {
    pub(crate) fn judge(&self) -> Result<(), Error> {
        self.shards.judge()?;
        self.gateway
            .as_ref()
            .map_or(Ok(()), verify::Findings::judge)
    }
}

impl std::fmt::Display for AuditOutcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.shards)?;
        if let Some(gateway) = &self.gateway {
            write!(f, "\ngateway: {gateway}")?;
        }
        Ok(())
    }
}

/// `loadtest audit`.
pub(crate) fn command(args: &AuditArgs) -> Result<(), Error> {
    let runtime = tokio::runtime::Runtime::new().map_err(|e| Error::io("runtime", e))?;
    let outcome = runtime.block_on(audit(args))?;
    if args.json {
        print_json(&outcome)?;
    } else {
        println!("{outcome}");
    }
    outcome.judge()
}

/// Audits the shards, and the gateway if one is given.
pub(crate) async fn audit(args: &AuditArgs) -> Result<AuditOutcome, Error> {
    let shards = match (&args.cluster, &args.data) {
        (Some(cluster), _) => of_cluster(cluster).await?,
        (None, Some(folder)) => of_folder(folder).await?,
        (None, None) => {
            return Err(Error::CannotRun("give --cluster or --data".to_owned()));
        }
    };
    let shards = look_up(&args.file, shards).await?;
    let gateway = match args.url {
        None => None,
        Some(url) => {
            let queue = verify::to_ask(&args.file, args.sample, args.seed)?;
            Some(verify::verify(url.0, args.connections, queue).await?)
        }
    };
    Ok(AuditOutcome { shards, gateway })
}

async fn look_up(file: &Path, mut shards: Vec<Shard>) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let (mut orders, mut whole) = (None, None);
    let mut piece = Vec::with_capacity(PIECE_KEYS);
    for line in lines(file)? {
        match line? {
            KeptLine::Run { run } => orders = Some(count(&mut shards, &run).await?),
            KeptLine::Kept { kept } => whole = Some(kept),
            line => piece.push(line),
        }
        if piece.len() == PIECE_KEYS {
            shards = look_up_piece(&mut findings, shards, &piece).await?;
            piece.clear();
        }
    }
    look_up_piece(&mut findings, shards, &piece).await?;
    match whole {
        Some(kept) if kept != findings.keys() => Err(Error::CannotRun(format!(
            "the file has {} keys, and its last line says {kept}",
            findings.keys()
        ))),
        Some(_) => {
            if let Some(orders) = orders {
                findings.note_count(orders);
            }
            Ok(findings)
        }
        None => Ok(findings),
    }
}

async fn count(shards: &mut [Shard], run: &str) -> Result<u64, Error> {
    let mut sum = 0;
    for shard in shards {
        sum += shard.count(run).await?;
    }
    Ok(sum)
}

/// Looks one piece up in all shards in parallel. Returns the shards.
async fn look_up_piece(
    findings: &mut Findings,
    shards: Vec<Shard>,
    piece: &[KeptLine],
) -> Result<Vec<Shard>, Error> {
    let keys: Vec<_> = piece.iter().filter_map(Findings::key_of).collect();
    let keys = serde_json::to_string(&keys).map_err(|e| Error::io("keys", e.into()))?;
    let mut tasks = JoinSet::new();
    for (number, mut shard) in shards.into_iter().enumerate() {
        let keys = keys.clone();
        tasks.spawn(async move {
            let found = shard.find(&keys).await;
            (number, shard, found)
        });
    }
    let mut all: Vec<Vec<Found>> = vec![Vec::new(); piece.len()];
    let mut answered = tasks.join_all().await;
    answered.sort_by_key(|(number, ..)| *number);
    let mut shards = Vec::new();
    for (_, shard, found) in answered {
        for order in found? {
            let orders = all.get_mut(order.index);
            orders
                .ok_or_else(|| Error::CannotRun("a database returned an unknown index".to_owned()))?
                .push(order);
        }
        shards.push(shard);
    }
    for (line, found) in piece.iter().zip(&all) {
        findings.note(line, found);
    }
    Ok(shards)
}

#[cfg(test)]
mod tests;
