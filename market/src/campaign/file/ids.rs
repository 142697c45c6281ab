//! Ids and names: each is unique, and those that other sections refer to can be found.
use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::hash::Hash;

use settings::{Faulted, Field, Section, Value};

use super::bounds::ID_MAX;
use super::points::{PointsKind, PointsRules};
use crate::ids::{AwardId, AwardIndex};
use crate::points::PointsRange;

pub(super) fn id<'d, T>(value: &Value<'d>, new: fn(u64) -> Option<T>) -> Field<'d, T> {
    value
        .integer(1..=ID_MAX)
        .try_map(|number| new(number).ok_or("not an id"))
}

/// The awards by their ids, and which of them are points.
pub(super) struct AwardIds {
    pub(super) by_id: HashMap<AwardId, AwardIndex>,
    pub(super) kinds: Vec<Option<PointsKind>>,
    pub(super) points: PointsRules,
}

impl AwardIds {
    /// The award that a value refers to.
    pub(super) fn find<'d>(&self, value: &Value<'d>) -> Field<'d, AwardIndex> {
        let find = |id| {
            self.by_id
                .get(&id)
                .copied()
                .ok_or_else(|| format!("no award has the id {id}"))
        };
        id(value, AwardId::new).try_map(find)
    }

    /// The points that an award pays by the config of the luck node in `section`. Without one it is
    /// the award's own that counts.
    pub(super) fn points_by(
        &self,
        section: &Section<'_>,
        award: AwardIndex,
        config: &str,
    ) -> Result<Option<PointsRange>, Faulted> {
        let kind = self.kinds[award.0].filter(|_| !config.is_empty());
        self.points.pays(section, kind, config)
    }
}

/// Finds the second of two equal values.
pub(super) struct Distinct<K>(HashSet<K>);

impl<K> Default for Distinct<K> {
    fn default() -> Self {
        Self(HashSet::new())
    }
}

impl<K: Clone + Eq + Hash> Distinct<K> {
    pub(super) fn is_new(&mut self, value: &K) -> bool {
        self.0.insert(value.clone())
    }

    pub(super) fn add(&mut self, value: K) -> Result<K, String>
    where
        K: Display,
    {
        if self.is_new(&value) {
            Ok(value)
        } else {
            Err(format!("must be unique, but {value} was there before"))
        }
    }
}
