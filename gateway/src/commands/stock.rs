//! `drawbridge stock show|add|withdraw|rebuild`: the stock of limited prizes and of skus. Every
//! change is recorded with who asked for it and why.
use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use market::batch::{Good, StockItem};
use market::{ActivityId, AwardId, SkuId};
use serde_json::{Value, json};
use shards::meta::{StockChange, StockOperation};
use shards::{Installation, InstallationError, WithdrawalState};

use crate::text::printable;

use super::arguments;
use super::block_on::block_on;
use super::output::{fail, refuse, say, say_json};
use super::published::{listed, published};
use super::record::AttributionOptions;
use super::run_command::RunCommand;
use super::storage::{OpenError, StorageArguments, deliver};

/// How long a withdrawal waits for the running server.
const WITHDRAWAL_TIMEOUT: Duration = Duration::from_secs(5);

/// What to do with stock.
#[derive(Debug, Subcommand)]
pub enum StockCommand {
    /// Show every limited prize and every sku: total, issued and left
    Show(ShowStockOptions),
    /// Add units to a prize or a sku; a running server gives them out within two seconds
    Add(StockChangeOptions),
    /// Take units that are not issued yet out of a prize or a sku: all, or none where fewer are left
    Withdraw(StockChangeOptions),
    /// Count again what is left of each prize and sku, on all stock servers of a cluster
    Rebuild(RebuildOptions),
}

/// What to show.
#[derive(Debug, Args)]
pub struct ShowStockOptions {
    #[command(flatten)]
    storage: StorageArguments,
    /// One activity only
    #[arg(long, value_name = "ID")]
    activity: Option<ActivityId>,
    /// Show each change with who and why
    #[arg(long)]
    history: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A rebuild of the stock servers.
#[derive(Debug, Args)]
pub struct RebuildOptions {
    #[command(flatten)]
    record: AttributionOptions,
    #[command(flatten)]
    storage: StorageArguments,
}

/// A change of an item's stock. AWARD stands before UNITS, unless `--sku` takes its place.
#[derive(Debug, Args)]
#[command(allow_missing_positional = true)]
pub struct StockChangeOptions {
    /// The activity
    activity: ActivityId,
    /// The award
    #[arg(
        required_unless_present = "sku",
        conflicts_with = "sku",
        allow_negative_numbers = true
    )]
    award: Option<AwardId>,
    /// How many units
    #[arg(value_parser = arguments::units, allow_negative_numbers = true)]
    units: u64,
    /// A sku instead of an award
    #[arg(long, value_name = "ID")]
    sku: Option<SkuId>,
    #[command(flatten)]
    record: AttributionOptions,
    #[command(flatten)]
    storage: StorageArguments,
}

impl RunCommand for StockCommand {
    fn storage(&self) -> Option<&StorageArguments> {
        Some(match self {
            StockCommand::Show(show) => &show.storage,
            StockCommand::Add(change) | StockCommand::Withdraw(change) => &change.storage,
            StockCommand::Rebuild(asked) => &asked.storage,
        })
    }

