//! Faults of points, purchases, rewards and limits for one user in the rows of SQLite and of MariaDB, planted by SQL.
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use market::adjust::{PointsAsk, PointsChange};
use market::calendar::Day;
use market::draw::DrawAsk;
use market::exchange::ExchangeAsk;
use market::points::Points;
use market::reward::RewardAsk;
use market::sign_in::SignInAsk;
use market::{
    ActivityId, Ask, Behaviour, BusinessNumber, Command, DrawCount, Refusal, RequestId, SkuId,
    UserId,
};
use prometheus::Registry;
use tokio::time::sleep;

use super::super::audited::Audited;
use super::super::repair::{LabelsRepaired, repair_labels, repair_labels_of_cluster};
use super::super::run::run as audit;
use super::super::{AuditProgress, AuditReport};
use super::folder::{SIZES, start};
use super::{PLATFORM, check, red};
use crate::Shards;
use crate::error::CommandError;
use crate::installation::ClusterOptions;
use crate::installation::embedded::Folder;
use crate::installation::serving::{Kept, Serving};
use crate::meta::Meta;
use crate::store::{Access, Connection, Database};
use crate::testing::{Redis, TestRedis, shared_database};

/// Delivering the stock takes some rounds of a job, on a busy machine.
const AT_LAST: Duration = Duration::from_mins(1);

const TABLES: u16 = 2;

/// A fault: SQL on each table that changes rows of user `u1`, the SQL that undoes it, which checks
/// find it, and a part of what the first says.
type Fault = (
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static str,
);

const FAULTS: [Fault; 11] = [
    // An entry without a debit or a credit.
    (
        "INSERT INTO points_entry_{t} SELECT user_id, entries + 1, 'prize', 1, 5, balance + 5, '77', 0
             FROM points_account_{t} WHERE user_id = 'u1';
         UPDATE points_account_{t} SET balance = balance + 5, entries = entries + 1 WHERE user_id = 'u1'",
        "DELETE FROM points_entry_{t} WHERE business_no = '77';
         UPDATE points_account_{t} SET balance = balance - 5, entries = entries - 1 WHERE user_id = 'u1'",
        &["points_equal_entries"],
        "is of order \"77\", which moved no points",
    ),
    // A debit without an entry.
    (
        "UPDATE points_account_{t} SET balance = balance - 100 WHERE user_id = 'u1'",
        "UPDATE points_account_{t} SET balance = balance + 100 WHERE user_id = 'u1'",
        &["points_equal_entries"],
        "the account of points of user \"u1\"",
    ),
    (
        "UPDATE points_entry_{t} SET number = 0 WHERE user_id = 'u1' AND number = 1",
        "UPDATE points_entry_{t} SET number = 1 WHERE user_id = 'u1' AND number = 0",
        &["points_equal_entries"],
        "has the number 0",
    ),
    (
        "UPDATE points_entry_{t} SET trade = 'reward' WHERE user_id = 'u1' AND trade = 'exchange'",
        "UPDATE points_entry_{t} SET trade = 'exchange' WHERE user_id = 'u1' AND amount < 0",
        &["points_equal_entries"],
        "says trade, activity and amount (\"reward\", 1, -100)",
    ),
    (
        "UPDATE raffle_order_{t} SET points = points + 1000 WHERE user_id = 'u1' AND promise = 2",
        "UPDATE raffle_order_{t} SET points = points - 1000 WHERE user_id = 'u1' AND promise = 2",
        &["orders_match_their_campaign", "points_equal_entries"],
        "with promise 2 and 1",
    ),
    // A purchase that gave more chances than it sold, on the account too.
    (
        "UPDATE recharge_order_{t} SET chances = 9 WHERE user_id = 'u1' AND kind = 'credit_pay_trade';
         UPDATE raffle_account_{t} SET granted = granted + 7 WHERE user_id = 'u1'",
        "UPDATE recharge_order_{t} SET chances = 2 WHERE user_id = 'u1' AND kind = 'credit_pay_trade';
         UPDATE raffle_account_{t} SET granted = granted - 7 WHERE user_id = 'u1'",
        &["purchases_equal_chances"],
        "no version sells sku 9001 with 9 chances",
    ),
    // A unit of another sku than the one that was issued.
    (
        "UPDATE recharge_order_{t} SET sku = 9002 WHERE user_id = 'u1' AND kind = 'credit_pay_trade'",
        "UPDATE recharge_order_{t} SET sku = 9001 WHERE user_id = 'u1' AND kind = 'credit_pay_trade'",
        &["skus_not_oversold", "purchases_equal_chances"],
        "recharge orders took a unit",
    ),
    (
        "UPDATE recharge_order_{t} SET business_no = 'n1', created_at_ms = -created_at_ms
             WHERE user_id = 'u1' AND business_no = 'n2'",
        "UPDATE recharge_order_{t} SET business_no = 'n2', created_at_ms = -created_at_ms
             WHERE created_at_ms < 0",
        &["one_reward_per_behaviour"],
        "once more",
    ),
    (
        "UPDATE sign_in_{t} SET streak = streak + 1 WHERE user_id = 'u1'",
        "UPDATE sign_in_{t} SET streak = streak - 1 WHERE user_id = 'u1'",
        &["one_reward_per_behaviour"],
        "as day 2 in a row, the last reward is for",
    ),
    // A prize of which a user gets one at most: counted twice, and not at all.
    (
        "UPDATE user_award_{t} SET given = given + 1 WHERE user_id = 'u1'",
        "UPDATE user_award_{t} SET given = given - 1 WHERE user_id = 'u1'",
        &["user_awards_match_orders"],
        "2 are counted, and there are 1 orders",
    ),
    (
        "DELETE FROM user_award_{t} WHERE user_id = 'u1'",
        "INSERT INTO user_award_{t} SELECT user_id, activity_id, award_id, 1 FROM raffle_order_{t}
             WHERE user_id = 'u1' AND award_id = 103",
        &["user_awards_match_orders"],
        "0 are counted, and there are 1 orders",
    ),
];

