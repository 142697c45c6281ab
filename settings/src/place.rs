//! Finds where a value stands in a text, for programs that change one value and nothing else.
use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// The bytes of the value at a path of keys; `None` when the text has none there, or is no TOML.
pub fn place_of(text: &str, path: &[&str]) -> Option<Range<usize>> {
    let table = DeTable::parse(text).ok()?;
    let (last, sections) = path.split_last()?;
    let mut at = table.get_ref();
    for section in sections {
        at = match at.get(*section)?.get_ref() {
            DeValue::Table(table) => table,
            _ => return None,
        };
    }
    Some(at.get(*last)?.span())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_path() {
        let text = "a = 1\n[b]\n# c = 2\nc = \"é\" # c\n[b.d]\nc = 77\n";
        let found = |path: &[&str]| place_of(text, path).map(|place| &text[place]);
        assert_eq!(found(&["a"]), Some("1"));
        assert_eq!(found(&["b", "c"]), Some("\"é\""));
        assert_eq!(found(&["b", "d", "c"]), Some("77"));
        for path in [&["x"][..], &["a", "x"], &["b", "x"], &[]] {
            assert_eq!(found(path), None, "{path:?}");
        }
        assert_eq!(place_of("a = ", &["a"]), None);
    }
}
