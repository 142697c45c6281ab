//! `docs/reference-faults.md` names each fault of the reference and the tests that keep it away:
//! none is missing, and the tests are there.
use std::collections::BTreeMap;

use crate::deployment::text;

const PAGE: &str = "docs/reference-faults.md";

/// The faults of the reference that are numbered.
const FAULTS: u32 = 48;

/// What must always hold.
const INVARIANTS: u32 = 10;

/// How the cell of a fault begins that no test can show.
const OTHERWISE: [&str; 2] = ["cannot occur: ", "comes with "];

/// The rows of the page by their number: what proves each.
fn rows(page: &str, letter: char) -> BTreeMap<u32, String> {
    let mut rows = BTreeMap::new();
    for line in page.lines() {
        let Some(inner) = line
            .strip_prefix('|')
            .and_then(|rest| rest.strip_suffix('|'))
        else {
            continue;
        };
        let cells: Vec<&str> = inner.split('|').map(str::trim).collect();
        let number = cells[0].strip_prefix(letter);
        let Some(number) = number.and_then(|number| number.parse().ok()) else {
            continue;
        };
        assert_eq!(cells.len(), 4, "{line}");
        assert!(cells.iter().all(|cell| !cell.is_empty()), "{line}");
        let before = rows.insert(number, cells[3].to_owned());
        assert_eq!(before, None, "{letter}{number} stands twice");
    }
    rows
}

/// The tests that a cell names: path and function.
fn named_tests(cell: &str) -> Vec<(&str, &str)> {
    let quoted = cell.split('`').skip(1).step_by(2);
    quoted.filter_map(|word| word.split_once("::")).collect()
}

/// Whether a file has this function, as a test or as one of those that run over each database.
fn is_there(path: &str, function: &str) -> bool {
    let file = text(path);
    let lines: Vec<&str> = file.lines().collect();
    let head = format!("fn {function}(");
    let generic = format!("fn {function}<");
    let place = lines
        .iter()
        .position(|line| line.contains(&head) || line.contains(&generic));
    let Some(place) = place else {
        return false;
    };
    let attributes = &lines[place.saturating_sub(3)..place];
    let is_attribute = |line: &&str| line.trim_start().starts_with("#[");
    let mut attributes = attributes.iter().filter(|line| is_attribute(line));
    attributes.any(|line| line.contains("test"))
        || path.contains("/conformance")
            && text("shards/src/store/conformance.rs").contains(function)
}

#[test]
fn every_fault_of_the_reference_has_its_test_or_its_reason() {
    let page = text(PAGE);
    for (letter, count) in [('D', FAULTS), ('I', INVARIANTS)] {
        let rows = rows(&page, letter);
        let numbers: Vec<u32> = rows.keys().copied().collect();
        assert_eq!(numbers, (1..=count).collect::<Vec<_>>(), "of {letter}");
        for (number, proof) in rows {
            let tests = named_tests(&proof);
            let is_otherwise = OTHERWISE.iter().any(|begin| proof.starts_with(begin));
            assert!(
                !tests.is_empty() || is_otherwise,
                "{letter}{number} names no test: {proof}"
            );
            for (path, function) in tests {
                assert!(
                    is_there(path, function),
                    "{letter}{number}: {path} has no test {function}"
                );
            }
        }
    }
}

#[test]
fn the_check_sees_what_it_looks_for() {
    let row = "| D7 | a | b | `gateway/tests/e2e/reference/table.rs::nothing` and `x::y` |";
    let proof = &rows(row, 'D')[&7];
    let here = "gateway/tests/e2e/reference/table.rs";
    assert_eq!(named_tests(proof), [(here, "nothing"), ("x", "y")]);
    assert!(!is_there(here, "nothing"));
    assert!(!is_there(here, "named_tests"), "it is no test");
    assert!(is_there(here, "the_check_sees_what_it_looks_for"));
}
