//! What draws cost beside the rest of a platform: a mix of calls, draws that pay points, and
//! purchases alone, each as a ratio to draws alone.
//!
//! A machine changes from minute to minute, so each round measures every case once, on a fresh
//! cluster each, one right after the other, and makes a ratio of each to the draws of that round.
//! The order changes from round to round. The median of the ratios decides.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, value_parser};
use serde::Serialize;

use crate::bench::cluster::Setup;
use crate::bench::driving::{Driven, drive_all, plan};
use crate::bench::files::{folder_of, require_files};
use crate::bench::interrupt::run_to_end;
use crate::bench::market;
use crate::bench::options::{Effort, Programs};
use crate::bench::pair::{median, parse_floor};
use crate::bench::results::{self, Latency};
use crate::error::Error;
use crate::mix::CallKind;
use crate::request::RequestCase;
use crate::rounding::round_to;

const SHARDS: u16 = 2;

#[derive(Clone, Debug, Args)]
pub(crate) struct MixedArgs {
    /// How often each case is measured.
    #[arg(long, default_value_t = 3, value_parser = value_parser!(u64).range(1..=50))]
    rounds: u64,
    /// Connections of all cases; several with commas.
    #[arg(long, default_value = "64,512", value_delimiter = ',', value_parser = value_parser!(u16).range(1..=4_096))]
    connections: Vec<u16>,
    /// The smallest median of the ratios of mixed calls to draws alone that passes.
    #[arg(long, default_value_t = 0.8, value_parser = parse_floor)]
    floor: f64,
    #[command(flatten)]
    effort: Effort,
    #[command(flatten)]
    programs: Programs,
    /// Where to write the results; the same folder holds the data of the runs until they end.
    #[arg(long, default_value = "target/bench/mixed.json")]
    out: PathBuf,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Draws,
    Mixed,
    Points,
    Exchange,
}

impl Case {
    const ALL: [Self; 4] = [Self::Draws, Self::Mixed, Self::Points, Self::Exchange];

    const fn name(self) -> &'static str {
        match self {
            Self::Draws => "draws",
            Self::Mixed => "mixed",
            Self::Points => "points",
            Self::Exchange => "exchange",
        }
    }

    const fn activity(self) -> u64 {
        match self {
            Self::Points => market::POINTS,
            Self::Draws | Self::Mixed | Self::Exchange => market::SHOP,
        }
    }

    const fn requests(self) -> RequestCase {
        match self {
            Self::Draws | Self::Points => RequestCase::Draw,
            Self::Mixed => RequestCase::Mixed,
            Self::Exchange => RequestCase::Exchange,
        }
    }

    /// The calls that its figure counts. Users sign in before they buy.
    fn counts(self, kind: CallKind) -> bool {
        match self {
            Self::Draws | Self::Points => kind == CallKind::Draw,
            Self::Mixed => true,
            Self::Exchange => kind == CallKind::Exchange,
        }
    }
}

/// `loadtest mixed`.
pub(crate) fn command(args: &MixedArgs) -> Result<(), Error> {
    run_to_end(mixed(args))
}

async fn mixed(args: &MixedArgs) -> Result<(), Error> {
    require_files([&args.programs.drawbridge, &args.programs.cluster])?;
    let mut rounds: Vec<Vec<Round>> = args.connections.iter().map(|_| Vec::new()).collect();
    for number in 0..args.rounds {
        for (&connections, measured) in args.connections.iter().zip(&mut rounds) {
            eprintln!(
                "round {} of {}, {connections} connections",
                number + 1,
                args.rounds
            );
            measured.push(measure_round(args, connections, number).await?);
        }
    }
    let comparison = Comparison::new(args, &rounds);
    results::write(&args.out, &comparison)?;
    print!("{}", comparison.table());
    println!("written to {}", args.out.display());
    comparison.judge()
}

/// The cases of a round, in turn from another one on, and back again.
fn order(round: u64) -> Vec<Case> {
    let mut cases = Case::ALL.to_vec();
    let turn = usize::try_from(round / 2).unwrap_or_default();
    cases.rotate_left(turn % Case::ALL.len());
    if round % 2 == 1 {
        cases.reverse();
    }
    cases
}

