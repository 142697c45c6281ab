//! The image: pinned, small, without a user who may do everything.
use std::path::Path;

use super::{assert_pinned, shipped, text};
use crate::support::campaign::DEMO_ACTIVITY;
use crate::support::{Connection, Place, Request, Server};

fn instructions(file: &str) -> Vec<(String, String)> {
    let joined = file.replace("\\\n", " ");
    let lines = joined
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let split = |line: &str| {
        line.split_once(' ')
            .map(|(word, rest)| (word.to_owned(), rest.trim().to_owned()))
    };
    lines
        .map(|line| split(line).unwrap_or_else(|| panic!("no instruction: {line}")))
        .collect()
}

#[test]
fn the_image_is_built_from_pinned_ones_by_the_pinned_compiler_and_runs_without_special_rights() {
    let file = text("Dockerfile");
    let all = instructions(&file);
    let of = |word: &str| {
        all.iter()
            .filter(|(found, _)| found == word)
            .map(|(_, rest)| rest.as_str())
            .collect::<Vec<_>>()
    };
    let bases: Vec<_> = of("FROM")
        .iter()
        .map(|from| from.split(' ').next().expect("a word").to_owned())
        .collect();
    assert_eq!(bases.len(), 2, "one that builds, one that runs");
    for base in &bases {
        assert_pinned(base);
    }
    let toolchain: toml::Table = text("rust-toolchain.toml").parse().expect("TOML");
    let channel = toolchain["toolchain"]["channel"]
        .as_str()
        .expect("a channel");
    assert!(
        bases[0].starts_with(&format!("rust:{channel}-")),
        "{bases:?} against {channel}"
    );
    assert!(of("ENV").contains(&format!("RUSTUP_TOOLCHAIN={channel}").as_str()));
    assert!(
        of("RUN")
            .iter()
            .any(|run| run.contains("cargo build --release --locked"))
    );
    assert_eq!(of("USER"), ["10001:10001"]);
    assert_eq!(of("ENTRYPOINT"), ["[\"drawbridge\"]"]);
    assert!(
        of("HEALTHCHECK")
            .iter()
            .all(|check| check.ends_with("CMD [\"drawbridge\", \"health\"]"))
    );
    // What is copied from the repository is there, and reaches the builder.
    let copied = of("COPY")
        .into_iter()
        .filter(|copy| !copy.starts_with("--from") && !copy.starts_with(". "));
    for source in copied.map(|copy| copy.split(' ').next().expect("a word")) {
        assert!(shipped(source).exists(), "{source}");
        let reaches = |line: &str| {
            line.strip_prefix('!')
                .is_some_and(|kept| Path::new(source).starts_with(kept))
        };
        assert!(text(".dockerignore").lines().any(reaches), "{source}");
    }
}

/// Players reach a container by the port that is published, operations only from within; and no key
/// is laid over the configuration that is mounted.
#[tokio::test]
async fn a_container_is_reached_by_players_and_its_configuration_is_a_file_like_any_other() {
    let all = instructions(&text("Dockerfile"));
    let settings = all
        .iter()
        .filter(|(word, _)| word == "ENV")
        .map(|(_, rest)| rest.as_str());
    let settings: Vec<_> = settings
        .filter(|setting| setting.starts_with("DRAWBRIDGE_"))
        .collect();
    let file = settings[0]
        .strip_prefix("DRAWBRIDGE_CONFIG=")
        .expect("a configuration, and nothing else");
    assert_eq!(settings.len(), 1, "{settings:?}");
    let copied = all
        .iter()
        .filter(|(word, _)| word == "COPY")
        .find_map(|(_, rest)| rest.strip_suffix(file));
    let source = copied.expect("it is copied").trim();
    let config: toml::Table = text(source).parse().expect("TOML");
    assert_eq!(config["http"]["listen"].as_str(), Some("0.0.0.0:8091"));
    assert_eq!(config["http"]["admin"].as_str(), Some("127.0.0.1:8092"));
    let exposed = all
        .iter()
        .find(|(word, _)| word == "EXPOSE")
        .expect("ports");
    assert_eq!(exposed.1, "8091 8092");

    // It serves, and says what that means.
    let place = Place::new();
    let free = text(source).replace("8091", "0").replace("8092", "0");
    let mut serve = place.command(&["serve"]);
    serve
        .env("DRAWBRIDGE_CONFIG", place.file("drawbridge.toml", &free))
        .env("DRAWBRIDGE_DRAIN_GRACE_MS", "0");
    let server = Server::started(&place, serve).await;
    let reported = server.stdout();
    let line = reported
        .lines()
        .find(|line| line.starts_with("try: "))
        .expect("a line to try");
    assert!(
        line.contains(&format!("http://127.0.0.1:{}/", server.listen.port())),
        "{reported}"
    );
    let warned = |log: &str| log.contains("identity.kind is open").then_some(());
    server.logged("identity.kind is open", warned).await;
    let draw = Request::draw("u", DEMO_ACTIVITY, "k");
    let mut connection = Connection::open(([127, 0, 0, 1], server.listen.port()).into())
        .await
        .expect("a connection");
    connection
        .exchange(&draw)
        .await
        .expect("an answer")
        .envelope()
        .expect(200, "0000");
}
