//! What a stock server must do, verb by verb: one suite, which runs over Redis and over the
//! processes of the simulation.
use std::sync::Arc;

use market::batch::Units;

use super::super::server::{
    Addition, Closing, Reset, ServerStock, Session, StockServer, TakeRequest, Taken,
};
use super::super::{ClusterStock, RedisServer, Spread};
use super::{connect, stock_up};
use crate::grant::GrantId;
use crate::stock::conformance::{item, sku_item, units};
use crate::stock::grants::Part;
use crate::stock::ids::{Epoch, ServerId};
use crate::testing::Redis;

/// A server without units, which the suite tests.
pub(crate) trait ServerFixture {
    type Server: StockServer;

    async fn open() -> Self;
    /// The same server, for one more client.
    fn server(&self) -> Self::Server;
}

/// Two segments on one server.
pub(crate) const ON_ONE: Spread = Spread {
    segments: 2,
    servers: 1,
};

/// 10 units of item 1 under epoch 1.
async fn stocked<F: ServerFixture>(fixture: &F) -> Arc<ClusterStock<F::Server>> {
    let (stock, _closers) = ClusterStock::new(vec![fixture.server()]);
    stock_up(&stock.nodes()[0], 1, &[(item(1), 0, 5), (item(1), 1, 5)]).await;
    stock
}

async fn session<S: StockServer>(stock: &ClusterStock<S>) -> S::Session {
    stock.nodes()[0].trusted_session().await.expect("trusted")
}

async fn look<S: StockServer>(stock: &ClusterStock<S>) -> ServerStock {
    session(stock)
        .await
        .look()
        .await
        .expect("it answers")
        .expect("it knows its units")
}

fn take(grant: u64, wants: &[Units]) -> TakeRequest<'_> {
    TakeRequest {
        grant: GrantId(grant),
        shard: 3,
        lane: 1,
        wants,
    }
}

pub(crate) async fn a_grant_is_noted_with_its_shard_and_its_parts<F: ServerFixture>() {
    let fixture = F::open().await;
    let stock = stocked(&fixture).await;
    let wants = [units(1, 7)];
    let taken = session(&stock)
        .await
        .take(&take(9, &wants))
        .await
        .expect("it answers");
    let Ok(Taken::Granted(Epoch(1), parts)) = taken else {
        panic!("{taken:?}")
    };
    let segments: Vec<(u16, u32)> = parts
        .iter()
        .map(|part| (part.segment, part.count))
        .collect();
    assert_eq!(
        segments,
        [(1, 5), (0, 2)],
        "from the lane's own segment first, then from the next"
    );
    let found = look(&stock).await;
    assert_eq!(
        (found.open.len(), found.open[0].grant, found.open[0].shard),
        (1, GrantId(9), 3)
    );
    assert_eq!(found.open[0].parts, parts);
    assert_eq!(found.left[&(item(1), 0)], 3);
}

pub(crate) async fn an_award_and_a_sku_of_one_number_are_two_items<F: ServerFixture>() {
    let fixture = F::open().await;
    let (stock, _closers) = ClusterStock::new(vec![fixture.server()]);
    let sku = sku_item(1);
    let left = [(item(1), 0, 5), (item(1), 1, 5), (sku, 0, 2), (sku, 1, 0)];
    stock_up(&stock.nodes()[0], 1, &left).await;
    let (of_sku, part) = (
        |count| Units { item: sku, count },
        |item, segment, count| Part {
            server: ServerId(1),
            item,
            segment,
            count,
        },
    );
    let wants = [units(1, 1), of_sku(3)];
    let taken = session(&stock).await.take(&take(9, &wants)).await;
    let expected = vec![part(item(1), 1, 1), part(sku, 0, 2)];
    assert_eq!(taken, Ok(Ok(Taken::Granted(Epoch(1), expected.clone()))));
    let found = look(&stock).await;
    assert_eq!((found.left[&(item(1), 1)], found.left[&(sku, 0)]), (4, 0));
    assert_eq!(found.open[0].parts, expected);
    let closing = Closing {
        grant: GrantId(9),
        used: vec![part(sku, 0, 1)],
    };
    let closed = session(&stock).await.close(&[closing]).await;
    assert_eq!(closed, Ok(Ok(Epoch(1))));
    let addition = Addition {
        operation: 1,
        epoch: Epoch(1),
        item: sku,
        segments: vec![(0, 3), (1, 3)],
    };
    let added = session(&stock).await.add(&addition).await;
    assert_eq!(added, Ok(Ok(Epoch(1))));
    let withdrawn = session(&stock).await.withdraw(2, Epoch(1), sku, 6).await;
    assert_eq!(withdrawn, Ok(Ok((Epoch(1), vec![(0, 4), (1, 2)]))));
    let found = look(&stock).await;
    let rest = [(item(1), 0), (item(1), 1), (sku, 0), (sku, 1)].map(|key| found.left[&key]);
    assert_eq!(rest, [5, 5, 0, 1]);
}

