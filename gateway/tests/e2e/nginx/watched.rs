//! What nginx lets operators know: connections, and what it answers itself.
use super::*;

#[tokio::test]
async fn connections_and_own_answers_are_there_to_be_watched() {
    let (place, mut server) = started("").await;
    let unbuffered = [(FORM, " buffer=32k flush=1s", "")];
    let form = Form {
        changes: &unbuffered,
        ..Form::of(server.listen)
    };
    let nginx = Nginx::start(&place, "watched", &form).await;
    let reported = nginx
        .draw("user-4711", CLIENT, &[])
        .await
        .expect(200, "0000");
    assert!(
        reported
            .headers
            .contains("strict-transport-security: max-age=31536000\r"),
        "{}",
        reported.headers
    );
    assert_eq!(
        nginx.own_answers(),
        [] as [Value; 0],
        "gateways log what they answer"
    );
    server.kill();
    let reported = nginx
        .draw("user-4711", CLIENT, &[])
        .await
        .expect(504, "ERR_GW_006");
    assert!(
        reported
            .headers
            .contains("strict-transport-security: max-age=31536000\r"),
        "{}",
        reported.headers
    );
    nginx
        .ask("activity/draw_record?userId=user-4711", &[])
        .await
        .expect(503, "ERR_GW_009");
    // What comes in clear is no request.
    nginx
        .send_bytes(b"GET /user-4711 HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("an answer");
    let answers = eventually("they are logged", Duration::from_secs(10), async || {
        Some(nginx.own_answers()).filter(|answers| answers.len() == 3)
    })
    .await;
    let logged = |field: &str| {
        answers
            .iter()
            .map(|answer| answer[field].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(logged("code"), ["ERR_GW_006", "ERR_GW_009", "0002"]);
    assert_eq!(logged("call"), ["command", "read", "other"]);
    assert_eq!(logged("status"), [504, 503, 400]);
    assert_eq!(
        logged("asked"),
        [
            server.listen.to_string(),
            server.listen.to_string(),
            String::new()
        ]
    );
    let trace = answers[0]["trace"].as_str().expect("a name");
    assert!(
        reported
            .headers
            .contains(&format!("x-request-id: {trace}\r")),
        "{}",
        reported.headers
    );
    let log = std::fs::read_to_string(nginx.folder().join(OWN_ANSWERS)).expect("the log");
    assert!(!log.contains("4711") && !log.contains(CLIENT), "{log}");

    let mut status = Connection::open(nginx.status).await.expect("a connection");
    status
        .send(b"GET /stub_status HTTP/1.0\r\n\r\n")
        .await
        .expect("open");
    let status = String::from_utf8(status.closed().await.expect("an answer")).expect("UTF-8");
    assert!(
        status.contains("Active connections: ")
            && status.contains("server accepts handled requests"),
        "{status}"
    );
    // Players do not get there.
    nginx
        .ask("../../../stub_status", &["--path-as-is"])
        .await
        .expect(503, "ERR_GW_009");
}
