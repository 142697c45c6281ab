//! Reads TOML and collects everything that is wrong with it, each fault with its location.
//!
//! Campaign files and the gateway's configuration are written by people, who want to see all
//! faults at once. So a reader does not stop at the first one. It reads every key of a section,
//! and only then asks which of them were good:
//!
//! ```
//! use settings::{Faulted, Section, read};
//!
//! struct Http { listen: String, workers: u16 }
//!
//! fn http(section: &Section<'_>) -> Result<Http, Faulted> {
//!     let listen = section.string("listen", 1..=64).required();
//!     let workers = section.integer("workers", 1..=64).or(2);
//!     Ok(Http { listen: listen?, workers: workers? })
//! }
//!
//! let text = "[http]\nlisten = \"127.0.0.1:80\"\nwrokers = 65\n";
//! let faults = read(text, Vec::new(), |root| http(&root.section("http"))).err().expect("a fault");
//! assert_eq!(
//!     faults[0].to_string(),
//!     r#"line 3, http.wrokers: unknown key; did you mean "workers"?"#
//! );
//! ```
//!
//! Keys that no reader asked for are faults too. Options of the command line and environment
//! variables replace or add values ([`Override`]). [`read_with_entries`] also returns the value
//! in force of each key, and its origin.
mod document;
mod entry;
mod fault;
mod field;
mod kinds;
mod nearest;
mod overrides;
mod path;
mod place;
mod read;
mod section;
mod toml_form;
mod value;

pub use entry::{MASK, SettingEntry, SettingOrigin};
pub use fault::{Fault, Faulted, all};
pub use field::{Choice, Field};
pub use overrides::Override;
pub use place::place_of;
pub use read::{read, read_with_entries};
pub use section::Section;
pub use value::Value;

#[cfg(test)]
mod tests;