pub(crate) async fn a_grant_id_is_never_used_again<F: ServerFixture>() {
    let fixture = F::open().await;
    let stock = stocked(&fixture).await;
    let wants = [units(1, 1)];
    session(&stock)
        .await
        .take(&take(9, &wants))
        .await
        .expect("it answers")
        .expect("it knows its units");
    assert!(session(&stock).await.take(&take(9, &wants)).await.is_err());
    assert_eq!(look(&stock).await.open.len(), 1);
}

pub(crate) async fn a_grant_is_closed_once_and_the_epoch_is_returned<F: ServerFixture>() {
    let fixture = F::open().await;
    let stock = stocked(&fixture).await;
    let wants = [units(1, 7)];
    let taken = session(&stock)
        .await
        .take(&take(9, &wants))
        .await
        .expect("it answers");
    let Ok(Taken::Granted(_, parts)) = taken else {
        panic!("{taken:?}")
    };
    let used = vec![Part {
        count: 2,
        ..parts[0]
    }];
    let closings = [
        Closing {
            grant: GrantId(9),
            used,
        },
        Closing {
            grant: GrantId(10),
            used: Vec::new(),
        },
    ];
    for _twice in 0..2 {
        assert_eq!(
            session(&stock).await.close(&closings).await,
            Ok(Ok(Epoch(1)))
        );
        let found = look(&stock).await;
        assert_eq!((found.left.values().sum::<u64>(), found.open.len()), (8, 0));
    }
}

pub(crate) async fn an_epoch_begins_once<F: ServerFixture>() {
    let fixture = F::open().await;
    let stock = stocked(&fixture).await;
    let wants = [units(1, 1)];
    session(&stock)
        .await
        .take(&take(9, &wants))
        .await
        .expect("it answers")
        .expect("it knows its units");
    for epoch in [0, 1] {
        let reset = session(&stock)
            .await
            .reset(Epoch(epoch), &[(item(1), 0, 99)])
            .await;
        assert_eq!(reset, Ok(Reset::Ahead(Epoch(1))));
        assert_eq!(
            look(&stock).await.open.len(),
            1,
            "epoch {epoch} changes nothing"
        );
    }
    assert_eq!(
        session(&stock)
            .await
            .reset(Epoch(2), &[(item(1), 0, 99)])
            .await,
        Ok(Reset::Done)
    );
    let found = look(&stock).await;
    assert_eq!(
        (found.epoch, found.open.len(), found.left[&(item(1), 0)]),
        (Epoch(2), 0, 99)
    );
}

pub(crate) async fn an_addition_counts_once_and_in_its_epoch_only<F: ServerFixture>() {
    let fixture = F::open().await;
    let stock = stocked(&fixture).await;
    let addition = |operation, epoch| Addition {
        operation,
        epoch: Epoch(epoch),
        item: item(1),
        segments: vec![(0, 3), (1, 2)],
    };
    for addition in [
        addition(1, 1),
        addition(1, 1),
        addition(2, 0),
        addition(3, 2),
    ] {
        assert_eq!(session(&stock).await.add(&addition).await, Ok(Ok(Epoch(1))));
    }
    let found = look(&stock).await;
    assert_eq!(
        (found.left[&(item(1), 0)], found.left[&(item(1), 1)]),
        (8, 7)
    );
}

pub(crate) async fn a_withdrawal_takes_what_is_left_and_a_repeat_returns_the_same<
    F: ServerFixture,
>() {
    let fixture = F::open().await;
    let stock = stocked(&fixture).await;
    for (operation, epoch, expected) in [
        (1, 1, vec![(0, 5), (1, 2)]),
        (1, 1, vec![(0, 5), (1, 2)]),
        (4, 2, vec![]),
        (2, 1, vec![(1, 3)]),
        (3, 1, vec![]),
    ] {
        let withdrawn = session(&stock)
            .await
            .withdraw(operation, Epoch(epoch), item(1), 7)
            .await;
        assert_eq!(withdrawn, Ok(Ok((Epoch(1), expected))));
    }
}

/// A Redis server.
struct OnRedis(Redis);

impl ServerFixture for OnRedis {
    type Server = RedisServer;

    async fn open() -> Self {
        Self(Redis::start().await)
    }

    fn server(&self) -> RedisServer {
        connect(1, ON_ONE, &self.0)
    }
}

/// The suite over one kind of server.
macro_rules! server_suite {
    ($fixture:ty, $test:meta) => {
        $crate::stock::cluster::tests::servers::server_suite!($fixture, $test:
            an_award_and_a_sku_of_one_number_are_two_items,
            a_grant_is_noted_with_its_shard_and_its_parts,
            a_grant_id_is_never_used_again,
            a_grant_is_closed_once_and_the_epoch_is_returned,
            an_epoch_begins_once,
            an_addition_counts_once_and_in_its_epoch_only,
            a_withdrawal_takes_what_is_left_and_a_repeat_returns_the_same,
        );
    };
    ($fixture:ty, $test:meta: $($name:ident),* $(,)?) => {
        $(
            #[$test]
            async fn $name() {
                $crate::stock::cluster::tests::servers::$name::<$fixture>().await;
            }
        )*
    };
}
pub(crate) use server_suite;

mod over_redis {
    super::server_suite!(super::OnRedis, tokio::test);
}
