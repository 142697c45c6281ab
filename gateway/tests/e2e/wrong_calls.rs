//! Wrong calls of the program: each has its exit code and its exact message, which says what was
//! given, what is expected and what helps.
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use crate::support::campaign::{SCARCE_AWARD, scarce};
use crate::support::{Place, Ran, Server, run, text_of};

/// A published activity with twelve units of its award 1.
const ACTIVITY: u64 = 200_003;

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

/// The arguments, the exit code and the message; `PLACE` stands for the folder of the test.
type Case = (&'static [&'static str], i32, &'static str);

/// What commands refuse.
const REFUSED: [Case; 30] = [
    // There is less than was asked for.
    (
        &[
            "stock", "withdraw", "200003", "1", "1000", "--reason", "a slip", "--data", "data",
        ],
        1,
        "award 1 of activity 200003: 12 of 12 units are left, not 1000; withdraw 12 or fewer",
    ),
    // Things that are not there, and those that are.
    (
        &["stock", "show", "--activity", "7", "--data", "data"],
        1,
        "activity 7 is not published; 200003 is",
    ),
    (
        &[
            "stock", "add", "7", "1", "1", "--reason", "why", "--data", "data",
        ],
        1,
        "activity 7 is not published; 200003 is",
    ),
    (
        &[
            "stock", "withdraw", "200003", "9", "1", "--reason", "why", "--data", "data",
        ],
        1,
        "activity 200003 has no award 9 with limited stock; award 1 is limited",
    ),
    (
        &[
            "stock", "add", "200003", "101", "1", "--reason", "why", "--data", "data",
        ],
        1,
        "activity 200003 has no award 101 with limited stock; award 1 is limited",
    ),
    (
        &["stock", "rebuild", "--reason", "why", "--data", "data"],
        1,
        "the embedded default counts its stock again at each start",
    ),
    (
        &[
            "chances", "grant", "u1", "7", "1", "--reason", "why", "--data", "started",
        ],
        1,
        UNKNOWN_ACTIVITY,
    ),
    (
        &[
            "chances", "grant", "u1", "200003", "1", "--reason", "why", "--data", "data",
        ],
        2,
        "no server has served from this data folder yet",
    ),
    // A folder that is not there: nobody makes one where nobody named it.
    (&["campaign", "publish", "scarce.toml"], 2, NO_FOLDER),
    (&["campaign", "list"], 2, NO_FOLDER),
    (&["stock", "show"], 2, NO_FOLDER),
    (
        &["stock", "add", "200003", "1", "1", "--reason", "why"],
        2,
        NO_FOLDER,
    ),
    (
        &["chances", "grant", "u1", "200003", "1", "--reason", "why"],
        2,
        NO_FOLDER,
    ),
    (&["audit"], 2, NO_FOLDER),
    (
        &["campaign", "list", "--data", "empty"],
        2,
        "there is no data folder at PLACE/empty (the folder has no meta.sqlite): `drawbridge serve` makes it when it \
         first starts; name one that is elsewhere: --data DIR",
    ),
    // Files of another kind.
    (
        &[
            "campaign",
            "publish",
            "scarce.toml",
            "--data",
            "scarce.toml",
        ],
        2,
        "PLACE/scarce.toml/meta.sqlite: a part of its path is no folder",
    ),
    (
        &[
            "serve",
            "--data",
            "scarce.toml",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
        ],
        2,
        "PLACE/scarce.toml: is there and is no folder: name another one",
    ),
    (
        &["stock", "show", "--data", "foreign"],
        2,
        "the database is unavailable: foreign/meta.sqlite is no SQLite database: put the right file back, or name \
         another folder",
    ),
    (
        &["audit", "--data", "foreign"],
        2,
        "the database is unavailable: foreign/meta.sqlite is no SQLite database: put the right file back, or name \
         another folder",
    ),
    (
        &["campaign", "list", "--data", "never"],
        2,
        "the database is unavailable: never/meta.sqlite was made by another version, or never quite (error returned \
         from database: (code: 1) no such table: campaign): start `drawbridge serve` there",
    ),
    (
        &["campaign", "check", "nowhere.toml"],
        2,
        "the campaign file nowhere.toml cannot be read: No such file or directory (os error 2)",
    ),
    (
        &["campaign", "check", "binary"],
        2,
        "binary is no text in UTF-8",
    ),
    // Addresses.
    (
        &["serve", "--listen", "gateway-0:8091"],
        2,
        "the configuration has 1 fault(s):\n  --listen, http.listen: expected an IP address and a port such as \
         127.0.0.1:8091, found \"gateway-0:8091\"",
    ),
    (
        &[
            "serve",
            "--listen",
            "localhost:8091",
            "--admin",
            "127.0.0.1:8091",
        ],
        2,
        "the configuration has 1 fault(s):\n  --admin, http.admin: is 127.0.0.1:8091, and http.listen is \
         127.0.0.1:8091: give them two ports",
    ),
    (
        &["check-config", "--config", "open.toml"],
        1,
        "the configuration has 1 fault(s):\n  identity.kind: open believes any userId, so http.listen must be a loopback \
         address, not 0.0.0.0:8091; set trusted-header or jwt, or open_to_network where all who reach it may draw for \
         anybody",
    ),
    // Configurations.
    (
        &["check-config", "--config", "typo.toml"],
        1,
        "the configuration has 2 fault(s):\n  line 2, http.listne: unknown key; did you mean \"listen\"?\n  line 4, \
         lanes.batch_max: expected an integer from 1 to 1024, found 0",
    ),
    (
        &["audit", "--config", "nowhere.toml"],
        2,
        "config file nowhere.toml: No such file or directory (os error 2)",
    ),
    (
        &["route", "u1", "--data", "foreign"],
        2,
        "the database is unavailable: foreign/meta.sqlite is no SQLite database: put the right file back, or name \
         another folder",
    ),
    // Another layout than that of the first start.
    (
        &[
            "serve",
            "--config",
            "layout.toml",
            "--data",
            "started",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
        ],
        2,
        "the data folder has 2 shards of 4 tables, the configuration says 3 of 4: they are fixed at the first start; \
         configure storage.shards = 2 and storage.tables = 4, or name another folder: --data DIR",
    ),
    (
        &["campaign", "publish", "recounted.toml", "--data", "data"],
        1,
        "recounted.toml is refused:\naward 1 was published with 12 units, the file says 13: use `drawbridge stock \
         add` to change its stock, and leave the count as it was",
    ),
];

