//! Reads that wait for a connection, and the tasks that ask for them.
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use router::TableId;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::question::{FoundRecords, ReadQuestion};
use super::together::goes_together;
use crate::error::ReadError;

/// Reads of one round trip.
const TOGETHER_MAX: usize = 64;

/// Reads that a round trip passes over on the way to others that go with it. So the work of a round
/// does not grow with the queue.
const PASSED_MAX: usize = 256;

/// A read that waits. While it does, it has a place in the queue.
pub(super) struct Waiting {
    pub(super) table: TableId,
    pub(super) question: ReadQuestion,
    pub(super) answer: oneshot::Sender<Result<FoundRecords, ReadError>>,
    pub(super) place: OwnedSemaphorePermit,
}

impl Waiting {
    /// Answers. The caller may have gone meanwhile.
    pub(super) fn end(self, result: Result<FoundRecords, ReadError>) {
        drop(self.place);
        let _ = self.answer.send(result);
    }

    fn goes_with(&self, first: &Self) -> bool {
        self.table == first.table && goes_together(&self.question) && goes_together(&first.question)
    }
}

/// The reads of a shard that wait.
pub(super) struct WaitingReads {
    askers_max: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    askers: usize,
}

impl WaitingReads {
    /// So many tasks ask at once.
    pub(super) fn new(askers_max: usize) -> Self {
        Self {
            askers_max,
            state: Mutex::default(),
        }
    }

    /// Adds a read. Returns whether a further task is to ask.
    #[must_use]
    pub(super) fn add(&self, read: Waiting) -> bool {
        let mut state = self.state();
        state.waiting.push_back(read);
        let is_further = state.askers < self.askers_max;
        state.askers += usize::from(is_further);
        is_further
    }

    /// The task that [`WaitingReads::add`] has asked for.
    pub(super) fn asker(&self) -> Asker<'_> {
        Asker {
            reads: self,
            is_counted: true,
        }
    }

    /// Makes room that callers hold who have waited too long.
    pub(super) fn forget_gone(&self) {
        self.state().forget_gone();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of the tasks that ask. It counts as one until it has seen that nothing waits: what comes
/// afterwards gets another.
pub(super) struct Asker<'a> {
    reads: &'a WaitingReads,
    is_counted: bool,
}

impl Asker<'_> {
    /// What to ask next: the read that has waited longest, and those that can be asked with it. None
    /// that nobody waits for any more.
    pub(super) fn next(&mut self) -> Option<Vec<Waiting>> {
        let mut state = self.reads.state();
        let asked = state.take();
        if asked.is_empty() {
            state.askers -= 1;
            self.is_counted = false;
            return None;
        }
        Some(asked)
    }
}

impl Drop for Asker<'_> {
    fn drop(&mut self) {
        if self.is_counted {
            self.reads.state().askers -= 1;
        }
    }
}

impl State {
    fn take(&mut self) -> Vec<Waiting> {
        let Some(first) = self.next() else {
            return Vec::new();
        };
        let mut asked = vec![first];
        if !goes_together(&asked[0].question) {
            return asked;
        }
        let mut passed = Vec::new();
        while asked.len() < TOGETHER_MAX && passed.len() < PASSED_MAX {
            match self.next() {
                Some(read) if read.goes_with(&asked[0]) => asked.push(read),
                Some(read) => passed.push(read),
                None => break,
            }
        }
        for read in passed.into_iter().rev() {
            self.waiting.push_front(read);
        }
        asked
    }

    /// The read that has waited longest and whose caller is still there.
    fn next(&mut self) -> Option<Waiting> {
        self.forget_gone();
        self.waiting.pop_front()
    }

