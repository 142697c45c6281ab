//! A whole cluster of real servers, started by `deploy/local/cluster`, and ways to break it.
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use router::SlotMap;
use serde_json::Value;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::{ConnectOptions as _, Executor as _, MySqlConnection, Row as _};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::place::{METRICS_AGE_MAX, Place, orders_in};
use testkit::eventually;
use testkit::http::{Connection, Envelope, Request, Response};
use testkit::{ClusterSetup, LocalCluster, Ran, run, run_within, text_of};

const SHARDS: u16 = 2;
/// Of each shard.
pub const TABLES: u16 = 4;

/// A start takes about two seconds, but the machine may be busy; so may a database that recovers.
const START_MAX: Duration = Duration::from_mins(3);

/// The most clusters at once. Each has nine processes: more would only slow each other down.
static ROOM: Semaphore = Semaphore::const_new(2);

/// So many of each log are shown when a test fails.
const LOG_LINES_SHOWN: usize = 80;

/// Set this variable to look at the files of a cluster afterwards.
const KEEP_VARIABLE: &str = "CLUSTER_KEEP";

/// Within this open grants are decided, and then all is at rest.
pub const SETTLED: Duration = Duration::from_secs(20);

/// A running cluster of two shards and two gateways or more. It ends with this value, and with
/// this process, however either ends.
#[derive(Debug)]
pub struct Cluster {
    /// Before the place, which holds its files.
    local: LocalCluster,
    place: Place,
    gateways: usize,
    map: SlotMap,
    _room: SemaphorePermit<'static>,
}

/// The units of a prize, where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Units {
    pub total: u64,
    /// In Redis.
    pub left: u64,
    /// In Redis, granted to batches that are under way.
    pub open: u64,
    /// In orders.
    pub issued: u64,
}

impl Cluster {
    /// Starts one of two gateways, with the program that these tests were built with.
    pub async fn start() -> Self {
        Self::of_gateways(2).await
    }

    /// Starts one with this number of gateways, two at least.
    pub async fn of_gateways(gateways: usize) -> Self {
        let room = ROOM.acquire().await.expect("never closed");
        let place = Place::new();
        // Another build must not replace the program during a test.
        let (built, program) = (env!("CARGO_BIN_EXE_drawbridge"), place.path("drawbridge"));
        if std::fs::hard_link(built, &program).is_err() {
            std::fs::copy(built, &program).expect("a copy of the program");
        }
        let setup = ClusterSetup {
            script: &harness(),
            drawbridge: &program,
            parent: &place.path(""),
            variables: vec![
                ("SHARDS", SHARDS.to_string()),
                ("GATEWAYS", gateways.to_string()),
                ("TABLES", TABLES.to_string()),
                // A mariadbd that starts removes the temporary files of all others in its TMPDIR.
                ("TMPDIR", text_of(&place.path(""))),
                (METRICS_AGE_MAX.0, METRICS_AGE_MAX.1.to_owned()),
            ],
            keep: std::env::var_os(KEEP_VARIABLE).is_some(),
        };
        let cluster = LocalCluster::start(&setup).await;
        Self {
            local: cluster.unwrap_or_else(|error| panic!("{error}")),
            place,
            gateways,
            map: SlotMap::even(1, SHARDS, TABLES).expect("a layout"),
            _room: room,
        }
    }

    fn folder(&self) -> PathBuf {
        self.local.folder().to_owned()
    }

    fn json(&self) -> Value {
        let text =
            std::fs::read_to_string(self.folder().join("cluster.json")).expect("cluster.json");
        serde_json::from_str(&text).expect("JSON")
    }

    /// What `cluster.json` says of a part: `gateway-0`, `shard-1`, `meta`, `redis`, `nginx`.
    fn part(&self, name: &str) -> Value {
        let mut json = self.json();
        match name.split_once('-') {
            Some((kind, number)) => {
                json[format!("{kind}s")][number.parse::<usize>().expect("a number")].take()
            }
            None => json[name].take(),
        }
    }

    /// Where a gateway or nginx answers players.
    pub fn listen(&self, part: &str) -> SocketAddr {
        address(&self.part(part)["listen"])
    }

    /// Where a gateway answers operations.
    pub fn admin(&self, gateway: &str) -> SocketAddr {
        address(&self.part(gateway)["admin"])
    }

    /// The file with the token of operations.
    pub fn token_file(&self) -> String {
        text_of(&self.folder().join("admin-token"))
    }

    pub fn token(&self) -> String {
        std::fs::read_to_string(self.token_file())
            .expect("the token")
            .trim()
            .to_owned()
    }

