//! Points, purchases and rewards, fault by fault.
use std::collections::BTreeSet;

use market::points::Points;
use router::{OrderNumbers, Run, Slot, SlotMap};

use super::super::super::checks;
use super::super::super::draws::Walk;
use super::super::super::history::RowContext;
use super::super::super::known::Known;
use super::super::super::pages::Stored;
use super::super::super::rows::{
    SignInRepair, StoredAccount, StoredEntry, StoredOrder, StoredPoints, StoredRecharge,
    StoredSignIn,
};
use super::super::{PLATFORM, red, stored};
use super::{AuditReport, Folder, NOW, USER, assert_red, first_violation, home};

const DAY: i64 = 20_260_101;

/// A user who got points, signed in on two days, bought chances and won points. Everything has an
/// index in its list.
fn sound() -> Stored {
    let mut numbers = OrderNumbers::new(Run::new(1).expect("run"));
    let mut id = || {
        let id = numbers.next(Slot::of(USER)).expect("a number");
        id.cast_signed()
    };
    let recharge = |id, kind: &str, activity, (sku, chances, points)| StoredRecharge {
        id,
        activity,
        kind: kind.into(),
        chances,
        points,
        sku,
        behaviour: "".into(),
        business: "".into(),
        streak: 0,
    };
    let reward = |id, (behaviour, business): (&str, &str), gives, streak| StoredRecharge {
        behaviour: behaviour.into(),
        business: business.into(),
        streak,
        ..recharge(id, "rebate_no_pay_trade", 1, gives)
    };
    let (first, second) = (("sign", "20251231"), ("sign", "20260101"));
    let recharges = vec![
        recharge(id(), "operator", 0, (0, 0, 1_000)),
        reward(id(), first, (9_002, 1, 0), 0),
        reward(id(), first, (0, 0, 150), 0),
        reward(id(), second, (9_002, 1, 0), 0),
        reward(id(), second, (0, 0, 150), 0),
        reward(id(), second, (0, 0, 700), 2),
        reward(id(), ("openai_pay", "n1"), (0, 0, 1_000), 0),
        recharge(id(), "credit_pay_trade", 1, (9_001, 2, -100)),
        recharge(id(), "operator", 1, (0, 3, 0)),
        recharge(id(), "freeze", 0, (0, 0, 0)),
    ];
    let order = |id, ordinal, promise, points| StoredOrder {
        id,
        ordinal,
        day: DAY,
        created_at_ms: 1_767_200_000_000,
        promise,
        points,
        ..super::points()
    };
    let badge = |order: StoredOrder| StoredOrder {
        award: 102,
        award_title: "badge".into(),
        award_index: 2,
        ..order
    };
    let orders = vec![
        order(id(), 1, 2, 150),
        badge(order(id(), 2, 1, 0)),
        // One from before.
        order(id(), 3, 0, 0),
    ];
    let account = StoredAccount {
        activity: 1,
        granted: 10 + 1 + 1 + 2 + 3,
        used: 3,
        day: DAY,
        day_used: 3,
        month_used: 3,
    };
    let mut stored = Stored {
        accounts: vec![account],
        orders,
        recharges,
        sign_ins: vec![StoredSignIn {
            activity: 1,
            day: DAY,
            streak: 2,
        }],
        ..Stored::default()
    };
    enter(&mut stored);
    stored
}

/// Writes the ledger that these orders must have, and the account.
fn enter(stored: &mut Stored) {
    let moved = stored.recharges.iter().filter_map(|order| {
        let entry = (order.id, order.trade()?, order.activity, order.points);
        Some(entry)
    });
    let paid = stored.orders.iter().filter(|order| order.promise == 2);
    let paid = paid.map(|order| (order.id, "prize", order.activity, order.points));
    let (mut points, mut entries) = (StoredPoints::default(), Vec::new());
    for (order, trade, activity, amount) in moved.chain(paid) {
        points.entries += 1;
        points.balance += amount;
        entries.push(StoredEntry {
            number: points.entries,
            trade: trade.into(),
            activity,
            amount,
            balance: points.balance,
            business: order.to_string().into(),
        });
    }
    (stored.points, stored.entries) = (Some(points), entries);
}