async fn measure_round(args: &MixedArgs, connections: u16, number: u64) -> Result<Round, Error> {
    let mut figures = Vec::new();
    for case in order(number) {
        eprintln!("  {}", case.name());
        let driven = measure(args, case, connections).await?;
        figures.push((case, Figure::new(case, &driven)));
    }
    Ok(Round(figures))
}

async fn measure(args: &MixedArgs, case: Case, connections: u16) -> Result<Driven, Error> {
    let folder = folder_of(&args.out)?;
    let setup = Setup::of_shards(SHARDS);
    let (cluster, app_key) = market::start(&args.programs, &folder, setup).await?;
    let mut plan = plan(args.effort, cluster.gateway(), case.requests(), connections);
    plan.activity = case.activity();
    plan.sku = market::SKU;
    plan.app_key_file = Some(app_key);
    let driven = drive_all(plan, &cluster.watched()).await?;
    cluster.stop_gateway_and_audit().await?;
    Ok(driven)
}

/// One case, measured once.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Figure {
    /// Successes a second of what the case counts.
    per_second: f64,
    /// The same of commands alone: without queries.
    commands_per_second: f64,
    latency: Latency,
}

impl Figure {
    fn new(case: Case, driven: &Driven) -> Self {
        let of = |wanted: &dyn Fn(CallKind) -> bool| {
            driven
                .report
                .ok_per_second_of(|kind| case.counts(kind) && wanted(kind))
        };
        Self {
            per_second: of(&|_| true),
            commands_per_second: of(&CallKind::is_command),
            latency: driven.latency(),
        }
    }
}

/// All cases, measured one after the other.
#[derive(Clone, Debug)]
struct Round(Vec<(Case, Figure)>);

impl Round {
    fn of(&self, case: Case) -> Figure {
        let found = self.0.iter().find(|(measured, _)| *measured == case);
        found.expect("a round has all cases").1
    }
}

/// `mixed.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Comparison {
    rounds: u64,
    seconds: u64,
    floor: f64,
    cases: Vec<Row>,
}

/// A case over one number of connections: medians over its rounds.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Row {
    name: &'static str,
    connections: u16,
    per_second: f64,
    /// Without queries.
    commands_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// The median of the rounds' ratios to draws alone; and all of them.
    ratio: f64,
    ratios: Vec<f64>,
    /// The same of commands alone.
    commands_ratio: f64,
    commands_ratios: Vec<f64>,
}

impl Row {
    fn new(case: Case, connections: u16, rounds: &[Round]) -> Self {
        let of = |value: fn(&Figure) -> f64| {
            round_to(median(rounds.iter().map(|round| value(&round.of(case)))), 3)
        };
        let ratios = |value: fn(&Figure) -> f64| -> Vec<f64> {
            let ratio = |round: &Round| value(&round.of(case)) / round.of(Case::Draws).per_second;
            rounds
                .iter()
                .map(|round| round_to(ratio(round), 4))
                .collect()
        };
        let all = ratios(|figure| figure.per_second);
        let commands = ratios(|figure| figure.commands_per_second);
        Self {
            name: case.name(),
            connections,
            per_second: of(|figure| figure.per_second),
            commands_per_second: of(|figure| figure.commands_per_second),
            p50_ms: of(|figure| figure.latency.p50_ms),
            p99_ms: of(|figure| figure.latency.p99_ms),
            ratio: round_to(median(all.iter().copied()), 4),
            ratios: all,
            commands_ratio: round_to(median(commands.iter().copied()), 4),
            commands_ratios: commands,
        }
    }
}

impl Comparison {
    fn new(args: &MixedArgs, rounds: &[Vec<Round>]) -> Self {
        let of_connections = args.connections.iter().zip(rounds);
        let cases = of_connections
            .flat_map(|(&connections, rounds)| {
                Case::ALL.map(|case| Row::new(case, connections, rounds))
            })
            .collect();
        Self {
            rounds: args.rounds,
            seconds: args.effort.seconds,
            floor: args.floor,
            cases,
        }
    }

