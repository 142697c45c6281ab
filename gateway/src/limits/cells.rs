//! State by key, in a table of fixed size.
//!
//! A million users under a limit are a million buckets, and each is one number. So the table is
//! made of places, a state and the hash of its key, in sets of 16 with the latest used first. A key
//! belongs to one set; in a full set one gives way to a new key. Nothing is swept: a bucket that is
//! full again says what no bucket says.
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use governor::nanos::Nanos;
use governor::state::StateStore;

/// Places of a set.
const SET: usize = 16;

/// Places per key that there must be room for. With sets half full on average, one key in a
/// thousand finds its own set full.
const PLACES_PER_KEY: usize = 2;

/// Locks of a table: threads seldom want the same one.
const STRIPES_MAX: usize = 64;

/// Places that are counted under one lock: 32 KiB of buckets, which are read in a few microseconds.
const CHUNK: usize = 2_048;

/// What a table keeps for a key. The default says what no entry says.
pub trait CellState: Copy + Default + PartialEq + Send {}

impl<S: Copy + Default + PartialEq + Send> CellState for S {}

/// A place of the table; free while its state is the default one.
#[derive(Debug, Clone, Copy, Default)]
struct KeyPlace<S> {
    /// Its key's hash, by a secret of this table: a caller cannot find keys that share an index. Of
    /// a million keys two do with a probability of 3 in 100 million.
    hash: u64,
    state: S,
}

// A bucket takes 16 bytes and each key has room for two.
const _: () = assert!(size_of::<KeyPlace<u64>>() * PLACES_PER_KEY == 32);

/// One state per key, for a bounded number of keys.
pub struct CellTable<S> {
    secret: RandomState,
    sets: usize,
    /// The sets, dealt out to the stripes in turn.
    stripes: Vec<Mutex<Vec<KeyPlace<S>>>>,
    /// Places of each stripe.
    stripe_len: usize,
}

/// Some places of one stripe.
#[derive(Debug, Clone, Copy)]
pub struct CellChunk {
    stripe: usize,
    first: usize,
}

impl<S: CellState> CellTable<S> {
    /// Room for `keys_max` keys, at two places each.
    pub fn new(keys_max: u64) -> Self {
        let keys_max = usize::try_from(keys_max).unwrap_or(usize::MAX / PLACES_PER_KEY);
        let sets = (keys_max * PLACES_PER_KEY).div_ceil(SET).max(1);
        let stripes = sets.min(STRIPES_MAX);
        let stripe_len = sets.div_ceil(stripes) * SET;
        let stripe = || Mutex::new(vec![KeyPlace::default(); stripe_len]);
        Self {
            secret: RandomState::new(),
            sets,
            stripes: (0..stripes).map(|_| stripe()).collect(),
            stripe_len,
        }
    }

    /// Does something with the state of a key, which is the latest used of its set from then on. In
    /// a full set the key goes that was silent longest among those that may, or among all.
    pub fn with<T>(
        &self,
        key: &impl Hash,
        may_go: impl Fn(&S) -> bool,
        act: impl FnOnce(&mut S) -> T,
    ) -> T {
        self.in_set(key, |places, hash| {
            let known = known(places, hash);
            let goes = || {
                places
                    .iter()
                    .rposition(|place| may_go(&place.state))
                    .unwrap_or(SET - 1)
            };
            let index = known.unwrap_or_else(goes);
            places[..=index].rotate_right(1);
            if known.is_none() {
                places[0] = KeyPlace {
                    hash,
                    state: S::default(),
                };
            }
            act(&mut places[0].state)
        })
    }

    /// Does something with the state of a key that is there, which is the latest used of its set
    /// then.
    pub fn with_known<T>(&self, key: &impl Hash, act: impl FnOnce(&mut S) -> T) -> Option<T> {
        self.in_set(key, |places, hash| {
            let index = known(places, hash)?;
            places[..=index].rotate_right(1);
            Some(act(&mut places[0].state))
        })
    }

    /// The state of a key, which stays where it is.
    pub fn get(&self, key: &impl Hash) -> S {
        self.in_set(key, |places, hash| {
            known(places, hash).map_or(S::default(), |index| places[index].state)
        })
    }

    fn in_set<T>(&self, key: &impl Hash, act: impl FnOnce(&mut [KeyPlace<S>], u64) -> T) -> T {
        let hash = self.secret.hash_one(key);
        // Evenly over the sets, by the upper bits.
        let set = usize::try_from((u128::from(hash) * self.sets as u128) >> u64::BITS)
            .unwrap_or_default();
        let (stripe, first) = (set % self.stripes.len(), set / self.stripes.len() * SET);
        let mut stripe = locked(&self.stripes[stripe]);
        act(&mut stripe[first..first + SET], hash)
    }

    /// All places, in parts that are small enough to be looked at under a lock.
    pub fn chunks(&self) -> impl Iterator<Item = CellChunk> + use<S> {
        let stripe_len = self.stripe_len;
        (0..self.stripes.len()).flat_map(move |stripe| {
            (0..stripe_len)
                .step_by(CHUNK)
                .map(move |first| CellChunk { stripe, first })
        })
    }

    /// How many states of a part are such.
    pub fn count(&self, chunk: CellChunk, such: impl Fn(&S) -> bool) -> u64 {
        let stripe = locked(&self.stripes[chunk.stripe]);
        let places = stripe.iter().skip(chunk.first).take(CHUNK);
        places.filter(|place| such(&place.state)).count() as u64
    }
}

/// Where the key of a hash is in its set.
fn known<S: CellState>(places: &[KeyPlace<S>], hash: u64) -> Option<usize> {
    places
        .iter()
        .position(|place| place.hash == hash && place.state != S::default())
}

