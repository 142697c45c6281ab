//! What a publication changes, for people and for programs.
use std::fmt::Write;

use market::campaign::Change;
use serde_json::{Value, json};

use crate::text::printable;

/// One line for each change.
pub(super) fn in_text(changes: &[Change]) -> String {
    let mut text = String::new();
    for change in changes {
        let _ = writeln!(text, "  {}", printable(&change.to_string()));
    }
    text
}

/// The changes as a list.
pub(super) fn in_json(changes: &[Change]) -> Value {
    let change = |change: &Change| {
        json!({
            "section": change.section.name(),
            "what": change.what,
            "before": change.before,
            "after": change.after,
        })
    };
    changes.iter().map(change).collect()
}
