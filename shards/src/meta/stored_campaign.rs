//! A version of a campaign as it is stored: the campaign file, unchanged.
use market::ActivityId;
use market::campaign::{Campaign, Published};

use super::columns::string;
use crate::store::{Columns, StoreError, out_of_range};

/// A stored version of a campaign.
#[derive(Debug, Clone)]
pub struct StoredCampaign {
    /// The activity.
    pub activity: ActivityId,
    /// Counts up from 1.
    pub version: u32,
    /// The campaign file.
    pub text: String,
}

impl StoredCampaign {
    /// Columns: activity, version, file.
    pub(super) fn from_row(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self {
            activity: ActivityId::new(row.number(0)?).ok_or_else(|| out_of_range(0))?,
            version: row.number(1)?,
            text: string(row, 2)?,
        })
    }

    /// The campaign; `None`, and an error in the log, for a file that this program cannot read. What
    /// was not checked when it was published is no reason.
    pub(crate) fn parse(&self) -> Option<Published> {
        match Campaign::parse_published(&self.text) {
            Ok(campaign) => Some(Published {
                version: self.version,
                campaign,
            }),
            Err(error) => {
                tracing::error!(
                    activity = %self.activity,
                    version = self.version,
                    %error,
                    "a stored campaign cannot be read"
                );
                None
            }
        }
    }
}
