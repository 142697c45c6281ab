//! Calls for several draws: all or nothing, as far as chances go, and always as if drawn one by
//! one.
use proptest::prelude::*;

use super::*;
use crate::calendar::Day;
use crate::order::Rule;
use crate::random::Seeded;

/// A prize behind a lock of two draws today, one guaranteed on the fourth draw, points for the
/// rest.
const CAMPAIGN: &str = r#"
format = 1
[activity]
id = 1
name = "test"
begins_at = 2026-01-01T00:00:00+00:00
ends_at = 2027-01-01T00:00:00+00:00
state = "open"
time_zone = "UTC"
[chances]
welcome = 9
month_limit = 8
day_limit = 7
[strategy]
id = 1
rule_models = ["rule_weight"]
[[strategy.rule_weight]]
draw = 4
awards = [3]
[[award]]
id = 1
title = "mug"
sort = 1
rate = 0.5
count = 10
tree = "locked"
[[award]]
id = 2
title = "points"
sort = 2
rate = 0.499
[[award]]
id = 3
title = "car"
sort = 3
rate = 0.001
count = 10
tree = "stock"
[[award]]
id = 101
title = "luck"
sort = 4
rate = 0
[[tree]]
id = "locked"
root = "rule_lock"
nodes = [
    { key = "rule_lock", draws = 2, allow = "rule_stock", take_over = "rule_luck_award" },
    { key = "rule_stock", allow = "rule_luck_award" },
    { key = "rule_luck_award", award = 101, config = "1,100" },
]
[[tree]]
id = "stock"
root = "rule_stock"
nodes = [{ key = "rule_stock", allow = "rule_luck_award" }, { key = "rule_luck_award", award = 101, config = "1,100" }]
"#;

fn catalogue(text: &str) -> Catalogue {
    Catalogue::new([Published {
        version: 1,
        campaign: Campaign::parse(text).expect("a valid campaign"),
    }])
}

fn partial() -> String {
    CAMPAIGN.replacen("state =", "when_chances_short = \"partial\"\nstate =", 1)
}

fn call(user: &str, request: &str, count: u8) -> Draw {
    Draw {
        user: UserId::new(user).expect("a user"),
        activity: ActivityId::new(1).expect("an id"),
        request: RequestId::new(request).expect("a key"),
        count: DrawCount::new(count).expect("a count"),
    }
}

/// An account with so many draws on the day of the batch.
fn after(draws: u32) -> Option<Account> {
    let account = Account {
        granted: 9,
        used: draws,
        day: Day::from_number(20_260_601),
        day_used: draws,
        month_used: draws,
    };
    (draws > 0).then_some(account)
}

/// One batch of one user's or some new users' calls; so many mugs and as many cars as are wanted.
fn settled(text: &str, calls: Vec<Draw>, before: u32, mugs: u32, supply: &Supply) -> Settlement {
    let batch = Batch::gather(calls);
    let known = Known {
        accounts: vec![after(before); batch.accounts().len()],
        orders: vec![Vec::new(); batch.draws().len()],
    };
    let now = "2026-06-01T12:00:00Z".parse().expect("a time");
    let plan = plan(
        batch,
        known,
        &catalogue(text),
        supply,
        now,
        &mut Seeded::new(7),
    );
    let mut granted = plan.wants().to_vec();
    granted
        .iter_mut()
        .filter(|units| units.prize.award.get() == 1)
        .for_each(|units| units.count = units.count.min(mugs));
    let mut ids = 0;
    settle(plan, &granted, |_| {
        ids += 1;
        OrderId::new(ids).expect("above 0")
    })
}

fn made(answer: &Answer) -> usize {
    answer.as_ref().expect("orders").len()
}

