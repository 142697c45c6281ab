//! The whole audit over real folders: draws by a real server, faults planted in its files.
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::Timestamp;
use market::batch::StockItem;
use market::draw::DrawAsk;
use market::{ActivityId, Ask, AwardId, Command, DrawCount, RequestId, SkuId, UserId};
use prometheus::Registry;
use tempfile::TempDir;
use tokio::time::sleep;

use super::super::history::TableLocation;
use super::super::run::{Audit, run as audit};
use super::super::{AuditError, AuditProgress, AuditReport, AuditVerdict};
use super::{CAMPAIGN, check, first_violation, red};
use crate::installation::embedded::{EmbeddedOptions, Folder};
use crate::installation::serving::{Kept, Serving};
use crate::meta::StockChange;
use crate::store::{Access, Connection, Database, SqliteFile};
use crate::testing::{undo_calls, undo_goods, undo_goods_in_meta, without_promises};
use crate::{GatewaySizes, LaneLimits, ReadLimits, Shards, Timeouts};

const SHARDS: u16 = 2;

pub(super) const SIZES: GatewaySizes = GatewaySizes {
    lane: LaneLimits {
        queue_max: 1000,
        queue_target: Duration::from_secs(1),
        batch_max: 64,
        linger: Duration::ZERO,
    },
    in_flight_max: 1000,
    timeouts: Timeouts {
        queue: Duration::from_secs(20),
        answer: Duration::from_secs(20),
    },
    reads: ReadLimits {
        connections_max: 2,
        queue_max: 16,
        timeout: Duration::from_secs(5),
    },
    breakers: crate::breaker::BreakerSettings::DEFAULT,
};

const USERS: u32 = 60;

/// A folder with the campaign published.
async fn published() -> (TempDir, Folder) {
    let place = tempfile::tempdir().expect("a folder");
    let folder = Folder::create(place.path()).expect("a folder");
    let meta = folder.meta().await.expect("meta");
    meta.campaigns()
        .publish(&[CAMPAIGN], "test", Timestamp::now())
        .await
        .expect("published");
    (place, folder)
}

pub(super) async fn start(folder: &Folder) -> Serving {
    let held = folder.clone().hold().await.expect("free");
    let options = EmbeddedOptions {
        data: "the held folder".into(),
        shards: SHARDS,
        tables: 2,
        data_is_named: true,
    };
    let running = held.serve(&options, SIZES, &Registry::new()).await;
    Serving::new(running.expect("started"), Kept::Embedded(held))
}

