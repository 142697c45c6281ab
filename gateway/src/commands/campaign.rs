//! `drawbridge campaign check|forecast|publish|list`: campaign files.
mod forecast;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use market::campaign::{ActivityState, Campaign, InvalidCampaign, Published, Strategy, report};
use market::ids::AwardIndex;
use market::odds::Pool;
use serde_json::{Value, json};
use shards::Installation;
use shards::meta::{Publication, PublishError};

use self::forecast::ForecastOptions;
use super::block_on::block_on;
use super::output::{REFUSED, complain, fail, say, say_json};
use super::record::operator;
use super::run_command::RunCommand;
use super::storage::{OpenError, StorageArguments, deliver};

/// What to do with campaign files.
#[derive(Debug, Subcommand)]
pub enum CampaignCommand {
    /// Check a file: print its odds, what unlocks when and what it may cost
    Check {
        /// The campaign file
        file: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Simulate a file: what it may cost, which prizes run out, who reaches a guarantee
    Forecast(ForecastOptions),
    /// Store a file as a new version; a running server follows within two seconds
    Publish {
        /// The campaign file
        file: PathBuf,
        #[command(flatten)]
        storage: StorageArguments,
    },
    /// List what is published
    List {
        #[command(flatten)]
        storage: StorageArguments,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl RunCommand for CampaignCommand {
    fn storage(&self) -> Option<&StorageArguments> {
        match self {
            CampaignCommand::Check { .. } | CampaignCommand::Forecast(_) => None,
            CampaignCommand::Publish { storage, .. } | CampaignCommand::List { storage, .. } => {
                Some(storage)
            }
        }
    }

    fn run(&self) -> ExitCode {
        match self {
            CampaignCommand::Check { file, json } => check(file, *json),
            CampaignCommand::Forecast(options) => {
                parsed(&options.file).map_or_else(|code| code, |campaign| options.run(&campaign))
            }
            CampaignCommand::Publish { file, storage } => match block_on(publish(file, storage)) {
                Ok(done) => {
                    say(done);
                    ExitCode::SUCCESS
                }
                Err(PublishFailure::Refused(why)) => refuse(file, &why),
                Err(PublishFailure::Failed(why)) => fail(why),
            },
            CampaignCommand::List { storage, json } => match block_on(list(storage)) {
                Ok(published) => {
                    if *json {
                        say_json(
                            &published
                                .iter()
                                .map(|published| listed_in_json(published))
                                .collect::<Vec<_>>(),
                        );
                    } else {
                        say(published
                            .iter()
                            .map(|published| listed(published))
                            .collect::<String>());
                    }
                    ExitCode::SUCCESS
                }
                Err(why) => fail(why),
            },
        }
    }
}

fn check(file: &Path, json: bool) -> ExitCode {
    let text = match read(file) {
        Ok(text) => text,
        Err(error) => return fail(error),
    };
    match Campaign::parse(&text) {
        Ok(campaign) => {
            if json {
                say_json(&checked(&campaign));
            } else {
                say(report(&campaign));
            }
            ExitCode::SUCCESS
        }
        Err(error) if json => {
            say_json(&faulty(&error));
            ExitCode::from(REFUSED)
        }
        Err(error) => refuse(file, &error.to_string()),
    }
}

/// The campaign of a file, or the exit code after its faults are printed.
fn parsed(file: &Path) -> Result<Campaign, ExitCode> {
    let text = read(file).map_err(fail)?;
    Campaign::parse(&text).map_err(|error| refuse(file, &error.to_string()))
}

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => format!("{} is not UTF-8", file.display()),
        _ => format!(
            "the campaign file {} cannot be read: {error}",
            file.display()
        ),
    })
}

fn refuse(file: &Path, why: &str) -> ExitCode {
    complain(format_args!("{} is refused:\n{why}\n", file.display()));
    ExitCode::from(REFUSED)
}

