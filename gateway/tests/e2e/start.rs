//! Starting: what is there, what is refused and how fast, where settings come from.
use std::net::TcpListener;
use std::time::Duration;

use serde_json::json;

use crate::support::campaign::{DEMO_ACTIVITY, LOAD, LOAD_ACTIVITY, SCARCE};
use crate::support::{Place, Request, Server, eventually, run, text_of};

fn armory(activity: u64) -> Request {
    Request::get(&format!("activity/armory?activityId={activity}"))
}

/// A port that is in use while the listener lives.
fn port_in_use() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    (listener, address)
}

#[tokio::test]
async fn a_server_says_where_it_is_and_its_curl_line_draws() {
    let place = Place::new();
    let server = Server::start(&place).await;
    let stdout = server.stdout();
    let line = stdout.lines().find(|line| line.contains("curl")).unwrap();
    let url = line
        .split_whitespace()
        .find(|word| word.starts_with("http://"))
        .unwrap();
    let path = url
        .strip_prefix(&format!("http://{}", server.listen))
        .unwrap();
    let body = line.split('\'').find(|part| part.starts_with('{')).unwrap();
    let request = Request::raw("POST", path)
        .header("Content-Type", "application/json")
        .with_body(body);
    server.ask(&request).await.expect(200, "0000");
    server.stop().await;
}

#[tokio::test]
async fn the_admin_address_serves_health_and_readiness() {
    let place = Place::new();
    let server = Server::start(&place).await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(server.ask_admin("GET", path).await.status, 200, "{path}");
    }
    for method in ["GET", "POST"] {
        assert_eq!(server.ask_admin(method, "/elsewhere").await.status, 404);
    }
    let refused = server.ask_admin("POST", "/healthz").await;
    assert_eq!(refused.status, 405);
    assert_eq!(refused.header("allow"), Some("GET, HEAD"));
}

#[tokio::test]
async fn a_server_without_campaigns_begins_with_the_demo_ones() {
    let place = Place::new();
    let server = Server::start(&place).await;
    for activity in [DEMO_ACTIVITY, 100_401] {
        assert_eq!(server.data(&armory(activity)).await, json!(true));
    }
    let listed = place.run_here(&["campaign", "list"]).await.ok();
    assert_eq!(listed.lines().count(), 2, "{listed}");
}

#[tokio::test]
async fn a_server_with_a_campaign_of_its_own_has_no_demo_ones() {
    let place = Place::with_campaigns(&[SCARCE]).await;
    let server = Server::start(&place).await;
    assert_eq!(server.data(&armory(200_002)).await, json!(true));
    server
        .ask(&armory(DEMO_ACTIVITY))
        .await
        .expect(404, "ERR_REQ_001");
    server
        .ask(&armory(100_401))
        .await
        .expect(404, "ERR_REQ_001");
}