    /// Where players may come in: all gateways, and nginx.
    pub fn doors(&self) -> Vec<SocketAddr> {
        let nginx = self.listen("nginx");
        self.all_gateways().into_iter().chain([nginx]).collect()
    }

    /// The first two gateways; most clusters have no more.
    pub fn gateways(&self) -> [SocketAddr; 2] {
        ["gateway-0", "gateway-1"].map(|part| self.listen(part))
    }

    /// The names of all gateways.
    pub fn gateway_names(&self) -> Vec<String> {
        (0..self.gateways)
            .map(|number| format!("gateway-{number}"))
            .collect()
    }

    pub fn all_gateways(&self) -> Vec<SocketAddr> {
        self.gateway_names()
            .iter()
            .map(|name| self.listen(name))
            .collect()
    }

    /// Adds tables to a gateway's configuration, and starts it again with them.
    pub async fn reconfigure(&self, gateway: &str, tables: &str) {
        self.add_to_config(gateway, tables);
        self.restart(gateway).await;
    }

    /// Adds tables to the file of a gateway's configuration.
    pub fn add_to_config(&self, gateway: &str, tables: &str) {
        let file = self.folder().join(format!("{gateway}.toml"));
        let config = std::fs::read_to_string(&file).expect("a config file");
        std::fs::write(&file, format!("{config}\n{tables}")).expect("a config file");
    }

    /// The port of a part that is no gateway.
    pub fn port(&self, part: &str) -> u16 {
        self.part(part)["port"]
            .as_u64()
            .and_then(|port| port.try_into().ok())
            .expect("a port")
    }

    /// Has a gateway look for parts at other ports, and starts it again.
    pub async fn reroute(&self, gateway: &str, ports: &[(u16, u16)]) {
        let file = self.folder().join(format!("{gateway}.toml"));
        let mut config = std::fs::read_to_string(&file).expect("a config file");
        for (from, to) in ports {
            let line = |port| format!("\nport = {port}\n");
            assert_eq!(config.matches(&line(from)).count(), 1, "{from} in {config}");
            config = config.replace(&line(from), &line(to));
        }
        std::fs::write(&file, config).expect("a config file");
        self.restart(gateway).await;
    }

    /// The shard that has a user's rows.
    pub fn shard_of(&self, user: &str) -> u16 {
        self.map.route(user).shard().get()
    }

    /// So many users of each lane of a gateway, lane after lane: of each table of each shard.
    pub fn users_of_lanes(&self, count: usize) -> Vec<String> {
        let lane = |user: &str| {
            (
                self.map.route(user).shard().get(),
                self.map.route(user).table().get(),
            )
        };
        let lanes = (0..SHARDS).flat_map(|shard| (0..TABLES).map(move |table| (shard, table)));
        let users = || (0..).map(|number| format!("u{number}"));
        lanes
            .flat_map(|place| users().filter(move |user| lane(user) == place).take(count))
            .collect()
    }

    /// Users of one shard, some in each of its tables.
    pub fn users_of(&self, shard: u16, count: usize) -> Vec<String> {
        (0..)
            .map(|number| format!("u{number}"))
            .filter(|user| self.shard_of(user) == shard)
            .take(count)
            .collect()
    }

    /// Sends a signal to a part, by the name that `kill` knows.
    pub async fn signal(&self, part: &str, signal: &str) {
        let pid = self.pid(part);
        assert!(pid > 1, "{part} has the process id {pid}");
        let mut command = Command::new("sh");
        // It may have ended before.
        command.args(["-c", &format!("kill -{signal} {pid} || true")]);
        run(command).await.ok();
    }

    pub fn pid(&self, part: &str) -> u64 {
        self.part(part)["pid"].as_u64().expect("a process id")
    }

    /// `kill -9`; returns when the process is gone.
    pub async fn kill(&self, part: &str) {
        let stat = format!("/proc/{}/stat", self.pid(part));
        self.signal(part, "KILL").await;
        // One that has ended, but whose exit status was not read yet, is a zombie.
        let gone = || std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
        eventually("it is gone", Duration::from_secs(5), async || {
            gone().then_some(())
        })
        .await;
    }

    /// Starts a part again; returns when it is ready.
    pub async fn restart(&self, part: &str) {
        self.try_restart(part).await.ok();
    }

    /// The same where it may fail: a gateway needs the meta database to start.
    pub async fn try_restart(&self, part: &str) -> Ran {
        let mut command = Command::new(self.folder().join("restart"));
        command.env(METRICS_AGE_MAX.0, METRICS_AGE_MAX.1);
        command
            .arg(part)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        run_within(START_MAX, command).await
    }

