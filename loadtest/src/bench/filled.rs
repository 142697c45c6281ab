//! Orders by the million, written by SQL into the tables that the router names: as many as a large
//! campaign leaves behind, in minutes instead of hours.

use std::fmt::Write as _;
use std::path::Path;

use router::{OrderNumbers, Run as RunNumber, SlotMap};
use sqlx::{Connection as _, Executor as _, Row as _};
use testkit::campaign::{Award, CampaignFile};
use tokio::sync::mpsc;

use crate::bench::cluster::{Cluster, TABLES};
use crate::bench::driving::in_background;
use crate::bench::growth::accounts::in_order_of_strings;
use crate::database::Database;
use crate::error::Error;

/// The activity of the orders.
pub(super) const FILLED: u64 = 200_901;

/// Orders of each user.
pub(super) const ORDERS: u64 = 10;

/// Users of one statement.
const USERS: u64 = 200;

/// The moment of all orders, and its day in the activity's time zone.
const CREATED_AT_MS: u64 = 1_748_750_400_000;
const DAY: u32 = 20_250_601;

/// A campaign with one prize without stock: its orders need no stock counters.
fn campaign() -> String {
    CampaignFile::new(FILLED)
        .named("Filled")
        .time_zone("Asia/Shanghai")
        .chances(1_000, 1_000, 1_000)
        .award(Award::new(1, "Points", "1"))
        .text()
}

/// Orders that are there without having been drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filled {
    pub(super) orders: u64,
    /// Of the cluster.
    pub(super) shards: u16,
}

