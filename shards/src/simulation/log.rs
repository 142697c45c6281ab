//! What happened in a run: always counted, and written in words when a trace is wanted.
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// The events of one run.
pub(super) struct Log {
    /// How often each kind of event happened.
    pub(super) tally: BTreeMap<&'static str, u64>,
    /// The events in words, with their virtual time; `None` without a trace.
    lines: Option<Vec<String>>,
}

impl Log {
    pub(super) fn new(wanted: bool) -> Self {
        Self {
            tally: BTreeMap::new(),
            lines: wanted.then(Vec::new),
        }
    }

    pub(super) fn note(
        &mut self,
        at: Duration,
        event: &'static str,
        detail: impl FnOnce() -> String,
    ) {
        *self.tally.entry(event).or_default() += 1;
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>7} {event} {}", at.as_millis(), detail()));
        }
    }

    pub(super) fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }

    /// One number that stands for all lines.
    pub(super) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.tally.hash(&mut hasher);
        self.lines.hash(&mut hasher);
        hasher.finish()
    }
}
