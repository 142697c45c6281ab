//! The meta database, over each kind of database.
use futures_util::future::join_all;
use market::campaign::Campaign;

use super::*;
use crate::audit_log::AuditEntry;
use crate::store::{Access, SqliteFile, migrate_meta};
use crate::testing::Mariadb;

const CAMPAIGN: &str = include_str!("../audit/tests/campaign.toml");

fn edition(welcome: u32) -> String {
    CAMPAIGN.replace("welcome = 10", &format!("welcome = {welcome}"))
}

async fn fresh<D: Database>(database: D) -> Meta<D> {
    migrate_meta(&database).await.expect("a fresh database");
    if D::DIALECT.lane_per_table {
        // The stock that goes with it lies on servers, and additions are spread over them.
        let layout = "INSERT INTO stock_layout (only_row, servers, segments) VALUES (1, 2, 4)";
        database
            .connect()
            .await
            .expect("a connection")
            .run(layout)
            .await
            .expect("laid out");
    }
    Meta::new(database)
}

fn now() -> Timestamp {
    Timestamp::from_millisecond(1_795_000_000_123).expect("a time")
}

fn mug() -> Prize {
    Prize {
        activity: ActivityId::new(1).expect("id"),
        award: AwardId::new(102).expect("id"),
    }
}

fn change(units: u64) -> StockChange {
    StockChange {
        prize: mug(),
        units,
        who: "Zoë \"x\" \\ 漢".to_owned(),
        why: "'; -- 😀\n?".to_owned(),
    }
}

async fn run_numbers_are_claimed_once<D: Database>(database: D) {
    let meta = fresh(database).await;
    let mut runs = Vec::new();
    for _ in 0..5 {
        runs.extend(
            join_all((0..4).map(|_| meta.claim_run()))
                .await
                .into_iter()
                .map(|run| run.expect("an answer").expect("a run").get()),
        );
    }
    runs.sort_unstable();
    assert_eq!(runs, (1..=20).collect::<Vec<_>>());
    assert_eq!(meta.claimed_runs().await, Ok(20));
}

async fn the_layout_is_fixed_once<D: Database>(database: D) {
    let meta = fresh(database).await;
    assert_eq!(meta.slot_map().await, Ok(None));
    let map = SlotMap::even(1, 4, 8).expect("a map");
    meta.fix_slot_map(&map).await.expect("fixed");
    assert_eq!(meta.slot_map().await, Ok(Some((1, 4, 8))));
    let again = meta.fix_slot_map(&map).await;
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
}

async fn a_campaign_comes_back_to_the_letter<D: Database>(database: D) {
    let meta = fresh(database).await;
    let text =
        CAMPAIGN.replace("Audited", "Zoë's 😀 \\\\ ? 漢字") + "\n# \t 'quoted' \"twice\" \\n\n";
    Campaign::parse(&text).expect("valid");
    meta.publish(&[&text], "ops", now())
        .await
        .expect("published");
    let stored = meta.versions().await.expect("stored");
    assert_eq!((stored.len(), &stored[0].text), (1, &text));
    assert_eq!(meta.revision().await, Ok(1));
    assert!(
        meta.catalogue()
            .await
            .expect("a catalogue")
            .activity(mug().activity)
            .is_some()
    );
}

async fn publishers_take_turns<D: Database>(database: D) {
    let meta = fresh(database).await;
    let same =
        join_all((0..3).map(|_| async { meta.publish(&[CAMPAIGN], "ops", now()).await })).await;
    let same: Vec<_> = same
        .into_iter()
        .map(|publications| publications.expect("published")[0])
        .collect();
    assert_eq!(same.iter().filter(|publication| publication.new).count(), 1);
    assert!(same.iter().all(|publication| publication.version == 1));
    let editions: Vec<String> = (11..15).map(edition).collect();
    let different = join_all(
        editions
            .iter()
            .map(|text| async { meta.publish(&[text], "ops", now()).await }),
    )
    .await;
    let mut versions: Vec<_> = different
        .into_iter()
        .map(|publications| publications.expect("published")[0].version)
        .collect();
    versions.sort_unstable();
    assert_eq!(versions, [2, 3, 4, 5]);
    assert_eq!(
        meta.totals().await,
        Ok(BTreeMap::from([(mug(), 50)])),
        "its count became its stock once"
    );
    assert_eq!(meta.revision().await, Ok(5));
}

