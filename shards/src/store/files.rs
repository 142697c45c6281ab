//! Errors of the file system, with what helps.
use std::io::{Error, ErrorKind};

/// What is wrong with a file or folder, and what helps. Follows its name in messages.
pub(crate) fn explained(error: &Error) -> String {
    let help = match error.kind() {
        ErrorKind::NotFound => "is not there",
        ErrorKind::PermissionDenied => {
            "this user may not use it: run this as the user who runs the server, or give this one the right"
        }
        ErrorKind::ReadOnlyFilesystem => {
            "its file system is read-only: mount it for writing, or name another folder"
        }
        ErrorKind::NotADirectory => "a part of its path is no folder",
        ErrorKind::AlreadyExists => "is there and is no folder: name another one",
        ErrorKind::StorageFull => "the disk is full: make room",
        _ => return error.to_string(),
    };
    help.to_owned()
}

/// What is wrong with a thing, with its name unless the message names it already.
pub(crate) fn named(name: &str, why: &impl std::fmt::Display) -> String {
    let why = why.to_string();
    if why.contains(name) {
        why
    } else {
        format!("{name}: {why}")
    }
}

/// A foreign string as a part of a line: without control characters, and not too long.
pub(crate) fn one_line(text: &str) -> String {
    const CHARS_MAX: usize = 300;
    let shown: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let words: Vec<&str> = shown.split_whitespace().collect();
    let line = words.join(" ");
    match line.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_fault_has_words_of_its_own() {
        let kinds = [
            ErrorKind::NotFound,
            ErrorKind::PermissionDenied,
            ErrorKind::ReadOnlyFilesystem,
            ErrorKind::NotADirectory,
            ErrorKind::AlreadyExists,
            ErrorKind::StorageFull,
            ErrorKind::Other,
        ];
        let words: std::collections::BTreeSet<String> =
            kinds.map(|kind| explained(&kind.into())).into();
        assert_eq!(words.len(), kinds.len());
    }

    #[test]
    fn what_others_say_is_one_line_and_has_an_end() {
        assert_eq!(
            one_line("J\0\0\0\n5.5.5-10.11\t\u{1b}[31mred"),
            "J 5.5.5-10.11 [31mred"
        );
        assert_eq!(one_line(&"x".repeat(1_000)).len(), 303);
    }
}
