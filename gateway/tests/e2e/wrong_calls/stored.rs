//! Calls about stored data and configurations.
use super::{ACTIVITY, Case, UNKNOWN_ACTIVITY, difference};
use crate::support::campaign::{SCARCE_AWARD, scarce};
use crate::support::{Place, Server, run, text_of};

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
    // A folder that is not there: none is made where none was named.
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
        "the database is unavailable: never/meta.sqlite was made by another version, or not completely (error returned \
         from database: (code: 1) no such table: campaign): start `drawbridge serve` there",
    ),
    (
        &["campaign", "check", "nowhere.toml"],
        2,
        "the campaign file nowhere.toml cannot be read: No such file or directory (os error 2)",
    ),
    (&["campaign", "check", "binary"], 2, "binary is not UTF-8"),
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
         any user",
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

const NO_FOLDER: &str = "there is no data folder at PLACE/no-such-data: `drawbridge serve` makes it when it first \
                         starts; name one that is elsewhere: --data DIR";

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
        // The default folder does not exist.
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
            .replace("PLACE/no-such-data", "PLACE/work/data")
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
