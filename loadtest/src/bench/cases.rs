//! The cases of `bench`: what is measured, next to which limit, on which servers.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

use crate::bench::cluster::{Cluster, Setup};
use crate::bench::driving::{
    drive_once, drive_refused, in_background, load_once, open_plan, plan, share_of,
};
use crate::bench::options::Effort;
use crate::bench::options::{ACTIVITY, Programs};
use crate::bench::orders::{InsertWay, Inserted};
use crate::bench::results::Figure;
use crate::bench::{mysql, redis, server, sqlite};
use crate::drive::DrivePlan;
use crate::error::Error;
use crate::request::RequestCase;

/// Connections of single draws: few people, many, and as many as a gateway answers fastest.
const DRAW_CONNECTIONS: [u16; 3] = [16, 64, 512];
/// Those of the other single calls, and of two builds in turn.
const CONNECTIONS: [u16; 2] = [64, 512];
const ACCOUNT_CONNECTIONS: [u16; 1] = [64];

/// Calls for several draws: how many, and over how many connections. (With 512 connections a lane's
/// queue would refuse some, because it is bounded in draws.)
const TEN: u8 = 10;
const TEN_CONNECTIONS: [u16; 2] = [64, 256];

const SHARDS: u16 = 2;

/// The open loop: what it sends of the maximum of the single draws, and over how many connections.
/// That maximum is reached with as many.
const HALF_PERCENT: u32 = 50;
const HALF_CONNECTIONS: u16 = 512;

const DRAW_CLUSTER: &str = "draw_cluster";

/// The calls of a case, with the number of connections.
#[derive(Clone, Copy, Debug)]
enum Calls {
    Single(u16),
    /// In an open loop, at half of the most that the cases before have made in a second.
    Half,
    Ten(u16),
}

/// The cases of a cluster, in their order.
fn cluster_cases() -> Vec<Calls> {
    let singles = DRAW_CONNECTIONS.map(Calls::Single).into_iter();
    singles
        .chain([Calls::Half])
        .chain(TEN_CONNECTIONS.map(Calls::Ten))
        .collect()
}

/// A case with servers of its own.
#[derive(Clone, Copy, Debug)]
pub(super) enum Alone {
    /// Draws from a cluster, over this many connections.
    Draws(u16),
    /// Refusals, over this many connections.
    Refusals(&'static Refusal, u16),
}

impl Alone {
    pub(super) fn draws() -> impl Iterator<Item = Self> {
        CONNECTIONS.into_iter().map(Self::Draws)
    }

    pub(super) fn refusals() -> impl Iterator<Item = Self> {
        REFUSALS
            .iter()
            .flat_map(|refusal| CONNECTIONS.map(|connections| Self::Refusals(refusal, connections)))
    }
}

impl fmt::Display for Alone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, connections) = match self {
            Self::Draws(connections) => (DRAW_CLUSTER, connections),
            Self::Refusals(refusal, connections) => (refusal.name, connections),
        };
        write!(f, "{name}, {connections} connections")
    }
}

/// A kind of refusal, and how a gateway comes to refuse all draws that way.
#[derive(Debug)]
pub(super) struct Refusal {
    name: &'static str,
    code: &'static str,
    settings: &'static [(&'static str, &'static str)],
    orders: &'static [&'static [&'static str]],
}

static REFUSALS: [Refusal; 3] = [
    Refusal {
        name: "refuse_limit",
        code: "ERR_GW_010",
        // Enough to wait until the campaign is there.
        settings: &[
            ("DRAWBRIDGE_LIMITS_GATEWAY_PER_SECOND", "1"),
            ("DRAWBRIDGE_LIMITS_GATEWAY_BURST", "100"),
        ],
        orders: &[],
    },
    Refusal {
        name: "refuse_switch",
        code: "0004",
        settings: &[],
        orders: &[&["switch", "set", "draw", "off"]],
    },
    Refusal {
        name: "refuse_breaker",
        code: "0006",
        settings: &[],
        orders: &[
            &["breaker", "set", "shard-0", "forced_open"],
            &["breaker", "set", "shard-1", "forced_open"],
        ],
    },
];

/// The settings that all cases of a run share.
pub(super) struct Bench<'a> {
    pub(super) effort: Effort,
    pub(super) programs: &'a Programs,
    /// For the data of the runs, which they remove.
    pub(super) folder: &'a Path,
    /// Without the gateway.
    pub(super) limits_only: bool,
}

