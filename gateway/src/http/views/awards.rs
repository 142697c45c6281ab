//! The prizes on the wheel.
use market::campaign::Campaign;
use market::ids::AwardIndex;
use serde::Serialize;

use super::left::LeftView;
use crate::desk::Desk;

/// A prize on the wheel.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AwardView<'a> {
    award_id: u64,
    award_title: &'a str,
    award_subtitle: &'a str,
    sort: u32,
    /// Draws that a user must have made today before this prize can be won; null without a lock.
    award_rule_lock_count: Option<u32>,
    is_award_unlock: bool,
    /// Draws still to be made today.
    wait_un_lock_count: u32,
    /// The same two by the names that other clients of the reference read.
    award_unlock: bool,
    has_award_unlock: bool,
    wait_unlock_count: u32,
    #[serde(flatten)]
    left: LeftView,
}

/// All prizes on the wheel of a campaign, as they look to a user who has made this number of draws
/// today.
pub async fn award_views<'c>(
    desk: &Desk,
    campaign: &'c Campaign,
    draws_today: u32,
) -> Vec<AwardView<'c>> {
    let strategy = &campaign.strategy;
    desk.refresh_left().await;
    (0..strategy.awards.len())
        .map(AwardIndex)
        .filter(|&index| strategy.award(index).is_on_wheel())
        .map(|index| award_view(desk, campaign, index, draws_today))
        .collect()
}

fn award_view<'c>(
    desk: &Desk,
    Campaign {
        activity, strategy, ..
    }: &'c Campaign,
    index: AwardIndex,
    draws_today: u32,
) -> AwardView<'c> {
    let award = strategy.award(index);
    // The draw itself walks the same tree, so the page and the rule cannot differ.
    let opens_at = |draws| {
        strategy
            .tree_of(index)
            .map_or(Some(draws), |tree| tree.unlocked_at(draws))
    };
    let next = opens_at(draws_today);
    let is_unlocked = next == Some(draws_today);
    let draws_left = next.map_or(0, |draws| draws - draws_today);
    AwardView {
        award_id: award.id.get(),
        award_title: &award.title,
        award_subtitle: &award.subtitle,
        sort: award.sort,
        award_rule_lock_count: opens_at(0).filter(|&draws| draws > 0),
        is_award_unlock: is_unlocked,
        wait_un_lock_count: draws_left,
        award_unlock: is_unlocked,
        has_award_unlock: is_unlocked,
        wait_unlock_count: draws_left,
        left: LeftView::new(desk.left(activity.id, award)),
    }
}
