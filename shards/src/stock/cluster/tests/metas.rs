//! What the meta database must do for the jobs: one suite, which runs over MariaDB and over the
//! simulation.
use std::time::Duration;

use jiff::Timestamp;

use super::super::ledger::{Delivery, MetaLedger, Registered};
use super::super::{RedisOptions, Spread, SqlMetaLedger};
use super::ledgers::ON_TWO;
use crate::installation::ClusterOptions;
use crate::meta::{Meta, StockChange};
use crate::stock::conformance::item;
use crate::stock::ids::{Epoch, ServerId};
use crate::store::MysqlDatabase;
use crate::testing::shared_database;

/// A meta database of two servers without units. Operators add and withdraw units of item 1.
pub(crate) trait MetaFixture {
    type Ledger: MetaLedger;

    async fn open() -> Self;
    fn ledger(&self) -> Self::Ledger;
    async fn add(&self, units: u64);
    async fn ask_withdrawal(&self, units: u64);
}

const ONE: ServerId = ServerId(1);
const TWO: ServerId = ServerId(2);

/// The totals of a server's segments, when its epoch rises from this one.
async fn raise(
    ledger: &impl MetaLedger,
    server: ServerId,
    seen: u64,
    expected: u64,
) -> Vec<(u16, u64)> {
    let (epoch, totals) = ledger
        .raise_epoch(server, Epoch(seen))
        .await
        .expect("raised");
    assert_eq!(epoch, Epoch(expected));
    let mut totals: Vec<(u16, u64)> = totals
        .into_iter()
        .map(|(_, segment, units)| (segment, units))
        .collect();
    totals.sort_unstable();
    totals
}

pub(crate) async fn epochs_rise_above_what_was_seen_and_totals_come_with_them<F: MetaFixture>() {
    let fixture = F::open().await;
    let ledger = fixture.ledger();
    assert_eq!(
        ledger.registered(ONE).await,
        Ok(Registered {
            epoch: Epoch(0),
            run_id: None
        })
    );
    assert_eq!(raise(&ledger, ONE, 0, 1).await, []);
    fixture.add(10).await;
    assert_eq!(raise(&ledger, ONE, 0, 2).await, [(0, 3), (2, 2)]);
    assert_eq!(raise(&ledger, ONE, 7, 8).await, [(0, 3), (2, 2)]);
    assert_eq!(
        raise(&ledger, TWO, 0, 1).await,
        [(1, 3), (3, 2)],
        "each server has an epoch of its own"
    );
}

pub(crate) async fn a_process_is_registered_for_the_current_epoch_only<F: MetaFixture>() {
    let fixture = F::open().await;
    let ledger = fixture.ledger();
    raise(&ledger, ONE, 0, 1).await;
    ledger
        .register(ONE, Epoch(1), "first")
        .await
        .expect("registered");
    let now = |epoch, run_id: &str| {
        Ok(Registered {
            epoch: Epoch(epoch),
            run_id: Some(run_id.to_owned()),
        })
    };
    assert_eq!(ledger.registered(ONE).await, now(1, "first"));
    raise(&ledger, ONE, 0, 2).await;
    ledger
        .register(ONE, Epoch(1), "late")
        .await
        .expect("nothing");
    assert_eq!(
        ledger.registered(ONE).await,
        now(2, "first"),
        "until the next process is registered"
    );
    ledger
        .register(ONE, Epoch(2), "second")
        .await
        .expect("registered");
    assert_eq!(ledger.registered(ONE).await, now(2, "second"));
}

pub(crate) async fn an_addition_waits_for_each_server_under_the_epoch_it_was_recorded_in<
    F: MetaFixture,
>() {
    let fixture = F::open().await;
    let ledger = fixture.ledger();
    raise(&ledger, TWO, 4, 5).await;
    fixture.add(7).await;
    fixture.add(2).await;
    let of_two = ledger.deliveries(TWO).await.expect("read");
    let [first, second] = &of_two[..] else {
        panic!("{of_two:?}")
    };
    assert!(first.operation < second.operation, "oldest first");
    let Delivery {
        server,
        epoch,
        item: of,
        units,
        ..
    } = first.clone();
    assert_eq!((server, epoch, of, units), (TWO, Epoch(5), item(1), 7));
    ledger.delivered(first).await.expect("noted");
    ledger.delivered(first).await.expect("again");
    assert_eq!(
        ledger.deliveries(TWO).await.as_deref(),
        Ok(std::slice::from_ref(second))
    );
    let of_one = ledger.deliveries(ONE).await.expect("read");
    assert_eq!(
        (of_one.len(), of_one[0].epoch),
        (2, Epoch(0)),
        "the other server has yet to get them"
    );
}