/// Each user draws this often in parallel; one of them is blacklisted. The third draws of all users
/// want more mugs than there are.
async fn play(shards: &Shards, round: &str, draws: u32) {
    let users = (1..USERS)
        .map(|number| format!("u{number}"))
        .chain(["banned".to_owned()]);
    let calls = users
        .flat_map(|user| (0..draws).map(move |number| draw(&user, &format!("{round}-{number}"))));
    let answers = join_all(calls.map(|draw| shards.execute(draw))).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

pub(super) fn draw(user: &str, request: &str) -> Command {
    let ask = DrawAsk {
        activity: ActivityId::new(1).expect("id"),
        count: DrawCount::ONE,
    };
    Command {
        user: UserId::new(user).expect("user"),
        request: RequestId::new(request).expect("key"),
        ask: Ask::Draw(ask),
    }
}

/// A folder in which all users have drawn three times.
pub(super) async fn played() -> (TempDir, Folder) {
    let (place, folder) = published().await;
    let server = start(&folder).await;
    play(&server.shards, "r", 3).await;
    server.drain().await;
    (place, folder)
}

pub(super) async fn plant(file: SqliteFile, sql: &str) {
    file.connect()
        .await
        .expect("file")
        .run(sql)
        .await
        .expect(sql);
}

pub(super) async fn audited(folder: &Folder) -> AuditReport {
    audit(folder, &AuditProgress::default())
        .await
        .expect("audited")
}

fn checked(report: &AuditReport, name: &str) -> u64 {
    check(report, name).checked
}

#[tokio::test]
async fn a_sound_folder_is_green_at_rest() {
    let (_place, folder) = played().await;
    let report = audited(&folder).await;
    assert!(report.ok(), "{report}");
    assert_eq!(
        checked(&report, "one_order_per_request"),
        u64::from(USERS * 3)
    );
    assert_eq!(checked(&report, "chances_match_orders"), u64::from(USERS));
    assert_eq!(checked(&report, "stock_not_oversold"), 1);
}

/// Calls for one draw and for several; some got fewer than they asked for.
#[tokio::test]
async fn a_folder_of_the_version_before_is_green_after_its_conversion() {
    let (_place, folder) = published().await;
    let server = start(&folder).await;
    play(&server.shards, "r", 2).await;
    let several = |number: u32, draws| Command {
        ask: Ask::Draw(DrawAsk {
            activity: ActivityId::new(1).expect("id"),
            count: DrawCount::new(draws).expect("a count"),
        }),
        ..draw(&format!("s{number}"), "several")
    };
    for number in 0..20 {
        let made = server.shards.execute(several(number, 3)).await;
        made.expect("drawn");
    }
    let before = server.shards.execute(several(7, 3)).await;
    server.drain().await;
    let report = audited(&folder).await;
    assert!(report.ok(), "{report}");
    let calls = checked(&report, "calls_are_whole");
    for number in 0..SHARDS {
        undo_calls(&folder.shard(number, Access::Write), 2).await;
    }
    let server = start(&folder).await;
    let before = before.map(|made| without_promises(&made));
    assert_eq!(server.shards.execute(several(7, 3)).await, before);
    server.drain().await;
    let report = audited(&folder).await;
    assert!(report.ok(), "{report}");
    assert_eq!(checked(&report, "calls_are_whole"), calls);
    assert_eq!(
        checked(&report, "one_order_per_request"),
        u64::from(USERS * 2 + 20 * 3)
    );
}

/// A sku with the number of the limited award.
pub(super) const SKU: &str = "[[sku]]\nid = 102\nstock = 7\nprice_minor = 500\nchances = 1\n";

/// Its issued awards are counted on, and the skus that it had published become stock.
#[tokio::test]
async fn a_folder_from_before_skus_had_stock_adds_up_after_its_start() {
    let (_place, folder) = published().await;
    let meta = folder.meta().await.expect("meta");
    let text = format!("{CAMPAIGN}\n{SKU}");
    let published = meta.campaigns();
    let published = published.publish(&[&text], "test", Timestamp::now()).await;
    published.expect("published");
    let server = start(&folder).await;
    play(&server.shards, "r", 2).await;
    server.drain().await;
    let issued = crate::installation::embedded::issued_in(&folder).await;
    let issued = issued.expect("read");
    for number in 0..SHARDS {
        undo_goods(&folder.shard(number, Access::Write), 2).await;
    }
    undo_goods_in_meta(&folder.meta_file(Access::Write)).await;
    let server = start(&folder).await;
    let activity = ActivityId::new(1).expect("id");
    let (mug, sku) = (
        StockItem::award(activity, AwardId::new(102).expect("id")),
        StockItem::sku(activity, SkuId::new(102).expect("id")),
    );
    let left = |item| server.shards.left(item).units();
    assert_eq!((left(mug), left(sku)), (Some(50 - issued[&mug]), Some(7)));
    play(&server.shards, "s", 1).await;
    server.drain().await;
    let report = audited(&folder).await;
    assert!(report.ok(), "{report}");
    assert_eq!(checked(&report, "stock_not_oversold"), 1);
    assert_eq!(checked(&report, "skus_not_oversold"), 1);
}

#[tokio::test]
async fn an_oversold_sku_is_found() {
    let sql = "INSERT INTO stock_issued VALUES (1, 1, 102, 1)";
    let (red, report) = red_after(shard, sql).await;
    // The next server would start with a negative number of units.
    assert_eq!(red, ["skus_not_oversold", "stock_adds_up"], "{report}");
}

#[tokio::test]
async fn a_folder_without_draws_or_without_a_first_start_is_green() {
    let (_place, folder) = published().await;
    let report = audited(&folder).await;
    assert!(report.ok(), "{report}");
    start(&folder).await.drain().await;
    let report = audited(&folder).await;
    assert!(report.ok(), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_folder_is_green_while_the_server_runs() {
    let (_place, folder) = published().await;
    let server = start(&folder).await;
    play(&server.shards, "r", 2).await;
    let report = audited(&folder).await;
    assert!(report.ok(), "{report}");
    assert_eq!(
        checked(&report, "one_order_per_request"),
        u64::from(USERS * 2)
    );
    server.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_between_the_reading_of_two_shards_turn_nothing_red() {
    let (_place, folder) = published().await;
    let server = start(&folder).await;
    play(&server.shards, "r", 3).await;
    let progress = AuditProgress::default();
    let mut audit = Audit::open(&folder, &progress).await.expect("opened");
    let of_shard = |shard| [0, 1].map(|table| TableLocation { shard, table });
    audit.sums.count_before().await.expect("read");
    audit.check_tables(&of_shard(0)).await.expect("read");
    change(&folder, &server.shards).await;
    let newcomers = (0..400).map(|number| server.shards.execute(draw(&format!("n{number}"), "r")));
    assert!(join_all(newcomers).await.iter().all(Result::is_ok));
    audit.check_tables(&of_shard(1)).await.expect("read");
    audit.sums.count_after().await.expect("read");
    let issued: i64 = audit.sums.in_orders().into_values().sum();
    assert!(issued > 50, "more than there were at first: {issued}");
    let report = audit.report().await.expect("read");
    assert!(report.ok(), "{report}");
}

/// Publishes a second version, adds and withdraws stock, and waits until the server draws by the
/// new version.
async fn change(folder: &Folder, shards: &Shards) {
    let (meta, activity) = (
        folder.meta().await.expect("meta"),
        ActivityId::new(1).expect("id"),
    );
    let (text, now) = (
        CAMPAIGN.replace("Audited", "Audited again"),
        Timestamp::now(),
    );
    let item = StockItem::award(activity, AwardId::new(102).expect("id"));
    let some = |units| StockChange {
        item,
        units,
        who: "test".to_owned(),
        why: "test".to_owned(),
    };
    meta.stock_operations()
        .add(&some(300), now)
        .await
        .expect("added");
    meta.stock_operations()
        .ask_withdrawal(&some(10), now)
        .await
        .expect("asked");
    meta.campaigns()
        .publish(&[&text], "test", now)
        .await
        .expect("published");
    while shards
        .catalogue()
        .activity(activity)
        .is_none_or(|published| published.version == 1)
    {
        sleep(Duration::from_millis(20)).await;
    }
}

/// Plants a fault in a folder at rest. Returns the red checks.
async fn red_after(
    file: impl FnOnce(&Folder) -> SqliteFile,
    sql: &str,
) -> (Vec<&'static str>, AuditReport) {
    let (_place, folder) = played().await;
    plant(file(&folder), sql).await;
    let report = audited(&folder).await;
    (red(&report), report)
}

fn shard(folder: &Folder) -> SqliteFile {
    folder.shard(0, Access::Write)
}

fn meta(folder: &Folder) -> SqliteFile {
    folder.meta_file(Access::Write)
}

#[tokio::test]
async fn an_order_without_a_call_is_found() {
    let (mut red, report) =
        red_after(shard, "DELETE FROM raffle_call_0 WHERE request_id = 'r-0'").await;
    // Orders without a call are not read. Whether some of them took a unit is random.
    red.retain(|name| *name != "issued_counters_match_orders");
    assert_eq!(
        red,
        ["one_order_per_request", "chances_match_orders"],
        "{report}"
    );
    let found = &check(&report, "one_order_per_request").violations;
    assert!(found[0].contains(" belongs to no request id"), "{report}");
}

#[tokio::test]
async fn an_order_of_two_calls_is_found() {
    let sql = "INSERT INTO raffle_call_0 SELECT user_id, 'z', kind, activity_id, asked, first_id, made, created_at_ms
               FROM raffle_call_0 WHERE request_id = 'r-0'";
    let (red, report) = red_after(shard, sql).await;
    assert_eq!(red, ["calls_are_whole"], "{report}");
    assert!(
        first_violation(&report).contains("request id \"z\" of user"),
        "{report}"
    );
}

#[tokio::test]
async fn chances_that_were_not_granted_are_found() {
    let (red, report) = red_after(shard, "UPDATE raffle_account_0 SET granted = granted + 1").await;
    assert_eq!(red, ["chances_granted_as_published"], "{report}");
}

#[tokio::test]
async fn an_id_of_an_unclaimed_run_is_found() {
    let (red, report) = red_after(meta, "UPDATE id_run SET claimed = 0").await;
    assert_eq!(red, ["order_ids_are_unique"], "{report}");
}

#[tokio::test]
async fn a_call_with_a_missing_order_is_found() {
    // The last call of each user: no order has the next id.
    let sql = "UPDATE raffle_call_0 SET asked = 2, made = 2 WHERE request_id = 'r-2'";
    let (red, report) = red_after(shard, sql).await;
    assert_eq!(red, ["calls_are_whole"], "{report}");
    assert!(
        report.to_string().contains(" made 2 rows, 1 are stored"),
        "{report}"
    );
}

#[tokio::test]
async fn a_counter_that_differs_from_its_orders_is_found() {
    let (_place, folder) = played().await;
    // One shard may have been fast enough to issue all units.
    for number in 0..SHARDS {
        plant(
            folder.shard(number, Access::Write),
            "UPDATE stock_issued SET issued = issued - 1",
        )
        .await;
    }
    let report = audited(&folder).await;
    assert_eq!(red(&report), ["issued_counters_match_orders"], "{report}");
}

#[tokio::test]
async fn oversold_stock_is_found() {
    let (red, report) = red_after(meta, "UPDATE stock_operation SET applied = 1").await;
    // The next server would start with a negative number of units.
    assert_eq!(red, ["stock_not_oversold", "stock_adds_up"], "{report}");
}

#[tokio::test]
async fn a_negative_total_is_found() {
    let sql =
        "INSERT INTO stock_operation VALUES (99, 1, 0, 104, 'withdraw', 1, -1, 'test', 'test', 0)";
    let (red, report) = red_after(meta, sql).await;
    assert_eq!(red, ["stock_adds_up"], "{report}");
}

#[tokio::test]
async fn rows_in_another_table_are_found() {
    let sql =
        "INSERT INTO raffle_account_1 SELECT * FROM raffle_account_0; DELETE FROM raffle_account_0;
               INSERT INTO raffle_call_1 SELECT * FROM raffle_call_0; DELETE FROM raffle_call_0;
               INSERT INTO raffle_order_1 SELECT * FROM raffle_order_0; DELETE FROM raffle_order_0";
    let (red, report) = red_after(shard, sql).await;
    assert_eq!(
        red,
        ["rows_on_their_shard", "order_ids_are_unique"],
        "{report}"
    );
}

#[tokio::test]
async fn a_lost_order_and_a_lost_account_are_found() {
    let sql = "DELETE FROM raffle_order_0 WHERE stocked = 0 AND ordinal < 3";
    let (red, report) = red_after(shard, sql).await;
    assert_eq!(red, ["chances_match_orders", "calls_are_whole"], "{report}");
    let (red, report) = red_after(shard, "DELETE FROM raffle_account_0").await;
    assert_eq!(red, ["chances_match_orders"], "{report}");
}

#[tokio::test]
async fn draws_above_a_limit_are_found() {
    let sql =
        "UPDATE campaign SET file_text = replace(file_text, 'day_limit = 3', 'day_limit = 2')";
    let (red, report) = red_after(meta, sql).await;
    assert_eq!(red, ["day_and_month_limits"], "{report}");
}

#[tokio::test]
async fn an_order_that_its_version_cannot_have_made_is_found() {
    let (red, report) = red_after(shard, "UPDATE raffle_order_1 SET award_title = 'car'").await;
    assert_eq!(red, ["orders_match_their_campaign"], "{report}");
    let (red, report) = red_after(meta, "UPDATE campaign SET file_text = 'format = 1'").await;
    assert_eq!(red, ["orders_match_their_campaign"], "{report}");
}

/// Audits a folder that is held without a server, so that no server corrects the planted snapshot.
async fn sum_while_held(sql: &str) -> AuditReport {
    let (_place, folder) = played().await;
    let snapshots = folder
        .meta_for_reading()
        .stock_snapshots()
        .read()
        .await
        .expect("read");
    let held = folder.clone().hold().await.expect("free");
    let started = audited(&folder).await;
    let sum = started
        .checks
        .iter()
        .find(|check| check.name == "stock_adds_up")
        .expect("checked");
    assert!(
        sum.skipped.is_some(),
        "the snapshots of an earlier server do not count"
    );
    held.meta()
        .stock_snapshots()
        .write(&snapshots, Timestamp::now())
        .await
        .expect("written");
    assert!(audited(&folder).await.ok());
    plant(meta(&folder), sql).await;
    audited(&folder).await
}

#[tokio::test]
async fn a_running_servers_lost_unit_is_found() {
    let report = sum_while_held("UPDATE stock_picture SET units_left = units_left + 1").await;
    assert_eq!(red(&report), ["stock_adds_up"], "{report}");
}

#[tokio::test]
async fn the_sum_is_skipped_while_units_are_under_grants() {
    let report = sum_while_held("UPDATE stock_picture SET open_units = 1").await;
    assert_eq!(report.verdict(), AuditVerdict::Unknown);
    let skipped: Vec<_> = report.checks.iter().filter(|check| !check.ok()).collect();
    assert_eq!(skipped.len(), 1);
    assert_eq!(skipped[0].name, "stock_adds_up");
    assert_eq!(
        skipped[0].skipped.as_deref(),
        Some("activity 1, award 102: 1 units are under open grants")
    );
}

#[tokio::test]
async fn reading_the_lock_does_not_keep_a_server_from_starting() {
    let (_place, folder) = published().await;
    let looking = std::thread::spawn({
        let folder = folder.clone();
        move || {
            let until = Instant::now() + Duration::from_millis(300);
            while Instant::now() < until {
                folder.is_held().expect("read");
            }
        }
    });
    for _ in 0..20 {
        drop(folder.clone().hold().await.expect("free"));
    }
    looking.join().expect("read");
    let _held = folder.clone().hold().await.expect("free");
    assert!(folder.is_held().expect("read"));
}

#[tokio::test]
async fn an_audit_that_cannot_read_a_file_fails() {
    let (place, folder) = played().await;
    std::fs::remove_file(folder.shard(1, Access::Read).path).expect("removed");
    let missing = audit(&folder, &AuditProgress::default())
        .await
        .expect_err("a shard is missing");
    assert!(
        missing.to_string().contains("shard-1.sqlite: "),
        "{missing}"
    );
    plant(meta(&folder), "DELETE FROM slot_map").await;
    assert!(matches!(
        audit(&folder, &AuditProgress::default()).await,
        Err(AuditError::NoMap(_))
    ));
    drop(place);
}