#[tokio::test]
async fn a_port_in_use_is_refused_at_once() {
    let place = Place::new();
    let (_listener, taken) = port_in_use();
    for (listen, admin, option) in [
        (&*taken, "127.0.0.1:0", "listen"),
        ("127.0.0.1:0", &*taken, "admin"),
    ] {
        let ran = place
            .run_here(&["serve", "--listen", listen, "--admin", admin])
            .await;
        let message = ran.refused_at_once();
        assert!(
            message.contains(&taken) && message.contains(option),
            "{message}"
        );
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}

#[tokio::test]
async fn a_data_folder_that_is_held_is_refused_at_once() {
    let place = Place::new();
    let server = Server::start(&place).await;
    let ran = place
        .run_here(&["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
        .await;
    let message = ran.refused_at_once();
    assert!(message.contains("held by another process"), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    // The server that holds it is not disturbed.
    server
        .ask(&Request::draw("u", DEMO_ACTIVITY, "k"))
        .await
        .expect(200, "0000");
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_one_is_refused_at_once() {
    let place = Place::new();
    let file = place.file("file", "");
    let below = format!("{file}/data");
    for data in [&file, &below] {
        let ran = place
            .run(&[
                "serve",
                "--data",
                data,
                "--listen",
                "127.0.0.1:0",
                "--admin",
                "127.0.0.1:0",
            ])
            .await;
        let message = ran.refused_at_once();
        assert!(message.contains(data.as_str()), "{message}");
    }
    std::fs::create_dir(place.data()).unwrap();
    std::fs::write(
        place.data().join("meta.sqlite"),
        "this is no database, and long enough to be seen as none",
    )
    .unwrap();
    let message = place
        .run_here(&["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"])
        .await
        .refused_at_once();
    assert!(message.contains("meta.sqlite"), "{message}");
}

#[tokio::test]
async fn all_faults_of_a_configuration_are_named_at_once() {
    let place = Place::new();
    let config = "[http]\nlisten = \"here\"\nheader_timeout_ms = 0\n\n[lanes]\nbatch_max = \"many\"\nbatch_mxa = 1\n\n\
                  [log]\nformat = \"xml\"\n";
    let file = place.file("faulty.toml", config);
    let mut serve = place.command(&["serve", "--config", &file, "--admin", "nowhere"]);
    serve
        .env("DRAWBRIDGE_READS_QUEUE_MAX", "-1")
        .env("DRAWBRIDGE_HTTP_LISTNE", "127.0.0.1:0");
    let message = run(serve).await.refused_at_once();
    for part in [
        "line 2, http.listen",
        "line 3, http.header_timeout_ms",
        "line 6, lanes.batch_max",
        "line 7, lanes.batch_mxa",
        "line 10, log.format",
        "--admin",
        "DRAWBRIDGE_READS_QUEUE_MAX",
        "DRAWBRIDGE_HTTP_LISTNE",
    ] {
        assert!(message.contains(part), "{part} is missing in:\n{message}");
    }
    assert!(
        !place.path("data").exists(),
        "a server that cannot start leaves nothing behind"
    );
}

#[tokio::test]
async fn a_config_file_that_is_missing_or_no_toml_is_refused_at_once() {
    let place = Place::new();
    let missing = place
        .run(&["serve", "--config", "nowhere.toml"])
        .await
        .refused_at_once();
    assert!(missing.contains("nowhere.toml"), "{missing}");
    let file = place.file("broken.toml", "[http]\nlisten = \n");
    let broken = place
        .run(&["serve", "--config", &file])
        .await
        .refused_at_once();
    assert!(broken.contains("line 2"), "{broken}");
}

#[tokio::test]
async fn another_layout_than_at_the_first_start_is_refused_at_once() {
    let place = Place::new();
    Server::start_with(&place, "[storage]\nshards = 3\ntables = 2\n")
        .await
        .stop()
        .await;
    for layout in [
        "shards = 2\ntables = 2",
        "shards = 3\ntables = 4",
        "shards = 4\ntables = 2",
    ] {
        let file = place.file("layout.toml", format!("[storage]\n{layout}\n"));
        let arguments = [
            "serve",
            "--config",
            &file,
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
        ];
        let message = place.run_here(&arguments).await.refused_at_once();
        assert!(message.contains("3 shards of 2 tables"), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
    // Nothing was added or moved by the tries.
    Server::start_with(&place, "[storage]\nshards = 3\ntables = 2\n")
        .await
        .stop()
        .await;
    place.audited_at_rest().await;
}

#[tokio::test]
async fn unknown_options_and_subcommands_are_refused_at_once() {
    let place = Place::new();
    for arguments in [
        &["serve", "--lisetn", "127.0.0.1:0"][..],
        &["srve"],
        &[],
        &["serve", "--listen"],
    ] {
        place.run(arguments).await.refused_at_once();
    }
    let message = place
        .run(&["serve", "--lisetn", "127.0.0.1:0"])
        .await
        .refused_at_once();
    assert!(message.contains("--lisetn"), "{message}");
}

#[tokio::test]
async fn options_win_over_variables_and_variables_over_the_file() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let (_listener, taken) = port_in_use();
    // With one of the wrong values the server could not start.
    let config = format!(
        "[http]\nlisten = \"{taken}\"\nadmin = \"{taken}\"\n[storage]\ndata = \"/dev/null/file\"\n"
    );
    let config = place.file("precedence.toml", config);
    let mut serve = place.command(&["serve", "--listen", "127.0.0.1:0"]);
    serve
        .env("DRAWBRIDGE_CONFIG", &config)
        .env("DRAWBRIDGE_HTTP_LISTEN", &taken);
    serve
        .env("DRAWBRIDGE_HTTP_ADMIN", "127.0.0.1:0")
        .env("DRAWBRIDGE_STORAGE_DATA", place.data());
    // Variables that Kubernetes sets for a service called "drawbridge" are no settings.
    serve
        .env("DRAWBRIDGE_SERVICE_HOST", "10.0.0.1")
        .env("DRAWBRIDGE_PORT", "tcp://10.0.0.1:8091");
    let server = Server::started(&place, serve).await;
    server
        .ask(&Request::draw("u", LOAD_ACTIVITY, "k"))
        .await
        .expect(200, "0000");
}

#[tokio::test]
async fn a_config_file_is_enough_to_start_and_to_ask() {
    let place = Place::new();
    let config = "[http]\nlisten = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n[storage]\ndata = \"elsewhere\"\n";
    let config = place.file("all.toml", config);
    let campaign = place.file("load.toml", LOAD);
    place
        .run(&["campaign", "publish", &campaign, "--config", &config])
        .await
        .ok();
    let server = Server::started(&place, place.command(&["serve", "--config", &config])).await;
    server
        .ask(&Request::draw("u", LOAD_ACTIVITY, "k"))
        .await
        .expect(200, "0000");
    for arguments in [
        &["audit"][..],
        &["campaign", "list"],
        &["stock", "show"],
        &["route", "u"],
    ] {
        place
            .run(&[arguments, &["--config", &config]].concat())
            .await
            .ok();
    }
    assert!(place.path("elsewhere").exists() && !place.data().exists());
}

#[tokio::test]
async fn of_two_first_starts_at_once_one_serves_and_one_is_refused() {
    let place = Place::new();
    let data = text_of(&place.data());
    let arguments = [
        "serve",
        "--data",
        &data,
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
    ];
    let (mut one, mut other) = (
        Server::spawned(&place, place.command(&arguments)),
        Server::spawned(&place, place.command(&arguments)),
    );
    let refused = eventually(
        "one of them gives up",
        Duration::from_secs(10),
        async || {
            [&mut one, &mut other]
                .into_iter()
                .find_map(|server| Some((server.ending()?, server.stderr())))
        },
    );
    let (status, message) = refused.await;
    assert!(
        !status.success() && message.contains("held by another process"),
        "{status}: {message}"
    );
    let mut left = if one.ending().is_some() { other } else { one };
    left.await_ready().await;
    for activity in [DEMO_ACTIVITY, 100_401] {
        assert_eq!(left.data(&armory(activity)).await, json!(true));
    }
}

#[tokio::test]
async fn the_options_config_file_wins_over_the_variables_config_file() {
    let place = Place::new();
    let good = place.file("good.toml", "[lanes]\nqueue_max = 4711\n");
    let mut check = place.command(&["check-config", "--config", &good]);
    check.env("DRAWBRIDGE_CONFIG", "nowhere.toml");
    let shown = run(check).await.ok();
    assert!(shown.contains("4711"), "{shown}");
}

#[tokio::test]
async fn check_config_shows_what_would_be_used_and_all_faults() {
    let place = Place::new();
    let file = place.file(
        "good.toml",
        "[storage]\ndata = \"from-the-file\"\nshards = 7\n[lanes]\nqueue_max = 4711\n",
    );
    let shown = place.run(&["check-config", "--config", &file]).await.ok();
    for part in ["from-the-file", "7", "4711", "127.0.0.1:8091"] {
        assert!(shown.contains(part), "{part} is missing in:\n{shown}");
    }
    let mut check = place.command(&["check-config", "--config", &file]);
    check.env("DRAWBRIDGE_STORAGE_DATA", "from-the-variable");
    let shown = run(check).await.ok();
    let line = |shown: &str, key: &str| {
        shown
            .lines()
            .find(|line| line.starts_with(key))
            .map(str::to_owned)
    };
    let data = line(&shown, "data =").expect("its line");
    assert!(data.starts_with("data = \"from-the-variable\" "), "{data}");
    let origin = "# environment variable DRAWBRIDGE_STORAGE_DATA (the file says \"from-the-file\")";
    assert!(data.ends_with(origin), "{data}");
    let shown = place
        .run(&[
            "check-config",
            "--config",
            &file,
            "--data",
            "from-the-option",
        ])
        .await
        .ok();
    assert!(
        line(&shown, "data =").is_some_and(|line| line.starts_with("data = \"from-the-option\" ")),
        "{shown}"
    );
    assert!(
        line(&shown, "shards =").is_some_and(|line| line.ends_with("# file, line 3")),
        "{shown}"
    );
    assert!(
        line(&shown, "tables =").is_some_and(|line| line.ends_with("# default")),
        "{shown}"
    );
    // What is shown is a configuration.
    let again = place.file("shown.toml", &shown);
    place.run(&["check-config", "--config", &again]).await.ok();

    let file = place.file("bad.toml", "[storage]\nshards = 0\ntable = 4\n");
    let ran = place.run(&["check-config", "--config", &file]).await;
    assert_eq!(ran.code, Some(1));
    let message = ran.refused_at_once();
    assert_eq!(
        place
            .run(&["check-config", "--config", "nowhere.toml"])
            .await
            .code,
        Some(2)
    );
    assert!(
        message.contains("line 2, storage.shards") && message.contains("line 3, storage.table"),
        "{message}"
    );
}

#[tokio::test]
async fn old_clients_get_200_for_every_answer_where_they_ask_for_it() {
    let place = Place::new();
    let server = Server::start_with(&place, "[http]\nalways_200 = true\n").await;
    server
        .ask(&Request::draw("u", DEMO_ACTIVITY, "k"))
        .await
        .expect(200, "0000");
    let refusals = [
        (Request::draw("u", 7, "other"), "ERR_REQ_001"),
        (Request::draw("u", 100_401, "k"), "ERR_REQ_003"),
        (Request::draw(" ", DEMO_ACTIVITY, "other"), "0002"),
        (
            Request::post("activity/draw", "application/json", "no JSON"),
            "0002",
        ),
        (
            Request::post("activity/draw", "application/json", vec![b' '; 70_000]),
            "ERR_REQ_006",
        ),
        (Request::record("u", "requestId", "other"), "ERR_REQ_002"),
        (Request::get("activity/draw"), "ERR_REQ_005"),
        (Request::get("nowhere"), "ERR_REQ_004"),
    ];
    for (request, code) in refusals {
        server
            .send(&request)
            .await
            .envelope_of_any_status()
            .expect(200, code);
    }
}

/// `serve` in a shell that allows it `hard` open files, and `soft` of them at first.
fn with_files(place: &Place, soft: u32, hard: u32) -> std::process::Command {
    let data = text_of(&place.data());
    let serve = place.command(&[
        "serve",
        "--data",
        &data,
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
    ]);
    let mut shell = std::process::Command::new("sh");
    shell.args([
        "-c",
        &format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$0\" \"$@\""),
    ]);
    shell.arg(serve.get_program()).args(serve.get_args());
    shell
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("DRAWBRIDGE_DRAIN_GRACE_MS", "0");
    shell
}

#[tokio::test]
async fn too_few_open_files_are_refused_with_what_helps() {
    let place = Place::new();
    let message = run(with_files(&place, 64, 200)).await.refused_at_once();
    for part in [
        "200 open files",
        "234 are needed",
        "ulimit -Hn",
        "LimitNOFILE",
    ] {
        assert!(message.contains(part), "no {part} in {message}");
    }
    assert_eq!(message.lines().count(), 1, "{message}");
}

#[tokio::test]
async fn a_server_raises_its_own_limit_on_open_files() {
    let place = Place::new();
    let server = Server::started(&place, with_files(&place, 32, 4_096)).await;
    server
        .ask(&Request::draw("u", DEMO_ACTIVITY, "k"))
        .await
        .expect(200, "0000");
    server.stop().await;
}
