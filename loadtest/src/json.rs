//! JSON on standard output, for programs that read the results.

use crate::error::Error;

/// Prints one value as a JSON document.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<(), Error> {
    let json = serde_json::to_string(value).map_err(|e| Error::io("standard output", e.into()))?;
    println!("{json}");
    Ok(())
}
