//! Reads a TOML text and collects everything that is wrong with it, each fault with its place.
//!
//! Campaign files and the server's configuration are written by people, who want to hear of all
//! faults at once. So a reader never stops at the first one: it reads every key of a section,
//! and only then asks which of them were good:
//!
//! ```
//! use market::document::{Faulted, Section, read};
//!
//! struct Http { listen: String, workers: u16 }
//!
//! fn http(section: &Section<'_>) -> Result<Http, Faulted> {
//!     let listen = section.text("listen", 1..=64).required();
//!     let workers = section.integer("workers", 1..=64).or(2);
//!     Ok(Http { listen: listen?, workers: workers? })
//! }
//!
//! let text = "[http]\nlisten = \"127.0.0.1:80\"\nwrokers = 65\n";
//! let faults = read(text, Vec::new(), |root| http(&root.section("http"))).err().expect("a fault");
//! assert_eq!(faults[0].to_string(), r#"line 3, http.wrokers: unknown key; did you mean "workers"?"#);
//! ```
//!
//! Keys that no reader asked for are faults too. Values can be laid over the text from outside,
//! from options of the command line and environment variables ([`Override`]). [`read_with_entries`]
//! says of each key what value is in force and where it comes from.
use std::cell::RefCell;
use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{self, Debug, Display};
use std::ops::RangeInclusive;
use std::str::FromStr;

use jiff::Timestamp;
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

/// Nobody reads more. (A text of another kind can have a fault in every byte.)
const FAULTS_MAX: usize = 1_000;

/// What is shown in place of a secret.
pub const MASK: &str = "***";

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The line and the path of the key, such as `line 12, award[3].rate`; what a line or a path
    /// does not apply to goes without it. Entries of lists and tables count from 1.
    pub place: String,
    /// What is wrong there.
    pub message: String,
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Proof that a fault was recorded: whoever cannot give a value gives this instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Faulted(());

/// A value from outside that replaces or adds one of the text. It reaches keys of plain
/// sections only, not those within lists. Of several for one key the last wins.
pub struct Override {
    target: Target,
    value: String,
    origin: String,
}

enum Target {
    /// The path of a key, such as `http.listen`.
    Path(String),
    /// A prefix and then a path in upper case with `_` for each dot, such as `HTTP_LISTEN`.
    /// Which path that is cannot be told from the name alone (`HTTP_ALWAYS_200` is
    /// `http.always_200`), so it is compared with the keys that are read.
    Variable { prefix: String, name: String },
}

impl Override {
    /// The value of an option such as `--listen` for the key at `path`. Faults name the option.
    pub fn option(path: &str, value: &str, option: &str) -> Self {
        Self {
            target: Target::Path(path.into()),
            value: value.into(),
            origin: option.into(),
        }
    }

    /// The value of an environment variable: `prefix`, then the key's path in upper case with
    /// `_` for each dot. `None` for a variable without the prefix.
    pub fn variable(prefix: &str, name: &str, value: &str) -> Option<Self> {
        let target = Target::Variable {
            prefix: prefix.into(),
            name: name.strip_prefix(prefix)?.into(),
        };
        let origin = format!("environment variable {name}");
        Some(Self {
            target,
            value: value.into(),
            origin,
        })
    }

    /// Whether it is for a key at or below this path.
    fn is_below(&self, path: &str) -> bool {
        let (own, path, dot) = match &self.target {
            Target::Path(own) => (own, path.to_owned(), '.'),
            Target::Variable { name, .. } => (name, as_variable(path), '_'),
        };
        own.strip_prefix(&path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(dot))
    }

    fn is_for(&self, path: &str) -> bool {
        match &self.target {
            Target::Path(own) => own == path,
            Target::Variable { name, .. } => *name == as_variable(path),
        }
    }

    /// Says that no key took this one, and which name of `paths` it may have meant.
    fn unknown_among(&self, paths: &[String]) -> String {
        match &self.target {
            Target::Path(path) => unknown("unknown setting", path, paths.iter().cloned()),
            Target::Variable { prefix, name } => {
                let names = paths.iter().map(|path| prefix.clone() + &as_variable(path));
                unknown("unknown setting", &(prefix.clone() + name), names)
            }
        }
    }
}

