//! A table of the file, from which readers take their keys.
use std::fmt::Display;
use std::ops::RangeInclusive;

use jiff::Timestamp;
use toml::de::{DeTable, DeValue};

use crate::document::{Document, DocumentSource, Location};
use crate::fault::Faulted;
use crate::field::{Choice, Field};
use crate::path::joined;
use crate::value::{FoundValue, Notation, Value};

/// A table of the file, or an absent one, which has no keys but can be read all the same.
#[derive(Clone)]
pub struct Section<'d> {
    document: &'d Document<'d>,
    table: Option<&'d DeTable<'d>>,
    location: Location,
}

/// Sections within sections.
impl<'d> Section<'d> {
    pub(crate) fn root(document: &'d Document<'d>) -> Self {
        let table = Some(document.table.get_ref());
        Self::open(document, table, Location::new("", DocumentSource::Nowhere))
    }

    fn open(
        document: &'d Document<'d>,
        table: Option<&'d DeTable<'d>>,
        location: Location,
    ) -> Self {
        document.open(&location.path);
        Self {
            document,
            table,
            location,
        }
    }

    fn of(value: &Value<'d>) -> Result<Self, Faulted> {
        let table = Field::read(
            value,
            "a table".into(),
            Notation::Tables,
            |found| match found {
                FoundValue::InFile(DeValue::Table(table)) => Some(table),
                _ => None,
            },
        );
        let table = table.required()?;
        Ok(Self::open(
            value.document,
            Some(table),
            value.location.clone(),
        ))
    }

    /// The table of a key; an absent one has no keys.
    #[must_use]
    pub fn section(&self, key: &'static str) -> Section<'d> {
        self.find_section(key).unwrap_or_else(|| {
            let path = joined(&self.location.path, key);
            Self::open(
                self.document,
                None,
                Location::new(path, DocumentSource::Nowhere),
            )
        })
    }

    /// The table of a key, if the file has it.
    pub fn find_section(&self, key: &'static str) -> Option<Section<'d>> {
        let value = self.value(key);
        value.found?;
        Self::of(&value).ok()
    }

    /// The array of tables (`[[key]]`) of a key, with bounds for their number. Absent is empty
    /// where none are needed. Those beyond the bound are left unread.
    pub fn sections(
        &self,
        key: &'static str,
        count: RangeInclusive<usize>,
    ) -> Result<Vec<Section<'d>>, Faulted> {
        let value = self.value(key);
        let expected = format!("{} to {} tables", count.start(), count.end());
        let entries = value.entries(expected.clone(), Notation::Tables);
        let mut entries = if *count.start() == 0 {
            entries.or(Vec::new())?
        } else {
            entries.required()?
        };
        if !count.contains(&entries.len()) {
            value.fault(format!("expected {expected}, found {}", entries.len()));
            entries.truncate(*count.end());
        }
        Ok(entries
            .iter()
            .filter_map(|entry| Self::of(entry).ok())
            .collect())
    }
}

/// The keys of a section.
impl<'d> Section<'d> {
    /// The value of a key, of any type. The key is known from now on.
    pub fn value(&self, key: &'static str) -> Value<'d> {
        self.document.ask(&self.location.path, key);
        let path = joined(&self.location.path, key);
        let entry = self.table.and_then(|table| table.get_key_value(key));
        let in_file = entry.map(|(_, value)| FoundValue::InFile(value.get_ref()));
        let own = self.document.override_of(&path);
        Value {
            document: self.document,
            location: Location::new(path, self.source_of(key)),
            found: own.map(|own| FoundValue::Override(&own.value)).or(in_file),
            replaced: in_file,
            secret: false,
            listed: false,
        }
    }

    /// Where the value of a key comes from; an absent one belongs to the section.
    fn source_of(&self, key: &str) -> DocumentSource {
        let path = joined(&self.location.path, key);
        if let Some(own) = self.document.override_of(&path) {
            return DocumentSource::Override(own.origin.clone());
        }
        let entry = self.table.and_then(|table| table.get_key_value(key));
        entry.map_or_else(
            || self.location.source.clone(),
            |(name, _)| DocumentSource::Offset(name.span().start),
        )
    }

    /// See [`Value::string`].
    pub fn string(&self, key: &'static str, chars: RangeInclusive<usize>) -> Field<'d, String> {
        self.value(key).string(chars)
    }

    /// The same for a string that is never shown, neither as a value nor in a fault.
    pub fn secret(&self, key: &'static str, chars: RangeInclusive<usize>) -> Field<'d, String> {
        let value = Value {
            secret: true,
            ..self.value(key)
        };
        value.string(chars)
    }

    /// See [`Value::integer`].
    pub fn integer<N>(&self, key: &'static str, range: RangeInclusive<N>) -> Field<'d, N>
    where
        N: Copy + PartialOrd + Display + TryFrom<i128>,
    {
        self.value(key).integer(range)
    }

    /// See [`Value::decimal`].
    pub fn decimal(&self, key: &'static str) -> Field<'d, String> {
        self.value(key).decimal()
    }

    /// See [`Value::boolean`].
    pub fn boolean(&self, key: &'static str) -> Field<'d, bool> {
        self.value(key).boolean()
    }

    /// See [`Value::time`].
    pub fn time(&self, key: &'static str) -> Field<'d, Timestamp> {
        self.value(key).time()
    }

    /// See [`Value::choice`].
    pub fn choice<T: Copy + PartialEq>(
        &self,
        key: &'static str,
        choices: &[(&str, T)],
    ) -> Choice<'d, T> {
        self.value(key).choice(choices)
    }

    /// See [`Value::choice_or_boolean`].
    pub fn choice_or_boolean<T: Copy + PartialEq>(
        &self,
        key: &'static str,
        choices: &[(&str, T)],
    ) -> Choice<'d, T> {
        self.value(key).choice_or_boolean(choices)
    }

    /// See [`Value::list`].
    pub fn list(
        &self,
        key: &'static str,
        count: RangeInclusive<usize>,
    ) -> Field<'d, Vec<Value<'d>>> {
        self.value(key).list(count)
    }

    /// Records that a key, or a section, has another name now. A file or an override with the old
    /// name gets a fault that gives the new one.
    pub fn renamed(&self, old: &'static str, new: &str) {
        self.document.rename(joined(&self.location.path, old), new);
    }

    /// Gives up on this section: which keys belong here is not known, so none is unknown.
    pub fn leave_unread(&self) {
        self.document.leave(&self.location.path);
    }

    /// Records a fault of a key. It does not count as reading the key.
    pub fn fault(&self, key: &str, message: impl Into<String>) -> Faulted {
        let path = joined(&self.location.path, key);
        let location = Location::new(path, self.source_of(key));
        self.document.fault(&location, message)
    }
}
