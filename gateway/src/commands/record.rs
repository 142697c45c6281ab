//! Who makes a change and why, for the audit log.
use clap::Args;

use crate::text::is_unprintable;

/// Parses a reason, which must not be empty.
pub fn reason(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() {
        Err("say in a few words why, for the audit log")
    } else {
        one_line(text)
    }
}

/// Parses a string for the audit log, without characters that could affect a reader's terminal.
pub fn one_line(text: &str) -> Result<String, &'static str> {
    match text.trim() {
        "" => Err("expected a name"),
        text if text.contains(is_unprintable) => {
            Err("expected one line without control and format characters")
        }
        text => Ok(text.to_owned()),
    }
}

/// Who makes a change and why, for the audit log.
#[derive(Debug, Args)]
pub struct AttributionOptions {
    /// Why, for the record
    #[arg(long, value_name = "WHY", value_parser = reason)]
    pub reason: String,
    /// Who, for the record [default: the name of the user who runs the command]
    #[arg(long, value_name = "NAME", value_parser = one_line)]
    who: Option<String>,
}

impl AttributionOptions {
    pub fn who(&self) -> String {
        self.who.clone().unwrap_or_else(operator)
    }
}

/// The name of the user who runs the command.
pub fn operator() -> String {
    let name = std::env::var("USER").or_else(|_| std::env::var("LOGNAME"));
    name.ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}
