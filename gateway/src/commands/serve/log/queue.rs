//! Lines that wait to be written.
//!
//! Invariants: what waits is whole lines, in the order in which they came, and never more than
//! [`WAITING_BYTES_MAX`]. A line that comes while nothing waits wakes the writer. After each batch
//! the writer pauses, so that a flow of lines wakes it a hundred times a second and not for each.
use std::io::Write;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::lost::LostLines;

/// Room for lines that wait. The batch that is being written comes on top of it.
const WAITING_BYTES_MAX: usize = 1024 * 1024;

/// So much ends a pause of the writer.
const PAUSE_BYTES_MAX: usize = 64 * 1024;

/// The longest that a line waits for a writer that is free.
const PAUSE: Duration = Duration::from_millis(10);

/// What the writer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WriterState {
    /// Writes, or has been woken to.
    Writes,
    /// Lets lines collect.
    Pauses,
    /// Waits for a line.
    Idles,
}

/// Lines that wait, and their writer.
#[derive(Debug)]
struct Waiting {
    lines: Vec<u8>,
    writer: WriterState,
    /// Callers of [`LogQueue::flush`] that wait: no time for a pause.
    flushes: usize,
    /// Bytes ever taken in, and those of them that are written or lost.
    bytes_in: u64,
    bytes_out: u64,
}

/// What became of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pushed {
    /// There was no room.
    Lost,
    /// It waits.
    Waits,
    /// It waits, and the writer is to be woken.
    Wakes,
}

impl Waiting {
    const fn new() -> Self {
        Self {
            lines: Vec::new(),
            writer: WriterState::Writes,
            flushes: 0,
            bytes_in: 0,
            bytes_out: 0,
        }
    }

    fn push(&mut self, line: &[u8]) -> Pushed {
        if self.lines.len() + line.len() > WAITING_BYTES_MAX {
            return Pushed::Lost;
        }
        self.lines.extend_from_slice(line);
        self.bytes_in += line.len() as u64;
        let wakes = match self.writer {
            WriterState::Writes => false,
            WriterState::Pauses => self.lines.len() >= PAUSE_BYTES_MAX,
            WriterState::Idles => true,
        };
        if !wakes {
            return Pushed::Waits;
        }
        self.writer = WriterState::Writes;
        Pushed::Wakes
    }
}

/// The queue between those who log and the writer.
#[derive(Debug)]
pub(super) struct LogQueue {
    waiting: Mutex<Waiting>,
    for_writer: Condvar,
    for_flushes: Condvar,
    lost: LostLines,
}

impl LogQueue {
    pub(super) fn new(lost: LostLines) -> Self {
        Self {
            waiting: Mutex::new(Waiting::new()),
            for_writer: Condvar::new(),
            for_flushes: Condvar::new(),
            lost,
        }
    }

    pub(super) fn lost(&self) -> &LostLines {
        &self.lost
    }

    /// Takes in a line, with its end, or counts it as lost.
    pub(super) fn push(&self, line: &[u8]) {
        // Nothing is done under this lock that takes long.
        let pushed = self.lock().push(line);
        match pushed {
            Pushed::Lost => self.lost.count_full(),
            Pushed::Waits => {}
            Pushed::Wakes => self.for_writer.notify_one(),
        }
    }

    /// For the writer: says that `batch` is written or lost, waits for lines, and takes all.
    pub(super) fn take(&self, batch: &mut Vec<u8>) {
        let mut waiting = self.lock();
        if !batch.is_empty() {
            waiting.bytes_out += batch.len() as u64;
            batch.clear();
            batch.shrink_to(PAUSE_BYTES_MAX);
            self.for_flushes.notify_all();
            if waiting.flushes == 0 && waiting.lines.len() < PAUSE_BYTES_MAX {
                waiting.writer = WriterState::Pauses;
                let pausing = |waiting: &mut Waiting| waiting.writer == WriterState::Pauses;
                let paused = self.for_writer.wait_timeout_while(waiting, PAUSE, pausing);
                waiting = paused.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
        while waiting.lines.is_empty() {
            waiting.writer = WriterState::Idles;
            let woken = self.for_writer.wait(waiting);
            waiting = woken.unwrap_or_else(PoisonError::into_inner);
        }
        waiting.writer = WriterState::Writes;
        std::mem::swap(&mut waiting.lines, batch);
    }

    /// Waits until all that was logged before is written or lost, or `wait_max` has passed: then
    /// it returns `false`.
    pub(super) fn flush(&self, wait_max: Duration) -> bool {
        let mut waiting = self.lock();
        let end = waiting.bytes_in;
        waiting.flushes += 1;
        waiting.writer = WriterState::Writes;
        self.for_writer.notify_one();
        let behind = |waiting: &mut Waiting| waiting.bytes_out < end;
        let flushed = self
            .for_flushes
            .wait_timeout_while(waiting, wait_max, behind);
        let (mut waiting, timeout) = flushed.unwrap_or_else(PoisonError::into_inner);
        waiting.flushes -= 1;
        !timeout.timed_out()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The formatter writes each line at once, and with its end.
impl Write for &LogQueue {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_line_that_no_thread_is_about_to_write_wakes_the_writer() {
        let mut waiting = Waiting::new();
        assert_eq!(waiting.push(b"1\n"), Pushed::Waits);
        waiting.writer = WriterState::Idles;
        assert_eq!(waiting.push(b"2\n"), Pushed::Wakes);
        assert_eq!(waiting.push(b"3\n"), Pushed::Waits);
        assert_eq!(waiting.lines, b"1\n2\n3\n");
        waiting.writer = WriterState::Pauses;
        assert_eq!(waiting.push(b"4\n"), Pushed::Waits);
        assert_eq!(waiting.push(&vec![b'x'; PAUSE_BYTES_MAX]), Pushed::Wakes);
    }

    #[test]
    fn a_line_without_room_is_lost_and_changes_nothing() {
        let mut waiting = Waiting::new();
        let line = [b'x'; 1000];
        let fitting = WAITING_BYTES_MAX / line.len();
        assert!((0..fitting).all(|_| waiting.push(&line) == Pushed::Waits));
        waiting.writer = WriterState::Idles;
        assert_eq!(waiting.push(&line), Pushed::Lost);
        assert_eq!(waiting.lines.len(), fitting * line.len());
        assert_eq!(waiting.bytes_in, waiting.lines.len() as u64);
        assert_eq!(waiting.writer, WriterState::Idles);
        // A shorter one may have room.
        assert_eq!(waiting.push(b"short\n"), Pushed::Wakes);
    }

    #[test]
    fn a_flush_without_a_writer_ends_and_says_so() {
        let queue = LogQueue::new(LostLines::new());
        assert!(queue.flush(Duration::ZERO));
        queue.push(b"a\n");
        assert!(!queue.flush(Duration::from_millis(1)));
        let mut batch = Vec::new();
        queue.take(&mut batch);
        assert_eq!(batch, b"a\n");
        queue.push(b"b\n");
        assert!(!queue.flush(Duration::ZERO), "it is not written yet");
        queue.take(&mut batch);
        assert_eq!(batch, b"b\n");
    }

    #[test]
    fn what_has_no_room_is_counted() {
        let queue = LogQueue::new(LostLines::new());
        queue.push(&vec![b'x'; WAITING_BYTES_MAX]);
        assert_eq!(queue.lost().unreported(), None);
        queue.push(b"\n");
        queue.push(b"\n");
        let lost = queue.lost().unreported().expect("lost lines");
        assert_eq!(lost.lost, 2);
    }
}