fn locked<S>(stripe: &Mutex<Vec<KeyPlace<S>>>) -> MutexGuard<'_, Vec<KeyPlace<S>>> {
    stripe.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The state of one bucket per key, for a bounded number of keys: when it will be full, in the
/// limiter's nanoseconds.
///
/// Beyond the bound a key goes that was asked for longest ago among those of its set: its bucket is
/// forgotten, which makes it a full one. (Refusing new keys instead would let a caller that invents
/// keys lock all others out.)
pub struct Cells<K> {
    table: Arc<CellTable<u64>>,
    of_keys: PhantomData<fn(&K)>,
}

impl<K> Clone for Cells<K> {
    fn clone(&self) -> Self {
        Self {
            table: self.table.clone(),
            of_keys: PhantomData,
        }
    }
}

impl<K> Cells<K> {
    /// Room for `keys_max` keys, at 32 bytes each.
    pub fn new(keys_max: u64) -> Self {
        Self {
            table: Arc::new(CellTable::new(keys_max)),
            of_keys: PhantomData,
        }
    }

    /// All places, in parts.
    pub fn chunks(&self) -> impl Iterator<Item = CellChunk> + use<K> {
        self.table.chunks()
    }

    /// How many buckets of a part are not full at that moment of the limiter's.
    pub fn count(&self, chunk: CellChunk, now: Nanos) -> u64 {
        self.table
            .count(chunk, |&full_at_ns| full_at_ns > now.as_u64())
    }
}

impl<K: Hash> StateStore for Cells<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let any = |_: &u64| true;
        self.table.with(key, any, |full_at_ns| {
            let full_at = (*full_at_ns > 0).then(|| Nanos::new(*full_at_ns));
            let (outcome, full_at) = measure(full_at)?;
            *full_at_ns = full_at.as_u64();
            Ok(outcome)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn count(cells: &Cells<u64>, now: u64) -> u64 {
        cells
            .chunks()
            .map(|chunk| cells.count(chunk, Nanos::new(now)))
            .sum()
    }

    /// Writes a key's number and answers the one before.
    fn put(cells: &Cells<u64>, key: u64, number: u64) -> Option<u64> {
        let Ok(before) = cells.measure_and_replace(&key, |before| {
            Ok::<_, Infallible>((before, Nanos::new(number)))
        });
        before.map(Nanos::as_u64)
    }

    #[test]
    fn each_key_has_a_number_of_its_own() {
        let cells = Cells::new(1_000);
        for key in 0..500 {
            assert_eq!(put(&cells, key, key + 1), None);
        }
        let kept = (0..500)
            .filter(|&key| put(&cells, key, key + 1) == Some(key + 1))
            .count();
        assert_eq!(kept, 500, "half of what there is room for");
        assert_eq!([0, 250, 500].map(|now| count(&cells, now)), [500, 250, 0]);
    }

    #[test]
    fn nearly_all_keys_are_kept_that_there_must_be_room_for() {
        const KEYS: u64 = 50_000;
        let cells = Cells::new(KEYS);
        for key in 0..KEYS {
            put(&cells, key, 1);
        }
        // Counted, not asked for: asking moves keys, and in a set of 17 each would push the next
        // one out. Sets of 8 on average (Poisson) lack 33 places, with a standard deviation of 8.
        let lost = KEYS - count(&cells, 0);
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
        assert_eq!(count(&cells, 0), 16);
    }

    #[test]
    fn a_refused_change_leaves_the_number_and_is_returned() {
        let cells = Cells::new(1);
        for key in 0..16 {
            put(&cells, key, 7);
        }
        let refused = cells.measure_and_replace(&0, |before| {
            Err::<((), Nanos), _>(before.map(Nanos::as_u64))
        });
        assert_eq!(refused, Err(Some(7)));
        put(&cells, 16, 7);
        assert_eq!(put(&cells, 0, 7), Some(7));
    }

    #[test]
    fn a_key_that_may_not_go_stays_while_another_one_may() {
        let table: CellTable<u64> = CellTable::new(1);
        let even = |state: &u64| state.is_multiple_of(2);
        for key in 0..16_u64 {
            table.with(&key, even, |state| *state = key + 1);
        }
        // 1 (state 2) was silent longest of those that may go.
        table.with(&16_u64, even, |state| *state = 17);
        assert_eq!(
            (table.get(&0_u64), table.get(&1_u64), table.get(&16_u64)),
            (1, 0, 17)
        );
        for key in 17..24_u64 {
            table.with(&key, even, |state| *state = 1);
        }
        assert_eq!(table.get(&0_u64), 1, "seven even ones went for seven");
        table.with(&24_u64, even, |state| *state = 1);
        assert_eq!(
            table.get(&0_u64),
            0,
            "none may go: the one that was silent longest goes"
        );
    }

    #[test]
    fn a_key_that_is_not_there_is_not_made() {
        let table: CellTable<u64> = CellTable::new(1);
        assert_eq!(table.with_known(&1_u64, |state| *state), None);
        table.with(&1_u64, |_| true, |state| *state = 5);
        assert_eq!(table.with_known(&1_u64, std::mem::take), Some(5));
        assert_eq!(
            table.with_known(&1_u64, |state| *state),
            None,
            "the default says that there is none"
        );
    }

    #[test]
    fn chunks_are_all_places_each_once() {
        for keys_max in [1, 100, 5_000, 200_000] {
            let table: CellTable<u64> = CellTable::new(keys_max);
            let counted: u64 = table
                .chunks()
                .map(|chunk| table.count(chunk, |_| true))
                .sum();
            assert_eq!(counted, (table.stripe_len * table.stripes.len()) as u64);
        }
    }
}
