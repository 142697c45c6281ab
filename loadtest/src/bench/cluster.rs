//! A cluster under test: databases, Redis and gateways, started by `deploy/local/cluster`.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use testkit::{ClusterSetup, LocalCluster};
use tokio::process::Command;

use crate::bench::drawbridge::{Drawbridge, GatewayStore, wait_drawing};
use crate::bench::options::Programs;
use crate::bench::process::{command, run, terminate, wait_gone};
use crate::cpu::Watched;
use crate::database::Database;
use crate::error::Error;

/// Tables of each shard.
pub(super) const TABLES: u16 = 1;

/// The parts of a cluster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setup {
    pub(super) shards: u16,
    pub(super) gateways: u16,
    pub(super) memory: Memory,
}

/// How much memory each database gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// The default of `deploy/local`: enough for minutes.
    Little,
    /// Enough for twenty million orders that are written once.
    Middle,
    /// Enough for thirty million orders, with a redo log for ten minutes at 25,000 orders a second.
    Ample,
}

impl Memory {
    fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Little => &[],
            Self::Middle => &[("POOL", "3G"), ("REDO", "1G")],
            Self::Ample => &[("POOL", "5G"), ("REDO", "4G")],
        }
    }
}

impl Setup {
    /// With one gateway and little memory.
    pub(super) const fn of_shards(shards: u16) -> Self {
        Self {
            shards,
            gateways: 1,
            memory: Memory::Little,
        }
    }
}

/// A running cluster; dropping it ends it and removes its folder.
pub(super) struct Cluster {
    map: Map,
    map_path: PathBuf,
    drawbridge: Drawbridge,
    running: LocalCluster,
}

/// `cluster.json`.
#[derive(Debug, Deserialize)]
struct Map {
    gateways: Vec<Gateway>,
    shards: Vec<Database>,
    meta: Database,
    redis: Redis,
    nginx: Nginx,
}

#[derive(Debug, Deserialize)]
struct Nginx {
    listen: SocketAddr,
}

#[derive(Debug, Deserialize)]
struct Gateway {
    listen: SocketAddr,
    pid: u32,
    config: PathBuf,
}

#[derive(Debug, Deserialize)]
struct Redis {
    host: IpAddr,
    port: u16,
    pid: u32,
}

impl Cluster {
    /// Starts a cluster in a folder of its own below `parent`.
    pub(super) async fn start(
        programs: &Programs,
        parent: &Path,
        setup: Setup,
    ) -> Result<Self, Error> {
        let variables = [
            ("SHARDS", setup.shards.to_string()),
            ("GATEWAYS", setup.gateways.to_string()),
            ("TABLES", TABLES.to_string()),
        ];
        let memory = setup.memory.settings().iter();
        let memory = memory.map(|&(name, value)| (name, value.to_owned()));
        let cluster = ClusterSetup {
            script: &programs.cluster,
            drawbridge: &programs.drawbridge,
            parent,
            variables: variables.into_iter().chain(memory).collect(),
            keep: false,
        };
        let running = LocalCluster::start(&cluster)
            .await
            .map_err(|e| Error::io(programs.cluster.display().to_string(), e))?;
        let map_path = running.folder().join("cluster.json");
        let map = Map::read(&map_path)?;
        let store = GatewayStore::Config(map.gateways[0].config.clone());
        let drawbridge = Drawbridge {
            program: programs.drawbridge.clone(),
            store,
        };
        Ok(Self {
            map,
            map_path,
            drawbridge,
            running,
        })
    }

    /// The gateway, without nginx in front.
    pub(super) fn gateway(&self) -> SocketAddr {
        self.map.gateways[0].listen
    }

    /// The address for users: the gateway itself, or nginx in front of several.
    pub(super) fn entrance(&self) -> SocketAddr {
        if self.map.gateways.len() == 1 {
            self.gateway()
        } else {
            self.map.nginx.listen
        }
    }

    pub(super) fn gateway_pids(&self) -> impl Iterator<Item = u32> {
        self.map.gateways.iter().map(|gateway| gateway.pid)
    }

    /// Its folder, which goes with it.
    pub(super) fn folder(&self) -> &Path {
        self.running.folder()
    }

    /// Its `cluster.json`.
    pub(super) fn map_path(&self) -> &Path {
        &self.map_path
    }

    pub(super) fn shards(&self) -> &[Database] {
        &self.map.shards
    }

    pub(super) fn meta(&self) -> &Database {
        &self.map.meta
    }

