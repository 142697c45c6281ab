//! Names of requests in logs, and the access log.
//!
//! A line names the request, the endpoint, the code and the time: no user, no address, no key.
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

use crate::answer::Code;

/// The header with a request's name, in requests and answers.
pub const TRACE_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Longest name that is taken over from a caller; a longer one is replaced.
const TRACE_BYTES_MAX: usize = 64;

/// Names a request in logs and answers: as the proxy calls it, or by a number of our own. (Not the
/// key that makes a draw repeatable: that is `requestId`.)
#[derive(Debug, Clone)]
pub struct TraceId(HeaderValue);

impl TraceId {
    /// The name that the request brings, if it may stand in a log, or one made of `number`.
    pub fn of(headers: &HeaderMap, number: impl FnOnce() -> u64) -> Self {
        let fits = |name: &&HeaderValue| {
            (1..=TRACE_BYTES_MAX).contains(&name.len())
                && name.as_bytes().iter().all(u8::is_ascii_graphic)
        };
        let brought = headers.get(TRACE_HEADER).filter(fits).cloned();
        Self(brought.unwrap_or_else(|| {
            HeaderValue::from_bytes(&hexadecimal(number())).expect("hexadecimal digits are visible")
        }))
    }

    /// For logs.
    pub fn as_str(&self) -> &str {
        self.0.to_str().expect("visible ASCII")
    }

    /// For the answer's header.
    pub fn into_value(self) -> HeaderValue {
        self.0
    }
}

/// The 16 digits of a number. (Each request has some: `format!` takes five times as long.)
pub fn hexadecimal(number: u64) -> [u8; 16] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = number
        .to_be_bytes()
        .map(|byte| [byte >> 4, byte & 15].map(|digit| DIGITS[usize::from(digit)]));
    digits
        .as_flattened()
        .try_into()
        .expect("two for each of eight bytes")
}

/// Writes a line per request, and under load a bounded number of them each second. Successes and
/// refusals have bounds of their own: a flood of one must not hide the other.
#[derive(Debug)]
pub struct AccessLog {
    successes: LogSample,
    refusals: LogSample,
}

impl AccessLog {
    /// At most `lines_per_second_max` lines of either kind; 0 for none.
    pub fn new(lines_per_second_max: u32) -> Self {
        let sample = || LogSample::new(lines_per_second_max);
        Self {
            successes: sample(),
            refusals: sample(),
        }
    }

    /// Changes the bound.
    pub fn set_lines_per_second_max(&self, lines: u32) {
        for sample in [&self.successes, &self.refusals] {
            sample.lines_per_second_max.store(lines, Ordering::Relaxed);
        }
    }

    /// Notes an answered request and how many draws its answer holds; `uptime` is any clock that
    /// does not step.
    pub fn note(
        &self,
        trace: &TraceId,
        endpoint: &str,
        code: Code,
        took: Duration,
        draws: usize,
        uptime: Duration,
    ) {
        let sample = if code == Code::Success {
            &self.successes
        } else {
            &self.refusals
        };
        let Some(hidden) = sample.admit(uptime.as_secs()) else {
            return;
        };
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let (trace, code, status) = (trace.as_str(), code.as_str(), code.status().as_u16());
        tracing::info!(target: "access", trace, endpoint, code, status, took_us, draws, hidden, "answered");
    }
}

/// Lines of the current second. (No lock: every request passes here, and a thread that lost its
/// processor while it held one would stop all others.)
#[derive(Debug)]
pub(crate) struct LogSample {
    lines_per_second_max: AtomicU32,
    /// The second in the upper half, how many lines it has in the lower one.
    current: AtomicU64,
    /// Since the last line.
    hidden: AtomicU64,
}

impl LogSample {
    /// The bound of that number.
    pub(crate) fn new(lines_per_second_max: u32) -> Self {
        Self {
            lines_per_second_max: AtomicU32::new(lines_per_second_max),
            current: AtomicU64::new(0),
            hidden: AtomicU64::new(0),
        }
    }

    /// How many were hidden since the last line, if there is room for another one.
    pub(crate) fn admit(&self, second: u64) -> Option<u64> {
        let lines_max = u64::from(self.lines_per_second_max.load(Ordering::Relaxed));
        let next = |current: u64| {
            // Of two threads one may still be in the second before.
            let begun = (second << 32).max(current);
            (begun & u64::from(u32::MAX) < lines_max).then_some(begun + 1)
        };
        let relaxed = Ordering::Relaxed;
        if self.current.try_update(relaxed, relaxed, next).is_ok() {
            return Some(self.hidden.swap(0, relaxed));
        }
        self.hidden.fetch_add(1, relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_so_many_lines_and_the_next_one_says_how_many_were_hidden() {
        let sample = LogSample::new(2);
        let second: Vec<_> = (0..5).map(|_| sample.admit(7)).collect();
        assert_eq!(second, [Some(0), Some(0), None, None, None]);
        assert_eq!(
            [sample.admit(8), sample.admit(8), sample.admit(8)],
            [Some(3), Some(0), None]
        );
        assert_eq!(LogSample::new(0).admit(1), None);
        assert_eq!(
            sample.admit(7),
            None,
            "a clock that is read late begins no second again"
        );
    }

    #[test]
    fn threads_that_log_at_once_share_the_bound_and_hide_nothing_in_silence() {
        const THREADS: u64 = 4;
        const SECONDS: u64 = 1_000;
        let sample = LogSample::new(3);
        let log = || {
            let lines = (0..4 * SECONDS).filter_map(|call| sample.admit(call / 4));
            lines.fold((0, 0), |(lines, hidden), before| {
                (lines + 1, hidden + before)
            })
        };
        let (lines, hidden) = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(log)).collect();
            let joined = threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"));
            joined.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
        });
        assert!(lines <= 3 * SECONDS, "{lines}");
        let unsaid = sample.hidden.load(Ordering::Relaxed);
        assert_eq!(lines + hidden + unsaid, THREADS * 4 * SECONDS);
    }

    #[test]
    fn a_name_is_taken_over_unless_it_could_not_stand_in_a_log() {
        let of = |name: &[u8]| {
            let value = HeaderValue::from_bytes(name).expect("a header");
            TraceId::of(&HeaderMap::from_iter([(TRACE_HEADER, value)]), || 0xab)
        };
        assert_eq!(of(b"c0ffee-1").as_str(), "c0ffee-1");
        for name in [&b""[..], b"two words", "é".as_bytes(), &[b'x'; 65]] {
            assert_eq!(of(name).as_str(), "00000000000000ab");
        }
        assert_eq!(
            TraceId::of(&HeaderMap::new(), || 1).as_str(),
            "0000000000000001"
        );
        assert_eq!(hexadecimal(0x0123_4567_89ab_cdef), *b"0123456789abcdef");
    }
}
