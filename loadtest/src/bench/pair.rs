//! Two builds of the gateway, measured in turn: is this one slower than the base?
//!
//! A machine changes from minute to minute by more than most changes of the code do. So each
//! measurement of one build is followed at once by the same of the other. Each pair gives a ratio,
//! and the median of the ratios decides. The order alternates, so that a machine that becomes
//! slower or faster favours each build as often.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum, value_parser};
use serde::Serialize;

use crate::bench::cases::{Alone, Bench};
use crate::bench::files::{folder_of, require_files};
use crate::bench::interrupt::run_to_end;
use crate::bench::options::Effort;
use crate::bench::options::Programs;
use crate::bench::results::{self, Figure};
use crate::error::Error;
use crate::rounding::round_to;

/// What `loadtest pair` compares.
#[derive(Clone, Debug, Args)]
pub(crate) struct PairArgs {
    /// The name of the base in the report, for example its commit.
    #[arg(long, default_value = "base")]
    base_name: String,
    /// The base's binary of the gateway.
    #[arg(long, value_name = "FILE")]
    base_drawbridge: PathBuf,
    /// The tree whose `deploy` folder starts the base's clusters.
    #[arg(long, default_value = ".", value_name = "FOLDER")]
    base_tree: PathBuf,
    /// How often each case is measured on each side.
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u64).range(1..=50))]
    pairs: u64,
    /// The smallest median of the ratios (this build's rate by the base's) that passes.
    #[arg(long, default_value_t = 0.97, value_parser = parse_floor)]
    floor: f64,
    /// Measure some of the cases only.
    #[arg(long, value_enum)]
    cases: Option<Cases>,
    #[command(flatten)]
    effort: Effort,
    #[command(flatten)]
    programs: Programs,
    /// Where to write the results; the same folder holds the data of the runs until they end.
    #[arg(long, default_value = "target/bench/pair.json")]
    out: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Cases {
    /// Draws from a cluster.
    Draws,
    /// Refusals of the embedded default.
    Refusals,
}

impl PairArgs {
    fn base_programs(&self) -> Programs {
        Programs {
            drawbridge: self.base_drawbridge.clone(),
            cluster: self.base_tree.join("deploy/local/cluster"),
            campaign: self.base_tree.join("deploy/campaigns/load.toml"),
        }
    }

    fn chosen(&self) -> Vec<Alone> {
        let draws = (self.cases != Some(Cases::Refusals)).then(Alone::draws);
        let refusals = (self.cases != Some(Cases::Draws)).then(Alone::refusals);
        draws
            .into_iter()
            .flatten()
            .chain(refusals.into_iter().flatten())
            .collect()
    }
}

pub(super) fn parse_floor(text: &str) -> Result<f64, String> {
    let floor = text
        .parse()
        .ok()
        .filter(|floor| (0.1..=10.0).contains(floor));
    floor.ok_or_else(|| format!("the floor is a ratio from 0.1 to 10, such as 0.97, not {text:?}"))
}

/// `loadtest pair`.
pub(crate) fn command(args: &PairArgs) -> Result<(), Error> {
    run_to_end(pair(args))
}

async fn pair(args: &PairArgs) -> Result<(), Error> {
    let base = args.base_programs();
    for programs in [&base, &args.programs] {
        require_files([&programs.drawbridge, &programs.campaign, &programs.cluster])?;
    }
    let folder = folder_of(&args.out)?;
    let bench = |programs| Bench {
        effort: args.effort,
        programs,
        folder: &folder,
        limits_only: false,
    };
    let sides = Sides {
        base: bench(&base),
        this: bench(&args.programs),
    };
    let cases = args.chosen();
    let mut measured: Vec<Vec<Pair>> = cases.iter().map(|_| Vec::new()).collect();
    for number in 0..args.pairs {
        for (place, (case, pairs)) in cases.iter().zip(&mut measured).enumerate() {
            eprintln!("pair {} of {}, {case}", number + 1, args.pairs);
            pairs.push(sides.measure(*case, order(number, place)).await?);
        }
    }
    let comparison = Comparison::new(args, &measured);
    results::write(&args.out, &comparison)?;
    print!("{}", comparison.table());
    println!("written to {}", args.out.display());
    comparison.judge()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Base,
    This,
}

