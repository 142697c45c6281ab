//! Names of requests in logs, and the access log.
//!
//! A line names the request, the endpoint, the code and the time: no user, no address, no key.
use std::sync::{Mutex, PoisonError};
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
    successes: Mutex<LogSample>,
    refusals: Mutex<LogSample>,
}

impl AccessLog {
    /// At most `lines_per_second_max` lines of either kind; 0 for none.
    pub fn new(lines_per_second_max: u32) -> Self {
        let sample = || Mutex::new(LogSample::new(lines_per_second_max));
        Self {
            successes: sample(),
            refusals: sample(),
        }
    }

    /// Changes the bound.
    pub fn set_lines_per_second_max(&self, lines: u32) {
        for sample in [&self.successes, &self.refusals] {
            lock(sample).lines_per_second_max = lines;
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
        let Some(hidden) = lock(sample).admit(uptime.as_secs()) else {
            return;
        };
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let (trace, code, status) = (trace.as_str(), code.as_str(), code.status().as_u16());
        tracing::info!(target: "access", trace, endpoint, code, status, took_us, draws, hidden, "answered");
    }
}

fn lock(sample: &Mutex<LogSample>) -> std::sync::MutexGuard<'_, LogSample> {
    sample.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lines of the current second.
#[derive(Debug)]
pub(crate) struct LogSample {
    lines_per_second_max: u32,
    second: u64,
    lines: u32,
    /// Since the last line.
    hidden: u64,
}

impl LogSample {
    /// The bound of that number.
    pub(crate) fn new(lines_per_second_max: u32) -> Self {
        Self {
            lines_per_second_max,
            second: 0,
            lines: 0,
            hidden: 0,
        }
    }

    /// How many were hidden since the last line, if there is room for another one.
    pub(crate) fn admit(&mut self, second: u64) -> Option<u64> {
        if second != self.second {
            (self.second, self.lines) = (second, 0);
        }
        if self.lines >= self.lines_per_second_max {
            self.hidden += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.hidden))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_so_many_lines_and_the_next_one_says_how_many_were_hidden() {
        let mut sample = LogSample::new(2);
        let second: Vec<_> = (0..5).map(|_| sample.admit(7)).collect();
        assert_eq!(second, [Some(0), Some(0), None, None, None]);
        assert_eq!(
            [sample.admit(8), sample.admit(8), sample.admit(8)],
            [Some(3), Some(0), None]
        );
        assert_eq!(LogSample::new(0).admit(1), None);
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
