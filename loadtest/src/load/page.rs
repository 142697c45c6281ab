//! The report as one page that needs no other file, and its plots as files of their own.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use hdrhistogram::Histogram;

use crate::error::Error;
use crate::load::record::Second;
use crate::load::report::{LoadReport, Percentiles, ms};
use crate::load::run::Run;
use crate::load::svg::{Axis, Line, Plot, Scale, escape};

/// Colours that colour-blind people can distinguish.
const BLUE: &str = "#0072b2";
const GREEN: &str = "#009e73";
const ORANGE: &str = "#e69f00";
const RED: &str = "#d55e00";
const GREY: &str = "#999999";

/// Percentiles plotted between one nine and the next.
const STEPS_PER_NINE: u32 = 20;
const NINES_MAX: u32 = 6;

/// Writes the page, the plots and the report as JSON.
pub(super) fn write(folder: &Path, report: &LoadReport, run: &Run) -> Result<(), Error> {
    let plots = [
        ("throughput.svg", throughput(&report.series)),
        ("latency.svg", latency(&report.series)),
        (
            "percentiles.svg",
            percentiles(
                &run.record.latencies.response_us,
                &run.record.latencies.service_us,
            ),
        ),
    ]
    .map(|(name, plot)| (name, plot.svg()));
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|e| Error::io(path.display().to_string(), e))
    };
    for (name, svg) in &plots {
        write(name, svg)?;
    }
    report.write(&folder.join("report.json"))?;
    write(
        "index.html",
        &page(report, &plots.map(|(_, svg)| svg).concat()),
    )
}

