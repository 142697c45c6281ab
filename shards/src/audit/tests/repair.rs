//! The repair sets back accounts that count for a day which has not begun because a clock was
//! ahead.
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use market::calendar::Day;

use super::super::RepairError;
use super::super::repair::{LabelsRepaired, repair_labels};
use super::super::run::run as audit;
use super::folder::{audited, draw, plant, played, start};
use super::{check, red};
use crate::installation::embedded::Folder;
use crate::store::{Access, Columns, Connection, Database};

const AHEAD: SignedDuration = SignedDuration::from_hours(40 * 24);

/// Changes a table of shard 0 as if the clock had been forty days ahead at draws from
/// `ordinal_min` on.
async fn draw_ahead(folder: &Folder, table: u16, ordinal_min: i64) {
    let day = Day::of(
        Timestamp::now() + AHEAD,
        &TimeZone::get("Asia/Shanghai").expect("a zone"),
    )
    .number();
    let sql = format!(
        "UPDATE raffle_call_{table} SET created_at_ms = created_at_ms + {ahead}
         WHERE first_id IN (SELECT order_id FROM raffle_order_{table} WHERE ordinal >= {ordinal_min});
         UPDATE raffle_order_{table} SET day = {day} WHERE ordinal >= {ordinal_min};
         UPDATE raffle_account_{table} SET day = {day}, day_used = 4 - {ordinal_min}, month_used = 4 - {ordinal_min}",
        ahead = AHEAD.as_millis()
    );
    plant(folder.shard(0, Access::Write), &sql).await;
}

/// The users of a table of shard 0.
async fn users(folder: &Folder, table: u16) -> Vec<String> {
    let mut connection = folder.shard(0, Access::Read).connect().await.expect("file");
    let rows = connection
        .rows(&format!("SELECT user_id FROM raffle_account_{table}"), "[]")
        .await
        .expect("rows");
    rows.iter()
        .map(|row| row.text(0).expect("a user").to_owned())
        .collect()
}

#[tokio::test]
async fn accounts_of_a_clock_that_was_ahead_are_set_back_and_can_draw_again() {
    let (_place, folder) = played().await;
    draw_ahead(&folder, 0, 1).await;
    draw_ahead(&folder, 1, 2).await;
    let report = audited(&folder).await;
    assert_eq!(red(&report), ["orders_not_in_the_future"], "{report}");
    let (ahead, partly) = (users(&folder, 0).await, users(&folder, 1).await);
    let found = 4 * ahead.len() + 3 * partly.len();
    assert_eq!(
        check(&report, "orders_not_in_the_future").violations_total,
        found as u64
    );
    let refused = start(&folder).await;
    assert!(
        refused
            .shards
            .execute(draw(&ahead[0], "again"))
            .await
            .is_err(),
        "three draws were made on that day"
    );
    let held = repair_labels(&folder, "test", "a clock was ahead")
        .await
        .expect_err("a server runs");
    assert!(matches!(held, RepairError::Held(_)), "{held}");
    refused.drain().await;

    let repaired = repair_labels(&folder, "test", "a clock was ahead")
        .await
        .expect("repaired");
    assert_eq!(
        repaired,
        LabelsRepaired {
            accounts: (ahead.len() + partly.len()) as u64,
            ..LabelsRepaired::default()
        }
    );
    assert!(audited(&folder).await.ok(), "{}", audited(&folder).await);
    let log = folder
        .meta_for_reading()
        .audit_log()
        .latest()
        .await
        .expect("read");
    let noted: Vec<_> = log
        .iter()
        .map(|entry| (&*entry.who, &*entry.what, &*entry.why))
        .collect();
    assert_eq!(noted, [("test", "audit --repair", "a clock was ahead")]);

    let server = start(&folder).await;
    for user in &ahead {
        assert!(server.shards.execute(draw(user, "again")).await.is_ok());
    }
    // One draw of today was before those that were ahead. So two of three draws are left.
    for number in 0..2 {
        assert!(
            server
                .shards
                .execute(draw(&partly[0], &format!("again-{number}")))
                .await
                .is_ok()
        );
    }
    assert!(
        server
            .shards
            .execute(draw(&partly[0], "too-many"))
            .await
            .is_err()
    );
    server.drain().await;
    let report = audited(&folder).await;
    assert!(report.ok(), "{report}");
}

#[tokio::test]
async fn a_second_repair_changes_nothing() {
    let (_place, folder) = played().await;
    draw_ahead(&folder, 0, 3).await;
    let first = repair_labels(&folder, "test", "once")
        .await
        .expect("repaired");
    assert!(first.accounts > 0);
    let before = contents(&folder).await;
    assert_eq!(
        repair_labels(&folder, "test", "twice").await.expect("read"),
        LabelsRepaired::default()
    );
    assert_eq!(contents(&folder).await, before);
    assert_eq!(
        folder
            .meta_for_reading()
            .audit_log()
            .latest()
            .await
            .expect("read")
            .len(),
        1,
        "nothing was changed, so nothing is in the audit log"
    );
}

#[tokio::test]
async fn correct_accounts_and_those_with_other_faults_are_left_alone() {
    let (_place, folder) = played().await;
    let before = contents(&folder).await;
    assert_eq!(
        repair_labels(&folder, "test", "nothing")
            .await
            .expect("read"),
        LabelsRepaired::default()
    );
    assert_eq!(contents(&folder).await, before);
    draw_ahead(&folder, 0, 1).await;
    plant(
        folder.shard(0, Access::Write),
        "DELETE FROM raffle_order_0 WHERE ordinal = 2 AND stocked = 0",
    )
    .await;
    let broken = users_without(&folder, 2).await;
    assert!(broken > 0);
    let before = contents(&folder).await;
    let repaired = repair_labels(&folder, "test", "two faults")
        .await
        .expect("read");
    assert_eq!(repaired.left, broken, "{repaired:?}");
    let kept = contents(&folder)
        .await
        .iter()
        .filter(|line| before.contains(line))
        .count() as u64;
    assert_eq!(kept, before.len() as u64 - repaired.accounts);
    let report = audit(&folder, &super::super::AuditProgress::default())
        .await
        .expect("audited");
    assert_eq!(
        red(&report),
        [
            "chances_match_orders",
            "calls_are_whole",
            "orders_not_in_the_future"
        ],
        "{report}"
    );
}

/// How many users of table 0 have no order of this ordinal.
async fn users_without(folder: &Folder, ordinal: i64) -> u64 {
    let mut connection = folder.shard(0, Access::Read).connect().await.expect("file");
    let sql = format!(
        "SELECT count(*) FROM raffle_account_0 AS a
         WHERE NOT EXISTS (SELECT 1 FROM raffle_order_0 AS o WHERE o.user_id = a.user_id AND o.ordinal = {ordinal})"
    );
    connection.rows(&sql, "[]").await.expect("rows")[0]
        .number(0)
        .expect("a number")
}

/// All accounts of shard 0.
async fn contents(folder: &Folder) -> Vec<String> {
    let mut connection = folder.shard(0, Access::Read).connect().await.expect("file");
    let sql =
        "SELECT user_id || '|' || used || '|' || day || '|' || day_used || '|' || month_used FROM raffle_account_0
               UNION ALL
               SELECT user_id || '|' || used || '|' || day || '|' || day_used || '|' || month_used FROM raffle_account_1
               ORDER BY 1";
    let rows = connection.rows(sql, "[]").await.expect("rows");
    rows.iter()
        .map(|row| row.text(0).expect("a string").to_owned())
        .collect()
}
