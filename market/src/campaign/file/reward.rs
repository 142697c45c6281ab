//! `[[reward]]`: what users get for what they do.
use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use settings::{Faulted, Section, all};

use super::ids::{Distinct, id};
use crate::campaign::{Gives, Reward, Sku};
use crate::ids::{Behaviour, SkuId};
use crate::points::{Points, PointsRange};

const REWARDS_MAX: usize = 32;
/// How many rewards a behaviour may have. A sign-in gives those of all activities in one
/// transaction, with a row for each.
const REWARDS_PER_BEHAVIOUR_MAX: usize = 8;
/// Days in a row. One day is no row, and a year is the longest.
const STREAK: RangeInclusive<u32> = 2..=366;

const KINDS: [(&str, RewardKind); 2] = [
    ("chances", RewardKind::Chances),
    ("points", RewardKind::Points),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum RewardKind {
    Chances,
    Points,
}

/// No two rewards have the same.
type RewardKey = (Behaviour, RewardKind, Option<u32>);

/// The rewards. They name skus, so far as these could be read.
pub(super) fn rewards(
    root: &Section<'_>,
    skus: Result<&[Sku], Faulted>,
    is_new: bool,
) -> Result<Vec<Reward>, Faulted> {
    let mut seen = Distinct::default();
    let sections = root.sections("reward", 0..=REWARDS_MAX)?;
    let rewards = all(sections
        .iter()
        .map(|section| reward(section, skus, &mut seen)))?;
    // A day counts for the row when it is rewarded.
    let each_day = |reward: &Reward| reward.behaviour.is_sign() && reward.streak.is_none();
    let of_row = rewards.iter().position(|reward| reward.streak.is_some());
    // Files that are published already may have more.
    if let Some(index) = one_too_many(&rewards).filter(|_| is_new) {
        let word = rewards[index].behaviour.as_str();
        return Err(sections[index].fault(
            "behavior",
            format!(
                "{word:?} has {REWARDS_PER_BEHAVIOUR_MAX} rewards already, and no more can be: \
                 they are given in one transaction"
            ),
        ));
    }
    match of_row {
        Some(index) if !rewards.iter().any(each_day) => Err(sections[index].fault(
            "streak",
            "a streak needs a reward for each day too: one for \"sign\" without streak",
        )),
        _ => Ok(rewards),
    }
}

/// The index of the first reward of a behaviour that has too many.
fn one_too_many(rewards: &[Reward]) -> Option<usize> {
    let is_too_many = |&index: &usize| {
        let same = |other: &&Reward| other.behaviour == rewards[index].behaviour;
        rewards[..index].iter().filter(same).count() >= REWARDS_PER_BEHAVIOUR_MAX
    };
    (0..rewards.len()).find(is_too_many)
}

fn reward(
    section: &Section<'_>,
    skus: Result<&[Sku], Faulted>,
    seen: &mut Distinct<RewardKey>,
) -> Result<Reward, Faulted> {
    let behaviour = section
        .string("behavior", 1..=Behaviour::CHARS_MAX)
        .try_map(|word| Behaviour::new(&word))
        .required();
    let kind = section.choice("kind", &KINDS).required();
    let sku = id(&section.value("sku"), SkuId::new)
        .try_map(|id| known(skus, id))
        .optional();
    let points = section.decimal("points").try_map(|text| amount(&text));
    let points = points.optional();
    let of_days = |days| match &behaviour {
        Ok(behaviour) if !behaviour.is_sign() => {
            Err("days in a row are counted of \"sign\" only: leave streak out")
        }
        _ => Ok(days),
    };
    let streak = section.integer("streak", STREAK);
    let streak = streak.try_map(of_days).optional();
    let (kind, sku, points) = (kind?, sku?, points?);
    let gives = match (kind, sku, points) {
        (RewardKind::Chances, Some(sku), None) => Ok(Gives::Chances(sku)),
        (RewardKind::Points, None, Some(points)) => Ok(Gives::Points(points)),
        (RewardKind::Chances, None, _) => {
            let message = "missing: expected the id of a sku of this file, whose chances are given";
            Err(section.fault("sku", message))
        }
        (RewardKind::Points, _, None) => {
            Err(section.fault("points", "missing: expected how many points are given"))
        }
        (RewardKind::Chances, Some(_), Some(_)) => {
            let message = "a reward of kind \"chances\" gives no points: list another reward";
            Err(section.fault("points", message))
        }
        (RewardKind::Points, Some(_), Some(_)) => {
            let message = "a reward of kind \"points\" gives no sku: list another reward";
            Err(section.fault("sku", message))
        }
    };
    let (behaviour, streak) = (behaviour?, streak?);
    if !seen.is_new(&(behaviour.clone(), kind, streak)) {
        let message = "this behavior has a reward of this kind and streak already";
        return Err(section.fault("behavior", message));
    }
    Ok(Reward {
        behaviour,
        gives: gives?,
        streak: streak.and_then(NonZeroU32::new),
    })
}

/// A sku of the file. Where skus have faults, any may be meant.
fn known(skus: Result<&[Sku], Faulted>, id: SkuId) -> Result<SkuId, String> {
    match skus {
        Ok(skus) if skus.iter().all(|sku| sku.id != id) => {
            Err(format!("no sku of this file has the id {id}"))
        }
        _ => Ok(id),
    }
}

fn amount(text: &str) -> Result<Points, &'static str> {
    let given = text.parse().ok();
    given
        .filter(|points: &Points| !points.is_zero() && *points <= PointsRange::MAX)
        .ok_or("expected points from 0.01 to 1000000, with at most two decimals, such as \"1.50\"")
}
