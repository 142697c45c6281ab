//! How many commands of a process are under way, over all of its lanes. In it a lane sees whether
//! the callers that were answered last are here again: then waiting for more brings no more.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// No lane waits.
const NONE: usize = usize::MAX;

/// The commands under way: enqueued or taken, and not answered yet.
#[derive(Debug)]
pub(crate) struct Callers {
    under_way: AtomicUsize,
    /// The lowest count that a lane waits for.
    lowest: AtomicUsize,
    waiting: Mutex<Vec<Wait>>,
}

/// A lane that waits until so many are under way.
#[derive(Debug)]
struct Wait {
    count: usize,
    reached: Arc<Notify>,
}

/// One command under way, until it is dropped.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<Callers>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Default for Callers {
    fn default() -> Self {
        Self {
            under_way: AtomicUsize::new(0),
            lowest: AtomicUsize::new(NONE),
            waiting: Mutex::default(),
        }
    }
}

impl Callers {
    /// Counts a command. The caller enqueues it, and then says that it [came](Self::came).
    pub(super) fn enter(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::SeqCst);
        UnderWay(self.clone())
    }

    /// A command is enqueued: wakes the lanes that waited for it.
    pub(super) fn came(&self) {
        let count = self.count();
        if count >= self.lowest.load(Ordering::SeqCst) {
            self.change(|waiting| {
                for wait in waiting.iter().filter(|wait| wait.count <= count) {
                    wait.reached.notify_one();
                }
                waiting.retain(|wait| wait.count > count);
            });
        }
    }

    /// How many are under way.
    pub(super) fn count(&self) -> usize {
        self.under_way.load(Ordering::SeqCst)
    }

    /// Waits until at least so many are under way.
    pub(super) async fn reach(&self, count: usize) {
        let reached = Arc::new(Notify::new());
        let _leaves = Leaves(self, &reached);
        self.change(|waiting| {
            waiting.push(Wait {
                count,
                reached: reached.clone(),
            });
        });
        // One that came before the lane was on the list has not woken it.
        if self.count() < count {
            reached.notified().await;
        }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Wait>)) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut waiting);
        let lowest = waiting.iter().map(|wait| wait.count).min();
        self.lowest.store(lowest.unwrap_or(NONE), Ordering::SeqCst);
    }
}

/// Takes a lane off the list, also when it gives up waiting.
struct Leaves<'a>(&'a Callers, &'a Arc<Notify>);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        let Self(callers, reached) = self;
        callers.change(|waiting| waiting.retain(|wait| !Arc::ptr_eq(&wait.reached, reached)));
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn a_lane_waits_until_so_many_are_under_way() {
        let callers = Arc::new(Callers::default());
        let first = callers.enter();
        callers.came();
        let mut two = Box::pin(callers.reach(2));
        let mut three = Box::pin(callers.reach(3));
        assert_eq!((&mut two).now_or_never(), None);
        assert_eq!((&mut three).now_or_never(), None);
        let second = callers.enter();
        callers.came();
        assert_eq!((&mut two).now_or_never(), Some(()));
        assert_eq!((&mut three).now_or_never(), None);
        drop((first, second));
        assert_eq!(callers.count(), 0);
        drop((two, three));
        assert_eq!(callers.lowest.load(Ordering::SeqCst), NONE);
    }

    #[test]
    fn as_many_as_are_under_way_already_are_not_waited_for() {
        let callers = Arc::new(Callers::default());
        let _first = callers.enter();
        assert_eq!(callers.reach(1).now_or_never(), Some(()));
        assert_eq!(callers.reach(0).now_or_never(), Some(()));
    }
}
