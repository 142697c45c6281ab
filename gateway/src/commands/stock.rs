//! `drawbridge stock show|add|withdraw|rebuild`: the stock of limited prizes. Every change is recorded
//! with who asked for it and why.
use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use jiff::Timestamp;
use market::batch::Prize;
use market::{ActivityId, AwardId};
use router::SlotMap;
use shards::cluster::Installation;
use shards::embedded::{Folder, FolderError, issued, withdraw_at_rest};
use shards::meta::{Meta, Operation, StockChange};
use shards::store::{Database, StoreError};
use tokio::time::{Instant, sleep};

use crate::admin::text::printable;

use super::{ForTheRecord, Installed, NO, Place, PlaceError, block_on, complain, fail, say};

/// How long a withdrawal waits for the running server.
const WITHDRAWAL_TIMEOUT: Duration = Duration::from_secs(5);

/// What to do with stock.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show every limited prize: total, issued and left
    Show {
        #[command(flatten)]
        place: Place,
        /// One activity only
        #[arg(long)]
        activity: Option<ActivityId>,
        /// Show each change with who and why
        #[arg(long)]
        history: bool,
    },
    /// Add units to a prize; a running server gives them out within two seconds
    Add(Change),
    /// Take units that are not issued yet out of a prize
    Withdraw(Change),
    /// Count anew what is left of each prize, on all stock servers of a cluster
    Rebuild(Rebuild),
}

/// A rebuild that somebody asks for.
#[derive(Debug, Args)]
pub struct Rebuild {
    #[command(flatten)]
    record: ForTheRecord,
    #[command(flatten)]
    place: Place,
}

/// A change of a prize's stock.
#[derive(Debug, Args)]
pub struct Change {
    /// The activity
    activity: ActivityId,
    /// The award
    award: AwardId,
    /// How many units
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_000_000_000_000))]
    units: u64,
    #[command(flatten)]
    record: ForTheRecord,
    #[command(flatten)]
    place: Place,
}

impl Command {
    pub(super) fn place(&self) -> &Place {
        match self {
            Command::Show { place, .. } => place,
            Command::Add(change) | Command::Withdraw(change) => &change.place,
            Command::Rebuild(asked) => &asked.place,
        }
    }
}

pub fn run(command: Command) -> ExitCode {
    let result = match command {
        Command::Show { place, activity, history } => block_on(show(&place, activity, history)),
        Command::Add(change) => block_on(add(&change)),
        Command::Withdraw(change) => block_on(withdraw(&change)),
        Command::Rebuild(asked) => block_on(rebuild(&asked)),
    };
    match result {
        Ok(text) => {
            say(text);
            ExitCode::SUCCESS
        }
        Err(StockError::Refused(why)) => {
            complain(format_args!("drawbridge: {why}\n"));
            ExitCode::from(NO)
        }
        Err(error) => fail(error),
    }
}

