//! The checks that compare sums, fault by fault.
use std::collections::BTreeMap;
use std::time::Duration;

use market::batch::StockItem;
use market::{ActivityId, AwardId};
use tokio::time::Instant;

use super::super::CheckReport;
use super::super::checks::issued_counters_match_orders::issued_counters_match_orders;
use super::super::checks::segments_match_operations::{
    StoredSegment, StoredSegments, segments_match_operations,
};
use super::super::checks::skus_not_oversold::skus_not_oversold;
use super::super::checks::stock_adds_up::{StockAddsUp, StockObservation};
use super::super::checks::stock_not_oversold::stock_not_oversold;
use super::super::stock::{Counts, IssuedCounters, ItemKey, ShardUnits};
use crate::stock::Snapshot;
use crate::stock::cluster::Spread;

#[test]
fn overselling_is_found() {
    let check = stock_not_oversold(
        &Counts::from([(ItemKey::award(1, 102), 50)]),
        &Counts::from([(ItemKey::award(1, 102), 50), (ItemKey::award(1, 105), 9)]),
    );
    assert_eq!((check.ok(), check.checked), (true, 2));
    let check = stock_not_oversold(
        &Counts::from([(ItemKey::award(1, 102), 51), (ItemKey::award(1, 103), 1)]),
        &Counts::from([(ItemKey::award(1, 102), 50)]),
    );
    assert_eq!(
        check.violations,
        [
            "activity 1, award 102: 51 units are in orders, but the total is 50",
            "activity 1, award 103: 1 units are in orders, but the total is 0"
        ]
    );
}

/// A shard whose counters say this of award 102 and sku 102, beside what its recharge orders say.
fn sold(award: i64, sku: i64, recharged: i64) -> ShardUnits {
    let counted = Counts::from([(ItemKey::award(1, 102), award), (ItemKey::sku(1, 102), sku)]);
    ShardUnits {
        counters: IssuedCounters {
            before: counted.clone(),
            after: counted,
            by_lane: BTreeMap::new(),
        },
        tables: vec![Counts::from([
            (ItemKey::award(1, 102), award),
            (ItemKey::sku(1, 102), recharged),
        ])],
    }
}

/// Award 102 and sku 102 are two items: units of one say nothing of the other.
#[test]
fn overselling_of_skus_is_found() {
    let totals = Counts::from([(ItemKey::award(1, 102), 3), (ItemKey::sku(1, 102), 50)]);
    let check = skus_not_oversold(&[sold(99, 20, 20), sold(0, 30, 30)], &totals);
    assert_eq!((check.ok(), check.checked), (true, 1));
    let check = skus_not_oversold(&[sold(0, 20, 20), sold(0, 31, 31)], &totals);
    assert_eq!(
        check.violations,
        ["activity 1, sku 102: 51 units are issued, but the total is 50"]
    );
    let awards = stock_not_oversold(&Counts::new(), &totals);
    assert_eq!((awards.ok(), awards.checked), (true, 1), "skus are not its");
    let awards = issued_counters_match_orders(&[sold(0, 20, 7)]);
    assert_eq!((awards.ok(), awards.checked), (true, 1), "nor that one's");
}

#[test]
fn units_of_skus_are_those_of_recharge_orders() {
    let totals = Counts::from([(ItemKey::sku(1, 102), 50)]);
    assert!(skus_not_oversold(&[sold(0, 20, 20)], &totals).ok());
    let check = skus_not_oversold(&[sold(0, 20, 19)], &totals);
    assert_eq!(
        check.violations,
        [
            "shard 0, activity 1, sku 102: the counters of issued units are 20, 19 recharge orders took a unit"
        ]
    );
}

fn counted(before: i64, after: i64) -> IssuedCounters {
    let counts = |units| Counts::from([(ItemKey::award(1, 1), units)]);
    IssuedCounters {
        before: counts(before),
        after: counts(after),
        by_lane: BTreeMap::new(),
    }
}

fn compared(orders: i64, counters: IssuedCounters) -> Vec<String> {
    let tables = vec![Counts::from([(ItemKey::award(1, 1), orders)])];
    issued_counters_match_orders(&[ShardUnits { tables, counters }]).violations
}

#[test]
fn counters_are_compared_both_ways() {
    assert_eq!(compared(5, counted(5, 5)), [""; 0]);
    let less =
        "shard 0, activity 1, award 1: the counters of issued units are 5, 4 orders took a unit";
    assert_eq!(compared(4, counted(5, 5)), [less]);
    let more =
        "shard 0, activity 1, award 1: the counters of issued units are 5, 6 orders took a unit";
    assert_eq!(compared(6, counted(5, 5)), [more]);
    let other = ShardUnits {
        tables: vec![Counts::from([(ItemKey::award(1, 2), 1)])],
        counters: counted(0, 0),
    };
    let check = issued_counters_match_orders(&[other, ShardUnits::default()]);
    assert_eq!((check.checked, check.violations_total), (2, 1));
}

