//! Endpoints of strategies: the wheel's prizes, what is unlocked, the pools.
use std::sync::Arc;

use market::campaign::{Published, Strategy};
use market::ids::AwardIndex;
use market::random::Randomness;
use serde::Serialize;
use shards::Shards;

use super::activity::account_today;
use super::answer::{Data, Failure, Outcome};
use super::code::Code;
use super::fields::Fields;
use crate::identity::Caller;

/// A prize on the wheel.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AwardView<'a> {
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

fn award_views(strategy: &Strategy, draws_today: u32) -> Vec<AwardView<'_>> {
    (0..strategy.awards.len())
        .map(|index| award_view(strategy, AwardIndex(index), draws_today))
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

/// `POST strategy/query_raffle_award_list`
pub(super) async fn award_list(shards: &Shards, caller: &Caller, fields: &Fields<'_>) -> Outcome {
    let (published, account) = account_today(shards, caller, fields).await?;
    Ok(Data::new(&award_views(
        &published.campaign.strategy,
        account.day_used,
    )))
}

/// `POST query_raffle_award_list` of the reference's first stage, by strategy and for nobody in
/// particular.
pub(super) fn strategy_award_list(shards: &Shards, fields: &Fields<'_>) -> Outcome {
    let published = by_strategy(shards, fields)?;
    Ok(Data::new(&award_views(&published.campaign.strategy, 0)))
}

/// A weight threshold and the user's way to it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WeightView<'a> {
    rule_weight_count: u32,
    user_activity_account_total_use_count: u32,
    strategy_awards: Vec<WeightAward<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WeightAward<'a> {
    award_id: u64,
    award_title: &'a str,
}

/// `POST strategy/query_raffle_strategy_rule_weight`
pub(super) async fn rule_weight(shards: &Shards, caller: &Caller, fields: &Fields<'_>) -> Outcome {
    let (published, account) = account_today(shards, caller, fields).await?;
    let strategy = &published.campaign.strategy;
    let award = |&index: &AwardIndex| {
        let award = strategy.award(index);
        WeightAward {
            award_id: award.id.get(),
            award_title: &award.title,
        }
    };
    let groups = strategy.weight_groups().iter().map(|group| WeightView {
        rule_weight_count: group.ordinal,
        user_activity_account_total_use_count: account.used,
        strategy_awards: group.awards.iter().map(award).collect(),
    });
    Ok(Data::new(&groups.collect::<Vec<_>>()))
}

/// What a pool gave.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RandomAward {
    award_id: u64,
    award_index: u32,
}

/// `POST strategy/random_raffle`: shows the pool; takes no stock and writes no order.
pub(super) fn random_raffle(
    shards: &Shards,
    fields: &Fields<'_>,
    random: &mut impl Randomness,
) -> Outcome {
    let published = by_strategy(shards, fields)?;
    let strategy = &published.campaign.strategy;
    let award = strategy.award(AwardIndex(strategy.pool.draw(random)));
    Ok(Data::new(&RandomAward {
        award_id: award.id.get(),
        award_index: award.sort,
    }))
}

/// `GET strategy/strategy_armory`: says that the strategy is loaded, and changes nothing.
pub(super) fn armory(shards: &Shards, fields: &Fields<'_>) -> Outcome {
    let strategy = fields.strategy()?;
    let catalogue = shards.catalogue();
    catalogue
        .strategy(strategy)
        .map(|_| Data::new(&true))
        .ok_or_else(|| Code::ActivityUnknown.into())
}

fn by_strategy(shards: &Shards, fields: &Fields<'_>) -> Result<Arc<Published>, Failure> {
    let strategy = fields.strategy()?;
    shards
        .catalogue()
        .strategy(strategy)
        .cloned()
        .ok_or_else(|| Code::ActivityUnknown.into())
}
