//! Jobs: each on one gateway at a time, and taken over when it dies.
use std::time::{Duration, Instant};

use sqlx::{Executor as _, Row as _};

use crate::support::campaign::{FALLBACK_AWARD, SCARCE_AWARD, scarce};
use crate::support::cluster::{SETTLED, ask};
use crate::support::{Cluster, Connection, FOLLOWED, Request, ask_all, eventually};

const ACTIVITY: u64 = 200_003;
const UNITS: u64 = 50;

/// A lease of five seconds has to end, and the next round to begin.
const TAKEN_OVER: Duration = Duration::from_secs(8);

/// The jobs and the process ids of their holders.
async fn holders(cluster: &Cluster) -> Vec<(String, u64)> {
    let leases =
        "SELECT CAST(job AS CHAR), CAST(holder AS CHAR) FROM job_lease WHERE expires_at > NOW(3)";
    let rows = cluster
        .sql("meta")
        .await
        .fetch_all(leases)
        .await
        .expect("leases");
    let holder = |text: String| {
        text.split('-')
            .next()
            .and_then(|pid| pid.parse().ok())
            .expect("a process id")
    };
    rows.iter()
        .map(|row| (row.get(0), holder(row.get(1))))
        .collect()
}

/// When the oldest line of the stock snapshot was written, in milliseconds.
async fn snapshot_time(cluster: &Cluster) -> i64 {
    cluster
        .numbers("meta", "SELECT COALESCE(MIN(at_ms), 0) FROM stock_picture")
        .await[0]
}

async fn now(cluster: &Cluster) -> i64 {
    cluster
        .numbers(
            "meta",
            "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)",
        )
        .await[0]
}

#[tokio::test]
async fn the_jobs_of_a_gateway_that_dies_are_taken_over_within_seconds() {
    let cluster = Cluster::start().await;
    for round in 0..2 {
        let (job, holder) = holders(&cluster)
            .await
            .into_iter()
            .find(|(job, _)| job == "stock-1")
            .expect("a holder");
        let names = ["gateway-0", "gateway-1"];
        let dies = names
            .into_iter()
            .find(|name| cluster.pid(name) == holder)
            .expect("a gateway");
        let heir = cluster.pid(
            names
                .into_iter()
                .find(|name| *name != dies)
                .expect("the other one"),
        );
        let (begun, at) = (Instant::now(), now(&cluster).await);
        cluster.kill(dies).await;
        eventually("the other gateway has the jobs", TAKEN_OVER, async || {
            let holders = holders(&cluster).await;
            let minutely = |job: &str| job.starts_with("forget");
            let taken = holders
                .iter()
                .filter(|(job, _)| !minutely(job))
                .all(|(_, holder)| *holder == heir);
            (taken && holders.iter().any(|(name, _)| *name == job)).then_some(())
        })
        .await;
        eventually(
            "the snapshot is written again",
            TAKEN_OVER.saturating_sub(begun.elapsed()),
            async || (snapshot_time(&cluster).await > at).then_some(()),
        )
        .await;

        // The heir does the work too: here a withdrawal that the command did not get to.
        let withdrawal = "INSERT INTO stock_operation (activity_id, good_kind, good_id, kind, units, who, why, at_ms) \
                    VALUES (200002, 0, 1, 'withdraw', 10, 'bob', 'a recall', 0)";
        cluster.execute("meta", withdrawal).await;
        eventually("the withdrawal is done", TAKEN_OVER, async || {
            (cluster.stock(200_002, SCARCE_AWARD).await.0 == 1_000 - 10 * (round + 1)).then_some(())
        })
        .await;
        cluster.restart(dies).await;
    }
    cluster.audited().await;
}

/// What keeps a shard from committing a batch that has taken units.
struct Hold {
    statements: &'static [&'static str],
    release: &'static str,
    /// Counts the sessions that stand where the hold wants them; 0 while none does yet.
    reached: &'static str,
}

