//! The admin address and that of probes: reachable while idle connections fill them, in TLS where
//! it is configured, and never taken for another address.
use std::net::SocketAddr;
use std::time::Duration;

use testkit::servers::request;

use crate::support::campaign::{LOAD, LOAD_ACTIVITY};
use crate::support::{Connection, Place, Ran, Request, Server, eventually, text_of};

const WAIT_MAX: Duration = Duration::from_secs(20);

/// More than the admin address takes in.
const HALF_OPEN: usize = 70;

/// What the log says of one of the server's addresses, once it is ready.
async fn logged(server: &Server, name: &str) -> SocketAddr {
    let find = |log: &str| {
        let line = log
            .lines()
            .find(|line| line.ends_with("ready") || line.contains("ready listen="))?;
        let value = line
            .split_whitespace()
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))?;
        value.parse().ok()
    };
    server.logged("the server is ready", find).await
}

async fn ask(address: SocketAddr, request: &Request) -> (u16, String) {
    let answer = Connection::open(address)
        .await
        .expect("a connection")
        .exchange(request)
        .await
        .expect("an answer");
    (answer.status, answer.text())
}

fn token_file(place: &Place) -> String {
    text_of(&place.data().join("admin-token"))
}

/// `drawbridge switch list` with an address and more.
async fn list(place: &Place, admin: &str, more: &[&str]) -> Ran {
    let token = token_file(place);
    place
        .run(
            &[
                &["switch", "list", "--admin", admin, "--token-file", &token],
                more,
            ]
            .concat(),
        )
        .await
}

#[tokio::test]
async fn half_open_connections_silence_neither_probes_nor_operators() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let config = "[http]\nprobes = \"127.0.0.1:0\"\nfirst_header_timeout_ms = 600000\nheader_timeout_ms = 600000\n";
    let server = Server::start_with(&place, config).await;
    let probes = logged(&server, "probes").await;
    let mut half_open = Vec::new();
    for address in [server.admin, probes] {
        for _ in 0..HALF_OPEN {
            let mut connection = Connection::open(address).await.unwrap();
            connection.send(b"G").await.unwrap();
            half_open.push(connection);
        }
    }
    for address in [server.admin, probes] {
        assert_eq!(
            ask(address, &Request::raw("GET", "/readyz")).await,
            (200, "ready\n".to_owned())
        );
    }
    list(&place, &format!("http://{}", server.admin), &[])
        .await
        .ok();
    drop(half_open);
    server.stop().await;
}

#[tokio::test]
async fn probes_have_health_readiness_and_metrics_and_nothing_else() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start_with(&place, "[http]\nprobes = \"127.0.0.1:0\"\n").await;
    let probes = logged(&server, "probes").await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(
            ask(probes, &Request::raw("GET", path)).await.0,
            200,
            "{path}"
        );
    }
    let token = std::fs::read_to_string(place.data().join("admin-token")).unwrap();
    for path in [
        "/admin/switches",
        "/admin/breakers",
        "/api/v1/raffle/dcc/update_config?key=degradeSwitch&value=open",
    ] {
        let request =
            Request::raw("GET", path).header("Authorization", format!("Bearer {}", token.trim()));
        assert_eq!(ask(probes, &request).await.0, 404, "{path}");
    }
    server
        .ask(&Request::draw("u", LOAD_ACTIVITY, "k"))
        .await
        .expect(200, "0000");
    server.stop().await;
}

/// Makes an authority and a certificate of it for `localhost`: `ca.pem`, `certificate.pem`,
/// `key.pem`.
fn certify(place: &Place, authority: &str) {
    let folder = place.path(".");
    let (ca, ca_key) = (format!("{authority}.pem"), format!("{authority}-key.pem"));
    request(
        &folder,
        &format!("-keyout {ca_key} -out {ca} -subj /CN={authority}"),
    );
    request(
        &folder,
        &format!(
            "-CA {ca} -CAkey {ca_key} -keyout key.pem -out certificate.pem -subj /CN=localhost \
             -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE"
        ),
    );
}

