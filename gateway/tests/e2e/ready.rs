//! What keeps a server from drawing for anybody shows in its readiness.
use std::time::Duration;

use crate::support::campaign::DEMO_ACTIVITY;
use crate::support::{Place, Request, Server, eventually, plant, text_of};

/// What a server may take to notice.
const NOTICED: Duration = Duration::from_secs(20);

/// Waits for an answer of `/readyz`; answers its body.
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
    plant(&place.data().join("meta.sqlite"), "UPDATE id_run SET claimed = 33554431").await;
    let data = text_of(&place.data());
    let command = place.command(&["serve", "--data", &data, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]);
    let mut server = Server::spawned(&place, command);
    server.await_listening().await;
    let why = readiness(&server, 503).await;
    assert!(why.contains("run numbers are used up"), "{why}");
    assert_eq!(server.ask_admin("GET", "/healthz").await.status, 200);
    assert_eq!(server.metric("drawbridge_run_numbers_left").await, 0);
    let health = place.run(&["health", "--admin", &format!("http://{}", server.admin)]).await.failed(1);
    assert!(health.contains("run numbers are used up"), "{health}");
    server.ask(&Request::draw("u", DEMO_ACTIVITY, "k")).await.expect(503, "ERR_GW_003");
    server.ask(&Request::account("u", DEMO_ACTIVITY)).await.expect(200, "0000");
}
