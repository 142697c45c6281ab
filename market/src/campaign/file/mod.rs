//! Reads a campaign file. The format is described in `docs/campaigns.md`.
//!
//! The sections of a file refer to each other, so they are read in this order:
//!
//! 1. ids, positions and rates of all awards;
//! 2. trees, whose luck nodes name awards;
//! 3. the rest of each award, which may name a tree;
//! 4. the rules before the draw, which name awards.
//!
//! A section with a fault is passed on as [`Faulted`], and what depends on it is not checked, so
//! that one mistake gives one message.
mod activity;
mod award;
mod bounds;
mod forecast;
mod ids;
mod points;
mod reward;
mod rules;
mod sku;
mod stage;
mod strategy;
mod tree;

use settings::{Fault, Faulted, Section};

use self::points::PointsRules;
use super::{Activity, Campaign};

const FILE_BYTES_MAX: usize = 1024 * 1024;

/// Everything that is wrong with a campaign file, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.lines())]
pub struct InvalidCampaign {
    /// The faults; at least one.
    pub faults: Vec<Fault>,
}

impl InvalidCampaign {
    fn lines(&self) -> String {
        self.faults
            .iter()
            .map(Fault::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

impl Campaign {
    /// Reads a campaign file and checks it as a whole. All faults are reported at once.
    pub fn parse(text: &str) -> Result<Self, InvalidCampaign> {
        Self::read(text, true)
    }

    /// Reads a file that was published, perhaps by a version of this program that checked less. What
    /// was not checked then is no fault: a prize whose points cannot be read pays none.
    pub fn parse_published(text: &str) -> Result<Self, InvalidCampaign> {
        Self::read(text, false)
    }

    fn read(text: &str, is_new: bool) -> Result<Self, InvalidCampaign> {
        if text.len() > FILE_BYTES_MAX {
            let length = text.len();
            let message =
                format!("has {length} bytes; a campaign file has at most {FILE_BYTES_MAX}");
            return Err(InvalidCampaign {
                faults: vec![Fault {
                    location: "the file".into(),
                    message,
                }],
            });
        }
        settings::read(text, Vec::new(), |root| campaign(root, is_new))
            .map_err(|faults| InvalidCampaign { faults })
    }
}

/// Where a value of a section stands in the text, when the file writes it as a key of its own.
pub(super) fn place_of(text: &str, section: &str, key: &str) -> Option<std::ops::Range<usize>> {
    settings::place_of(text, &[section, key])
}

/// `is_new` is false for a file that is published already.
fn campaign(root: &Section<'_>, is_new: bool) -> Result<Campaign, Faulted> {
    let format = root
        .integer("format", 0..=u32::MAX)
        .try_map(|format| match format {
            1 => Ok(()),
            _ => Err("this program reads campaign files of format 1"),
        });
    let format = format.required();
    let activity = activity::activity(&root.section("activity"));
    let chances = activity::chances(&root.section("chances"));
    let stages = stage::stages(root);
    let skus = sku::skus(root);
    let known_skus = skus.as_deref().map_err(|&faulted| faulted);
    let rewards = reward::rewards(root, known_skus, is_new);
    let is_trial = activity.as_ref().is_ok_and(Activity::is_trial);
    let points = PointsRules {
        are_checked: is_new,
        are_paid: !is_trial,
    };
    let strategy = strategy::strategy(root, chances, points);
    let forecast = forecast::forecast(root);
    format?;
    let (activity, stages, skus, rewards) = (activity?, stages?, skus?, rewards?);
    // They belong to the activity that is tried.
    let (stages, skus, rewards) = if is_trial {
        (Vec::new(), Vec::new(), Vec::new())
    } else {
        (stages, skus, rewards)
    };
    Ok(Campaign {
        activity,
        chances: chances?,
        stages,
        skus,
        rewards,
        strategy: strategy?,
        forecast: forecast?,
    })
}

#[cfg(test)]
mod tests;