/// Walks through the rows of a user whose orders are read in parts of this length.
fn walk_parts(texts: &[&str], stored_rows: Stored, part: usize) -> AuditReport {
    let mut known = Known {
        claimed_runs: 1,
        ..Known::default()
    };
    let versions: Vec<_> = (1..).zip(texts).map(|(n, text)| stored(n, text)).collect();
    known.versions.learn(&versions);
    let map = SlotMap::even(1, 1, 2).expect("a map");
    let context = RowContext {
        at: home(),
        map: &map,
        known: &known,
        now: NOW.parse().expect("timestamp"),
    };
    let mut checks = checks::by_rows::<Folder>();
    let mut walk = Walk::new(&mut checks);
    if part == 0 {
        walk.user(&context, USER, stored_rows);
    } else {
        let mut left = stored_rows.orders.clone();
        let mut rows = stored_rows;
        walk.beside_draws(&context, USER, &rows);
        while !left.is_empty() {
            rows.orders = left.drain(..part.min(left.len())).collect();
            walk.part(&context, USER, &rows, left.is_empty());
            for entry in &rows.entries {
                walk.entry(&context, USER, entry);
            }
            walk.entries_over(&context, USER, left.is_empty());
        }
    }
    AuditReport {
        checks: checks.into_reports(&known.versions),
    }
}

fn after(change: impl FnOnce(&mut Stored)) -> AuditReport {
    let mut rows = sound();
    change(&mut rows);
    walk_parts(&[PLATFORM], rows, 0)
}

/// A change of orders that the ledger and the accounts follow.
fn after_all(change: impl FnOnce(&mut Stored)) -> AuditReport {
    after(|rows| {
        change(rows);
        enter(rows);
        let given: i64 = rows.recharges.iter().map(|order| order.chances).sum();
        rows.accounts[0].granted = 10 + given;
    })
}

#[test]
fn sound_points_are_green_in_one_part_and_in_several() {
    for part in [0, 1, 2] {
        let report = walk_parts(&[PLATFORM], sound(), part);
        assert_eq!(red(&report), [""; 0], "{report}");
        let checked = |name| super::super::check(&report, name).checked;
        // The account of points has 7 entries: chances are not among them.
        assert_eq!(checked("points_equal_entries"), 7);
        assert_eq!(checked("purchases_equal_chances"), 10);
        assert_eq!(checked("one_reward_per_behaviour"), 6 + 1);
    }
}

#[test]
fn a_ledger_that_differs_from_its_orders_or_its_account_is_found() {
    let name = "points_equal_entries";
    let assert_found = |change: &dyn Fn(&mut Stored), violation: &str| {
        for part in [0, 1, 2] {
            let mut rows = sound();
            change(&mut rows);
            let report = walk_parts(&[PLATFORM], rows, part);
            assert_eq!(red(&report), [name], "{report}");
            let found = &super::super::check(&report, name).violations;
            assert!(
                found.iter().any(|found| found.contains(violation)),
                "{report}"
            );
        }
    };
    let points = |rows: &mut Stored| rows.points.expect("an account");
    assert_found(
        &|rows| rows.points = None,
        "has 0 hundredths after 0 entries, the ledger",
    );
    let debit = |rows: &mut Stored| {
        let balance = points(rows).balance - 100;
        rows.points = Some(StoredPoints {
            balance,
            ..points(rows)
        });
    };
    assert_found(&debit, "the account of points of user \"u1\" has");
    let gap = |rows: &mut Stored| rows.entries[1].number = 9;
    assert_found(
        &gap,
        "has the number 9 and the balance 1150; 2 and 1150 follow",
    );
    let wrong_balance = |rows: &mut Stored| rows.entries[0].balance = 999;
    assert_found(&wrong_balance, "has the number 1 and the balance 999");
    let overdrawn = |rows: &mut Stored| {
        rows.recharges[0].points = -1;
        enter(rows);
    };
    assert_found(&overdrawn, "the balance -1");
    let other_trade = |rows: &mut Stored| rows.entries[5].trade = "prize".into();
    assert_found(
        &other_trade,
        "says trade, activity and amount (\"prize\", 1, -100)",
    );
    let other_activity = |rows: &mut Stored| rows.entries[6].activity = 2;
    assert_found(&other_activity, "amount (\"prize\", 2, 150)");
    let without_order = |rows: &mut Stored| {
        rows.recharges.remove(0);
    };
    assert_found(&without_order, "");
    let without_entry = |rows: &mut Stored| {
        rows.entries.pop();
        let last = rows.entries.last().expect("entries");
        let (balance, entries) = (last.balance, last.number);
        rows.points = Some(StoredPoints { balance, entries });
    };
    assert_found(
        &without_entry,
        "moved 150 hundredths of a point (prize) and has no entry",
    );
    let twice = |rows: &mut Stored| rows.entries[6].business = rows.entries[0].business.clone();
    assert_found(&twice, "and has no entry");
}