/// A valid file as JSON: what is drawn with which odds.
fn checked(campaign: &Campaign) -> Value {
    let Campaign {
        activity, strategy, ..
    } = campaign;
    let all: Vec<AwardIndex> = (0..strategy.awards.len()).map(AwardIndex).collect();
    let groups = strategy.weight_groups().iter();
    let groups =
        groups.map(|group| json!({"ordinal": group.ordinal, "awards": odds(strategy, &group.awards, &group.pool)}));
    json!({
        "ok": true,
        "activity": activity.id.get(),
        "name": activity.name,
        "state": state(activity.state),
        "beginsAt": activity.begins_at.to_string(),
        "endsAt": activity.ends_at.to_string(),
        "timeZone": activity.time_zone_name,
        "strategy": strategy.id.get(),
        "awards": odds(strategy, &all, &strategy.pool),
        "weightPools": groups.collect::<Vec<_>>(),
        "faults": [],
    })
}

fn odds(strategy: &Strategy, awards: &[AwardIndex], pool: &Pool) -> Vec<Value> {
    let award = |(outcome, &index): (usize, &AwardIndex)| {
        let (award, (weight, total)) = (strategy.award(index), pool.odds(outcome));
        json!({
            "award": award.id.get(),
            "title": &*award.title,
            "count": award.count,
            "costMinor": award.cost_minor,
            "rate": award.rate.to_string(),
            "odds": format!("{weight}/{total}"),
        })
    };
    awards.iter().enumerate().map(award).collect()
}

fn faulty(error: &InvalidCampaign) -> Value {
    let faults = error
        .faults
        .iter()
        .map(|fault| json!({"location": fault.location, "message": fault.message}));
    json!({"ok": false, "faults": faults.collect::<Vec<_>>()})
}

/// A state as it is written in a campaign file.
const fn state(state: ActivityState) -> &'static str {
    match state {
        ActivityState::Created => "create",
        ActivityState::Open => "open",
        ActivityState::Closed => "close",
    }
}

fn listed(published: &Published) -> String {
    let activity = &published.campaign.activity;
    format!(
        "{}  version {}  {}  {}\n",
        activity.id,
        published.version,
        state(activity.state),
        activity.name
    )
}

fn listed_in_json(published: &Published) -> Value {
    let activity = &published.campaign.activity;
    json!({
        "activity": activity.id.get(),
        "version": published.version,
        "name": activity.name,
        "state": state(activity.state),
        "beginsAt": activity.begins_at.to_string(),
        "endsAt": activity.ends_at.to_string(),
    })
}

fn describe(publication: Publication) -> String {
    let Publication {
        activity,
        version,
        new,
    } = publication;
    if new {
        format!("activity {activity}: published version {version}\n")
    } else {
        format!("activity {activity}: version {version} is this file already; nothing to do\n")
    }
}

/// Why a file is not published.
enum PublishFailure {
    Refused(String),
    Failed(String),
}

async fn publish(file: &Path, storage: &StorageArguments) -> Result<String, PublishFailure> {
    let failed = |error: &dyn std::fmt::Display| PublishFailure::Failed(error.to_string());
    let text = read(file).map_err(PublishFailure::Failed)?;
    // Before a folder is created for it.
    let campaign = Campaign::parse(&text);
    let campaign = campaign.map_err(|error| PublishFailure::Refused(error.to_string()))?;
    if let Some(summary) = forecast::of_publication(&campaign) {
        say(summary);
    }
    let storage = storage.load().map_err(|error| failed(&error))?.storage;
    let opened = Installation::open_for_publication(&storage).await;
    let (installation, made) = opened.map_err(|error| failed(&error))?;
    let published = installation.publish(&text, &operator()).await;
    let publication = published.map_err(|error| match error {
        PublishError::Invalid(_) | PublishError::Refused(_) => {
            PublishFailure::Refused(error.to_string())
        }
        PublishError::Store(error) => PublishFailure::Failed(error.to_string()),
    })?;
    deliver(&installation).await;
    let done = describe(publication);
    Ok(match storage.folder().filter(|_| made) {
        Some(folder) => format!("made the data folder {}\n{done}", folder.display()),
        None => done,
    })
}

async fn list(storage: &StorageArguments) -> Result<Vec<std::sync::Arc<Published>>, OpenError> {
    let catalogue = storage.open().await?.catalogue().await?;
    let mut campaigns: Vec<_> = catalogue.campaigns().cloned().collect();
    campaigns.sort_by_key(|published| published.campaign.activity.id);
    Ok(campaigns)
}