    fn run(&self) -> ExitCode {
        let done = match self {
            StockCommand::Show(show) => block_on(show.print()),
            StockCommand::Add(change) => block_on(add(change)).map(say),
            StockCommand::Withdraw(change) => block_on(withdraw(change)).map(say),
            StockCommand::Rebuild(asked) => block_on(rebuild(asked)).map(say),
        };
        match done {
            Ok(()) => ExitCode::SUCCESS,
            Err(StockError::Refused(why)) => refuse(why),
            Err(error) => fail(error),
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum StockError {
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Installation(#[from] InstallationError),
}

/// The stock of an item.
struct StockLine {
    item: StockItem,
    total: u64,
    issued: u64,
    history: Vec<StockOperation>,
}

impl StockLine {
    fn left(&self) -> u64 {
        self.total.saturating_sub(self.issued)
    }
}

impl ShowStockOptions {
    async fn print(&self) -> Result<(), StockError> {
        let lines = self.lines(&self.storage.open().await?).await?;
        if self.json {
            say_json(
                &lines
                    .iter()
                    .map(|line| self.in_json(line))
                    .collect::<Vec<_>>(),
            );
        } else {
            say(in_text(&lines));
        }
        Ok(())
    }

    async fn lines(&self, installation: &Installation) -> Result<Vec<StockLine>, StockError> {
        // Before the totals, so that a server that runs meanwhile cannot make `left` negative.
        let issued = installation.issued().await?;
        if let Some(activity) = self.activity {
            published(&installation.catalogue().await?, activity).map_err(StockError::Refused)?;
        }
        let wanted = |item: &StockItem| {
            self.activity
                .is_none_or(|activity| activity == item.activity)
        };
        let mut lines = Vec::new();
        for (item, total) in installation.totals().await? {
            if !wanted(&item) {
                continue;
            }
            let history = if self.history {
                installation.operations(item).await?
            } else {
                Vec::new()
            };
            lines.push(StockLine {
                item,
                total,
                issued: issued.get(&item).copied().unwrap_or(0),
                history,
            });
        }
        Ok(lines)
    }

    fn in_json(&self, line: &StockLine) -> Value {
        let StockLine {
            item: StockItem { activity, good },
            total,
            issued,
            history,
        } = line;
        let mut value = json!({
            "activity": activity.get(),
            good.word(): good.id(),
            "total": total,
            "issued": issued,
            "left": line.left(),
        });
        if self.history {
            value["history"] = history.iter().map(describe_in_json).collect();
        }
        value
    }
}

/// Formats the lines for people.
fn in_text(lines: &[StockLine]) -> String {
    let mut text = format!(
        "{:>10} {:>14} {:>14} {:>14} {:>14}\n",
        "activity", "item", "total", "issued", "left"
    );
    for line in lines {
        let StockLine {
            item: StockItem { activity, good },
            total,
            issued,
            history,
        } = line;
        let good = good.to_string();
        let _ = writeln!(
            text,
            "{activity:>10} {good:>14} {total:>14} {issued:>14} {:>14}",
            line.left()
        );
        for operation in history {
            let _ = writeln!(text, "{:>20} {}", "", describe(operation));
        }
    }
    text
}

fn describe(operation: &StockOperation) -> String {
    let StockOperation {
        kind,
        units,
        applied,
        who,
        why,
        at,
        ..
    } = operation;
    let applied = applied.map_or("waiting".to_owned(), |applied| format!("{applied:+}"));
    format!(
        "{at:.0} {kind} {units} ({applied}) by {}: {}",
        printable(who),
        printable(why)
    )
}

fn describe_in_json(operation: &StockOperation) -> Value {
    let StockOperation {
        id,
        kind,
        units,
        applied,
        who,
        why,
        at,
    } = operation;
    json!({"id": id, "kind": kind, "units": units, "applied": applied, "who": who, "reason": why, "at": at.to_string()})
}

async fn add(change: &StockChangeOptions) -> Result<String, StockError> {
    let installation = change.storage.open_for_changes().await?;
    let asked = asked(&installation, change).await?;
    installation.add_stock(&asked).await?;
    let totals = installation.totals().await?;
    let total = totals.get(&asked.item).copied().unwrap_or(0);
    deliver(&installation).await;
    Ok(format!(
        "{}: added {}, the total is {total} now\n",
        change.item(),
        change.units
    ))
}

async fn withdraw(change: &StockChangeOptions) -> Result<String, StockError> {
    let installation = change.storage.open_for_changes().await?;
    let asked = asked(&installation, change).await?;
    change.check_left(&installation).await?;
    let operation = installation.ask_withdrawal(&asked).await?;
    let applied = match installation.withdraw(operation, WITHDRAWAL_TIMEOUT).await? {
        WithdrawalState::Applied(applied) => applied,
        WithdrawalState::Waits(why) => {
            return Err(StockError::Refused(format!(
                "{why}; operation {operation} stays recorded and will be done"
            )));
        }
    };
    let (withdrawn, item) = (applied.unsigned_abs(), change.item());
    match change.units.saturating_sub(withdrawn) {
        0 => Ok(format!("{item}: withdrew {withdrawn}\n")),
        // They were left when the request was checked.
        rest => Err(StockError::Refused(format!(
            "{item}: withdrew {withdrawn} of {}; the other {rest} were issued meanwhile",
            change.units
        ))),
    }
}

impl StockChangeOptions {
    fn item(&self) -> StockItem {
        let (activity, award) = (self.activity, self.award.map(Good::Award));
        let good = self.sku.map(Good::Sku).or(award);
        StockItem {
            activity,
            good: good.expect("clap wants one of the two"),
        }
    }

    /// Refuses to withdraw more than is left: a mistyped digit must not empty an item. Units may
    /// still be issued between this check and the withdrawal.
    async fn check_left(&self, installation: &Installation) -> Result<(), StockError> {
        let item = self.item();
        let of_item = |units: BTreeMap<StockItem, u64>| units.get(&item).copied().unwrap_or(0);
        let issued = of_item(installation.issued().await?);
        let waiting = of_item(installation.waiting_units().await?);
        let total = of_item(installation.totals().await?);
        let left = total.saturating_sub(issued).saturating_sub(waiting);
        if self.units <= left {
            return Ok(());
        }
        let help = match left {
            0 => "nothing can be withdrawn".to_owned(),
            left => format!("withdraw {left} or fewer"),
        };
        Err(StockError::Refused(format!(
            "{item}: {left} of {total} units are left, not {}; {help}",
            self.units
        )))
    }
}

/// The change to record. Its item must exist and be limited.
async fn asked(
    installation: &Installation,
    change: &StockChangeOptions,
) -> Result<StockChange, StockError> {
    let (item, totals) = (change.item(), installation.totals().await?);
    if !totals.contains_key(&item) {
        published(&installation.catalogue().await?, item.activity).map_err(StockError::Refused)?;
        let word = item.good.word();
        let limited: Vec<u64> = totals
            .keys()
            .filter(|other| other.activity == item.activity && other.good.word() == word)
            .map(|other| other.good.id())
            .collect();
        let help = match &*limited {
            [] => format!("none of its {word}s is limited"),
            [only] => format!("{word} {only} is limited"),
            limited => format!("{word}s {} are limited", listed(limited)),
        };
        let text = format!(
            "activity {} has no {} with limited stock; {help}",
            item.activity, item.good
        );
        return Err(StockError::Refused(text));
    }
    Ok(StockChange {
        item,
        units: change.units,
        who: change.record.who(),
        why: change.record.reason.clone(),
    })
}

async fn rebuild(asked: &RebuildOptions) -> Result<String, StockError> {
    let installation = asked.storage.open().await?;
    let epochs = installation
        .rebuild_stock(&asked.record.who(), &asked.record.reason)
        .await
        .map_err(|error| StockError::Refused(error.to_string()))?;
    let mut text = String::new();
    for (server, epoch) in epochs {
        let _ = writeln!(text, "stock server {server}: rebuilt under epoch {epoch}");
    }
    Ok(text)
}