/// A key that has a value, and where the value comes from. A secret is compared and never shown.
#[derive(Clone)]
pub struct Entry {
    /// The path of the key, such as `storage.shard[1].host`. Entries of lists count from 1.
    pub path: String,
    /// Where the value comes from.
    pub origin: Origin,
    value: String,
    replaced: Option<String>,
    secret: bool,
}

impl Entry {
    /// The value as TOML; [`MASK`] for a secret.
    pub fn value(&self) -> String {
        self.shown(&self.value)
    }

    /// What the text says, where an override replaces it; [`MASK`] for a secret.
    pub fn replaced(&self) -> Option<String> {
        self.replaced.as_deref().map(|value| self.shown(value))
    }

    /// Whether it is not shown.
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// Whether both have the same value, wherever it comes from.
    pub fn is_same_value(&self, other: &Self) -> bool {
        self.value == other.value
    }

    /// Whether the text says the same of both, where an override replaces it.
    pub fn replaces_the_same(&self, other: &Self) -> bool {
        self.replaced == other.replaced
    }

    fn shown(&self, value: &str) -> String {
        if self.secret {
            toml_text(MASK)
        } else {
            value.to_owned()
        }
    }
}

impl Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {} ({})", self.path, self.value(), self.origin)
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody has set it.
    Default,
    /// This line of the text.
    Line(usize),
    /// An override, by its name, such as `--listen`.
    Override(String),
}

impl Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::Line(line) => write!(f, "file, line {line}"),
            Origin::Override(name) => f.write_str(name),
        }
    }
}

fn as_variable(path: &str) -> String {
    path.replace('.', "_").to_ascii_uppercase()
}

/// Reads `text` by `reader`. On success the reader gave a value and nothing is wrong with the
/// text, nor are there keys or overrides that the reader did not ask for. The faults come in
/// the order of the text. A text with broken syntax does not reach the reader.
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
) -> Result<(T, Vec<Entry>), Vec<Fault>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let document = Document::new(text, table, overrides);
    for error in errors {
        let at = error
            .span()
            .map_or(At::Nowhere, |span| At::Offset(span.start));
        document.fault(
            &Place {
                path: String::new(),
                at,
            },
            error.message().into(),
        );
    }
    if document.is_faulted() {
        return Err(document.faults());
    }
    let value = reader(&document.root());
    document.report_unknown_keys("", document.table.get_ref());
    document.report_unknown_overrides();
    match value {
        Ok(value) if !document.is_faulted() => Ok((value, document.record.into_inner().entries)),
        _ => Err(document.faults()),
    }
}

/// Every value, or [`Faulted`] if one is missing. (Collecting straight into a `Result` would
/// stop reading at the first fault.)
pub fn all<T>(values: impl IntoIterator<Item = Result<T, Faulted>>) -> Result<Vec<T>, Faulted> {
    let values: Vec<_> = values.into_iter().collect();
    values.into_iter().collect()
}

struct Document<'t> {
    table: Spanned<DeTable<'t>>,
    /// The offset at which each line begins.
    lines: Vec<usize>,
    overrides: Vec<Override>,
    record: RefCell<Record>,
}

/// What is noted while sections are being read.
#[derive(Default)]
struct Record {
    faults: Vec<(At, Fault)>,
    /// The keys that were asked for, by the path of their section.
    asked: BTreeMap<String, BTreeSet<&'static str>>,
    /// The paths of keys that have another name now, and what is said of them.
    renamed: BTreeMap<String, String>,
    /// The keys that have a value.
    entries: Vec<Entry>,
    /// The place of each path among them: a file may have many keys.
    noted: HashMap<String, usize>,
}

/// Where a value, or what should have been one, comes from. Ordered as faults are listed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum At {
    Origin(String),
    Nowhere,
    /// In the text, from this byte on.
    Offset(usize),
}

#[derive(Clone)]
struct Place {
    path: String,
    at: At,
}

impl<'t> Document<'t> {
    fn new(text: &str, table: Spanned<DeTable<'t>>, overrides: Vec<Override>) -> Self {
        let after_breaks = text.match_indices('\n').map(|(offset, _)| offset + 1);
        let lines = std::iter::once(0).chain(after_breaks).collect();
        Self {
            table,
            lines,
            overrides,
            record: RefCell::default(),
        }
    }