/// Executes a command, again until the stock was delivered.
async fn executed(shards: &Shards, command: &Command) {
    let begun = Instant::now();
    while let Err(error) = shards.execute(command.clone()).await {
        assert!(begun.elapsed() < AT_LAST, "{command:?}: {error:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Users who do everything that moves points. Each draws ten times: some draws pay points.
async fn live(shards: &Shards) {
    for number in 0..4 {
        let user = UserId::new(&format!("u{number}")).expect("a user");
        let reward = |number| RewardAsk {
            behaviour: Behaviour::new("openai_pay").expect("a word"),
            number: BusinessNumber::new(number).expect("a number"),
        };
        let points = Points::from_hundredths(2_000).expect("an amount");
        let draw = DrawAsk {
            activity: ActivityId::new(1).expect("an id"),
            count: DrawCount::new(10).expect("a count"),
        };
        let sku = SkuId::new(9_001).expect("an id");
        for (key, ask) in [
            (
                "points",
                Ask::Points(PointsAsk {
                    change: PointsChange::Add(points),
                }),
            ),
            ("sign", Ask::SignIn(SignInAsk { activity: None })),
            ("n1", Ask::Reward(reward("n1"))),
            ("n2", Ask::Reward(reward("n2"))),
            ("exchange", Ask::Exchange(ExchangeAsk { sku })),
            ("draw", Ask::Draw(draw)),
            (
                "freeze",
                Ask::Points(PointsAsk {
                    change: PointsChange::Freeze,
                }),
            ),
        ] {
            let request = match &ask {
                Ask::Reward(reward) => reward.request(),
                _ => RequestId::new(key).expect("a key"),
            };
            let user = user.clone();
            executed(shards, &Command { user, request, ask }).await;
        }
    }
}

async fn audited<A: Audited>(installation: &A) -> AuditReport {
    let report = audit(installation, &AuditProgress::default()).await;
    report.expect("audited")
}

/// Plants each fault, finds it, and takes it back.
async fn faults_are_found<A: Audited, D: Database>(installation: &A, shards: &[D]) {
    let report = audited(installation).await;
    assert_eq!(red(&report), [""; 0], "{report}");
    for name in [
        "points_equal_entries",
        "purchases_equal_chances",
        "one_reward_per_behaviour",
    ] {
        assert!(check(&report, name).checked >= 16, "{report}");
    }
    assert_eq!(check(&report, "skus_not_oversold").checked, 2);
    assert_eq!(check(&report, "user_awards_match_orders").checked, 4);
    for (plant, undo, names, violation) in FAULTS {
        run_on_all(shards, plant).await;
        let report = audited(installation).await;
        assert_eq!(red(&report), names, "{plant}\n{report}");
        let found = &check(&report, names[0]).violations;
        assert!(
            found.iter().any(|found| found.contains(violation)),
            "{plant}\n{report}"
        );
        run_on_all(shards, undo).await;
    }
    let report = audited(installation).await;
    assert_eq!(red(&report), [""; 0], "{report}");
}

/// Signs `u1` in as a clock would that is forty days ahead.
async fn sign_in_ahead<D: Database>(shards: &[D]) {
    let zone = TimeZone::get("Asia/Shanghai").expect("a zone");
    let ahead = Timestamp::now() + SignedDuration::from_hours(40 * 24);
    let day = Day::of(ahead, &zone).number();
    let sql = format!(
        "UPDATE recharge_order_{{t}} SET business_no = '{day}' WHERE user_id = 'u1' AND behaviour = 'sign';
         UPDATE sign_in_{{t}} SET day = {day} WHERE user_id = 'u1'"
    );
    run_on_all(shards, &sql).await;
}

/// What a repair did that set back the sign-in of `u1`.
const SET_BACK: LabelsRepaired = LabelsRepaired {
    accounts: 0,
    sign_ins: 1,
    left: 0,
};

fn sign_in_again() -> Command {
    Command {
        user: UserId::new("u1").expect("a user"),
        request: RequestId::new("again").expect("a key"),
        ask: Ask::SignIn(SignInAsk { activity: None }),
    }
}

async fn run_on_all<D: Database>(shards: &[D], sql: &str) {
    for shard in shards {
        let mut connection = shard.connect().await.expect("a connection");
        for table in 0..TABLES {
            let sql = sql.replace("{t}", &table.to_string());
            connection.run(&sql).await.expect(&sql);
        }
    }
}

#[tokio::test]
async fn faults_of_points_in_a_folder_are_found() {
    let place = tempfile::tempdir().expect("a folder");
    let folder = Folder::create(place.path()).expect("a folder");
    let meta = folder.meta().await.expect("meta");
    let published = meta.campaigns();
    let published = published
        .publish(&[PLATFORM], "test", Timestamp::now())
        .await;
    published.expect("published");
    let server = start(&folder).await;
    // No order of a draw names a version yet: recharge orders do not say theirs.
    let request = RequestId::new("alone").expect("a key");
    let alone = Command {
        user: UserId::new("alone").expect("a user"),
        request,
        ask: Ask::SignIn(SignInAsk { activity: None }),
    };
    executed(&server.shards, &alone).await;
    let report = audited(&folder).await;
    assert_eq!(red(&report), [""; 0], "{report}");
    assert_eq!(check(&report, "purchases_equal_chances").checked, 2);
    live(&server.shards).await;
    server.drain().await;
    let shards = [0, 1].map(|shard| folder.shard(shard, Access::Write));
    faults_are_found(&folder, &shards).await;

    sign_in_ahead(&shards).await;
    let report = audited(&folder).await;
    assert_eq!(red(&report), ["orders_not_in_the_future"], "{report}");
    let server = start(&folder).await;
    let refused = Err(CommandError::Refused(Refusal::NothingToReward));
    assert_eq!(server.shards.execute(sign_in_again()).await, refused);
    server.drain().await;
    let repair = async || repair_labels(&folder, "test", "a clock was ahead").await;
    assert_eq!(repair().await.expect("repaired"), SET_BACK);
    let report = audited(&folder).await;
    assert_eq!(red(&report), [""; 0], "{report}");
    let nothing = LabelsRepaired::default();
    assert_eq!(repair().await.expect("read"), nothing);
    let server = start(&folder).await;
    executed(&server.shards, &sign_in_again()).await;
    server.drain().await;
    let report = audited(&folder).await;
    assert_eq!(red(&report), [""; 0], "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_points_in_a_cluster_are_found() {
    let redis = Redis::start().await;
    let options = ClusterOptions {
        meta: shared_database().await,
        shards: vec![shared_database().await, shared_database().await],
        tables: TABLES,
        redis: vec![redis.options()],
        segments: 2,
    };
    options.migrate().await.expect("laid out");
    let meta = Meta::new(options.meta.clone());
    let published = meta.campaigns();
    let published = published
        .publish(&[PLATFORM], "test", Timestamp::now())
        .await;
    published.expect("published");
    let cluster = options.open().await.expect("laid out");
    let running = cluster.serve(SIZES, &Registry::new()).await;
    let server = Serving::new(running.expect("started"), Kept::Cluster(cluster));
    live(&server.shards).await;
    let cluster = options.open().await.expect("laid out");
    faults_are_found(&cluster, &options.shards).await;
    sign_in_ahead(&options.shards).await;
    let repaired = repair_labels_of_cluster(&cluster, "test", "a clock was ahead").await;
    assert_eq!(repaired.expect("repaired"), SET_BACK);
    executed(&server.shards, &sign_in_again()).await;
    let report = audited(&cluster).await;
    assert_eq!(red(&report), [""; 0], "{report}");
    server.drain().await;
}