    /// A file for a command, by its text.
    pub fn file(&self, name: &str, text: &str) -> String {
        self.place.file(name, text)
    }

    /// The configuration of the first gateway.
    pub fn config(&self) -> String {
        std::fs::read_to_string(self.config_file()).expect("a config file")
    }

    fn config_file(&self) -> PathBuf {
        self.folder().join("gateway-0.toml")
    }

    /// The program with arguments.
    pub fn program(&self, arguments: &[&str]) -> Command {
        self.place.command(arguments)
    }

    /// The program with arguments and the cluster's configuration.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let config = text_of(&self.config_file());
        self.program(&[arguments, &["--config", &config]].concat())
    }

    /// Runs a subcommand on the cluster to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ran {
        run(self.command(arguments)).await
    }

    /// Runs a subcommand with another configuration.
    pub async fn run_with(&self, config: &str, arguments: &[&str]) -> Ran {
        let file = self.file("other.toml", config);
        self.place
            .run(&[arguments, &["--config", &file]].concat())
            .await
    }

    pub async fn publish(&self, campaign: &str) {
        let file = self.file("campaign.toml", campaign);
        self.run(&["campaign", "publish", &file]).await.ok();
    }

    /// Publishes campaigns and waits until all gateways have them.
    pub async fn with_campaigns(self, campaigns: &[(u64, String)]) -> Self {
        for (activity, campaign) in campaigns {
            self.publish(campaign).await;
            for gateway in self.all_gateways() {
                eventually("the campaign is followed", SETTLED, async || {
                    let armory = Request::get(&format!("activity/armory?activityId={activity}"));
                    (ask(gateway, &armory).await.code == "0000").then_some(())
                })
                .await;
            }
        }
        self
    }

    /// Options for a connection to `meta` or a shard, as the user who may do everything.
    pub fn database(&self, part: &str) -> MySqlConnectOptions {
        let json = self.part(part);
        let text = |name: &str| json[name].as_str().expect("a text").to_owned();
        MySqlConnectOptions::new()
            .host(&text("host"))
            .port(self.port(part))
            .username("root")
            .password(&text("password"))
            .database(&text("database"))
            .disable_statement_logging()
    }

    pub async fn sql(&self, part: &str) -> MySqlConnection {
        self.database(part).connect().await.expect("a connection")
    }

    /// Runs a statement.
    pub async fn execute(&self, part: &str, statement: &str) {
        self.sql(part)
            .await
            .execute(statement)
            .await
            .expect("a statement");
    }

    /// The first column of what a query finds.
    pub async fn numbers(&self, part: &str, query: &str) -> Vec<i64> {
        numbers(&mut self.sql(part).await, query)
            .await
            .expect("numbers")
    }

    /// The same of both shards.
    pub async fn sum_of_shards(&self, query: &str) -> u64 {
        let mut sum = 0;
        for shard in ["shard-0", "shard-1"] {
            sum += self.numbers(shard, query).await.iter().sum::<i64>();
        }
        sum.try_into().expect("not below zero")
    }

    /// Runs a command on Redis and answers what it says, line by line.
    pub async fn redis(&self, words: &[&str]) -> Vec<String> {
        let port = self.port("redis").to_string();
        let mut command = Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &port]).args(words);
        run(command).await.ok().lines().map(str::to_owned).collect()
    }

    async fn hash(&self, key: &str) -> BTreeMap<String, String> {
        let lines = self.redis(&["HGETALL", key]).await;
        lines
            .chunks_exact(2)
            .map(|pair| (pair[0].clone(), pair[1].clone()))
            .collect()
    }

    /// Grants that are open, as Redis holds them: `SHARD TIME_MS PRIZE:SEGMENT COUNT ...`.
    pub async fn open_grants(&self) -> Vec<String> {
        let grants = self.hash("drawbridge:grants").await;
        grants
            .into_iter()
            .filter(|(id, _)| id != "epoch" && id != "cluster")
            .map(|(_, note)| note)
            .collect()
    }

    /// Where the units of a prize are, read from each server directly and not by the program.
    pub async fn units(&self, activity: u64, award: u64) -> Units {
        let prize = format!("{activity}:award:{award}:");
        let left = self.hash("drawbridge:stock").await;
        let left = left.iter().filter(|(field, _)| field.starts_with(&prize));
        let left = left
            .map(|(_, units)| units.parse::<u64>().expect("units"))
            .sum();
        let mut open = 0;
        for grant in self.open_grants().await {
            let words: Vec<&str> = grant.split(' ').skip(2).collect();
            let parts = words
                .chunks_exact(2)
                .filter(|part| part[0].starts_with(&prize));
            open += parts
                .map(|part| part[1].parse::<u64>().expect("units"))
                .sum::<u64>();
        }
        let issued = self.sum_of_shards(&issued_query(activity, award)).await;
        let total = format!(
            "SELECT CAST(COALESCE(SUM(applied), 0) AS SIGNED) FROM stock_operation \
             WHERE activity_id = {activity} AND good_kind = 0 AND good_id = {award}"
        );
        let total = self.numbers("meta", &total).await[0]
            .try_into()
            .expect("not below zero");
        Units {
            total,
            left,
            open,
            issued,
        }
    }

    /// Waits until no grant of a prize is open; then the units must add up.
    pub async fn settled_units(&self, activity: u64, award: u64) -> Units {
        eventually("the units add up", SETTLED, async || {
            let units = self.units(activity, award).await;
            assert!(units.issued <= units.total, "oversold: {units:?}");
            (units.open == 0 && units.left + units.issued == units.total).then_some(units)
        })
        .await
    }

    /// Total, issued and left of a prize, as `stock show` says.
    pub async fn stock(&self, activity: u64, award: u64) -> (u64, u64, u64) {
        self.run(&["stock", "show", "--activity", &activity.to_string()])
            .await
            .stock(activity, award)
    }

    /// The audit must be green and skip nothing. Returns how many orders there are.
    pub async fn audited(&self) -> u64 {
        let report = eventually("the audit skips nothing", SETTLED, async || {
            let ran = self.run(&["audit", "--json"]).await;
            // Something could not be checked just now.
            if ran.code == Some(2) && !ran.stdout.is_empty() {
                None
            } else {
                Some(ran.green_report())
            }
        });
        orders_in(&report.await)
    }

    /// Asks operations' side of a gateway, with their token.
    pub async fn ask_admin(&self, gateway: &str, request: Request) -> Response {
        let request = request.header("Authorization", format!("Bearer {}", self.token()));
        let mut connection = Connection::open(self.admin(gateway))
            .await
            .expect("a connection");
        connection.exchange(&request).await.expect("an answer")
    }

    /// The value of a metric of a gateway, by its name and labels as they are written there.
    pub async fn metric(&self, gateway: &str, name: &str) -> f64 {
        let text = self
            .ask_admin(gateway, Request::raw("GET", "/metrics"))
            .await
            .text();
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        value.unwrap_or_else(|| panic!("no {name} in:\n{text}"))
    }

    /// What a part has logged.
    pub fn log(&self, part: &str) -> String {
        std::fs::read_to_string(self.folder().join(format!("log/{part}.log"))).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let gateways = self.gateway_names();
            for part in ["mariadb-install-db", "migrate"]
                .into_iter()
                .chain(gateways.iter().map(String::as_str))
            {
                let log = self.log(part);
                let lines: Vec<&str> = log.lines().collect();
                let end = lines.len().saturating_sub(LOG_LINES_SHOWN);
                eprintln!("the end of {part}'s log:\n{}", lines[end..].join("\n"));
            }
        }
        if std::env::var_os(KEEP_VARIABLE).is_some() {
            self.place.keep();
            eprintln!("kept: {}", self.folder().display());
        }
    }
}

fn harness() -> PathBuf {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/local/cluster").into()
}

fn address(json: &Value) -> SocketAddr {
    json.as_str()
        .and_then(|text| text.parse().ok())
        .expect("an address")
}

/// A query for how many orders of a shard took a unit of a prize, by table.
pub fn issued_query(activity: u64, award: u64) -> String {
    let count = |table| {
        format!(
            "SELECT COUNT(*) FROM raffle_order_{table} \
             WHERE activity_id = {activity} AND award_id = {award} AND stocked = 1"
        )
    };
    (0..TABLES)
        .map(count)
        .collect::<Vec<_>>()
        .join(" UNION ALL ")
}

/// The first column of what a query finds.
pub async fn numbers(connection: &mut MySqlConnection, query: &str) -> sqlx::Result<Vec<i64>> {
    connection
        .fetch_all(query)
        .await?
        .iter()
        .map(|row| row.try_get(0))
        .collect()
}

/// Sends a request on a connection of its own; there must be an answer.
pub async fn ask(address: SocketAddr, request: &Request) -> Envelope {
    let mut connection = Connection::open(address).await.expect("a connection");
    connection
        .exchange(request)
        .await
        .expect("an answer")
        .envelope()
}
