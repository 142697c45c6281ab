//! `drawbridge stock show|add|withdraw|rebuild`: the stock of limited prizes. Every change is
//! recorded with who asked for it and why.
use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use market::batch::Prize;
use market::{ActivityId, AwardId};
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
    /// Show every limited prize: total, issued and left
    Show(ShowStockOptions),
    /// Add units to a prize; a running server gives them out within two seconds
    Add(StockChangeOptions),
    /// Take units that are not issued yet out of a prize: all of them, or none where fewer are left
    Withdraw(StockChangeOptions),
    /// Count again what is left of each prize, on all stock servers of a cluster
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

/// A change of a prize's stock.
#[derive(Debug, Args)]
pub struct StockChangeOptions {
    /// The activity
    activity: ActivityId,
    /// The award
    award: AwardId,
    /// How many units
    #[arg(value_parser = arguments::units, allow_negative_numbers = true)]
    units: u64,
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

/// The stock of a limited prize.
struct StockLine {
    prize: Prize,
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
        let wanted = |prize: &Prize| {
            self.activity
                .is_none_or(|activity| activity == prize.activity)
        };
        let mut lines = Vec::new();
        for (prize, total) in installation.totals().await? {
            if !wanted(&prize) {
                continue;
            }
            let history = if self.history {
                installation.operations(prize).await?
            } else {
                Vec::new()
            };
            lines.push(StockLine {
                prize,
                total,
                issued: issued.get(&prize).copied().unwrap_or(0),
                history,
            });
        }
        Ok(lines)
    }

    fn in_json(&self, line: &StockLine) -> Value {
        let StockLine {
            prize: Prize { activity, award },
            total,
            issued,
            history,
        } = line;
        let mut value = json!({
            "activity": activity.get(),
            "award": award.get(),
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
        "{:>10} {:>8} {:>14} {:>14} {:>14}\n",
        "activity", "award", "total", "issued", "left"
    );
    for line in lines {
        let StockLine {
            prize: Prize { activity, award },
            total,
            issued,
            history,
        } = line;
        let _ = writeln!(
            text,
            "{activity:>10} {award:>8} {total:>14} {issued:>14} {:>14}",
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
    let total = totals.get(&asked.prize).copied().unwrap_or(0);
    deliver(&installation).await;
    Ok(format!(
        "{}: added {}, the total is {total} now\n",
        change.name(),
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
    let (withdrawn, name) = (applied.unsigned_abs(), change.name());
    match change.units.saturating_sub(withdrawn) {
        0 => Ok(format!("{name}: withdrew {withdrawn}\n")),
        // They were left when the request was checked.
        rest => Err(StockError::Refused(format!(
            "{name}: withdrew {withdrawn} of {}; the other {rest} were issued meanwhile",
            change.units
        ))),
    }
}

impl StockChangeOptions {
    fn prize(&self) -> Prize {
        Prize {
            activity: self.activity,
            award: self.award,
        }
    }

    fn name(&self) -> String {
        format!("award {} of activity {}", self.award, self.activity)
    }

    /// Refuses to withdraw more than is left: a mistyped digit must not empty a prize. Units may
    /// still be issued between this check and the withdrawal.
    async fn check_left(&self, installation: &Installation) -> Result<(), StockError> {
        let prize = self.prize();
        let of_prize = |units: BTreeMap<Prize, u64>| units.get(&prize).copied().unwrap_or(0);
        let issued = of_prize(installation.issued().await?);
        let waiting = of_prize(installation.waiting_units().await?);
        let total = of_prize(installation.totals().await?);
        let left = total.saturating_sub(issued).saturating_sub(waiting);
        if self.units <= left {
            return Ok(());
        }
        let help = match left {
            0 => "nothing can be withdrawn".to_owned(),
            left => format!("withdraw {left} or fewer"),
        };
        Err(StockError::Refused(format!(
            "{}: {left} of {total} units are left, not {}; {help}",
            self.name(),
            self.units
        )))
    }
}

/// The change to record. Its prize must exist and be limited.
async fn asked(
    installation: &Installation,
    change: &StockChangeOptions,
) -> Result<StockChange, StockError> {
    let (prize, totals) = (change.prize(), installation.totals().await?);
    if !totals.contains_key(&prize) {
        published(&installation.catalogue().await?, prize.activity).map_err(StockError::Refused)?;
        let limited: Vec<AwardId> = totals
            .keys()
            .filter(|other| other.activity == prize.activity)
            .map(|other| other.award)
            .collect();
        let help = match &*limited {
            [] => "none of its awards is limited".to_owned(),
            [only] => format!("award {only} is limited"),
            limited => format!("awards {} are limited", listed(limited)),
        };
        let text = format!(
            "activity {} has no award {} with limited stock; {help}",
            prize.activity, prize.award
        );
        return Err(StockError::Refused(text));
    }
    Ok(StockChange {
        prize,
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
