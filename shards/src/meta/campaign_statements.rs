//! The statements on campaigns, which several topics run.
use super::statements::statements;

statements! {
    /// Statements on campaigns.
    CampaignStatements in "campaigns" {
        /// The latest version of each campaign.
        read_campaigns,
        /// A page of the versions of all campaigns.
        read_campaign_versions,
        /// Adds a version of a campaign.
        insert_campaign,
        /// The latest versions of one campaign, without their files.
        read_history,
        /// One version of a campaign.
        read_version,
    }
}