fn page(report: &LoadReport, plots: &str) -> String {
    let mut rows = String::new();
    for (name, percentiles) in [
        ("from when they were due", &report.response),
        ("the same, of those with a draw", &report.response_ok),
        ("from when they were sent", &report.service),
        ("the driver's own delay", &report.driver_lag),
    ] {
        let Percentiles {
            p50_ms,
            p90_ms,
            p99_ms,
            p99_9_ms,
            p99_99_ms,
            max_ms,
        } = percentiles;
        // Writing to a String cannot fail.
        let _ = write!(rows, "<tr><th>{}</th>", escape(name));
        for value in [p50_ms, p90_ms, p99_ms, p99_9_ms, p99_99_ms, max_ms] {
            let _ = write!(rows, "<td>{value:.3}</td>");
        }
        rows.push_str("</tr>");
    }
    format!(
        r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Load on {target}</title>
<style>
body {{ font: 15px sans-serif; color: #222; background: #fff; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }}
table {{ border-collapse: collapse }} th {{ text-align: left; font-weight: normal }}
td, th {{ padding: .2rem .8rem .2rem 0 }} td {{ text-align: right; font-variant-numeric: tabular-nums }}
pre {{ background: #f6f6f6; padding: 1rem; white-space: pre-wrap }} svg {{ width: 100%; height: auto; margin: 1rem 0 }}
</style></head><body>
<h1>{profile}</h1>
<p>{due} requests were due at {target}{path}; {ok} ended in a draw, {refused} were refused, {errors} had no answer, {dropped} were never sent.</p>
{plots}
<h2>Milliseconds</h2>
<table><tr><th></th><td>p50</td><td>p90</td><td>p99</td><td>p99.9</td><td>p99.99</td><td>max</td></tr>{rows}</table>
<h2>All of it</h2>
<pre>{text}</pre>
</body></html>
"#,
        target = escape(&report.about.target),
        path = escape(&report.about.path),
        profile = escape(&report.about.profile),
        due = report.arrivals,
        ok = report.counts.ok,
        refused = report.counts.refused_total(),
        errors = report.counts.errors,
        dropped = report.dropped,
        text = escape(&report.to_string()),
    )
}

fn over_time() -> Axis {
    Axis {
        title: "seconds",
        scale: Scale::Linear,
        ticks: None,
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of a second are far below 2^52"
)]
fn line(
    name: &'static str,
    colour: &'static str,
    series: &[Second],
    value: impl Fn(&Second) -> Option<u64>,
) -> Line {
    let points = (0_u32..)
        .zip(series)
        .map(|(at, second)| (f64::from(at), value(second).map(|value| value as f64)));
    Line {
        name,
        colour,
        points: points.collect(),
    }
}

fn throughput(series: &[Second]) -> Plot {
    Plot {
        title: "Requests a second",
        x: over_time(),
        y: Axis {
            title: "requests/s",
            scale: Scale::Linear,
            ticks: None,
        },
        lines: vec![
            line("due", GREY, series, |second| Some(second.arrivals)),
            line("draws", BLUE, series, |second| Some(second.ok)),
            line("refused", ORANGE, series, |second| Some(second.refused)),
            line("errors", RED, series, |second| Some(second.errors)),
            line("dropped", GREEN, series, |second| Some(second.dropped)),
        ],
    }
}

/// A second in which nothing ended has no latency; its line has a gap.
fn latency(series: &[Second]) -> Plot {
    let of = |name, colour, us: fn(&Second) -> u64| {
        let mut line = line(name, colour, series, |second| {
            (second.max_us > 0).then(|| us(second))
        });
        for (_, value) in &mut line.points {
            *value = value.map(|us| us / 1e3);
        }
        line
    };
    Plot {
        title: "Latency from when requests were due",
        x: over_time(),
        y: Axis {
            title: "ms",
            scale: Scale::Log,
            ticks: None,
        },
        lines: vec![
            of("p50", BLUE, |second| second.p50_us),
            of("p90", GREEN, |second| second.p90_us),
            of("p99", ORANGE, |second| second.p99_us),
            of("max", RED, |second| second.max_us),
        ],
    }
}

fn percentiles(response_us: &Histogram<u64>, service_us: &Histogram<u64>) -> Plot {
    let ticks = (0..=NINES_MAX)
        .map(|nines| (f64::from(nines), name_of(nines)))
        .collect();
    Plot {
        title: "Percentiles",
        x: Axis {
            title: "of all requests",
            scale: Scale::Linear,
            ticks: Some(ticks),
        },
        y: Axis {
            title: "ms",
            scale: Scale::Log,
            ticks: None,
        },
        lines: vec![
            Line {
                name: "from due",
                colour: BLUE,
                points: by_nines(response_us),
            },
            Line {
                name: "from sent",
                colour: ORANGE,
                points: by_nines(service_us),
            },
        ],
    }
}

fn name_of(nines: u32) -> String {
    match nines {
        0 => "0 %".to_owned(),
        1 => "90 %".to_owned(),
        2 => "99 %".to_owned(),
        _ => format!("99.{} %", "9".repeat(nines as usize - 2)),
    }
}

/// The latency at 1 - 10^-x, as far as there are enough requests. So each nine has the same width.
fn by_nines(us: &Histogram<u64>) -> Vec<(f64, Option<f64>)> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of a run are far below 2^52"
    )]
    let nines_known = (us.len().max(1) as f64).log10();
    let steps =
        (0..=NINES_MAX * STEPS_PER_NINE).map(|step| f64::from(step) / f64::from(STEPS_PER_NINE));
    steps
        .map(|nines| {
            let known = !us.is_empty() && nines <= nines_known;
            (
                nines,
                known.then(|| ms(us.value_at_quantile(1.0 - 10_f64.powf(-nines)))),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::record::histogram;

    #[test]
    fn a_second_without_an_end_is_a_gap_in_the_latency() {
        let ended = Second {
            ok: 1,
            p50_us: 1_000,
            p90_us: 2_000,
            p99_us: 3_000,
            max_us: 3_000,
            ..Second::default()
        };
        let plot = latency(&[ended, Second::default(), ended]);
        let p50: Vec<_> = plot.lines[0]
            .points
            .iter()
            .map(|(_, value)| *value)
            .collect();
        assert_eq!(p50, [Some(1.0), None, Some(1.0)]);
    }

    #[test]
    fn percentiles_end_where_there_are_too_few_requests() {
        let mut us = histogram(3);
        for value in 1..=1_000 {
            us.record(value * 1_000).expect("inside");
        }
        let points = by_nines(&us);
        let at = |nines: f64| {
            points
                .iter()
                .find(|(x, _)| (x - nines).abs() < 1e-9)
                .and_then(|(_, value)| *value)
        };
        assert!((at(1.0).expect("known") - 900.0).abs() < 2.0);
        assert!((at(2.0).expect("known") - 990.0).abs() < 2.0);
        assert!(at(3.0).is_some() && at(3.05).is_none());
        assert!(
            by_nines(&histogram(3))
                .iter()
                .all(|(_, value)| value.is_none())
        );
    }

    #[test]
    fn nines_have_their_names() {
        assert_eq!(
            [0, 1, 2, 3, 4].map(name_of),
            ["0 %", "90 %", "99 %", "99.9 %", "99.99 %"]
        );
    }
}
