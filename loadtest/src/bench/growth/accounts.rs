//! Accounts that exist before the first draw, written by SQL into the tables that the router names.

use std::fmt::Write as _;

use router::SlotMap;
use sqlx::{Connection as _, Executor as _};
use tokio::sync::mpsc;

use crate::bench::driving::in_background;
use crate::database::Database;
use crate::error::Error;

/// Rows of one statement, which is one transaction.
const ROWS: u32 = 2_000;

/// Chances of each account: the welcome chances of `load.toml`, which the audit compares with.
const CHANCES: u32 = 1_000_000;

/// Loads the accounts `u0`, `u1`, ... and returns when all are committed.
pub(super) async fn load(
    shards: &[Database],
    map: SlotMap,
    activity: u64,
    accounts: u64,
) -> Result<(), Error> {
    let (mut senders, mut writers) = (Vec::new(), Vec::new());
    for shard in shards {
        for _ in 0..map.tables() {
            let (sender, receiver) = mpsc::channel(2);
            senders.push(sender);
            writers.push(tokio::spawn(write_all(shard.clone(), receiver)));
        }
    }
    in_background(move || {
        each_statement(&map, activity, accounts, |place, sql| {
            // If a writer has ended, its error is returned below.
            let _ = senders[place].blocking_send(sql);
        });
        Ok(())
    })
    .await?;
    for writer in writers {
        writer
            .await
            .map_err(|e| Error::io("a writer", e.into()))??;
    }
    Ok(())
}

async fn write_all(shard: Database, mut statements: mpsc::Receiver<String>) -> Result<(), Error> {
    let mut connection = shard.connect().await?;
    while let Some(sql) = statements.recv().await {
        connection.execute(&*sql).await?;
    }
    Ok(connection.close().await?)
}

/// Makes the statements for all accounts, each with the number of its table, counted over all
/// shards. In each table ids ascend as strings, so that its pages are filled one after the other.
fn each_statement(
    map: &SlotMap,
    activity: u64,
    accounts: u64,
    mut take: impl FnMut(usize, String),
) {
    let places = usize::from(map.shards()) * usize::from(map.tables());
    let mut open = vec![(String::new(), 0); places];
    let mut user = String::new();
    for number in in_order_of_strings(accounts) {
        user.clear();
        // Writing to a String cannot fail, here and below.
        let _ = write!(user, "u{number}");
        let route = map.route(&user);
        let place = usize::from(route.shard().get()) * usize::from(map.tables())
            + usize::from(route.table().get());
        let (sql, rows) = &mut open[place];
        if sql.is_empty() {
            let table = route.table();
            let columns = "user_id, activity_id, granted, used, day, day_used, month_used";
            let _ = write!(
                sql,
                "INSERT INTO raffle_account_{table} ({columns}) VALUES "
            );
        } else {
            sql.push(',');
        }
        let _ = write!(sql, "('{user}',{activity},{CHANCES},0,0,0,0)");
        *rows += 1;
        if *rows == ROWS {
            *rows = 0;
            take(place, std::mem::take(sql));
        }
    }
    for (place, (sql, _)) in open
        .into_iter()
        .enumerate()
        .filter(|(_, (sql, _))| !sql.is_empty())
    {
        take(place, sql);
    }
}

/// The numbers below `bound`, in the order of their decimal strings: 0, 1, 10, 100, 101, ..., 11,
/// ...
pub(in crate::bench) fn in_order_of_strings(bound: u64) -> impl Iterator<Item = u64> {
    let next = move |&number: &u64| {
        if number == 0 {
            return (bound > 1).then_some(1);
        }
        if number * 10 < bound {
            return Some(number * 10);
        }
        // The last of its tens, or of all: goes up to the prefix whose successor is next.
        let mut last = number;
        while last % 10 == 9 || last + 1 >= bound {
            last /= 10;
            if last == 0 {
                return None;
            }
        }
        Some(last + 1)
    };
    std::iter::successors((bound > 0).then_some(0), next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_strings_and_none_is_left_out() {
        for bound in [
            0, 1, 2, 9, 10, 11, 19, 20, 99, 100, 101, 110, 999, 1_000, 12_345,
        ] {
            let mut expected: Vec<u64> = (0..bound).collect();
            expected.sort_by_key(u64::to_string);
            assert_eq!(
                in_order_of_strings(bound).collect::<Vec<_>>(),
                expected,
                "{bound}"
            );
        }
    }

    /// The users of a statement.
    fn users(sql: &str) -> impl Iterator<Item = &str> {
        sql.split('\'').skip(1).step_by(2)
    }

    #[test]
    fn each_account_is_in_the_table_that_the_router_names() {
        let (shards, tables) = (2, 4);
        let map = SlotMap::even(1, shards, tables).expect("a map");
        let mut seen = std::collections::BTreeSet::new();
        each_statement(&map, 7, 40_000, |place, sql| {
            for user in users(&sql) {
                assert!(seen.insert(user.to_owned()), "{user} twice");
                // Operators check it by SELECT CRC32(user_id) & 1023.
                let slot = router::crc32(user) & 1023;
                assert_eq!(
                    place,
                    usize::try_from(slot / 512 * 4 + slot % 4).expect("small"),
                    "{user}"
                );
                assert!(sql.starts_with(&format!("INSERT INTO raffle_account_{} ", slot % 4)));
            }
        });
        assert_eq!(seen.len(), 40_000);
    }

    #[test]
    fn statements_are_bounded_and_ascend_in_their_table() {
        let map = SlotMap::even(1, 1, 1).expect("a map");
        let (mut sizes, mut last) = (Vec::new(), String::new());
        each_statement(&map, 7, 4_001, |_, sql| {
            sizes.push(users(&sql).count());
            for user in users(&sql) {
                assert!(*last < *user);
                user.clone_into(&mut last);
            }
        });
        assert_eq!(sizes, [2_000, 2_000, 1]);
    }
}
