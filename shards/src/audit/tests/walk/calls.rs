//! Calls that are not whole, and orders without a call.
use super::super::super::AuditReport;
use super::super::super::checks::{self, OrderCounts};
use super::super::super::known::Known;
use super::super::super::rows::{StoredCall, StoredOrder};
use super::super::{CAMPAIGN, check, red};
use super::{USER, UserRows, assert_red, home, sound, walk, walk_at};
use crate::installation::embedded::Folder;

/// A call for one draw, of which this many rows were found.
fn call(found: i64) -> StoredCall {
    StoredCall {
        request: "k".into(),
        kind: 1,
        activity: 1,
        asked: 1,
        first_id: 1,
        made: 1,
        created_at_ms: 0,
        found,
    }
}

/// The same rows as a call for three draws and one for another.
fn called() -> UserRows {
    let mut table = sound();
    for (seq, order) in (0..).zip(&mut table.orders[..3]) {
        *order = StoredOrder {
            request: "three".into(),
            seq,
            asked: 3,
            ..order.clone()
        };
    }
    table
}

#[test]
fn a_call_that_is_not_whole_is_found() {
    let after = |change: &dyn Fn(&mut [StoredOrder])| {
        let mut table = called();
        change(&mut table.orders);
        walk(table)
    };
    let whole = after(&|_| {});
    assert_eq!(
        (red(&whole), check(&whole, "calls_are_whole").checked),
        (Vec::new(), 2),
        "{whole}"
    );
    let found = |change: &dyn Fn(&mut [StoredOrder]), violation: &str| {
        let report = after(change);
        assert_eq!(red(&report), ["calls_are_whole"], "{report}");
        assert!(
            report.to_string().contains(violation),
            "{violation:?} is not in {report}"
        );
    };
    found(
        &|orders| orders[0].seq = 1,
        "is draw 2 of 3 under request id \"three\", but the draw before it is missing",
    );
    found(
        &|orders| orders[2].seq = 3,
        "is draw 4 of 3 under request id \"three\", but the draw before it is missing",
    );
    found(
        &|orders| orders[1].request = "other".into(),
        "under request id \"other\", but the draw before it is missing",
    );
    found(
        &|orders| orders[1].asked = 4,
        "is draw 2 of 4 under request id \"three\", but the draw before it is missing",
    );
    found(
        &|orders| orders[3].seq = 1,
        "is draw 2 of 1 under request id \"k\", but the draw before it is missing",
    );
    found(
        &|orders| orders[..3].iter_mut().for_each(|order| order.asked = 2),
        "which is one more than the call asked for",
    );
    found(
        &|orders| orders[2].request = "k".into(),
        "has 2 draws of 3, but its version makes all of them or none",
    );
    found(
        &|orders| orders[..3].iter_mut().for_each(|order| order.asked = 4),
        "has 3 draws of 4",
    );
}

#[test]
fn a_call_may_make_fewer_draws_where_its_version_allows_it() {
    let partial = CAMPAIGN.replacen("state =", "when_chances_short = \"partial\"\nstate =", 1);
    let mut table = called();
    table.orders[..3]
        .iter_mut()
        .for_each(|order| order.asked = 10);
    assert_eq!(red(&walk_at(home(), &[&partial], &[table]).0), [""; 0]);
}

#[test]
fn orders_that_belong_to_no_call_or_to_two_are_found() {
    let compared = |(stored, named), strays: &[(i64, String)], found| {
        let mut checks = checks::by_rows::<Folder>();
        checks.each(|check, report| check.call(report, home(), USER, &call(found)));
        let counts = OrderCounts {
            stored,
            named,
            strays: strays.to_vec(),
        };
        checks.each(|check, report| check.table_over(report, home(), &counts));
        AuditReport {
            checks: checks.into_reports(&Known::default().versions),
        }
    };
    let name = "one_order_per_request";
    let sound = compared((3, 3), &[], 1);
    assert_eq!((red(&sound), check(&sound, name).checked), (Vec::new(), 3));
    let stray = compared((4, 3), &[(7, USER.to_owned())], 1);
    assert_red(
        &stray,
        name,
        "order 7 of user \"u1\" belongs to no request id",
    );
    let twice = compared((3, 4), &[], 1);
    assert_red(&twice, name, "the request ids name 4 orders, 3 are stored");
    let lost = compared((3, 4), &[], 0);
    assert_eq!(red(&lost), ["calls_are_whole"], "reported once");
}