    fn root(&self) -> Section<'_> {
        self.open(String::new(), Some(self.table.get_ref()), At::Nowhere)
    }

    fn open<'d>(&'d self, path: String, table: Option<&'d DeTable<'d>>, at: At) -> Section<'d> {
        self.record
            .borrow_mut()
            .asked
            .entry(path.clone())
            .or_default();
        Section {
            document: self,
            table,
            place: Place { path, at },
        }
    }

    fn fault(&self, place: &Place, message: String) -> Faulted {
        let fault = Fault {
            place: self.describe(place),
            message,
        };
        self.record
            .borrow_mut()
            .faults
            .push((place.at.clone(), fault));
        Faulted(())
    }

    fn describe(&self, place: &Place) -> String {
        let source = match &place.at {
            At::Origin(origin) => origin.clone(),
            At::Nowhere if place.path.is_empty() => "the text".into(),
            At::Nowhere => String::new(),
            At::Offset(offset) => format!("line {}", self.line(*offset)),
        };
        let parts = [source.as_str(), place.path.as_str()];
        parts
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset)
    }

    /// Notes the value of a key. One that is read twice is noted once.
    fn note(&self, entry: Entry) {
        let record = &mut *self.record.borrow_mut();
        match record.noted.entry(entry.path.clone()) {
            Occupied(earlier) => record.entries[*earlier.get()] = entry,
            Vacant(first) => {
                first.insert(record.entries.len());
                record.entries.push(entry);
            }
        }
    }

    fn is_faulted(&self) -> bool {
        !self.record.borrow().faults.is_empty()
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = std::mem::take(&mut self.record.borrow_mut().faults);
        faults.sort_by(|(left, _), (right, _)| left.cmp(right));
        let more = faults.len().saturating_sub(FAULTS_MAX);
        let mut faults: Vec<_> = faults
            .into_iter()
            .map(|(_, fault)| fault)
            .take(FAULTS_MAX)
            .collect();
        if more > 0 {
            faults.push(Fault {
                place: "the text".into(),
                message: format!("has {more} more faults"),
            });
        }
        faults
    }

    /// Notes that `key` is known, and finds what stands for it.
    fn ask<'d>(&'d self, section: &Section<'d>, key: &'static str) -> Value<'d> {
        self.record
            .borrow_mut()
            .asked
            .entry(section.place.path.clone())
            .or_default()
            .insert(key);
        let path = joined(&section.place.path, key);
        let entry = section.table.and_then(|table| table.get_key_value(key));
        let replaced = entry.map(|(_, value)| Found::Text(value.get_ref()));
        let (at, source) = match (self.override_of(&path), entry) {
            (Some(own), _) => (
                At::Origin(own.origin.clone()),
                Source::Present(Found::Outside(&own.value)),
            ),
            (None, Some((name, value))) => (
                At::Offset(name.span().start),
                Source::Present(Found::Text(value.get_ref())),
            ),
            (None, None) => (section.place.at.clone(), Source::Absent),
        };
        Value {
            document: self,
            place: Place { path, at },
            source,
            replaced,
            secret: false,
            listed: false,
        }
    }

    fn override_of(&self, path: &str) -> Option<&Override> {
        self.overrides.iter().rev().find(|own| own.is_for(path))
    }

    fn report_unknown_keys(&self, path: &str, table: &DeTable<'_>) {
        let asked = self.record.borrow().asked.get(path).cloned();
        // A table that no reader opened was wanted as something else: that is a fault already.
        let Some(asked) = asked else { return };
        for (name, value) in table {
            let key: &str = name.get_ref();
            let renamed = self
                .record
                .borrow()
                .renamed
                .get(&joined(path, key))
                .cloned();
            if let Some(message) = renamed {
                self.fault(
                    &Place {
                        path: joined(path, key),
                        at: At::Offset(name.span().start),
                    },
                    message,
                );
            } else if asked.contains(key) {
                self.report_unknown_keys_within(&joined(path, key), value.get_ref());
            } else {
                let place = Place {
                    path: joined(path, &quoted(key)),
                    at: At::Offset(name.span().start),
                };
                self.fault(&place, unknown("unknown key", key, asked.iter().copied()));
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
        for own in self
            .overrides
            .iter()
            .filter(|own| !known.iter().any(|path| own.is_for(path)))
        {
            let place = Place {
                path: String::new(),
                at: At::Origin(own.origin.clone()),
            };
            let record = self.record.borrow();
            let renamed = record
                .renamed
                .iter()
                .find(|(path, _)| own.is_below(path))
                .map(|(path, message)| (path.clone(), message.clone()));
            drop(record);
            match renamed {
                Some((path, message)) => self.fault(&Place { path, ..place }, message),
                None => self.fault(&place, own.unknown_among(&known)),
            };
        }
    }

    /// The paths of all keys that were asked for.
    fn known_paths(&self) -> Vec<String> {
        let record = self.record.borrow();
        let paths = record
            .asked
            .iter()
            .flat_map(|(section, keys)| keys.iter().map(|key| joined(section, key)));
        paths.collect()
    }
}

fn joined(section: &str, key: &str) -> String {
    if section.is_empty() {
        key.into()
    } else {
        format!("{section}.{key}")
    }
}

fn numbered(path: &str, index: usize) -> String {
    format!("{path}[{}]", index + 1)
}

/// A key as it may stand in a path; what is not a plain word is quoted, and cut when long.
fn quoted(key: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let is_plain = !key.is_empty() && key.len() <= 64 && key.bytes().all(plain);
    if is_plain {
        key.into()
    } else {
        format!("{:?}", excerpt(key))
    }
}

fn excerpt(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.into(),
    }
}

