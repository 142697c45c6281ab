//! Strings that people write and that other people's terminals show: reasons, names, ids.
//!
//! A control character moves a terminal's cursor, a line break forges a line, and format characters
//! change the order in which characters appear. Input with any of them is refused. Output shows
//! them as escapes, since old rows and other servers may hold some.
use std::borrow::Cow;
use std::fmt::Write;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Longest name of a person; what the audit log holds.
pub const WHO_CHARS_MAX: usize = 128;
/// Longest reason.
pub const REASON_CHARS_MAX: usize = 500;

/// Invisible characters that change how others appear: Unicode's `Cf`, the separators of lines and
/// paragraphs, and variation selectors.
const HIDDEN: [(char, char); 22] = [
    ('\u{ad}', '\u{ad}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{200b}', '\u{200f}'),
    ('\u{2028}', '\u{202e}'),
    ('\u{2060}', '\u{206f}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{fff9}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e007f}'),
    ('\u{e0100}', '\u{e01ef}'),
    ('\u{115f}', '\u{1160}'),
];

/// A time for people: without fractions of a second.
pub fn to_the_second(at: Timestamp) -> String {
    format!("{at:.0}")
}

/// A time in a zone, with the zone's offset, in RFC 3339.
pub fn rfc_3339(at: Timestamp, zone: &TimeZone) -> String {
    at.display_with_offset(zone.to_offset(at)).to_string()
}

/// Whether a character would do anything to a terminal or a log but appear there.
pub fn is_unprintable(character: char) -> bool {
    character.is_control()
        || HIDDEN
            .iter()
            .any(|&(first, last)| (first..=last).contains(&character))
}

/// A non-empty string of one line, without the white space around it.
pub fn checked(name: &str, text: &str, chars_max: usize) -> Result<String, String> {
    let text = text.trim();
    if let Some(character) = text.chars().find(|&character| is_unprintable(character)) {
        return Err(format!(
            "{name}: has the character {}; expected one line without control and format characters",
            character.escape_unicode()
        ));
    }
    match text.chars().count() {
        0 => Err(format!(
            "{name}: is empty; expected 1 to {chars_max} characters"
        )),
        count if count > chars_max => Err(format!(
            "{name}: has {count} characters; expected 1 to {chars_max}"
        )),
        _ => Ok(text.to_owned()),
    }
}

/// A string that is safe to print: what could affect a terminal is shown as an escape.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unprintable) {
        return text.into();
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_unprintable(character) {
            let _ = write!(shown, "{}", character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown.into()
}

/// The same for a string of several lines.
pub fn printable_lines(text: &str) -> String {
    let lines: Vec<_> = text.split('\n').map(printable).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_a_cursor_or_forges_a_line_is_refused() {
        for bad in [
            "a\u{1b}[2Jb",
            "a\nb",
            "a\rb",
            "a\tb",
            "a\u{9b}b",
            "a\u{202e}b",
            "a\u{200b}b",
            "a\u{2028}b",
            "a\u{feff}b",
        ] {
            let error = checked("reason", bad, 500).expect_err(bad);
            assert!(
                error.starts_with("reason: has the character \\u{"),
                "{error}"
            );
            assert!(!error.contains(is_unprintable), "{error:?}");
        }
        for good in ["the peak", "维护中", "l'été à 20 h", "日本語 100 %"] {
            assert_eq!(
                checked("reason", &format!(" {good} "), 500).as_deref(),
                Ok(good)
            );
        }
        for empty in ["", " ", "\n"] {
            assert!(
                checked("who", empty, 5)
                    .expect_err("empty")
                    .contains("is empty")
            );
        }
        assert_eq!(
            checked("who", "abcdef", 5),
            Err("who: has 6 characters; expected 1 to 5".to_owned())
        );
    }

    #[test]
    fn what_is_printed_stands_still() {
        assert_eq!(printable("plain 维护"), "plain 维护");
        assert_eq!(
            printable("a\u{1b}[2J\nb\u{202e}"),
            "a\\u{1b}[2J\\u{a}b\\u{202e}"
        );
        assert_eq!(printable_lines("a\nb\u{7}\n"), "a\nb\\u{7}\n");
    }

    #[test]
    fn times_have_no_parts_of_a_second() {
        let at = Timestamp::from_nanosecond(1_500_000_000_987_654_321).expect("a time");
        assert_eq!(to_the_second(at), "2017-07-14T02:40:00Z");
    }
}
