//! What commands print, and their exit codes.
use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;

use serde::Serialize;

/// Exit code of a refusal or a negative result.
pub const REFUSED: u8 = 1;
/// Exit code of a command that could not do its work.
pub const FAILED: u8 = 2;

/// Prints on standard output. A closed pipe (`audit | head`) is no failure.
pub fn say(text: impl Display) {
    let mut output = std::io::stdout().lock();
    let _ = write!(output, "{text}").and_then(|()| output.flush());
}

/// Prints on standard error.
pub fn complain(text: impl Display) {
    let _ = write!(std::io::stderr().lock(), "{text}");
}

/// Prints JSON, indented.
pub fn say_json(value: &impl Serialize) {
    say(format_args!(
        "{}\n",
        serde_json::to_string_pretty(value).expect("plain values")
    ));
}

/// Prints on standard error why a request was refused.
pub fn refuse(why: impl Display) -> ExitCode {
    complain(format_args!("drawbridge: {why}\n"));
    ExitCode::from(REFUSED)
}

/// Prints on standard error why a command could not do its work.
pub fn fail(error: impl Display) -> ExitCode {
    complain(format_args!("drawbridge: {error}\n"));
    ExitCode::from(FAILED)
}
