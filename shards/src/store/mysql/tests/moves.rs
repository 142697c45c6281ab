//! A shard whose address is given to another server.
use std::time::Duration;

use market::{RequestId, UserId};
use router::SlotMap;
use tokio::time::{Instant, sleep};

use super::{LONG, connect, impatient, is_mariadb, of_another_gateway, player};
use crate::error::ReadError;
use crate::reads::{OrderKey, ReadLimits, ReadQuestion, Reader, Reads};
use crate::store::PersistError;
use crate::store::conformance::{Bench, map};
use crate::store::{Connection, Database, MysqlConnection, MysqlDatabase};
use crate::testing::{DatabaseServer, Mariadb, Relay, shared_database};

/// A primary and its replica, and the address under which gateways know the shard.
struct Pair {
    primary: Mariadb,
    replica: Mariadb,
    /// Root's connections to either server: a read-only server does not refuse root.
    on_primary: MysqlConnection,
    on_replica: MysqlConnection,
    replica_database: MysqlDatabase,
    address: Relay,
    /// The database as gateways reach it.
    database: MysqlDatabase,
}

impl Pair {
    async fn new() -> Self {
        let options = |id| {
            [
                format!("--server-id={id}"),
                "--log-bin=log".to_owned(),
                "--sync-binlog=1".to_owned(),
            ]
        };
        let start =
            async |id: u8| Mariadb::with_options(&options(id).each_ref().map(String::as_str)).await;
        let (primary, replica) = tokio::join!(start(1), start(2));
        let database = impatient(&primary.database().await);
        let (mut on_primary, mut on_replica) = (
            connect(&database).await,
            connect(&replica.database().await).await,
        );
        let follow = format!(
            "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {}, MASTER_USER = 'root', MASTER_PASSWORD = '',
                 MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1;
             START SLAVE; SET GLOBAL read_only = 1",
            primary.address().port()
        );
        on_replica.run(&follow).await.expect("it follows");
        let address = Relay::to(primary.address()).await;
        let on_port = |database: &MysqlDatabase, port| database.with(|options| options.port = port);
        let replica_database = of_another_gateway(&on_port(&database, replica.address().port()));
        let database = on_port(&player(&mut on_primary, &database).await, address.port());
        Self {
            primary,
            replica,
            on_primary,
            on_replica,
            replica_database,
            address,
            database,
        }
    }

