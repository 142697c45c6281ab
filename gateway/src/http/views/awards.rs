//! The prizes on the wheel.
use market::campaign::Strategy;
use market::ids::AwardIndex;
use serde::Serialize;

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
}

/// All prizes of a strategy, as they look to a user who has made this number of draws today.
pub fn award_views(strategy: &Strategy, draws_today: u32) -> Vec<AwardView<'_>> {
    (0..strategy.awards.len())
        .map(AwardIndex)
        .filter(|&index| strategy.award(index).is_on_wheel())
        .map(|index| award_view(strategy, index, draws_today))
        .collect()
}

fn award_view(strategy: &Strategy, index: AwardIndex, draws_today: u32) -> AwardView<'_> {
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
    }
}
