//! The thread that writes the log.
//!
//! It writes at most as much at once as a pipe takes whole, and ends each write with the end of a
//! line. So lines are never mixed with those of another process, and a process that is killed
//! leaves whole lines.
use std::io::{ErrorKind, Write};
use std::sync::Arc;
use std::time::Duration;

use super::lost::LostCount;
use super::queue::LogQueue;

/// Linux writes so many bytes into a pipe whole or not at all (PIPE_BUF).
const PIECE_BYTES_MAX: usize = 4096;

/// An output that takes nothing just now, but does not block, is asked again after this time.
const TAKES_NOTHING_PAUSE: Duration = Duration::from_millis(10);

/// Starts the thread. It ends with the process. `report` logs how many lines were lost.
pub(super) fn start(
    queue: Arc<LogQueue>,
    output: impl Write + Send + 'static,
    report: impl Fn(LostCount) + Send + 'static,
) -> std::io::Result<()> {
    let mut writer = LineWriter::new(output);
    let work = move || {
        let (mut batch, mut takes) = (Vec::new(), true);
        loop {
            queue.take(&mut batch);
            // Now the queue has room for the report, at its place: behind this batch, and before
            // what comes next. An output that takes nothing would take no report either.
            if takes && let Some(lost) = queue.lost().unreported() {
                report(lost);
            }
            let lost = writer.write(&batch);
            queue.lost().count_failed(lost);
            takes = lost == 0;
        }
    };
    let thread = std::thread::Builder::new().name("log".to_owned());
    thread.spawn(work).map(drop)
}

/// Writes whole lines.
struct LineWriter<W> {
    output: W,
    /// The output has only the first part of a line, because a write failed.
    is_within_line: bool,
}

impl<W: Write> LineWriter<W> {
    const fn new(output: W) -> Self {
        Self {
            output,
            is_within_line: false,
        }
    }

    /// Writes what it can of these lines. Returns how many are lost.
    fn write(&mut self, mut lines: &[u8]) -> u64 {
        let mut lost = 0;
        while !lines.is_empty() {
            let (piece, rest) = lines.split_at(piece_bytes(lines));
            lost += self.write_piece(piece);
            lines = rest;
        }
        lost
    }

    fn write_piece(&mut self, mut piece: &[u8]) -> u64 {
        if self.is_within_line {
            // Ends the broken one, so that it spoils no other.
            match self.output.write(b"\n") {
                Ok(1) => self.is_within_line = false,
                _ => return lines_in(piece),
            }
        }
        while !piece.is_empty() {
            match self.output.write(piece) {
                Ok(bytes @ 1..) => {
                    self.is_within_line = piece[bytes - 1] != b'\n';
                    piece = &piece[bytes..];
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    std::thread::park_timeout(TAKES_NOTHING_PAUSE);
                }
                Ok(0) | Err(_) => return lines_in(piece),
            }
        }
        0
    }
}

/// How much of these lines is written at once: as many as fit, or one that is longer.
fn piece_bytes(lines: &[u8]) -> usize {
    if lines.len() <= PIECE_BYTES_MAX {
        return lines.len();
    }
    let is_end = |byte: &u8| *byte == b'\n';
    let (fitting, longer) = lines.split_at(PIECE_BYTES_MAX);
    let end = fitting.iter().rposition(is_end);
    let end = end.or_else(|| Some(PIECE_BYTES_MAX + longer.iter().position(is_end)?));
    end.map_or(lines.len(), |end| end + 1)
}

fn lines_in(piece: &[u8]) -> u64 {
    piece.split(|byte| *byte == b'\n').count() as u64 - 1
}

#[cfg(test)]
mod tests {
    use std::io::{Error, Result};
    use std::sync::mpsc::{Receiver, Sender, channel};

    use proptest::prelude::*;

    use super::super::lost::LostLines;
    use super::*;

    const WAIT_MAX: Duration = Duration::from_secs(20);

    /// What an output does with each write, and what it got.
    #[derive(Default)]
    struct Scripted {
        answers: Vec<Result<usize>>,
        written: Vec<Vec<u8>>,
    }

    impl Scripted {
        fn new(answers: impl IntoIterator<Item = Result<usize>>) -> LineWriter<Self> {
            let mut answers: Vec<_> = answers.into_iter().collect();
            answers.reverse();
            LineWriter::new(Self {
                answers,
                written: Vec::new(),
            })
        }

