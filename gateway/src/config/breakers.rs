//! The section `[breakers]`.
use std::time::Duration;

use settings::{Faulted, Section};
use shards::breaker::BreakerSettings;

use super::values::milliseconds;

/// When breakers open, and how they close again.
pub fn read(section: &Section<'_>) -> Result<BreakerSettings, Faulted> {
    let default = BreakerSettings::DEFAULT;
    let time = |key, default: Duration| {
        milliseconds(
            section,
            key,
            u64::try_from(default.as_millis()).expect("a default of minutes at most"),
        )
    };
    let window = time("window_ms", default.window);
    let calls_min = section
        .integer("calls_min", 1..=1_000_000)
        .or(default.calls_min);
    let error_ratio_percent = section
        .integer("error_ratio_percent", 1..=100)
        .or(default.error_ratio_percent);
    let slow = time("slow_ms", default.slow);
    let slow_ratio_percent = section
        .integer("slow_ratio_percent", 1..=100)
        .or(default.slow_ratio_percent);
    let open_min = time("open_min_ms", default.open_min);
    let open_max = time("open_max_ms", default.open_max);
    let probes = section.integer("probes", 1..=1_000).or(default.probes);
    let redis_failures = section
        .integer("redis_failures", 1..=1_000_000)
        .or(default.redis_failures);
    let observe = section.boolean("observe").or(default.observe);
    let settings = BreakerSettings {
        window: window?,
        calls_min: calls_min?,
        error_ratio_percent: error_ratio_percent?,
        slow: slow?,
        slow_ratio_percent: slow_ratio_percent?,
        open_min: open_min?,
        open_max: open_max?,
        probes: probes?,
        redis_failures: redis_failures?,
        observe: observe?,
    };
    if settings.open_max < settings.open_min {
        return Err(section.fault(
            "open_max_ms",
            "must not be shorter than breakers.open_min_ms",
        ));
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::super::load::{Config, ConfigError};
    use super::*;

    #[test]
    fn every_key_is_read() {
        let text = "[breakers]\nwindow_ms = 1\ncalls_min = 2\nerror_ratio_percent = 3\nslow_ms = 4\n\
                    slow_ratio_percent = 5\nopen_min_ms = 6\nopen_max_ms = 7\nprobes = 8\nredis_failures = 9\n\
                    observe = true\n";
        let expected = BreakerSettings {
            window: Duration::from_millis(1),
            calls_min: 2,
            error_ratio_percent: 3,
            slow: Duration::from_millis(4),
            slow_ratio_percent: 5,
            open_min: Duration::from_millis(6),
            open_max: Duration::from_millis(7),
            probes: 8,
            redis_failures: 9,
            observe: true,
        };
        assert_eq!(
            Config::parse(text, Vec::new())
                .expect("a config")
                .sizes
                .breakers,
            expected
        );
        assert_eq!(
            Config::parse("", Vec::new())
                .expect("a config")
                .sizes
                .breakers,
            BreakerSettings::DEFAULT
        );
    }

    #[test]
    fn waits_that_must_nest_are_compared() {
        let text = "[breakers]\nopen_min_ms = 500\nopen_max_ms = 400\n";
        let Err(ConfigError::Faults(faults)) = Config::parse(text, Vec::new()) else {
            panic!("expected a fault")
        };
        assert!(
            faults[0].to_string().contains("breakers.open_max_ms"),
            "{faults:?}"
        );
    }
}
