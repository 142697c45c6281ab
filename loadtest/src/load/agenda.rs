//! What is to be sent, and when. Arrivals that are due wait here for a free connection, and retries
//! for their time. Pure; time is a duration since the start of the run.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::iter::Peekable;
use std::time::Duration;

use crate::load::arrivals::Arrival;

/// One arrival that is not done yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Job {
    pub(crate) number: u64,
    /// When its first attempt is due. All latency is counted from here.
    pub(crate) due: Duration,
    /// Attempts made before.
    pub(crate) attempt: u8,
    /// The outcome of an attempt is unknown. So the draw may have been made, even if a later
    /// attempt is refused.
    pub(crate) unknown: bool,
}

impl From<Arrival> for Job {
    fn from(Arrival { number, due }: Arrival) -> Self {
        Self {
            number,
            due,
            attempt: 0,
            unknown: false,
        }
    }
}

/// The result of one release.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Released {
    /// New arrivals, those dropped among them.
    pub(crate) arrivals: u64,
    /// Jobs that now wait for a connection.
    pub(crate) waiting: u64,
    /// Arrivals that were dropped, because the backlog was full.
    pub(crate) dropped: u64,
}

/// The agenda of one thread.
#[derive(Debug)]
pub(crate) struct Agenda {
    backlog: VecDeque<Job>,
    retries: BinaryHeap<Reverse<(Duration, Job)>>,
    /// The bound of both together.
    capacity: usize,
    in_flight: usize,
    closed: bool,
}

impl Agenda {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            backlog: VecDeque::new(),
            retries: BinaryHeap::new(),
            capacity,
            in_flight: 0,
            closed: false,
        }
    }

    /// Moves what is due by `now` to the backlog. Arrivals without room are dropped and counted;
    /// they do not change when the others are due.
    pub(crate) fn release(
        &mut self,
        now: Duration,
        arrivals: &mut Peekable<impl Iterator<Item = Arrival>>,
        mut on_arrival: impl FnMut(Arrival),
    ) -> Released {
        let mut released = Released::default();
        while let Some(Reverse((due, job))) = self.retries.peek().copied()
            && due <= now
        {
            self.retries.pop();
            self.backlog.push_back(job);
            released.waiting += 1;
        }
        while let Some(arrival) = arrivals.next_if(|arrival| arrival.due <= now) {
            released.arrivals += 1;
            on_arrival(arrival);
            if self.is_full() {
                released.dropped += 1;
            } else {
                self.backlog.push_back(arrival.into());
                released.waiting += 1;
            }
        }
        released
    }

    fn is_full(&self) -> bool {
        self.backlog.len() + self.retries.len() >= self.capacity
    }

    /// The next job for a connection. The connection must call `done` after it.
    pub(crate) fn take(&mut self) -> Option<Job> {
        if self.closed {
            return None;
        }
        let job = self.backlog.pop_front()?;
        self.in_flight += 1;
        Some(job)
    }

    /// Notes that a connection has ended its job.
    pub(crate) fn done(&mut self) {
        self.in_flight -= 1;
    }

    /// Schedules another attempt of a job. Returns false without room for it, and after the end.
    pub(crate) fn retry(&mut self, due: Duration, job: Job) -> bool {
        if self.closed || self.is_full() {
            return false;
        }
        self.retries.push(Reverse((due, job)));
        true
    }

    /// When the next retry is due.
    pub(crate) fn next_retry(&self) -> Option<Duration> {
        self.retries.peek().map(|Reverse((due, _))| *due)
    }

    /// Whether nothing waits and nothing is in flight.
    pub(crate) fn is_idle(&self) -> bool {
        self.backlog.is_empty() && self.retries.is_empty() && self.in_flight == 0
    }

    pub(crate) fn backlog_len(&self) -> usize {
        self.backlog.len()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Ends the agenda: no job begins any more. Returns the jobs that still waited.
    pub(crate) fn close(&mut self) -> Vec<Job> {
        self.closed = true;
        let retries = std::mem::take(&mut self.retries)
            .into_iter()
            .map(|Reverse((_, job))| job);
        self.backlog.drain(..).chain(retries).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn arrivals(due_ms: &[u64]) -> Peekable<impl Iterator<Item = Arrival>> {
        (0..)
            .zip(due_ms.to_vec())
            .map(|(number, due)| Arrival {
                number,
                due: ms(due),
            })
            .peekable()
    }

    #[test]
    fn due_arrivals_are_released_in_order_and_later_ones_stay() {
        let mut agenda = Agenda::new(10);
        let mut arrivals = arrivals(&[1, 2, 3, 9]);
        let mut seen = Vec::new();
        let released = agenda.release(ms(3), &mut arrivals, |arrival| seen.push(arrival.number));
        assert_eq!(
            released,
            Released {
                arrivals: 3,
                waiting: 3,
                dropped: 0
            }
        );
        assert_eq!(seen, [0, 1, 2]);
        let taken: Vec<u64> = std::iter::from_fn(|| agenda.take())
            .map(|job| job.number)
            .collect();
        assert_eq!(taken, [0, 1, 2]);
        assert_eq!(
            agenda.release(ms(8), &mut arrivals, |_| ()),
            Released::default()
        );
        assert!(!agenda.is_idle());
        for _ in taken {
            agenda.done();
        }
        assert!(agenda.is_idle());
    }

    #[test]
    fn a_full_backlog_drops_and_counts() {
        let mut agenda = Agenda::new(2);
        let released = agenda.release(ms(9), &mut arrivals(&[1, 2, 3, 4, 5]), |_| ());
        assert_eq!(
            released,
            Released {
                arrivals: 5,
                waiting: 2,
                dropped: 3
            }
        );
        assert_eq!(agenda.backlog_len(), 2);
        // In flight is not waiting: there is room again.
        let job = agenda.take().expect("one waits");
        assert!(agenda.retry(ms(20), job));
        assert!(
            !agenda.retry(ms(20), job),
            "the bound holds for retries too"
        );
    }

    #[test]
    fn a_retry_waits_for_its_time_and_keeps_the_time_it_was_first_due() {
        let mut agenda = Agenda::new(10);
        let mut none = arrivals(&[]);
        let job = Job {
            number: 7,
            due: ms(1),
            attempt: 1,
            unknown: true,
        };
        assert!(agenda.retry(ms(50), job));
        assert!(agenda.retry(ms(40), Job { number: 8, ..job }));
        assert_eq!(agenda.next_retry(), Some(ms(40)));
        assert_eq!(agenda.release(ms(39), &mut none, |_| ()).waiting, 0);
        assert_eq!(
            agenda.release(ms(50), &mut none, |_| ()),
            Released {
                arrivals: 0,
                waiting: 2,
                dropped: 0
            }
        );
        assert_eq!(agenda.take().map(|job| job.number), Some(8));
        assert_eq!(agenda.take(), Some(job));
    }

    #[test]
    fn waiting_jobs_are_returned_at_the_end_and_none_begins_after_it() {
        let mut agenda = Agenda::new(10);
        agenda.release(ms(9), &mut arrivals(&[1, 2]), |_| ());
        let first = agenda.take().expect("one waits");
        assert!(agenda.retry(
            ms(99),
            Job {
                attempt: 1,
                ..first
            }
        ));
        let left: Vec<(u64, u8)> = agenda
            .close()
            .iter()
            .map(|job| (job.number, job.attempt))
            .collect();
        assert_eq!(left, [(1, 0), (0, 1)]);
        assert!(agenda.take().is_none() && !agenda.retry(ms(99), first));
        agenda.done();
        assert!(agenda.is_idle() && agenda.is_closed());
    }
}