const UNKNOWN_ACTIVITY: &str =
    "no activity 7 is published; `drawbridge campaign list` shows those that are";

const NO_FOLDER: &str = "there is no data folder at PLACE/data-that-nobody-made: `drawbridge serve` makes it when it first \
                         starts; name one that is elsewhere: --data DIR";

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
    // Who changes something says why.
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
         signin, exchange and limits",
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
    "invalid value ' ' for '--reason <WHY>': say in a few words why, for whoever reads the record";
const UNTRIMMED_USER: &str =
    "invalid value 'u1 ' for '<USER>': a user id must not begin or end with white space";
const EMPTY_REASON: &str =
    "invalid value '' for '--reason <WHY>': say in a few words why, for whoever reads the record";

/// What a running server refuses. `ADMIN` and `PLAYERS` stand for its addresses, `TOKEN` for the
/// file with its token, `NOBODY` for an address where nobody listens.
const REFUSED_BY_A_SERVER: [Case; 17] = [
    (
        &[
            "switch",
            "list",
            "--admin",
            "PLAYERS",
            "--token-file",
            "TOKEN",
        ],
        2,
        "http://PLAYERS: players draw here; --admin wants the server's admin address: http.admin of its configuration, \
         http://127.0.0.1:8092 by default",
    ),
    (
        &[
            "breaker",
            "list",
            "--admin",
            "NOBODY",
            "--token-file",
            "TOKEN",
        ],
        2,
        "http://NOBODY: nobody listens there: start `drawbridge serve`, or name the admin address of a server that runs \
         (http.admin of its configuration): --admin URL",
    ),
    (
        &["gateways", "--admin", "ADMIN", "--token-file", "nowhere"],
        2,
        "token: nowhere: No such file or directory (os error 2); --token-file FILE names another one: DATA/admin-token \
         is the embedded default's own",
    ),
    (
        &[
            "audit-log",
            "list",
            "--admin",
            "https://ADMIN",
            "--token-file",
            "TOKEN",
        ],
        2,
        "https://ADMIN: https:// needs --ca-file FILE, the authority of its certificate",
    ),
    (
        &[
            "switch",
            "set",
            "draw",
            "off",
            "--activity",
            "7",
            "--reason",
            "why",
            "--admin",
            "ADMIN",
            "--token-file",
            "TOKEN",
        ],
        2,
        "activity: 7 is not published; these are: 200003",
    ),
    (
        &[
            "switch",
            "set",
            "draw",
            "off",
            "--for",
            "10000h",
            "--reason",
            "why",
            "--admin",
            "ADMIN",
            "--token-file",
            "TOKEN",
        ],
        2,
        "forSeconds: expected 1 to 31622400, found 36000000",
    ),
    (
        &[
            "breaker",
            "set",
            "shard-9",
            "automatic",
            "--reason",
            "why",
            "--admin",
            "ADMIN",
            "--token-file",
            "TOKEN",
        ],
        2,
        "name: there is no breaker \"shard-9\"; there are shard-0, shard-1",
    ),
    (
        &[
            "breaker",
            "clear",
            "shard-9",
            "--reason",
            "why",
            "--admin",
            "ADMIN",
            "--token-file",
            "TOKEN",
        ],
        2,
        "name: there is no breaker \"shard-9\"; there are shard-0, shard-1",
    ),
    (
        &[
            "breaker",
            "clear",
            "shard-0",
            "--here",
            "--reason",
            "why",
            "--admin",
            "ADMIN",
            "--token-file",
            "TOKEN",
        ],
        2,
        "nothing is set for shard-0 on this gateway alone",
    ),
    (
        &[
            "limits",
            "set",
            "user",
            "five",
            "--reason",
            "why",
            "--admin",
            "ADMIN",
            "--token-file",
            "TOKEN",
        ],
        2,
        "perSecond: expected a decimal from 0 to 1000000 with at most 3 places, such as 0.5, found \"five\"",
    ),
    (
        &[
            "limits",
            "clear",
            "usre",
            "--reason",
            "why",
            "--admin",
            "ADMIN",
            "--token-file",
            "TOKEN",
        ],
        2,
        "target: expected one of gateway, route.draw, route.draw_record, route.armory, route.account, route.stage, \
         route.strategy_armory, route.award_list, route.strategy_award_list, route.rule_weight, route.random_raffle, \
         route.page, route.preflight, route.unknown, address, user, found \"usre\"",
    ),
    (
        &[
            "gateways",
            "out",
            "gateway-9",
            "--reason",
            "why",
            "--admin",
            "ADMIN",
            "--token-file",
            "TOKEN",
        ],
        2,
        "name: there is no gateway \"gateway-9\"; there are gateway-0",
    ),
    (
        &[
            "gateways",
            "in",
            "gateway-9",
            "--reason",
            "why",
            "--admin",
            "ADMIN",
            "--token-file",
            "TOKEN",
        ],
        2,
        "name: there is no gateway \"gateway-9\"; there are gateway-0",
    ),
    (
        &[
            "gateways",
            "forget",
            "gateway-9",
            "--reason",
            "why",
            "--admin",
            "ADMIN",
            "--token-file",
            "TOKEN",
        ],
        2,
        "there is no gateway \"gateway-9\"; there are gateway-0",
    ),
    (
        &[
            "log",
            "set",
            "",
            "--reason",
            "why",
            "--admin",
            "ADMIN",
            "--token-file",
            "TOKEN",
        ],
        2,
        "filter: is empty; expected one such as debug or shards=debug,info",
    ),
    (
        &[
            "chances",
            "grant",
            "u1",
            "7",
            "1",
            "--reason",
            "why",
            "--admin",
            "ADMIN",
            "--token-file",
            "TOKEN",
        ],
        1,
        UNKNOWN_ACTIVITY,
    ),
    (
        &[
            "account",
            "u1",
            "--activity",
            "7",
            "--admin",
            "ADMIN",
            "--token-file",
            "TOKEN",
        ],
        1,
        "activityId: no activity 7 is published",
    ),
];