    fn table(&self) -> String {
        let mut text = format!(
            "{:<10}{:>6}{:>10}{:>12}{:>9}{:>9}{:>8}{:>14}{:>10}{:>14}\n",
            "name",
            "conns",
            "calls/s",
            "commands/s",
            "p50 ms",
            "p99 ms",
            "ratio",
            "(range)",
            "commands",
            "(range)"
        );
        let range = |ratios: &[f64]| {
            let (least, most) = ratios
                .iter()
                .fold((f64::MAX, f64::MIN), |(least, most), &ratio| {
                    (least.min(ratio), most.max(ratio))
                });
            format!("({least:.2}-{most:.2})")
        };
        for row in &self.cases {
            // Writing to a String cannot fail.
            let _ = writeln!(
                text,
                "{:<10}{:>6}{:>10.0}{:>12.0}{:>9.1}{:>9.1}{:>8.3}{:>14}{:>10.3}{:>14}",
                row.name,
                row.connections,
                row.per_second,
                row.commands_per_second,
                row.p50_ms,
                row.p99_ms,
                row.ratio,
                range(&row.ratios),
                row.commands_ratio,
                range(&row.commands_ratios)
            );
        }
        text
    }

    /// Fails when mixed calls are below the floor.
    fn judge(&self) -> Result<(), Error> {
        let slow: Vec<String> = self
            .cases
            .iter()
            .filter(|row| row.name == Case::Mixed.name() && row.ratio < self.floor)
            .map(|row| format!("{} over {} connections", row.ratio, row.connections))
            .collect();
        if slow.is_empty() {
            return Ok(());
        }
        Err(Error::DoesNotHold(format!(
            "mixed calls are below {} of draws alone: {}",
            self.floor,
            slow.join("; ")
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: MixedArgs,
    }

    fn figure(per_second: f64, commands_per_second: f64) -> Figure {
        Figure {
            per_second,
            commands_per_second,
            latency: Latency {
                p50_ms: 1.0,
                p99_ms: 2.0,
            },
        }
    }

    fn round(draws: f64, mixed: f64) -> Round {
        let others = figure(draws, draws);
        let mut round = Round(Case::ALL.map(|case| (case, others)).to_vec());
        round.0[1].1 = figure(mixed, mixed * 0.8);
        round
    }

    fn comparison(rounds: &[Round]) -> Comparison {
        let line = Line::parse_from(["mixed", "--connections", "64"]);
        Comparison::new(&line.args, &[rounds.to_vec()])
    }

    #[test]
    fn the_median_of_the_rounds_own_ratios_decides() {
        // A slow round is slow for both sides; one round is bad luck.
        let rounds = [round(100.0, 90.0), round(10.0, 9.0), round(100.0, 30.0)];
        let good = comparison(&rounds);
        let mixed = &good.cases[1];
        assert_eq!((mixed.name, mixed.ratio), ("mixed", 0.9));
        assert_eq!(mixed.ratios, vec![0.9, 0.9, 0.3]);
        assert_eq!(Some(mixed.commands_ratio), Some(0.72));
        assert!(good.judge().is_ok());
        assert!(good.table().contains("(0.30-0.90)"));

        let bad = comparison(&[round(100.0, 79.0)]);
        assert!(bad.judge().is_err());
        // Nothing is demanded of the other cases.
        let mut slow = round(100.0, 80.0);
        slow.0[2].1 = figure(1.0, 1.0);
        assert!(comparison(&[slow]).judge().is_ok());
    }

    #[test]
    fn each_round_has_all_cases_and_draws_are_not_always_first() {
        let mut places = std::collections::HashSet::new();
        for number in 0..8 {
            let order = order(number);
            for case in Case::ALL {
                assert_eq!(order.iter().filter(|other| **other == case).count(), 1);
            }
            places.insert(order.iter().position(|case| *case == Case::Draws));
        }
        assert!(places.len() > 2, "{places:?}");
    }

    #[test]
    fn sign_ins_before_purchases_are_no_purchases() {
        assert!(Case::Exchange.counts(CallKind::Exchange));
        assert!(!Case::Exchange.counts(CallKind::SignIn));
        assert!(
            CallKind::ALL
                .into_iter()
                .all(|kind| Case::Mixed.counts(kind))
        );
    }
}
