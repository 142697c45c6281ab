//! Folders that are made, and files that may not be used.
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::{ACTIVITY, difference};
use crate::support::campaign::scarce;
use crate::support::{Place, Ran, run, text_of};

#[track_caller]
fn assert_refused(arguments: &[&str], ran: &Ran, code: i32, message: &str) {
    let difference = difference(arguments, ran, code, message);
    assert!(difference.is_none(), "{}", difference.unwrap_or_default());
}

/// The command as another user than root, for whom rights of files count.
fn as_plain_user(command: &Command) -> Command {
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
        run(if root {
            as_plain_user(&command)
        } else {
            command
        })
        .await
    };
    let right = "this user may not use it: run this as the user who runs the server, or give this one the right";
    rights("", 0o755);

    // The folder may not be entered.
    rights("data", 0o600);
    let ran = call(&["campaign", "list"]).await;
    let reported = format!(
        "drawbridge: {}/data/meta.sqlite: {right}\n",
        text_of(&place.path("")).trim_end_matches('/')
    );
    assert_refused(&["campaign", "list"], &ran, 2, &reported);
    // It may, and the file may not be read.
    rights("data", 0o755);
    rights("data/meta.sqlite", 0o000);
    let ran = call(&["campaign", "list"]).await;
    assert_refused(
        &["list"],
        &ran,
        2,
        &format!("drawbridge: the database is unavailable: data/meta.sqlite: {right}\n"),
    );
    // It may be read and not written.
    rights("data/meta.sqlite", 0o444);
    let ran = call(&["stock", "add", "200003", "1", "1", "--reason", "why"]).await;
    assert_refused(
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
async fn a_folder_that_was_named_is_made_and_reported() {
    let place = Place::new();
    let file = place.file("scarce.toml", scarce(ACTIVITY, 12));
    let reported = place
        .run(&["campaign", "publish", &file, "--data", "new"])
        .await
        .ok();
    assert_eq!(
        reported,
        "made the data folder new\nactivity 200003: published version 1\n"
    );
    let reported = place
        .run(&["campaign", "publish", &file, "--data", "new"])
        .await
        .ok();
    assert_eq!(
        reported,
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
