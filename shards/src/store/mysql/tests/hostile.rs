//! Servers with hostile settings.
use std::collections::BTreeMap;
use std::process::Command;

use super::{connect, is_mariadb};
use crate::store::{Columns, Connection, MysqlDatabase};
use crate::testing::{DatabaseServer, HOSTILE, INSTEAD, Mariadb, shared_database};

/// The modules of the suite that is run once more, and this test, which is not run again.
const SUITE: &str = "store::";
const ITSELF: &str = "the_whole_suite_holds";

/// Tests of replication and of handshakes: they do not depend on our sessions.
const NOT_AGAIN: [&str; 3] = ["tests::hang", "tests::hostile", "tests::moves"];

#[test]
fn the_whole_suite_holds_on_servers_that_are_set_up_against_us() {
    // `make test-mysql` runs it there by itself, with a server of its own.
    if std::env::var_os(HOSTILE).is_some() || std::env::var_os(INSTEAD).is_some() {
        return;
    }
    let skipped = NOT_AGAIN
        .iter()
        .chain([&ITSELF])
        .flat_map(|name| ["--skip", name]);
    let run = Command::new(std::env::current_exe().expect("the tests' own program"))
        .arg(SUITE)
        .args(skipped)
        .env(HOSTILE, "1")
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&run.stderr)
    );
    assert!(
        said.contains("what_is_persisted_is_found"),
        "the suite was run: {said}"
    );
}

/// The values of our session's variables, by name.
async fn session(database: &MysqlDatabase) -> BTreeMap<String, String> {
    let mut connection = connect(database).await;
    let all =
        "SELECT variable_name, COALESCE(session_value, '') FROM information_schema.system_variables
               WHERE variable_scope LIKE 'SESSION%'";
    let rows = connection.rows(all, "[]").await.expect("variables");
    rows.iter()
        .map(|row| {
            (
                row.text(0).expect("a name").to_owned(),
                row.text(1).expect("a value").to_owned(),
            )
        })
        .collect()
}

#[tokio::test]
async fn a_session_is_the_same_whatever_the_server_says() {
    let server = Mariadb::hostile().await;
    let database = server.database().await;
    if !is_mariadb(&database).await {
        eprintln!("SKIPPED: only MariaDB lists its session variables with their scope");
        return;
    }
    let plain = shared_database().await;
    let (hostile, plain) = (session(&database).await, session(&plain).await);
    let own = ["PSEUDO_THREAD_ID", "RAND_SEED1", "RAND_SEED2", "TIMESTAMP"];
    let differs = |name: &&str| plain[*name] != hostile[*name] && !own.contains(name);
    let differ: Vec<&str> = plain.keys().map(String::as_str).filter(differs).collect();
    // The defaults of a new database.
    assert_eq!(differ, ["CHARACTER_SET_SERVER", "COLLATION_SERVER"]);
    for switches in [&plain["OPTIMIZER_SWITCH"], &hostile["OPTIMIZER_SWITCH"]] {
        assert!(
            switches.contains("derived_merge=on")
                && switches.contains("mrr=off")
                && switches.contains("mrr_sort_keys=off"),
            "{switches}"
        );
    }
}
