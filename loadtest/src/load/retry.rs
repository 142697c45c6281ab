//! What a well-behaved client does after an attempt without a draw: another attempt where that may
//! help, later each time, and a bounded number of them.

use std::time::Duration;

use crate::connection::{ExchangeError, HttpResponse};
use crate::response::code_of;
use testkit::random::SplitMix64;

/// Waits double from the first to the largest.
const WAIT_MS_FIRST: u64 = 50;
const WAIT_MS_MAX: u64 = 5_000;

/// With a larger `Retry-After` there is no other attempt within a run.
const RETRY_AFTER_S_MAX: u32 = 60;

/// What an attempt shows about its draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// It was made.
    Made,
    /// It was not made, and will not be by this attempt.
    NotMade,
    /// It may have been made, or may yet be.
    Unknown,
}

/// What follows from an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AttemptVerdict {
    pub(crate) meaning: Meaning,
    /// Whether another attempt may have another outcome.
    pub(crate) passing: bool,
    retry_after_s: Option<u32>,
}

/// Classifies a response. docs/api.md lists the codes that differ from the rule of their status.
pub(crate) fn judge_answer(answer: HttpResponse<'_>) -> AttemptVerdict {
    let HttpResponse {
        status,
        retry_after_s,
        ..
    } = answer;
    // The gateway's one 5xx besides 503 that means for certain that nothing was done.
    let status_says = if code_of(answer.body) == Some("ERR_GW_005") {
        503
    } else {
        status
    };
    let meaning = match (code_of(answer.body), status_says) {
        (Some("0000"), _) => Meaning::Made,
        // A response without a code that is no refusal comes from a proxy: the draw may have been
        // made.
        (Some("ERR_GW_006"), _) | (_, 500..=502 | 504..) | (None, 200..=299) => Meaning::Unknown,
        _ => Meaning::NotMade,
    };
    let says_so = status == 429 || status >= 500 || retry_after_s.is_some();
    AttemptVerdict {
        meaning,
        passing: meaning != Meaning::Made && says_so,
        retry_after_s,
    }
}

/// Classifies the lack of a response.
pub(crate) fn judge_error(error: &ExchangeError) -> AttemptVerdict {
    let meaning = match error {
        // Nothing has been sent.
        ExchangeError::Connect(_) => Meaning::NotMade,
        ExchangeError::Io(_) | ExchangeError::Timeout | ExchangeError::Malformed(_) => {
            Meaning::Unknown
        }
    };
    let passing = !matches!(error, ExchangeError::Malformed(_));
    AttemptVerdict {
        meaning,
        passing,
        retry_after_s: None,
    }
}

/// How often, and whether with a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(crate) retries: u8,
    /// Without keys only draws that were not made are tried again: else a user might draw twice.
    pub(crate) keyed: bool,
}

