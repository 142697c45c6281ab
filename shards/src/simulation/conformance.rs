//! The fakes pass the suites that the real ones pass: a fake must not be better than what it stands
//! for.
use std::sync::Arc;

use super::clocks::set_clocks;
use super::dice::Dice;
use super::ledger::FakeLedger;
use super::meta::FakeMeta;
use super::scenario::Scenario;
use super::session::FakeServer;
use super::store::FakeStore;
use super::world::World;
use crate::stock::cluster::tests::ledgers::{ON_TWO, ShardFixture, ledger_suite};
use crate::stock::cluster::tests::metas::{MetaFixture, meta_suite};
use crate::stock::cluster::tests::servers::{ON_ONE, ServerFixture, server_suite};
use crate::stock::cluster::tests::{SPREAD, breakers, snapshot, stock_up_all};
use crate::stock::cluster::{ClusterStock, LaneStock, Spread};
use crate::stock::conformance::{StockFixture, item, stock_suite};
use crate::store::conformance::{kinds, user_awards};

/// A world in calm weather.
fn world(spread: Spread) -> Arc<World> {
    let mut dice = Dice::new(1);
    set_clocks(&mut dice);
    let scenario = Scenario {
        spread,
        tables: 2,
        ..Scenario::of(&mut dice, None)
    };
    let world = World::new(dice, scenario, None, false);
    world.state().weather.calm();
    world
}

/// Shard 0.
struct FakeDesk(Arc<World>);

impl ShardFixture for FakeDesk {
    type Store = FakeStore;
    type Ledger = FakeLedger;

    async fn open() -> Self {
        Self(world(ON_TWO))
    }

    fn store(&self, table: u16) -> FakeStore {
        FakeStore::new(self.0.clone(), 0, table, (0, table.into()))
    }

    fn ledger(&self) -> FakeLedger {
        FakeLedger::new(self.0.clone(), 0)
    }
}

/// Server 1.
struct FakeCounter(Arc<World>);

impl ServerFixture for FakeCounter {
    type Server = FakeServer;

    async fn open() -> Self {
        Self(world(ON_ONE))
    }

    fn server(&self) -> FakeServer {
        FakeServer::new(self.0.clone(), 0, 0)
    }
}

/// One item, spread over two servers.
struct FakeRack(Arc<ClusterStock<FakeServer>>);

impl StockFixture for FakeRack {
    type Stock = LaneStock<FakeServer>;

    async fn open(units: u64) -> Self {
        let world = world(SPREAD);
        let servers = (0..2)
            .map(|place| FakeServer::new(world.clone(), 0, place))
            .collect();
        let (stock, _closers) = ClusterStock::new(servers);
        stock_up_all(&stock, units).await;
        Self(stock)
    }

    fn lane(&self, lane: u16) -> LaneStock<FakeServer> {
        self.0.for_lane(0, lane, &breakers()).one_by_one()
    }

    async fn count(&self) -> (u64, u64) {
        snapshot(&self.0).await
    }
}

/// What operators do is recorded at once.
struct FakeOffice(Arc<World>);

impl MetaFixture for FakeOffice {
    type Ledger = FakeMeta;

    async fn open() -> Self {
        Self(world(ON_TWO))
    }

    fn ledger(&self) -> FakeMeta {
        FakeMeta::new(self.0.clone(), 0)
    }

    async fn add(&self, units: u64) {
        self.0.state().meta.add(item(1), units);
    }

    async fn ask_withdrawal(&self, units: u64) {
        self.0.state().meta.ask_withdrawal(item(1), units);
    }
}

/// A lane of shard 0.
fn lane() -> FakeStore {
    FakeStore::new(world(ON_TWO), 0, 0, (0, 0))
}

#[tokio::test(start_paused = true)]
async fn what_each_kind_makes_is_found() {
    kinds::what_each_kind_makes_is_found(&mut lane()).await;
}

#[tokio::test(start_paused = true)]
async fn kinds_under_one_request_id_collide() {
    kinds::kinds_under_one_request_id_collide(&mut lane()).await;
}

#[tokio::test(start_paused = true)]
async fn what_users_were_given_is_found() {
    user_awards::what_users_were_given_is_found(&mut lane()).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_given_meanwhile_is_a_conflict() {
    user_awards::what_was_given_meanwhile_is_a_conflict(&mut lane()).await;
}

mod metas {
    super::meta_suite!(super::FakeOffice, tokio::test(start_paused = true));
}

mod shards {
    super::ledger_suite!(super::FakeDesk, tokio::test(start_paused = true));
}

mod servers {
    super::server_suite!(super::FakeCounter, tokio::test(start_paused = true));
}

mod stock {
    super::stock_suite!(super::FakeRack, tokio::test(start_paused = true));
}