fn unknown(what: &str, name: &str, known: impl Iterator<Item = impl AsRef<str> + Ord>) -> String {
    // Very long names are no slip of the pen, and comparing them would take time.
    let distances = known
        .filter(|_| name.len() <= 64)
        .map(|key| (edit_distance(name, key.as_ref()), key));
    match distances
        .min()
        .filter(|(distance, _)| *distance <= (name.len() / 3).clamp(1, 3))
    {
        Some((_, key)) => format!("{what}; did you mean {:?}?", key.as_ref()),
        None => what.into(),
    }
}

/// How many bytes must be inserted, deleted, replaced or swapped with their neighbour to make
/// `left` of `right`.
fn edit_distance(left: &str, right: &str) -> usize {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let mut rows = vec![vec![0; right.len() + 1]; left.len() + 1];
    for i in 0..=left.len() {
        for j in 0..=right.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replaced = rows[i - 1][j - 1] + usize::from(left[i - 1] != right[j - 1]);
                let swapped =
                    if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1]
                    {
                        rows[i - 2][j - 2] + 1
                    } else {
                        usize::MAX
                    };
                replaced
                    .min(swapped)
                    .min(rows[i - 1][j] + 1)
                    .min(rows[i][j - 1] + 1)
            };
        }
    }
    rows[left.len()][right.len()]
}

/// A table of the text, or an absent one, which has no keys but can be read all the same.
#[derive(Clone)]
pub struct Section<'d> {
    document: &'d Document<'d>,
    table: Option<&'d DeTable<'d>>,
    place: Place,
}

