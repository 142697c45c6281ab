//! Calls for several draws: all or nothing, as far as chances go, and always as if drawn one by
//! one.
use proptest::prelude::*;

use super::*;
use crate::command::draw::{Order, Rule};
use crate::ids::AwardId;
use crate::refusal::Refusal;

proptest! {
    /// Locks, weight thresholds, limits and stock see each draw of a call as one of its own.
    #[test]
    fn a_call_draws_as_single_calls_would(before in 0_u32..7, count in 1_u8..=10, mugs in 0_u32..5) {
        let whole = settled(&partial(), vec![call("u", "k", count)], before, mugs, &Supply::There);
        let single = (0..count).map(|number| call("u", &number.to_string(), 1)).collect();
        let single = settled(&partial(), single, before, mugs, &Supply::There);
        let drawn = |settlement: &Settlement| {
            let of_order = |order: &Order| (order.ordinal, order.day, order.award, order.rule, order.stocked);
            settlement.rows.orders().map(of_order).collect::<Vec<_>>()
        };
        prop_assert_eq!(drawn(&whole), drawn(&single));
        prop_assert_eq!(&whole.used, &single.used);
        prop_assert_eq!(written(&whole.rows), written(&single.rows));
        prop_assert_eq!(whole.rows.orders().count(), usize::from(count).min(7 - before as usize));
        let guaranteed = whole.rows.orders().filter(|order| order.rule == Rule::Weight).map(|order| order.ordinal);
        prop_assert!(guaranteed.eq((4..5).filter(|fourth| (before + 1..=before + u32::from(count)).contains(fourth))));
    }
}

#[test]
fn short_chances_refuse_the_call_or_shorten_it() {
    for (before, count, refusal) in [(5, 3, Refusal::DayLimit), (0, 10, Refusal::DayLimit)] {
        let refused = settled(
            &campaign().text(),
            vec![call("u", "k", count)],
            before,
            9,
            &Supply::There,
        );
        assert_eq!(refused.answers, [Err(refusal)]);
        assert!(
            refused.rows.is_empty() && refused.used.is_empty(),
            "nothing is spent"
        );
        assert_eq!(written(&refused.rows), [vec![], vec![]]);
        let shortened = settled(
            &partial(),
            vec![call("u", "k", count)],
            before,
            9,
            &Supply::There,
        );
        let asked: Vec<_> = shortened
            .rows
            .orders()
            .map(|order| (order.seq, order.asked.get()))
            .collect();
        assert_eq!(
            asked,
            (0..7 - u8::try_from(before).expect("few"))
                .map(|seq| (seq, count))
                .collect::<Vec<_>>()
        );
    }
    let none = settled(&partial(), vec![call("u", "k", 2)], 7, 9, &Supply::There);
    assert_eq!(
        none.answers,
        [Err(Refusal::DayLimit)],
        "as far as chances go is at least one draw"
    );
}

#[test]
fn a_refused_call_leaves_its_chances_and_its_key_to_the_next() {
    let calls = vec![
        call("u", "k", 8),
        call("u", "k", 5),
        call("u", "k", 5),
        call("u", "k", 1),
        call("u", "l", 2),
    ];
    let settlement = settled(&campaign().text(), calls, 0, 9, &Supply::There);
    assert_eq!(settlement.answers[0], Err(Refusal::DayLimit));
    assert_eq!(orders(&settlement.answers[1]).len(), 5);
    assert_eq!(
        settlement.answers[2], settlement.answers[1],
        "the same call again"
    );
    assert_eq!(settlement.answers[3], Err(Refusal::RequestCountDiffers));
    let later: Vec<_> = settlement.rows.made[1]
        .made
        .orders()
        .iter()
        .map(|order| order.ordinal)
        .collect();
    assert_eq!(later, [6, 7]);
}

#[test]
fn a_call_that_needs_a_unit_is_refused_whole_while_the_stock_is_unavailable() {
    for text in [&campaign().text(), &partial()] {
        // The fourth draw is the car.
        let unavailable = settled(
            text,
            vec![call("u", "k", 4), call("v", "k", 2)],
            0,
            0,
            &Supply::Unavailable,
        );
        assert_eq!(unavailable.answers[0], Err(Refusal::StockUnavailable));
        assert_eq!(
            orders(&unavailable.answers[1]).len(),
            2,
            "behind the lock nothing is asked for"
        );
    }
}

#[test]
fn only_draws_that_need_what_is_on_its_way_are_refused() {
    // The fourth draw is the car.
    let calls = || {
        (0..6)
            .map(|number| call("u", &number.to_string(), 1))
            .collect::<Vec<_>>()
    };
    let there = settled(&campaign().text(), calls(), 1, 9, &Supply::There);
    let car = StockItem::award(
        ActivityId::new(1).expect("an id"),
        AwardId::new(3).expect("an id"),
    );
    assert!(
        there.used.iter().any(|units| units.item == car),
        "the seed draws a car: {:?}",
        there.used
    );
    let without = settled(
        &campaign().text(),
        calls(),
        1,
        9,
        &Supply::Without([car].into()),
    );
    let refused = |settlement: &Settlement| {
        settlement
            .answers
            .iter()
            .filter(|answer| answer.is_err())
            .count()
    };
    assert!(
        without.answers.contains(&Err(Refusal::StockUnavailable))
            && refused(&without) < calls().len()
    );
    assert!(
        without.used.iter().all(|units| units.item != car),
        "{:?}",
        without.used
    );
    let falls_back = campaign().falling_back().text();
    let fallen = settled(&falls_back, calls(), 1, 9, &Supply::Without([car].into()));
    assert_eq!(refused(&fallen), 0);
    assert!(
        fallen.used.iter().all(|units| units.item != car),
        "{:?}",
        fallen.used
    );
}

#[test]
fn units_go_out_in_order_of_arrival_and_within_a_call_in_its_order() {
    let calls = vec![call("u", "k", 3), call("v", "k", 3), call("w", "k", 3)];
    let all = settled(&campaign().text(), calls.clone(), 2, 9, &Supply::There);
    let wanted: Vec<OrderId> = all
        .rows
        .orders()
        .filter(|order| order.award.get() == 1)
        .map(|order| order.id)
        .collect();
    assert!(wanted.len() > 2, "the seed draws mugs: {wanted:?}");
    let few = settled(&campaign().text(), calls, 2, 2, &Supply::There);
    let got: Vec<OrderId> = few
        .rows
        .orders()
        .filter(|order| order.award.get() == 1)
        .map(|order| order.id)
        .collect();
    assert_eq!(got, wanted[..2]);
    assert!(
        few.rows
            .orders()
            .filter(|order| wanted[2..].contains(&order.id))
            .all(|order| order.award.get() == 101)
    );
}
