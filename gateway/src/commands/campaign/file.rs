//! Reading campaign files.
use std::path::Path;
use std::process::ExitCode;

use crate::commands::output::{REFUSED, complain};

/// The text of a campaign file.
pub(super) fn read(file: &Path) -> Result<String, String> {
    std::fs::read_to_string(file).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => format!("{} is not UTF-8", file.display()),
        _ => format!(
            "the campaign file {} cannot be read: {error}",
            file.display()
        ),
    })
}

/// Prints why a file is refused.
pub(super) fn refuse_file(file: &Path, why: &str) -> ExitCode {
    complain(format_args!("{} is refused:\n{why}\n", file.display()));
    ExitCode::from(REFUSED)
}
