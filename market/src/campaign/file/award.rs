//! `[[award]]`: the prizes, in two steps, because prizes and trees name each other.
use std::num::NonZeroU64;

use settings::{Faulted, Section, all};

use super::bounds::{AMOUNT_MAX, AWARDS_MAX, DETAIL_CHARS, NAME_CHARS};
use super::ids::{AwardIds, Distinct, id};
use super::tree::Trees;
use crate::campaign::Award;
use crate::campaign::report::decimal;
use crate::chances::Chances;
use crate::ids::{AwardId, AwardIndex};
use crate::odds::{Pool, Rate};

/// The awards in the order of the wheel, with what other sections need to know of them.
#[derive(Default)]
pub(super) struct ListedAwards<'d>(Vec<ListedAward<'d>>);

struct ListedAward<'d> {
    section: Section<'d>,
    id: Result<AwardId, Faulted>,
    sort: Result<u32, Faulted>,
    rate: Result<Rate, Faulted>,
}

impl<'d> ListedAwards<'d> {
    pub(super) fn read(root: &Section<'d>) -> Result<Self, Faulted> {
        let sections = root.sections("award", 1..=AWARDS_MAX)?;
        let sort_max = u32::try_from(sections.len()).unwrap_or(u32::MAX);
        let (mut ids, mut sorts) = (Distinct::default(), Distinct::default());
        let list = |section: Section<'d>| ListedAward {
            id: id(&section.value("id"), AwardId::new)
                .try_map(|id| ids.add(id))
                .required(),
            sort: section
                .integer("sort", 1..=sort_max)
                .try_map(|sort| sorts.add(sort))
                .required(),
            rate: section.decimal("rate").parse().required(),
            section,
        };
        let mut awards: Vec<_> = sections.into_iter().map(list).collect();
        awards.sort_by_key(|award| award.sort.unwrap_or(u32::MAX));
        Ok(Self(awards))
    }

    pub(super) fn ids(&self) -> AwardIds {
        let awards = self.0.iter().enumerate();
        let ids = awards.filter_map(|(index, award)| Some((award.id.ok()?, AwardIndex(index))));
        AwardIds(ids.collect())
    }

    /// The pool of all awards.
    pub(super) fn pool(&self, root: &Section<'_>) -> Result<Pool, Faulted> {
        let rates = all(self.0.iter().map(|award| award.rate))?;
        let sum: u128 = rates.iter().map(|rate| u128::from(rate.millionths())).sum();
        if sum > Rate::ONE.millionths().into() {
            let sum = decimal(sum, 6);
            let message = format!("the rates of all awards sum to {sum}, which is more than 1");
            return Err(root.fault("award", message));
        }
        Pool::new(&rates).map_err(|_| root.fault("award", "no award has a rate above 0"))
    }

    /// The awards with all their keys.
    pub(super) fn complete(
        &self,
        trees: &mut Trees<'_>,
        chances: Result<Chances, Faulted>,
    ) -> Vec<Result<Award, Faulted>> {
        let awards = self.0.iter();
        awards.map(|award| award.complete(trees, chances)).collect()
    }
}

impl ListedAward<'_> {
    fn complete(
        &self,
        trees: &mut Trees<'_>,
        chances: Result<Chances, Faulted>,
    ) -> Result<Award, Faulted> {
        let section = &self.section;
        let title = section.string("title", 1..=128).required();
        let subtitle = section.string("subtitle", DETAIL_CHARS).or(String::new());
        let count = section.integer("count", 1..=AMOUNT_MAX).optional();
        let tree = section
            .string("tree", NAME_CHARS)
            .try_map(|name| trees.find(&name))
            .optional();
        let key = section.string("key", 0..=64).or(String::new());
        let config = section.string("config", DETAIL_CHARS).or(String::new());
        let cost_minor = section.integer("cost_minor", 0..=AMOUNT_MAX).or(0);
        if let (Ok(Some(_)), Ok(None)) = (count, tree) {
            let message =
                "a prize with a count needs a tree: its luck award is given when the prize is gone";
            section.fault("count", message);
        }
        if let (Ok(rate), Ok(Some(tree))) = (self.rate, tree) {
            trees.check_winnable(section, rate, tree, chances)?;
        }
        Ok(Award {
            id: self.id?,
            title: title?.into(),
            subtitle: subtitle?,
            sort: self.sort?,
            rate: self.rate?,
            count: count?.and_then(NonZeroU64::new),
            tree: tree?,
            key: key?,
            config: config?,
            cost_minor: cost_minor?,
        })
    }
}