/// Another lane counted two units of a lane: the sum does not show it.
#[test]
fn counters_of_lanes_are_compared_with_their_tables() {
    let counts = |units| Counts::from([(ItemKey::award(1, 1), units)]);
    let lanes = |first, second| {
        let by_lane = BTreeMap::from([(0, counts(first)), (1, counts(second))]);
        let counters = IssuedCounters {
            by_lane,
            ..counted(9, 9)
        };
        issued_counters_match_orders(&[ShardUnits {
            tables: vec![counts(4), counts(5)],
            counters,
        }])
    };
    assert!(lanes(4, 5).ok());
    assert!(lanes(3, 0).ok(), "no lane has to count all of its orders");
    let moved = lanes(2, 7);
    let expected = "shard 0, table 1, activity 1, award 1: its lane counted 7 issued units, 5 orders took a unit";
    assert_eq!(moved.violations, [expected]);
}

#[test]
fn orders_are_between_the_counters_before_and_after() {
    for orders in 5..=8 {
        assert_eq!(compared(orders, counted(5, 8)), [""; 0]);
    }
    assert_eq!(compared(4, counted(5, 8)).len(), 1);
    let above = "shard 0, activity 1, award 1: the counters of issued units are 5 and then 8, 9 orders took a unit";
    assert_eq!(compared(9, counted(5, 8)), [above]);
}

const QUIET_AWAITED: Duration = Duration::from_secs(6);

fn snapshot(left: u64, open: u64, issued: u64) -> Snapshot {
    let item = StockItem::award(
        ActivityId::new(1).expect("id"),
        AwardId::new(102).expect("id"),
    );
    Snapshot {
        item,
        total: left + open + issued,
        left,
        open,
        issued,
    }
}

fn counts(units: i64) -> Counts {
    Counts::from([(ItemKey::award(1, 102), units)])
}

/// An observation of a stock that is held, with snapshots of that moment.
fn observed(snapshot: Snapshot, issued: (i64, i64), total: i64) -> StockObservation {
    StockObservation {
        held: true,
        snapshots: Ok(vec![snapshot]),
        issued_before: Some(counts(issued.0)),
        issued: counts(issued.1),
        totals: counts(total),
    }
}

/// The report after these observations, one each second; the last one repeats for ever.
fn judged(observations: &[StockObservation]) -> CheckReport {
    let begun = Instant::now();
    let mut sum = StockAddsUp::new(begun, QUIET_AWAITED);
    let last = observations.last().expect("an observation");
    (0..60)
        .find_map(|second| {
            let observed = observations
                .get(usize::try_from(second).expect("few"))
                .unwrap_or(last)
                .clone();
            sum.observe(observed, begun + Duration::from_secs(second))
        })
        .expect("a report")
}

fn at_rest(snapshot: Snapshot, issued: i64, total: i64) -> CheckReport {
    judged(&[observed(snapshot, (issued, issued), total)])
}

#[test]
fn the_running_stock_adds_up_or_not() {
    assert!(at_rest(snapshot(40, 0, 10), 10, 50).ok());
    let lost = at_rest(snapshot(40, 0, 10), 9, 50);
    assert_eq!(
        lost.violations,
        ["activity 1, award 102: 40 units left and 9 issued do not sum to the total of 50"]
    );
    let found = at_rest(snapshot(40, 2, 8), 13, 50);
    let expected = "activity 1, award 102: 40 units left, 2 under open grants and 13 issued do not sum to the total of 50";
    assert_eq!(found.violations, [expected]);
    let unknown = at_rest(snapshot(40, 0, 10), 10, 60);
    assert_eq!(
        unknown.violations,
        ["activity 1, award 102: the running server has 50 units, stock operations sum to 60"]
    );
    let other = StockItem::award(
        ActivityId::new(1).expect("id"),
        AwardId::new(103).expect("id"),
    );
    let missing = at_rest(
        Snapshot {
            item: other,
            ..snapshot(0, 0, 0)
        },
        10,
        50,
    );
    assert_eq!(
        missing.violations,
        [
            "activity 1, award 102: the running server has no stock of it, stock operations sum to 50"
        ]
    );
}

#[test]
fn what_cannot_be_judged_at_rest_is_skipped() {
    let open = at_rest(snapshot(39, 1, 10), 10, 50);
    assert_eq!(
        open.skipped.as_deref(),
        Some("activity 1, award 102: 1 units are under open grants")
    );
    let starting = judged(&[StockObservation {
        snapshots: Ok(Vec::new()),
        ..observed(snapshot(40, 0, 10), (10, 10), 50)
    }]);
    assert!(
        starting
            .skipped
            .is_some_and(|reason| reason.contains("just started"))
    );
    let unavailable = judged(&[StockObservation {
        snapshots: Err("unavailable".to_owned()),
        ..observed(snapshot(40, 0, 10), (10, 10), 50)
    }]);
    assert_eq!(unavailable.skipped.as_deref(), Some("unavailable"));
}