#[tokio::test]
async fn the_admin_address_speaks_tls_and_the_command_line_checks_its_certificate() {
    let place = Place::with_campaigns(&[LOAD]).await;
    certify(&place, "ca");
    certify(&place, "other");
    certify(&place, "ca");
    let config = "[admin]\ntls_certificate_file = \"certificate.pem\"\ntls_key_file = \"key.pem\"\n\
                  [http]\nprobes = \"127.0.0.1:0\"\n";
    let (data, config) = (text_of(&place.data()), place.file("config.toml", config));
    let free = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let command =
        place.command(&[&["serve", "--data", &data, "--config", &config], &free[..]].concat());
    let server = Server::spawned(&place, command);
    let admin = logged(&server, "admin").await;
    let (tls, clear) = (
        format!("https://localhost:{}", admin.port()),
        format!("http://{admin}"),
    );

    let listed = list(&place, &tls, &["--ca-file", "ca.pem"]).await;
    assert!(listed.stderr.is_empty(), "{listed:?}");
    assert!(listed.ok().contains("fallback_only"));
    assert_eq!(
        place
            .run(&["health", "--admin", &tls, "--ca-file", "ca.pem"])
            .await
            .ok(),
        "ready\n"
    );
    let refused = async |admin: &str, more: &[&str]| list(&place, admin, more).await.failed(2);
    assert!(
        refused(&tls, &["--ca-file", "other.pem"])
            .await
            .contains("not signed by an authority")
    );
    assert!(refused(&tls, &[]).await.contains("--ca-file FILE"));
    let by_address = format!("https://{admin}");
    assert!(
        refused(&by_address, &["--ca-file", "ca.pem"])
            .await
            .contains("does not name 127.0.0.1")
    );
    assert!(refused(&clear, &[]).await.contains("https://"));
    assert!(
        refused(&clear, &["--ca-file", "ca.pem"])
            .await
            .contains("goes with https://")
    );
    assert!(
        refused(&tls, &["--ca-file", "config.toml"])
            .await
            .contains("config.toml")
    );

    // A certificate that was renewed is taken on by a reload.
    certify(&place, "other");
    server.signal("HUP").await;
    eventually("the new certificate is shown", WAIT_MAX, async || {
        (list(&place, &tls, &["--ca-file", "other.pem"]).await.code == Some(0)).then_some(())
    })
    .await;
    assert!(
        refused(&tls, &["--ca-file", "ca.pem"])
            .await
            .contains("not signed by an authority")
    );
    // One that cannot be read leaves all as it was.
    place.file("certificate.pem", "nothing");
    server.signal("HUP").await;
    let says_so = |log: &str| log.contains("certificate.pem").then_some(());
    server.logged("the log says so", says_so).await;
    list(&place, &tls, &["--ca-file", "other.pem"]).await.ok();
    let probes = logged(&server, "probes").await;
    assert_eq!(
        ask(probes, &Request::raw("GET", "/readyz")).await.0,
        200,
        "in clear"
    );
}

#[tokio::test]
async fn a_server_with_half_of_a_certificate_does_not_start() {
    let place = Place::new();
    certify(&place, "ca");
    place.file("other-key.pem", "nothing");
    let data = text_of(&place.data());
    for (certificate, key, expected) in [
        ("certificate.pem", "other-key.pem", "other-key.pem"),
        ("no.pem", "key.pem", "no.pem"),
        ("certificate.pem", "ca-key.pem", "ca-key.pem"),
    ] {
        let text = format!(
            "[admin]\ntls_certificate_file = \"{certificate}\"\ntls_key_file = \"{key}\"\n"
        );
        let config = place.file("config.toml", text);
        let free = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        let refused = place
            .run(&[&["serve", "--data", &data, "--config", &config], &free[..]].concat())
            .await
            .refused_at_once();
        assert!(
            refused.contains("admin.tls_certificate_file") && refused.contains(expected),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn commands_say_what_is_at_the_address_that_they_were_given() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    let (admin, players) = (server.admin, server.listen);
    // Without a scheme, by a name.
    let named = list(&place, &format!("localhost:{}", admin.port()), &[]).await;
    assert!(named.stderr.is_empty(), "{named:?}");
    named.ok();
    // Not loopback: the token could be read on the way.
    let overheard = list(&place, &format!("http://0.0.0.0:{}", admin.port()), &[]).await;
    assert!(
        overheard.stderr.contains("unencrypted") && overheard.stderr.contains("https://"),
        "{overheard:?}"
    );
    overheard.ok();
    place.file("ca.pem", "");
    certify(&place, "ca");
    let wrong = list(
        &place,
        &format!("https://{admin}"),
        &["--ca-file", "ca.pem"],
    )
    .await
    .failed(2);
    assert!(wrong.contains("does not speak TLS"), "{wrong}");
    for wrong in [
        list(&place, &format!("http://{players}"), &[]).await,
        place
            .run(&["health", "--admin", &players.to_string()])
            .await,
    ] {
        let wrong = wrong.failed(2);
        assert!(
            wrong.contains("players draw here") && wrong.contains("http.admin"),
            "{wrong}"
        );
    }
    let wrong = list(&place, "localhost", &[]).await.failed(2);
    assert!(
        wrong.contains("--admin") && wrong.contains("localhost:8092"),
        "{wrong}"
    );
    server.stop().await;
}
