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
mod rules;
mod sku;
mod stage;
mod strategy;
mod tree;

use settings::{Fault, Faulted, Section};

use super::Campaign;

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
        settings::read(text, Vec::new(), campaign).map_err(|faults| InvalidCampaign { faults })
    }
}

/// Where a value of a section stands in the text, when the file writes it as a key of its own.
pub(super) fn place_of(text: &str, section: &str, key: &str) -> Option<std::ops::Range<usize>> {
    settings::place_of(text, &[section, key])
}

fn campaign(root: &Section<'_>) -> Result<Campaign, Faulted> {
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
    let strategy = strategy::strategy(root, chances);
    let forecast = forecast::forecast(root);
    format?;
    let (activity, stages, skus) = (activity?, stages?, skus?);
    // They belong to the activity that is tried.
    let (stages, skus) = if activity.is_trial() {
        (Vec::new(), Vec::new())
    } else {
        (stages, skus)
    };
    Ok(Campaign {
        activity,
        chances: chances?,
        stages,
        skus,
        strategy: strategy?,
        forecast: forecast?,
    })
}

#[cfg(test)]
mod tests;