#[test]
fn an_entry_of_no_order_is_named() {
    let report = after(|rows| rows.orders[0].promise = 0);
    assert_eq!(
        red(&report),
        ["orders_match_their_campaign", "points_equal_entries"]
    );
    let report = after(|rows| {
        rows.recharges.remove(0);
    });
    let violation = "entry 1 of user \"u1\" is of order";
    assert_red(&report, "points_equal_entries", violation);
}

#[test]
fn a_promise_that_the_prize_does_not_make_is_found() {
    let name = "orders_match_their_campaign";
    let most = Points::from_hundredths(200).expect("an amount");
    for (index, promise, points) in [
        (0, 2, i64::try_from(most.hundredths()).expect("small") + 1),
        (0, 1, 0),
        (0, 3, 0),
        (0, 4, 0),
        (1, 2, 150),
        (1, 3, 0),
        (2, 0, 150),
    ] {
        let report = after(|rows| {
            let order = &mut rows.orders[index];
            (order.promise, order.points) = (promise, points);
            enter(rows);
        });
        assert_red(
            &report,
            name,
            &format!("with promise {promise} and {points} hundredths"),
        );
    }
}

#[test]
fn purchases_and_rewards_that_no_version_offers_are_found() {
    let name = "purchases_equal_chances";
    assert_red(
        &after_all(|rows| rows.recharges[7].chances = 3),
        name,
        "no version sells sku 9001 with 3 chances for 100 hundredths",
    );
    let cheap = after_all(|rows| rows.recharges[7].points = 0);
    assert_red(&cheap, name, "with 2 chances for 0 hundredths");
    let other_sku = after_all(|rows| rows.recharges[7].sku = 9_002);
    assert_red(&other_sku, name, "no version sells sku 9002");
    let generous = after_all(|rows| rows.recharges[1].chances = 2);
    assert_red(&generous, name, "no version has sku 9002 with 2 chances");
    let other = after_all(|rows| rows.recharges[6].points = 1_001);
    assert_red(&other, name, "no version rewards \"openai_pay\" (streak 0)");
    let nothing = after_all(|rows| rows.recharges[8].chances = 0);
    assert_red(&nothing, name, "operator does not go with activity 1");
    let unknown = after_all(|rows| rows.recharges[9].kind = "gift".into());
    assert_red(&unknown, name, "\"gift\" is no kind of recharge order");
    let elsewhere = after_all(|rows| rows.recharges[6].activity = 5);
    assert_red(&elsewhere, name, "activity 5 has no version");
    let unpaid = after(|rows| rows.recharges[7].points = 0);
    let found: BTreeSet<_> = red(&unpaid).into_iter().collect();
    assert_eq!(found, BTreeSet::from([name, "points_equal_entries"]));
    // What costs nothing has no entry.
    let mut free = sound();
    free.recharges[7].points = 0;
    enter(&mut free);
    let offer = PLATFORM.replace("price_minor = 100", "price_minor = 0");
    assert_eq!(red(&walk_parts(&[&offer], free, 0)), [""; 0]);
    // An earlier version offered it.
    let dear = PLATFORM.replace("price_minor = 100", "price_minor = 900");
    assert_eq!(red(&walk_parts(&[PLATFORM, &dear], sound(), 0)), [""; 0]);
}

#[test]
fn chances_that_are_on_no_account_are_found() {
    let report = after(|rows| {
        rows.orders.truncate(0);
        rows.accounts.clear();
        enter(rows);
    });
    let violation = "it gave 1 chances in activity 1, where is no account";
    assert_red(&report, "purchases_equal_chances", violation);
    let free = after(|rows| rows.accounts[0].granted += 2);
    assert_red(
        &free,
        "chances_granted_as_published",
        "no version of the activity grants",
    );
}

