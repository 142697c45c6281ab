//! Reads of many callers at once.
use market::{ActivityId, UserId};

use super::*;
use crate::store::{Access, SqliteFile, migrate_shard};

const TABLE: TableId = TableId::new(0);

/// Users `u0` to `u9` have chances and points as their number says; one has a row that no version
/// of the program writes.
async fn reader() -> (tempfile::TempDir, Reader<SqliteFile>) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = SqliteFile {
        path: folder.path().join("shard-0.sqlite"),
        access: Access::Create,
    };
    migrate_shard(&file, 1).await.expect("a fresh shard");
    let mut connection = file.connect().await.expect("a connection");
    for number in 0..10 {
        let rows = format!(
            "INSERT INTO raffle_account_0 (user_id, activity_id, granted, used, day, day_used, month_used)
             VALUES ('u{number}', 1, {number}, 0, 20250601, 0, 0);
             INSERT INTO points_account_0 (user_id, balance, entries, frozen) VALUES ('u{number}', {number}, 1, 0)"
        );
        connection.run(&rows).await.expect("rows");
    }
    let broken = "INSERT INTO raffle_account_0 (user_id, activity_id, granted, used, day, day_used, month_used)
                  VALUES ('broken', 1, 5000000000, 0, 20250601, 0, 0)";
    connection.run(broken).await.expect("a row");
    let map = SlotMap::even(1, 1, 1).expect("a map");
    let limits = ReadLimits {
        connections_max: 2,
        queue_max: 1_000,
        timeout: Duration::from_secs(20),
    };
    (folder, Reader::new(file, &map, limits))
}

fn user(name: &str) -> UserId {
    UserId::new(name).expect("a user")
}

fn account(name: &str) -> ReadQuestion {
    ReadQuestion::Account(user(name), ActivityId::new(1).expect("an id"))
}

#[tokio::test]
async fn each_of_many_callers_gets_the_answer_to_its_own_question() {
    let (_folder, reader) = reader().await;
    let ask = |number: u64| {
        // Two thirds of them are not there.
        let name = format!("u{}", number % 30);
        let question = if number.is_multiple_of(2) {
            account(&name)
        } else {
            ReadQuestion::Points(user(&name))
        };
        reader.ask(TABLE, question)
    };
    let asked: Vec<ReadFuture> = (0..300).map(ask).collect();
    for (number, answer) in (0_u64..).zip(asked) {
        let found = answer.await.expect("an answer");
        let expected = Some(number % 30).filter(|user| *user < 10);
        let granted = found.account.map(|account| u64::from(account.granted));
        let points = found.points.map(|points| points.balance.hundredths());
        if number.is_multiple_of(2) {
            assert_eq!((granted, points), (expected, None), "{number}");
        } else {
            assert_eq!((granted, points), (None, expected), "{number}");
        }
    }
}

#[tokio::test]
async fn a_row_that_cannot_be_understood_fails_its_own_callers_alone() {
    let (_folder, reader) = reader().await;
    let names = ["u1", "broken", "u2", "broken", "u3"];
    let asked: Vec<ReadFuture> = names
        .map(|name| reader.ask(TABLE, account(name)))
        .into_iter()
        .collect();
    for (name, answer) in names.into_iter().zip(asked) {
        let is_answered = answer.await.is_ok();
        assert_eq!(is_answered, name != "broken", "{name}");
    }
}

#[tokio::test]
async fn callers_that_hang_up_take_nothing_from_the_others() {
    let (_folder, reader) = reader().await;
    for round in 0..20 {
        let mut asked: Vec<ReadFuture> = (0..50)
            .map(|number| reader.ask(TABLE, account(&format!("u{}", number % 10))))
            .collect();
        let kept = asked.split_off(25 + round);
        drop(asked);
        for answer in kept {
            let found = answer.await.expect("an answer");
            assert!(found.account.is_some());
        }
    }
    // Every place is free again.
    assert_eq!(reader.0.admitted.available_permits(), 1_000);
}
