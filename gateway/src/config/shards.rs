//! The sections `[lanes]` and `[reads]`: what waits for a shard, and how long.
use std::time::Duration;

use settings::{Faulted, Section};
use shards::{InstallationOptions, LaneLimits, ReadLimits, Timeouts};

use super::values::milliseconds;

/// Bounds of the lanes, from the section `[lanes]`.
pub fn lane(
    section: &Section<'_>,
    storage: Option<&InstallationOptions>,
) -> Result<LaneLimits, Faulted> {
    // A batch that goes to servers costs more by itself than one that goes to a file.
    let default_linger_ms = if matches!(storage, Some(InstallationOptions::Cluster(_))) {
        4
    } else {
        0
    };
    let queue_max = section.integer("queue_max", 1..=1_000_000).or(2048);
    let batch_max = section.integer("batch_max", 1..=1024).or(1024);
    let queue_target = milliseconds(section, "queue_target_ms", 500);
    let linger = section
        .integer("linger_ms", 0..=100)
        .or(default_linger_ms)
        .map(Duration::from_millis);
    Ok(LaneLimits {
        queue_max: queue_max?,
        queue_target: queue_target?,
        batch_max: batch_max?,
        linger: linger?,
    })
}

/// How long draws wait, from the section `[lanes]`.
pub fn timeouts(section: &Section<'_>) -> Result<Timeouts, Faulted> {
    let queue = milliseconds(section, "queue_timeout_ms", 2_000);
    let answer = milliseconds(section, "answer_timeout_ms", 5_000);
    let timeouts = Timeouts {
        queue: queue?,
        answer: answer?,
    };
    if timeouts.answer < timeouts.queue {
        return Err(section.fault(
            "answer_timeout_ms",
            "must not be shorter than lanes.queue_timeout_ms",
        ));
    }
    Ok(timeouts)
}

/// Reads the section `[reads]`.
pub fn reads(section: &Section<'_>) -> Result<ReadLimits, Faulted> {
    let connections_max = section.integer("connections_max", 1..=64).or(2);
    let queue_max = section.integer("queue_max", 1..=100_000).or(1024);
    let timeout = milliseconds(section, "timeout_ms", 2_000);
    Ok(ReadLimits {
        connections_max: connections_max?,
        queue_max: queue_max?,
        timeout: timeout?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::load::Config;

    const CLUSTER: &str = "[storage]\nkind = \"cluster\"\n\
         [storage.meta]\nhost = \"m\"\nuser = \"u\"\ndatabase = \"m\"\n\
         [[storage.shard]]\nhost = \"a\"\nuser = \"u\"\ndatabase = \"s\"\n\
         [[storage.redis]]\nhost = \"r\"\n";

    #[test]
    fn by_default_lanes_linger_in_a_cluster_only() {
        let linger_ms = |text: &str| {
            Config::parse(text, Vec::new())
                .expect("a config")
                .sizes
                .lane
                .linger
                .as_millis()
        };
        assert_eq!((linger_ms(CLUSTER), linger_ms("")), (4, 0));
        let reported = "[lanes]\nlinger_ms = 7\n";
        assert_eq!(
            (
                linger_ms(&format!("{CLUSTER}{reported}")),
                linger_ms(reported)
            ),
            (7, 7)
        );
    }

    #[test]
    fn timeouts_that_must_nest_are_compared() {
        let faults = Config::faults(
            "[lanes]\nqueue_timeout_ms = 3000\nanswer_timeout_ms = 2000\n",
            Vec::new(),
        );
        assert!(faults[0].contains("lanes.answer_timeout_ms"), "{faults:?}");
    }
}
