//! A folder of a test's own, and the program run in it.
use std::path::PathBuf;
use std::process::Command;

use testkit::{Folder, Ran, run, text_of};

/// A setting of servers: each scrape shows what is so now.
pub const METRICS_AGE_MAX: (&str, &str) = ("DRAWBRIDGE_METRICS_AGE_MAX_MS", "0");

/// A temporary folder with a data folder in it, gone at the test's end.
#[derive(Debug)]
pub struct Place(Folder);

impl Place {
    pub fn new() -> Self {
        Self(Folder::new())
    }

    /// A place with campaigns published in it, so that a server there has no demo ones.
    pub async fn with_campaigns(texts: &[&str]) -> Self {
        let place = Self::new();
        for text in texts {
            place.publish(text).await.ok();
        }
        place
    }

    /// Leaves the folder there, so that a person can look at it.
    pub fn keep(&mut self) {
        self.0.keep();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path(name)
    }

    pub fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Writes a file and returns its path.
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        self.0.file(name, text)
    }

    /// The program with arguments, and with nothing of the caller's environment that it reads.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drawbridge"));
        // In the folder: what a default such as ./data leaves behind goes with it.
        command
            .args(arguments)
            .env_clear()
            .env("USER", "e2e-operator")
            .current_dir(self.0.root());
        // Tests look at metrics right before and right after what they do.
        command.env(METRICS_AGE_MAX.0, METRICS_AGE_MAX.1);
        command
    }

    /// Runs a subcommand to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ran {
        run(self.command(arguments)).await
    }

    /// The same, about this place's data folder.
    pub async fn run_here(&self, arguments: &[&str]) -> Ran {
        let data = text_of(&self.data());
        self.run(&[arguments, &["--data", &data]].concat()).await
    }

    pub async fn publish(&self, campaign: &str) -> Ran {
        let file = self.file("campaign.toml", campaign);
        self.run_here(&["campaign", "publish", &file]).await
    }

    /// Total, issued and left of a prize, as `stock show` says.
    pub async fn stock(&self, activity: u64, award: u64) -> (u64, u64, u64) {
        self.run_here(&["stock", "show", "--activity", &activity.to_string()])
            .await
            .stock(activity, award)
    }

    /// The audit's JSON, of an audit that must be green.
    pub async fn audited(&self) -> serde_json::Value {
        self.run_here(&["audit", "--json"]).await.green_report()
    }

    /// The same at rest, where nothing need be skipped. Returns how many orders there are.
    pub async fn audited_at_rest(&self) -> u64 {
        orders_in(&self.audited().await)
    }
}

/// How many orders an audit has seen that skipped nothing.
#[track_caller]
pub fn orders_in(report: &serde_json::Value) -> u64 {
    let checks = report["checks"].as_array().expect("checks");
    assert!(checks.iter().all(|check| check["ok"] == true), "{report}");
    let orders = checks
        .iter()
        .find(|check| check["name"] == "one_order_per_request");
    orders.expect("the check of orders")["checked"]
        .as_u64()
        .expect("a number")
}
