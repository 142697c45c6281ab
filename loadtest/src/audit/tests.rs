//! The auditor on data folders with the gateway's tables. Each test makes a fault, which the
//! auditor must find.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use tempfile::TempDir;

use super::*;
use crate::keep::{Drawn, Keeper, NotReceived, NotReceivedOutcome, Prize, Received};

const TABLES: [&str; 4] = [
    include_str!("../../../shards/sql/sqlite/schema/shard_0001_tables.sql"),
    include_str!("../../../shards/sql/sqlite/schema/shard_0002_tables.sql"),
    include_str!("../../../shards/sql/sqlite/schema/shard_0006_tables.sql"),
    include_str!("../../../shards/sql/sqlite/schema/shard_0008_tables.sql"),
];
const RUN: &str = "00000000ab";

/// A data folder with two shards of two tables.
struct DataFolder {
    folder: TempDir,
}

fn key(number: u32) -> String {
    format!("{RUN}{number:014x}")
}

fn received(number: u32) -> KeptLine {
    KeptLine::Received(Received {
        user_id: format!("u {number}"),
        request_id: key(number),
        drawn: Drawn::One(Prize {
            award_id: i64::from(number % 3),
            order_id: (7_000_000_000_000_000_000 + i64::from(number)).to_string(),
            award_title: Some("Prize \"é\"".to_owned()),
        }),
    })
}

fn not_received(number: u32, outcome: NotReceivedOutcome) -> KeptLine {
    KeptLine::NotReceived(NotReceived {
        user_id: format!("u {number}"),
        request_id: key(number),
        outcome,
    })
}

impl DataFolder {
    async fn new() -> Self {
        let data = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        for shard in 0..2 {
            for table in 0..2 {
                for change in TABLES {
                    data.run(shard, &change.replace("{table}", &table.to_string()))
                        .await;
                }
            }
        }
        data
    }

    async fn open(&self, shard: u32) -> SqliteConnection {
        let path = self.folder.path().join(format!("shard-{shard}.sqlite"));
        // The rows need not be durable.
        let options = SqliteConnectOptions::new()
            .filename(path)
            .synchronous(SqliteSynchronous::Off);
        options
            .create_if_missing(true)
            .connect()
            .await
            .expect("opened")
    }

    async fn run(&self, shard: u32, sql: &str) {
        let mut connection = self.open(shard).await;
        connection.execute(sql).await.expect(sql);
        connection.close().await.expect("closed");
    }

    /// Writes the order of a received draw into a table.
    async fn insert(&self, numbers: std::ops::Range<u32>) {
        for shard in 0..2 {
            let mut connection = self.open(shard).await;
            connection.execute("BEGIN").await.expect("begun");
            for number in numbers.clone().filter(|number| number % 2 == shard) {
                let KeptLine::Received(received) = received(number) else {
                    unreachable!()
                };
                let [prize] = received.drawn.prizes() else {
                    unreachable!()
                };
                let order = prize.order_id.parse::<i64>().expect("a number");
                let table = number / 2 % 2;
                let call =
                    format!("INSERT INTO raffle_call_{table} VALUES (?, ?, 1, 1, 1, ?, 1, 1)");
                sqlx::query(&call)
                    .bind(&received.user_id)
                    .bind(&received.request_id)
                    .bind(order)
                    .execute(&mut connection)
                    .await
                    .expect("inserted");
                let sql = format!(
                    "INSERT INTO raffle_order_{table} VALUES (?, ?, 1, 1, 1, 1, ?, ?, 1, 'none', 1)"
                );
                sqlx::query(&sql)
                    .bind(order)
                    .bind(&received.user_id)
                    .bind(prize.award_id)
                    .bind(&prize.award_title)
                    .execute(&mut connection)
                    .await
                    .expect("inserted");
            }
            connection.execute("COMMIT").await.expect("committed");
            connection.close().await.expect("closed");
        }
    }

    /// Audits a complete file of these lines.
    async fn audit(&self, keys: &[KeptLine]) -> Findings {
        let kept = KeptLine::Kept {
            kept: u64::try_from(keys.len()).expect("small"),
        };
        let all = [
            &[KeptLine::Run {
                run: RUN.to_owned(),
            }],
            keys,
            &[kept],
        ]
        .concat();
        self.audit_file(&all).await.expect("audited").shards
    }

    async fn audit_file(&self, lines: &[KeptLine]) -> Result<AuditOutcome, Error> {
        let file = self.folder.path().join("kept");
        let keeper = Keeper::create(&file).expect("created");
        for line in lines {
            keeper.write(line).expect("written");
        }
        keeper.flush().expect("flushed");
        audit(&AuditArgs {
            file,
            cluster: None,
            data: Some(self.folder.path().to_owned()),
            url: None,
            sample: None,
            seed: 1,
            connections: 1,
            json: false,
        })
        .await
    }
}

fn json(findings: &Findings) -> serde_json::Value {
    serde_json::to_value(findings).expect("JSON")
}

