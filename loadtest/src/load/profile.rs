//! The rate of arrivals over time, as `--profile` gives it, and its integral.
//!
//! Every segment consists of pieces on which the rate is linear. So the number of arrivals up to a
//! moment is a quadratic, which can be inverted: the moment of any arrival is computed, not
//! searched.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The largest rate of a profile, in arrivals a second.
const RATE_MAX: u32 = 1_000_000;

/// The longest profile.
const LENGTH_MAX: Duration = Duration::from_hours(2);

const SEGMENTS_MAX: usize = 100;
const STEPS_MAX: u32 = 1_000;

/// A part of a profile on which the rate is linear.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    from: f64,
    to: f64,
    seconds: f64,
    /// Seconds and arrivals before it.
    begins: f64,
    before: f64,
}

impl Piece {
    fn arrivals(&self) -> f64 {
        f64::midpoint(self.from, self.to) * self.seconds
    }

    #[cfg(test)]
    fn arrivals_within(&self, seconds: f64) -> f64 {
        self.from * seconds + (self.to - self.from) * seconds * seconds / (2.0 * self.seconds)
    }

    /// When `arrivals` have come. This form of the root divides by a sum; the other form would
    /// subtract nearly equal numbers when the rate hardly changes.
    fn seconds_until(&self, arrivals: f64) -> f64 {
        let square = self.from * self.from + 2.0 * (self.to - self.from) * arrivals / self.seconds;
        let sum = self.from + square.max(0.0).sqrt();
        if sum > 0.0 {
            (2.0 * arrivals / sum).min(self.seconds)
        } else {
            0.0
        }
    }
}

/// The rate over time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Profile {
    text: String,
    pieces: Vec<Piece>,
}

impl Profile {
    /// One rate from beginning to end.
    pub(crate) fn hold(rate: u32, seconds: u64) -> Result<Self, String> {
        format!("hold:{rate}:{seconds}s").parse()
    }

    pub(crate) fn length(&self) -> Duration {
        Duration::from_secs_f64(
            self.pieces
                .last()
                .map_or(0.0, |last| last.begins + last.seconds),
        )
    }

    /// The expected number of arrivals: the integral of the rate.
    pub(crate) fn arrivals(&self) -> f64 {
        self.pieces
            .last()
            .map_or(0.0, |last| last.before + last.arrivals())
    }

    /// Arrivals up to a moment.
    #[cfg(test)]
    fn arrivals_until(&self, at: Duration) -> f64 {
        let at = at.as_secs_f64();
        let piece = self
            .pieces
            .iter()
            .rev()
            .find(|piece| piece.begins <= at)
            .expect("a piece begins at 0");
        piece.before + piece.arrivals_within((at - piece.begins).min(piece.seconds))
    }

