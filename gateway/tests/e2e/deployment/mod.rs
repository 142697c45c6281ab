//! What is shipped in `deploy/`: the program accepts every configuration, and the files that put
//! it on machines agree with it and with each other.
mod compose;
mod dockerfile;
mod kubernetes;
mod makefile;
mod proxy;
mod systemd;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use serde_json::Value;

use crate::support::token::SECRET;
use crate::support::{Place, Server, text_of};

/// Where configurations find secrets: in containers, under systemd, in pods.
const SECRETS: [&str; 3] = [
    "/run/secrets/",
    "/run/credentials/drawbridge.service/",
    "/etc/drawbridge/secrets/",
];

/// A file or folder of the repository.
pub fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the workspace")
        .join(path)
}

pub fn text(path: &str) -> String {
    let path = shipped(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files below a folder whose names end so, but those that are made by hand there.
pub fn files_below(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let here = files
        .into_iter()
        .filter(|path| text_of(path).ends_with(ending));
    let folders = folders
        .into_iter()
        .filter(|path| !path.ends_with("secrets"));
    here.chain(folders.flat_map(|folder| files_below(&folder, ending)))
        .collect()
}

/// The documents of a YAML file, with what they merge in.
fn yaml(text: &str) -> Vec<Value> {
    let documents = serde_yaml_ng::Deserializer::from_str(text).map(|document| {
        let mut document = serde_yaml_ng::Value::deserialize(document).expect("YAML");
        document.apply_merge().expect("merges of maps");
        serde_json::to_value(document).expect("keys that are texts")
    });
    documents.collect()
}

fn words(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .map(|word| word.as_str().expect("a text"))
        .collect()
}

/// The names of all secrets that a configuration reads.
fn secrets_of(config: &str) -> BTreeSet<String> {
    let quoted = config.split('"').skip(1).step_by(2);
    quoted
        .filter_map(|text| SECRETS.iter().find_map(|folder| text.strip_prefix(folder)))
        .map(str::to_owned)
        .collect()
}

/// Has the program check a configuration, with secrets in the place of those that it names.
async fn check(config: &str) {
    let place = Place::new();
    let folder = place.path("secrets");
    std::fs::create_dir(&folder).expect("a folder");
    for name in secrets_of(config) {
        // The login service's key is looked into; everything else is any string.
        let secret = if name == "login.pem" {
            include_str!("../../keys/rsa.pem")
        } else {
            SECRET
        };
        std::fs::write(folder.join(name), secret).expect("a file");
    }
    let here = format!("{}/", text_of(&folder));
    let config = SECRETS.iter().fold(config.to_owned(), |config, folder| {
        config.replace(folder, &here)
    });
    let file = place.file("config.toml", &config);
    let reported = place.run(&["check-config", "--config", &file]).await.ok();
    assert!(
        reported.starts_with("# the configuration is good"),
        "{reported}"
    );
}

/// How long a stop may take with a configuration, by its own word.
fn drain_s(config: &str) -> u64 {
    let config: toml::Table = config.parse().expect("TOML");
    let ms = |key: &str| {
        config["drain"][key]
            .as_integer()
            .and_then(|ms| u64::try_from(ms).ok())
            .expect("a time")
    };
    (ms("grace_ms") + ms("deadline_ms")).div_ceil(1000)
}

/// A tag that names one version: not `latest`, nor all of a major version.
#[track_caller]
fn assert_pinned(image: &str) {
    let (_, tag) = image
        .rsplit_once(':')
        .unwrap_or_else(|| panic!("{image} has no tag"));
    let version = tag
        .trim_start_matches('v')
        .split('-')
        .next()
        .expect("a part");
    let numbers: Vec<_> = version.split('.').collect();
    let all_numbers = numbers.iter().all(|number| number.parse::<u32>().is_ok());
    assert!(
        numbers.len() >= 2 && all_numbers,
        "{image} does not name one version"
    );
}

#[tokio::test]
async fn check_config_accepts_every_configuration_that_is_shipped() {
    let files = files_below(&shipped("deploy"), ".toml");
    let (campaigns, configs): (Vec<_>, Vec<_>) = files
        .into_iter()
        .partition(|path| text_of(path).contains("/campaigns/"));
    assert!(
        campaigns.len() >= 4 && configs.len() >= 3,
        "{campaigns:?} {configs:?}"
    );
    for path in configs {
        check(&std::fs::read_to_string(&path).expect("a file")).await;
    }
    let place = Place::new();
    for path in campaigns {
        place
            .run(&["campaign", "check", &text_of(&path)])
            .await
            .ok();
    }
}

/// Believes more than proxies.
const WIDE: &str = "[http]\nlisten = \"0.0.0.0:0\"\nadmin = \"127.0.0.1:0\"\ntrusted_proxies = [\"10.0.0.0/8\"]\n\
                    [identity]\nkind = \"trusted-header\"\nheader = \"X-Player\"\n";

#[tokio::test]
async fn dangerous_pairs_of_settings_are_warned_of() {
    let place = Place::new();
    let file = place.file("config.toml", WIDE);
    let checked = place.run(&["check-config", "--config", &file]).await;
    let reported = checked.stderr.clone();
    // Apart from what can be used as a config file.
    assert!(!checked.ok().contains("warning: "));
    let warned: Vec<_> = reported
        .lines()
        .filter(|line| line.starts_with("warning: "))
        .collect();
    assert!(
        matches!(&warned[..], [line] if line.contains("10.0.0.0/8 has room for more than proxies")),
        "{reported}"
    );
    assert!(
        reported
            .lines()
            .any(|line| line.starts_with("note: identity.header is x-player")),
        "{reported}"
    );
    let data = text_of(&place.data());
    let server = Server::started(
        &place,
        place.command(&["serve", "--config", &file, "--data", &data]),
    )
    .await;
    let warns = |line: &str| line.contains("WARN") && line.contains("10.0.0.0/8");
    // It is logged before the server is ready, and lines are written in their order.
    let ready = |log: &str| log.contains("ready listen=").then(|| log.to_owned());
    let log = server.logged("the server is ready", ready).await;
    assert_eq!(log.lines().filter(|line| warns(line)).count(), 1, "{log}");
}

#[test]
fn the_checks_of_this_module_see_what_they_look_for() {
    for good in [
        "mysql:8.4.6",
        "prom/prometheus:v3.5.0",
        "rust:1.95.0-slim-bookworm",
        "r.example.com/drawbridge:0.1.0",
    ] {
        assert_pinned(good);
    }
    for bad in ["mysql:latest", "mysql:8", "nginx", "nginx:stable-alpine"] {
        assert!(
            std::panic::catch_unwind(|| assert_pinned(bad)).is_err(),
            "{bad}"
        );
    }
    assert_eq!(yaml("a: &x {b: 1}\nc:\n  <<: *x\n")[0]["c"]["b"], 1);
    assert_eq!(drain_s("[drain]\ngrace_ms = 1\ndeadline_ms = 2000"), 3);
    let names = secrets_of(
        "password_file = \"/run/secrets/one\"\nkey_file = \"/etc/drawbridge/secrets/two\"",
    );
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["one", "two"]);
}
