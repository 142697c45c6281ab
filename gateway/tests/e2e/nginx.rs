//! nginx in front, as it is shipped: TLS and HTTP/2 outside, who the caller is, and what nginx
//! says by itself.
mod addresses;
mod answers;
mod front;
mod identity;
mod spellings;
mod watched;

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::servers;

use self::front::{
    Change, FORM, Form, Nginx, OWN_ANSWERS, Shape, certificate, certificate_of, write_files,
};
use crate::deployment::{shipped, text};
use crate::support::campaign::{LOAD, LOAD_ACTIVITY, unlimited, with};
use crate::support::{Connection, Place, Request, Response, Server, eventually, run, text_of};

const CLIENT: &str = "203.0.113.7";

async fn started(config: &str) -> (Place, Server) {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start_with(
        &place,
        &format!("[http]\ntrusted_proxies = [\"127.0.0.1\"]\n{config}"),
    )
    .await;
    (place, server)
}

#[tokio::test]
async fn nginx_accepts_each_form_that_is_shipped() {
    let place = Place::new();
    let (certificate, key) = certificate(&place, "any");
    let gateway = SocketAddr::from(([127, 0, 0, 1], 8091));
    let [plain, tls, compose] = Shape::ALL.map(|shape| {
        let form = Form::shaped(shape, gateway);
        form.text(
            "127.0.0.1:8443",
            "127.0.0.1:8093",
            &place.path(""),
            (&certificate, &key),
        )
    });
    // The main file that containers use leaves temporary files where the system has them.
    let local = text("deploy/local/nginx.conf");
    let folders = local
        .lines()
        .filter(|line| line.contains("_temp_path"))
        .collect::<Vec<_>>()
        .join("\n");
    let main = text("deploy/nginx/nginx.conf");
    assert!(main.contains("http {\n"));
    let main = format!(
        "pid nginx.pid;\n{}",
        main.replace("http {\n", &format!("http {{\n{folders}\n"))
    );
    let forms = [
        (&plain, &local),
        (&tls, &local),
        (&tls, &main),
        (&compose, &main),
    ];
    for (number, (form, main)) in forms.into_iter().enumerate() {
        assert!(
            !form
                .lines()
                .any(|line| !line.trim().starts_with('#') && line.contains('@')),
            "{form}"
        );
        let folder = place.path(&format!("form-{number}"));
        write_files(&folder, form);
        std::fs::write(folder.join("nginx.conf"), main).expect("a file");
        let ran = run(servers::Nginx::check(&folder)).await;
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(!ran.stderr.contains("[warn]"), "{}", ran.stderr);
    }
}

#[tokio::test]
async fn draws_come_through_tls_and_http_2_and_keep_few_connections_inside() {
    let (place, server) = started("").await;
    let nginx = Nginx::start(&place, "nginx", &Form::of(server.listen)).await;
    let key = ["--header", "Idempotency-Key: through-tls"];
    let reported = nginx.draw("u", CLIENT, &key).await.expect(200, "0000");
    assert_eq!(
        (reported.version.as_str(), &reported.body["requestId"]),
        ("2", &json!("through-tls"))
    );
    // The same draw, asked for past nginx.
    let direct = server
        .ask(&Request::draw("u", LOAD_ACTIVITY, "through-tls"))
        .await;
    assert_eq!(direct.data, reported.body["data"]);
    let trace = reported
        .headers
        .split("x-request-id: ")
        .nth(1)
        .and_then(|rest| rest.split('\r').next());
    assert_eq!(
        trace.map(str::len),
        Some(32),
        "the name that nginx gave: {}",
        reported.headers
    );
    for _ in 0..10 {
        nginx.draw("u", CLIENT, &[]).await.expect(200, "0000");
    }
    let open = server.metric("drawbridge_http_connections").await;
    assert!(open <= 2, "{open} connections for one caller after another");
    server.stop().await;
}

#[tokio::test]
async fn only_a_trusted_balancer_says_who_the_caller_is() {
    let limits = "[limits.address]\nper_second = 0.001\nburst = 2\n";
    let (place, server) = started(limits).await;
    let nginx = Nginx::start(&place, "trusting", &Form::of(server.listen)).await;
    for client in [CLIENT, CLIENT, "203.0.113.8"] {
        nginx.draw("u", client, &[]).await.expect(200, "0000");
    }
    // The last untrusted address in the chain is the caller, whatever stands before it.
    let refused = nginx
        .draw("u", &format!("198.51.100.1, {CLIENT}"), &[])
        .await
        .expect(429, "ERR_GW_012");
    refused.is_an_envelope();
    let wary = Form {
        trusted: "192.0.2.1",
        ..Form::of(server.listen)
    };
    let wary = Nginx::start(&place, "wary", &wary).await;
    for client in ["203.0.113.1", "203.0.113.2"] {
        wary.draw("u", client, &[]).await.expect(200, "0000");
    }
    wary.draw("u", "203.0.113.3", &[])
        .await
        .expect(429, "ERR_GW_012");
    server.stop().await;
}

