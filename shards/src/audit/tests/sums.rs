//! What is compared in sums, fault by fault.
use std::collections::BTreeMap;
use std::time::Duration;

use market::batch::Prize;
use market::{ActivityId, AwardId};
use tokio::time::Instant;

use super::super::Check;
use super::super::checks::issued_counters_match_orders::{
    Counters, ShardUnits, issued_counters_match_orders,
};
use super::super::checks::segments_match_operations::{
    Segment, Segments, segments_match_operations,
};
use super::super::checks::stock_adds_up::{Look, StockAddsUp};
use super::super::checks::stock_not_oversold::stock_not_oversold;
use super::super::stock::Counts;
use crate::stock::Snapshot;
use crate::stock::cluster::Spread;

#[test]
fn overselling_is_found() {
    let check = stock_not_oversold(
        &Counts::from([((1, 102), 50)]),
        &Counts::from([((1, 102), 50), ((1, 105), 9)]),
    );
    assert_eq!((check.ok(), check.checked), (true, 2));
    let check = stock_not_oversold(
        &Counts::from([((1, 102), 51), ((1, 103), 1)]),
        &Counts::from([((1, 102), 50)]),
    );
    assert_eq!(
        check.violations,
        [
            "activity 1, award 102: 51 units are in orders and there are 50",
            "activity 1, award 103: 1 units are in orders and there are 0"
        ]
    );
}

fn counted(before: i64, after: i64) -> Counters {
    let counts = |units| Counts::from([((1, 1), units)]);
    Counters {
        before: counts(before),
        after: counts(after),
        by_lane: BTreeMap::new(),
    }
}

fn compared(orders: i64, counters: Counters) -> Vec<String> {
    let tables = vec![Counts::from([((1, 1), orders)])];
    issued_counters_match_orders(&[ShardUnits { tables, counters }]).violations
}

#[test]
fn counters_are_compared_both_ways() {
    assert_eq!(compared(5, counted(5, 5)), [""; 0]);
    let less =
        "shard 0, activity 1, award 1: the counters of issued units say 5, 4 orders took one";
    assert_eq!(compared(4, counted(5, 5)), [less]);
    let more =
        "shard 0, activity 1, award 1: the counters of issued units say 5, 6 orders took one";
    assert_eq!(compared(6, counted(5, 5)), [more]);
    let other = ShardUnits {
        tables: vec![Counts::from([((1, 2), 1)])],
        counters: counted(0, 0),
    };
    let check = issued_counters_match_orders(&[other, ShardUnits::default()]);
    assert_eq!((check.checked, check.violations_total), (2, 1));
}

/// Two units of one lane were counted by another: the sum does not show it.
#[test]
fn lanes_that_count_by_themselves_count_their_own() {
    let counts = |units| Counts::from([((1, 1), units)]);
    let lanes = |first, second| {
        let by_lane = BTreeMap::from([(0, counts(first)), (1, counts(second))]);
        let counters = Counters {
            by_lane,
            ..counted(9, 9)
        };
        issued_counters_match_orders(&[ShardUnits {
            tables: vec![counts(4), counts(5)],
            counters,
        }])
    };
    assert!(lanes(4, 5).ok());
    assert!(lanes(3, 0).ok(), "the others were left to nobody's counter");
    let moved = lanes(2, 7);
    let expected =
        "shard 0, table 1, activity 1, award 1: its lane counted 7 issued units, 5 orders took one";
    assert_eq!(moved.violations, [expected]);
}

#[test]
fn orders_lie_between_the_counters_of_before_and_after() {
    for orders in 5..=8 {
        assert_eq!(compared(orders, counted(5, 8)), [""; 0]);
    }
    assert_eq!(compared(4, counted(5, 8)).len(), 1);
    let above = "shard 0, activity 1, award 1: the counters of issued units say 5 and then 8, 9 orders took one";
    assert_eq!(compared(9, counted(5, 8)), [above]);
}

const PATIENCE: Duration = Duration::from_secs(6);

