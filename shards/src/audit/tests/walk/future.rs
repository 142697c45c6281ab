//! Labels of days that have not begun, and their repair.
use super::super::super::rows::{LabelRepair, StoredAccount, StoredOrder};
use super::super::{CAMPAIGN, check, red};
use super::{UserRows, after, assert_red, home, sound, walk_when};

#[test]
fn orders_of_days_that_have_not_begun_are_found() {
    let name = "orders_not_in_the_future";
    // The third and the fourth order are of days that begin later.
    let at = |now| walk_when(now, home(), &[CAMPAIGN], &[sound()]).0;
    assert_red(
        &at("2026-01-01T23:54:00+08:00"),
        name,
        "the account of user \"u1\" in activity 1 counts for day 20260102",
    );
    assert_eq!(
        check(&at("2026-01-01T23:54:00+08:00"), name).violations_total,
        2
    );
    assert_eq!(
        red(&at("2026-01-01T23:56:00+08:00")),
        [""; 0],
        "clocks may differ by some minutes"
    );
    assert_eq!(
        check(&at("2025-12-31T12:00:00+08:00"), name).violations_total,
        5
    );
    // A time more than a day ahead is found whatever the label is.
    let late = after(|table| table.orders[3].created_at_ms += 200 * 24 * 60 * 60 * 1000);
    assert!(red(&late).contains(&name), "{late}");
    assert!(
        check(&late, name).violations[0]
            .contains("but the database's clock is at 2026-06-01T04:00:00Z"),
        "{late}"
    );
}

/// Two draws on a day, two by a clock that was forty days ahead, and then the account was set back.
fn set_back() -> UserRows {
    let mut table = sound();
    for order in &mut table.orders[2..] {
        order.day = 20_260_210;
        order.created_at_ms += 40 * 24 * 60 * 60 * 1000;
    }
    table.orders[3].created_at_ms -= 24 * 60 * 60 * 1000;
    table.account = Some(StoredAccount {
        day: 20_260_101,
        day_used: 2,
        month_used: 2,
        ..*table.account()
    });
    table.repairs.push(LabelRepair {
        activity: 1,
        used: 4,
        today: 20_260_102,
    });
    table
}

#[test]
fn only_orders_that_a_repair_noted_are_accepted() {
    let soon = "2026-01-02T12:00:00+08:00";
    let walk = |table: UserRows| walk_when(soon, home(), &[CAMPAIGN], &[table]).0;
    assert_eq!(red(&walk(set_back())), [""; 0], "{}", walk(set_back()));
    let mut unnoted = set_back();
    unnoted.repairs.clear();
    assert_eq!(
        red(&walk(unnoted)),
        ["chances_match_orders", "orders_not_in_the_future"]
    );
    let mut earlier = set_back();
    earlier.repairs[0].used = 3;
    assert!(
        red(&walk(earlier)).contains(&"orders_not_in_the_future"),
        "the fourth order was drawn after the repair"
    );
    // The orders before the repair must be within the limits of their day too.
    let narrow = CAMPAIGN.replace("day_limit = 3", "day_limit = 1");
    let (report, _) = walk_when(soon, home(), &[&narrow], &[set_back()]);
    assert_eq!(
        check(&report, "day_and_month_limits").violations_total,
        2,
        "{report}"
    );
}

#[test]
fn draws_after_a_repair_count_from_where_it_set_the_account() {
    let mut table = set_back();
    let next = StoredOrder {
        id: table.orders[3].id + (1 << 10),
        ordinal: 5,
        day: 20_260_101,
        created_at_ms: table.orders[1].created_at_ms,
        ..table.orders[0].clone()
    };
    table.orders.push(next);
    table.account = Some(StoredAccount {
        used: 5,
        day_used: 3,
        month_used: 3,
        ..*table.account()
    });
    let soon = "2026-01-02T12:00:00+08:00";
    let report = walk_when(soon, home(), &[CAMPAIGN], std::slice::from_ref(&table)).0;
    assert_eq!(red(&report), [""; 0], "{report}");
    // A second clock was ahead, and the account was set back once more.
    let again = StoredOrder {
        id: table.orders[4].id + (1 << 10),
        ordinal: 6,
        day: 20_260_210,
        created_at_ms: table.orders[3].created_at_ms,
        ..table.orders[0].clone()
    };
    table.orders.push(again);
    table.account = Some(StoredAccount {
        used: 6,
        ..*table.account()
    });
    table.repairs.push(LabelRepair {
        activity: 1,
        used: 6,
        today: 20_260_102,
    });
    let report = walk_when(soon, home(), &[CAMPAIGN], &[table]).0;
    assert_eq!(red(&report), [""; 0], "{report}");
}
