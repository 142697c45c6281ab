//! `drawbridge campaign forecast`: simulates a campaign before it is published.
//!
//! The simulation itself is `market::forecast`. Here are its options, its threads and what is
//! printed: a table, JSON or CSV.
mod csv;
mod json;
mod number;
mod simulate;
mod table;

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use market::campaign::{Campaign, Turnout};
use market::forecast::Forecast;

use self::simulate::{simulate, watched_simulation};
use super::file::{read, refuse_file};
use crate::commands::output::{fail, say, say_json};
use crate::commands::run_command::RunCommand;

const RUNS: RangeInclusive<u32> = 1..=10_000;
/// The draws of all runs together. They take a day on a small machine.
const DRAWS_OF_ALL_RUNS_MAX: u64 = 100_000_000_000;
/// The draws that `campaign publish` simulates: two seconds of one slow core.
const DRAWS_OF_A_PUBLICATION: u64 = 4_000_000;
const RUNS_OF_A_PUBLICATION: u64 = 100;
const SEED: u64 = 1;

/// What to simulate, and how to print it.
#[derive(Debug, Args)]
pub struct ForecastOptions {
    /// The campaign file
    file: PathBuf,
    #[command(flatten)]
    turnout: TurnoutOptions,
    /// How often the campaign is simulated
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100,
        allow_negative_numbers = true,
        value_parser = |text: &str| integer(text, RUNS),
    )]
    runs: u32,
    /// The same seed gives the same output
    #[arg(
        long,
        value_name = "S",
        default_value_t = SEED,
        allow_negative_numbers = true,
        value_parser = |text: &str| integer(text, 0..=u64::MAX),
    )]
    seed: u64,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Print JSON, as `--format json` does
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

/// Where one is absent, the file's `[forecast]` says it.
#[derive(Debug, Args)]
struct TurnoutOptions {
    /// How many users take part [default: what the file's [forecast] says]
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        value_parser = |text: &str| integer(text, Turnout::USERS),
    )]
    users: Option<u32>,
    /// How often each of them draws in all [default: what the file's [forecast] says]
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        value_parser = |text: &str| integer(text, Turnout::DRAWS_PER_USER),
    )]
    draws_per_user: Option<u32>,
    /// Over how many days [default: what the file's [forecast] says]
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        value_parser = |text: &str| integer(text, Turnout::DAYS),
    )]
    days: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// For programs
    Json,
    /// For spreadsheets
    Csv,
}

/// An integer within bounds, which an error names.
fn integer<N>(text: &str, bounds: RangeInclusive<N>) -> Result<N, String>
where
    N: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    // Rust's own parser takes a leading plus sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| digits);
    number
        .filter(|number| bounds.contains(number))
        .ok_or_else(|| {
            format!(
                "expected an integer from {} to {}",
                bounds.start(),
                bounds.end()
            )
        })
}

impl RunCommand for ForecastOptions {
    fn run(&self) -> ExitCode {
        let text = match read(&self.file) {
            Ok(text) => text,
            Err(error) => return fail(error),
        };
        match Campaign::parse(&text) {
            Ok(campaign) => self.simulate(&campaign),
            Err(error) => refuse_file(&self.file, &error.to_string()),
        }
    }
}

impl ForecastOptions {
    /// Simulates the campaign of the file and prints what comes of it.
    fn simulate(&self, campaign: &Campaign) -> ExitCode {
        let turnout = match self.turnout.or_of_the_file(campaign.forecast) {
            Ok(turnout) => turnout,
            Err(why) => return fail(why),
        };
        let draws = turnout.draws().saturating_mul(self.runs.into());
        if draws > DRAWS_OF_ALL_RUNS_MAX {
            return fail(format_args!(
                "{} draws in each of {} runs make {draws} draws; a forecast makes at most \
                 {DRAWS_OF_ALL_RUNS_MAX}: give fewer --runs",
                turnout.draws(),
                self.runs
            ));
        }
        let (forecast, summary) =
            watched_simulation(Forecast::new(campaign, turnout, self.seed), self.runs);
        match self.format {
            _ if self.json => say_json(&json::document(&forecast, &summary)),
            Format::Json => say_json(&json::document(&forecast, &summary)),
            Format::Csv => say(csv::text(&summary)),
            Format::Table => say(table::text(&forecast, &summary)),
        }
        ExitCode::SUCCESS
    }
}

impl TurnoutOptions {
    fn or_of_the_file(&self, expected: Option<Turnout>) -> Result<Turnout, String> {
        let numbers = [
            (self.users, expected.map(Turnout::users), "--users"),
            (
                self.draws_per_user,
                expected.map(Turnout::draws_per_user),
                "--draws-per-user",
            ),
            (self.days, expected.map(Turnout::days), "--days"),
        ];
        let numbers = numbers.map(|(given, expected, option)| given.or(expected).ok_or(option));
        match numbers {
            [Ok(users), Ok(draws_per_user), Ok(days)] => {
                Turnout::new(users, draws_per_user, days).map_err(|why| why.to_string())
            }
            missing => {
                let missing: Vec<_> = missing.into_iter().filter_map(Result::err).collect();
                Err(format!(
                    "{} {} missing: the file has no section [forecast] that says it",
                    missing.join(" and "),
                    if missing.len() == 1 { "is" } else { "are" }
                ))
            }
        }
    }
}

/// What `campaign publish` says of the turnout that a file expects; nothing of a file that expects
/// none. The work is bounded.
pub(super) fn of_publication(campaign: &Campaign) -> Option<String> {
    let turnout = campaign.forecast?;
    let runs = (DRAWS_OF_A_PUBLICATION / turnout.draws()).min(RUNS_OF_A_PUBLICATION);
    let Some(runs) = u32::try_from(runs).ok().filter(|&runs| runs > 0) else {
        return Some(format!(
            "forecast: not made here, since {} draws take too long; see `drawbridge campaign forecast`\n",
            turnout.draws()
        ));
    };
    let forecast = Forecast::new(campaign, turnout, SEED);
    let summary = simulate(&forecast, runs, &|_| ());
    Some(table::brief(&forecast, &summary))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(options: [Option<u32>; 3]) -> String {
        let [users, draws_per_user, days] = options;
        let options = TurnoutOptions {
            users,
            draws_per_user,
            days,
        };
        options.or_of_the_file(None).expect_err("incomplete")
    }

    #[test]
    fn options_come_before_the_file() {
        let expected = Turnout::new(10, 20, 30).expect("a turnout");
        let options = TurnoutOptions {
            users: None,
            draws_per_user: Some(7),
            days: None,
        };
        assert_eq!(
            options.or_of_the_file(Some(expected)),
            Ok(Turnout::new(10, 7, 30).expect("a turnout"))
        );
        assert_eq!(
            missing([Some(1), Some(1), None]),
            "--days is missing: the file has no section [forecast] that says it"
        );
        assert_eq!(
            missing([None, Some(1), None]),
            "--users and --days are missing: the file has no section [forecast] that says it"
        );
    }

    #[test]
    fn integers_are_within_their_bounds() {
        assert_eq!(integer("7", 1..=9_u32), Ok(7));
        assert_eq!(integer("18446744073709551615", 0..=u64::MAX), Ok(u64::MAX));
        for bad in [
            "",
            "0",
            "10",
            "-1",
            "+1",
            "1.5",
            "x",
            "99999999999999999999",
        ] {
            assert_eq!(
                integer(bad, 1..=9_u32),
                Err("expected an integer from 1 to 9".into()),
                "{bad}"
            );
        }
    }
}
