//! Calls that the command line itself refuses.
use std::process::Command;

use super::{Case, difference};
use crate::support::{Place, run};

/// The end of all that the command line itself refuses.
const HELP: &str = "\n\nFor more information, try '--help'.\n";

macro_rules! missing {
    ($command:literal, $others:literal) => {
        concat!(
            "the following required arguments were not provided:\n  --reason <WHY>\n\nUsage: drawbridge ",
            $command,
            " --reason <WHY>",
            $others
        )
    };
}

macro_rules! no_time {
    ($given:literal) => {
        concat!(
            "invalid value '",
            $given,
            "' for '--for <TIME>': expected a time of at least one second, such as 90s, 10m or 2h"
        )
    };
}

/// What the command line refuses before anything is looked at; `HELP` follows.
const NOT_UNDERSTOOD: [Case; 37] = [
    (
        &["stock", "add", "A", "1", "1", "--reason", "why"],
        2,
        "invalid value 'A' for '<ACTIVITY>': expected an integer from 1 to 9223372036854775807",
    ),
    (
        &["stock", "add", "200003", "1", "1x", "--reason", "why"],
        2,
        "invalid value '1x' for '<UNITS>': expected an integer from 1 to 1000000000000",
    ),
    (
        &["stock", "withdraw", "200003", "1", "-1", "--reason", "why"],
        2,
        "invalid value '-1' for '<UNITS>': expected an integer from 1 to 1000000000000",
    ),
    (
        &[
            "stock",
            "add",
            "200003",
            "1",
            "99999999999999999999",
            "--reason",
            "why",
        ],
        2,
        "invalid value '99999999999999999999' for '<UNITS>': expected an integer from 1 to 1000000000000",
    ),
    (
        &["stock", "add", "200003", "1", "1"],
        2,
        "the following required arguments were not provided:\n  --reason <WHY>\n\nUsage: drawbridge stock add --reason \
         <WHY> <ACTIVITY> <AWARD> <UNITS>",
    ),
    (
        &["stock", "add", "200003", "1", "1", "--reason", ""],
        2,
        EMPTY_REASON,
    ),
    (
        &["stock", "withdraw", "200003", "1", "1", "--reason", " "],
        2,
        NO_REASON,
    ),
    (&["stock", "rebuild", "--reason", " "], 2, NO_REASON),
    (
        &["chances", "grant", "u1", "7", "0", "--reason", "why"],
        2,
        "invalid value '0' for '<N>': expected an integer from 1 to 1000000",
    ),
    (
        &["chances", "grant", "u1", "7", "1000001", "--reason", "why"],
        2,
        "invalid value '1000001' for '<N>': expected an integer from 1 to 1000000",
    ),
    (
        &["chances", "grant", "u1", "7", "1", "--reason", "a\tb"],
        2,
        "invalid value 'a\tb' for '--reason <WHY>': expected one line without control and format characters",
    ),
    (
        &["chances", "grant", "u1", "7", "1"],
        2,
        missing!("chances grant", " <USER> <ACTIVITY> <N>"),
    ),
    (
        &["switch", "set", "draw", "off", "--reason", " "],
        2,
        NO_REASON,
    ),
    (
        &["breaker", "set", "shard-0", "automatic", "--reason", " "],
        2,
        NO_REASON,
    ),
    (&["audit", "--repair", "--reason", " "], 2, NO_REASON),
    (
        &["switch", "set", "draw", "10", "--reason", "why"],
        2,
        "invalid value '10' for '<VALUE>': expected on, off or a percentage such as 30% or 0.5%, not \"10\"",
    ),
    (
        &[
            "switch", "set", "draw", "on", "--for", "10x", "--reason", "why",
        ],
        2,
        "invalid value '10x' for '--for <TIME>': expected a time of at least one second, such as 90s, 10m or 2h",
    ),
    (
        &["breaker", "set", "shard-0", "closed", "--reason", "why"],
        2,
        "invalid value 'closed' for '<MODE>'\n  [possible values: automatic, forced_open, forced_closed]",
    ),
    // A change needs a reason.
    (
        &["switch", "set", "draw", "off"],
        2,
        missing!("switch set", " <SWITCH> <VALUE>"),
    ),
    (
        &["breaker", "clear", "shard-0"],
        2,
        missing!("breaker clear", " <BREAKER>"),
    ),
    (
        &["limits", "set", "user", "5"],
        2,
        missing!("limits set", " <TARGET> <RATE>"),
    ),
    (
        &["gateways", "out", "gateway-0"],
        2,
        missing!("gateways out", " <NAME>"),
    ),
    (&["reload"], 2, missing!("reload", "")),
    (&["log", "clear"], 2, missing!("log clear", "")),
    (&["limits", "clear", "user", "--reason", " "], 2, NO_REASON),
    (&["cooldown", "clear", "u1", "--reason", " "], 2, NO_REASON),
    (
        &["gateways", "forget", "gateway-0", "--reason", " "],
        2,
        NO_REASON,
    ),
    (&["reload", "--reason", " "], 2, NO_REASON),
    (
        &["cooldown", "set", "u1", "--for", "0s", "--reason", "why"],
        2,
        no_time!("0s"),
    ),
    (
        &[
            "gateways",
            "out",
            "gateway-0",
            "--for",
            "soon",
            "--reason",
            "why",
        ],
        2,
        no_time!("soon"),
    ),
    (
        &["cooldown", "clear", "u1 ", "--reason", "why"],
        2,
        UNTRIMMED_USER,
    ),
    (&["order", "u1 "], 2, UNTRIMMED_USER),
    (
        &["switch", "clear", "drwa", "--reason", "why"],
        2,
        "invalid value 'drwa' for '<SWITCH>': there is no switch \"drwa\"; there are draw, fallback_only, read_only, \
         signin, exchange, rewards and limits",
    ),
    (
        &["config", "show", "--admin", "nonsense"],
        2,
        "invalid value 'nonsense' for '--admin <URL>': expected an address such as http://127.0.0.1:8092, \
         localhost:8092 or https://gateway-0.internal:8092",
    ),
    (
        &["route", "u1 "],
        2,
        "invalid value 'u1 ' for '<USER>...': a user id must not begin or end with white space",
    ),
    (
        &["chek-config"],
        2,
        "unrecognized subcommand 'chek-config'\n\n  tip: a similar subcommand exists: 'check-config'\n\nUsage: drawbridge \
         <COMMAND>",
    ),
    (
        &["completions", "tcsh"],
        2,
        "invalid value 'tcsh' for '<SHELL>'\n  [possible values: bash, elvish, fish, powershell, zsh]\n\n  tip: a similar \
         value exists: 'zsh'",
    ),
];