/// Observations of a stock of 100 units. In each, two more are issued and one is under a grant;
/// `lost` units are missing.
fn under_load(lost: u64) -> Vec<StockObservation> {
    let at = |second: u64| {
        let issued = i64::try_from(2 * second).expect("few");
        let snapshot = Snapshot {
            total: 100,
            ..snapshot(100 - 2 * second - 1 - lost, 1, 2 * second)
        };
        observed(snapshot, (issued - 1, issued + 1), 100)
    };
    (1..20).map(at).collect()
}

#[test]
fn while_draws_go_on_the_sum_is_within_bounds() {
    let sound = judged(&under_load(0));
    assert!(sound.ok(), "{sound}");
    assert!(
        judged(&under_load(1)).ok(),
        "units that move can hide this many"
    );
    let lost = judged(&under_load(2));
    assert_eq!(lost.violations_total, 1, "{lost}");
    // For two seconds an addition was recorded and not yet delivered.
    let mut delivered = under_load(0);
    for observed in &mut delivered[2..4] {
        observed.totals = counts(150);
    }
    for observed in &mut delivered[4..] {
        observed.totals = counts(150);
        observed
            .snapshots
            .iter_mut()
            .flatten()
            .for_each(|snapshot| {
                snapshot.total = 150;
                snapshot.left += 50;
            });
    }
    assert!(judged(&delivered).ok());
}

/// A server that stores its snapshots before each second observation; they are a second old then.
#[test]
fn snapshots_stored_at_intervals_are_compared_with_earlier_counters() {
    let stored = |lost: u64| -> Vec<StockObservation> {
        let at = |second: u64| {
            let seen = 2 * (second / 2 * 2);
            let snapshot = Snapshot {
                total: 100,
                ..snapshot(100 - seen - lost, 0, seen)
            };
            let issued = i64::try_from(2 * second + 1).expect("few");
            StockObservation {
                issued_before: None,
                ..observed(snapshot, (0, issued), 100)
            }
        };
        (1..20).map(at).collect()
    };
    let sound = judged(&stored(0));
    assert!(sound.ok(), "{sound}");
    let lost = judged(&stored(20));
    assert_eq!(lost.violations_total, 1, "{lost}");
    let still = StockObservation {
        issued_before: None,
        ..observed(snapshot(40, 0, 10), (0, 10), 50)
    };
    assert!(judged(&[still]).ok());
}

#[test]
fn at_rest_the_next_start_must_have_enough_units() {
    let at_rest = |issued, total| {
        judged(&[StockObservation {
            held: false,
            ..observed(snapshot(7, 7, 7), (issued, issued), total)
        }])
    };
    // The snapshots of a server that has stopped do not matter.
    assert!(at_rest(50, 50).ok());
    assert_eq!(
        at_rest(51, 50).violations,
        ["activity 1, award 102: 51 units are issued, but the total is 50"]
    );
    assert_eq!(
        at_rest(0, -1).violations,
        ["activity 1, award 102: its stock operations sum to -1"]
    );
}

fn segment(number: i64, server: i64, total: i64) -> StoredSegment {
    StoredSegment {
        item: ItemKey::award(1, 102),
        number,
        server,
        total,
    }
}

fn segments(segments: &[StoredSegment], withdrawing: i64, total: i64) -> CheckReport {
    let read = StoredSegments {
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
fn segments_sum_to_stock_operations() {
    let three = [segment(0, 1, 20), segment(1, 2, 15), segment(2, 1, 15)];
    assert!(segments(&three, 0, 50).ok());
    assert!(segments(&three, 4, 54).ok(), "being withdrawn");
    let less = segments(&three, 0, 51);
    assert_eq!(
        less.violations,
        ["activity 1, award 102: its segments have 50 units, stock operations sum to 51"]
    );
    let given = segments(&three, 4, 50);
    let expected = "activity 1, award 102: its segments have 50 units and 4 that are being withdrawn, stock \
                    operations sum to 50";
    assert_eq!(given.violations, [expected]);
    assert_eq!(
        segments(&[], 0, 50).violations_total,
        1,
        "no segment at all"
    );
}

#[test]
fn segments_are_on_their_servers() {
    let astray = segments(&[segment(0, 2, 50)], 0, 50);
    assert_eq!(
        astray.violations,
        ["activity 1, award 102: segment 0 is on server 2; it belongs on server 1"]
    );
    let beyond = segments(&[segment(0, 1, 25), segment(3, 2, 25)], 0, 50);
    assert_eq!(
        beyond.violations,
        ["activity 1, award 102: segment 3 is on server 2; the layout has 3 segments"]
    );
    let negative = segments(&[segment(0, 1, 51), segment(1, 2, -1)], 0, 50);
    assert_eq!(
        negative.violations,
        ["activity 1, award 102: segment 1 has a total of -1"]
    );
}