impl<'d> Section<'d> {
    /// The value of a key, whatever its type.
    pub fn value(&self, key: &'static str) -> Value<'d> {
        self.document.ask(self, key)
    }

    /// The table of a key; an absent one has no keys.
    #[must_use]
    pub fn section(&self, key: &'static str) -> Section<'d> {
        let absent = || {
            self.document
                .open(joined(&self.place.path, key), None, At::Nowhere)
        };
        self.find_section(key).unwrap_or_else(absent)
    }

    /// The table of a key, if the text has it.
    pub fn find_section(&self, key: &'static str) -> Option<Section<'d>> {
        let value = self.value(key);
        let present = !matches!(value.source, Source::Absent);
        present.then(|| value.section().ok()).flatten()
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
        let entries = value.entries(expected.clone(), Kind::Tables);
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
            .filter_map(|entry| entry.section().ok())
            .collect())
    }

    /// One line of text, `chars` characters long.
    pub fn text(&self, key: &'static str, chars: RangeInclusive<usize>) -> Field<'d, String> {
        self.value(key).text(chars)
    }

    /// The same for a text that is never shown, neither as a value nor in a fault.
    pub fn secret(&self, key: &'static str, chars: RangeInclusive<usize>) -> Field<'d, String> {
        Value {
            secret: true,
            ..self.value(key)
        }
        .text(chars)
    }

    /// A integer within `range`.
    pub fn integer<N>(&self, key: &'static str, range: RangeInclusive<N>) -> Field<'d, N>
    where
        N: Copy + PartialOrd + Display + TryFrom<i128>,
    {
        self.value(key).integer(range)
    }

    /// A decimal number as its text, so that it can be read exactly.
    pub fn decimal(&self, key: &'static str) -> Field<'d, String> {
        self.value(key).decimal()
    }

    /// `true` or `false`.
    pub fn boolean(&self, key: &'static str) -> Field<'d, bool> {
        self.value(key).boolean()
    }

    /// A date and time with its offset.
    pub fn time(&self, key: &'static str) -> Field<'d, Timestamp> {
        self.value(key).time()
    }

    /// One of several words, each with what it stands for.
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

    /// A list with its bounds. An override gives it as texts with commas between them.
    pub fn list(
        &self,
        key: &'static str,
        count: RangeInclusive<usize>,
    ) -> Field<'d, Vec<Value<'d>>> {
        self.value(key).list(count)
    }

    /// Says that a key, or a section, has another name now: whoever still writes the old one is
    /// told the new one.
    pub fn renamed(&self, old: &'static str, new: &str) {
        let path = joined(&self.place.path, old);
        self.document
            .record
            .borrow_mut()
            .renamed
            .insert(path, format!("is called {new:?} now"));
    }

    /// Gives up on this section: which keys belong here is not known, so none is unknown.
    pub fn leave_unread(&self) {
        self.document
            .record
            .borrow_mut()
            .asked
            .remove(&self.place.path);
    }

    /// Records a fault of a key. It does not count as reading the key.
    pub fn fault(&self, key: &str, message: impl Into<String>) -> Faulted {
        let name = self.table.and_then(|table| table.get_key_value(key));
        let at = name.map_or_else(
            || self.place.at.clone(),
            |(name, _)| At::Offset(name.span().start),
        );
        let path = joined(&self.place.path, key);
        let at = self
            .document
            .override_of(&path)
            .map_or(at, |own| At::Origin(own.origin.clone()));
        self.document.fault(&Place { path, at }, message.into())
    }
}

/// A value with its place, to be read as some type.
#[derive(Clone)]
pub struct Value<'d> {
    document: &'d Document<'d>,
    place: Place,
    source: Source<'d>,
    /// What the text says, where an override replaces it.
    replaced: Option<Found<'d>>,
    /// Whether it is not to be shown.
    secret: bool,
    /// Whether it is an entry of a list, which is no key of its own.
    listed: bool,
}

impl Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Value")
            .field("path", &self.place.path)
            .finish_non_exhaustive()
    }
}

/// How a value is written in TOML.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Between quotes.
    Text,
    /// As it is: numbers, `true` and `false`.
    Bare,
    /// A list of texts and numbers.
    List,
    /// Tables, whose keys are noted one by one.
    Tables,
}

#[derive(Clone, Copy)]
enum Source<'d> {
    Absent,
    Present(Found<'d>),
}

#[derive(Clone, Copy)]
enum Found<'d> {
    /// In the text.
    Text(&'d DeValue<'d>),
    /// An override.
    Outside(&'d str),
}

impl<'d> Found<'d> {
    fn as_text(self) -> Option<&'d str> {
        match self {
            Found::Outside(text) => Some(text),
            Found::Text(value) => value.as_str(),
        }
    }

    /// As TOML, one spelling for each value.
    fn to_toml(self, kind: Kind) -> String {
        match (self, kind) {
            (Found::Outside(text), Kind::List) => {
                let parts = text
                    .split(',')
                    .map(str::trim)
                    .filter(|part| !part.is_empty());
                format!("[{}]", parts.map(toml_text).collect::<Vec<_>>().join(", "))
            }
            (Found::Outside(text), Kind::Bare) => toml_value(text.trim()),
            (Found::Outside(text), _) => toml_text(text),
            (Found::Text(DeValue::String(text)), Kind::Bare) => toml_value(text.trim()),
            (Found::Text(value), _) => toml_of(value),
        }
    }

    fn describe(self) -> String {
        match self {
            Found::Outside(text) => format!("{:?}", excerpt(text)),
            Found::Text(DeValue::String(text)) => format!("the text {:?}", excerpt(text)),
            Found::Text(DeValue::Integer(number)) => excerpt(&number.to_string()),
            Found::Text(DeValue::Float(number)) => excerpt(number.as_str()),
            Found::Text(DeValue::Boolean(value)) => value.to_string(),
            Found::Text(DeValue::Datetime(time)) if time.offset.is_none() => {
                format!("{time} without an offset")
            }
            Found::Text(DeValue::Datetime(time)) => time.to_string(),
            Found::Text(DeValue::Array(_)) => "a list".into(),
            Found::Text(DeValue::Table(_)) => "a table".into(),
        }
    }
}

/// A text as TOML writes it.
fn toml_text(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// What is a value of TOML as it is, all else as a text.
fn toml_value(text: &str) -> String {
    let is_value =
        !text.contains(['\n', '#']) && format!("value = {text}").parse::<toml::Table>().is_ok();
    if is_value {
        text.to_owned()
    } else {
        toml_text(text)
    }
}

fn toml_of(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => toml_text(text),
        DeValue::Integer(number) => {
            whole_number(number).map_or_else(|| number.to_string(), |number| number.to_string())
        }
        DeValue::Float(number) => number.as_str().to_owned(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(entries) => {
            let entries: Vec<_> = entries
                .iter()
                .map(|entry| toml_of(entry.get_ref()))
                .collect();
            format!("[{}]", entries.join(", "))
        }
        DeValue::Table(_) => "{}".to_owned(),
    }
}

/// A default as TOML. Its debug form is that already, but for addresses and the like.
fn toml_of_default(default: &impl Debug) -> String {
    toml_value(&format!("{default:?}"))
}

/// Numbers beyond 128 bits are no numbers to us.
fn whole_number(number: &DeInteger<'_>) -> Option<i128> {
    i128::from_str_radix(number.as_str(), number.radix()).ok()
}

impl<'d> Value<'d> {
    /// One line of text, `chars` characters long.
    pub fn text(&self, chars: RangeInclusive<usize>) -> Field<'d, String> {
        let expected = match (*chars.start(), *chars.end()) {
            (0, most) => format!("a text of at most {most} characters"),
            (least, most) => format!("a text of {least} to {most} characters"),
        };
        let field = self.read(expected.clone(), Kind::Text, |found| {
            found.as_text().map(str::to_owned)
        });
        field.try_map(|text| {
            if text.chars().any(char::is_control) {
                return Err("must not contain control characters".to_owned());
            }
            let length = text.chars().count();
            if chars.contains(&length) {
                Ok(text)
            } else {
                Err(format!("expected {expected}, found {length}"))
            }
        })
    }

    /// A integer within `range`.
    pub fn integer<N>(&self, range: RangeInclusive<N>) -> Field<'d, N>
    where
        N: Copy + PartialOrd + Display + TryFrom<i128>,
    {
        let expected = format!("an integer from {} to {}", range.start(), range.end());
        self.read(expected, Kind::Bare, |found| {
            let number = match found {
                Found::Outside(text) => text.parse().ok(),
                Found::Text(value) => value.as_integer().and_then(whole_number),
            };
            number
                .and_then(|number| N::try_from(number).ok())
                .filter(|number| range.contains(number))
        })
    }

    /// A decimal number as its text, so that it can be read exactly.
    pub fn decimal(&self) -> Field<'d, String> {
        self.read("a decimal number".into(), Kind::Bare, |found| match found {
            Found::Text(DeValue::Float(number)) => Some(number.as_str().to_owned()),
            Found::Text(DeValue::Integer(number)) => Some(number.to_string()),
            other => other.as_text().map(str::to_owned),
        })
    }

    /// `true` or `false`.
    pub fn boolean(&self) -> Field<'d, bool> {
        self.read("true or false".into(), Kind::Bare, |found| match found {
            Found::Outside(text) => text.parse().ok(),
            Found::Text(value) => value.as_bool(),
        })
    }

    /// A date and time with its offset.
    pub fn time(&self) -> Field<'d, Timestamp> {
        let expected = "a date and time with its offset, such as 2026-11-20T20:00:00+08:00";
        self.read(expected.into(), Kind::Bare, |found| match found {
            Found::Outside(text) => text.parse().ok(),
            // A time without offset does not parse as a moment.
            Found::Text(value) => value
                .as_datetime()
                .and_then(|time| time.to_string().parse().ok()),
        })
    }

