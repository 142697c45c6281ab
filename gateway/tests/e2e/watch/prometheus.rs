//! A real Prometheus of a test's own, with the shipped configuration and rules.
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use testkit::Program;

use super::shipped::deploy;
use crate::support::campaign::with;
use crate::support::{Connection, Place, eventually, text_of};

const STARTED: Duration = Duration::from_secs(20);

/// It ends with this value.
pub struct Prometheus {
    program: Program,
    listen: SocketAddr,
    /// After the program, which writes there.
    _place: Place,
}

impl Prometheus {
    /// Starts one that scrapes these admin addresses, five times a second.
    pub async fn start(admins: &[SocketAddr]) -> Self {
        let place = Place::new();
        copy(&deploy("prometheus/rules"), &place.path("rules"));
        std::fs::create_dir(place.path("targets")).expect("a folder");
        let targets = admins
            .iter()
            .map(|admin| format!("\"{admin}\""))
            .collect::<Vec<_>>()
            .join(", ");
        place.file("targets/gateways.yml", format!("- targets: [{targets}]\n"));
        let config = std::fs::read_to_string(deploy("prometheus/prometheus.yml"))
            .expect("the configuration");
        let config = with(&config, "scrape_interval: 5s", "scrape_interval: 200ms");
        let config = with(&config, "scrape_timeout: 4s", "scrape_timeout: 200ms");
        let config = with(
            &config,
            "evaluation_interval: 5s",
            "evaluation_interval: 200ms",
        );
        // Who listens there is no business of a test.
        let config = with(&config, "[\"localhost:9090\"]", "[]");
        let config = place.file("prometheus.yml", config);

        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={config}"));
        command.arg(format!(
            "--storage.tsdb.path={}",
            text_of(&place.path("data"))
        ));
        command.args([
            "--web.listen-address=127.0.0.1:0",
            "--storage.tsdb.retention.time=1h",
        ]);
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut prometheus = Self {
            program: Program::start(command, &place.path("")),
            listen: nowhere,
            _place: place,
        };
        prometheus.listen = eventually("it says where it listens", STARTED, async || {
            let log = prometheus.program.stderr();
            let line = log
                .lines()
                .find(|line| line.contains("msg=\"Listening on\""))?;
            line.rsplit_once("address=")
                .and_then(|(_, address)| address.trim().parse().ok())
        })
        .await;
        eventually("it is ready", STARTED, async || {
            prometheus.get("/-/ready").await.map(drop)
        })
        .await;
        prometheus
    }

    /// The body of an answer with status 200. Asked by HTTP/1.0, because that knows no chunks.
    async fn get(&self, target: &str) -> Option<String> {
        let mut connection = Connection::open(self.listen).await.ok()?;
        connection
            .send(format!("GET {target} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes())
            .await
            .ok()?;
        let answer = String::from_utf8(connection.closed().await.ok()?).expect("UTF-8");
        let (head, body) = answer.split_once("\r\n\r\n")?;
        head.split(' ').nth(1).filter(|status| *status == "200")?;
        Some(body.to_owned())
    }

    async fn data(&self, target: &str) -> Value {
        let body = self
            .get(target)
            .await
            .unwrap_or_else(|| panic!("refused: {target}"));
        let mut answer: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(answer["status"], "success", "{target}: {answer}");
        answer["data"].take()
    }

    /// The values that an expression has just now. It must be one that Prometheus can evaluate.
    pub async fn ask(&self, query: &str) -> Vec<f64> {
        let query: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let data = self.data(&format!("/api/v1/query?query={query}")).await;
        let number = |value: &Value| {
            value
                .as_str()
                .and_then(|value| value.parse().ok())
                .expect("a number")
        };
        if data["resultType"] == "scalar" {
            return vec![number(&data["result"][1])];
        }
        data["result"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|series| number(&series["value"][1]))
            .collect()
    }

    /// Whether an expression has a value that is a number.
    pub async fn finds(&self, query: &str) -> bool {
        self.ask(query).await.iter().any(|value| !value.is_nan())
    }

    /// All rules, as it has read them, with how their last evaluation went.
    pub async fn rules(&self) -> Vec<Value> {
        let data = self.data("/api/v1/rules").await;
        let groups = data["groups"].as_array().expect("groups");
        groups
            .iter()
            .flat_map(|group| group["rules"].as_array().expect("rules").clone())
            .collect()
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).expect("a folder");
    for file in std::fs::read_dir(from).expect("a folder") {
        let file = file.expect("a file");
        std::fs::copy(file.path(), to.join(file.file_name())).expect("a copy");
    }
}