/// The order of the two sides. It changes from pair to pair, and from case to case.
fn order(pair: u64, case: usize) -> [Side; 2] {
    let swapped = (pair % 2 == 1) != (case % 2 == 1);
    if swapped {
        [Side::This, Side::Base]
    } else {
        [Side::Base, Side::This]
    }
}

struct Sides<'a> {
    base: Bench<'a>,
    this: Bench<'a>,
}

impl Sides<'_> {
    async fn measure(&self, case: Alone, order: [Side; 2]) -> Result<Pair, Error> {
        let [first, second] = [
            self.on(order[0], case).await?,
            self.on(order[1], case).await?,
        ];
        Ok(match order[0] {
            Side::Base => Pair {
                base: first,
                this: second,
            },
            Side::This => Pair {
                base: second,
                this: first,
            },
        })
    }

    async fn on(&self, side: Side, case: Alone) -> Result<Figure, Error> {
        eprintln!(
            "  {}",
            if side == Side::Base {
                "base"
            } else {
                "this tree"
            }
        );
        match side {
            Side::Base => self.base.alone(case).await,
            Side::This => self.this.alone(case).await,
        }
    }
}

/// One case on both sides, measured one after the other.
#[derive(Clone, Debug)]
struct Pair {
    base: Figure,
    this: Figure,
}

impl Pair {
    fn ratio(&self) -> f64 {
        self.this.value / self.base.value
    }
}

/// `pair.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Comparison {
    base: String,
    pairs: u64,
    seconds: u64,
    floor: f64,
    cases: Vec<Row>,
}

/// A case: medians over its pairs.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Row {
    name: &'static str,
    connections: Option<u16>,
    unit: &'static str,
    base: f64,
    this: f64,
    /// The median of the pairs' ratios, not the ratio of the two medians above.
    ratio: f64,
    ratios: Vec<f64>,
    base_p99_ms: Option<f64>,
    this_p99_ms: Option<f64>,
}

impl Row {
    fn new(pairs: &[Pair]) -> Self {
        let of = |value: &dyn Fn(&Pair) -> f64| median(pairs.iter().map(value));
        let p99 = |side: fn(&Pair) -> &Figure| {
            let known: Vec<f64> = pairs
                .iter()
                .filter_map(|pair| Some(side(pair).latency?.p99_ms))
                .collect();
            (known.len() == pairs.len()).then(|| round_to(median(known), 3))
        };
        let about = &pairs[0].this;
        Self {
            name: about.name,
            connections: about.connections,
            unit: about.unit,
            base: round_to(of(&|pair| pair.base.value), 1),
            this: round_to(of(&|pair| pair.this.value), 1),
            ratio: round_to(of(&Pair::ratio), 4),
            ratios: pairs.iter().map(|pair| round_to(pair.ratio(), 4)).collect(),
            base_p99_ms: p99(|pair| &pair.base),
            this_p99_ms: p99(|pair| &pair.this),
        }
    }

    fn called(&self) -> String {
        match self.connections {
            Some(connections) => format!("{}, {connections} connections", self.name),
            None => self.name.to_owned(),
        }
    }
}

/// The middle value, or the mean of the two middle ones.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}

impl Comparison {
    fn new(args: &PairArgs, measured: &[Vec<Pair>]) -> Self {
        let cases = measured.iter().map(|pairs| Row::new(pairs)).collect();
        let base = args.base_name.clone();
        Self {
            base,
            pairs: args.pairs,
            seconds: args.effort.seconds,
            floor: args.floor,
            cases,
        }
    }

