//! The Makefile: what it says of itself, and a port that is taken.
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::Command;

use super::{shipped, text};
use crate::support::{Ran, run};

async fn make(arguments: &[&str]) -> Ran {
    let mut command = Command::new("make");
    // Not as a part of the `make` that runs the tests.
    command
        .args(arguments)
        .current_dir(shipped(""))
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .env_remove("PORT");
    run(command).await
}

#[tokio::test]
async fn make_help_lists_every_target() {
    let reported = make(&["--no-print-directory", "help"]).await.ok();
    let listed: BTreeSet<&str> = reported
        .lines()
        .filter_map(|line| line.split(' ').next())
        .filter(|word| !word.is_empty())
        .collect();
    let file = text("Makefile");
    let targets = file
        .lines()
        .find_map(|line| line.strip_prefix(".PHONY: "))
        .expect("the targets");
    assert_eq!(listed, targets.split(' ').collect());
}

#[tokio::test]
async fn make_run_takes_another_port_and_says_so_of_one_that_is_taken_before_it_builds() {
    let plan = make(&["--no-print-directory", "--dry-run", "run"])
        .await
        .ok();
    assert!(
        plan.trim_end().ends_with("-- serve"),
        "a configuration in the environment counts: {plan}"
    );
    let plan = make(&[
        "--no-print-directory",
        "--dry-run",
        "run",
        "PORT=8191",
        "DATA=x",
    ])
    .await
    .ok();
    assert!(
        plan.contains("--data \"x\"")
            && plan.contains("--listen 127.0.0.1:8191 --admin 127.0.0.1:8192"),
        "{plan}"
    );

    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let check = async |port: &str| {
        let mut command = Command::new(shipped("deploy/check-ports"));
        command.arg(port);
        run(command).await
    };
    // A port that is too high to have a next one is none of those that are chosen.
    if port.parse::<u16>().is_ok_and(|port| port < 65_000) {
        let reported = check(&port).await.failed(1);
        assert!(
            reported.contains(&format!("listens on port {port}"))
                && reported.contains("make run PORT="),
            "{reported}"
        );
    }
    for bad in ["", "80x", "0", "99999", "-1"] {
        assert!(
            check(bad).await.failed(2).contains("expected a port"),
            "{bad}"
        );
    }
}