/// A batch that wants units waits for this row, and cannot have committed, wherever it is.
const BEFORE_COMMIT: Hold = Hold {
    statements: &[
        "START TRANSACTION",
        "SELECT epoch FROM stock_epoch WHERE server = 1 FOR UPDATE",
    ],
    release: "ROLLBACK",
    reached: "SELECT 1",
};

/// The shard has received the commit, and executes it when it is released: its gateway is gone.
const AMID_COMMIT: Hold = Hold {
    statements: &[
        "BACKUP STAGE START",
        "BACKUP STAGE FLUSH",
        "BACKUP STAGE BLOCK_DDL",
        "BACKUP STAGE BLOCK_COMMIT",
    ],
    release: "BACKUP STAGE END",
    reached: "SELECT COUNT(*) FROM information_schema.processlist \
              WHERE info = 'COMMIT' AND state = 'Waiting for backup lock'",
};

/// Has a draw taken its unit at the first gateway, and not committed, and kills the gateway.
async fn kill_between_take_and_commit(cluster: &Cluster, user: &str, hold: &Hold) {
    let shard = format!("shard-{}", cluster.shard_of(user));
    let before = cluster.open_grants().await.len();
    let mut blocker = cluster.sql(&shard).await;
    for statement in hold.statements {
        blocker.execute(*statement).await.expect("a lock");
    }
    let mut connection = Connection::open(cluster.gateways()[0])
        .await
        .expect("a connection");
    connection
        .send(&Request::draw(user, ACTIVITY, "k").bytes())
        .await
        .expect("sent");
    eventually(
        "a grant is open while the gateway stands still",
        SETTLED,
        async || {
            if cluster.open_grants().await.len() == before
                || cluster.numbers(&shard, hold.reached).await == [0]
            {
                return None;
            }
            cluster.signal("gateway-0", "STOP").await;
            if cluster.open_grants().await.len() == before {
                cluster.signal("gateway-0", "CONT").await;
                return None;
            }
            Some(())
        },
    )
    .await;
    cluster.kill("gateway-0").await;
    assert!(
        connection.receive().await.is_err(),
        "answered before the commit"
    );
    assert_eq!(cluster.open_grants().await.len(), before + 1);
    blocker.execute(hold.release).await.expect("released");
}

#[tokio::test]
async fn grants_of_a_gateway_that_dies_are_returned_or_settled_and_never_both() {
    let cluster = Cluster::start()
        .await
        .with_campaigns(&[(ACTIVITY, scarce(ACTIVITY, UNITS))])
        .await;
    let user = &cluster.users_of(0, 1)[0];

    // Its batch cannot have committed: the unit goes back.
    kill_between_take_and_commit(&cluster, user, &BEFORE_COMMIT).await;
    let units = cluster.settled_units(ACTIVITY, SCARCE_AWARD).await;
    assert_eq!((units.left, units.issued), (UNITS, 0));
    ask(
        cluster.gateways()[1],
        &Request::record(user, "requestId", "k"),
    )
    .await
    .expect(404, "ERR_REQ_002");
    cluster.audited().await;

    // Its commit was under way: it counts, although it was never answered.
    cluster.restart("gateway-0").await;
    kill_between_take_and_commit(&cluster, user, &AMID_COMMIT).await;
    let units = cluster.settled_units(ACTIVITY, SCARCE_AWARD).await;
    assert_eq!((units.left, units.issued), (UNITS - 1, 1));
    let record = ask(
        cluster.gateways()[1],
        &Request::record(user, "requestId", "k"),
    )
    .await
    .expect(200, "0000");
    let repeated = ask(cluster.gateways()[1], &Request::draw(user, ACTIVITY, "k"))
        .await
        .expect(200, "0000");
    assert_eq!(
        (record.award(), record.order()),
        (SCARCE_AWARD, repeated.order())
    );
    cluster.audited().await;

    // Nothing is stranded: the rest is there to be won.
    let draws = (0..100)
        .map(|number| Request::draw(&format!("u{number}"), ACTIVITY, "rest"))
        .collect();
    let answers = ask_all(cluster.gateways()[1], draws, 16).await;
    let won = |award| {
        answers
            .iter()
            .filter(|answer| answer.award() == award)
            .count() as u64
    };
    assert_eq!(
        (won(SCARCE_AWARD), won(FALLBACK_AWARD)),
        (UNITS - 1, 100 - (UNITS - 1))
    );
    cluster.audited().await;
}