#[tokio::test]
async fn what_was_told_and_stands_there_is_right_piece_by_piece() {
    let data = DataFolder::new().await;
    data.insert(0..2_500).await;
    let mut lines: Vec<KeptLine> = (0..2_500).map(received).collect();
    lines.extend((2_500..2_600).map(|number| not_received(number, NotReceivedOutcome::Refused)));
    lines.extend((2_600..2_603).map(|number| not_received(number, NotReceivedOutcome::Unknown)));
    let findings = data.audit(&lines).await;
    assert!(findings.judge().is_ok(), "{findings}");
    let json = json(&findings);
    assert_eq!(
        (&json["keys"], &json["same"], &json["refused"]),
        (&2_603.into(), &2_500.into(), &100.into())
    );
    assert_eq!(
        (&json["unconfirmed_absent"], &json["orders_of_run"]),
        (&3.into(), &2_500.into())
    );
}

#[tokio::test]
async fn each_planted_fault_is_found_and_named() {
    let copy = "INSERT INTO raffle_order_1 (order_id, user_id, activity_id, version, ordinal, day, award_id,
            award_title, award_index, rule, stocked)
        SELECT order_id + 1000, user_id, activity_id, version, ordinal,
            day, award_id, award_title, award_index, rule, stocked FROM raffle_order_0;
        INSERT INTO raffle_call_1 SELECT user_id, request_id, kind, activity_id, asked, first_id + 1000, made,
            created_at_ms FROM raffle_call_0";
    let lines: Vec<KeptLine> = (0..8).map(received).collect();
    for (fault, sql, count) in [
        ("missing", "DELETE FROM raffle_order_0", 2),
        ("missing", "DELETE FROM raffle_call_0", 2),
        (
            "different",
            "UPDATE raffle_order_0 SET award_id = award_id + 1",
            2,
        ),
        (
            "different",
            "UPDATE raffle_order_0 SET award_title = 'other'",
            2,
        ),
        (
            "different",
            "UPDATE raffle_order_0 SET order_id = order_id + 100;
             UPDATE raffle_call_0 SET first_id = first_id + 100",
            2,
        ),
        ("doubled", copy, 2),
        // With a key that the driver never sent, and an unknown user.
        (
            "surplus",
            &copy.replace("request_id, kind", "request_id || 'x', kind"),
            2,
        ),
        (
            "surplus",
            &copy
                .replace("+ 1000, user_id", "+ 1000, 'stranger' || order_id")
                .replace("SELECT user_id", "SELECT 'stranger' || first_id"),
            2,
        ),
    ] {
        let data = DataFolder::new().await;
        data.insert(0..8).await;
        assert!(data.audit(&lines).await.judge().is_ok());
        data.run(0, sql).await;
        let findings = data.audit(&lines).await;
        assert!(
            matches!(findings.judge(), Err(Error::DoesNotHold(_))),
            "{fault}: {findings}"
        );
        assert_eq!(json(&findings)[fault], count, "{sql}: {findings}");
    }
}

#[tokio::test]
async fn an_order_that_was_refused_is_a_fault_and_one_without_an_outcome_is_none() {
    let data = DataFolder::new().await;
    data.insert(0..3).await;
    let unknown = [
        received(0),
        not_received(1, NotReceivedOutcome::Unknown),
        not_received(2, NotReceivedOutcome::Unknown),
        not_received(9, NotReceivedOutcome::Unknown),
    ];
    let findings = data.audit(&unknown).await;
    assert!(findings.judge().is_ok(), "{findings}");
    assert_eq!(json(&findings)["unconfirmed_present"], 2);
    assert!(
        findings
            .to_string()
            .contains("unconfirmed: 2 present, 1 absent"),
        "{findings}"
    );

    let refused = data
        .audit(&[
            received(0),
            received(1),
            not_received(2, NotReceivedOutcome::Refused),
        ])
        .await;
    assert!(matches!(refused.judge(), Err(Error::DoesNotHold(_))));
    assert_eq!(
        (
            &json(&refused)["refused_present"],
            &json(&refused)["surplus"]
        ),
        (&1.into(), &0.into())
    );
}

#[tokio::test]
async fn orders_of_other_runs_are_not_counted() {
    let data = DataFolder::new().await;
    data.insert(0..4).await;
    data.run(
        0,
        "UPDATE raffle_call_0 SET request_id = '00000000ac' || substr(request_id, 11)",
    )
    .await;
    let findings = data.audit(&[received(1), received(2), received(3)]).await;
    assert!(findings.judge().is_ok(), "{findings}");
    assert_eq!(json(&findings)["orders_of_run"], 3);
}

#[tokio::test]
async fn a_file_that_is_cut_off_proves_no_surplus_and_one_that_lost_lines_is_refused() {
    let data = DataFolder::new().await;
    data.insert(0..4).await;
    let run = KeptLine::Run {
        run: RUN.to_owned(),
    };
    let outcome = data
        .audit_file(&[run.clone(), received(0), received(1)])
        .await
        .expect("audited");
    assert!(outcome.judge().is_ok());
    assert!(
        outcome.to_string().contains("surplus not counted"),
        "{outcome}"
    );
    let lost = data
        .audit_file(&[run, received(0), KeptLine::Kept { kept: 2 }])
        .await;
    assert!(matches!(lost, Err(Error::CannotRun(_))));
}

#[tokio::test]
async fn a_folder_without_shards_is_said_to_be_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let Err(error) = of_folder(folder.path()).await else {
        panic!("opened nothing")
    };
    assert!(error.to_string().contains("shard-0.sqlite"), "{error}");
}