#[derive(Debug, thiserror::Error)]
enum StockError {
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Place(#[from] PlaceError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

async fn show(place: &Place, activity: Option<ActivityId>, history: bool) -> Result<String, StockError> {
    match place.open().await? {
        Installed::Folder(folder) => {
            let meta = folder.meta_for_reading();
            table(&meta, issued_units(&folder, &meta).await?, activity, history).await
        }
        Installed::Cluster(cluster) => table(cluster.meta(), cluster.issued().await?, activity, history).await,
    }
}

/// `issued` is read before the totals, so that a server that runs meanwhile cannot make `left`
/// negative.
async fn table<D: Database>(
    meta: &Meta<D>,
    issued: Vec<(Prize, u64)>,
    activity: Option<ActivityId>,
    history: bool,
) -> Result<String, StockError> {
    let mut units: BTreeMap<Prize, u64> = BTreeMap::new();
    for (prize, issued) in issued {
        *units.entry(prize).or_default() += issued;
    }
    let mut text = format!("{:>10} {:>8} {:>14} {:>14} {:>14}\n", "activity", "award", "total", "issued", "left");
    for (prize, total) in meta.totals().await? {
        if activity.is_some_and(|activity| activity != prize.activity) {
            continue;
        }
        let issued = units.get(&prize).copied().unwrap_or(0);
        let left = total.saturating_sub(issued);
        let _ = writeln!(text, "{:>10} {:>8} {total:>14} {issued:>14} {left:>14}", prize.activity, prize.award);
        if history {
            for operation in meta.operations(prize).await? {
                let _ = writeln!(text, "{:>20} {}", "", describe(&operation));
            }
        }
    }
    Ok(text)
}

fn describe(operation: &Operation) -> String {
    let Operation { kind, units, applied, who, why, at, .. } = operation;
    let applied = applied.map_or("waiting".to_owned(), |applied| format!("{applied:+}"));
    format!("{at:.0} {kind} {units} ({applied}) by {}: {}", printable(who), printable(why))
}

async fn issued_units<D: Database>(folder: &Folder, meta: &Meta<D>) -> Result<Vec<(Prize, u64)>, StockError> {
    let Some((version, shards, tables)) = meta.slot_map().await? else { return Ok(Vec::new()) };
    let map = SlotMap::even(version, shards, tables).map_err(|error| StockError::Refused(error.to_string()))?;
    Ok(issued(folder, &map).await?)
}

async fn add(change: &Change) -> Result<String, StockError> {
    match change.place.open().await? {
        Installed::Folder(folder) => add_to(&folder.meta().await?, change).await,
        Installed::Cluster(cluster) => {
            let text = add_to(cluster.meta(), change).await?;
            // A gateway would do it as well, a moment later; so a failure is no reason to worry.
            if let Err(error) = cluster.deliver().await {
                complain(format_args!("the stock servers get the units later: {error}\n"));
            }
            Ok(text)
        }
    }
}

async fn add_to<D: Database>(meta: &Meta<D>, change: &Change) -> Result<String, StockError> {
    let asked = asked(meta, change).await?;
    meta.add_stock(&asked, Timestamp::now()).await?;
    let total = meta.totals().await?.get(&asked.prize).copied().unwrap_or(0);
    Ok(format!(
        "award {} of activity {}: added {}, the total is {total} now\n",
        change.award, change.activity, change.units
    ))
}

async fn withdraw(change: &Change) -> Result<String, StockError> {
    let applied = match change.place.open().await? {
        Installed::Folder(folder) => withdraw_from_folder(&folder, change).await?,
        Installed::Cluster(cluster) => withdraw_from_cluster(&cluster, change).await?,
    };
    let withdrawn = applied.unsigned_abs();
    let rest = change.units - withdrawn;
    let place = format!("award {} of activity {}", change.award, change.activity);
    Ok(match rest {
        0 => format!("{place}: withdrew {withdrawn}\n"),
        rest => format!("{place}: withdrew {withdrawn}; the other {rest} were issued already or never there\n"),
    })
}

async fn withdraw_from_folder(folder: &Folder, change: &Change) -> Result<i64, StockError> {
    let meta = folder.meta().await?;
    let operation = meta.ask_withdrawal(&asked(&meta, change).await?, Timestamp::now()).await?;
    let deadline = Instant::now() + WITHDRAWAL_TIMEOUT;
    loop {
        if let Some(applied) = meta.applied(operation).await? {
            return Ok(applied);
        }
        // Who holds the folder holds the stock; without a running server that is us.
        match folder.clone().hold().await {
            Ok(held) => withdraw_at_rest(&held).await?,
            Err(FolderError::Held(_)) if Instant::now() < deadline => sleep(Duration::from_millis(100)).await,
            Err(FolderError::Held(_)) => return Err(waits(operation, "the server has not done it yet")),
            Err(error) => return Err(error.into()),
        }
    }
}

async fn withdraw_from_cluster(cluster: &Installation, change: &Change) -> Result<i64, StockError> {
    let meta = cluster.meta();
    let operation = meta.ask_withdrawal(&asked(meta, change).await?, Timestamp::now()).await?;
    let deadline = Instant::now() + WITHDRAWAL_TIMEOUT;
    loop {
        // Gateways do the same; whoever is first.
        let delivered = cluster.deliver().await;
        if let Some(applied) = meta.applied(operation).await? {
            return Ok(applied);
        }
        if Instant::now() >= deadline {
            let why = delivered.err().unwrap_or_else(|| "the stock servers are being rebuilt".to_owned());
            return Err(waits(operation, &why));
        }
        sleep(Duration::from_millis(200)).await;
    }
}

fn waits(operation: u64, why: &str) -> StockError {
    StockError::Refused(format!("{why}; operation {operation} stays recorded and will be done"))
}

/// What is asked for; the prize must be there and limited.
async fn asked<D: Database>(meta: &Meta<D>, change: &Change) -> Result<StockChange, StockError> {
    let prize = Prize { activity: change.activity, award: change.award };
    if !meta.totals().await?.contains_key(&prize) {
        let text = format!("activity {} has no award {} with limited stock", prize.activity, prize.award);
        return Err(StockError::Refused(text));
    }
    Ok(StockChange { prize, units: change.units, who: change.record.who(), why: change.record.reason.clone() })
}

async fn rebuild(asked: &Rebuild) -> Result<String, StockError> {
    let Installed::Cluster(cluster) = asked.place.open().await? else {
        return Err(StockError::Refused("the embedded default counts its stock anew at each start".to_owned()));
    };
    let epochs = cluster.rebuild(&asked.record.who(), &asked.record.reason).await.map_err(StockError::Refused)?;
    let mut text = String::new();
    for (server, epoch) in epochs {
        let _ = writeln!(text, "stock server {server}: rebuilt under epoch {epoch}");
    }
    Ok(text)
}
