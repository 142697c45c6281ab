//! Servers that hang, on an address that is not loopback and whose name the server can resolve.
//! There it counts the handshakes that its clients gave up, and refuses their host after a hundred.
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use sqlx::ConnectOptions;
use sqlx::mysql::MySqlConnectOptions;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout};

use super::{LONG, connect, connect_again, is_mariadb, is_unavailable, of_another_gateway};
use crate::store::{Connection, Database, MysqlDatabase, Tls};
use crate::testing::{DatabaseServer, Mariadb, Namespace, name_hosts, namespace};

const SECOND: Duration = Duration::from_secs(1);

/// How long the server hangs: four times the timeouts of a lane.
const HANG: Duration = Duration::from_secs(4);

/// Lanes of a gateway, and gateways.
const LANES: usize = 32;
const GATEWAYS: usize = 2;

/// A database as a gateway reaches it: by the name of its server, as the user `player`.
fn as_gateways_reach(local: &MysqlDatabase) -> MysqlDatabase {
    of_another_gateway(&local.with(|options| {
        options.host = "shard.test".to_owned();
        options.user = "player".to_owned();
        options.connect_timeout = SECOND;
    }))
}

/// An unconfigured server, except for the number of connections that a cluster needs.
async fn server(hosts: &Path) -> (Mariadb, MysqlDatabase) {
    name_hosts(hosts, &[("10.77.0.1", "shard.test")]);
    let server = Mariadb::with_options(&[
        "--bind-address=0.0.0.0",
        "--skip-name-resolve=OFF",
        "--max-connect-errors=100",
        "--connect-timeout=10",
    ])
    .await;
    let local = server.database().await;
    let make = "CREATE USER player@'%' IDENTIFIED BY ''; GRANT ALL ON *.* TO player@'%'";
    connect(&local).await.run(make).await.expect("an account");
    (server, as_gateways_reach(&local))
}

#[tokio::test]
async fn gateways_are_let_in_again_after_a_server_hung() {
    let name = "store::mysql::tests::hang::gateways_are_let_in_again_after_a_server_hung";
    let Namespace::Inside(hosts) = namespace(name) else {
        return;
    };
    let (server, database) = server(&hosts).await;
    // Each gateway has a dialer of its own.
    let gateways: Vec<MysqlDatabase> = (0..GATEWAYS)
        .map(|_| of_another_gateway(&database))
        .collect();
    for gateway in &gateways {
        connect(gateway).await;
    }
    server.pause();
    let until = Instant::now() + HANG;
    let lane = async |gateway: &MysqlDatabase| {
        while Instant::now() < until {
            assert!(is_unavailable(&gateway.connect().await));
        }
    };
    join_all(
        gateways
            .iter()
            .flat_map(|gateway| std::iter::repeat_n(gateway, LANES))
            .map(lane),
    )
    .await;
    server.resume();
    for gateway in &gateways {
        let all = join_all((0..LANES).map(|_| connect_again(gateway))).await;
        assert_eq!(all.len(), LANES);
    }

    if !is_mariadb(&database).await {
        eprintln!("MySQL cannot resolve this test's names where it runs, so it counts nothing");
        return;
    }
    // The trap exists: lanes that dial for themselves and give up are not let in any more.
    let options = MySqlConnectOptions::new()
        .host("shard.test")
        .port(database.options.port)
        .username("player");
    server.pause();
    let until = Instant::now() + HANG;
    let lane = async || {
        while Instant::now() < until {
            let dialled = timeout(SECOND, options.connect()).await;
            assert!(!dialled.is_ok_and(|dialled| dialled.is_ok()));
        }
    };
    join_all((0..GATEWAYS * LANES).map(|_| lane())).await;
    server.resume();
    let deadline = Instant::now() + LONG;
    loop {
        match timeout(SECOND, options.connect()).await {
            Ok(Err(error)) if error.to_string().contains("is blocked") => break,
            _ => assert!(
                Instant::now() < deadline,
                "the server does not count what this test is about"
            ),
        }
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_name_that_leads_elsewhere_is_followed_while_its_old_server_hangs() {
    let name = "store::mysql::tests::hang::a_name_that_leads_elsewhere_is_followed_while_its_old_server_hangs";
    let Namespace::Inside(hosts) = namespace(name) else {
        return;
    };
    let server = Mariadb::with_options(&["--bind-address=127.0.0.1,10.77.0.2"]).await;
    let local = server.database().await;
    let make = "CREATE USER player@'%' IDENTIFIED BY ''; GRANT ALL ON *.* TO player@'%'";
    connect(&local).await.run(make).await.expect("an account");
    // Accepts connections, which the system does for it, and never answers.
    let hangs = TcpListener::bind(("10.77.0.1", local.options.port))
        .await
        .expect("an address");
    name_hosts(&hosts, &[("10.77.0.1", "shard.test")]);
    for tls in [
        Tls::Off,
        Tls::Verify {
            ca_file: "/dev/null".into(),
        },
    ] {
        let hasty = as_gateways_reach(&local).with(|options| options.tls = tls);
        assert!(is_unavailable(&hasty.connect().await));
        name_hosts(&hosts, &[("10.77.0.2", "shard.test")]);
        let moved = Instant::now();
        if hasty.options.tls == Tls::Off {
            connect_again(&hasty).await;
        } else {
            // That server speaks no TLS, and refuses at once.
            let deadline = moved + LONG;
            loop {
                let refused = hasty
                    .connect()
                    .await
                    .map(drop)
                    .expect_err("no TLS there")
                    .to_string();
                if !refused.contains("still connecting") || refused.contains("last error") {
                    break;
                }
                assert!(Instant::now() < deadline, "{refused}");
            }
        }
        // Before the handshake with the old one was given up.
        assert!(
            moved.elapsed() < Duration::from_secs(25),
            "{:?}",
            moved.elapsed()
        );
        name_hosts(&hosts, &[("10.77.0.1", "shard.test")]);
    }
    drop(hangs);
}
