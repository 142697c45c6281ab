//! A user's draws in pages, the newest first.
use std::time::Duration;

use jiff::Timestamp;
use market::batch::Slots;
use market::{ActivityId, Order, OrderId};

use super::bench::{Bench, activity, calls_for, change_orders, map, user};
use crate::reads::{OrderKey, Question, ReadLimits, Reader, Reads};
use crate::store::Database;

const LIMITS: ReadLimits = ReadLimits {
    connections_max: 1,
    queue_max: 4,
    timeout: Duration::from_secs(10),
};

/// How many draws a page has at most.
const PAGE: usize = 100;

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
    let found = reader.ask(table, Question::Order(user(name), key)).await;
    found.expect("read").orders
}

/// All pages from the newest on.
async fn pages<D: Database>(reader: &Reader<D>, activity: Option<ActivityId>) -> Vec<Order> {
    let mut all: Vec<Order> = Vec::new();
    let mut key = OrderKey::Latest(activity);
    loop {
        let page = ask(reader, "a", key).await;
        assert!(page.len() <= PAGE);
        let more = page.len() == PAGE;
        all.extend(page);
        match all.last() {
            Some(last) if more => key = OrderKey::Behind(activity, last.id),
            _ => return all,
        }
    }
}

pub(super) async fn a_users_draws_come_page_by_page<D: Database>(database: D) {
    let all = drawn(database.clone()).await;
    let reader = Reader::new(database, &map(), LIMITS);
    assert!(all.len() > 2 * PAGE);
    assert_eq!(pages(&reader, None).await, all);
    for wanted in [activity(), other()] {
        let of_activity: Vec<Order> = all
            .iter()
            .filter(|order| order.activity == wanted)
            .cloned()
            .collect();
        assert!(!of_activity.is_empty());
        assert_eq!(pages(&reader, Some(wanted)).await, of_activity);
    }
    // A page may begin behind any order, also in the middle of a call.
    for index in (0..all.len()).step_by(11) {
        let behind = ask(&reader, "a", OrderKey::Behind(None, all[index].id)).await;
        let next = &all[index + 1..all.len().min(index + 1 + PAGE)];
        assert_eq!(behind, next, "behind {index}");
    }
    let foreign = ask(&reader, "b", OrderKey::Latest(None)).await[0].id;
    let unknown = OrderId::new(1).expect("an id");
    for order in [foreign, unknown] {
        let key = OrderKey::Behind(None, order);
        assert_eq!(ask(&reader, "a", key).await, [], "not this user's");
    }
}