#[tokio::test]
async fn a_shard_that_hangs_keeps_no_units_but_its_own() {
    let cluster = Cluster::start()
        .await
        .with_campaigns(&[(ACTIVITY, scarce(ACTIVITY, UNITS))])
        .await;
    let (here, there) = (cluster.users_of(0, 200), &cluster.users_of(1, 1)[0]);
    // A batch of each shard dies with a unit granted; the outcome of one of them cannot be read.
    kill_between_take_and_commit(&cluster, there, &BEFORE_COMMIT).await;
    cluster.signal("shard-1", "STOP").await;
    cluster.restart("gateway-0").await;
    kill_between_take_and_commit(&cluster, &here[0], &BEFORE_COMMIT).await;
    let open = eventually("the other shard's grant is closed", SETTLED, async || {
        let open = cluster.open_grants().await;
        (open.len() == 1).then_some(open)
    })
    .await;
    assert!(open[0].starts_with("1 "), "{open:?}");

    // All others can be won, and more that are added.
    let gateway = cluster.gateways()[1];
    let draws = |round: &str| {
        here.iter()
            .map(|user| Request::draw(user, ACTIVITY, round))
            .collect()
    };
    let wins = async |round: &str| {
        let answers = ask_all(gateway, draws(round), 16).await;
        assert!(
            answers.iter().all(|answer| answer.code == "0000"),
            "{answers:?}"
        );
        answers
            .iter()
            .filter(|answer| answer.award() == SCARCE_AWARD)
            .count() as u64
    };
    assert_eq!(wins("all").await, UNITS - 1);
    let begun = Instant::now();
    let activity = ACTIVITY.to_string();
    cluster
        .run(&["stock", "add", &activity, "1", "5", "--reason", "a gift"])
        .await
        .ok();
    let mut round = 0;
    let mut won = 0;
    while won < 5 {
        round += 1;
        won += wins(&round.to_string()).await;
        assert!(
            begun.elapsed() < FOLLOWED + Duration::from_secs(1),
            "{won} of the added units were won"
        );
    }

    cluster.signal("shard-1", "CONT").await;
    assert_eq!(cluster.settled_units(ACTIVITY, SCARCE_AWARD).await.left, 1);
    cluster.audited().await;
}

#[tokio::test]
async fn gateways_that_die_under_load_strand_no_unit() {
    const KILLS: u64 = 4;
    let cluster = Cluster::start()
        .await
        .with_campaigns(&[(ACTIVITY, scarce(ACTIVITY, 3_000))])
        .await;
    let drawing = super::client::Client::new(super::client::Load {
        seed: 9,
        doors: cluster.doors(),
        users: (0..200).map(|number| format!("u{number}")).collect(),
        mix: vec![(ACTIVITY, 1)],
        per_second: 400,
        timeouts: Duration::from_secs(8),
    })
    .start();
    for kill in 0..KILLS {
        tokio::time::sleep(Duration::from_millis(400)).await;
        let gateway = format!("gateway-{}", kill % 2);
        cluster.kill(&gateway).await;
        cluster.restart(&gateway).await;
    }
    let client = drawing.stop().await;
    client.answer_all().await;
    let units = cluster.settled_units(ACTIVITY, SCARCE_AWARD).await;
    assert_eq!(units.issued, client.wins(ACTIVITY, SCARCE_AWARD));
    assert_eq!(cluster.audited().await, client.answered());
    client.verify(cluster.gateways()[1]).await;
}
