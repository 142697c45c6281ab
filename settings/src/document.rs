//! A parsed file together with its overrides, and the records of what readers have read.
use std::cell::RefCell;
use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::collections::{BTreeMap, BTreeSet, HashMap};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::entry::SettingEntry;
use crate::fault::{Fault, Faulted};
use crate::nearest::unknown;
use crate::overrides::Override;
use crate::path::{joined, numbered, quoted};

/// The maximum number of faults in an answer. (A file that is not TOML can have a fault in every
/// byte.)
pub(crate) const FAULTS_MAX: usize = 1_000;

/// The name of the whole file in messages.
const WHOLE: &str = "the file";

pub(crate) struct Document<'t> {
    pub(crate) table: Spanned<DeTable<'t>>,
    /// The offset at which each line begins.
    lines: Vec<usize>,
    overrides: Vec<Override>,
    record: RefCell<DocumentRecord>,
}

/// Records of what was read.
#[derive(Default)]
struct DocumentRecord {
    faults: Vec<(DocumentSource, Fault)>,
    /// The keys that were read, by the path of their section.
    asked: BTreeMap<String, BTreeSet<&'static str>>,
    /// The paths of keys that have another name now, each with the message about it.
    renamed: BTreeMap<String, String>,
    /// The keys that have a value.
    entries: Vec<SettingEntry>,
    /// The index of each path in `entries`: a file may have many keys.
    noted: HashMap<String, usize>,
}

/// Where a value comes from, or where a missing one belongs. Faults are listed in this order.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DocumentSource {
    /// The override of this name.
    Override(String),
    /// Neither an override nor a place in the file.
    Nowhere,
    /// The file, from this byte on.
    Offset(usize),
}

/// A key's path and the source of its value.
#[derive(Clone)]
pub(crate) struct Location {
    pub(crate) path: String,
    pub(crate) source: DocumentSource,
}

impl Location {
    pub(crate) fn new(path: impl Into<String>, source: DocumentSource) -> Self {
        Self {
            path: path.into(),
            source,
        }
    }
}

impl<'t> Document<'t> {
    pub(crate) fn new(text: &str, table: Spanned<DeTable<'t>>, overrides: Vec<Override>) -> Self {
        let after_breaks = text.match_indices('\n').map(|(offset, _)| offset + 1);
        let lines = std::iter::once(0).chain(after_breaks).collect();
        Self {
            table,
            lines,
            overrides,
            record: RefCell::default(),
        }
    }

    /// The number of the line that has this byte.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset)
    }

    pub(crate) fn override_of(&self, path: &str) -> Option<&Override> {
        self.overrides.iter().rev().find(|own| own.is_for(path))
    }
}

/// Faults.
impl Document<'_> {
    pub(crate) fn fault(&self, location: &Location, message: impl Into<String>) -> Faulted {
        let fault = Fault {
            location: self.describe(location),
            message: message.into(),
        };
        let source = location.source.clone();
        self.record.borrow_mut().faults.push((source, fault));
        Faulted::recorded()
    }

    pub(crate) fn is_faulted(&self) -> bool {
        !self.record.borrow().faults.is_empty()
    }

    /// Takes the faults, in the order of their sources, at most [`FAULTS_MAX`] and a count.
    pub(crate) fn take_faults(&self) -> Vec<Fault> {
        let mut sorted = std::mem::take(&mut self.record.borrow_mut().faults);
        sorted.sort_by(|(left, _), (right, _)| left.cmp(right));
        let more = sorted.len().saturating_sub(FAULTS_MAX);
        let mut faults: Vec<_> = sorted
            .into_iter()
            .map(|(_, fault)| fault)
            .take(FAULTS_MAX)
            .collect();
        if more > 0 {
            faults.push(Fault {
                location: WHOLE.into(),
                message: format!("has {more} more faults"),
            });
        }
        faults
    }

    fn describe(&self, location: &Location) -> String {
        let source = match &location.source {
            DocumentSource::Override(name) => name.clone(),
            DocumentSource::Nowhere if location.path.is_empty() => WHOLE.into(),
            DocumentSource::Nowhere => String::new(),
            DocumentSource::Offset(offset) => format!("line {}", self.line(*offset)),
        };
        let parts = [source.as_str(), location.path.as_str()];
        let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(", ")
    }
}