impl Policy {
    /// How long to wait before the next attempt; `None` for no other attempt. `attempt` is the
    /// number of the last one, from 0.
    ///
    /// The wait is random between half and all of its bound ("equal jitter"), so that clients that
    /// failed together do not return together. `Retry-After` is added to it.
    pub(crate) fn wait(
        self,
        verdict: AttemptVerdict,
        attempt: u8,
        random: &mut SplitMix64,
    ) -> Option<Duration> {
        let safe = self.keyed || verdict.meaning == Meaning::NotMade;
        if attempt >= self.retries || !verdict.passing || !safe {
            return None;
        }
        let asked_s = verdict.retry_after_s.unwrap_or(0);
        if asked_s > RETRY_AFTER_S_MAX {
            return None;
        }
        let bound_ms = (WAIT_MS_FIRST << attempt.min(16)).min(WAIT_MS_MAX);
        let wait_ms = bound_ms / 2 + random.below(bound_ms / 2 + 1);
        Some(Duration::from_secs(asked_s.into()) + Duration::from_millis(wait_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Malformed;
    use std::io;

    fn answered(status: u16, body: &str) -> AttemptVerdict {
        judge_answer(HttpResponse {
            status,
            retry_after_s: None,
            body: body.as_bytes(),
        })
    }

    fn coded(status: u16, code: &str) -> AttemptVerdict {
        answered(status, &format!(r#"{{"code":"{code}"}}"#))
    }

    const NOT_MADE: AttemptVerdict = AttemptVerdict {
        meaning: Meaning::NotMade,
        passing: true,
        retry_after_s: None,
    };

    #[test]
    fn each_response_has_its_meaning() {
        use Meaning::{Made, NotMade, Unknown};
        for (status, code, meaning, passing) in [
            (200, "0000", Made, false),
            (409, "ERR_BIZ_006", NotMade, false),
            (422, "ERR_GW_002", NotMade, false),
            (429, "ERR_GW_010", NotMade, true),
            (503, "ERR_GW_003", NotMade, true),
            (504, "ERR_GW_005", NotMade, true),
            (504, "ERR_GW_006", Unknown, true),
            (500, "0001", Unknown, true),
            // With `http.always_200`, and the reference.
            (200, "ERR_GW_006", Unknown, false),
            (200, "0003", NotMade, false),
        ] {
            let verdict = coded(status, code);
            assert_eq!(
                (verdict.meaning, verdict.passing),
                (meaning, passing),
                "{status} {code}"
            );
        }
        // A proxy's own pages.
        assert_eq!(answered(502, "<html>").meaning, Unknown);
        assert_eq!(answered(503, "<html>").meaning, NotMade);
        assert_eq!(answered(200, "<html>").meaning, Unknown);
    }

    #[test]
    fn a_refusal_with_retry_after_is_passing_whatever_its_status() {
        let answer = HttpResponse {
            status: 200,
            retry_after_s: Some(1),
            body: br#"{"code":"0006"}"#,
        };
        assert!(judge_answer(answer).passing);
    }

    #[test]
    fn a_draw_that_was_never_sent_was_not_made() {
        let io = || io::Error::from(io::ErrorKind::ConnectionReset);
        assert_eq!(judge_error(&ExchangeError::Connect(io())), NOT_MADE);
        assert_eq!(
            judge_error(&ExchangeError::Io(io())).meaning,
            Meaning::Unknown
        );
        assert_eq!(
            judge_error(&ExchangeError::Timeout).meaning,
            Meaning::Unknown
        );
        assert!(!judge_error(&ExchangeError::Malformed(Malformed("x"))).passing);
    }

    #[test]
    fn retries_are_counted_and_need_a_key_where_the_outcome_is_unknown() {
        let mut random = SplitMix64::new(1);
        let keyed = Policy {
            retries: 2,
            keyed: true,
        };
        let waits: Vec<bool> = (0..4)
            .map(|attempt| keyed.wait(NOT_MADE, attempt, &mut random).is_some())
            .collect();
        assert_eq!(waits, [true, true, false, false]);
        let unknown = AttemptVerdict {
            meaning: Meaning::Unknown,
            ..NOT_MADE
        };
        assert!(keyed.wait(unknown, 0, &mut random).is_some());
        let keyless = Policy {
            keyed: false,
            ..keyed
        };
        assert!(keyless.wait(NOT_MADE, 0, &mut random).is_some());
        assert!(keyless.wait(unknown, 0, &mut random).is_none());
        assert!(
            keyed
                .wait(
                    AttemptVerdict {
                        passing: false,
                        ..NOT_MADE
                    },
                    0,
                    &mut random
                )
                .is_none()
        );
    }

    #[test]
    fn waits_double_up_to_a_bound_with_jitter_after_the_servers_own() {
        let policy = Policy {
            retries: 200,
            keyed: true,
        };
        let mut random = SplitMix64::new(9);
        for (attempt, bound_ms) in [(0, 50), (1, 100), (6, 3_200), (7, 5_000), (199, 5_000)] {
            let waits: Vec<_> = (0..200)
                .map(|_| {
                    policy
                        .wait(NOT_MADE, attempt, &mut random)
                        .expect("a wait")
                        .as_millis()
                })
                .collect();
            assert!(
                waits
                    .iter()
                    .all(|wait| (bound_ms / 2..=bound_ms).contains(wait)),
                "{attempt}: {waits:?}"
            );
            assert!(
                waits.iter().any(|wait| *wait < bound_ms * 6 / 10),
                "{attempt}: no jitter"
            );
            assert!(
                waits.iter().any(|wait| *wait > bound_ms * 9 / 10),
                "{attempt}: no jitter"
            );
        }
        let received = |seconds| AttemptVerdict {
            retry_after_s: Some(seconds),
            ..NOT_MADE
        };
        let wait = policy.wait(received(3), 0, &mut random).expect("a wait");
        assert!(wait >= Duration::from_secs(3) && wait <= Duration::from_millis(3_050));
        assert_eq!(policy.wait(received(61), 0, &mut random), None);
    }
}
