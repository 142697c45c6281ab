//! Line plots as SVG: a few lines over one pair of axes.

use std::fmt::Write as _;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 34.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 44.0;

/// How an axis is divided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scale {
    Linear,
    /// By powers of ten.
    Log,
}

/// One axis.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) title: &'static str,
    pub(super) scale: Scale,
    /// Names instead of numbers.
    pub(super) ticks: Option<Vec<(f64, String)>>,
}

/// One line. It has a gap where there is no value.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) colour: &'static str,
    pub(super) points: Vec<(f64, Option<f64>)>,
}

/// A plot.
#[derive(Clone, Debug)]
pub(super) struct Plot {
    pub(super) title: &'static str,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) lines: Vec<Line>,
}

/// Converts values to positions on an axis.
#[derive(Clone, Copy, Debug)]
struct Range {
    scale: Scale,
    low: f64,
    high: f64,
}

impl Range {
    /// Holds all values; a linear one begins at 0, a logarithmic one at a power of ten.
    fn around(scale: Scale, values: impl Iterator<Item = f64>) -> Self {
        let (mut low, mut high) = (f64::INFINITY, 0.0_f64);
        for value in values.filter(|value| scale == Scale::Linear || *value > 0.0) {
            if value < low {
                low = value;
            }
            if value > high {
                high = value;
            }
        }
        match scale {
            Scale::Linear => Self {
                scale,
                low: 0.0,
                high: if high > 0.0 { high } else { 1.0 },
            },
            Scale::Log if high > 0.0 => {
                let (low, high) = (low.log10().floor(), high.log10().ceil());
                Self {
                    scale,
                    low: 10_f64.powf(low),
                    high: 10_f64.powf(if high > low { high } else { low + 1.0 }),
                }
            }
            Scale::Log => Self {
                scale,
                low: 1.0,
                high: 10.0,
            },
        }
    }

    /// From 0 at the low end to 1 at the high one.
    fn share(self, value: f64) -> f64 {
        let Self { low, high, .. } = self;
        let share = match self.scale {
            Scale::Linear => (value - low) / (high - low),
            Scale::Log if value <= low => 0.0,
            Scale::Log => (value / low).ln() / (high / low).ln(),
        };
        share.clamp(0.0, 1.0)
    }

    fn ticks(self) -> Vec<(f64, String)> {
        let mut ticks = Vec::new();
        let step = match self.scale {
            Scale::Linear => round_step(self.high / 5.0),
            Scale::Log => self.low,
        };
        let mut value = self.low;
        while value <= self.high * 1.000_001 && ticks.len() < 20 {
            ticks.push((value, number(value)));
            value = match self.scale {
                Scale::Linear => value + step,
                Scale::Log => value * 10.0,
            };
        }
        ticks
    }
}

/// 1, 2 or 5 times a power of ten, not below `about`.
fn round_step(about: f64) -> f64 {
    let power = 10_f64.powf(about.log10().floor());
    [1.0, 2.0, 5.0]
        .map(|digit| digit * power)
        .into_iter()
        .find(|step| *step >= about * 0.999)
        .unwrap_or(power * 10.0)
}

fn number(value: f64) -> String {
    if value >= 1_000.0 {
        let text = format!("{:.1}", value / 1_000.0);
        return format!("{}k", text.strip_suffix(".0").unwrap_or(&text));
    }
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Escapes text for the place between tags.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

impl Plot {
    /// The whole picture, for a file of its own or inside a page.
    pub(super) fn svg(&self) -> String {
        let x = Range::around(
            self.x.scale,
            self.lines
                .iter()
                .flat_map(|line| line.points.iter().map(|(x, _)| *x)),
        );
        let y = Range::around(
            self.y.scale,
            self.lines
                .iter()
                .flat_map(|line| line.points.iter().filter_map(|(_, y)| *y)),
        );
        let mut svg = String::new();
        // Writing to a String cannot fail, here and below.
        let _ = write!(
            svg,
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}" font-family="sans-serif" font-size="12" fill="#444"><rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/><text x="{LEFT}" y="18" font-size="14" font-weight="bold">{title}</text>"##,
            title = escape(self.title)
        );
        self.draw_axes(&mut svg, x, y);
        for line in &self.lines {
            draw_line(&mut svg, line, x, y);
        }
        self.draw_legend(&mut svg);
        svg.push_str("</svg>\n");
        svg
    }

    fn draw_axes(&self, svg: &mut String, x: Range, y: Range) {
        let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
        for (value, name) in self.y.ticks.clone().unwrap_or_else(|| y.ticks()) {
            let at = y_position(y, value);
            let _ = write!(
                svg,
                r##"<path d="M{LEFT} {at:.1}H{right}" stroke="#e4e4e4"/><text x="{}" y="{:.1}" text-anchor="end">{}</text>"##,
                LEFT - 6.0,
                at + 4.0,
                escape(&name)
            );
        }
        for (value, name) in self.x.ticks.clone().unwrap_or_else(|| x.ticks()) {
            let at = x_position(x, value);
            let _ = write!(
                svg,
                r##"<path d="M{at:.1} {TOP}V{bottom}" stroke="#f0f0f0"/><text x="{at:.1}" y="{:.1}" text-anchor="middle">{}</text>"##,
                bottom + 16.0,
                escape(&name)
            );
        }
        let _ = write!(
            svg,
            r##"<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="#888"/><text x="{:.1}" y="{:.1}" text-anchor="middle">{}</text><text transform="translate(14 {:.1}) rotate(-90)" text-anchor="middle">{}</text>"##,
            f64::midpoint(LEFT, right),
            HEIGHT - 8.0,
            escape(self.x.title),
            f64::midpoint(TOP, bottom),
            escape(self.y.title)
        );
    }

    fn draw_legend(&self, svg: &mut String) {
        const ENTRY: f64 = 100.0;
        let mut at = WIDTH - RIGHT;
        for line in self.lines.iter().rev() {
            at -= ENTRY;
            let _ = write!(
                svg,
                r#"<path d="M{at} 30h16" stroke="{}" stroke-width="3"/><text x="{}" y="34">{}</text>"#,
                line.colour,
                at + 22.0,
                escape(line.name)
            );
        }
    }
}