proptest! {
    /// Locks, weight thresholds, limits and stock see each draw of a call as one of its own.
    #[test]
    fn a_call_draws_as_single_calls_would(before in 0_u32..7, count in 1_u8..=10, mugs in 0_u32..5) {
        let whole = settled(&partial(), vec![call("u", "k", count)], before, mugs, &Supply::There);
        let single = (0..count).map(|number| call("u", &number.to_string(), 1)).collect();
        let single = settled(&partial(), single, before, mugs, &Supply::There);
        let drawn = |settlement: &Settlement| {
            let of_order = |order: &Order| (order.ordinal, order.day, order.award, order.rule, order.stocked);
            settlement.orders().map(of_order).collect::<Vec<_>>()
        };
        prop_assert_eq!(drawn(&whole), drawn(&single));
        prop_assert_eq!(&whole.used, &single.used);
        prop_assert_eq!(&whole.new_accounts, &single.new_accounts);
        prop_assert_eq!(&whole.changed_accounts, &single.changed_accounts);
        prop_assert_eq!(whole.orders().count(), usize::from(count).min(7 - before as usize));
        let guaranteed = whole.orders().filter(|order| order.rule == Rule::Weight).map(|order| order.ordinal);
        prop_assert!(guaranteed.eq((4..5).filter(|fourth| (before + 1..=before + u32::from(count)).contains(fourth))));
    }
}

