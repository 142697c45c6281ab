//! Which processes used the processors during a case: the parts of the system, the driver, and all
//! others. The share of the others shows how reliable the figures are.

use std::fmt;
use std::fs;
use std::time::Instant;

use serde::Serialize;

use crate::rounding::round_to;

/// Linux counts processor time for user programs in hundredths of a second, on every machine.
const TICK_US: f64 = 10_000.0;

/// Processor time, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Times {
    user: u64,
    system: u64,
}

/// The processes of each part of the system.
#[derive(Clone, Debug)]
pub(crate) struct Watched(Vec<(&'static str, Vec<u32>)>);

impl Watched {
    /// The driver, which is this process, is always among them.
    pub(crate) fn new(mut parts: Vec<(&'static str, Vec<u32>)>) -> Self {
        parts.push(("driver", vec![std::process::id()]));
        Self(parts)
    }

    pub(crate) fn read(&self) -> CpuReading {
        let sum = |pids: &Vec<u32>| {
            pids.iter()
                .filter_map(|&pid| times_of(pid))
                .fold(Times::default(), |sum, times| Times {
                    user: sum.user + times.user,
                    system: sum.system + times.system,
                })
        };
        CpuReading {
            at: Instant::now(),
            parts: self
                .0
                .iter()
                .map(|(name, pids)| (*name, sum(pids)))
                .collect(),
            machine: fs::read_to_string("/proc/stat")
                .ok()
                .and_then(|text| parse_machine(&text))
                .unwrap_or_default(),
        }
    }
}

/// All processor time used until a moment.
#[derive(Clone, Debug)]
pub(crate) struct CpuReading {
    at: Instant,
    parts: Vec<(&'static str, Times)>,
    machine: Machine,
}

/// The whole machine's ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Machine {
    busy: u64,
    /// Taken by other machines on the same hardware.
    stolen: u64,
}

/// The use of the processors between two readings.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Usage {
    /// Per request and part of the system.
    parts: Vec<Part>,
    /// Processors that others on this machine kept busy.
    others: f64,
    /// Processors that other machines took from this one.
    stolen: f64,
}

/// A part of the system.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Part {
    name: &'static str,
    user_us: f64,
    system_us: f64,
}

impl CpuReading {
    /// Divides the processor time since then by the number of requests.
    pub(crate) fn until(&self, now: &Self, requests: u64) -> Usage {
        let elapsed_us = now.at.duration_since(self.at).as_secs_f64() * 1e6;
        let mut ours = 0;
        let mut parts = Vec::new();
        for ((name, before), (_, after)) in self.parts.iter().zip(&now.parts) {
            let (user, system) = (
                after.user.saturating_sub(before.user),
                after.system.saturating_sub(before.system),
            );
            ours += user + system;
            let each = |ticks| round_to(us(ticks) / count(requests), 1);
            parts.push(Part {
                name,
                user_us: each(user),
                system_us: each(system),
            });
        }
        let busy = now.machine.busy.saturating_sub(self.machine.busy);
        let stolen = now.machine.stolen.saturating_sub(self.machine.stolen);
        let processors = |ticks| round_to(us(ticks) / elapsed_us, 2);
        Usage {
            parts,
            others: processors(busy.saturating_sub(ours)),
            stolen: processors(stolen),
        }
    }
}

impl Usage {
    /// Processor time per request of a part, in microseconds.
    pub(crate) fn us_of(&self, name: &str) -> Option<f64> {
        self.parts
            .iter()
            .find(|part| part.name == name)
            .map(|part| part.user_us + part.system_us)
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "us of processor time a request (user + system):")?;
        for Part {
            name,
            user_us,
            system_us,
        } in &self.parts
        {
            write!(f, "  {name} {user_us:.1} + {system_us:.1}")?;
        }
        write!(
            f,
            "; busy for others: {:.2} processors, stolen: {:.2}",
            self.others, self.stolen
        )
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "ticks of a run are far below 2^52"
)]
fn us(ticks: u64) -> f64 {
    ticks as f64 * TICK_US
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a run are far below 2^52"
)]
fn count(requests: u64) -> f64 {
    requests.max(1) as f64
}

/// Whether a process runs. A zombie does not.
pub(crate) fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|text| !matches!(fields(&text).first(), None | Some(&("Z" | "X"))))
}

fn times_of(pid: u32) -> Option<Times> {
    parse_times(&stat(pid)?)
}

fn stat(pid: u32) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/stat")).ok()
}

/// The fields behind the name, which is in brackets and may have any characters.
fn fields(stat: &str) -> Vec<&str> {
    stat.rsplit_once(')')
        .map(|(_, rest)| rest.split_ascii_whitespace().collect())
        .unwrap_or_default()
}

fn parse_times(stat: &str) -> Option<Times> {
    let fields = fields(stat);
    let ticks = |index: usize| fields.get(index)?.parse().ok();
    Some(Times {
        user: ticks(11)?,
        system: ticks(12)?,
    })
}

/// The line `cpu  user nice system idle iowait irq softirq steal ...`.
fn parse_machine(stat: &str) -> Option<Machine> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let ticks: Vec<u64> = line
        .split_ascii_whitespace()
        .map_while(|word| word.parse().ok())
        .collect();
    let &[user, nice, system, _idle, _iowait, irq, softirq, stolen, ..] = &ticks[..] else {
        return None;
    };
    Some(Machine {
        busy: user + nice + system + irq + softirq,
        stolen,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_behind_any_name() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 1 0 0 0 123 45 0 0 20 0 9 0 1 2 3";
        assert_eq!(
            parse_times(stat),
            Some(Times {
                user: 123,
                system: 45
            })
        );
        assert_eq!(parse_times("7 (x"), None);
        assert!(is_alive(std::process::id()) && !is_alive(u32::MAX));
    }

    #[test]
    fn waiting_is_not_busy() {
        let text = "cpu  10 1 20 999 888 2 3 4 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n";
        assert_eq!(
            parse_machine(text),
            Some(Machine {
                busy: 36,
                stolen: 4
            })
        );
        assert_eq!(parse_machine("intr 1"), None);
    }

    #[test]
    fn use_is_divided_between_parts_and_others() {
        let at = Instant::now();
        let look = |seconds, user, system, busy| CpuReading {
            at: at + std::time::Duration::from_secs(seconds),
            parts: vec![("gateway", Times { user, system })],
            machine: Machine { busy, stolen: 0 },
        };
        let usage = look(0, 100, 50, 1_000).until(&look(2, 200, 100, 1_250), 1_000);
        // 100 and 50 ticks for 1,000 requests; 250 ticks of which 150 are ours, in 2 s.
        assert_eq!(usage.us_of("gateway"), Some(1_500.0));
        assert!((usage.others - 0.5).abs() < 1e-9, "{usage}");
    }
}