        fn text(&self) -> String {
            String::from_utf8(self.written.concat()).expect("a text")
        }
    }

    impl Write for Scripted {
        fn write(&mut self, bytes: &[u8]) -> Result<usize> {
            let taken = self.answers.pop().unwrap_or(Ok(bytes.len()))?;
            self.written.push(bytes[..taken].to_vec());
            Ok(taken)
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    fn failed() -> Result<usize> {
        Err(Error::from(ErrorKind::StorageFull))
    }

    proptest! {
        #[test]
        fn each_write_is_whole_lines_and_fits_a_pipe_unless_a_line_does_not(
            lengths in prop::collection::vec(prop_oneof![0..400_usize, 4_000..9_000_usize], 0..60),
        ) {
            let lines = lengths.iter().map(|length| "x".repeat(*length) + "\n");
            let lines: String = lines.collect();
            let mut writer = Scripted::new([]);
            prop_assert_eq!(writer.write(lines.as_bytes()), 0);
            for piece in &writer.output.written {
                prop_assert_eq!(piece.last(), Some(&b'\n'));
                prop_assert!(piece.len() <= PIECE_BYTES_MAX || lines_in(piece) == 1);
            }
            prop_assert_eq!(writer.output.text(), lines);
        }
    }

    #[test]
    fn a_write_that_is_cut_short_or_interrupted_goes_on() {
        let interrupted = [ErrorKind::Interrupted, ErrorKind::WouldBlock];
        let interrupted = interrupted.map(|kind| Err(Error::from(kind)));
        let mut writer = Scripted::new([Ok(3)].into_iter().chain(interrupted));
        assert_eq!(writer.write(b"first\nsecond\n"), 0);
        assert_eq!(writer.output.text(), "first\nsecond\n");
    }

    #[test]
    fn lines_that_cannot_be_written_are_lost_and_the_next_ones_are_whole() {
        let mut writer = Scripted::new([failed()]);
        assert_eq!(writer.write(b"one\ntwo\n"), 2);
        assert_eq!(writer.write(b"three\n"), 0);
        assert_eq!(writer.output.text(), "three\n");
        // A disk that is full in the middle of a line.
        let mut writer = Scripted::new([Ok(6), failed(), failed(), failed()]);
        assert_eq!(writer.write(b"one\ntwo\nthree\n"), 2);
        assert_eq!(writer.write(b"four\n"), 1);
        assert_eq!(writer.write(b"five\n"), 1);
        assert_eq!(writer.write(b"six\n"), 0);
        assert_eq!(writer.output.text(), "one\ntw\nsix\n");
    }

    /// Says what it gets, and waits for leave before it takes it.
    struct Gate(Sender<String>, Receiver<()>);

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> Result<usize> {
            let text = String::from_utf8(bytes.to_vec()).expect("a text");
            self.0.send(text).expect("the test reads");
            self.1.recv().expect("the test gives leave");
            Ok(bytes.len())
        }

        fn flush(&mut self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_come_while_the_output_takes_nothing_are_kept_up_to_the_bound() {
        let ((write, written), (take, takes)) = (channel(), channel());
        let queue = Arc::new(LogQueue::new(LostLines::new()));
        let reports = queue.clone();
        let report =
            move |lost: LostCount| reports.push(format!("lost {}\n", lost.lost).as_bytes());
        start(queue.clone(), Gate(write, takes), report).expect("a thread");
        let next = || written.recv_timeout(WAIT_MAX).expect("a write");

        queue.push(b"first\n");
        assert_eq!(next(), "first\n");
        // The output does not take it. No thread that logs waits for that.
        let line = "x".repeat(PIECE_BYTES_MAX - 1) + "\n";
        (0..300).for_each(|_| queue.push(line.as_bytes()));
        assert!(!queue.flush(Duration::from_millis(1)));
        take.send(()).expect("the writer lives");
        // A mebibyte has room for 256 of them.
        for _ in 0..256 {
            assert_eq!(next(), line);
            take.send(()).expect("the writer lives");
        }
        assert_eq!(next(), "lost 44\n");
        take.send(()).expect("the writer lives");
        queue.push(b"last\n");
        take.send(()).expect("the writer lives");
        assert!(queue.flush(WAIT_MAX));
        assert_eq!(next(), "last\n");
    }
}