    /// Computes the moments of ascending arrival numbers.
    pub(crate) fn moments(&self) -> Moments<'_> {
        Moments {
            profile: self,
            piece: 0,
        }
    }

    fn push(&mut self, from: u32, to: u32, length: Duration) {
        let (begins, before) = (self.length().as_secs_f64(), self.arrivals());
        let seconds = length.as_secs_f64();
        self.pieces.push(Piece {
            from: f64::from(from),
            to: f64::from(to),
            seconds,
            begins,
            before,
        });
    }

    fn push_segment(&mut self, segment: &str, last_rate: &mut u32) -> Result<(), String> {
        let words: Vec<&str> = segment.split(':').collect();
        match words[..] {
            ["hold", rate, length] => {
                *last_rate = parse_rate(rate)?;
                self.push(*last_rate, *last_rate, parse_length(length)?);
            }
            ["ramp", rates, length] => {
                let (from, to) = parse_range(rates)?;
                self.push(from, to, parse_length(length)?);
                *last_rate = to;
            }
            ["step", rates, steps, length] => {
                let (from, to) = parse_range(rates)?;
                let (steps, length) = (parse_steps(steps)?, parse_length(length)?);
                for step in 0..steps {
                    let rate = step_rate(from, to, step, steps);
                    self.push(rate, rate, length);
                }
                *last_rate = to;
            }
            ["spike", rate, length] => {
                self.push(parse_rate(rate)?, *last_rate, parse_length(length)?);
            }
            _ => {
                return Err(
                    "is none of hold:R:TIME, ramp:R..R:TIME, step:R..R:STEPS:TIME, spike:R:TIME"
                        .to_owned(),
                );
            }
        }
        Ok(())
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let segments: Vec<&str> = text.split(',').collect();
        if segments.len() > SEGMENTS_MAX {
            return Err(format!("has more than {SEGMENTS_MAX} segments"));
        }
        let mut profile = Self {
            text: text.to_owned(),
            pieces: Vec::new(),
        };
        let mut last_rate = 0;
        for segment in segments {
            profile
                .push_segment(segment, &mut last_rate)
                .map_err(|why| format!("\"{segment}\": {why}"))?;
        }
        if profile.length() > LENGTH_MAX {
            return Err(format!("lasts longer than {} s", LENGTH_MAX.as_secs()));
        }
        if profile.arrivals() < 1.0 {
            return Err("has not a single arrival".to_owned());
        }
        Ok(profile)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The first step has the first rate, the last one the last.
fn step_rate(from: u32, to: u32, step: u32, steps: u32) -> u32 {
    let share = f64::from(step) / f64::from(steps - 1);
    let rate = f64::from(from) + (f64::from(to) - f64::from(from)) * share;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between two rates"
    )]
    let rate = rate.round() as u32;
    rate
}

fn parse_rate(text: &str) -> Result<u32, String> {
    let rate = text.parse().ok().filter(|&rate| rate <= RATE_MAX);
    rate.ok_or_else(|| format!("the rate must be an integer up to {RATE_MAX}, not \"{text}\""))
}

fn parse_range(text: &str) -> Result<(u32, u32), String> {
    let (from, to) = text
        .split_once("..")
        .ok_or_else(|| format!("needs two rates like 0..5000, not \"{text}\""))?;
    Ok((parse_rate(from)?, parse_rate(to)?))
}

fn parse_steps(text: &str) -> Result<u32, String> {
    let steps = text
        .parse()
        .ok()
        .filter(|steps| (2..=STEPS_MAX).contains(steps));
    steps.ok_or_else(|| format!("steps must be 2 to {STEPS_MAX}, not \"{text}\""))
}

/// Parses `500ms`, `30s`, `2m`.
fn parse_length(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let unit_ms = match &text[digits.len()..] {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        _ => None,
    };
    let number = digits
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| digits.parse::<u64>().ok())
        .flatten();
    let length = number
        .zip(unit_ms)
        .and_then(|(number, unit_ms)| number.checked_mul(unit_ms));
    let length = length
        .map(Duration::from_millis)
        .filter(|length| !length.is_zero() && *length <= LENGTH_MAX);
    length.ok_or_else(|| {
        format!("the time must be like 500ms, 30s or 2m, up to 120m, not \"{text}\"")
    })
}

/// The moments of arrivals, computed in ascending order.
#[derive(Debug)]
pub(crate) struct Moments<'a> {
    profile: &'a Profile,
    piece: usize,
}

