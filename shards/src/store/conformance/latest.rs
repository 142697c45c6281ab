//! A user's latest draws, the newest first.
use std::time::Duration;

use jiff::Timestamp;
use market::batch::Slots;
use market::{ActivityId, Order};

use super::bench::{Bench, activity, calls_for, change_orders, map, user};
use crate::reads::{OrderKey, ReadLimits, ReadQuestion, Reader, Reads};
use crate::store::Database;

const LIMITS: ReadLimits = ReadLimits {
    connections_max: 1,
    queue_max: 4,
    timeout: Duration::from_secs(10),
};

/// How many draws are found at most.
const LATEST_MAX: usize = 100;

fn other() -> ActivityId {
    ActivityId::new(7).expect("an id")
}

/// All draws of user `a`, in calls of one and of ten, some of them at one time, in two activities.
async fn drawn<D: Database>(database: D) -> Vec<Order> {
    let mut bench = Bench::new(database).await;
    let mut all = Vec::new();
    for number in 0..150_u16 {
        let draws = if number % 7 == 0 { 10 } else { 1 };
        let key = format!("k{}", number * 37 % 151);
        let mut settlement = calls_for(&mut bench, &[("a", &key, draws), ("b", &key, 1)]);
        settlement.rows.accounts = Slots::new(Vec::new(), Vec::new());
        change_orders(&mut settlement, |order| {
            order.created_at = Timestamp::from_second(i64::from(number / 3)).expect("a time");
            if number % 2 == 0 {
                order.activity = other();
            }
        });
        bench
            .persist(u64::from(number) + 1, &settlement)
            .await
            .expect("persisted");
        all.extend(settlement.rows.made[0].made.orders().iter().cloned());
    }
    all.sort_by_key(|order| std::cmp::Reverse((order.created_at, order.id)));
    all
}

async fn ask<D: Database>(reader: &Reader<D>, name: &str, key: OrderKey) -> Vec<Order> {
    let table = map().route(name).table();
    let found = reader
        .ask(table, ReadQuestion::Order(user(name), key))
        .await;
    found.expect("read").orders
}

pub(super) async fn the_latest_draws_of_a_user_are_found<D: Database>(database: D) {
    let all = drawn(database.clone()).await;
    let reader = Reader::new(database, &map(), LIMITS);
    assert!(all.len() > 2 * LATEST_MAX);
    let found = ask(&reader, "a", OrderKey::Latest(None)).await;
    assert_eq!(found, all[..LATEST_MAX]);
    for wanted in [activity(), other()] {
        let of_activity = all.iter().filter(|order| order.activity == wanted);
        let newest: Vec<Order> = of_activity.take(LATEST_MAX).cloned().collect();
        let found = ask(&reader, "a", OrderKey::Latest(Some(wanted))).await;
        assert_eq!((found.is_empty(), found), (false, newest));
    }
}