/// The values in force.
impl Document<'_> {
    /// Records the value of a key. A key that is read twice is recorded once.
    pub(crate) fn note(&self, entry: SettingEntry) {
        let record = &mut *self.record.borrow_mut();
        match record.noted.entry(entry.path.clone()) {
            Occupied(earlier) => record.entries[*earlier.get()] = entry,
            Vacant(first) => {
                first.insert(record.entries.len());
                record.entries.push(entry);
            }
        }
    }

    pub(crate) fn into_entries(self) -> Vec<SettingEntry> {
        self.record.into_inner().entries
    }
}

/// Which keys are known. Those that no reader asks for are faults.
impl Document<'_> {
    /// Records that a reader has read this section.
    pub(crate) fn open(&self, section: &str) {
        let mut record = self.record.borrow_mut();
        record.asked.entry(section.into()).or_default();
    }

    /// Records that a reader has read this key.
    pub(crate) fn ask(&self, section: &str, key: &'static str) {
        let mut record = self.record.borrow_mut();
        record.asked.entry(section.into()).or_default().insert(key);
    }

    /// Deletes the record of this section, so that its keys are not checked.
    pub(crate) fn leave(&self, section: &str) {
        self.record.borrow_mut().asked.remove(section);
    }

    /// Records that a key, or a section, has another name now.
    pub(crate) fn rename(&self, path: String, new: &str) {
        let message = format!("is called {new:?} now");
        self.record.borrow_mut().renamed.insert(path, message);
    }

    pub(crate) fn report_unknown(&self) {
        self.report_unknown_keys("", self.table.get_ref());
        self.report_unknown_overrides();
    }

    fn report_unknown_keys(&self, path: &str, table: &DeTable<'_>) {
        let asked = self.record.borrow().asked.get(path).cloned();
        // A table that no reader opened has the wrong type, which is a fault already.
        let Some(asked) = asked else { return };
        for (name, value) in table {
            let key: &str = name.get_ref();
            let own = joined(path, key);
            let source = DocumentSource::Offset(name.span().start);
            let renamed = self.record.borrow().renamed.get(&own).cloned();
            if let Some(message) = renamed {
                self.fault(&Location::new(own, source), message);
            } else if asked.contains(key) {
                self.report_unknown_keys_within(&own, value.get_ref());
            } else {
                let location = Location::new(joined(path, &quoted(key)), source);
                let message = unknown("unknown key", key, asked.iter().copied());
                self.fault(&location, message);
            }
        }
    }

    fn report_unknown_keys_within(&self, path: &str, value: &DeValue<'_>) {
        match value {
            DeValue::Table(table) => self.report_unknown_keys(path, table),
            DeValue::Array(entries) => {
                for (index, entry) in entries.iter().enumerate() {
                    self.report_unknown_keys_within(&numbered(path, index), entry.get_ref());
                }
            }
            _ => {}
        }
    }

    fn report_unknown_overrides(&self) {
        let known = self.known_paths();
        let is_known = |own: &&Override| known.iter().any(|path| own.is_for(path));
        for own in self.overrides.iter().filter(|own| !is_known(own)) {
            let source = DocumentSource::Override(own.origin.clone());
            let (path, message) = self
                .renamed_for(own)
                .unwrap_or_else(|| (String::new(), own.unknown_among(&known)));
            self.fault(&Location::new(path, source), message);
        }
    }

    /// The renamed path that an override is for, and the message about it.
    fn renamed_for(&self, own: &Override) -> Option<(String, String)> {
        let record = self.record.borrow();
        let (path, message) = record.renamed.iter().find(|(path, _)| own.is_below(path))?;
        Some((path.clone(), message.clone()))
    }

    /// The paths of all keys that were read.
    fn known_paths(&self) -> Vec<String> {
        let record = self.record.borrow();
        let paths = record
            .asked
            .iter()
            .flat_map(|(section, keys)| keys.iter().map(|key| joined(section, key)));
        paths.collect()
    }
}
