//! Real Redis servers that forget, stop or refuse. `servers.rs` has what each verb must do.
mod connecting;
mod lost_and_foreign;
mod takes;

use std::sync::Arc;

use market::batch::Units;

use super::super::server::{Lost, ServerStock, Session, StockServer, TakeRequest};
use super::super::{ClusterStock, RedisServer, Spread};
use super::{connect, stock_up};
use crate::grant::GrantId;
use crate::stock::conformance::item;
use crate::testing::{Redis, TestRedis, redis_command};

const ONE: Spread = Spread {
    segments: 2,
    servers: 1,
};

/// One server with 10 units of item 1 under epoch 1.
async fn node(redis: &Redis) -> Arc<ClusterStock<RedisServer>> {
    let (stock, _closers) = ClusterStock::new(vec![connect(1, ONE, redis)]);
    stock_up(&stock.nodes()[0], 1, &[(item(1), 0, 5), (item(1), 1, 5)]).await;
    stock
}

async fn look(stock: &ClusterStock<RedisServer>) -> Result<ServerStock, Lost> {
    stock.nodes()[0]
        .server
        .session()
        .await
        .expect("it answers")
        .look()
        .await
        .expect("it answers")
}

async fn command(redis: &Redis, words: &[&str]) {
    redis_command(&redis.options(), words).await;
}

fn take(grant: u64, wants: &[Units]) -> TakeRequest<'_> {
    TakeRequest {
        grant: GrantId(grant),
        shard: 3,
        lane: 1,
        wants,
    }
}

async fn left_and_open(stock: &ClusterStock<RedisServer>, node: usize) -> (u64, usize) {
    let mut session = stock.nodes()[node]
        .trusted_session()
        .await
        .expect("trusted");
    let found = session
        .look()
        .await
        .expect("it answers")
        .expect("it knows its units");
    (found.left.values().sum(), found.open.len())
}
