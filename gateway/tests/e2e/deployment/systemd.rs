//! The units: systemd itself reads them, and says how much they let a program do.
use std::collections::BTreeSet;

use super::{drain_s, secrets_of, shipped, text};
use crate::support::{Place, run};

const PROGRAM: &str = "/usr/local/bin/drawbridge";

/// From 0 for nothing at all to 100 for everything; units of their own accord have 96.
const EXPOSURE_MAX: &str = "20";

fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    unit.lines()
        .filter_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        .collect()
}

async fn analyze(words: &[&str], place: &Place) {
    let mut command = std::process::Command::new("systemd-analyze");
    command.args(words).current_dir(place.path(""));
    let ran = run(command).await;
    // What it does not understand it says, and goes on.
    assert_eq!(
        (ran.code, ran.stderr.as_str()),
        (Some(0), ""),
        "{words:?}: {}",
        ran.stdout
    );
}

#[tokio::test]
async fn systemd_understands_the_units_and_finds_them_well_confined() {
    let place = Place::new();
    for name in ["drawbridge.service", "drawbridge-migrate.service"] {
        let unit = text(&format!("deploy/systemd/{name}"));
        // It wants the program to be there.
        place.file(
            name,
            unit.replace(PROGRAM, env!("CARGO_BIN_EXE_drawbridge")),
        );
    }
    let folder = place.path("drawbridge.service.d");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::copy(
        shipped("deploy/systemd/cluster.conf"),
        folder.join("cluster.conf"),
    )
    .expect("a copy");
    analyze(
        &[
            "verify",
            "--man=no",
            "./drawbridge.service",
            "./drawbridge-migrate.service",
        ],
        &place,
    )
    .await;
    let threshold = format!("--threshold={EXPOSURE_MAX}");
    analyze(
        &[
            "security",
            "--offline=true",
            "--no-pager",
            &threshold,
            "./drawbridge.service",
        ],
        &place,
    )
    .await;
}

#[tokio::test]
async fn the_units_start_what_the_program_knows_and_wait_for_its_drain() {
    let unit = text("deploy/systemd/drawbridge.service");
    assert_eq!(
        values(&unit, "ExecStart"),
        [format!(
            "{PROGRAM} serve --config /etc/drawbridge/drawbridge.toml"
        )]
    );
    let stop_s: u64 = values(&unit, "TimeoutStopSec")[0].parse().expect("seconds");
    for config in ["embedded.toml", "cluster.toml"] {
        assert!(
            stop_s > drain_s(&text(&format!("deploy/systemd/{config}"))),
            "{config}"
        );
    }
    let embedded: toml::Table = text("deploy/systemd/embedded.toml").parse().expect("TOML");
    assert_eq!(values(&unit, "StateDirectory"), ["drawbridge"]);
    assert_eq!(
        embedded["storage"]["data"].as_str(),
        Some("/var/lib/drawbridge")
    );
    // `--help` ends with 0 where the subcommand is known.
    let migrate = text("deploy/systemd/drawbridge-migrate.service");
    let words = values(&migrate, "ExecStart")[0]
        .strip_prefix(PROGRAM)
        .expect("the program")
        .trim();
    let mut words: Vec<_> = words.split(' ').collect();
    words.push("--help");
    Place::new().run(&words).await.ok();
}

#[test]
fn each_secret_of_the_clusters_configuration_is_a_credential_of_the_unit() {
    let unit = text("deploy/systemd/cluster.conf");
    let given: BTreeSet<_> = values(&unit, "LoadCredential")
        .iter()
        .map(|line| line.split(':').next().expect("a name").to_owned())
        .collect();
    assert_eq!(given, secrets_of(&text("deploy/systemd/cluster.toml")));
    // The migration finds them in the folder that they come from.
    let migrate = text("deploy/systemd/drawbridge-migrate.service");
    let bound = values(&migrate, "BindReadOnlyPaths")[0];
    let (from, to) = bound.split_once(':').expect("two paths");
    assert!(super::SECRETS.contains(&format!("{to}/").as_str()), "{to}");
    for line in values(&unit, "LoadCredential") {
        let (name, path) = line.split_once(':').expect("a name and a path");
        assert_eq!(path, format!("{from}/{name}"));
    }
}