#[tokio::test]
async fn what_nginx_refuses_itself_is_the_envelope_of_all_answers() {
    let (place, mut server) = started("").await;
    let nginx = Nginx::start(&place, "nginx", &Form::of(server.listen)).await;
    let body = place.file("large", " ".repeat(5_000));
    let large = [
        "--header",
        "Idempotency-Key: large",
        "--data-binary",
        &format!("@{body}"),
    ];
    let refused = nginx
        .ask("activity/draw", &large)
        .await
        .expect(413, "ERR_REQ_006");
    refused.is_an_envelope();
    assert_eq!(refused.body["requestId"], "large");

    let low = [
        ("zones.conf", "rate=1000r/s", "rate=1r/m"),
        ("limits.conf", "burst=2000", "burst=1"),
    ];
    let strict = Form {
        changes: &low,
        ..Form::of(server.listen)
    };
    let strict = Nginx::start(&place, "strict", &strict).await;
    for _ in 0..2 {
        strict.draw("u", CLIENT, &[]).await.expect(200, "0000");
    }
    strict
        .draw("u", CLIENT, &[])
        .await
        .expect(429, "ERR_GW_012")
        .is_an_envelope();
    strict
        .draw("u", "203.0.113.8", &[])
        .await
        .expect(200, "0000");

    server.kill();
    // The outcome is not known: the answer says under which key to ask again.
    let made = nginx.draw("u", CLIENT, &[]).await.expect(504, "ERR_GW_006");
    made.is_an_envelope();
    assert_eq!(
        made.body["requestId"].as_str().map(str::len),
        Some(32),
        "{}",
        made.body
    );
    let own = ["--header", "Idempotency-Key: mine"];
    assert_eq!(
        nginx
            .draw("u", CLIENT, &own)
            .await
            .expect(504, "ERR_GW_006")
            .body["requestId"],
        "mine"
    );
    let in_body =
        json!({"userId": "u", "activityId": LOAD_ACTIVITY, "requestId": "in-the-body"}).to_string();
    let reported = nginx
        .ask("activity/draw", &["--data", &in_body])
        .await
        .expect(504, "ERR_GW_006");
    assert_eq!(reported.body["requestId"], "in-the-body");
    // A key that would need an escape in JSON is left out.
    let quote = ["--header", "Idempotency-Key: a\"b\\c"];
    let reported = nginx
        .draw("u", CLIENT, &quote)
        .await
        .expect(504, "ERR_GW_006");
    assert_eq!(reported.body.get("requestId"), None);
    let read = nginx
        .ask("activity/armory?activityId=1", &[])
        .await
        .expect(503, "ERR_GW_009");
    read.is_an_envelope();
    assert_eq!(read.body.get("requestId"), None);
}

#[test]
fn nginx_says_nothing_that_the_api_does_not_document() {
    let documented = text("docs/api.md");
    let answers = text("deploy/nginx/drawbridge/answers.conf");
    let answers: Vec<_> = answers
        .lines()
        .filter_map(|line| line.trim().strip_prefix("return "))
        .collect();
    assert_eq!(answers.len(), 9);
    for answer in answers {
        let (status, rest) = answer
            .split_once(" '{\"code\":\"")
            .expect("a status and a code");
        let code = rest.split('"').next().expect("a code");
        assert!(
            documented.contains(&format!("| `{code}` | {status} |")),
            "{status} {code}"
        );
    }
}

#[tokio::test]
async fn a_token_that_the_sample_script_makes_lets_its_user_draw() {
    let place = Place::with_campaigns(&[&unlimited(LOAD_ACTIVITY)]).await;
    let folder = place.path("compose");
    std::fs::create_dir(&folder).expect("a folder");
    let script = |name: &str| {
        std::fs::copy(shipped("deploy/compose").join(name), folder.join(name)).expect("a copy");
        Command::new(folder.join(name))
    };
    run(script("make-secrets")).await.ok();
    let mut make_token = script("make-token");
    make_token.arg("u1");
    let token = run(make_token).await.ok();
    let key = text_of(&folder.join("secrets/token-key"));
    let config = format!("[identity]\nkind = \"jwt\"\nkey_file = {key:?}\nalgorithm = \"HS256\"\n");
    let server = Server::start_with(&place, &config).await;
    let draw = |user| {
        Request::draw(user, LOAD_ACTIVITY, "k")
            .header("Authorization", format!("Bearer {}", token.trim()))
    };
    server.ask(&draw("u1")).await.expect(200, "0000");
    server.ask(&draw("u2")).await.expect(403, "ERR_ID_004");
    server.stop().await;
}
