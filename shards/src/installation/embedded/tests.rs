//! Files of a folder that do not belong together.
use std::path::Path;
use std::time::Duration;

use prometheus::Registry;
use router::{ShardId, SlotMap};

use super::EmbeddedOptions;
use crate::installation::{
    GatewaySizes, Installation, InstallationError, InstallationOptions, Serving,
};
use crate::store::{Access, Connection, Database, SqliteFile};
use crate::testing::{undo_calls, undo_goods_in_meta};
use crate::{LaneLimits, ReadLimits, Timeouts};

const SIZES: GatewaySizes = GatewaySizes {
    lane: LaneLimits {
        queue_max: 10,
        queue_target: Duration::from_secs(1),
        batch_max: 10,
        linger: Duration::ZERO,
    },
    in_flight_max: 10,
    timeouts: Timeouts {
        queue: Duration::from_secs(5),
        answer: Duration::from_secs(5),
    },
    reads: ReadLimits {
        connections_max: 1,
        queue_max: 10,
        timeout: Duration::from_secs(5),
    },
    breakers: crate::breaker::BreakerSettings::DEFAULT,
};

async fn start(place: &Path) -> Result<Serving, InstallationError> {
    let options = InstallationOptions::Embedded(EmbeddedOptions {
        data: place.into(),
        shards: 2,
        tables: 1,
        data_is_named: true,
    });
    Installation::serve(&options, SIZES, &Registry::new(), &[]).await
}

/// A folder from which a server has served.
async fn served() -> tempfile::TempDir {
    let place = tempfile::tempdir().expect("a folder");
    start(place.path()).await.expect("started").drain().await;
    place
}

async fn refused(place: &Path) -> String {
    let Err(error) = start(place).await else {
        panic!("it started")
    };
    error.to_string()
}

/// Runs SQL on a file, and merges its side files into it.
async fn run(place: &Path, file: &str, sql: &str) {
    let file = SqliteFile {
        path: place.join(file),
        access: Access::Write,
    };
    let mut connection = file.connect().await.expect("a file");
    connection
        .run(&format!("{sql}; PRAGMA wal_checkpoint(TRUNCATE)"))
        .await
        .expect(sql);
}

/// Replaces a file by another one. Neither has side files.
fn put(from: &Path, to: &Path) {
    for side in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{side}", to.display()));
    }
    std::fs::copy(from, to).expect("a copy");
}

const SHARDS: [&str; 2] = ["shard-0.sqlite", "shard-1.sqlite"];

#[tokio::test]
async fn files_that_changed_places_are_refused() {
    let place = served().await;
    let path = |name: &str| place.path().join(name);
    for file in SHARDS {
        run(place.path(), file, "SELECT 1").await;
    }
    put(&path("shard-0.sqlite"), &path("kept"));
    put(&path("shard-1.sqlite"), &path("shard-0.sqlite"));
    put(&path("kept"), &path("shard-1.sqlite"));
    let refusal = refused(place.path()).await;
    for notification in [
        "expected shard 0 of",
        "found shard 1 of",
        "expected shard 1 of",
        "found shard 0 of",
        "changed places",
    ] {
        assert!(refusal.contains(notification), "{notification}: {refusal}");
    }
}

#[tokio::test]
async fn a_file_of_another_folder_is_refused() {
    let (place, other) = (served().await, served().await);
    run(other.path(), "shard-1.sqlite", "SELECT 1").await;
    put(
        &other.path().join("shard-1.sqlite"),
        &place.path().join("shard-1.sqlite"),
    );
    let refusal = refused(place.path()).await;
    assert!(
        refusal.contains("expected shard 1 of cluster") && refusal.contains("another cluster's"),
        "{refusal}"
    );
}

#[tokio::test]
async fn a_folder_of_the_version_before_is_adopted_unless_its_meta_file_is_older() {
    let place = served().await;
    // The change that makes the table, the fourth of each file, and those after it, which make
    // other tables.
    let (settings, repairs) = (
        "fleet_setting; DROP TABLE campaign_change",
        "label_repair_0",
    );
    for (file, later) in [
        ("meta.sqlite", settings),
        ("shard-0.sqlite", repairs),
        ("shard-1.sqlite", repairs),
    ] {
        let forget = format!(
            "DROP TABLE {later}; DROP TABLE cluster_identity; \
             DELETE FROM schema_version WHERE version >= 4"
        );
        let path = place.path().join(file);
        let access = Access::Write;
        let database = SqliteFile { path, access };
        if later == repairs {
            undo_calls(&database, 1).await;
        } else {
            undo_goods_in_meta(&database).await;
        }
        run(place.path(), file, &forget).await;
    }
    start(place.path()).await.expect("adopted").drain().await;
    start(place.path()).await.expect("its own").drain().await;
    // An order of a user of shard 0, of a run that the meta file does not know.
    let map = SlotMap::even(1, 2, 1).expect("a map");
    let slot = map.slots_of(ShardId::new(0)).next().expect("a slot");
    let mut numbers = router::OrderNumbers::new(router::Run::new(900).expect("a run"));
    let order = numbers.next(slot).expect("a number");
    let sql = format!(
        "INSERT INTO raffle_order_0 (order_id, user_id, activity_id, version, ordinal, day, award_id, \
             award_title, award_index, rule, stocked) \
         VALUES ({order}, 'u', 7, 3, 1, 20261121, 101, 'title', 1, 'luck', 1)"
    );
    run(place.path(), "shard-0.sqlite", &sql).await;
    let refusal = refused(place.path()).await;
    assert!(
        refusal.contains("meta.sqlite is older than shard-0.sqlite")
            && refusal.contains("files of one moment"),
        "{refusal}"
    );
}
