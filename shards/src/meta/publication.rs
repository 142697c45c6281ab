//! Checks that a campaign file fits what is published. Pure rules.
use std::collections::BTreeMap;
use std::num::NonZeroU64;

use market::AwardId;
use market::batch::Prize;
use market::campaign::{Award, Campaign, Catalogue, Halts};

use super::stored_campaign::StoredCampaign;

/// The limited prizes of a campaign with their counts.
pub(super) fn counts(campaign: &Campaign) -> impl Iterator<Item = (Prize, u64)> + '_ {
    let activity = campaign.activity.id;
    let limited = move |award: &Award| {
        let award_id = award.id;
        let prize = Prize {
            activity,
            award: award_id,
        };
        Some((prize, award.count?.get()))
    };
    campaign.strategy.awards.iter().filter_map(limited)
}

/// The reasons against publishing a campaign, one line each. `stored` are the latest versions of
/// all campaigns, `previous` is that of this one, `stocked` are the counts with which prizes were
/// first published, `halts` are the halted activities.
pub(super) fn reasons_against(
    campaign: &Campaign,
    stored: &[StoredCampaign],
    previous: Option<&StoredCampaign>,
    stocked: &BTreeMap<Prize, u64>,
    halts: &Halts,
) -> Vec<String> {
    let catalogue = Catalogue::new(stored.iter().filter_map(StoredCampaign::parse)).halted(halts);
    let conflicts = catalogue
        .conflicts(campaign)
        .into_iter()
        .map(|conflict| conflict.to_string());
    let previous = previous
        .and_then(StoredCampaign::parse)
        .map(|published| published.campaign);
    let incompatible = previous
        .as_ref()
        .map(|previous| campaign.incompatible_with(previous))
        .unwrap_or_default();
    conflicts
        .chain(incompatible.into_iter().map(|reason| reason.to_string()))
        .chain(recounted(campaign, previous.as_ref(), stocked))
        .collect()
}

/// Awards that were first published with another count. The previous version is compared elsewhere,
/// but it may have left a prize out, and the first count is the one that holds.
fn recounted<'a>(
    campaign: &'a Campaign,
    previous: Option<&Campaign>,
    stocked: &'a BTreeMap<Prize, u64>,
) -> impl Iterator<Item = String> + 'a {
    let compared: Vec<AwardId> = previous
        .iter()
        .flat_map(|previous| &previous.strategy.awards)
        .map(|award| award.id)
        .collect();
    let activity = campaign.activity.id;
    let left_out = campaign
        .strategy
        .awards
        .iter()
        .filter(move |award| !compared.contains(&award.id));
    left_out.filter_map(move |award| {
        let award_id = award.id;
        let prize = Prize {
            activity,
            award: award_id,
        };
        let first = *stocked.get(&prize)?;
        let now = award
            .count
            .map_or("unlimited".to_owned(), |count| count.to_string());
        (award.count.map(NonZeroU64::get) != Some(first)).then(|| {
            format!(
                "award {award_id} was first published with {first} units, the file says {now}: \
                 leave the count as it was and use `drawbridge stock add` to change its stock"
            )
        })
    })
}
