//! `[[award]]`: the prizes, in two steps, because prizes and trees name each other.
use std::num::NonZeroU32;

use settings::{Faulted, Section, all};

use super::bounds::{
    AMOUNT_MAX, AWARDS_MAX, DETAIL_CHARS, NAME_CHARS, PER_USER_AWARDS_MAX, PER_USER_MAX,
};
use super::ids::{AwardIds, Distinct, id};
use super::points::{PointsKind, PointsRules};
use super::tree::Trees;
use crate::campaign::report::decimal;
use crate::campaign::{Award, UserLimit};
use crate::chances::Chances;
use crate::ids::{AwardId, AwardIndex};
use crate::odds::{Likelihood, Pool, Rate};

/// Largest weight: sums of a thousand of them, times a thousand, stay below 2^64.
const WEIGHT_MAX: u32 = 1_000_000_000;

/// The awards in the order of the wheel, with what other sections need to know of them.
#[derive(Default)]
pub(super) struct ListedAwards<'d>(Vec<ListedAward<'d>>);

struct ListedAward<'d> {
    section: Section<'d>,
    id: Result<AwardId, Faulted>,
    /// `None` for an award that is not on the wheel.
    sort: Result<Option<u32>, Faulted>,
    rate: Result<Likelihood, Faulted>,
    key: Result<String, Faulted>,
}

impl<'d> ListedAwards<'d> {
    pub(super) fn read(root: &Section<'d>) -> Result<Self, Faulted> {
        let sections = root.sections("award", 1..=AWARDS_MAX)?;
        let on_wheel: Vec<_> = sections
            .iter()
            .map(|section| section.boolean("on_wheel").or(true))
            .collect();
        let places = on_wheel.iter().filter(|on_wheel| **on_wheel != Ok(false));
        let sort_max = u32::try_from(places.count()).unwrap_or(u32::MAX).max(1);
        let (mut ids, mut sorts) = (Distinct::default(), Distinct::default());
        let list = |(section, on_wheel): (Section<'d>, Result<bool, Faulted>)| ListedAward {
            id: id(&section.value("id"), AwardId::new)
                .try_map(|id| ids.add(id))
                .required(),
            sort: on_wheel.and_then(|on_wheel| place(&section, on_wheel, sort_max, &mut sorts)),
            rate: on_wheel.and_then(|on_wheel| likelihood(&section, on_wheel)),
            key: section.string("key", 0..=64).or(String::new()),
            section,
        };
        let mut awards: Vec<_> = sections.into_iter().zip(on_wheel).map(list).collect();
        awards.sort_by_key(|award| award.sort.ok().flatten().unwrap_or(u32::MAX));
        Ok(Self(awards))
    }

    pub(super) fn ids(&self, points: PointsRules) -> AwardIds {
        let awards = self.0.iter().enumerate();
        let ids = awards.filter_map(|(index, award)| Some((award.id.ok()?, AwardIndex(index))));
        AwardIds {
            by_id: ids.collect(),
            kinds: self.0.iter().map(ListedAward::points_kind).collect(),
            points,
        }
    }