async fn stock_operations_add_up<D: Database>(database: D) {
    let meta = fresh(database).await;
    meta.publish(&[CAMPAIGN], "ops", now())
        .await
        .expect("published");
    let (five, seven) = (change(5), change(7));
    let (one, two) = tokio::join!(meta.add_stock(&five, now()), meta.add_stock(&seven, now()));
    assert_ne!(one.expect("added"), two.expect("added"));
    let asked = meta
        .ask_withdrawal(&change(20), now())
        .await
        .expect("recorded");
    assert_eq!(meta.totals().await, Ok(BTreeMap::from([(mug(), 62)])));
    assert_eq!(
        meta.waiting_withdrawals().await,
        Ok(vec![Withdrawal {
            id: asked,
            prize: mug(),
            units: 20
        }])
    );
    assert_eq!(meta.applied(asked).await, Ok(None));
    meta.withdrawn(asked, 15).await.expect("noted");
    meta.withdrawn(asked, 20).await.expect("noted already");
    assert_eq!(meta.applied(asked).await, Ok(Some(-15)));
    assert_eq!(meta.waiting_withdrawals().await, Ok(vec![]));
    assert_eq!(meta.totals().await, Ok(BTreeMap::from([(mug(), 47)])));
    let operations = meta.operations(mug()).await.expect("operations");
    let applied: Vec<_> = operations
        .iter()
        .map(|operation| operation.applied)
        .collect();
    assert!(
        applied == [Some(50), Some(5), Some(7), Some(-15)]
            || applied == [Some(50), Some(7), Some(5), Some(-15)]
    );
    let last = operations.last().expect("the withdrawal");
    let StockChange {
        units, who, why, ..
    } = change(20);
    let expected = Operation {
        id: asked,
        kind: "withdraw".to_owned(),
        units,
        applied: Some(-15),
        who,
        why,
        at: now(),
    };
    assert_eq!(*last, expected);
}

async fn the_last_snapshot_counts<D: Database>(database: D) {
    let meta = fresh(database).await;
    let snapshot = |left| Snapshot {
        prize: mug(),
        total: 50,
        left,
        open: 3,
        issued: 47 - left,
    };
    for left in [40, 7] {
        meta.write_snapshots(&[snapshot(left)], now())
            .await
            .expect("written");
        meta.write_snapshots(&[snapshot(left)], now())
            .await
            .expect("written again");
        assert_eq!(meta.snapshots().await, Ok(vec![snapshot(left)]));
    }
    meta.forget_snapshots().await.expect("forgotten");
    assert_eq!(meta.snapshots().await, Ok(vec![]));
}

async fn the_audit_log_tells_the_newest_first<D: Database>(database: D) {
    let meta = fresh(database).await;
    let entry = |what: &str| AuditEntry {
        at: now(),
        who: "Zoë \"x\" \\ 漢".to_owned(),
        what: what.to_owned(),
        detail: "shard-0".to_owned(),
        why: "'; -- 😀\n?".to_owned(),
    };
    for what in ["reload", "breaker forced_open"] {
        meta.note(&entry(what)).await.expect("noted");
    }
    assert_eq!(
        meta.audit_log().await,
        Ok(vec![entry("breaker forced_open"), entry("reload")])
    );
}

macro_rules! over_each_database {
    ($($name:ident),* $(,)?) => {
        mod over_sqlite {
            use super::*;
            $(
                #[tokio::test]
                async fn $name() {
                    let folder = tempfile::tempdir().expect("a folder");
                    let file = SqliteFile { path: folder.path().join("meta.sqlite"), access: Access::Create };
                    super::$name(file).await;
                }
            )*
        }

        mod over_mariadb {
            use super::*;
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name(Mariadb::shared_database().await).await;
                }
            )*
        }
    };
}

over_each_database!(
    run_numbers_are_claimed_once,
    the_layout_is_fixed_once,
    a_campaign_comes_back_to_the_letter,
    publishers_take_turns,
    stock_operations_add_up,
    the_last_snapshot_counts,
    the_audit_log_tells_the_newest_first,
);

#[tokio::test]
async fn what_does_not_fit_in_mariadb_is_refused_and_changes_nothing() {
    let meta = fresh(Mariadb::shared_database().await).await;
    let long = StockChange {
        who: "x".repeat(129),
        ..change(5)
    };
    let refused = meta.add_stock(&long, now()).await;
    assert!(matches!(refused, Err(StoreError::Data(_))), "{refused:?}");
    let none = meta.add_stock(&change(0), now()).await;
    assert!(matches!(none, Err(StoreError::Data(_))), "{none:?}");
    assert_eq!(meta.revision().await, Ok(0));
    assert_eq!(meta.operations(mug()).await, Ok(vec![]));
}
