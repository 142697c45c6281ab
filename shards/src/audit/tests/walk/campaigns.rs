//! Orders that their campaign version cannot have made.
use router::{Slot, SlotMap};

use super::super::super::history::TableLocation;
use super::super::super::rows::StoredOrder;
use super::super::{CAMPAIGN, check, first_violation, red};
use super::{after, assert_red, home, sound, walk_at};

type OrderChange = fn(&mut StoredOrder);

#[test]
fn orders_that_their_version_cannot_have_made_are_found() {
    let faults: [(OrderChange, &str); 15] = [
        (|order| order.version = 9, "there is no such version"),
        (|order| order.award = 999, "the version has no award 999"),
        (
            |order| order.award_title = "pints".into(),
            "is titled \"pints\", in the version \"points\"",
        ),
        (
            |order| order.award_index = 2,
            "has the index 2, in the version 1",
        ),
        (
            |order| order.stocked = 1,
            "took a unit of award 101, which has no stock",
        ),
        (|order| order.stocked = 2, "stocked is 2"),
        (
            |order| *order = mug(order, "rule_default", 0),
            "gave award 102, which is limited, without taking a unit of stock",
        ),
        (
            |order| *order = mug(order, "rule_luck_award", 1),
            "took a unit of stock for a consolation",
        ),
        (
            |order| *order = mug(order, "rule_luck_award", 0),
            "rule_luck_award cannot have given this user award 102",
        ),
        (
            |order| *order = mug(order, "rule_weight", 1),
            "rule_weight cannot have given this user award 102 on draw 1",
        ),
        (
            |order| order.rule = "rule_blacklist".into(),
            "rule_blacklist cannot have given this user award 101",
        ),
        (
            |order| order.rule = "rule_lock".into(),
            "\"rule_lock\" is no rule",
        ),
        (
            |order| *order = badge(order),
            "rule_default cannot have given this user award 103",
        ),
        (
            |order| order.created_at_ms = 0,
            "outside the activity's window",
        ),
        (
            |order| order.created_at_ms -= 1,
            "it was made on 2025-12-31 in the activity's time zone, but counts for day 20260101",
        ),
    ];
    for (change, violation) in faults {
        let report = after(|table| change(&mut table.orders[0]));
        assert_red(&report, "orders_match_their_campaign", violation);
        assert_eq!(
            check(&report, "orders_match_their_campaign").violations_total,
            1
        );
    }
}

fn mug(order: &StoredOrder, rule: &'static str, stocked: i64) -> StoredOrder {
    StoredOrder {
        award: 102,
        award_title: "mug".into(),
        award_index: 2,
        rule: rule.into(),
        stocked,
        ..order.clone()
    }
}

/// The badge has the rate 0: only the blacklist gives it.
fn badge(order: &StoredOrder) -> StoredOrder {
    StoredOrder {
        award: 103,
        award_title: "badge".into(),
        award_index: 3,
        ..order.clone()
    }
}

#[test]
fn each_rule_gives_its_own_awards() {
    let consoled = after(|table| {
        let order = &mut table.orders[2];
        *order = StoredOrder {
            award: 104,
            award_title: "consolation".into(),
            award_index: 4,
            rule: "rule_luck_award".into(),
            stocked: 0,
            ..order.clone()
        };
    });
    assert_eq!(red(&consoled), [""; 0], "{consoled}");
    // The weight rule decides the third draw, so the pool cannot have given the award.
    let drawn = after(|table| table.orders[2].rule = "rule_default".into());
    assert_red(
        &drawn,
        "orders_match_their_campaign",
        "rule_default cannot have given this user award 102 on draw 3",
    );
    let mut forced = sound();
    forced.user = "banned";
    for order in &mut forced.orders {
        order.id = (order.id >> 10 << 10) + i64::from(Slot::of("banned").get());
        *order = StoredOrder {
            rule: "rule_blacklist".into(),
            stocked: 0,
            ..badge(order)
        };
    }
    let route = SlotMap::even(1, 1, 2).expect("a map").route("banned");
    let at = TableLocation {
        shard: 0,
        table: route.table().get(),
    };
    let (report, _) = walk_at(at, &[CAMPAIGN], &[forced]);
    assert_eq!(red(&report), [""; 0], "{report}");
}

