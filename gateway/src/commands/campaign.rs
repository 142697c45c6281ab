//! `drawbridge campaign check|publish|list`: campaign files.
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Subcommand;
use jiff::Timestamp;
use market::campaign::{Campaign, report};
use shards::embedded::Folder;
use shards::meta::{Meta, Publication, PublishError};
use shards::store::Database;

use super::{Installed, NO, Place, PlaceError, block_on, complain, fail, operator, say};
use crate::admin::text::printable;
use crate::config::Storage;

/// What to do with campaign files.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check a file: print its odds, what unlocks when and what it may cost
    Check {
        /// The campaign file
        file: PathBuf,
    },
    /// Store a file as a new version; a running server follows within two seconds
    Publish {
        /// The campaign file
        file: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// List what is published
    List {
        #[command(flatten)]
        place: Place,
    },
}

impl Command {
    pub(super) fn place(&self) -> Option<&Place> {
        match self {
            Command::Check { .. } => None,
            Command::Publish { place, .. } | Command::List { place } => Some(place),
        }
    }
}

pub fn run(command: Command) -> ExitCode {
    match command {
        Command::Check { file } => check(&file),
        Command::Publish { file, place } => match block_on(publish(&file, &place)) {
            Ok(publication) => {
                say(describe(publication));
                ExitCode::SUCCESS
            }
            Err(Refusal::No(why)) => refuse(&file, &why),
            Err(Refusal::Failed(why)) => fail(why),
        },
        Command::List { place } => match block_on(list(&place)) {
            Ok(text) => {
                say(text);
                ExitCode::SUCCESS
            }
            Err(why) => fail(why),
        },
    }
}

fn check(file: &Path) -> ExitCode {
    let text = match read(file) {
        Ok(text) => text,
        Err(error) => return fail(error),
    };
    match Campaign::parse(&text) {
        Ok(campaign) => {
            say(report(&campaign));
            ExitCode::SUCCESS
        }
        Err(error) => refuse(file, &error.to_string()),
    }
}

fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

fn refuse(file: &Path, why: &str) -> ExitCode {
    complain(format_args!("{} is refused:\n{why}\n", file.display()));
    ExitCode::from(NO)
}

fn describe(publication: Publication) -> String {
    let Publication { activity, version, new } = publication;
    if new {
        format!("activity {activity}: published version {version}\n")
    } else {
        format!("activity {activity}: version {version} is this file already; nothing to do\n")
    }
}

enum Refusal {
    No(String),
    Failed(String),
}

async fn publish(file: &Path, place: &Place) -> Result<Publication, Refusal> {
    let failed = |error: &dyn std::fmt::Display| Refusal::Failed(error.to_string());
    let text = read(file).map_err(Refusal::Failed)?;
    match place.load().map_err(|error| failed(&error))?.storage {
        Storage::Embedded(embedded) => {
            // The folder may be new: a campaign can be there before the server's first start.
            let folder = Folder::create(&embedded.data).map_err(|error| failed(&error))?;
            let meta = folder.meta().await.map_err(|error| failed(&error))?;
            publish_to(&meta, &text).await
        }
        Storage::Cluster(options) => {
            let cluster = options.open().await.map_err(|error| failed(&error))?;
            let publication = publish_to(cluster.meta(), &text).await?;
            // A gateway would do it as well, a moment later; so a failure is no reason to worry.
            if let Err(error) = cluster.deliver().await {
                complain(format_args!("the stock servers get the units later: {error}\n"));
            }
            Ok(publication)
        }
    }
}

async fn publish_to<D: Database>(meta: &Meta<D>, text: &str) -> Result<Publication, Refusal> {
    let published = meta.publish(&[text], &operator(), Timestamp::now()).await.map_err(|error| match error {
        PublishError::Invalid(_) | PublishError::Refused(_) => Refusal::No(error.to_string()),
        PublishError::Store(error) => Refusal::Failed(error.to_string()),
    });
    published.map(|publications| publications[0])
}

async fn list(place: &Place) -> Result<String, PlaceError> {
    use std::fmt::Write;
    let catalogue = match place.open().await? {
        Installed::Folder(folder) => folder.meta_for_reading().catalogue().await?,
        Installed::Cluster(cluster) => cluster.meta().catalogue().await?,
    };
    let mut campaigns: Vec<_> = catalogue.campaigns().collect();
    campaigns.sort_by_key(|published| published.campaign.activity.id);
    let mut text = String::new();
    for published in campaigns {
        let activity = &published.campaign.activity;
        let _ = writeln!(text, "{}  version {}  {}", activity.id, published.version, printable(&activity.name));
    }
    Ok(text)
}
