//! Copies of the data folder: after a clean stop the `*.sqlite` files alone are everything, and a
//! file of an earlier moment is refused.
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use crate::support::campaign::{LOAD, LOAD_ACTIVITY};
use crate::support::{Place, Request, Server};

const DRAWS: usize = 53;

/// Names in the data folder that belong to a database.
fn database_files(place: &Place) -> Vec<String> {
    let names = std::fs::read_dir(place.data()).expect("the folder");
    let mut names: Vec<String> = names
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .into_string()
                .expect("UTF-8")
        })
        .collect();
    names.retain(|name| name.contains("sqlite"));
    names.sort();
    names
}

const WHOLE: [&str; 3] = ["meta.sqlite", "shard-0.sqlite", "shard-1.sqlite"];

fn copy(from: &Path, to: &Path, files: &[&str]) {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(to)
        .expect("a folder");
    for file in files {
        std::fs::copy(from.join(file), to.join(file)).expect("copied");
    }
}

async fn draw(server: &Server, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let request = Request::draw(&format!("u{number}"), LOAD_ACTIVITY, "k");
        server.ask(&request).await.expect(200, "0000");
        server
            .ask(&Request::account(&format!("u{number}"), LOAD_ACTIVITY))
            .await
            .expect(200, "0000");
    }
}

#[tokio::test]
async fn the_files_alone_are_everything_after_a_clean_stop() {
    let place = Place::with_campaigns(&[LOAD]).await;
    assert_eq!(
        database_files(&place),
        ["meta.sqlite"],
        "publishing leaves nothing beside it"
    );
    let server = Server::start(&place).await;
    draw(&server, 0..DRAWS).await;
    server.stop().await;
    assert_eq!(database_files(&place), WHOLE);
    // A command that only reads leaves nothing either.
    assert_eq!(place.audited_at_rest().await, DRAWS as u64);
    place.run_here(&["campaign", "list"]).await.ok();
    place.run_here(&["stock", "show"]).await.ok();
    place.run_here(&["route", "u1"]).await.ok();
    assert_eq!(database_files(&place), WHOLE);

    let elsewhere = Place::new();
    copy(&place.data(), &elsewhere.data(), &WHOLE);
    let server = Server::start(&elsewhere).await;
    for number in 0..DRAWS {
        server
            .ask(&Request::record(&format!("u{number}"), "requestId", "k"))
            .await
            .expect(200, "0000");
    }
    draw(&server, DRAWS..DRAWS + 2).await;
    server.stop().await;
    assert_eq!(elsewhere.audited_at_rest().await, DRAWS as u64 + 2);
}

#[tokio::test]
async fn a_file_of_an_earlier_moment_is_refused() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let earlier = place.path("earlier");
    let server = Server::start(&place).await;
    draw(&server, 0..9).await;
    server.stop().await;
    copy(&place.data(), &earlier, &WHOLE);
    let server = Server::start(&place).await;
    draw(&server, 9..18).await;
    server.stop().await;
    let later = place.path("later");
    copy(&place.data(), &later, &WHOLE);

    for (older, behind) in [
        ("shard-0.sqlite", "meta.sqlite"),
        ("shard-1.sqlite", "meta.sqlite"),
        ("meta.sqlite", "shard-0.sqlite"),
    ] {
        copy(&later, &place.data(), &WHOLE);
        copy(&earlier, &place.data(), &[older]);
        let ran = place
            .run_here(&["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
            .await;
        let message = ran.refused_at_once();
        assert!(
            message.contains(&format!("{older} is older than {behind}")),
            "{message}"
        );
        assert!(message.contains("of one moment"), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
    // All files of one moment, an early or a late one.
    for (moment, draws) in [(&earlier, 9), (&later, 18)] {
        copy(moment, &place.data(), &WHOLE);
        Server::start(&place).await.stop().await;
        assert_eq!(place.audited_at_rest().await, draws);
    }
}

#[tokio::test]
async fn starts_that_die_do_not_look_like_older_files() {
    let place = Place::with_campaigns(&[LOAD]).await;
    for number in 0..4 {
        let mut server = Server::start(&place).await;
        draw(&server, number..number + 1).await;
        server.kill();
    }
    Server::start(&place).await.stop().await;
    assert_eq!(place.audited_at_rest().await, 4);
}
