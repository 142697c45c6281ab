//! `drawbridge campaign check`.
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use jiff::Timestamp;
use market::campaign::{Campaign, InvalidCampaign, Strategy, report, warnings};
use market::ids::AwardIndex;
use market::odds::Pool;
use serde_json::{Value, json};

use super::file::{read, refuse_file};
use super::rewards;
use crate::commands::output::{REFUSED, fail, say, say_json};
use crate::commands::run_command::RunCommand;

/// A file to check.
#[derive(Debug, Args)]
pub struct CheckOptions {
    /// The campaign file
    file: PathBuf,
    /// Take warnings for faults: exit code 1
    #[arg(long)]
    strict: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl RunCommand for CheckOptions {
    fn run(&self) -> ExitCode {
        let text = match read(&self.file) {
            Ok(text) => text,
            Err(error) => return fail(error),
        };
        match Campaign::parse(&text) {
            Ok(campaign) => {
                let warnings = warnings(&campaign, Timestamp::now());
                let refused = self.strict && !warnings.is_empty();
                if self.json {
                    say_json(&checked(&campaign, &warnings, !refused));
                } else {
                    let lines = warnings.iter().map(|text| format!("warning: {text}\n"));
                    say(report(&campaign) + &lines.collect::<String>());
                }
                if refused {
                    ExitCode::from(REFUSED)
                } else {
                    ExitCode::SUCCESS
                }
            }
            Err(error) if self.json => {
                say_json(&faulty(&error));
                ExitCode::from(REFUSED)
            }
            Err(error) => refuse_file(&self.file, &error.to_string()),
        }
    }
}

/// A valid file as JSON: what is drawn with which odds.
fn checked(campaign: &Campaign, warnings: &[String], ok: bool) -> Value {
    let Campaign {
        activity, strategy, ..
    } = campaign;
    let all: Vec<AwardIndex> = (0..strategy.awards.len()).map(AwardIndex).collect();
    let groups = strategy.weight_groups().iter();
    let groups =
        groups.map(|group| json!({"ordinal": group.ordinal, "awards": odds(strategy, &group.awards, &group.pool)}));
    json!({
        "ok": ok,
        "activity": activity.id.get(),
        "name": activity.name,
        "state": activity.state.word(),
        "beginsAt": activity.begins_at.to_string(),
        "endsAt": activity.ends_at.to_string(),
        "timeZone": activity.time_zone_name,
        "strategy": strategy.id.get(),
        "awards": odds(strategy, &all, &strategy.pool),
        "weightPools": groups.collect::<Vec<_>>(),
        "rewards": rewards::in_json(&campaign.rewards),
        "warnings": warnings,
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
            "perUser": award.per_user,
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
