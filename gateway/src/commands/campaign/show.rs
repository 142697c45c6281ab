//! `drawbridge campaign show`: one activity as it is now.
use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use market::ActivityId;
use market::batch::{Good, StockItem};
use market::campaign::{Activity, LifeState, Published, reward_text};
use serde_json::{Value, json};
use shards::meta::{BlacklistRecord, HaltRecord, PastVersion};

use super::error::{CampaignError, end};
use super::rewards;
use crate::commands::block_on::block_on;
use crate::commands::published::published;
use crate::commands::run_command::RunCommand;
use crate::commands::storage::StorageArguments;
use crate::text::printable;

/// Which activity.
#[derive(Debug, Args)]
pub struct ShowOptions {
    /// The activity
    #[arg(value_name = "ID")]
    activity: ActivityId,
    #[command(flatten)]
    storage: StorageArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is known of an activity.
struct Shown<'c> {
    published: &'c Published,
    state: LifeState,
    now: Timestamp,
    version: Option<PastVersion>,
    halt: Option<HaltRecord>,
    /// How many users operators have listed beside the file.
    blacklisted: u64,
    stock: Vec<Left>,
}

/// What is left of a limited prize, or of a sku.
struct Left {
    good: Good,
    /// Of a prize.
    title: Option<String>,
    total: u64,
    /// `None` while a shard cannot be read.
    issued: Option<u64>,
}

impl Left {
    fn left(&self) -> Option<u64> {
        Some(self.total.saturating_sub(self.issued?))
    }
}

impl RunCommand for ShowOptions {
    fn storage(&self) -> Option<&StorageArguments> {
        Some(&self.storage)
    }

    fn run(&self) -> ExitCode {
        end(block_on(self.show()))
    }
}

impl ShowOptions {
    async fn show(&self) -> Result<String, CampaignError> {
        let installation = self.storage.open().await?;
        let catalogue = installation.catalogue().await?;
        let published = published(&catalogue, self.activity).map_err(CampaignError::Refused)?;
        let versions = installation.versions(self.activity).await?;
        // Before the totals, so that a server that runs meanwhile cannot make `left` negative.
        // A shard that is down must not hide the state.
        let issued = installation.issued().await.ok();
        let totals = installation.totals().await?;
        let halted = installation.halted().await?;
        let blacklists = installation.blacklists().await?;
        let of_activity = |record: &&BlacklistRecord| record.activity == self.activity;
        let blacklist = blacklists.iter().find(of_activity);
        let now = Timestamp::now();
        let shown = Shown {
            state: catalogue.state(&published.campaign.activity, now),
            now,
            version: versions
                .into_iter()
                .find(|past| past.version == published.version),
            halt: halted
                .into_iter()
                .find(|halt| halt.activity == self.activity),
            blacklisted: blacklist.map_or(0, |record| record.users),
            stock: left(published, &totals, issued.as_ref()),
            published,
        };
        Ok(if self.json {
            format!("{:#}\n", shown.in_json())
        } else {
            shown.in_text()
        })
    }
}

/// What is left of each limited prize and each sku of the current version.
fn left(
    published: &Published,
    totals: &BTreeMap<StockItem, u64>,
    issued: Option<&BTreeMap<StockItem, u64>>,
) -> Vec<Left> {
    let activity = published.campaign.activity.id;
    let awards = published.campaign.strategy.awards.iter();
    let awards = awards.map(|award| (Good::Award(award.id), Some(award.title.to_string())));
    let skus = published.campaign.skus.iter();
    let skus = skus.map(|sku| (Good::Sku(sku.id), None));
    let left = |(good, title): (Good, Option<String>)| {
        let item = StockItem { activity, good };
        Some(Left {
            good,
            title,
            total: *totals.get(&item)?,
            issued: issued.map(|issued| issued.get(&item).copied().unwrap_or(0)),
        })
    };
    awards.chain(skus).filter_map(left).collect()
}

/// A moment in the time zone of the activity, with its offset.
fn local(activity: &Activity, moment: Timestamp) -> String {
    let zoned = moment.to_zoned(activity.time_zone.clone());
    zoned.strftime("%FT%T%:z").to_string()
}

impl Shown<'_> {
    fn in_text(&self) -> String {
        let activity = &self.published.campaign.activity;
        let mut text = format!("activity {}: {}\n", activity.id, activity.name);
        let version = match &self.version {
            Some(PastVersion { version, at, who }) => {
                let at = local(activity, *at);
                format!("{version}, published at {at} by {}", printable(who))
            }
            None => self.published.version.to_string(),
        };
        let mut lines = vec![
            ("state", self.state.name().to_owned()),
            ("version", version),
            ("begins", local(activity, activity.begins_at)),
            ("ends", local(activity, activity.ends_at)),
            ("now", local(activity, self.now)),
            ("time zone", activity.time_zone_name.clone()),
        ];
        if let Some(HaltRecord { who, why, at, .. }) = &self.halt {
            let at = local(activity, *at);
            let why = format!("at {at} by {}: {}", printable(who), printable(why));
            lines.insert(1, ("since", why));
        }
        let campaign = &self.published.campaign;
        let given = campaign.rewards.iter();
        lines.extend(given.map(|reward| ("rewards", reward_text(campaign, reward))));
        if self.blacklisted > 0 {
            lines.push((
                "blacklist",
                format!("{} users beside the file", self.blacklisted),
            ));
        }
        for (label, value) in lines {
            let _ = writeln!(text, "  {label:<9}  {value}");
        }
        for left in &self.stock {
            let rest = left.left().map_or_else(
                || "what is left is unknown".to_owned(),
                |rest| format!("{rest} left"),
            );
            let Left {
                good, title, total, ..
            } = left;
            let title = title
                .as_ref()
                .map_or(String::new(), |title| format!(" ({title})"));
            let _ = writeln!(text, "  {good}: {rest} of {total}{title}");
        }
        text
    }

    fn in_json(&self) -> Value {
        let activity = &self.published.campaign.activity;
        let halt = self
            .halt
            .as_ref()
            .map(|halt| json!({"who": halt.who, "reason": halt.why, "at": halt.at.to_string()}));
        let stock = self.stock.iter().map(|left| {
            let mut value = json!({
                left.good.word(): left.good.id(),
                "total": left.total,
                "issued": left.issued,
                "left": left.left(),
            });
            if let Some(title) = &left.title {
                value["title"] = json!(title);
            }
            value
        });
        json!({
            "activity": activity.id.get(),
            "name": activity.name,
            "description": activity.description,
            "state": self.state.name(),
            "halted": halt,
            "version": self.published.version,
            "publishedAt": self.version.as_ref().map(|past| past.at.to_string()),
            "publishedBy": self.version.as_ref().map(|past| &past.who),
            "beginsAt": activity.begins_at.to_string(),
            "endsAt": activity.ends_at.to_string(),
            "now": self.now.to_string(),
            "timeZone": activity.time_zone_name,
            "rewards": rewards::in_json(&self.published.campaign.rewards),
            "blacklistedUsers": self.blacklisted,
            "stock": stock.collect::<Vec<_>>(),
        })
    }
}