fn x_position(range: Range, value: f64) -> f64 {
    LEFT + range.share(value) * (WIDTH - LEFT - RIGHT)
}

fn y_position(range: Range, value: f64) -> f64 {
    HEIGHT - BOTTOM - range.share(value) * (HEIGHT - TOP - BOTTOM)
}

fn draw_line(svg: &mut String, line: &Line, x: Range, y: Range) {
    let mut path = String::new();
    let mut is_broken = true;
    for (at, value) in &line.points {
        match value {
            None => is_broken = true,
            Some(value) => {
                let command = if is_broken { 'M' } else { 'L' };
                let _ = write!(
                    path,
                    "{command}{:.1} {:.1}",
                    x_position(x, *at),
                    y_position(y, *value)
                );
                // A lone point would not be seen.
                if is_broken {
                    path.push_str("h1");
                }
                is_broken = false;
            }
        }
    }
    let _ = write!(
        svg,
        r#"<path d="{path}" fill="none" stroke="{}" stroke-width="1.6" stroke-linejoin="round"/>"#,
        line.colour
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(scale: Scale, points: Vec<(f64, Option<f64>)>) -> String {
        let axis = |scale| Axis {
            title: "a < b",
            scale,
            ticks: None,
        };
        let line = Line {
            name: "x & y",
            colour: "#123456",
            points,
        };
        Plot {
            title: "t",
            x: axis(Scale::Linear),
            y: axis(scale),
            lines: vec![line],
        }
        .svg()
    }

    #[test]
    fn values_are_placed_from_corner_to_corner() {
        let svg = plot(Scale::Linear, vec![(0.0, Some(0.0)), (10.0, Some(50.0))]);
        assert!(
            svg.contains(r#"<path d="M70.0 276.0h1L866.0 40.0""#),
            "{svg}"
        );
        let svg = plot(
            Scale::Log,
            vec![(0.0, Some(0.1)), (5.0, Some(1.0)), (10.0, Some(10.0))],
        );
        assert!(
            svg.contains("M70.0 276.0h1L468.0 158.0L866.0 40.0"),
            "{svg}"
        );
    }

    #[test]
    fn a_missing_value_breaks_the_line() {
        let svg = plot(
            Scale::Linear,
            vec![(0.0, Some(1.0)), (1.0, None), (2.0, Some(1.0))],
        );
        assert_eq!(svg.matches("h1").count(), 2 + svg.matches("h16").count());
    }

    #[test]
    fn a_plot_may_be_empty_and_text_is_escaped() {
        for scale in [Scale::Linear, Scale::Log] {
            let svg = plot(scale, Vec::new());
            assert!(
                svg.ends_with("</svg>\n") && !svg.contains("NaN") && !svg.contains("inf"),
                "{svg}"
            );
            assert!(svg.contains("a &lt; b") && svg.contains("x &amp; y"));
        }
    }

    #[test]
    fn ticks_are_round_numbers() {
        let names = |scale, values: &[f64]| {
            let ticks = Range::around(scale, values.iter().copied()).ticks();
            ticks.into_iter().map(|(_, name)| name).collect::<Vec<_>>()
        };
        assert_eq!(
            names(Scale::Linear, &[4_870.0]),
            ["0", "1k", "2k", "3k", "4k"]
        );
        assert_eq!(
            names(Scale::Linear, &[0.9]),
            ["0", "0.2", "0.4", "0.6", "0.8"]
        );
        assert_eq!(
            names(Scale::Log, &[0.3, 1_500.0]),
            ["0.1", "1", "10", "100", "1k", "10k"]
        );
        assert_eq!(names(Scale::Log, &[10.0]), ["10", "100"]);
    }
}
