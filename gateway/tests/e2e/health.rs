//! `drawbridge health`, by which containers know whether the server is ready.
use std::net::TcpListener;

use crate::support::{Place, Server};

#[tokio::test]
async fn health_distinguishes_ready_not_ready_and_no_server() {
    let place = Place::new();
    let config = "[drain]\ngrace_ms = 600000\n";
    let file = place.file("config.toml", config);
    let mut command = place.command(&[
        "serve",
        "--config",
        &file,
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
    ]);
    command.env("DRAWBRIDGE_LOG_FILTER", "warn");
    let mut server = Server::started(&place, command).await;
    let admin = format!("http://{}", server.admin);
    let health = async || place.run(&["health", "--admin", &admin]).await;
    assert_eq!(health().await.ok(), "ready\n");
    // It drains, and serves on for ten minutes.
    server.signal("TERM").await;
    crate::support::eventually(
        "readiness is off",
        std::time::Duration::from_secs(10),
        async || (server.readiness().await == Some(503)).then_some(()),
    )
    .await;
    assert!(health().await.failed(1).contains("not ready: 503"));
    server.kill();
    assert!(health().await.failed(1).contains(&server.admin.to_string()));
}

#[tokio::test]
async fn health_waits_for_a_server_that_hangs_no_longer_than_its_time_and_refuses_what_is_no_address()
 {
    let place = Place::new();
    // It accepts connections, and never answers.
    let hanging = TcpListener::bind("127.0.0.1:0").expect("a port");
    let admin = format!("http://{}", hanging.local_addr().expect("an address"));
    assert!(
        place
            .run(&["health", "--admin", &admin])
            .await
            .failed(1)
            .contains("no answer in time")
    );
    assert!(
        place
            .run(&["health", "--admin", "/readyz"])
            .await
            .failed(2)
            .contains("--admin")
    );
}
