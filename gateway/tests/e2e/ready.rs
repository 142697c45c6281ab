//! What keeps a server from drawing for all users shows in its readiness.
use std::time::Duration;

use crate::support::campaign::DEMO_ACTIVITY;
use crate::support::{Envelope, Place, Request, Server, eventually, plant, text_of};

/// What a server may take to notice.
const NOTICED: Duration = Duration::from_secs(20);

/// Waits for an answer of `/readyz`; returns its body.
async fn readiness(server: &Server, status: u16) -> String {
    eventually("readiness changes", NOTICED, async || {
        let response = server.ask_admin("GET", "/readyz").await;
        (response.status == status).then(|| response.text())
    })
    .await
}

#[tokio::test]
async fn a_server_without_ids_is_not_ready_and_says_why() {
    let place = Place::new();
    Server::start(&place).await.stop().await;
    plant(
        &place.data().join("meta.sqlite"),
        "UPDATE id_run SET claimed = 33554431",
    )
    .await;
    let data = text_of(&place.data());
    let command = place.command(&[
        "serve",
        "--data",
        &data,
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
    ]);
    let mut server = Server::spawned(&place, command);
    server.await_listening().await;
    let why = readiness(&server, 503).await;
    assert!(why.contains("run numbers are used up"), "{why}");
    assert_eq!(server.ask_admin("GET", "/healthz").await.status, 200);
    assert_eq!(server.metric("drawbridge_run_numbers_left").await, 0);
    let health = place
        .run(&["health", "--admin", &format!("http://{}", server.admin)])
        .await
        .failed(1);
    assert!(health.contains("run numbers are used up"), "{health}");
    server
        .ask(&Request::draw("u", DEMO_ACTIVITY, "k"))
        .await
        .expect(503, "ERR_GW_003");
    server
        .ask(&Request::account("u", DEMO_ACTIVITY))
        .await
        .expect(200, "0000");
}

/// Lets a server write files of this size at most; `None` for any size.
fn limit_files(server: &Server, bytes: Option<u64>) {
    let (_, hard) = rlimit::Resource::FSIZE.get().expect("a limit");
    let pid = server.pid().try_into().expect("a pid");
    let limits = Some((bytes.unwrap_or(hard), hard));
    rlimit::prlimit(pid, rlimit::Resource::FSIZE, limits, None).expect("a child of ours");
}

/// A draw that the disk had no room for: it was not made, or its outcome is not known yet.
fn refused(answer: &Envelope) {
    assert!(
        [(503, "ERR_GW_003"), (504, "ERR_GW_006")].contains(&(answer.status, &*answer.code)),
        "{answer:?}"
    );
}

#[tokio::test]
async fn a_server_that_cannot_write_its_disk_is_not_ready_until_it_can() {
    let place = Place::new();
    let mut server = Server::start(&place).await;
    server
        .ask(&Request::draw("u", DEMO_ACTIVITY, "1"))
        .await
        .expect(200, "0000");
    limit_files(&server, Some(4_096));
    // At rest: there are no draws.
    let why = readiness(&server, 503).await;
    assert!(why.contains("the disk cannot be written"), "{why}");
    assert_eq!(server.ask_admin("GET", "/healthz").await.status, 200);
    let health = place
        .run(&["health", "--admin", &format!("http://{}", server.admin)])
        .await
        .failed(1);
    assert!(health.contains("the disk cannot be written"), "{health}");
    refused(&server.ask(&Request::draw("u", DEMO_ACTIVITY, "2")).await);
    limit_files(&server, None);
    assert_eq!(readiness(&server, 200).await, "ready\n");
    eventually("draws are made again", NOTICED, async || {
        (server
            .send(&Request::draw("u", DEMO_ACTIVITY, "2"))
            .await
            .status
            == 200)
            .then_some(())
    })
    .await;
    server.signal("TERM").await;
    assert!(server.ended().await.success(), "{}", server.stderr());
    assert_eq!(place.audited_at_rest().await, 2);
}

#[tokio::test]
async fn a_database_that_cannot_be_written_is_noticed_by_the_draws_that_fail() {
    // What the server writes at rest to see whether it can fits. The databases' logs are longer
    // already, and stay so because readers have them open.
    const ROOM: u64 = 70_000;
    let place = Place::new();
    let server = Server::start(&place).await;
    for number in 0..60 {
        let user = format!("u{number}");
        server
            .ask(&Request::draw(&user, DEMO_ACTIVITY, "1"))
            .await
            .expect(200, "0000");
        server
            .ask(&Request::account(&user, DEMO_ACTIVITY))
            .await
            .expect(200, "0000");
    }
    limit_files(&server, Some(ROOM));
    refused(&server.ask(&Request::draw("u0", DEMO_ACTIVITY, "2")).await);
    let why = readiness(&server, 503).await;
    assert!(why.contains(".sqlite"), "it names the file: {why}");
    limit_files(&server, None);
    readiness(&server, 200).await;
}