pub(crate) async fn what_a_server_gave_is_noted_once_and_in_its_epoch_only<F: MetaFixture>() {
    let fixture = F::open().await;
    let ledger = fixture.ledger();
    fixture.add(10).await;
    raise(&ledger, ONE, 0, 1).await;
    fixture.ask_withdrawal(9).await;
    let waiting = ledger.withdrawals().await.expect("read");
    let [withdrawal] = &waiting[..] else {
        panic!("{waiting:?}")
    };
    assert_eq!(
        (withdrawal.item, withdrawal.units, &withdrawal.given[..]),
        (item(1), 9, &[][..])
    );
    let note = async |server, epoch, taken: &[(u16, u64)]| {
        ledger
            .note_withdrawn(withdrawal, server, Epoch(epoch), taken)
            .await
            .expect("asked")
    };
    assert!(!note(ONE, 0, &[(0, 1)]).await, "the epoch has passed");
    assert!(note(ONE, 1, &[(0, 3), (2, 1)]).await);
    assert!(!note(ONE, 1, &[(0, 3), (2, 1)]).await, "once");
    assert!(note(TWO, 0, &[]).await, "nothing was left there");
    let waiting = ledger.withdrawals().await.expect("read");
    let mut given = waiting[0].given.clone();
    given.sort_unstable();
    assert_eq!(given, [(ONE, 4), (TWO, 0)]);
    assert_eq!(raise(&ledger, ONE, 0, 2).await, [(0, 0), (2, 1)]);
    ledger
        .end_withdrawal(withdrawal.operation)
        .await
        .expect("ended");
    assert!(ledger.withdrawals().await.expect("read").is_empty());
}

/// A MariaDB database.
struct OnMariadb(Meta<MysqlDatabase>);

impl OnMariadb {
    fn change(units: u64) -> StockChange {
        StockChange {
            item: item(1),
            units,
            who: "who".to_owned(),
            why: "why".to_owned(),
        }
    }
}

impl MetaFixture for OnMariadb {
    type Ledger = SqlMetaLedger;

    async fn open() -> Self {
        let Spread { segments, servers } = ON_TWO;
        // Only the number of servers matters.
        let redis = (0..servers).map(|_| RedisOptions {
            host: "127.0.0.1".to_owned(),
            port: 1,
            user: None,
            password: None,
            tls: crate::store::Tls::Off,
            prefix: "test".to_owned(),
            timeout: Duration::from_millis(500),
            connections_max: 1,
        });
        let options = ClusterOptions {
            meta: shared_database().await,
            shards: vec![shared_database().await],
            tables: 1,
            redis: redis.collect(),
            segments,
        };
        options.migrate().await.expect("migrated");
        Self(Meta::new(options.meta))
    }

    fn ledger(&self) -> SqlMetaLedger {
        SqlMetaLedger::new(self.0.clone(), ON_TWO)
    }

    async fn add(&self, units: u64) {
        self.0
            .stock_operations()
            .add(&Self::change(units), Timestamp::UNIX_EPOCH)
            .await
            .expect("recorded");
    }

    async fn ask_withdrawal(&self, units: u64) {
        self.0
            .stock_operations()
            .ask_withdrawal(&Self::change(units), Timestamp::UNIX_EPOCH)
            .await
            .expect("recorded");
    }
}

/// The suite over one kind of meta database.
macro_rules! meta_suite {
    ($fixture:ty, $test:meta) => {
        $crate::stock::cluster::tests::metas::meta_suite!($fixture, $test:
            epochs_rise_above_what_was_seen_and_totals_come_with_them,
            a_process_is_registered_for_the_current_epoch_only,
            an_addition_waits_for_each_server_under_the_epoch_it_was_recorded_in,
            what_a_server_gave_is_noted_once_and_in_its_epoch_only,
        );
    };
    ($fixture:ty, $test:meta: $($name:ident),* $(,)?) => {
        $(
            #[$test]
            async fn $name() {
                $crate::stock::cluster::tests::metas::$name::<$fixture>().await;
            }
        )*
    };
}
pub(crate) use meta_suite;

mod over_mariadb {
    super::meta_suite!(super::OnMariadb, tokio::test);
}