    /// One of several words, each with what it stands for.
    pub fn choice<T: Copy + PartialEq>(&self, choices: &[(&str, T)]) -> Choice<'d, T> {
        let words: Vec<_> = choices
            .iter()
            .map(|(word, _)| format!("{word:?}"))
            .collect();
        let field = self.read(words.join(" or "), Kind::Text, |found| {
            let text = found.as_text()?;
            choices
                .iter()
                .find(|(word, _)| *word == text)
                .map(|&(_, meaning)| meaning)
        });
        Choice {
            field,
            choices: choices
                .iter()
                .map(|&(word, meaning)| (word.to_owned(), meaning))
                .collect(),
        }
    }

    /// A list with bounds for its length. An override gives it as texts with commas between them.
    pub fn list(&self, count: RangeInclusive<usize>) -> Field<'d, Vec<Value<'d>>> {
        let expected = format!("a list of {} to {} values", count.start(), count.end());
        self.entries(expected.clone(), Kind::List)
            .try_map(|entries| {
                let length = entries.len();
                if count.contains(&length) {
                    Ok(entries)
                } else {
                    Err(format!("expected {expected}, found {length}"))
                }
            })
    }

    /// One of several words, of which `true` and `false` may be written as booleans.
    pub fn choice_or_boolean<T: Copy + PartialEq>(&self, choices: &[(&str, T)]) -> Choice<'d, T> {
        let words: Vec<_> = choices
            .iter()
            .map(|(word, _)| match *word {
                "true" | "false" => (*word).to_owned(),
                word => format!("{word:?}"),
            })
            .collect();
        let field = self.read(words.join(" or "), Kind::Text, |found| {
            let text = match found {
                Found::Text(DeValue::Boolean(true)) => "true",
                Found::Text(DeValue::Boolean(false)) => "false",
                other => other.as_text()?,
            };
            choices
                .iter()
                .find(|(word, _)| *word == text)
                .map(|&(_, meaning)| meaning)
        });
        Choice {
            field,
            choices: choices
                .iter()
                .map(|&(word, meaning)| (word.to_owned(), meaning))
                .collect(),
        }
    }

    /// Records a fault of this value.
    pub fn fault(&self, message: impl Into<String>) -> Faulted {
        self.document.fault(&self.place, message.into())
    }

    fn entries(&self, expected: String, kind: Kind) -> Field<'d, Vec<Value<'d>>> {
        self.read(expected, kind, |found| match found {
            Found::Outside("") => Some(Vec::new()),
            Found::Outside(text) => Some(
                text.split(',')
                    .map(|part| self.outside(part.trim()))
                    .collect(),
            ),
            Found::Text(value) => value.as_array().map(|array| self.numbered(array)),
        })
    }

    fn outside(&self, text: &'d str) -> Value<'d> {
        Value {
            source: Source::Present(Found::Outside(text)),
            listed: true,
            ..self.clone()
        }
    }

    fn numbered(&self, array: &'d [Spanned<DeValue<'d>>]) -> Vec<Value<'d>> {
        let value = |(index, entry): (usize, &'d Spanned<DeValue<'d>>)| {
            let at = At::Offset(entry.span().start);
            let place = Place {
                path: numbered(&self.place.path, index),
                at,
            };
            let source = Source::Present(Found::Text(entry.get_ref()));
            Value {
                document: self.document,
                place,
                source,
                replaced: None,
                secret: self.secret,
                listed: true,
            }
        };
        array.iter().enumerate().map(value).collect()
    }

    fn section(&self) -> Result<Section<'d>, Faulted> {
        let table = self.read("a table".into(), Kind::Tables, |found| match found {
            Found::Text(DeValue::Table(table)) => Some(table),
            _ => None,
        });
        let Place { path, at } = self.place.clone();
        Ok(self.document.open(path, Some(table.required()?), at))
    }

    fn read<T>(
        &self,
        expected: String,
        kind: Kind,
        parse: impl FnOnce(Found<'d>) -> Option<T>,
    ) -> Field<'d, T> {
        let state = match self.source {
            Source::Absent => State::Absent,
            Source::Present(found) => match parse(found) {
                Some(value) => State::Valid(value),
                None if self.secret => State::Invalid(self.fault(format!("expected {expected}"))),
                None => State::Invalid(
                    self.fault(format!("expected {expected}, found {}", found.describe())),
                ),
            },
        };
        Field {
            value: self.clone(),
            expected,
            kind,
            state,
        }
    }

    /// Notes what value the key has. Entries of lists are no keys, and tables have keys themselves.
    fn note(&self, kind: Kind, default: Option<String>) {
        let Place { path, at } = &self.place;
        let (value, origin) = match (self.source, at) {
            (Source::Absent, _) => (default, Origin::Default),
            (Source::Present(found), At::Origin(name)) => {
                (Some(found.to_toml(kind)), Origin::Override(name.clone()))
            }
            (Source::Present(found), At::Offset(offset)) => (
                Some(found.to_toml(kind)),
                Origin::Line(self.document.line(*offset)),
            ),
            (Source::Present(_), At::Nowhere) => return,
        };
        let Some(value) = value else { return };
        if kind == Kind::Tables || self.listed {
            return;
        }
        let is_override = matches!(origin, Origin::Override(_));
        let replaced = self
            .replaced
            .filter(|_| is_override)
            .map(|found| found.to_toml(kind));
        self.document.note(Entry {
            path: path.clone(),
            origin,
            value,
            replaced,
            secret: self.secret,
        });
    }
}