    fn table(&self) -> String {
        let number =
            |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1}"));
        let mut text = format!(
            "base: {}\n{:<16}{:>6}{:>11}{:>11}{:>10}{:>10}{:>8}  ratios\n",
            self.base, "name", "conns", "base/s", "this/s", "base p99", "this p99", "ratio"
        );
        for row in &self.cases {
            let ratios: Vec<String> = row
                .ratios
                .iter()
                .map(|ratio| format!("{ratio:.3}"))
                .collect();
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{:<16}{:>6}{:>11.0}{:>11.0}{:>10}{:>10}{:>8.3}  {}",
                row.name,
                row.connections
                    .map_or("-".to_owned(), |connections| connections.to_string()),
                row.base,
                row.this,
                number(row.base_p99_ms),
                number(row.this_p99_ms),
                row.ratio,
                ratios.join(" ")
            );
        }
        text
    }

    /// Fails when the ratio of a case is below the floor.
    fn judge(&self) -> Result<(), Error> {
        let slow = self.cases.iter().filter(|row| row.ratio < self.floor);
        let slow: Vec<String> = slow
            .map(|row| format!("{}: {}", row.called(), row.ratio))
            .collect();
        if slow.is_empty() {
            return Ok(());
        }
        Err(Error::DoesNotHold(format!(
            "slower than {} of {}: {}",
            self.floor,
            self.base,
            slow.join("; ")
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::results::Latency;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: PairArgs,
    }

    fn args(options: &[&str]) -> PairArgs {
        Line::parse_from(
            ["pair", "--base-drawbridge", "d", "--base-tree", "t"]
                .iter()
                .chain(options),
        )
        .args
    }

    fn figure(value: f64, p99_ms: f64) -> Figure {
        let latency = Some(Latency {
            p50_ms: 1.0,
            p99_ms,
        });
        Figure {
            name: "draw_cluster",
            unit: "requests/s",
            value,
            latency,
            connections: Some(64),
        }
    }

    fn pairs(of: &[(f64, f64)]) -> Vec<Pair> {
        of.iter()
            .map(|&(base, this)| Pair {
                base: figure(base, 4.0),
                this: figure(this, 5.0),
            })
            .collect()
    }

    #[test]
    fn the_median_is_the_middle_whatever_the_order() {
        assert!((median([5.0, 1.0, 3.0]) - 3.0).abs() < f64::EPSILON);
        assert!((median([4.0, 1.0, 3.0, 2.0]) - 2.5).abs() < f64::EPSILON);
        assert!((median([7.0]) - 7.0).abs() < f64::EPSILON);
    }

    #[test]
    fn the_order_alternates_between_pairs_and_between_cases() {
        use Side::{Base, This};
        let firsts = |case| (0..4).map(|pair| order(pair, case)[0]).collect::<Vec<_>>();
        assert_eq!(firsts(0), [Base, This, Base, This]);
        assert_eq!(firsts(1), [This, Base, This, Base]);
        assert!((0..4).all(|pair| order(pair, 0)[0] != order(pair, 0)[1]));
    }

    /// The machine is half as fast in the second pair and on one side of the third. That does not
    /// change the median of the ratios, while the ratio of the medians would be 0.5.
    #[test]
    fn the_ratio_is_the_median_of_the_pairs() {
        let row = Row::new(&pairs(&[(100.0, 99.0), (50.0, 49.5), (100.0, 49.0)]));
        assert_eq!((row.base, row.this, row.ratio), (100.0, 49.5, 0.99));
        assert_eq!(row.ratios, [0.99, 0.99, 0.49]);
        assert_eq!((row.base_p99_ms, row.this_p99_ms), (Some(4.0), Some(5.0)));
    }

    #[test]
    fn a_case_below_the_floor_is_named_and_exits_with_one() {
        let comparison =
            |this| Comparison::new(&args(&["--base-name", "abc"]), &[pairs(&[(100.0, this)])]);
        assert!(comparison(97.0).judge().is_ok());
        let error = comparison(96.9).judge().expect_err("slower");
        assert_eq!(
            error.to_string(),
            "slower than 0.97 of abc: draw_cluster, 64 connections: 0.969"
        );
        assert!(matches!(error, Error::DoesNotHold(_)));
        assert_eq!(comparison(97.0).table().lines().count(), 3);
    }

    #[test]
    fn the_base_has_its_own_binary_and_scripts_and_the_same_cases() {
        let base = args(&[]).base_programs();
        let paths =
            [base.drawbridge, base.cluster, base.campaign].map(|path| path.display().to_string());
        assert_eq!(
            paths,
            [
                "d",
                "t/deploy/local/cluster",
                "t/deploy/campaigns/load.toml"
            ]
        );
        assert_eq!(
            [&[][..], &["--cases", "draws"], &["--cases", "refusals"]]
                .map(|o| args(o).chosen().len()),
            [8, 2, 6]
        );
    }
}