    /// Forgets those in front whose callers have gone. All wait equally long, so those that have
    /// waited too long are in front.
    fn forget_gone(&mut self) {
        while self
            .waiting
            .front()
            .is_some_and(|read| read.answer.is_closed())
        {
            self.waiting.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use market::{ActivityId, UserId};
    use tokio::sync::Semaphore;

    use super::*;

    type Answered = oneshot::Receiver<Result<FoundRecords, ReadError>>;

    fn user(name: &str) -> UserId {
        UserId::new(name).expect("a user")
    }

    fn account(name: &str) -> ReadQuestion {
        ReadQuestion::Account(user(name), ActivityId::new(1).expect("an id"))
    }

    fn add(reads: &WaitingReads, table: u16, question: ReadQuestion) -> (bool, Answered) {
        let places = Arc::new(Semaphore::new(1));
        let (answer, answered) = oneshot::channel();
        let further = reads.add(Waiting {
            table: TableId::new(table),
            question,
            answer,
            place: places.try_acquire_owned().expect("a place"),
        });
        (further, answered)
    }

    fn names(asked: &[Waiting]) -> String {
        let name = |read: &Waiting| match &read.question {
            ReadQuestion::Account(user, _)
            | ReadQuestion::Points(user)
            | ReadQuestion::SignIns(user) => user.as_str().to_owned(),
            other => format!("{other:?}"),
        };
        let names: Vec<String> = asked.iter().map(name).collect();
        names.join(" ")
    }

    #[test]
    fn what_can_be_asked_together_is_and_nothing_is_left_behind() {
        let reads = WaitingReads::new(1);
        let (further, _a) = add(&reads, 0, account("a"));
        assert!(further);
        let kept = [
            add(&reads, 0, ReadQuestion::SignIns(user("b"))),
            add(&reads, 0, ReadQuestion::Points(user("c"))),
            add(&reads, 1, account("d")),
        ];
        assert!(kept.iter().all(|(further, _)| !further));
        let mut asker = reads.asker();
        let mut rounds = Vec::new();
        while let Some(asked) = asker.next() {
            rounds.push(names(&asked));
        }
        assert_eq!(rounds, ["a c", "b", "d"]);
        // The task has ended: the next read gets another.
        assert!(add(&reads, 0, account("a")).0);
    }

    #[test]
    fn a_read_that_nobody_waits_for_is_not_asked_and_a_round_has_a_bound() {
        let reads = WaitingReads::new(1);
        drop(add(&reads, 0, account("b")));
        let kept: Vec<_> = (0..=TOGETHER_MAX)
            .map(|_| add(&reads, 0, account("a")))
            .collect();
        let mut asker = reads.asker();
        let sizes: Vec<usize> =
            std::iter::from_fn(|| asker.next().map(|asked| asked.len())).collect();
        assert_eq!(sizes, [TOGETHER_MAX, 1]);
        drop(kept);
    }

    #[test]
    fn who_has_waited_too_long_makes_room() {
        let reads = WaitingReads::new(1);
        let places = Arc::new(Semaphore::new(2));
        let mut answers: Vec<Answered> = Vec::new();
        for name in ["a", "b"] {
            let (answer, answered) = oneshot::channel();
            let place = places.clone().try_acquire_owned().expect("a place");
            let question = account(name);
            let _ = reads.add(Waiting {
                table: TableId::new(0),
                question,
                answer,
                place,
            });
            answers.push(answered);
        }
        reads.forget_gone();
        assert_eq!(places.available_permits(), 0);
        drop(answers.remove(0));
        reads.forget_gone();
        assert_eq!(places.available_permits(), 1);
        assert_eq!(names(&reads.asker().next().expect("the other")), "b");
    }

    #[test]
    fn a_round_passes_over_a_bounded_number_and_keeps_their_order() {
        let reads = WaitingReads::new(1);
        let mut kept = vec![add(&reads, 0, account("a"))];
        for number in 0..=PASSED_MAX {
            kept.push(add(
                &reads,
                0,
                ReadQuestion::SignIns(user(&format!("s{number}"))),
            ));
        }
        kept.push(add(&reads, 0, account("b")));
        let mut asker = reads.asker();
        let mut next = || names(&asker.next().expect("more"));
        assert_eq!([next(), next(), next()], ["a", "s0", "s1"]);
    }

    #[test]
    fn a_task_that_ends_early_makes_room_for_another() {
        let reads = WaitingReads::new(1);
        let (further, _a) = add(&reads, 0, account("a"));
        assert!(further);
        drop(reads.asker());
        assert!(add(&reads, 0, account("b")).0);
    }
}
