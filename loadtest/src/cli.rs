//! The command line. Each command checks here what keeps its run short and on this machine.

use clap::{Parser, Subcommand};

use crate::audit::AuditArgs;
use crate::bench::BenchArgs;
use crate::bench::audit_load::AuditLoadArgs;
use crate::bench::export_load::ExportLoadArgs;
use crate::bench::growth::GrowthArgs;
use crate::bench::mixed::MixedArgs;
use crate::bench::pair::PairArgs;
use crate::bench::soak::SoakArgs;
use crate::drive::DriveArgs;
use crate::hello::HelloArgs;
use crate::load::LoadArgs;
use crate::verify::VerifyArgs;

/// Load driver and benchmarks of the draw gateway; connects to loopback addresses only.
#[derive(Debug, Parser)]
#[command(name = "loadtest", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: LoadCommand,
}

/// What to run.
#[derive(Debug, Subcommand)]
pub(crate) enum LoadCommand {
    /// Load a gateway in a closed loop: each connection sends its next request after the response
    /// to the last one.
    Drive(DriveArgs),
    /// Load a server in an open loop: by a schedule that the server cannot slow down. Reports how
    /// long users waited.
    Load(LoadArgs),
    /// Read the draws that a drive or a load kept from a gateway; exit code 1 when one is missing
    /// or differs.
    Verify(VerifyArgs),
    /// Compare the draws that users received with those in the shards; exit code 1 when they
    /// differ.
    Audit(AuditArgs),
    /// Serve a fixed response to any POST: the upper limit of the edge.
    Hello(HelloArgs),
    /// Measure the gateway next to a bare server and bare inserts, and write the results.
    Bench(BenchArgs),
    /// Measure two builds of the gateway in turn; exit code 1 when this one is too slow beside the
    /// other.
    Pair(PairArgs),
    /// Measure a mix of calls, draws that pay points, and purchases, beside draws alone; exit code 1
    /// when the mix is too slow.
    Mixed(MixedArgs),
    /// Measure how the cost of a draw grows with shards, prizes, accounts and connections.
    Growth(GrowthArgs),
    /// Load a cluster for a long time, and check that latency, rate and memory stay the same.
    Soak(SoakArgs),
    /// Audit a cluster with millions of orders during draws, and check that none is refused.
    AuditLoad(AuditLoadArgs),
    /// Export the results of millions of orders, alone and during draws, and check speed, memory and
    /// what draws wait.
    ExportLoad(ExportLoadArgs),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drive(args: &[&str]) -> Result<Cli, clap::Error> {
        let fixed = ["loadtest", "drive", "--url", "http://127.0.0.1:8091"];
        Cli::try_parse_from(fixed.iter().chain(args))
    }

    #[test]
    fn the_documented_call_is_accepted() {
        let text = "--connections 512 --seconds 10 --users 1000000 --activity 200001 --warmup-seconds 2 --json";
        let args: Vec<&str> = text.split(' ').collect();
        let LoadCommand::Drive(args) = drive(&args).expect("accepted").command else {
            panic!("another command");
        };
        assert_eq!(args.plan.connections, 512);
        assert_eq!(args.plan.activity, 200_001);
        assert!(args.json);
    }

    #[test]
    fn bounds_hold_at_both_edges() {
        for (option, inside, outside) in [
            ("--connections", ["1", "10000"], ["0", "10001"]),
            ("--seconds", ["1", "600"], ["0", "601"]),
            ("--warmup-seconds", ["0", "60"], ["-1", "61"]),
            ("--threads", ["1", "64"], ["0", "65"]),
            ("--users", ["1", "1000000000"], ["0", "1000000001"]),
        ] {
            for value in inside {
                assert!(drive(&[option, value]).is_ok(), "{option} {value}");
            }
            for value in outside {
                assert!(drive(&[option, value]).is_err(), "{option} {value}");
            }
        }
    }

