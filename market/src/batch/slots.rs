//! Rows that a batch reads and may change, by their keys.
use crate::ids::{ActivityId, AwardId, UserId};

/// What names a row of a user in an activity: an account, a sign-in.
pub type AccountKey = (UserId, ActivityId);

/// What names the row of what a user was given of an award.
pub type UserAwardKey = (UserId, ActivityId, AwardId);

/// Rows of one table by their keys: what was stored, and what is to be. New, changed and untouched
/// rows fall out of it.
#[derive(Debug)]
pub struct Slots<K, V>(Vec<Slot<K, V>>);

impl<K, V> Default for Slots<K, V> {
    /// None.
    fn default() -> Self {
        Self(Vec::new())
    }
}

#[derive(Debug)]
struct Slot<K, V> {
    key: K,
    stored: Option<V>,
    now: Option<V>,
}

impl<K, V: Copy + PartialEq> Slots<K, V> {
    /// Distinct keys, and for each what is stored.
    pub fn new(keys: Vec<K>, stored: Vec<Option<V>>) -> Self {
        assert_eq!(keys.len(), stored.len(), "each key was looked up");
        let slot = |(key, stored)| Slot {
            key,
            stored,
            now: stored,
        };
        Self(keys.into_iter().zip(stored).map(slot).collect())
    }

    /// Rows that did not exist before.
    pub fn new_rows(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0
            .iter()
            .filter(|slot| slot.stored.is_none())
            .filter_map(|slot| Some((&slot.key, slot.now.as_ref()?)))
    }

    /// Rows that did, and that are not as they were.
    pub fn changed_rows(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0
            .iter()
            .filter(|slot| slot.stored.is_some() && slot.now != slot.stored)
            .filter_map(|slot| Some((&slot.key, slot.now.as_ref()?)))
    }

    /// Rows that are new or not as they were.
    pub fn written_rows(&self) -> impl Iterator<Item = (&K, &V)> {
        self.new_rows().chain(self.changed_rows())
    }

    /// What names the row at an index.
    pub(super) fn key(&self, index: usize) -> &K {
        &self.0[index].key
    }

    /// The row at an index as it is now.
    pub(super) fn now(&self, index: usize) -> Option<V> {
        self.0[index].now
    }

    /// Changes the row at an index.
    pub fn set(&mut self, index: usize, now: Option<V>) {
        self.0[index].now = now;
    }
}

impl<K, V: Copy + PartialEq> FromIterator<(K, Option<V>, Option<V>)> for Slots<K, V> {
    /// Rows by their key, with what is stored and what is to be.
    fn from_iter<I: IntoIterator<Item = (K, Option<V>, Option<V>)>>(rows: I) -> Self {
        let slot = |(key, stored, now)| Slot { key, stored, now };
        Self(rows.into_iter().map(slot).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_changed_and_untouched_rows_fall_out() {
        let mut slots = Slots::new(
            vec!["new", "changed", "same", "none"],
            vec![None, Some(1), Some(2), None],
        );
        slots.set(0, Some(3));
        slots.set(1, Some(4));
        slots.set(2, Some(5));
        slots.set(2, Some(2));
        assert_eq!(slots.new_rows().collect::<Vec<_>>(), [(&"new", &3)]);
        assert_eq!(slots.changed_rows().collect::<Vec<_>>(), [(&"changed", &4)]);
    }
}