fn snapshot(left: u64, open: u64, issued: u64) -> Snapshot {
    let prize = Prize {
        activity: ActivityId::new(1).expect("id"),
        award: AwardId::new(102).expect("id"),
    };
    Snapshot {
        prize,
        total: left + open + issued,
        left,
        open,
        issued,
    }
}

fn counts(units: i64) -> Counts {
    Counts::from([((1, 102), units)])
}

/// A look at a stock that is held and was told when it was asked for.
fn look(snapshot: Snapshot, issued: (i64, i64), total: i64) -> Look {
    Look {
        held: true,
        snapshots: Ok(vec![snapshot]),
        issued_before: Some(counts(issued.0)),
        issued: counts(issued.1),
        totals: counts(total),
    }
}

/// What is said at last, of looks that follow each other each second, the last one for ever.
fn judged(looks: &[Look]) -> Check {
    let begun = Instant::now();
    let mut sum = StockAddsUp::new(begun, PATIENCE);
    let last = looks.last().expect("a look");
    (0..60)
        .find_map(|second| {
            let look = looks
                .get(usize::try_from(second).expect("few"))
                .unwrap_or(last)
                .clone();
            sum.look(look, begun + Duration::from_secs(second))
        })
        .expect("a verdict")
}

fn at_rest(snapshot: Snapshot, issued: i64, total: i64) -> Check {
    judged(&[look(snapshot, (issued, issued), total)])
}

#[test]
fn the_running_stock_adds_up_or_not() {
    assert!(at_rest(snapshot(40, 0, 10), 10, 50).ok());
    let lost = at_rest(snapshot(40, 0, 10), 9, 50);
    assert_eq!(
        lost.violations,
        ["activity 1, award 102: 40 units left and 9 issued are not the total of 50"]
    );
    let found = at_rest(snapshot(40, 2, 8), 13, 50);
    let expected = "activity 1, award 102: 40 units left, 2 under open grants and 13 issued are not the total of 50";
    assert_eq!(found.violations, [expected]);
    let unknown = at_rest(snapshot(40, 0, 10), 10, 60);
    assert_eq!(
        unknown.violations,
        ["activity 1, award 102: the running server has 50 units, stock operations sum to 60"]
    );
    let other = Prize {
        award: AwardId::new(103).expect("id"),
        ..snapshot(0, 0, 0).prize
    };
    let missing = at_rest(
        Snapshot {
            prize: other,
            ..snapshot(0, 0, 0)
        },
        10,
        50,
    );
    assert_eq!(
        missing.violations,
        ["activity 1, award 102: the running server does not know its stock of 50"]
    );
}

#[test]
fn what_cannot_be_judged_at_rest_is_skipped() {
    let open = at_rest(snapshot(39, 1, 10), 10, 50);
    assert_eq!(
        open.skipped.as_deref(),
        Some("activity 1, award 102: 1 units are under open grants")
    );
    let starting = judged(&[Look {
        snapshots: Ok(Vec::new()),
        ..look(snapshot(40, 0, 10), (10, 10), 50)
    }]);
    assert!(
        starting
            .skipped
            .is_some_and(|reason| reason.contains("just started"))
    );
    let unavailable = judged(&[Look {
        snapshots: Err("unavailable".to_owned()),
        ..look(snapshot(40, 0, 10), (10, 10), 50)
    }]);
    assert_eq!(unavailable.skipped.as_deref(), Some("unavailable"));
}

/// Looks at a stock of 100 of which two more units are issued in each, with one under a grant, and
/// of which `lost` are nowhere.
fn under_load(lost: u64) -> Vec<Look> {
    let at = |second: u64| {
        let issued = i64::try_from(2 * second).expect("few");
        let stand = Snapshot {
            total: 100,
            ..snapshot(100 - 2 * second - 1 - lost, 1, 2 * second)
        };
        look(stand, (issued - 1, issued + 1), 100)
    };
    (1..20).map(at).collect()
}