    /// Waits until the replica has this many orders.
    async fn replicated(&self, orders: i64) {
        let deadline = Instant::now() + LONG;
        loop {
            if let Ok(mut reader) = self.replica_database.connect_for_reads().await
                && let Ok(rows) = reader.rows(COUNT, "[]").await
                && rows
                    .first()
                    .map(|row| crate::store::Columns::integer(row, 0))
                    == Some(Ok(orders))
            {
                return;
            }
            assert!(Instant::now() < deadline, "nothing is replicated");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

const COUNT: &str =
    "SELECT COUNT(*) FROM (SELECT 1 FROM raffle_order_0 UNION ALL SELECT 1 FROM raffle_order_1
    UNION ALL SELECT 1 FROM raffle_order_2 UNION ALL SELECT 1 FROM raffle_order_3) AS orders";

/// A gateway's reader of the shard.
struct Looker {
    reader: Reader<MysqlDatabase>,
    map: SlotMap,
}

impl Looker {
    /// The reader of a gateway of its own.
    fn new(database: &MysqlDatabase) -> Self {
        let limits = ReadLimits {
            connections_max: 2,
            queue_max: 8,
            timeout: Duration::from_secs(10),
        };
        let database = of_another_gateway(database);
        Self {
            reader: Reader::new(database, &map(), limits),
            map: map(),
        }
    }

    /// Whether the user's order under this key is found.
    async fn finds(&self, user: &str, key: &str) -> Result<bool, ReadError> {
        let (table, user) = (
            self.map.route(user).table(),
            UserId::new(user).expect("a user"),
        );
        let key = OrderKey::Request(RequestId::new(key).expect("a key"));
        Ok(!self
            .reader
            .ask(table, ReadQuestion::Order(user, key))
            .await?
            .orders
            .is_empty())
    }

    /// Finds an order that is on disk, sooner or later. Until then no answer says that it does not
    /// exist.
    async fn must_find(&self, user: &str, key: &str) {
        let deadline = Instant::now() + LONG;
        loop {
            match self.finds(user, key).await {
                Ok(found) => {
                    assert!(found, "{user}'s order is on disk");
                    return;
                }
                Err(error) => assert!(Instant::now() < deadline, "{error}"),
            }
            sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn persist(
    lane: &mut Bench<MysqlDatabase>,
    grant: u64,
    user: &str,
) -> Result<(), PersistError> {
    use crate::store::ShardStore;
    let settlement = lane.settlement(&[(user, "key")]);
    let persisted = lane.persist(grant, &settlement).await;
    if persisted.is_err() {
        lane.store.undo().await;
    }
    persisted
}

#[tokio::test]
async fn draws_and_reads_go_on_when_a_shard_moves_to_its_replica() {
    if !is_mariadb(&shared_database().await).await {
        eprintln!("SKIPPED: the test's commands for replication are MariaDB's");
        return;
    }
    let mut pair = Pair::new().await;
    let mut lane = Bench::new(pair.database.clone()).await;
    let (here, elsewhere) = (Looker::new(&pair.database), Looker::new(&pair.database));
    persist(&mut lane, 1, "first").await.expect("persisted");
    for looker in [&here, &elsewhere] {
        assert_eq!(looker.finds("first", "key").await, Ok(true));
        assert_eq!(looker.finds("second", "key").await, Ok(false));
    }
    pair.replicated(1).await;

    // Before the switch-over there is a moment without writes.
    pair.on_primary
        .run("SET GLOBAL read_only = 1")
        .await
        .expect("set");
    pair.address.lead_to(pair.replica.address());
    let refused = persist(&mut lane, 2, "second").await;
    assert!(
        matches!(refused, Err(PersistError::Undone(_))),
        "{refused:?}"
    );
    for looker in [&here, &elsewhere] {
        assert_eq!(
            looker.finds("second", "key").await,
            Err(ReadError::ShardUnavailable),
            "who knows?"
        );
        assert_eq!(
            looker.finds("first", "key").await,
            Ok(true),
            "what exists is shown"
        );
    }

    pair.on_replica
        .run("STOP SLAVE; SET GLOBAL read_only = 0")
        .await
        .expect("promoted");
    let deadline = Instant::now() + LONG;
    let mut grant = 3;
    while let Err(error) = persist(&mut lane, grant, "second").await {
        assert!(Instant::now() < deadline, "{error}");
        sleep(Duration::from_millis(10)).await;
        grant += 1;
    }
    for looker in [&here, &elsewhere] {
        looker.must_find("second", "key").await;
        looker.must_find("first", "key").await;
    }
    pair.replicated(2).await;
    pair.primary.kill();
    persist(&mut lane, grant + 1, "third")
        .await
        .expect("the old one is not needed");
}

#[tokio::test]
async fn a_reader_alone_notices_that_its_server_was_left_behind() {
    let server = Mariadb::private().await;
    let root = impatient(&server.database().await);
    let mut admin = connect(&root).await;
    let old = player(&mut admin, &root).await;
    let mut lane = Bench::new(old.clone()).await;
    persist(&mut lane, 1, "first").await.expect("persisted");
    let second = Mariadb::private().await;
    let root = of_another_gateway(&impatient(&second.database().await));
    let new = player(&mut connect(&root).await, &root).await;
    let address = Relay::to(server.address()).await;
    let looker = Looker::new(&old.with(|options| options.port = address.port()));
    assert_eq!(looker.finds("second", "key").await, Ok(false));

    // The new server has a database of the same name, with one more order.
    let same = format!(
        "CREATE DATABASE IF NOT EXISTS {0}; GRANT ALL ON {0}.* TO player@'%'",
        old.options.database
    );
    connect(&root).await.run(&same).await.expect("made");
    let name = old.options.database.clone();
    let mut lane = Bench::new(of_another_gateway(
        &new.with(|options| options.database = name),
    ))
    .await;
    persist(&mut lane, 1, "second").await.expect("persisted");
    admin.run("SET GLOBAL read_only = 1").await.expect("set");
    address.lead_to(second.address());
    looker.must_find("second", "key").await;
}
