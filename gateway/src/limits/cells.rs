//! Buckets by key, in a table of fixed size.
//!
//! A million users under a limit are a million buckets, and each is one number. So the table is made
//! of places of 16 bytes, a number and the hash of its key, in sets of 16 with the latest used first.
//! A key belongs to one set; the last of a full set gives way to a new key. Nothing is swept: a
//! bucket that is full again says what no bucket says.
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use governor::nanos::Nanos;
use governor::state::StateStore;

/// Places of a set.
const SET: usize = 16;

/// Places per key that there must be room for. With sets half full on average, one key in a thousand
/// finds its own set full.
const PLACES_PER_KEY: usize = 2;

/// Locks of a table: threads seldom want the same one.
const STRIPES_MAX: usize = 64;

/// A bucket.
#[derive(Debug, Clone, Copy, Default)]
struct Place {
    /// Its key's hash, by a secret of this table: nobody can look for keys that share a bucket. Of a
    /// million keys two do with a probability of 3 in 100 million.
    hash: u64,
    /// When it will be full, in the limiter's nanoseconds; 0 in a place that was never used.
    full_at_ns: u64,
}

/// The state of one bucket per key, for a bounded number of keys.
///
/// Beyond the bound a key goes that was asked for longest ago among those of its set: its bucket is
/// forgotten, which makes it a full one. (To refuse new keys instead would let whoever invents keys
/// lock everybody else out.)
pub struct Cells<K> {
    table: Arc<Table>,
    of_keys: PhantomData<fn(&K)>,
}

struct Table {
    secret: RandomState,
    sets: usize,
    /// The sets, dealt out to the stripes in turn.
    stripes: Vec<Mutex<Vec<Place>>>,
}

impl<K> Clone for Cells<K> {
    fn clone(&self) -> Self {
        Self { table: self.table.clone(), of_keys: PhantomData }
    }
}

impl<K> Cells<K> {
    /// Room for `keys_max` keys, at 32 bytes each.
    pub fn new(keys_max: u64) -> Self {
        let keys_max = usize::try_from(keys_max).unwrap_or(usize::MAX / PLACES_PER_KEY);
        let sets = (keys_max * PLACES_PER_KEY).div_ceil(SET).max(1);
        let stripes = sets.min(STRIPES_MAX);
        let stripe = || Mutex::new(vec![Place::default(); sets.div_ceil(stripes) * SET]);
        let table = Table { secret: RandomState::new(), sets, stripes: (0..stripes).map(|_| stripe()).collect() };
        Self { table: Arc::new(table), of_keys: PhantomData }
    }

    /// How many buckets are not full at that moment of the limiter's. Looks at each place: for scrapes.
    pub fn count(&self, now: Nanos) -> u64 {
        let not_full = |place: &&Place| place.full_at_ns > now.as_u64();
        let of_stripe = |stripe| locked(stripe).iter().filter(not_full).count() as u64;
        self.table.stripes.iter().map(of_stripe).sum()
    }
}

impl Table {
    /// Does something with the place of a key, which is the first of its set from then on.
    fn with_place<T>(&self, key: &impl Hash, act: impl FnOnce(&mut Place) -> T) -> T {
        let hash = self.secret.hash_one(key);
        // Evenly over the sets, by the upper bits.
        let set = usize::try_from((u128::from(hash) * self.sets as u128) >> u64::BITS).unwrap_or_default();
        let (stripe, first) = (set % self.stripes.len(), set / self.stripes.len() * SET);
        let mut stripe = locked(&self.stripes[stripe]);
        let places = &mut stripe[first..first + SET];
        let known = places.iter().position(|place| place.hash == hash && place.full_at_ns > 0);
        places[..=known.unwrap_or(SET - 1)].rotate_right(1);
        if known.is_none() {
            places[0] = Place { hash, full_at_ns: 0 };
        }
        act(&mut places[0])
    }
}

fn locked(stripe: &Mutex<Vec<Place>>) -> MutexGuard<'_, Vec<Place>> {
    stripe.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K: Hash> StateStore for Cells<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        self.table.with_place(key, |place| {
            let full_at = (place.full_at_ns > 0).then(|| Nanos::new(place.full_at_ns));
            let (outcome, full_at) = measure(full_at)?;
            place.full_at_ns = full_at.as_u64();
            Ok(outcome)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// Writes a key's number and answers the one before.
    fn put(cells: &Cells<u64>, key: u64, number: u64) -> Option<u64> {
        let Ok(before) = cells.measure_and_replace(&key, |before| Ok::<_, Infallible>((before, Nanos::new(number))));
        before.map(Nanos::as_u64)
    }

    #[test]
    fn each_key_has_a_number_of_its_own() {
        let cells = Cells::new(1_000);
        for key in 0..500 {
            assert_eq!(put(&cells, key, key + 1), None);
        }
        let kept = (0..500).filter(|&key| put(&cells, key, key + 1) == Some(key + 1)).count();
        assert_eq!(kept, 500, "half of what there is room for");
        assert_eq!([0, 250, 500].map(|now| cells.count(Nanos::new(now))), [500, 250, 0]);
    }

    #[test]
    fn as_many_keys_as_there_must_be_room_for_are_kept_but_for_a_few() {
        const KEYS: u64 = 50_000;
        let cells = Cells::new(KEYS);
        for key in 0..KEYS {
            put(&cells, key, 1);
        }
        // Counted, not asked for: asking moves keys, and in a set of 17 each would push the next one out.
        // Sets of 8 on average (Poisson) lack 33 places, with a standard deviation of 8.
        let lost = KEYS - cells.count(Nanos::new(0));
        assert!(lost < 100, "{lost} of {KEYS}");
    }

    #[test]
    fn the_key_that_was_silent_longest_gives_way() {
        // One set.
        let cells = Cells::new(1);
        for key in 0..16 {
            put(&cells, key, 1);
        }
        assert_eq!(put(&cells, 0, 1), Some(1), "now the latest");
        assert_eq!(put(&cells, 16, 1), None);
        assert_eq!(put(&cells, 0, 1), Some(1));
        assert_eq!(put(&cells, 2, 1), Some(1));
        assert_eq!(put(&cells, 1, 1), None, "the one that went");
        assert_eq!(cells.count(Nanos::new(0)), 16);
    }

    #[test]
    fn what_is_refused_changes_no_number_and_is_heard_all_the_same() {
        let cells = Cells::new(1);
        for key in 0..16 {
            put(&cells, key, 7);
        }
        let refused = cells.measure_and_replace(&0, |before| Err::<((), Nanos), _>(before.map(Nanos::as_u64)));
        assert_eq!(refused, Err(Some(7)));
        put(&cells, 16, 7);
        assert_eq!(put(&cells, 0, 7), Some(7));
    }
}