#[test]
fn a_reward_that_was_given_twice_is_found() {
    let name = "one_reward_per_behaviour";
    let twice = after_all(|rows| {
        let id = rows.recharges[9].id;
        rows.recharges[9] = StoredRecharge {
            id,
            ..rows.recharges[6].clone()
        };
    });
    assert_red(
        &twice,
        name,
        "rewards \"openai_pay\" \"n1\" in activity 1 once more",
    );
    let next_day = after(|rows| rows.sign_ins[0].day += 1);
    assert_red(
        &next_day,
        name,
        "the last one is 20260102 as day 2 in a row",
    );
    assert_red(
        &after(|rows| rows.sign_ins[0].streak = 3),
        name,
        "20260101 as day 3 in a row",
    );
    assert_red(
        &after(|rows| rows.sign_ins.clear()),
        name,
        "the last one is none",
    );
    let of_nothing = StoredSignIn {
        activity: 4,
        day: DAY,
        streak: 1,
    };
    assert_red(
        &after(|rows| rows.sign_ins.push(of_nothing)),
        name,
        "the last reward is for none",
    );
    let early = after_all(|rows| rows.recharges[5].business = "20251231".into());
    assert_red(&early, name, "is for a streak of 2, on day 1 in a row");
    let no_day = after_all(|rows| rows.recharges[4].business = "today".into());
    assert_red(
        &no_day,
        name,
        "is of a sign-in on \"today\", which is no day",
    );
}

#[test]
fn a_sign_in_on_a_day_to_come_is_found_and_one_that_was_set_aside_is_not() {
    const LATER: i64 = 20_260_710;
    let ahead = |rows: &mut Stored| {
        for index in [3, 4] {
            rows.recharges[index].business = LATER.to_string().into();
        }
        rows.recharges[5].streak = 0;
        rows.recharges[5].business = "20260101".into();
        rows.recharges[5].points = 150;
        enter(rows);
    };
    let row = |rows: &mut Stored, day, streak| {
        rows.sign_ins[0] = StoredSignIn {
            activity: 1,
            day,
            streak,
        };
    };
    let found = after(|rows| {
        ahead(rows);
        row(rows, LATER, 1);
    });
    let violation = "in activity 1 is of day 20260710, which has not begun";
    assert_red(&found, "orders_not_in_the_future", violation);
    let set_aside = SignInRepair {
        activity: 1,
        day: LATER,
        given: 2,
    };
    let repaired = |change: fn(&mut Stored)| {
        after(|rows| {
            ahead(rows);
            row(rows, DAY, 2);
            rows.sign_in_repairs.push(set_aside);
            change(rows);
            enter(rows);
        })
    };
    let report = repaired(|_| {});
    assert_eq!(red(&report), [""; 0], "{report}");
    // Given once more when the day has come, but not twice more.
    let again = |rows: &mut Stored| {
        let id = rows.recharges[9].id;
        rows.recharges[9] = StoredRecharge {
            id,
            ..rows.recharges[4].clone()
        };
        rows.sign_ins[0].day = LATER;
        rows.sign_ins[0].streak = 1;
    };
    let report = repaired(again);
    // By the clock of the test it has not come.
    assert_red(&report, "orders_not_in_the_future", violation);
    let third = repaired(|rows| {
        let id = rows.recharges[6].id;
        rows.recharges[6] = StoredRecharge {
            id,
            ..rows.recharges[4].clone()
        };
        let id = rows.recharges[9].id;
        rows.recharges[9] = StoredRecharge {
            id,
            ..rows.recharges[4].clone()
        };
        rows.sign_ins[0].day = LATER;
        rows.sign_ins[0].streak = 1;
    });
    let name = "one_reward_per_behaviour";
    assert!(red(&third).contains(&name), "{third}");
}

#[test]
fn rows_of_another_table_or_an_unclaimed_run_are_found() {
    let mut numbers = OrderNumbers::new(Run::new(2).expect("run"));
    let unclaimed = numbers
        .next(Slot::of(USER))
        .expect("a number")
        .cast_signed();
    let report = after_all(|rows| rows.recharges[0].id = unclaimed);
    assert_red(&report, "order_ids_are_unique", "of run 2");
    let elsewhere = numbers
        .next(Slot::of("u1 "))
        .expect("a number")
        .cast_signed();
    let report = after_all(|rows| rows.recharges[0].id = elsewhere);
    assert!(red(&report).contains(&"rows_on_their_shard"), "{report}");
    assert!(
        first_violation(&report).contains("carries the slot"),
        "{report}"
    );
}