#[test]
fn a_clock_that_was_ahead_makes_the_next_day_label_late() {
    let late = after(|table| {
        table.orders[3].day = 20_260_102;
        table.orders[3].created_at_ms -= 1;
    });
    // No order before it is of that day, so no clock can have been ahead.
    assert_red(
        &late,
        "orders_match_their_campaign",
        "counts for day 20260102",
    );
    let ahead = after(|table| {
        for order in &mut table.orders[2..] {
            order.day = 20_260_102;
        }
        table.orders[2].created_at_ms = table.orders[3].created_at_ms;
        table.orders[3].created_at_ms -= 1;
        table.account().day_used = 2;
    });
    assert_eq!(red(&ahead), [""; 0], "{ahead}");
}

#[test]
fn an_order_needs_an_open_activity() {
    let closed = CAMPAIGN.replace("state = \"open\"", "state = \"close\"");
    let (report, _) = walk_at(home(), &[&closed], &[sound()]);
    assert_red(
        &report,
        "orders_match_their_campaign",
        "the activity is not open in this version",
    );
}

/// The campaign with a points prize and a mug that is sent; the same as a trial.
fn with_keys() -> [String; 2] {
    let keyed = CAMPAIGN
        .replacen(
            "title = \"points\"\n",
            "title = \"points\"\nkey = \"user_credit_random\"\nconfig = \"1,2\"\n",
            1,
        )
        .replacen("title = \"mug\"\n", "title = \"mug\"\nkey = \"mail\"\n", 1);
    let trial = keyed.replacen("id = 1\n", "id = 1\ntrial_of = 9\ntesters = [\"u1\"]\n", 1);
    [keyed, trial]
}

#[test]
fn orders_of_a_trial_promise_nothing() {
    let [real, trial] = with_keys();
    let name = "orders_match_their_campaign";
    let walked = |text: &str, index: usize, promise: (i64, i64)| {
        let mut table = sound();
        // Nothing is promised but by one order.
        for order in &mut table.orders {
            (order.promise, order.points) = (0, 0);
        }
        let order = &mut table.orders[index];
        (order.promise, order.points) = promise;
        walk_at(home(), &[text], &[table]).0
    };
    let promises = [(1, 0), (2, 150), (3, 0)];
    for (index, kept) in [(0, (2, 150)), (2, (3, 0))] {
        for promise in promises {
            for (text, expected) in [(&real, kept), (&trial, (1, 0))] {
                let report = walked(text, index, promise);
                let found = check(&report, name).violations_total;
                assert_eq!(found == 0, promise == expected, "{report}");
                let not_given = "is not given with promise";
                assert!(
                    found == 0 || first_violation(&report).contains(not_given),
                    "{report}"
                );
            }
        }
    }
}

#[test]
fn a_version_that_cannot_be_read_is_reported_once() {
    let (report, _) = walk_at(home(), &["format = 1", CAMPAIGN], &[sound()]);
    assert_red(
        &report,
        "orders_match_their_campaign",
        "version 1 of activity 1 cannot be read: ",
    );
    assert_eq!(
        check(&report, "orders_match_their_campaign").violations_total,
        1
    );
    assert_eq!(
        check(&report, "day_and_month_limits").checked,
        0,
        "its limits are unknown"
    );
    let other = CAMPAIGN.replacen("id = 1\n", "id = 2\n", 1);
    let (report, _) = walk_at(home(), &[&other], &[sound()]);
    assert_red(
        &report,
        "orders_match_their_campaign",
        "its file is of activity 2",
    );
}
