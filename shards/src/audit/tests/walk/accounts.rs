//! Accounts that differ from their orders.
use super::super::super::rows::StoredAccount;
use super::super::{CAMPAIGN, check, first_violation, red};
use super::{USER, UserRows, after, assert_red, home, sound, walk, walk_at};

#[test]
fn an_account_without_draws_is_sound_until_it_says_otherwise() {
    let idle = |used| UserRows {
        user: USER,
        account: Some(StoredAccount {
            activity: 1,
            granted: 10,
            used,
            ..StoredAccount::default()
        }),
        orders: Vec::new(),
        repairs: Vec::new(),
        user_awards: Vec::new(),
    };
    assert_eq!(red(&walk(idle(0))), [""; 0]);
    assert_red(
        &walk(idle(1)),
        "chances_match_orders",
        "used is 1, according to its orders 0",
    );
}

#[test]
fn counters_that_differ_from_the_orders_are_found() {
    let name = "chances_match_orders";
    assert_red(
        &after(|table| table.account().used = 3),
        name,
        "used is 3, according to its orders 4",
    );
    let poor = after(|table| table.account().granted = 3);
    assert_eq!(red(&poor), [name, "chances_granted_as_published"], "{poor}");
    assert!(
        first_violation(&poor).contains("4 chances are used and 3 were granted"),
        "{poor}"
    );
    assert_red(
        &after(|table| table.account().day = 20_260_103),
        name,
        "day is 20260103, according to its orders 20260102",
    );
    assert_red(
        &after(|table| table.account().day_used = 0),
        name,
        "day_used is 0, according to its orders 1",
    );
    assert_red(
        &after(|table| table.account().month_used = 5),
        name,
        "month_used is 5, according to its orders 4",
    );
    assert_red(
        &after(|table| table.account = None),
        name,
        "has 4 orders and no account",
    );
}

#[test]
fn ordinals_count_up_from_one() {
    let name = "chances_match_orders";
    assert_red(
        &after(|table| table.orders[1].ordinal = 1),
        name,
        "has the ordinal 1, not 2",
    );
    let gap = after(|table| {
        table.orders.remove(1);
        table.account().used = 3;
        table.account().month_used = 3;
    });
    assert_red(&gap, name, "has the ordinal 3, not 2");
    assert_eq!(
        check(&gap, name).violations_total,
        1,
        "ordinals after a gap are not reported again"
    );
}

#[test]
fn a_day_before_the_last_one_is_found() {
    let report = after(|table| table.orders[3].day = 20_251_231);
    // The server does not give such a label at that time either.
    assert_eq!(
        red(&report),
        ["chances_match_orders", "orders_match_their_campaign"]
    );
    assert!(
        first_violation(&report).contains("is of day 20251231, the order before it of 20260101"),
        "{report}"
    );
}

#[test]
fn limits_are_those_of_the_widest_version() {
    let narrow = CAMPAIGN.replace("day_limit = 3", "day_limit = 2");
    let (report, _) = walk_at(home(), &[&narrow], &[sound()]);
    assert_red(
        &report,
        "day_and_month_limits",
        "has 3 orders in 20260101, the limit is 2",
    );
    let (report, _) = walk_at(home(), &[CAMPAIGN, &narrow], &[sound()]);
    assert_eq!(red(&report), [""; 0], "an earlier version allowed them");
    let narrow = CAMPAIGN.replace("month_limit = 5", "month_limit = 3");
    let (report, _) = walk_at(home(), &[&narrow], &[sound()]);
    assert_red(
        &report,
        "day_and_month_limits",
        "has 4 orders in 202601, the limit is 3",
    );
}

#[test]
fn users_and_activities_are_kept_apart() {
    let second = UserRows {
        user: "u1 ",
        ..sound()
    };
    let (report, _) = walk_at(home(), &[CAMPAIGN], &[sound(), second]);
    assert_eq!(check(&report, "chances_match_orders").checked, 2);
    assert!(check(&report, "chances_match_orders").ok(), "{report}");
}

#[test]
fn chances_that_no_version_grants_are_found() {
    let name = "chances_granted_as_published";
    let rich = after(|table| table.account().granted = 11);
    assert_red(
        &rich,
        name,
        "was granted 11 chances and 0 by recharge orders; version 1, which the first order names, grants 10",
    );
    // The version of the first order counts, whatever later versions grant.
    let later = CAMPAIGN.replace("welcome = 10", "welcome = 11");
    assert_eq!(
        red(&walk_at(home(), &[CAMPAIGN, &later], &[sound()]).0),
        [""; 0]
    );
    let idle = |granted| UserRows {
        user: USER,
        account: Some(StoredAccount {
            activity: 1,
            granted,
            ..StoredAccount::default()
        }),
        orders: Vec::new(),
        repairs: Vec::new(),
        user_awards: Vec::new(),
    };
    assert_eq!(
        red(&walk_at(home(), &[CAMPAIGN, &later], &[idle(11)]).0),
        [""; 0]
    );
    assert_red(
        &walk(idle(11)),
        name,
        "no version of the activity grants this number",
    );
}
