//! Checks that a campaign file fits what is published. Pure rules.
use std::collections::BTreeMap;

use market::AwardId;
use market::batch::{Good, StockItem};
use market::campaign::{Award, Campaign, Catalogue, Halts, Sku};

use super::stored_campaign::StoredCampaign;

/// The limited items of a campaign with their counts: the prizes with a count, and all skus.
pub(super) fn counts(campaign: &Campaign) -> impl Iterator<Item = (StockItem, u64)> + '_ {
    let activity = campaign.activity.id;
    let limited = move |award: &Award| Some((StockItem::award(activity, award.id), award.count?));
    let awards = campaign.strategy.awards.iter().filter_map(limited);
    let for_sale = move |sku: &Sku| (StockItem::sku(activity, sku.id), sku.stock);
    awards.chain(campaign.skus.iter().map(for_sale))
}

/// The reasons against publishing a campaign, one line each. `stored` are the latest versions of
/// all campaigns, `previous` is that of this one, `stocked` are the counts with which items were
/// first published, `halts` are the halted activities.
pub(super) fn reasons_against(
    campaign: &Campaign,
    stored: &[StoredCampaign],
    previous: Option<&StoredCampaign>,
    stocked: &BTreeMap<StockItem, u64>,
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

/// Items that were first published with another count. Awards of the previous version are compared
/// elsewhere, but it may have left an item out, and the first count is the one that holds. Skus had
/// no stock in earlier versions of this program, so only what became their stock counts.
fn recounted<'a>(
    campaign: &'a Campaign,
    previous: Option<&Campaign>,
    stocked: &'a BTreeMap<StockItem, u64>,
) -> impl Iterator<Item = String> + 'a {
    let compared: Vec<AwardId> = previous
        .iter()
        .flat_map(|previous| &previous.strategy.awards)
        .map(|award| award.id)
        .collect();
    let activity = campaign.activity.id;
    let left_out = campaign.strategy.awards.iter();
    let left_out = left_out.filter(move |award| !compared.contains(&award.id));
    let awards = left_out.map(move |award| (StockItem::award(activity, award.id), award.count));
    let for_sale = campaign.skus.iter();
    let for_sale = for_sale.map(move |sku| {
        let item = StockItem::sku(activity, sku.id);
        (item, Some(sku.stock))
    });
    awards.chain(for_sale).filter_map(|(item, now)| {
        let first = *stocked.get(&item)?;
        let (good, option) = match item.good {
            Good::Award(_) => ("count", ""),
            Good::Sku(_) => ("stock", " --sku"),
        };
        let said = now.map_or("unlimited".to_owned(), |count| count.to_string());
        (now != Some(first)).then(|| {
            format!(
                "{} was first published with {first} units, the file says {said}: \
                 leave the {good} as it was and use `drawbridge stock add{option}` to change its stock",
                item.good
            )
        })
    })
}
