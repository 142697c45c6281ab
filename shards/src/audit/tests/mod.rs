//! Sound data is all green, and each planted fault turns exactly its own check red.
mod cluster;
mod folder;
mod pages;
mod points;
mod repair;
mod sums;
mod walk;

use super::{AuditReport, CheckReport};
use crate::meta::StoredCampaign;

const CAMPAIGN: &str = include_str!("campaign.toml");

/// With skus, rewards, and a prize that pays points.
const PLATFORM: &str = include_str!("platform.toml");

fn stored(version: u32, text: &str) -> StoredCampaign {
    StoredCampaign {
        activity: market::ActivityId::new(1).expect("id"),
        version,
        text: text.to_owned(),
    }
}

/// The names of the checks that found something.
fn red(report: &AuditReport) -> Vec<&'static str> {
    report
        .checks
        .iter()
        .filter(|check| check.is_broken())
        .map(|check| check.name)
        .collect()
}

/// The first violation of the first red check.
fn first_violation(report: &AuditReport) -> &str {
    let found = report
        .checks
        .iter()
        .find_map(|check| check.violations.first());
    found.map_or("", String::as_str)
}

/// The report of a check, by its name.
#[track_caller]
fn check<'r>(report: &'r AuditReport, name: &str) -> &'r CheckReport {
    report
        .checks
        .iter()
        .find(|check| check.name == name)
        .expect("a check of this name")
}
