//! `deploy/compose`: every name in it means something, and every file is there.
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{assert_pinned, check, drain_s, secrets_of, shipped, text, words, yaml};
use crate::support::{Place, run, text_of};

const FOLDER: &str = "deploy/compose";

/// The keys that services may have; any other is a mistake.
const KEYS: [&str; 20] = [
    "build",
    "cap_drop",
    "command",
    "depends_on",
    "environment",
    "healthcheck",
    "image",
    "logging",
    "networks",
    "ports",
    "profiles",
    "read_only",
    "restart",
    "secrets",
    "security_opt",
    "stop_grace_period",
    "tmpfs",
    "ulimits",
    "volumes",
    "user",
];

fn compose() -> Value {
    yaml(&text(&format!("{FOLDER}/compose.yaml"))).remove(0)
}

fn map(value: &Value) -> &Map<String, Value> {
    value
        .as_object()
        .unwrap_or_else(|| panic!("no map: {value}"))
}

fn config() -> (String, toml::Table) {
    let config = text(&format!("{FOLDER}/gateway.toml"));
    let table = config.parse().expect("TOML");
    (config, table)
}

#[test]
fn every_service_is_pinned_watched_and_refers_to_what_there_is() {
    let compose = compose();
    let (services, named) = (map(&compose["services"]), |kind: &str, name: &str| {
        map(&compose[kind]).contains_key(name)
    });
    let (mut secrets_used, mut volumes_used) = (BTreeSet::new(), BTreeSet::new());
    for (name, service) in services {
        map(service)
            .keys()
            .for_each(|key| assert!(KEYS.contains(&key.as_str()), "{name}: {key}"));
        assert_pinned(service["image"].as_str().expect("an image"));
        // An image without a shell: Prometheus sees whether it answers.
        let watched =
            name == "nginx-exporter" || !words(&service["healthcheck"]["test"]).is_empty();
        let ends = service["restart"] == "no";
        assert_eq!(
            watched, !ends,
            "{name}: what stays is watched, and what is watched stays"
        );
        for (other, condition) in service["depends_on"].as_object().into_iter().flatten() {
            let other = services
                .get(other)
                .unwrap_or_else(|| panic!("{name}: no service {other}"));
            match condition["condition"].as_str() {
                Some("service_healthy") => {
                    assert!(!words(&other["healthcheck"]["test"]).is_empty(), "{name}");
                }
                Some("service_completed_successfully") => {
                    assert_eq!(other["restart"], "no", "{name}");
                }
                condition => panic!("{name}: {condition:?}"),
            }
        }
        let networks: Vec<_> = match &service["networks"] {
            Value::Object(networks) => networks.keys().map(String::as_str).collect(),
            networks => words(networks),
        };
        assert!(
            !networks.is_empty() && networks.iter().all(|network| named("networks", network)),
            "{name}"
        );
        for secret in words(&service["secrets"]) {
            assert!(named("secrets", secret), "{name}: no secret {secret}");
            secrets_used.insert(secret.to_owned());
        }
        for volume in words(&service["volumes"]) {
            let source = volume.split(':').next().expect("a source");
            if source.starts_with('.') {
                assert!(
                    shipped(FOLDER).join(source).exists(),
                    "{name}: {source} is not there"
                );
                assert!(volume.ends_with(":ro"), "{name}: {volume} may be written");
            } else {
                assert!(named("volumes", source), "{name}: no volume {source}");
                volumes_used.insert(source.to_owned());
            }
        }
    }
    let all = |kind: &str| map(&compose[kind]).keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(
        (secrets_used, volumes_used),
        (all("secrets"), all("volumes")),
        "declared, and never used"
    );
    let expected = [
        "gateway-0",
        "gateway-1",
        "mysql-0",
        "mysql-1",
        "redis",
        "nginx",
        "prometheus",
        "grafana",
        "migrate",
    ];
    for name in expected {
        assert!(services.contains_key(name), "{name}");
    }
}

#[test]
fn no_secret_stands_in_the_files() {
    let compose = compose();
    for (name, service) in map(&compose["services"]) {
        for (variable, value) in service["environment"].as_object().into_iter().flatten() {
            let secret = variable.contains("PASSWORD") || variable.contains("TOKEN");
            let value = value.as_str().expect("a text");
            assert!(
                !secret || value.starts_with("/run/secrets/"),
                "{name}: {variable}"
            );
            if let Some(secret) = value.strip_prefix("/run/secrets/") {
                assert!(
                    words(&service["secrets"]).contains(&secret),
                    "{name}: {variable}"
                );
            }
        }
    }
    let (config, _) = config();
    assert!(
        !config.lines().any(|line| line.starts_with("password =")),
        "{config}"
    );
}

