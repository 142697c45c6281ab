//! Child processes: to run them, to stop them, and to wait for their end.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::{Instant, sleep, timeout};

use crate::cpu;
use crate::error::Error;

/// The gateway's audit command reads all rows.
const COMMAND_MAX: Duration = Duration::from_mins(10);

/// A gateway drains for at most 15 s.
const END_MAX: Duration = Duration::from_secs(20);

pub(super) const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// A command whose process is killed when its handle is dropped.
pub(super) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs a command to its end.
pub(super) async fn run(mut command: Command) -> Result<Output, Error> {
    let name = command
        .as_std()
        .get_program()
        .to_string_lossy()
        .into_owned();
    match timeout(COMMAND_MAX, command.output()).await {
        Ok(output) => output.map_err(|e| Error::io(name, e)),
        Err(_) => Err(Error::CannotRun(format!("{name}: did not end in time"))),
    }
}

/// Sends SIGTERM by `kill`: the standard library cannot, without unsafe code.
pub(super) async fn terminate(pid: u32) -> Result<(), Error> {
    let mut kill = command(Path::new("kill"));
    kill.args(["-TERM", &pid.to_string()]);
    run(kill).await.map(drop)
}

/// Waits for the end of a process, which may not be our child.
pub(super) async fn wait_gone(pid: u32) -> Result<(), Error> {
    let deadline = Instant::now() + END_MAX;
    while cpu::is_alive(pid) {
        if Instant::now() > deadline {
            return Err(Error::CannotRun(format!(
                "process {pid} did not end in time"
            )));
        }
        sleep(POLL_INTERVAL).await;
    }
    Ok(())
}

/// The end of a log, for a message: the folder of the log will be removed.
pub(super) fn last_lines(log: &str) -> String {
    const LINES: usize = 10;
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_of_short_and_long_logs() {
        assert_eq!(last_lines(""), "");
        assert_eq!(last_lines("a\nb\n"), "a\nb");
        let long = "line\n".repeat(20);
        assert_eq!(last_lines(&long).lines().count(), 10);
    }
}
