//! What a user was given or has bought, page by page.
use std::num::NonZeroU32;

use jiff::Timestamp;
use market::batch::{Rows, Settlement};
use market::recharge::{RechargeKind, RewardFor};
use market::{
    Behaviour, BusinessNumber, Call, Kind, Made, MadeCall, OrderId, RechargeOrder, RequestId, SkuId,
};
use router::Slot;

use super::bench::{Bench, activity, calls_for, map, user};
use super::latest::LIMITS;
use crate::reads::{FoundRecharges, PageSize, ReadQuestion, Reader, Reads, RechargesPage};
use crate::store::Database;

/// A call that made so many recharge orders, in the order of their ids.
fn call<D: Database>(
    bench: &mut Bench<D>,
    name: &str,
    number: u32,
    kind: Kind,
    rows: u32,
) -> MadeCall {
    let request = RequestId::new(&format!("r{}", number * 37 % 151)).expect("a key");
    let created_at = Timestamp::from_second(i64::from(number / 3)).expect("a time");
    let reward = |row: u64| {
        RechargeKind::Reward(RewardFor {
            behaviour: Behaviour::sign(),
            number: BusinessNumber::new("20261130").expect("a number"),
            sku: SkuId::new(row + 1),
            streak: NonZeroU32::new(number),
        })
    };
    let order = |row: u32| RechargeOrder {
        id: bench
            .numbers
            .next(Slot::of(name))
            .and_then(OrderId::new)
            .expect("an id"),
        user: user(name),
        request: request.clone(),
        activity: Some(activity()),
        kind: match kind {
            Kind::Exchange => RechargeKind::Exchange(SkuId::new(7).expect("an id")),
            _ => reward(row.into()),
        },
        chances: row,
        points: None,
        created_at,
    };
    let orders: Vec<RechargeOrder> = (0..rows).map(order).collect();
    let call = Call {
        user: user(name),
        request: request.clone(),
        kind,
        activity: None,
        asked: 1,
        first_id: orders[0].id,
        made: u16::try_from(rows).expect("few"),
        created_at,
    };
    MadeCall {
        call,
        made: Made::Recharges(orders.into()),
    }
}

fn settlement_of(made: Vec<MadeCall>) -> Settlement {
    Settlement {
        answers: Vec::new(),
        used: Vec::new(),
        undecided: Vec::new(),
        rows: Rows {
            made,
            ..Rows::default()
        },
    }
}

/// All recharge orders of user `a`, the newest first: purchases and sign-ins, between draws.
async fn recharged<D: Database>(database: D) -> Vec<RechargeOrder> {
    let mut bench = Bench::new(database).await;
    let mut all = Vec::new();
    for number in 1..=60 {
        let (kind, rows) = if number % 4 == 0 {
            (Kind::SignIn, 1 + number % 7)
        } else {
            (Kind::Exchange, 1)
        };
        let made = call(&mut bench, "a", number, kind, rows);
        all.extend(made.made.recharges().to_vec());
        let others = call(&mut bench, "b", number, Kind::Exchange, 1);
        let mut settlement = settlement_of(vec![made, others]);
        let drawn = calls_for(&mut bench, &[("a", &format!("d{number}"), 3)]);
        settlement.rows.made.extend(drawn.rows.made);
        bench
            .persist(number.into(), &settlement)
            .await
            .expect("persisted");
    }
    all.sort_by_key(|order| std::cmp::Reverse((order.created_at, order.id)));
    all
}

async fn page<D: Database>(
    reader: &Reader<D>,
    name: &str,
    size: u8,
    before: Option<OrderId>,
) -> Option<FoundRecharges> {
    let table = map().route(name).table();
    let size = PageSize::new(size).expect("a size");
    let question = ReadQuestion::Recharges(user(name), RechargesPage { size, before });
    reader.ask(table, question).await.expect("read").recharges
}

pub(super) async fn pages_of_recharge_orders_are_the_whole_list<D: Database>(database: D) {
    let all = recharged(database.clone()).await;
    let reader = Reader::new(database, &map(), LIMITS);
    assert!(all.len() > 100);
    for size in [1, 7, 20, 100] {
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let FoundRecharges { orders, next } =
                page(&reader, "a", size, before).await.expect("a page");
            assert!(next.is_none() || orders.len() == usize::from(size));
            found.extend(orders);
            before = next;
            if before.is_none() {
                break;
            }
        }
        assert_eq!(found, all, "{size}");
    }
    let last = all.last().expect("many").id;
    let empty = page(&reader, "a", 100, Some(last)).await;
    assert_eq!(empty, Some(FoundRecharges::default()));
    let nobody = page(&reader, "nobody", 100, None).await;
    assert_eq!(nobody, Some(FoundRecharges::default()));
    for (name, before) in [("a", OrderId::new(1)), ("b", Some(last))] {
        assert_eq!(page(&reader, name, 100, before).await, None, "{name}");
    }
}