    #[test]
    fn a_load_has_one_schedule_and_keeps_only_calls_with_a_key() {
        let load = |options: &str| {
            let fixed = ["loadtest", "load", "--url", "http://127.0.0.1:8091"];
            Cli::try_parse_from(fixed.into_iter().chain(options.split_whitespace())).map(drop)
        };
        for options in [
            "",
            "--rate 5 --seconds 2",
            "--profile ramp:0..5:1s",
            "--no-key",
            "--keep f",
            "--spread zipf:1",
        ] {
            assert!(load(options).is_ok(), "{options}");
        }
        for options in [
            "--profile hold:1:1s --rate 5",
            "--profile hold:1",
            "--no-key --keep f",
            "--retries 21",
            "--timeout-ms 0",
        ] {
            assert!(load(options).is_err(), "{options}");
        }
    }

    #[test]
    fn an_audit_reads_either_a_cluster_or_a_folder() {
        let audit = |options: &str| {
            let fixed = ["loadtest", "audit", "--file", "f"];
            Cli::try_parse_from(fixed.into_iter().chain(options.split_whitespace())).map(drop)
        };
        assert!(audit("--data d").is_ok() && audit("--cluster c").is_ok());
        for options in ["", "--data d --cluster c", "--data d --sample 5"] {
            assert!(audit(options).is_err(), "{options}");
        }
    }

    #[test]
    fn growth_has_steps_by_default_and_takes_others() {
        let steps =
            |args: &[&str]| match Cli::try_parse_from(["loadtest", "growth"].iter().chain(args))?
                .command
            {
                LoadCommand::Growth(args) => Ok(args.steps.len()),
                _ => panic!("another command"),
            };
        let steps = |args: &[&str]| steps(args).map_err(|e: clap::Error| e.to_string());
        assert_eq!(steps(&[]), Ok(18));
        assert_eq!(steps(&["--steps", "shards=1,accounts=10"]), Ok(2));
        assert!(steps(&["--steps", "shards=0"]).is_err());
    }

    #[test]
    fn a_part_of_a_bench_has_a_name() {
        assert!(Cli::try_parse_from(["loadtest", "bench", "--only", "cluster"]).is_ok());
        assert!(Cli::try_parse_from(["loadtest", "bench", "--only", "everything"]).is_err());
    }

    #[test]
    fn a_pair_has_a_base_and_a_floor_that_is_a_ratio() {
        let pair = |options: &str| {
            Cli::try_parse_from(
                ["loadtest", "pair"]
                    .into_iter()
                    .chain(options.split_whitespace()),
            )
            .map(drop)
        };
        for options in [
            "",
            "--floor 1.02 --pairs 1",
            "--cases draws --base-tree t --base-name n",
        ] {
            assert!(
                pair(&format!("--base-drawbridge d {options}")).is_ok(),
                "{options}"
            );
        }
        assert!(pair("").is_err());
        for options in [
            "--floor 0",
            "--floor nan",
            "--floor 97",
            "--pairs 0",
            "--cases embedded",
        ] {
            assert!(
                pair(&format!("--base-drawbridge d {options}")).is_err(),
                "{options}"
            );
        }
    }

    #[test]
    fn mixed_and_export_load_have_bounds() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' ')).map(drop);
        for line in [
            "loadtest mixed",
            "loadtest mixed --connections 64,512 --floor 0.5 --rounds 1",
            "loadtest export-load --orders 10000 --rates 5000,0",
        ] {
            assert!(parse(line).is_ok(), "{line}");
        }
        for line in [
            "loadtest mixed --connections 0",
            "loadtest mixed --floor 80",
            "loadtest export-load --orders 5",
            "loadtest export-load --rates x",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn other_machines_are_refused() {
        for url in ["http://10.0.0.1:80", "http://example.com:80"] {
            assert!(Cli::try_parse_from(["loadtest", "drive", "--url", url]).is_err());
            let verify = ["loadtest", "verify", "--file", "f", "--url", url];
            assert!(Cli::try_parse_from(verify).is_err());
            assert!(Cli::try_parse_from(["loadtest", "load", "--url", url]).is_err());
            let audit = [
                "loadtest", "audit", "--file", "f", "--data", "d", "--url", url,
            ];
            assert!(Cli::try_parse_from(audit).is_err());
        }
        assert!(Cli::try_parse_from(["loadtest", "hello", "--listen", "0.0.0.0:0"]).is_err());
    }
}
