//! A user's draws, the newest first: the latest of them, and page by page.
use std::time::Duration;

use jiff::Timestamp;
use market::batch::Slots;
use market::{ActivityId, Order, OrderId};

use super::bench::{Bench, activity, calls_for, change_orders, map, user};
use crate::reads::{
    FoundPage, OrderKey, OrdersPage, PageSize, ReadLimits, ReadQuestion, Reader, Reads,
};
use crate::store::Database;

pub(super) const LIMITS: ReadLimits = ReadLimits {
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

async fn page<D: Database>(reader: &Reader<D>, name: &str, page: OrdersPage) -> Option<FoundPage> {
    let table = map().route(name).table();
    let found = reader
        .ask(table, ReadQuestion::Page(user(name), page))
        .await;
    found.expect("read").page
}

/// All pages of a user's draws, one after the other. Meanwhile the user draws on.
async fn paged<D: Database>(
    bench: &mut Bench<D>,
    reader: &Reader<D>,
    activity: Option<ActivityId>,
    size: u8,
    number: &mut u64,
) -> Vec<Order> {
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let asked = OrdersPage {
            activity,
            size: PageSize::new(size).expect("a size"),
            before,
        };
        let FoundPage { orders, next } = page(reader, "a", asked).await.expect("a page");
        assert!(next.is_none() || orders.len() == usize::from(size));
        all.extend(orders);
        before = next;
        if before.is_none() {
            return all;
        }
        *number += 1;
        let mut newer = calls_for(bench, &[("a", &format!("newer-{number}"), 1)]);
        newer.rows.accounts = Slots::new(Vec::new(), Vec::new());
        bench.persist(*number, &newer).await.expect("persisted");
    }
}

pub(super) async fn pages_of_any_size_are_the_whole_list<D: Database>(database: D) {
    let all = drawn(database.clone()).await;
    let mut bench = Bench::of_run(database.clone(), 2);
    let reader = Reader::new(database, &map(), LIMITS);
    let mut number = 1_000;
    for size in [7, 20, 100] {
        let found = paged(&mut bench, &reader, None, size, &mut number).await;
        // What was drawn for the sizes before is newer than all of them.
        assert_eq!(found[found.len() - all.len()..], all, "{size}");
    }
    let of_other: Vec<Order> = all
        .iter()
        .filter(|order| order.activity == other())
        .cloned()
        .collect();
    for size in [3, 100] {
        let found = paged(&mut bench, &reader, Some(other()), size, &mut number).await;
        assert_eq!(found, of_other, "{size}");
    }
}

pub(super) async fn a_page_begins_behind_a_draw_of_the_user<D: Database>(database: D) {
    let all = drawn(database.clone()).await;
    let reader = Reader::new(database, &map(), LIMITS);
    let behind = |before, activity| OrdersPage {
        activity,
        size: PageSize::MAX,
        before,
    };
    let last = all.last().expect("draws").id;
    let empty = page(&reader, "a", behind(Some(last), None)).await;
    assert_eq!(empty, Some(FoundPage::default()));
    let foreign = all.iter().find(|order| order.activity == activity());
    let foreign = foreign.expect("one of many").id;
    for (name, before, wanted) in [
        ("a", OrderId::new(1), None),
        ("a", Some(foreign), Some(other())),
        ("b", Some(last), None),
    ] {
        let found = page(&reader, name, behind(before, wanted)).await;
        assert_eq!(found, None, "{name} {before:?}");
    }
    let unknown = page(&reader, "unknown", behind(None, None)).await;
    assert_eq!(unknown, Some(FoundPage::default()));
}
