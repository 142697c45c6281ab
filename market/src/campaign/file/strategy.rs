//! `[strategy]` with its awards, trees and rules.
use settings::{Faulted, Section, all};

use super::award::{ListedAwards, user_limits};
use super::bounds::DETAIL_CHARS;
use super::ids::id;
use super::points::PointsRules;
use super::rules::{Prizes, chain};
use super::tree::Trees;
use crate::campaign::Strategy;
use crate::chances::Chances;
use crate::ids::StrategyId;
use crate::tree::Tree;

pub(super) fn strategy(
    root: &Section<'_>,
    chances: Result<Chances, Faulted>,
    points: PointsRules,
) -> Result<Strategy, Faulted> {
    let section = root.section("strategy");
    let id = id(&section.value("id"), StrategyId::new).required();
    let description = section
        .string("description", DETAIL_CHARS)
        .or(String::new());
    let (listed, pool) = match ListedAwards::read(root) {
        Ok(listed) => {
            let pool = listed.pool(root);
            (listed, pool)
        }
        Err(faulted) => (ListedAwards::default(), Err(faulted)),
    };
    let ids = listed.ids(points);
    let mut trees = Trees::read(root, &ids);
    let awards = listed.complete(&mut trees, chances, points);
    trees.refuse_unused();
    let prizes = Prizes { ids, awards, trees };
    let chain = chain(&section, &prizes);
    let Prizes { awards, trees, .. } = prizes;
    let (awards, trees) = (all(awards), trees.into_trees());
    let (id, description, pool, chain) = (id?, description?, pool?, chain?);
    let (awards, trees) = (awards?, trees?);
    let user_limits = user_limits(root, &awards)?;
    let pays_points =
        awards.iter().any(|award| award.points.is_some()) || trees.iter().any(Tree::pays_points);
    Ok(Strategy {
        id,
        description,
        awards,
        pool,
        chain,
        trees,
        user_limits,
        pays_points,
    })
}
