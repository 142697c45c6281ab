//! Wrong calls of the program: each has its exit code and its exact message, which says what was
//! given, what is expected and what helps.
mod command_line;
mod files;
mod forecast;
mod json;
mod server;
mod stored;

use crate::support::Ran;

/// A published activity with twelve units of its award 1.
const ACTIVITY: u64 = 200_003;

const UNKNOWN_ACTIVITY: &str =
    "no activity 7 is published; `drawbridge campaign list` shows those that are";

/// The arguments, the exit code and the message; `PLACE` stands for the folder of the test.
type Case = (&'static [&'static str], i32, &'static str);

/// What a call did other than it should.
fn difference(arguments: &[&str], ran: &Ran, code: i32, message: &str) -> Option<String> {
    let is_right = ran.stderr == message && ran.code == Some(code);
    (!is_right).then(|| {
        format!(
            "{arguments:?} ended with {:?}, expected {code}:\n{}expected:\n{message}",
            ran.code, ran.stderr
        )
    })
}
