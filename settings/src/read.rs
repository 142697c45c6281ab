//! Reads a file from its text to the reader's value.
use toml::de::{DeTable, Error};

use crate::document::{Document, DocumentSource, Location};
use crate::entry::SettingEntry;
use crate::fault::{Fault, Faulted};
use crate::overrides::Override;
use crate::section::Section;

/// Reads `text` by `reader`. On success the reader returned a value, nothing is wrong with the
/// file, and the reader asked for every key and override. The faults come in the order of the
/// file. A file with broken syntax does not reach the reader.
pub fn read<T>(
    text: &str,
    overrides: Vec<Override>,
    reader: impl FnOnce(&Section<'_>) -> Result<T, Faulted>,
) -> Result<T, Vec<Fault>> {
    read_with_entries(text, overrides, reader).map(|(value, _)| value)
}

/// The same as [`read`]; also returns every key that has a value, in the order in which they were
/// read. Keys without a value and without a default are left out.
pub fn read_with_entries<T>(
    text: &str,
    overrides: Vec<Override>,
    reader: impl FnOnce(&Section<'_>) -> Result<T, Faulted>,
) -> Result<(T, Vec<SettingEntry>), Vec<Fault>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let document = Document::new(text, table, overrides);
    for error in &errors {
        document.fault(&syntax_location(error), error.message());
    }
    if document.is_faulted() {
        return Err(document.take_faults());
    }
    let value = reader(&Section::root(&document));
    document.report_unknown();
    match value {
        Ok(value) if !document.is_faulted() => Ok((value, document.into_entries())),
        _ => Err(document.take_faults()),
    }
}

fn syntax_location(error: &Error) -> Location {
    let source = error.span().map_or(DocumentSource::Nowhere, |span| {
        DocumentSource::Offset(span.start)
    });
    Location::new("", source)
}