/// What was read of a value. A value that is there but wrong has its fault by now; what an
/// absent one means is said by how the field ends: required, optional or with a default.
#[must_use = "an absent value is noticed by how the field ends"]
pub struct Field<'d, T> {
    value: Value<'d>,
    expected: String,
    kind: Kind,
    state: State<T>,
}

enum State<T> {
    Absent,
    Invalid(Faulted),
    Valid(T),
}

impl<'d, T> Field<'d, T> {
    /// The value; its absence is a fault.
    pub fn required(self) -> Result<T, Faulted> {
        let missing = format!("missing: expected {}", self.expected);
        let value = self.value.clone();
        self.optional()?.ok_or_else(|| value.fault(missing))
    }

    /// The value, or `None` when it is absent.
    pub fn optional(self) -> Result<Option<T>, Faulted> {
        self.value.note(self.kind, None);
        self.state.into_value()
    }

    /// The value, or `default` when it is absent.
    pub fn or(self, default: T) -> Result<T, Faulted>
    where
        T: Debug,
    {
        self.value.note(self.kind, Some(toml_of_default(&default)));
        Ok(self.state.into_value()?.unwrap_or(default))
    }

    /// Checks or converts the value; an error is a fault of it.
    pub fn try_map<U, E: Display>(self, convert: impl FnOnce(T) -> Result<U, E>) -> Field<'d, U> {
        let Self {
            value,
            expected,
            kind,
            state,
        } = self;
        let state = match state {
            State::Absent => State::Absent,
            State::Invalid(faulted) => State::Invalid(faulted),
            State::Valid(found) => match convert(found) {
                Ok(converted) => State::Valid(converted),
                Err(error) => State::Invalid(value.fault(error.to_string())),
            },
        };
        Field {
            value,
            expected,
            kind,
            state,
        }
    }
}

