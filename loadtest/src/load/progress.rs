//! Prints the progress of a run on standard error each second.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use crate::load::record::{RunRecord, Second};

const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Shows each second that has ended, until `ended` returns true.
pub(super) fn show_until(wanted: bool, record: &Mutex<RunRecord>, ended: impl Fn() -> bool) {
    let terminal = std::io::stderr().is_terminal();
    let mut shown = 0;
    while !ended() {
        thread::park_timeout(LOOK_INTERVAL);
        if !wanted && !terminal {
            continue;
        }
        let fresh = {
            let record = record.lock().expect("no holder panics");
            let whole = record.seconds.len() - 1;
            (whole > shown).then(|| (whole, record.seconds[whole - 1]))
        };
        if let Some((whole, second)) = fresh {
            shown = whole;
            show(terminal, &line(whole, &second));
        }
    }
    if terminal && shown > 0 {
        eprintln!();
    }
}

/// On a terminal each line replaces the one before. Errors are ignored: standard error may be
/// closed.
fn show(terminal: bool, line: &str) {
    let (before, after) = if terminal {
        ("\r\x1b[K", "")
    } else {
        ("", "\n")
    };
    let _ = write!(std::io::stderr(), "{before}{line}{after}");
}

fn line(number: usize, second: &Second) -> String {
    let Second {
        arrivals,
        ok,
        p50_us,
        p99_us,
        ..
    } = second;
    let ms = |us: u64| Duration::from_micros(us).as_secs_f64() * 1e3;
    let mut text = format!(
        "{number:>5} s  {arrivals:>6} due  {ok:>6} ok  p50 {:.1}  p99 {:.1} ms",
        ms(*p50_us),
        ms(*p99_us)
    );
    let others = [
        ("refused", second.refused),
        ("errors", second.errors),
        ("dropped", second.dropped),
        ("sent again", second.retries),
        ("waiting", second.backlog),
    ];
    for (name, count) in others.into_iter().filter(|(_, count)| *count > 0) {
        // Writing to a String cannot fail.
        let _ = write!(text, "  {count} {name}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_only_the_faults_that_occurred() {
        let second = Second {
            arrivals: 10,
            ok: 8,
            dropped: 2,
            p50_us: 1_500,
            p99_us: 20_000,
            ..Second::default()
        };
        assert_eq!(
            line(3, &second),
            "    3 s      10 due       8 ok  p50 1.5  p99 20.0 ms  2 dropped"
        );
    }
}