#[test]
fn short_chances_refuse_the_call_or_shorten_it() {
    for (before, count, refusal) in [(5, 3, Refusal::DayLimit), (0, 10, Refusal::DayLimit)] {
        let refused = settled(
            CAMPAIGN,
            vec![call("u", "k", count)],
            before,
            9,
            &Supply::There,
        );
        assert_eq!(refused.answers, [Err(refusal)]);
        assert!(
            refused.calls.is_empty() && refused.used.is_empty(),
            "nothing is spent"
        );
        assert!(refused.new_accounts.is_empty() && refused.changed_accounts.is_empty());
        let shortened = settled(
            &partial(),
            vec![call("u", "k", count)],
            before,
            9,
            &Supply::There,
        );
        let asked: Vec<_> = shortened
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
    let settlement = settled(CAMPAIGN, calls, 0, 9, &Supply::There);
    assert_eq!(settlement.answers[0], Err(Refusal::DayLimit));
    assert_eq!(made(&settlement.answers[1]), 5);
    assert_eq!(
        settlement.answers[2], settlement.answers[1],
        "the same call again"
    );
    assert_eq!(settlement.answers[3], Err(Refusal::RequestCountDiffers));
    let later: Vec<_> = settlement.calls[1]
        .iter()
        .map(|order| order.ordinal)
        .collect();
    assert_eq!(later, [6, 7]);
}

#[test]
fn an_earlier_call_is_known_by_what_it_asked_for() {
    let first = settled(&partial(), vec![call("u", "k", 10)], 0, 9, &Supply::There);
    let again = |asked, activity| {
        let draw = Draw {
            activity: ActivityId::new(activity).expect("an id"),
            ..call("u", "k", asked)
        };
        let known = Known {
            accounts: vec![after(7)],
            orders: vec![first.calls[0].to_vec()],
        };
        let now = "2030-01-01T00:00:00Z".parse().expect("a time");
        let plan = plan(
            Batch::gather(vec![draw]),
            known,
            &catalogue(&partial()),
            &Supply::There,
            now,
            &mut Seeded::new(1),
        );
        settle(plan, &[], |_| unreachable!("nothing is drawn"))
            .answers
            .remove(0)
    };
    assert_eq!(
        again(10, 1),
        first.answers[0],
        "although it made seven draws, and the activity has ended"
    );
    assert_eq!(again(7, 1), Err(Refusal::RequestCountDiffers));
    assert_eq!(again(10, 2), Err(Refusal::RequestIdReused));
}

#[test]
fn a_call_that_needs_a_unit_is_refused_whole_while_the_stock_is_unavailable() {
    for text in [CAMPAIGN, &partial()] {
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
            made(&unavailable.answers[1]),
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
    let there = settled(CAMPAIGN, calls(), 1, 9, &Supply::There);
    let car = Prize {
        activity: ActivityId::new(1).expect("an id"),
        award: AwardId::new(3).expect("an id"),
    };
    assert!(
        there.used.iter().any(|units| units.prize == car),
        "the seed draws a car: {:?}",
        there.used
    );
    let without = settled(CAMPAIGN, calls(), 1, 9, &Supply::Without([car].into()));
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
        without.used.iter().all(|units| units.prize != car),
        "{:?}",
        without.used
    );
    let falls_back = CAMPAIGN.replacen(
        "state =",
        "when_stock_unavailable = \"fallback\"\nstate =",
        1,
    );
    let fallen = settled(&falls_back, calls(), 1, 9, &Supply::Without([car].into()));
    assert_eq!(refused(&fallen), 0);
    assert!(
        fallen.used.iter().all(|units| units.prize != car),
        "{:?}",
        fallen.used
    );
}

#[test]
fn units_go_out_in_order_of_arrival_and_within_a_call_in_its_order() {
    let calls = vec![call("u", "k", 3), call("v", "k", 3), call("w", "k", 3)];
    let all = settled(CAMPAIGN, calls.clone(), 2, 9, &Supply::There);
    let wanted: Vec<OrderId> = all
        .orders()
        .filter(|order| order.award.get() == 1)
        .map(|order| order.id)
        .collect();
    assert!(wanted.len() > 2, "the seed draws mugs: {wanted:?}");
    let few = settled(CAMPAIGN, calls, 2, 2, &Supply::There);
    let got: Vec<OrderId> = few
        .orders()
        .filter(|order| order.award.get() == 1)
        .map(|order| order.id)
        .collect();
    assert_eq!(got, wanted[..2]);
    assert!(
        few.orders()
            .filter(|order| wanted[2..].contains(&order.id))
            .all(|order| order.award.get() == 101)
    );
}

/// What a plan says of each draw: refused, decided, or the same as another one.
fn holders(plan: &Plan) -> Vec<Option<usize>> {
    let holder = |(index, verdict): (usize, &Verdict)| match verdict {
        Verdict::Decided(..) => Some(index),
        Verdict::SameAs(holder) => Some(*holder),
        Verdict::Refused(_) | Verdict::Replay(_) => None,
    };
    plan.verdicts.iter().enumerate().map(holder).collect()
}

fn planned(calls: Vec<Draw>) -> Plan {
    let batch = Batch::gather(calls);
    let known = Known {
        accounts: vec![None; batch.accounts().len()],
        orders: vec![Vec::new(); batch.draws().len()],
    };
    let now = "2026-06-01T12:00:00Z".parse().expect("a time");
    plan(
        batch,
        known,
        &catalogue(CAMPAIGN),
        &Supply::There,
        now,
        &mut Seeded::new(7),
    )
}

proptest! {
    /// Few users and keys, so that most calls repeat another one; calls for 8 are refused.
    #[test]
    fn the_first_call_that_is_not_refused_holds_its_key(
        calls in prop::collection::vec((0_u8..3, 0_u8..3, prop::sample::select(vec![1_u8, 2, 8])), 1..40),
    ) {
        let calls: Vec<Draw> =
            calls.into_iter().map(|(user, key, count)| call(&format!("u{user}"), &format!("k{key}"), count)).collect();
        let holders = holders(&planned(calls.clone()));
        for (index, draw) in calls.iter().enumerate() {
            let same = |&earlier: &usize| (&calls[earlier].user, &calls[earlier].request) == (&draw.user, &draw.request);
            let first = (0..index).filter(same).find(|&earlier| holders[earlier] == Some(earlier));
            match first {
                Some(first) if calls[first].count == draw.count => prop_assert_eq!(holders[index], Some(first)),
                Some(_) => prop_assert_eq!(holders[index], None, "the key is somebody else's"),
                None => prop_assert!(holders[index].is_none_or(|holder| holder == index)),
            }
        }
    }
}

#[test]
fn a_flood_of_one_refused_key_is_looked_at_once_each() {
    // Compared with all before it each of these would take a minute in all.
    let flood = vec![call("u", "k", 8); 200_000];
    assert!(holders(&planned(flood)).iter().all(Option::is_none));
}