#[test]
fn while_draws_go_on_the_sum_lies_within_bounds() {
    let sound = judged(&under_load(0));
    assert!(sound.ok(), "{sound}");
    assert!(judged(&under_load(1)).ok(), "as many as move may hide");
    let lost = judged(&under_load(2));
    assert_eq!(lost.violations_total, 1, "{lost}");
    // For two seconds an addition was recorded and not yet delivered.
    let mut delivered = under_load(0);
    for look in &mut delivered[2..4] {
        look.totals = counts(150);
    }
    for look in &mut delivered[4..] {
        look.totals = counts(150);
        look.snapshots.iter_mut().flatten().for_each(|snapshot| {
            snapshot.total = 150;
            snapshot.left += 50;
        });
    }
    assert!(judged(&delivered).ok());
}

/// A server that writes its view down each second look, which is then a second old.
#[test]
fn a_view_that_is_written_now_and_then_is_compared_with_counters_of_before_it() {
    let told = |lost: u64| -> Vec<Look> {
        let at = |second: u64| {
            let seen = 2 * (second / 2 * 2);
            let stand = Snapshot {
                total: 100,
                ..snapshot(100 - seen - lost, 0, seen)
            };
            let issued = i64::try_from(2 * second + 1).expect("few");
            Look {
                issued_before: None,
                ..look(stand, (0, issued), 100)
            }
        };
        (1..20).map(at).collect()
    };
    let sound = judged(&told(0));
    assert!(sound.ok(), "{sound}");
    let lost = judged(&told(20));
    assert_eq!(lost.violations_total, 1, "{lost}");
    let still = Look {
        issued_before: None,
        ..look(snapshot(40, 0, 10), (0, 10), 50)
    };
    assert!(judged(&[still]).ok());
}

#[test]
fn at_rest_the_next_start_must_have_something_to_offer() {
    let at_rest = |issued, total| {
        judged(&[Look {
            held: false,
            ..look(snapshot(7, 7, 7), (issued, issued), total)
        }])
    };
    // What a server that is gone believed last does not matter.
    assert!(at_rest(50, 50).ok());
    assert_eq!(
        at_rest(51, 50).violations,
        ["activity 1, award 102: 51 units are issued and there are 50"]
    );
    assert_eq!(
        at_rest(0, -1).violations,
        ["activity 1, award 102: its stock operations sum to -1"]
    );
}

fn segment(number: i64, server: i64, total: i64) -> Segment {
    Segment {
        prize: (1, 102),
        number,
        server,
        total,
    }
}

fn segments(segments: &[Segment], withdrawing: i64, total: i64) -> Check {
    let read = Segments {
        rows: segments.to_vec(),
        withdrawing: counts(withdrawing),
        totals: counts(total),
    };
    segments_match_operations(
        &read,
        Spread {
            segments: 3,
            servers: 2,
        },
    )
}

#[test]
fn segments_sum_to_what_operations_say() {
    let three = [segment(0, 1, 20), segment(1, 2, 15), segment(2, 1, 15)];
    assert!(segments(&three, 0, 50).ok());
    assert!(segments(&three, 4, 54).ok(), "being withdrawn");
    let less = segments(&three, 0, 51);
    assert_eq!(
        less.violations,
        ["activity 1, award 102: its segments have 50 units, stock operations sum to 51"]
    );
    let given = segments(&three, 4, 50);
    let expected = "activity 1, award 102: its segments have 50 units with 4 that are being withdrawn, stock \
                    operations sum to 50";
    assert_eq!(given.violations, [expected]);
    assert_eq!(segments(&[], 0, 50).violations_total, 1, "none at all");
}

#[test]
fn segments_lie_on_their_servers() {
    let astray = segments(&[segment(0, 2, 50)], 0, 50);
    assert_eq!(
        astray.violations,
        ["activity 1, award 102: segment 0 is on server 2; it belongs on server 1"]
    );
    let beyond = segments(&[segment(0, 1, 25), segment(3, 2, 25)], 0, 50);
    assert_eq!(
        beyond.violations,
        ["activity 1, award 102: segment 3 is on server 2; there are 3 segments"]
    );
    let negative = segments(&[segment(0, 1, 51), segment(1, 2, -1)], 0, 50);
    assert_eq!(
        negative.violations,
        ["activity 1, award 102: segment 1 has a total of -1"]
    );
}