#[tokio::test]
async fn what_runs_our_image_has_a_configuration_that_is_accepted_and_time_to_drain() {
    let compose = compose();
    let image = format!("drawbridge:{}", env!("CARGO_PKG_VERSION"));
    let ours: Vec<_> = map(&compose["services"])
        .iter()
        .filter(|(_, service)| service["image"] == image.as_str())
        .collect();
    let names: Vec<_> = ours.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["gateway-0", "gateway-1", "migrate", "tool"]);
    for (name, service) in ours {
        let command = words(&service["command"]);
        let place = command
            .iter()
            .position(|word| *word == "--config")
            .expect("a configuration");
        let mounted = words(&service["volumes"])
            .into_iter()
            .find_map(|volume| volume.strip_suffix(&format!(":{}:ro", command[place + 1])));
        let config =
            std::fs::read_to_string(shipped(FOLDER).join(mounted.expect("a mounted file")))
                .expect("a file");
        check(&config).await;
        let given: BTreeSet<_> = words(&service["secrets"])
            .into_iter()
            .map(str::to_owned)
            .collect();
        assert_eq!(given, secrets_of(&config), "{name}");
        let grace = service["stop_grace_period"]
            .as_str()
            .and_then(|time| time.strip_suffix('s'))
            .expect("seconds");
        assert!(
            grace.parse::<u64>().expect("a number") > drain_s(&config),
            "{name}"
        );
        let (words, help) = (&command[..place], ["--help"]);
        Place::new().run(&[words, &help].concat()).await.ok();
    }
}

#[test]
fn databases_redis_nginx_and_gateways_find_each_other() {
    let compose = compose();
    let (_, config) = config();
    let text_at = |table: &toml::Value, key: &str| table[key].as_str().expect("a text").to_owned();
    let storage = &config["storage"];
    for shard in storage["shard"].as_array().expect("shards") {
        let service = &compose["services"][text_at(shard, "host").as_str()];
        assert_eq!(
            service["environment"]["MYSQL_DATABASE"],
            text_at(shard, "database").as_str()
        );
        assert_eq!(
            service["environment"]["MYSQL_USER"],
            text_at(shard, "user").as_str()
        );
    }
    let meta = &storage["meta"];
    let mounts = words(&compose["services"][text_at(meta, "host").as_str()]["volumes"]);
    assert!(
        mounts.contains(&"./mysql/meta.sql:/docker-entrypoint-initdb.d/meta.sql:ro"),
        "{mounts:?}"
    );
    let made = format!("CREATE DATABASE {};", text_at(meta, "database"));
    assert!(text(&format!("{FOLDER}/mysql/meta.sql")).contains(&made));
    for redis in storage["redis"].as_array().expect("stock servers") {
        assert!(compose["services"][text_at(redis, "host").as_str()].is_object());
    }
    let address = |name: &str| {
        compose["services"][name]["networks"]["inside"]["ipv4_address"]
            .as_str()
            .expect("an address")
            .to_owned()
    };
    let trusted = config["http"]["trusted_proxies"]
        .as_array()
        .expect("proxies");
    assert_eq!(trusted, &[toml::Value::from(address("nginx"))]);
    let proxy = text(&format!("{FOLDER}/nginx/drawbridge.conf"));
    let targets = yaml(&text(&format!("{FOLDER}/targets/gateways.yml"))).remove(0);
    assert_eq!(
        words(&targets[0]["targets"]),
        ["gateway-0:8093", "gateway-1:8093"]
    );
    let status = format!("http://{}:8093/stub_status", address("nginx"));
    assert_eq!(
        words(&compose["services"]["nginx-exporter"]["command"]),
        [format!("--nginx.scrape-uri={status}")]
    );
    assert!(proxy.contains("listen 8093;") && proxy.contains("include drawbridge/status.conf;"));
    let published = words(&compose["services"]["nginx"]["ports"]);
    assert!(
        !published.iter().any(|port| port.contains("8093")),
        "{published:?}"
    );
    let targets = yaml(&text(&format!("{FOLDER}/targets/nginx.yml"))).remove(0);
    assert_eq!(words(&targets[0]["targets"]), ["nginx-exporter:9113"]);
    for gateway in ["gateway-0", "gateway-1"] {
        assert!(
            proxy.contains(&format!("server {}:8091 ", address(gateway))),
            "{gateway}"
        );
    }
}

#[tokio::test]
async fn make_secrets_makes_each_of_them_once() {
    let place = Place::new();
    let script = place.path("make-secrets");
    std::fs::copy(shipped(FOLDER).join("make-secrets"), &script).expect("a copy");
    let make = async || run(std::process::Command::new(&script)).await.ok();
    make().await;
    let compose = compose();
    let files = map(&compose["secrets"])
        .values()
        .map(|secret| secret["file"].as_str().expect("a file"));
    let read = |file: &str| {
        std::fs::read_to_string(place.path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    };
    let before: Vec<_> = files.clone().map(read).collect();
    assert!(
        before.iter().all(|secret| secret.len() >= 64),
        "{}",
        text_of(&place.path("secrets"))
    );
    assert_eq!(
        before.iter().collect::<BTreeSet<_>>().len(),
        before.len(),
        "no two are the same"
    );
    make().await;
    assert_eq!(files.map(read).collect::<Vec<_>>(), before);
}