    /// A command of the gateway's binary on this cluster.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        self.drawbridge.command(arguments)
    }

    pub(super) fn redis(&self) -> SocketAddr {
        SocketAddr::new(self.map.redis.host, self.map.redis.port)
    }

    /// Publishes a further campaign, from a file in `folder` that goes afterwards.
    pub(super) async fn publish_text(&self, campaign: &str, folder: &Path) -> Result<(), Error> {
        let failed = |e| Error::io("a campaign file", e);
        let file = tempfile::Builder::new()
            .suffix(".toml")
            .tempfile_in(folder)
            .map_err(failed)?;
        std::fs::write(file.path(), campaign).map_err(failed)?;
        self.drawbridge.publish(file.path()).await
    }

    /// Makes a file in the cluster's folder, which only its owner may read. Returns its path.
    pub(super) fn add_file(&self, name: &str, text: &str) -> Result<PathBuf, Error> {
        let path = self.running.folder().join(name);
        let failed = |e| Error::io(path.display().to_string(), e);
        let mut options = std::fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        Ok(path)
    }

    /// Adds tables to the configuration of each gateway, and starts the gateways again.
    pub(super) async fn configure(&mut self, tables: &str) -> Result<(), Error> {
        for (number, gateway) in self.map.gateways.iter().enumerate() {
            let mut options = std::fs::OpenOptions::new();
            let added = options
                .append(true)
                .open(&gateway.config)
                .and_then(|mut file| file.write_all(format!("\n{tables}").as_bytes()));
            added.map_err(|e| Error::io(gateway.config.display().to_string(), e))?;
            let mut restart = command(&self.running.folder().join("restart"));
            restart.arg(format!("gateway-{number}"));
            let output = run(restart).await?;
            if !output.status.success() {
                return Err(Error::CannotRun(format!(
                    "gateway-{number} did not start again: {}",
                    String::from_utf8_lossy(&output.stderr).trim()
                )));
            }
        }
        self.map = Map::read(&self.map_path)?;
        Ok(())
    }

    /// Returns when draws of `activity` succeed.
    pub(super) async fn wait_drawing(&self, activity: u64) -> Result<(), Error> {
        wait_drawing(self.gateway(), activity)
            .await
            .map_err(|why| Error::CannotRun(format!("cluster: {why}")))
    }

    pub(super) fn watched(&self) -> Watched {
        Watched::new(vec![
            ("gateway", self.gateway_pids().collect()),
            (
                "databases",
                self.map.shards.iter().map(|shard| shard.pid).collect(),
            ),
            ("meta", vec![self.map.meta.pid]),
            ("redis", vec![self.map.redis.pid]),
        ])
    }

    /// Drains and stops the gateways, then audits. Databases and Redis keep running.
    pub(super) async fn stop_gateway_and_audit(&self) -> Result<(), Error> {
        for pid in self.gateway_pids() {
            terminate(pid).await?;
            wait_gone(pid).await?;
        }
        self.drawbridge.audit().await
    }
}

impl Map {
    fn read(path: &Path) -> Result<Self, Error> {
        let failed = |e| Error::io(path.display().to_string(), e);
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let map: Self = serde_json::from_str(&text).map_err(|e| failed(e.into()))?;
        map.check()?;
        Ok(map)
    }

    /// Refuses addresses of other machines.
    fn check(&self) -> Result<(), Error> {
        let databases = self
            .shards
            .iter()
            .chain([&self.meta])
            .map(|database| database.host);
        let gateways = self.gateways.iter().map(|gateway| gateway.listen.ip());
        let mut hosts = databases
            .chain(gateways)
            .chain([self.redis.host, self.nginx.listen.ip()]);
        if self.gateways.is_empty() || self.shards.is_empty() {
            return Err(Error::CannotRun(
                "cluster.json names no gateway or no shard".to_owned(),
            ));
        }
        match hosts.find(|host| !host.is_loopback()) {
            Some(host) => Err(Error::CannotRun(format!(
                "cluster.json: {host} is not a loopback address"
            ))),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn map(host: &str) -> Map {
        let database = json!({"host": host, "port": 1, "user": "u", "password": "p", "database": "d", "pid": 2});
        let text = json!({
            "gateways": [{"listen": "127.0.0.1:1", "admin": "127.0.0.1:2", "pid": 3, "config": "c"}],
            "shards": [database], "meta": database,
            "redis": {"host": "127.0.0.1", "port": 6, "pid": 7},
            "nginx": {"listen": "127.0.0.1:8", "pid": 9}, "admin_token_file": "t"
        });
        serde_json::from_value(text).expect("a cluster.json")
    }

    #[test]
    fn a_cluster_elsewhere_is_refused() {
        assert!(map("127.0.0.1").check().is_ok());
        assert!(map("10.0.0.1").check().is_err());
        let mut none = map("127.0.0.1");
        none.gateways.clear();
        assert!(none.check().is_err());
    }
}
