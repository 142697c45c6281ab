//! Ids and names: each is unique, and those that other sections refer to can be found.
use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::hash::Hash;

use settings::{Field, Value};

use super::bounds::ID_MAX;
use crate::ids::{AwardId, AwardIndex};

pub(super) fn id<'d, T>(value: &Value<'d>, new: fn(u64) -> Option<T>) -> Field<'d, T> {
    value
        .integer(1..=ID_MAX)
        .try_map(|number| new(number).ok_or("not an id"))
}

/// The awards by their ids.
pub(super) struct AwardIds(pub(super) HashMap<AwardId, AwardIndex>);

impl AwardIds {
    /// The award that a value refers to.
    pub(super) fn find<'d>(&self, value: &Value<'d>) -> Field<'d, AwardIndex> {
        let find = |id| {
            self.0
                .get(&id)
                .copied()
                .ok_or_else(|| format!("no award has the id {id}"))
        };
        id(value, AwardId::new).try_map(find)
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
