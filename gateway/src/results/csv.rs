//! Comma-separated values (RFC 4180), safe to open in a spreadsheet.
//!
//! A spreadsheet takes a cell that begins with one of a few characters for a formula, which may send
//! what is in other cells elsewhere. User ids, request ids and titles are other people's texts.
//! Such a text gets an apostrophe in front, which spreadsheets read as "this is text".
use std::fmt::Write;

use market::points::{Amount, Points};

/// How a file begins that says it is UTF-8: Excel takes others for the system's old encoding.
pub const BYTE_ORDER_MARK: &str = "\u{feff}";

/// What a formula begins with, in one spreadsheet or another.
const FORMULA_STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// What a field must be quoted for.
const SPECIAL: [char; 4] = [',', '"', '\n', '\r'];

/// A cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    /// A string of others.
    Text(&'a str),
    /// A number, a time, a word of ours.
    Plain(&'a str),
    /// An integer.
    Number(u64),
    /// Points, with two decimals.
    Points(Points),
    /// Points that were added, or taken, with two decimals.
    Amount(Amount),
    /// Yes or no.
    Bool(bool),
    /// There is none.
    Empty,
}

/// Adds a line.
pub fn write_line<'a>(out: &mut String, cells: impl IntoIterator<Item = Cell<'a>>) {
    for (index, cell) in cells.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        match cell {
            Cell::Text(text) => write_text(out, text),
            Cell::Plain(text) => write_quoted(out, text, false),
            Cell::Number(number) => write_number(out, number),
            Cell::Points(points) => {
                let _ = write!(out, "{points}");
            }
            Cell::Amount(amount) => {
                let _ = write!(out, "{amount}");
            }
            Cell::Bool(value) => out.push_str(if value { "true" } else { "false" }),
            Cell::Empty => {}
        }
    }
    out.push('\n');
}

/// A string of others as a cell.
pub fn text_cell(text: &str) -> String {
    let mut cell = String::new();
    write_text(&mut cell, text);
    cell
}

fn write_text(out: &mut String, text: &str) {
    write_quoted(out, text, text.starts_with(FORMULA_STARTS));
}

fn write_quoted(out: &mut String, text: &str, is_formula: bool) {
    let mark = if is_formula { "'" } else { "" };
    if !text.contains(SPECIAL) {
        out.push_str(mark);
        out.push_str(text);
        return;
    }
    out.push('"');
    out.push_str(mark);
    out.push_str(&text.replace('"', "\"\""));
    out.push('"');
}

fn write_number(out: &mut String, number: u64) {
    use std::fmt::Write as _;
    let _ = write!(out, "{number}");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(cells: &[Cell<'_>]) -> String {
        let mut out = String::new();
        write_line(&mut out, cells.iter().copied());
        out
    }

    /// The fields of one line, read as RFC 4180 says.
    fn read(line: &str) -> Vec<String> {
        let (mut fields, mut field, mut quoted) = (Vec::new(), String::new(), false);
        let mut chars = line.strip_suffix('\n').expect("a line").chars().peekable();
        while let Some(char) = chars.next() {
            match char {
                '"' if quoted && chars.peek() == Some(&'"') => {
                    chars.next();
                    field.push('"');
                }
                '"' => quoted = !quoted,
                ',' if !quoted => fields.push(std::mem::take(&mut field)),
                char => field.push(char),
            }
        }
        fields.push(field);
        fields
    }

    #[test]
    fn texts_that_look_like_formulas_are_marked_and_nothing_else_is() {
        for start in FORMULA_STARTS {
            let text = format!("{start}1+1");
            assert_eq!(read(&line(&[Cell::Text(&text)])), [format!("'{text}")]);
            let inside = format!("1{start}1");
            assert_eq!(read(&line(&[Cell::Text(&inside)])), [inside]);
        }
        assert_eq!(line(&[Cell::Text("=\"a,b\"")]), "\"'=\"\"a,b\"\"\"\n");
        assert_eq!(line(&[Cell::Plain("-1"), Cell::Text("")]), "-1,\n");
    }

    #[test]
    fn cells_of_other_kinds_are_plain() {
        let cells = [
            Cell::Number(7),
            Cell::Bool(true),
            Cell::Empty,
            Cell::Bool(false),
        ];
        assert_eq!(line(&cells), "7,true,,false\n");
    }

    proptest! {
        #[test]
        fn texts_come_back(texts in proptest::collection::vec(any::<String>(), 1..5)) {
            let cells: Vec<Cell<'_>> = texts.iter().map(|text| Cell::Text(text)).collect();
            let expected: Vec<String> = texts
                .iter()
                .map(|text| if text.starts_with(FORMULA_STARTS) { format!("'{text}") } else { text.clone() })
                .collect();
            prop_assert_eq!(read(&line(&cells)), expected);
        }
    }
}