impl Moments<'_> {
    /// When the integral of the rate reaches `number`; `None` after the end.
    pub(crate) fn of(&mut self, number: f64) -> Option<Duration> {
        loop {
            let piece = self.profile.pieces.get(self.piece)?;
            let within = number - piece.before;
            if within < piece.arrivals() {
                return Some(Duration::from_secs_f64(
                    piece.begins + piece.seconds_until(within.max(0.0)),
                ));
            }
            self.piece += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    fn config() -> ProptestConfig {
        ProptestConfig {
            rng_seed: RngSeed::Fixed(0x10AD),
            failure_persistence: None,
            ..ProptestConfig::default()
        }
    }

    fn segment() -> impl Strategy<Value = String> {
        let rate = || 0_u32..20_000;
        let length = || {
            prop_oneof![
                (1_u32..90_000).prop_map(|ms| format!("{ms}ms")),
                (1_u32..60).prop_map(|s| format!("{s}s"))
            ]
        };
        prop_oneof![
            (rate(), length()).prop_map(|(r, t)| format!("hold:{r}:{t}")),
            (rate(), rate(), length()).prop_map(|(a, b, t)| format!("ramp:{a}..{b}:{t}")),
            (rate(), rate(), 2_u32..9, length())
                .prop_map(|(a, b, n, t)| format!("step:{a}..{b}:{n}:{t}")),
            (rate(), length()).prop_map(|(r, t)| format!("spike:{r}:{t}")),
        ]
    }

    fn profile() -> impl Strategy<Value = Profile> {
        prop::collection::vec(segment(), 1..6)
            .prop_filter_map("no arrival", |segments| segments.join(",").parse().ok())
    }

    fn parse(text: &str) -> Profile {
        text.parse().expect(text)
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "integers, exactly represented")]
    fn each_segment_has_the_area_of_its_shape() {
        for (text, seconds, arrivals) in [
            ("hold:100:10s", 10, 1_000.0),
            ("ramp:0..100:10s", 10, 500.0),
            ("step:100..300:3:2s", 6, 1_200.0),
            ("spike:200:10s", 10, 1_000.0),
            // The spike falls to the rate before it; the next segment has its own rate.
            (
                "hold:100:1m,spike:300:10s,hold:50:2s",
                72,
                6_000.0 + 2_000.0 + 100.0,
            ),
        ] {
            let profile = parse(text);
            assert_eq!(profile.length(), Duration::from_secs(seconds), "{text}");
            assert_eq!(profile.arrivals(), arrivals, "{text}");
            assert_eq!(profile.to_string(), text);
        }
        assert_eq!(Profile::hold(5, 3), Ok(parse("hold:5:3s")));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, why) in [
            ("", "is none of hold"),
            ("hold:100", "is none of hold"),
            ("hold:100:10s,", "\"\": is none of"),
            ("hold:-1:10s", "the rate must be"),
            ("hold:1000001:10s", "the rate must be"),
            ("ramp:5:10s", "needs two rates"),
            ("step:1..2:1:1s", "steps must be 2 to 1000"),
            ("hold:1:10", "the time must be"),
            ("hold:1:s", "the time must be"),
            ("hold:1:0s", "the time must be"),
            ("hold:1:121m", "the time must be"),
            ("hold:1:99999999999999999999s", "the time must be"),
            ("hold:1:90m,hold:1:90m", "lasts longer"),
            ("hold:0:10s", "not a single arrival"),
        ] {
            let error = text.parse::<Profile>().expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!(vec!["hold:1:1s"; 101].join(",").parse::<Profile>().is_err());
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,40}") {
            let _ = text.parse::<Profile>();
        }

        #[test]
        fn the_moment_of_an_arrival_undoes_the_integral(profile in profile(), share in 0.0..1.0_f64) {
            let number = profile.arrivals() * share;
            let moment = profile.moments().of(number).expect("before the end");
            prop_assert!(moment <= profile.length());
            // A nanosecond at the highest rate is far less than this.
            let back = profile.arrivals_until(moment);
            prop_assert!((back - number).abs() < 1e-3 + number * 1e-9, "{} {}", number, back);
        }

        #[test]
        fn moments_ascend_and_end_with_the_profile(profile in profile()) {
            let mut moments = profile.moments();
            let mut last = Duration::ZERO;
            for step in 0..1_000 {
                let moment = moments.of(profile.arrivals() * f64::from(step) / 1_000.0).expect("before the end");
                prop_assert!(moment >= last);
                last = moment;
            }
            // Sums of floats are not exact to the last digit.
            prop_assert_eq!(moments.of(profile.arrivals() + 1e-3), None);
        }
    }
}
