//! Awards of which a user gets a few at most.
use super::super::super::rows::StoredUserAward;
use super::super::{CAMPAIGN, check, red};
use super::{AuditReport, UserRows, assert_red, home, sound, walk_at};

const CHECK: &str = "user_awards_match_orders";

/// The campaign with a limit for its mug.
fn limited(most: u32) -> String {
    CAMPAIGN.replacen(
        "count = 50\n",
        &format!("count = 50\nper_user = {most}\n"),
        1,
    )
}

/// What is counted of the mug, of which there is one order. The third draw is of this version.
fn counted(given: i64, version: i64) -> UserRows {
    let mut rows = sound();
    rows.orders[2].version = version;
    rows.user_awards = vec![StoredUserAward {
        activity: 1,
        award: 102,
        given,
    }];
    rows
}

fn walk(texts: &[&str], rows: UserRows) -> AuditReport {
    walk_at(home(), texts, &[rows]).0
}

#[test]
fn what_is_counted_are_the_orders_of_versions_with_a_limit() {
    let limited = limited(1);
    let report = walk(&[&limited], counted(1, 1));
    assert_eq!(red(&report), [""; 0], "{report}");
    assert_eq!(check(&report, CHECK).checked, 1);
    // The limit came with the second version, or went with it.
    for (texts, version) in [([CAMPAIGN, &*limited], 2), ([&*limited, CAMPAIGN], 1)] {
        let report = walk(&texts, counted(1, version));
        assert_eq!(red(&report), [""; 0], "{report}");
        let uncounted = UserRows {
            user_awards: Vec::new(),
            ..counted(0, 3 - version)
        };
        let report = walk(&texts, uncounted);
        assert_eq!(red(&report), [""; 0], "{report}");
    }
}

#[test]
fn counts_that_are_not_the_orders_are_found() {
    let limited = limited(1);
    let counts = "award 102 of user \"u1\" in activity 1";
    for (rows, fault) in [
        (counted(2, 1), "2 are counted, and there are 1 orders"),
        (counted(0, 1), "0 are counted, and there are 1 orders"),
        (
            UserRows {
                user_awards: Vec::new(),
                ..counted(0, 1)
            },
            "0 are counted, and there are 1 orders",
        ),
    ] {
        let report = walk(&[&limited], rows);
        assert_red(&report, CHECK, &format!("{counts}: {fault}"));
    }
    // Under a version without a limit nothing counts.
    let report = walk(&[CAMPAIGN], counted(1, 1));
    assert_red(&report, CHECK, "1 are counted, and there are 0 orders");
    // Nor without any orders.
    let mut rows = counted(1, 1);
    (rows.account, rows.orders) = (None, Vec::new());
    let report = walk(&[&limited], rows);
    assert_red(&report, CHECK, "1 are counted, and there are 0 orders");
}

#[test]
fn who_was_given_more_than_a_version_allowed_is_found() {
    let mug = |most| {
        // Each draw may be a mug.
        limited(most).replacen("draw = 3\n", "draw = 4\n", 1)
    };
    let two = || {
        let mut rows = counted(2, 1);
        let mug = rows.orders[2].clone();
        for index in [1, 2] {
            let order = &mut rows.orders[index];
            order.award = mug.award;
            order.award_title.clone_from(&mug.award_title);
            (order.award_index, order.stocked) = (mug.award_index, 1);
            order.rule = "rule_default".into();
        }
        let last = &mut rows.orders[3];
        (last.award, last.award_index, last.stocked) = (mug.award, mug.award_index, 1);
        last.award_title.clone_from(&mug.award_title);
        last.rule = "rule_weight".into();
        rows.user_awards[0].given = 3;
        rows
    };
    let report = walk(&[&mug(3)], two());
    assert_eq!(red(&report), [""; 0], "{report}");
    let report = walk(&[&mug(2)], two());
    assert_red(&report, CHECK, "3 were given, and 2 were allowed at most");
    // The widest limit of the user's own orders counts.
    let mut rows = two();
    rows.orders[1].version = 2;
    let report = walk(&[&mug(2), &mug(3)], rows);
    assert_eq!(red(&report), [""; 0], "{report}");
}

#[test]
fn an_order_of_an_unknown_version_leaves_the_count_open() {
    let report = walk(&[&limited(1)], counted(1, 9));
    assert_eq!(red(&report), ["orders_match_their_campaign"], "{report}");
    assert_eq!(check(&report, CHECK).checked, 0);
}
