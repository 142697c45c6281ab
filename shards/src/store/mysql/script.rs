//! Several statements as one script that contains their values: one round trip, where prepared
//! statements would take ten.
//!
//! A value cannot become SQL. Numbers are digits. A string stands between quotes only when it is
//! printable ASCII without the two special characters, and in hexadecimal otherwise. So nothing
//! here depends on how the server reads escapes.
use std::fmt::Write as _;

use crate::store::{Input, Rows, SqlOutcome, SqlStep, Value};

/// The bound value of statements that need none.
pub(super) const NOTHING: &str = "[]";

/// Where a statement has its bound value.
const VALUE_PLACE: &str = "?";
/// Where a statement that writes rows has them.
const ROWS_PLACE: &str = "{rows}";
/// The beginning of each further comment line at the head of a statement's file.
const COMMENT: &str = "--";

/// Statements that run one after the other.
#[derive(Debug)]
pub(super) struct Script {
    text: String,
    /// For each statement of the script the index of its step; `None` for those at its beginning.
    indexes: Vec<Option<usize>>,
    steps: usize,
}

impl Script {
    /// The statements `opening`, which need no value, and then the steps. A step that writes no
    /// rows is left out.
    pub(super) fn new(opening: &[&str], steps: &[SqlStep<'_>]) -> Self {
        let mut script = Self {
            text: opening.join(";\n"),
            indexes: vec![None; opening.len()],
            steps: steps.len(),
        };
        for (index, SqlStep { sql, input, .. }) in steps.iter().enumerate() {
            match input {
                Input::Json(json) if json != NOTHING => {
                    script.add(index, sql, VALUE_PLACE, |text| push_text(text, json));
                }
                Input::Rows(rows) if rows.width() > 0 => {
                    script.add(index, sql, ROWS_PLACE, |text| push_rows(text, rows));
                }
                Input::Nothing => script.add_text(index, sql),
                Input::Json(_) | Input::Rows(_) => {}
            }
        }
        script
    }

    pub(super) fn is_empty(&self) -> bool {
        self.indexes.is_empty()
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The outcome of each step, from the outcome of each statement of the script.
    pub(super) fn outcomes<R>(&self, done: Vec<SqlOutcome<R>>) -> Vec<SqlOutcome<R>> {
        let mut outcomes: Vec<SqlOutcome<R>> = std::iter::repeat_with(SqlOutcome::default)
            .take(self.steps)
            .collect();
        for (index, outcome) in self.indexes.iter().zip(done) {
            if let Some(index) = *index {
                outcomes[index] = outcome;
            }
        }
        outcomes
    }

    fn add_text(&mut self, index: usize, sql: &str) {
        if !self.text.is_empty() {
            self.text.push_str(";\n");
        }
        self.text.push_str(without_comment(sql));
        self.indexes.push(Some(index));
    }

    fn add(
        &mut self,
        index: usize,
        sql: &str,
        value_place: &str,
        push_value: impl Fn(&mut String),
    ) {
        if !self.text.is_empty() {
            self.text.push_str(";\n");
        }
        // A statement names its value several times where it has several parts to take out of it.
        let mut parts = without_comment(sql).split(value_place);
        self.text.push_str(parts.next().unwrap_or_default());
        let mut places = 0;
        for part in parts {
            push_value(&mut self.text);
            self.text.push_str(part);
            places += 1;
        }
        assert!(places > 0, "a statement has a place for its value");
        self.indexes.push(Some(index));
    }
}

/// The statement of a file without the comment at its head: the server would parse that with each
/// batch.
fn without_comment(mut file: &str) -> &str {
    while file.starts_with(COMMENT)
        && let Some((_, rest)) = file.split_once('\n')
    {
        file = rest;
    }
    file.trim_end()
}

fn push_rows(text: &mut String, rows: &Rows<'_>) {
    for (number, row) in rows.by_row().enumerate() {
        text.push_str(if number == 0 { "(" } else { ",(" });
        for (column, value) in row.iter().enumerate() {
            if column > 0 {
                text.push(',');
            }
            match *value {
                Value::Integer(number) => write!(text, "{number}").expect("memory takes all"),
                Value::Text(value) => push_text(text, value),
            }
        }
        text.push(')');
    }
}

fn push_text(text: &mut String, value: &str) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'\'' && byte != b'\\';
    if value.bytes().all(plain) {
        text.push('\'');
        text.push_str(value);
        text.push('\'');
    } else {
        text.push_str("_utf8mb4 X'");
        text.reserve(2 * value.len());
        for byte in value.bytes() {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        text.push('\'');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step<'a>(sql: &'a str, json: &str) -> SqlStep<'a> {
        SqlStep::read(sql, Input::Json(json.to_owned()))
    }

    #[test]
    fn statements_stand_one_after_the_other_without_their_comments() {
        let mut rows = Rows::default();
        rows.push([Value::Integer(-1), Value::Text("a")]);
        rows.push([Value::Integer(2), Value::Text("")]);
        let write = SqlStep::read(
            "-- What? {rows}\n-- And why.\nWRITE {rows}\n",
            Input::Rows(rows),
        );
        let clock = SqlStep::read("-- When?\nCLOCK", Input::Nothing);
        let script = Script::new(&["BEGIN"], &[clock, step("READ ? NOW", "[1]"), write]);
        assert_eq!(
            script.text(),
            "BEGIN;\nCLOCK;\nREAD '[1]' NOW;\nWRITE (-1,'a'),(2,'')"
        );
    }

    #[test]
    fn a_value_stands_in_each_of_its_places_and_in_none_of_its_own() {
        let script = Script::new(&[], &[step("READ ? OF ?", r#"["?"]"#)]);
        assert_eq!(script.text(), r#"READ '["?"]' OF '["?"]'"#);
    }

    #[test]
    fn a_step_without_rows_is_left_out_and_keeps_its_place() {
        let nothing = SqlStep::read("WRITE {rows}", Input::Rows(Rows::default()));
        let script = Script::new(
            &["SET", "BEGIN"],
            &[
                step("A ?", NOTHING),
                step("B ?", "[1]"),
                nothing,
                step("C ?", "[2]"),
            ],
        );
        assert_eq!(script.text(), "SET;\nBEGIN;\nB '[1]';\nC '[2]'");
        let done = (0..4)
            .map(|touched| SqlOutcome {
                rows: vec![touched],
                touched,
            })
            .collect();
        let touched: Vec<u64> = script
            .outcomes(done)
            .iter()
            .map(|outcome| outcome.touched)
            .collect();
        assert_eq!(touched, [0, 2, 0, 3]);
        let empty = Script::new(&[], &[step("A ?", NOTHING)]);
        assert!(empty.is_empty());
        assert_eq!(empty.outcomes::<()>(Vec::new()).len(), 1);
    }

    /// Reads what `push_text` wrote as MySQL does, with and without escapes.
    fn read(literal: &str) -> String {
        if let Some(hex) = literal
            .strip_prefix("_utf8mb4 X'")
            .and_then(|rest| rest.strip_suffix('\''))
        {
            assert!(
                hex.len() % 2 == 0 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{literal}"
            );
            let bytes = (0..hex.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("digits"));
            return String::from_utf8(bytes.collect()).expect("a text");
        }
        let inner = literal
            .strip_prefix('\'')
            .and_then(|rest| rest.strip_suffix('\''))
            .expect(literal);
        assert!(!inner.contains(['\'', '\\']), "{literal}");
        inner.to_owned()
    }

    proptest::proptest! {
        #[test]
        fn no_text_ends_its_literal(text: String) {
            let mut literal = String::new();
            push_text(&mut literal, &text);
            assert!(literal.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{literal}");
            assert_eq!(read(&literal), text);
        }

        /// Most of what strategies above make is far from these.
        #[test]
        fn no_text_of_signs_that_mean_something_ends_its_literal(text in "['\"\\\\;?{}X\u{0}\n\u{1a}%_é-]{0,12}") {
            let mut literal = String::new();
            push_text(&mut literal, &text);
            assert_eq!(read(&literal), text);
        }
    }
}
