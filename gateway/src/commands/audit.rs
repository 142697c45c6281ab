//! `drawbridge audit`: checks the invariants over all shards.
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use shards::audit::{AuditProgress, AuditReport, AuditVerdict};

use super::block_on::block_on;
use super::output::{FAILED, REFUSED, complain, fail, say};
use super::progress::{rate, watched};
use super::record::{name, operator, reason};
use super::run_command::RunCommand;
use super::storage::StorageArguments;

/// What to audit, and how to print the result.
#[derive(Debug, Args)]
pub struct AuditOptions {
    #[command(flatten)]
    storage: StorageArguments,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// First repair what is safe to repair: set back accounts that count for a day which has not
    /// begun, because a clock was ahead; in a cluster decide over open grants, deliver recorded
    /// operations, and count again what is left where the sum is wrong. Orders are never touched
    #[arg(long, requires = "reason")]
    repair: bool,
    /// Why the repair is made, for the record
    #[arg(long, value_name = "WHY", requires = "repair", value_parser = reason)]
    reason: Option<String>,
    /// Who makes it, for the record [default: the name of the user who runs the command]
    #[arg(long, value_name = "NAME", requires = "repair", value_parser = name)]
    who: Option<String>,
}

impl RunCommand for AuditOptions {
    fn storage(&self) -> Option<&StorageArguments> {
        Some(&self.storage)
    }

    fn run(&self) -> ExitCode {
        let report = match block_on(look(self)) {
            Ok(report) => report,
            Err(error) => return fail(error),
        };
        if self.json {
            say(format_args!("{}\n", report.to_json()));
        } else {
            say(&report);
        }
        match report.verdict() {
            AuditVerdict::Holds => ExitCode::SUCCESS,
            AuditVerdict::Broken => ExitCode::from(REFUSED),
            AuditVerdict::Unknown => ExitCode::from(FAILED),
        }
    }
}

type Looked = Result<AuditReport, Box<dyn std::error::Error>>;

async fn look(options: &AuditOptions) -> Looked {
    let progress = AuditProgress::default();
    let installation = options.storage.open().await?;
    let why = options.reason.as_deref().filter(|_| options.repair);
    let work = async {
        let Some(why) = why else {
            return Ok(installation.audit(&progress).await?);
        };
        let who = options.who.clone().unwrap_or_else(operator);
        // What was done is said on standard error.
        let mut reported = |line: String| complain(format_args!("{line}\n"));
        Ok(installation
            .repair_and_audit(&who, why, &progress, &mut reported)
            .await?)
    };
    watched(|passed| line(&progress, passed), work).await
}

fn line(progress: &AuditProgress, passed: Duration) -> String {
    let (tables, done, orders) = (progress.tables(), progress.tables_done(), progress.orders());
    let rate = rate(orders, passed);
    let what = if tables > 0 && done == tables {
        "; comparing the stock"
    } else {
        ""
    };
    format!("audit: {done} of {tables} tables, {orders} orders, {rate} a second{what}")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct CommandLine {
        #[command(flatten)]
        options: AuditOptions,
    }

    #[test]
    fn a_repair_has_a_reason_and_nothing_else_has() {
        let accepts = |arguments: &[&str]| {
            CommandLine::try_parse_from([&["audit"], arguments].concat()).is_ok()
        };
        assert!(
            accepts(&[])
                && accepts(&[
                    "--repair",
                    "--reason",
                    "a clock was ahead",
                    "--who",
                    "alice"
                ])
        );
        for arguments in [
            &["--repair"][..],
            &["--repair", "--reason", ""],
            &["--repair", "--reason", " "],
            &["--reason", "why"],
            &["--who", "alice"],
        ] {
            assert!(!accepts(arguments), "{arguments:?}");
        }
        let given = CommandLine::try_parse_from(["audit", "--repair", "--reason", "why"])
            .expect("accepted")
            .options;
        assert_eq!((given.repair, given.reason.as_deref()), (true, Some("why")));
    }

    #[test]
    fn the_line_of_an_audit_that_has_just_begun_divides_by_nothing() {
        assert_eq!(
            line(&AuditProgress::default(), Duration::ZERO),
            "audit: 0 of 0 tables, 0 orders, 0 a second"
        );
    }
}
