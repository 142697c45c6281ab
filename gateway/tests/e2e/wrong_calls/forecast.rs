//! Numbers that no forecast simulates.
use super::{ACTIVITY, difference};
use crate::support::Place;
use crate::support::campaign::scarce;

/// The end of what the command line itself refuses.
const HELP: &str = "\n\nFor more information, try '--help'.\n";

/// An option, what is given for it, and what is expected.
const OUT_OF_BOUNDS: [(&str, &str, &str); 10] = [
    ("users", "0", "1 to 10000000"),
    ("users", "-5", "1 to 10000000"),
    ("users", "10000001", "1 to 10000000"),
    ("users", "1.5", "1 to 10000000"),
    ("draws-per-user", "0", "1 to 1000000"),
    ("draws-per-user", "99999999999999999999", "1 to 1000000"),
    ("days", "3661", "1 to 3660"),
    ("runs", "0", "1 to 10000"),
    ("runs", "10001", "1 to 10000"),
    ("seed", "-1", "0 to 18446744073709551615"),
];

#[tokio::test]
async fn a_forecast_says_what_it_cannot_simulate() {
    let place = Place::new();
    let mut differences = Vec::new();
    for (option, given, expected) in OUT_OF_BOUNDS {
        let option = format!("--{option}");
        let arguments = ["campaign", "forecast", "FILE", &option, given];
        let name = if option == "--seed" { "S" } else { "N" };
        let message = format!(
            "error: invalid value '{given}' for '{option} <{name}>': expected an integer from {expected}{HELP}"
        );
        let ran = place.run(&arguments).await;
        differences.extend(difference(&arguments, &ran, 2, &message));
    }

    let file = place.file("scarce.toml", scarce(ACTIVITY, 12));
    let all = [
        "--users",
        "10000000",
        "--draws-per-user",
        "100",
        "--days",
        "9",
    ];
    let more = [&all[..3], &["101"], &all[4..]].concat();
    let faulty = place.file("faulty.toml", "format = 1\n[forecast]\nusers = 1\n");
    let cases: [(&str, &[&str], &str); 5] = [
        (
            &file,
            &[],
            "drawbridge: --users and --draws-per-user and --days are missing: \
             the file has no section [forecast] that says it\n",
        ),
        (
            &file,
            &all[..4],
            "drawbridge: --days is missing: the file has no section [forecast] that says it\n",
        ),
        (
            &file,
            &more,
            "drawbridge: 10000000 users with 101 draws each make 1010000000 draws; \
             a forecast simulates at most 1000000000: give fewer users or draws\n",
        ),
        (
            &file,
            &[&all[..], &["--runs", "101"]].concat(),
            "drawbridge: 1000000000 draws in each of 101 runs make 101000000000 draws; \
             a forecast makes at most 100000000000: give fewer --runs\n",
        ),
        (
            "nowhere.toml",
            &all,
            "drawbridge: the campaign file nowhere.toml cannot be read: \
             No such file or directory (os error 2)\n",
        ),
    ];
    for (file, options, message) in cases {
        let arguments = [&["campaign", "forecast", file][..], options].concat();
        let ran = place.run(&arguments).await;
        differences.extend(difference(&arguments, &ran, 2, message));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));

    let message = place
        .run(&["campaign", "forecast", &faulty])
        .await
        .failed(1);
    let expected = "line 2, forecast.days: missing: expected an integer from 1 to 3660";
    assert!(message.contains(expected), "{message}");
    let both = ["campaign", "forecast", &file, "--json", "--format", "csv"];
    let message = place.run(&both).await.failed(2);
    assert!(message.contains("cannot be used with"), "{message}");
}