impl<T> State<T> {
    fn into_value(self) -> Result<Option<T>, Faulted> {
        match self {
            State::Valid(value) => Ok(Some(value)),
            State::Invalid(faulted) => Err(faulted),
            State::Absent => Ok(None),
        }
    }
}

/// A [`Field`] of one of several words.
#[must_use = "an absent value is noticed by how the field ends"]
pub struct Choice<'d, T> {
    field: Field<'d, T>,
    choices: Vec<(String, T)>,
}

impl<T: Copy + PartialEq> Choice<'_, T> {
    /// The value; its absence is a fault.
    pub fn required(self) -> Result<T, Faulted> {
        self.field.required()
    }

    /// The value, or `None` when it is absent.
    pub fn optional(self) -> Result<Option<T>, Faulted> {
        self.field.optional()
    }

    /// The value, or `default` when it is absent.
    pub fn or(self, default: T) -> Result<T, Faulted> {
        let word = self
            .choices
            .iter()
            .find(|(_, meaning)| *meaning == default)
            .map(|(word, _)| toml_text(word));
        self.field.value.note(self.field.kind, word);
        Ok(self.field.state.into_value()?.unwrap_or(default))
    }
}

impl<'d> Field<'d, String> {
    /// Parses the text; an error is a fault of it.
    pub fn parse<T: FromStr<Err: Display>>(self) -> Field<'d, T> {
        self.try_map(|text| text.parse())
    }
}

#[cfg(test)]
mod tests;