    /// The pool of all awards. Those that are not on the wheel have no share in it.
    pub(super) fn pool(&self, root: &Section<'_>) -> Result<Pool, Faulted> {
        let rates = all(self.0.iter().map(|award| award.rate))?;
        let on_wheel = |award: &ListedAward<'_>| award.sort.is_ok_and(|sort| sort.is_some());
        let weighed = |rate: &Likelihood| matches!(rate, Likelihood::Weight(_));
        // One that is not on the wheel may have neither.
        let named =
            |(rate, award): &(&Likelihood, &ListedAward<'_>)| on_wheel(award) || !rate.is_zero();
        let mut kinds = rates
            .iter()
            .zip(&self.0)
            .filter(named)
            .map(|(rate, _)| weighed(rate));
        let first = kinds.next();
        if kinds.any(|kind| Some(kind) != first) {
            let message = "some awards have a rate and some a weight: give all of them the same";
            return Err(root.fault("award", message));
        }
        let share = |(rate, award): (&Likelihood, &ListedAward<'_>)| {
            if on_wheel(award) { rate.share() } else { 0 }
        };
        let shares: Vec<u64> = rates.iter().zip(&self.0).map(share).collect();
        let sum: u128 = shares.iter().map(|&share| u128::from(share)).sum();
        if first == Some(false) && sum > Rate::ONE.millionths().into() {
            let sum = decimal(sum, 6);
            let message = format!("the rates of all awards sum to {sum}, which is more than 1");
            return Err(root.fault("award", message));
        }
        Pool::of_shares(&shares)
            .map_err(|_| root.fault("award", "no award has a rate or weight above 0"))
    }

    /// The awards with all their keys.
    pub(super) fn complete(
        &self,
        trees: &mut Trees<'_>,
        chances: Result<Chances, Faulted>,
        points: PointsRules,
    ) -> Vec<Result<Award, Faulted>> {
        let awards = (0..).map(AwardIndex).zip(&self.0);
        awards
            .map(|(index, award)| award.complete(index, trees, chances, points))
            .collect()
    }
}

/// The limits for one user. Each draw looks all of them up, so there are a few at most.
pub(super) fn user_limits(root: &Section<'_>, awards: &[Award]) -> Result<Vec<UserLimit>, Faulted> {
    let limit = |(index, award): (usize, &Award)| {
        let (award, most) = (AwardIndex(index), award.per_user?);
        Some(UserLimit { award, most })
    };
    let limits: Vec<_> = awards.iter().enumerate().filter_map(limit).collect();
    if limits.len() > PER_USER_AWARDS_MAX {
        let count = limits.len();
        let message = format!(
            "{count} awards have per_user, and at most {PER_USER_AWARDS_MAX} may: each draw looks \
             all of them up"
        );
        return Err(root.fault("award", message));
    }
    Ok(limits)
}

/// The place on the wheel.
fn place(
    section: &Section<'_>,
    on_wheel: bool,
    sort_max: u32,
    sorts: &mut Distinct<u32>,
) -> Result<Option<u32>, Faulted> {
    let sort = section.integer("sort", 1..=sort_max);
    if on_wheel {
        return sort.try_map(|sort| sorts.add(sort)).required().map(Some);
    }
    match sort.optional()? {
        None => Ok(None),
        Some(_) => Err(section.fault(
            "sort",
            "an award that is not on the wheel has no place there",
        )),
    }
}

/// The rate or the weight. One that is not on the wheel may have neither.
fn likelihood(section: &Section<'_>, on_wheel: bool) -> Result<Likelihood, Faulted> {
    let rate = section.decimal("rate").parse();
    let weight = section.integer("weight", 0..=WEIGHT_MAX).optional()?;
    match weight {
        None if on_wheel => rate.required().map(Likelihood::Rate),
        None => Ok(Likelihood::Rate(rate.optional()?.unwrap_or(Rate::ZERO))),
        Some(weight) => match rate.optional()? {
            None => Ok(Likelihood::Weight(weight)),
            Some(_) => Err(section.fault("weight", "an award has a rate or a weight, not both")),
        },
    }
}

impl ListedAward<'_> {
    fn points_kind(&self) -> Option<PointsKind> {
        self.key
            .as_ref()
            .ok()
            .and_then(|key| PointsKind::of_key(key))
    }

    /// How many of it one user gets at most. Who has them gets what the tree gives instead, so there
    /// must be a tree, and no other prize may lead to this one.
    fn per_user(
        &self,
        index: AwardIndex,
        tree: Result<Option<usize>, Faulted>,
        trees: &Trees<'_>,
    ) -> Result<Option<NonZeroU32>, Faulted> {
        let per_user = self.section.integer("per_user", 1..=PER_USER_MAX);
        let Some(most) = per_user.optional()?.and_then(NonZeroU32::new) else {
            return Ok(None);
        };
        let message = if tree == Ok(None) {
            "a prize with per_user needs a tree: its luck award is given to users who have as many"
        } else if trees.gives_by_luck(index) {
            "this prize is the luck award of a tree, which everybody must be able to get: it cannot \
             have per_user"
        } else {
            return Ok(Some(most));
        };
        Err(self.section.fault("per_user", message))
    }

    fn complete(
        &self,
        index: AwardIndex,
        trees: &mut Trees<'_>,
        chances: Result<Chances, Faulted>,
        points: PointsRules,
    ) -> Result<Award, Faulted> {
        let section = &self.section;
        let title = section.string("title", 1..=128).required();
        let subtitle = section.string("subtitle", DETAIL_CHARS).or(String::new());
        let count = section.integer("count", 0..=AMOUNT_MAX).optional();
        let tree = section
            .string("tree", NAME_CHARS)
            .try_map(|name| trees.find(&name))
            .optional();
        let per_user = self.per_user(index, tree, trees);
        let config = section.string("config", DETAIL_CHARS).or(String::new());
        let points = config
            .as_ref()
            .map_err(|&faulted| faulted)
            .and_then(|config| points.pays(section, self.points_kind(), config));
        let cost_minor = section.integer("cost_minor", 0..=AMOUNT_MAX).or(0);
        if let (Ok(Some(_)), Ok(None)) = (count, tree) {
            let message =
                "a prize with a count needs a tree: its luck award is given when the prize is gone";
            section.fault("count", message);
        }
        if let (Ok(rate), Ok(sort), Ok(Some(tree))) = (self.rate, self.sort, tree) {
            let is_drawn = sort.is_some() && !rate.is_zero();
            trees.check_winnable(section, is_drawn, tree, chances)?;
        }
        Ok(Award {
            id: self.id?,
            title: title?.into(),
            subtitle: subtitle?,
            sort: self.sort?.unwrap_or(0),
            rate: self.rate?,
            count: count?,
            per_user: per_user?,
            tree: tree?,
            key: self.key.clone()?,
            config: config?,
            points: points?,
            cost_minor: cost_minor?,
        })
    }
}