const NO_REASON: &str =
    "invalid value ' ' for '--reason <WHY>': say in a few words why, for the audit log";
const UNTRIMMED_USER: &str =
    "invalid value 'u1 ' for '<USER>': a user id must not begin or end with white space";
const EMPTY_REASON: &str =
    "invalid value '' for '--reason <WHY>': say in a few words why, for the audit log";

#[tokio::test]
async fn the_command_line_says_what_it_does_not_understand() {
    let place = Place::new();
    let mut differences = Vec::new();
    for (arguments, code, message) in NOT_UNDERSTOOD {
        let ran = place.run(arguments).await;
        differences.extend(difference(
            arguments,
            &ran,
            code,
            &format!("error: {message}{HELP}"),
        ));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(!place.data().exists(), "it made a folder");
}

#[tokio::test]
async fn shells_take_the_completions() {
    let place = Place::new();
    let script = place.file(
        "completions",
        place.run(&["completions", "bash"]).await.ok(),
    );
    let mut bash = Command::new("bash");
    bash.args([
        "--norc",
        "-c",
        "source \"$1\" && complete -p drawbridge",
        "bash",
        &script,
    ]);
    assert!(run(bash).await.ok().contains("drawbridge"));
    for shell in ["zsh", "fish"] {
        let script = place.run(&["completions", shell]).await.ok();
        assert!(
            script.contains("campaign") && script.contains("withdraw"),
            "{shell}"
        );
    }
}
