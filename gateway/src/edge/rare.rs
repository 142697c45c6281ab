//! What may happen thousands of times in a second and is logged once.
use std::time::{Duration, Instant};

const INTERVAL: Duration = Duration::from_secs(1);

/// When it was last logged, and how often it happened since.
#[derive(Debug, Default)]
pub struct Rare {
    logged: Option<Instant>,
    hidden: u64,
}

impl Rare {
    /// It happens. Answers how often it was hidden, where it is time for a line.
    pub fn happens(&mut self, now: Instant) -> Option<u64> {
        if self.logged.is_some_and(|logged| now.saturating_duration_since(logged) < INTERVAL) {
            self.hidden += 1;
            return None;
        }
        self.logged = Some(now);
        Some(std::mem::take(&mut self.hidden))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_line_each_second_at_most_and_it_says_what_was_left_out() {
        let (mut rare, start) = (Rare::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(rare.happens(at(0)), Some(0));
        assert_eq!(rare.happens(at(1)), None);
        assert_eq!(rare.happens(at(999)), None);
        assert_eq!(rare.happens(at(1000)), Some(2));
        assert_eq!(rare.happens(at(1500)), None);
    }
}