/// A place with everything that the calls are about.
async fn place() -> Place {
    let place = Place::with_campaigns(&[&scarce(ACTIVITY, 12)]).await;
    place.file("scarce.toml", scarce(ACTIVITY, 12));
    place.file("recounted.toml", scarce(ACTIVITY, 13));
    place.file("binary", b"\xff\xfe\x00");
    place.file("open.toml", "[http]\nlisten = \"0.0.0.0:8091\"\n");
    place.file(
        "typo.toml",
        "[http]\nlistne = \"127.0.0.1:1\"\n[lanes]\nbatch_max = 0\n",
    );
    place.file("layout.toml", "[storage]\nshards = 3\n");
    for folder in ["empty", "foreign", "never"] {
        std::fs::create_dir(place.path(folder)).expect("a folder");
    }
    place.file(
        "foreign/meta.sqlite",
        "this is no database, and long enough to be seen as none: a hundred bytes ".repeat(2),
    );
    place.file("never/meta.sqlite", "");
    place
}

/// What a call did other than it should.
fn difference(arguments: &[&str], ran: &Ran, code: i32, message: &str) -> Option<String> {
    let is_right = ran.stderr == message && ran.code == Some(code);
    (!is_right).then(|| {
        format!(
            "{arguments:?} ended with {:?}, expected {code}:\n{}expected:\n{message}",
            ran.code, ran.stderr
        )
    })
}

