//! Who makes a change and why, for the audit log.
use clap::Args;

use crate::text::{REASON_CHARS_MAX, WHO_CHARS_MAX, is_unprintable};

/// Parses a reason, which must not be empty.
pub fn reason(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        Err("say in a few words why, for the audit log".to_owned())
    } else {
        one_line(text, REASON_CHARS_MAX)
    }
}

/// Parses the name of a person.
pub fn name(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        Err("expected a name".to_owned())
    } else {
        one_line(text, WHO_CHARS_MAX)
    }
}

/// Parses a string for the audit log, without characters that could affect a reader's terminal.
fn one_line(text: &str, chars_max: usize) -> Result<String, String> {
    let text = text.trim();
    if text.contains(is_unprintable) {
        Err("expected one line without control and format characters".to_owned())
    } else if text.chars().count() > chars_max {
        Err(format!("expected at most {chars_max} characters"))
    } else {
        Ok(text.to_owned())
    }
}

/// Who makes a change and why, for the audit log.
#[derive(Debug, Args)]
pub struct AttributionOptions {
    /// Why, for the record
    #[arg(long, value_name = "WHY", value_parser = reason)]
    pub reason: String,
    /// Who, for the record [default: the name of the user who runs the command]
    #[arg(long, value_name = "NAME", value_parser = name)]
    who: Option<String>,
}

impl AttributionOptions {
    pub fn who(&self) -> String {
        self.who.clone().unwrap_or_else(operator)
    }
}

/// The name of the user who runs the command, unless the environment has none that the audit log
/// can hold.
pub fn operator() -> String {
    let known = ["USER", "LOGNAME"].map(std::env::var);
    let mut names = known.iter().flatten().filter_map(|known| name(known).ok());
    names.next().unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_and_names_have_the_bounds_of_the_audit_log() {
        for (longest, parse) in [
            (
                REASON_CHARS_MAX,
                reason as fn(&str) -> Result<String, String>,
            ),
            (WHO_CHARS_MAX, name),
        ] {
            let text = "维".repeat(longest);
            assert_eq!(parse(&format!(" {text}\n")), Ok(text.clone()));
            let expected = format!("expected at most {longest} characters");
            assert_eq!(parse(&format!("{text}x")), Err(expected));
            for bad in ["", " ", "a\nb", "a\u{202e}b"] {
                assert!(parse(bad).is_err(), "{bad:?}");
            }
        }
    }
}