impl Filled {
    /// Publishes their campaign and writes them as lanes do, under a run that is claimed for them.
    pub(super) async fn write(self, cluster: &Cluster, folder: &Path) -> Result<(), Error> {
        cluster.publish_text(&campaign(), folder).await?;
        let map =
            SlotMap::even(1, self.shards, TABLES).map_err(|e| Error::CannotRun(e.to_string()))?;
        let run = claim_run(cluster.meta()).await?;
        let (mut senders, mut writers) = (Vec::new(), Vec::new());
        for shard in cluster.shards() {
            let (sender, receiver) = mpsc::channel(2);
            senders.push(sender);
            writers.push(tokio::spawn(write_all(shard.clone(), receiver)));
        }
        let users = self.orders / ORDERS;
        in_background(move || {
            each_statement(&map, run, users, |shard, sql| {
                // If a writer has ended, its error is returned below.
                let _ = senders[shard].blocking_send(sql);
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
}

async fn claim_run(meta: &Database) -> Result<RunNumber, Error> {
    let mut connection = meta.connect().await?;
    connection
        .execute("UPDATE id_run SET claimed = claimed + 1")
        .await?;
    let row = connection
        .fetch_one("SELECT CAST(claimed AS SIGNED) FROM id_run")
        .await?;
    let claimed: i64 = row.try_get(0)?;
    connection.close().await?;
    let run = u32::try_from(claimed).ok().and_then(RunNumber::new);
    run.ok_or_else(|| Error::CannotRun(format!("{claimed} is no run number")))
}

async fn write_all(shard: Database, mut statements: mpsc::Receiver<String>) -> Result<(), Error> {
    let mut connection = shard.connect().await?;
    while let Some(sql) = statements.recv().await {
        connection.execute(&*sql).await?;
    }
    Ok(connection.close().await?)
}

/// Rows of one table that wait for their statement.
#[derive(Debug, Default)]
struct Waiting {
    accounts: String,
    calls: String,
    orders: String,
    users: u64,
}

impl Waiting {
    fn add(&mut self, user: &str, slot: router::Slot, numbers: &mut OrderNumbers) {
        let comma = |rows: &String| if rows.is_empty() { "" } else { "," };
        // Writing to a String cannot fail.
        let before = comma(&self.accounts);
        let _ = write!(
            self.accounts,
            "{before}('{user}',{FILLED},1000,{ORDERS},{DAY},{ORDERS},{ORDERS})"
        );
        for ordinal in 1..=ORDERS {
            let id = numbers
                .next(slot)
                .expect("a run has more numbers than a fill has orders");
            let before = comma(&self.calls);
            let _ = write!(
                self.calls,
                "{before}('{user}','k{ordinal:02}',1,{FILLED},1,{id},1,{CREATED_AT_MS})"
            );
            let before = comma(&self.orders);
            let _ = write!(
                self.orders,
                "{before}({id},'{user}',{FILLED},1,{ordinal},{DAY},1,'Points',1,'rule_default',0)"
            );
        }
        self.users += 1;
    }

    fn statements(&mut self, table: router::TableId) -> [String; 3] {
        self.users = 0;
        let (accounts, calls, orders) = (
            std::mem::take(&mut self.accounts),
            std::mem::take(&mut self.calls),
            std::mem::take(&mut self.orders),
        );
        [
            format!(
                "INSERT INTO raffle_account_{table} (user_id, activity_id, granted, used, day, day_used, month_used) \
                 VALUES {accounts}"
            ),
            format!(
                "INSERT INTO raffle_call_{table} (user_id, request_id, kind, activity_id, asked, first_id, made, \
                 created_at_ms) VALUES {calls}"
            ),
            format!(
                "INSERT INTO raffle_order_{table} (order_id, user_id, activity_id, version, ordinal, day, award_id, \
                 award_title, award_index, rule, stocked) VALUES {orders}"
            ),
        ]
    }
}

/// Makes the statements for all users, each with the number of its shard. In each table user ids
/// ascend as strings, so that the pages of its keys are filled one after the other.
fn each_statement(map: &SlotMap, run: RunNumber, users: u64, mut take: impl FnMut(usize, String)) {
    let mut waiting: std::collections::BTreeMap<_, Waiting> = std::collections::BTreeMap::new();
    let mut numbers = OrderNumbers::new(run);
    for number in in_order_of_strings(users) {
        let user = format!("f{number}");
        let route = map.route(&user);
        let place = (route.shard(), route.table());
        let rows = waiting.entry(place).or_default();
        rows.add(&user, route.slot(), &mut numbers);
        if rows.users == USERS {
            rows.statements(place.1)
                .into_iter()
                .for_each(|sql| take(usize::from(place.0.get()), sql));
        }
    }
    for ((shard, table), mut rows) in waiting {
        if rows.users > 0 {
            rows.statements(table)
                .into_iter()
                .for_each(|sql| take(usize::from(shard.get()), sql));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::calendar::Day;
    use market::campaign::Campaign;

    #[test]
    fn the_campaign_is_accepted_and_its_orders_are_of_their_day() {
        let campaign = Campaign::parse(&campaign()).expect("a valid campaign");
        assert_eq!(campaign.activity.id.get(), FILLED);
        let at = jiff::Timestamp::from_millisecond(CREATED_AT_MS.cast_signed()).expect("a moment");
        assert_eq!(Day::of(at, &campaign.activity.time_zone).number(), DAY);
    }

    #[test]
    fn each_user_is_written_once_to_its_shard() {
        let map = SlotMap::even(1, 2, 1).expect("a map");
        let (mut users, mut calls, mut orders) = (Vec::new(), 0, 0);
        each_statement(
            &map,
            RunNumber::new(1).expect("a run"),
            1_001,
            |shard, sql| {
                let of_row = |row: &str| row.split('\'').nth(1).expect("a user").to_owned();
                let rows: Vec<&str> = sql
                    .split_once("VALUES ")
                    .expect("rows")
                    .1
                    .split("),(")
                    .collect();
                assert!(
                    rows.iter()
                        .all(|row| usize::from(map.route(&of_row(row)).shard().get()) == shard)
                );
                if sql.starts_with("INSERT INTO raffle_account_0") {
                    users.extend(rows.into_iter().map(of_row));
                } else if sql.starts_with("INSERT INTO raffle_call_0") {
                    calls += rows.len();
                } else {
                    orders += rows.len();
                }
            },
        );
        users.sort();
        users.dedup();
        assert_eq!((users.len(), calls, orders), (1_001, 10_010, 10_010));
    }
}