impl Bench<'_> {
    pub(super) async fn hello(&self) -> Result<Vec<Figure>, Error> {
        let hello = server::Hello::start().await?;
        let mut figures = Vec::new();
        for connections in DRAW_CONNECTIONS {
            let plan = plan(self.effort, hello.address, RequestCase::Draw, connections);
            figures.push(
                drive_once(plan, &hello.watched())
                    .await?
                    .figure("hyper_hello"),
            );
        }
        Ok(figures)
    }

    /// The embedded default and its limit, in this order or the other.
    pub(super) async fn embedded(&self, reversed: bool) -> Result<Vec<Figure>, Error> {
        if self.limits_only {
            return self.embedded_limit().await;
        }
        if reversed {
            let gateway = self.embedded_gateway().await?;
            return Ok([self.embedded_limit().await?, gateway].concat());
        }
        Ok([self.embedded_limit().await?, self.embedded_gateway().await?].concat())
    }

    /// Each case begins with an empty folder, as the inserts do. Tables that an earlier case filled
    /// would make the later one slower than its limit, which was measured on empty ones.
    async fn embedded_gateway(&self) -> Result<Vec<Figure>, Error> {
        let mut figures = Vec::new();
        for connections in DRAW_CONNECTIONS {
            let gateway = server::Gateway::start(self.programs, self.folder, &[]).await?;
            let plan = |case| plan(self.effort, gateway.address, case, connections);
            figures.push(
                drive_once(plan(RequestCase::Draw), &gateway.watched())
                    .await?
                    .figure("draw_embedded"),
            );
            if ACCOUNT_CONNECTIONS.contains(&connections) {
                let account = drive_once(plan(RequestCase::Account), &gateway.watched()).await?;
                figures.push(account.figure("query_account_embedded"));
            }
            gateway.stop_and_audit().await?;
        }
        for connections in TEN_CONNECTIONS {
            let gateway = server::Gateway::start(self.programs, self.folder, &[]).await?;
            let ten = drive_once(
                self.plan_of_ten(gateway.address, connections),
                &gateway.watched(),
            )
            .await?;
            figures.push(ten.figure_of_draws("draw_embedded_ten"));
            gateway.stop_and_audit().await?;
        }
        Ok(figures)
    }

    fn plan_of_ten(&self, address: SocketAddr, connections: u16) -> DrivePlan {
        DrivePlan {
            count: Some(TEN),
            ..plan(self.effort, address, RequestCase::Draw, connections)
        }
    }

    /// The cost of refusals, each kind on a gateway of its own.
    pub(super) async fn refusals(&self) -> Result<Vec<Figure>, Error> {
        let mut figures = Vec::new();
        for case in Alone::refusals() {
            figures.push(self.alone(case).await?);
        }
        Ok(figures)
    }

    pub(super) async fn alone(&self, case: Alone) -> Result<Figure, Error> {
        match case {
            Alone::Draws(connections) => {
                let cluster =
                    Cluster::start(self.programs, self.folder, Setup::of_shards(SHARDS)).await?;
                self.cluster_draw(&cluster, Calls::Single(connections), 0.0)
                    .await
            }
            Alone::Refusals(refusal, connections) => self.refusal(refusal, connections).await,
        }
    }

    async fn refusal(&self, refusal: &Refusal, connections: u16) -> Result<Figure, Error> {
        let gateway = server::Gateway::start(self.programs, self.folder, refusal.settings).await?;
        for order in refusal.orders {
            gateway.order(order).await?;
        }
        let plan = plan(self.effort, gateway.address, RequestCase::Draw, connections);
        let driven = drive_refused(plan, &gateway.watched(), refusal.code).await?;
        gateway.stop_and_audit().await?;
        Ok(Figure {
            value: driven.refused_per_second(),
            ..driven.figure(refusal.name)
        })
    }

    async fn embedded_limit(&self) -> Result<Vec<Figure>, Error> {
        let inserted = Inserted {
            values: self.sqlite_insert(InsertWay::Values).await?,
            json: self.sqlite_insert(InsertWay::Json).await?,
        };
        Ok(vec![
            inserted_per_second("sqlite_insert", inserted.best()),
            inserted_per_second("sqlite_insert_values", inserted.values),
            inserted_per_second("sqlite_insert_json", inserted.json),
        ])
    }

    async fn sqlite_insert(&self, way: InsertWay) -> Result<f64, Error> {
        let data = tempfile::tempdir_in(self.folder)
            .map_err(|e| Error::io(self.folder.display().to_string(), e))?;
        let seconds = self.effort.seconds;
        let rate = in_background(move || sqlite::measure(data.path(), way, seconds)).await?;
        eprintln!("  sqlite insert {way:?}: {rate:.0} draws/s");
        Ok(rate)
    }

    /// The cluster and its limits. Each case has a cluster of its own. The limits are measured on
    /// the servers of the last case, after its draws or before.
    pub(super) async fn cluster(&self, reversed: bool) -> Result<Vec<Figure>, Error> {
        let (mut limits, mut draws) = (Vec::new(), Vec::new());
        let mut max_per_second = 0.0_f64;
        let cases = cluster_cases();
        let last = cases.len() - 1;
        for (number, calls) in cases.into_iter().enumerate() {
            let is_last = number == last;
            if self.limits_only && !is_last {
                continue;
            }
            let cluster =
                Cluster::start(self.programs, self.folder, Setup::of_shards(SHARDS)).await?;
            if is_last && reversed {
                limits = self.cluster_limits(&cluster).await?;
            }
            if !self.limits_only {
                let figure = self.cluster_draw(&cluster, calls, max_per_second).await?;
                if matches!(calls, Calls::Single(_)) {
                    max_per_second = max_per_second.max(figure.value);
                }
                draws.push(figure);
            }
            if is_last && !reversed {
                limits = self.cluster_limits(&cluster).await?;
            }
        }
        Ok([limits, draws].concat())
    }

    async fn cluster_draw(
        &self,
        cluster: &Cluster,
        calls: Calls,
        max_per_second: f64,
    ) -> Result<Figure, Error> {
        cluster.wait_drawing(ACTIVITY).await?;
        let (address, watched) = (cluster.gateway(), cluster.watched());
        let figure = match calls {
            Calls::Single(connections) => {
                let plan = plan(self.effort, address, RequestCase::Draw, connections);
                drive_once(plan, &watched).await?.figure(DRAW_CLUSTER)
            }
            Calls::Half => {
                let rate = share_of(max_per_second, HALF_PERCENT);
                let plan = open_plan(self.effort, address, rate, HALF_CONNECTIONS);
                load_once(plan, &watched, "draw_cluster_half").await?
            }
            Calls::Ten(connections) => {
                let plan = self.plan_of_ten(address, connections);
                let driven = drive_once(plan, &watched).await?;
                driven.figure_of_draws("draw_cluster_ten")
            }
        };
        cluster.stop_gateway_and_audit().await?;
        Ok(figure)
    }

    async fn cluster_limits(&self, cluster: &Cluster) -> Result<Vec<Figure>, Error> {
        let inserted = mysql_insert(cluster, self.effort.seconds).await?;
        let (address, seconds) = (cluster.redis(), self.effort.seconds);
        let decr = in_background(move || redis::measure(address, seconds)).await?;
        eprintln!("  redis DECR: {decr:.0}/s");
        Ok(vec![
            inserted_per_second("mysql_insert", inserted),
            Figure {
                unit: "commands/s",
                ..inserted_per_second("redis_decr", decr)
            },
        ])
    }
}

/// Inserts into the databases of a cluster; draws per second.
pub(super) async fn mysql_insert(cluster: &Cluster, seconds: u64) -> Result<f64, Error> {
    let servers = cluster.shards().to_vec();
    let rate = in_background(move || mysql::measure(&servers, seconds)).await?;
    eprintln!("  mysql insert: {rate:.0} draws/s");
    Ok(rate)
}

fn inserted_per_second(name: &'static str, value: f64) -> Figure {
    Figure {
        name,
        unit: "draws/s",
        value,
        latency: None,
        connections: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_maximum_comes_after_all_that_may_be_the_maximum() {
        let cases = cluster_cases();
        let half = cases.iter().position(|case| matches!(case, Calls::Half));
        let singles = cases
            .iter()
            .rposition(|case| matches!(case, Calls::Single(_)));
        assert!(singles.is_some() && half > singles, "{cases:?}");
        // The row of the maximum is found by the number of connections.
        assert!(DRAW_CONNECTIONS.contains(&HALF_CONNECTIONS));
    }
}
