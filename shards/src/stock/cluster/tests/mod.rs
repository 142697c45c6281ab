//! The cluster's stock on real Redis servers and real databases, and suites that also run over the
//! simulation.
mod databases;
pub(crate) mod ledgers;
pub(crate) mod metas;
mod redis;
mod rest;
pub(crate) mod servers;
mod spread;

use std::sync::Arc;

use market::batch::StockItem;

use super::ledger::Registered;
use super::server::{Reset, Session, StockServer};
use super::{ClusterStock, LaneStock, RedisOptions, RedisServer, Spread, StockNode};
use crate::breaker::{BreakerMetrics, BreakerSettings, Breakers};
use crate::stock::conformance::{StockFixture, item};
use crate::stock::ids::{Epoch, ServerId};
use crate::store::ClusterId;
use crate::testing::{Redis, TestRedis};

/// Two servers, five segments.
pub(crate) const SPREAD: Spread = Spread {
    segments: 5,
    servers: 2,
};

pub(super) fn options(redis: &Redis) -> RedisOptions {
    redis.options()
}

pub(crate) fn connect(server: u8, spread: Spread, redis: &Redis) -> RedisServer {
    connect_for(server, spread, redis, &cluster())
}

/// The cluster of most tests.
fn cluster() -> ClusterId {
    static CLUSTER: std::sync::OnceLock<ClusterId> = std::sync::OnceLock::new();
    CLUSTER.get_or_init(ClusterId::draw).clone()
}

pub(super) fn connect_for(
    server: u8,
    spread: Spread,
    redis: &Redis,
    cluster: &ClusterId,
) -> RedisServer {
    RedisServer::new(ServerId(server), spread, &options(redis), cluster).expect("options that fit")
}

/// Closed breakers for two servers.
pub(crate) fn breakers() -> Arc<Breakers> {
    let metrics = BreakerMetrics::new(&prometheus::Registry::new()).expect("fresh names");
    Arc::new(Breakers::new(BreakerSettings::DEFAULT, 0, 2, &metrics))
}

/// Gives a server these units under an epoch, and trusts it.
pub(crate) async fn stock_up<S: StockServer>(
    node: &StockNode<S>,
    epoch: u64,
    left: &[(StockItem, u16, u64)],
) {
    let mut session = node.server.session().await.expect("it answers");
    assert_eq!(session.reset(Epoch(epoch), left).await, Ok(Reset::Done));
    let run_id = Some(session.run_id().to_owned());
    node.set_registered(Registered {
        epoch: Epoch(epoch),
        run_id,
    });
}

/// Gives two servers this many units of item 1, as [`SPREAD`] spreads them.
pub(crate) async fn stock_up_all<S: StockServer>(stock: &ClusterStock<S>, units: u64) {
    for node in stock.nodes() {
        let here = SPREAD
            .share(units)
            .filter(|(segment, _)| SPREAD.server_of(*segment) == node.id);
        let left: Vec<_> = here
            .map(|(segment, units)| (item(1), segment, units))
            .collect();
        stock_up(node, 1, &left).await;
    }
}

/// Units left and under open grants, as the servers have them.
pub(crate) async fn snapshot<S: StockServer>(stock: &ClusterStock<S>) -> (u64, u64) {
    let (mut left, mut open) = (0, 0);
    for node in stock.nodes() {
        let mut session = node.trusted_session().await.expect("trusted");
        let found = session
            .look()
            .await
            .expect("it answers")
            .expect("it knows its units");
        left += found.left.values().sum::<u64>();
        open += found
            .open
            .iter()
            .flat_map(|open| &open.parts)
            .map(|part| u64::from(part.count))
            .sum::<u64>();
    }
    (left, open)
}

/// One item, spread over two Redis servers.
pub(in crate::stock) struct RedisStock {
    stock: Arc<ClusterStock<RedisServer>>,
    _servers: [Redis; 2],
}

impl StockFixture for RedisStock {
    type Stock = LaneStock<RedisServer>;

    async fn open(units: u64) -> Self {
        let servers = [Redis::start().await, Redis::start().await];
        let (stock, _closers) = ClusterStock::new(vec![
            connect(1, SPREAD, &servers[0]),
            connect(2, SPREAD, &servers[1]),
        ]);
        stock_up_all(&stock, units).await;
        Self {
            stock,
            _servers: servers,
        }
    }

    fn lane(&self, lane: u16) -> LaneStock<RedisServer> {
        self.stock.for_lane(0, lane, &breakers())
    }

    async fn count(&self) -> (u64, u64) {
        snapshot(&self.stock).await
    }
}
