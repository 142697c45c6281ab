//! Each shard's share of the requests in flight: the users of a shard that hangs wait, and must not
//! take the places of all other users.
use router::ShardId;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Places by shard.
#[derive(Debug)]
pub(crate) struct Shares(Vec<Semaphore>);

impl Shares {
    /// Shares `places` evenly, rounded up.
    pub(crate) fn even(places: usize, shards: u16) -> Self {
        let share = places.div_ceil(shards.max(1).into());
        Self((0..shards).map(|_| Semaphore::new(share)).collect())
    }

    /// A place until it is dropped; `None` when the shard's waiters have all of theirs.
    pub(crate) fn enter(&self, shard: ShardId) -> Option<SemaphorePermit<'_>> {
        self.0[usize::from(shard.get())].try_acquire().ok()
    }
}

#[cfg(test)]
mod tests {
    use router::SlotMap;

    use super::*;

    #[test]
    fn a_shard_that_has_all_its_places_takes_none_of_others() {
        let map = SlotMap::even(1, 2, 1).expect("a map");
        let shard_of = |user: &str| map.route(user).shard();
        let here = shard_of("u0");
        let there = (1..100)
            .map(|number| shard_of(&format!("u{number}")))
            .find(|&shard| shard != here)
            .expect("another");
        let shares = Shares::even(3, 2);
        let places = [shares.enter(here), shares.enter(here)];
        assert!(places.iter().all(Option::is_some));
        assert!(shares.enter(here).is_none());
        assert!(shares.enter(there).is_some());
        drop(places);
        assert!(shares.enter(here).is_some());
    }
}