#[track_caller]
fn assert_told(arguments: &[&str], ran: &Ran, code: i32, message: &str) {
    let difference = difference(arguments, ran, code, message);
    assert!(difference.is_none(), "{}", difference.unwrap_or_default());
}

#[tokio::test]
async fn commands_say_what_was_given_what_is_expected_and_what_helps() {
    let place = place().await;
    let mut serve = place.command(&[
        "serve",
        "--data",
        "started",
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
    ]);
    serve.env("DRAWBRIDGE_DRAIN_GRACE_MS", "0");
    Server::started(&place, serve).await.stop().await;
    let here = text_of(&place.path(""));
    let here = here.trim_end_matches('/');
    let mut differences = Vec::new();
    for (arguments, code, message) in REFUSED {
        // The default folder is one that nobody made.
        let folder = place.path("work");
        let _ = std::fs::create_dir(&folder);
        let ran = if message == NO_FOLDER {
            let file = place.path("scarce.toml");
            let arguments: Vec<String> = arguments
                .iter()
                .map(|word| {
                    if *word == "scarce.toml" {
                        text_of(&file)
                    } else {
                        (*word).into()
                    }
                })
                .collect();
            let mut command =
                place.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
            command.current_dir(&folder);
            run(command).await
        } else {
            place.run(arguments).await
        };
        let message = message
            .replace("PLACE/data-that-nobody-made", "PLACE/work/data")
            .replace("PLACE", here);
        let prefix = if message.contains(" is refused:\n") {
            ""
        } else {
            "drawbridge: "
        };
        differences.extend(difference(
            arguments,
            &ran,
            code,
            &format!("{prefix}{message}\n"),
        ));
        assert!(!folder.join("data").exists(), "{arguments:?} made a folder");
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    // Nothing has changed.
    assert_eq!(place.stock(ACTIVITY, SCARCE_AWARD).await, (12, 0, 12));
}

#[tokio::test]
async fn a_server_says_what_is_wrong_and_what_there_is() {
    let place = Place::with_campaigns(&[&scarce(ACTIVITY, 12)]).await;
    let server = Server::start_with(&place, "[gateway]\nname = \"gateway-0\"\n").await;
    let (admin, players) = (server.admin.to_string(), server.listen.to_string());
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("it")
        .to_string();
    let token = text_of(&place.data().join("admin-token"));
    let mut differences = Vec::new();
    for (arguments, code, message) in REFUSED_BY_A_SERVER {
        let filled = |text: &str| {
            let text = text
                .replace("ADMIN", &admin)
                .replace("PLAYERS", &players)
                .replace("NOBODY", &nobody);
            text.replace("TOKEN", &token)
        };
        let words: Vec<String> = arguments.iter().map(|word| filled(word)).collect();
        // Elsewhere: the data folder of the place must not answer for the server.
        let ran = Place::new()
            .run(&words.iter().map(String::as_str).collect::<Vec<_>>())
            .await;
        differences.extend(difference(
            arguments,
            &ran,
            code,
            &format!("drawbridge: {}\n", filled(message)),
        ));
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    // Nothing has changed.
    let ran = place
        .run(&[
            "audit-log",
            "list",
            "--json",
            "--admin",
            &admin,
            "--token-file",
            &token,
        ])
        .await;
    assert_eq!(ran.ok(), "[]\n");
}

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

/// The command as somebody who is not root, for whom rights of files count.
fn as_nobody(command: &Command) -> Command {
    let mut other = Command::new("setpriv");
    other.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"]);
    other
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .env("PATH", "/usr/bin:/bin");
    other.current_dir(command.get_current_dir().expect("a folder"));
    other
}

#[tokio::test]
async fn rights_of_files_are_no_outage_of_a_database() {
    let place = Place::with_campaigns(&[&scarce(ACTIVITY, 12)]).await;
    let root = std::fs::metadata("/proc/self")
        .is_ok_and(|found| std::os::unix::fs::MetadataExt::uid(&found) == 0);
    let rights = |path: &str, mode: u32| {
        std::fs::set_permissions(place.path(path), PermissionsExt::from_mode(mode))
            .expect("its owner may");
    };
    let call = async |arguments: &[&str]| {
        let command = place.command(&[arguments, &["--data", "data"]].concat());
        run(if root { as_nobody(&command) } else { command }).await
    };
    let right = "this user may not use it: run this as the user who runs the server, or give this one the right";
    rights("", 0o755);

    // The folder may not be entered.
    rights("data", 0o600);
    let ran = call(&["campaign", "list"]).await;
    let told = format!(
        "drawbridge: {}/data/meta.sqlite: {right}\n",
        text_of(&place.path("")).trim_end_matches('/')
    );
    assert_told(&["campaign", "list"], &ran, 2, &told);
    // It may, and the file may not be read.
    rights("data", 0o755);
    rights("data/meta.sqlite", 0o000);
    let ran = call(&["campaign", "list"]).await;
    assert_told(
        &["list"],
        &ran,
        2,
        &format!("drawbridge: the database is unavailable: data/meta.sqlite: {right}\n"),
    );
    // It may be read and not written.
    rights("data/meta.sqlite", 0o444);
    let ran = call(&["stock", "add", "200003", "1", "1", "--reason", "why"]).await;
    assert_told(
        &["add"],
        &ran,
        2,
        &format!("drawbridge: data/meta.sqlite: {right}\n").replace(
            "drawbridge: data",
            "drawbridge: the database is unavailable: data",
        ),
    );
    rights("data", 0o755);
}

#[tokio::test]
async fn a_folder_that_somebody_named_is_made_and_said_to_be() {
    let place = Place::new();
    let file = place.file("scarce.toml", scarce(ACTIVITY, 12));
    let told = place
        .run(&["campaign", "publish", &file, "--data", "new"])
        .await
        .ok();
    assert_eq!(
        told,
        "made the data folder new\nactivity 200003: published version 1\n"
    );
    let told = place
        .run(&["campaign", "publish", &file, "--data", "new"])
        .await
        .ok();
    assert_eq!(
        told,
        "activity 200003: version 1 is this file already; nothing to do\n"
    );
    // A file with faults makes none.
    let faulty = place.file("faulty.toml", "format = 1\n");
    place
        .run(&["campaign", "publish", &faulty, "--data", "other"])
        .await
        .failed(1);
    assert!(!place.path("other").exists());
}

#[tokio::test]
async fn lists_are_json_where_programs_ask_for_it() {
    let place = Place::with_campaigns(&[&scarce(ACTIVITY, 12)]).await;
    let json = async |arguments: &[&str]| {
        let text = place.run_here(arguments).await.ok();
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON")
    };
    let list = json(&["campaign", "list", "--json"]).await;
    assert_eq!(
        (&list[0]["activity"], &list[0]["version"], &list[0]["state"]),
        (&ACTIVITY.into(), &1.into(), &"open".into())
    );
    let stock = json(&["stock", "show", "--json", "--history"]).await;
    assert_eq!(
        (&stock[0]["total"], &stock[0]["left"]),
        (&12.into(), &12.into())
    );
    assert_eq!(
        (
            &stock[0]["history"][0]["kind"],
            &stock[0]["history"][0]["applied"]
        ),
        (&"publish".into(), &12.into())
    );
    assert!(json(&["stock", "show", "--json"]).await[0]["history"].is_null());
    let route = json(&["route", "u1", "u2", "--json"]).await;
    assert_eq!(
        (&route["slotMap"]["shards"], &route["users"][1]["userId"]),
        (&2.into(), &"u2".into())
    );
    let file = place.file("scarce.toml", scarce(ACTIVITY, 12));
    let checked = place
        .run(&["campaign", "check", &file, "--json"])
        .await
        .ok();
    let checked: serde_json::Value = serde_json::from_str(&checked).expect("JSON");
    assert_eq!(
        (&checked["ok"], &checked["awards"][0]["odds"]),
        (&true.into(), &"1/1".into())
    );
    let faulty = place.file("faulty.toml", "format = 2\n");
    let ran = place.run(&["campaign", "check", &faulty, "--json"]).await;
    let faults: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(
        (ran.code, &faults["ok"], &*ran.stderr),
        (Some(1), &false.into(), "")
    );
    assert!(
        faults["faults"][0]["location"].is_string() && faults["faults"][0]["message"].is_string(),
        "{faults}"
    );
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
