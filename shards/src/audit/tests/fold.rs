//! The pure parts, fault by fault.
use jiff::Timestamp;
use router::{OrderNumbers, Run, Slot, SlotMap};

use super::super::Report;
use super::super::checks::DrawChecks;
use super::super::draws::Walk;
use super::super::history::{Context, Place};
use super::super::known::Known;
use super::super::pages::Stored;
use super::super::rows::{LabelRepair, StoredAccount, StoredOrder};
use super::super::stock::Counts;
use super::{CAMPAIGN, check, first_violation, red, stored};

/// When the rows are read.
const NOW: &str = "2026-06-01T12:00:00+08:00";

const USER: &str = "u1";

/// One user's rows, in the order of the scan.
#[derive(Clone)]
struct Table {
    user: &'static str,
    account: Option<StoredAccount>,
    orders: Vec<StoredOrder>,
    repairs: Vec<LabelRepair>,
}

/// Three draws on one day, the third from the weight rule, and one on the next.
fn sound() -> Table {
    let account = StoredAccount {
        activity: 1,
        granted: 10,
        used: 4,
        day: 20_260_102,
        day_used: 1,
        month_used: 4,
    };
    let mut numbers = OrderNumbers::new(Run::new(1).expect("run"));
    let mut order = |ordinal, at: &str, day| {
        let id = numbers
            .next(Slot::of(USER))
            .expect("a number")
            .cast_signed();
        let at: Timestamp = at.parse().expect("timestamp");
        StoredOrder {
            id,
            ordinal,
            day,
            created_at_ms: at.as_millisecond(),
            ..points()
        }
    };
    let orders = vec![
        order(1, "2026-01-01T00:00:00+08:00", 20_260_101),
        order(2, "2026-01-01T00:00:00+08:00", 20_260_101),
        StoredOrder {
            award: 102,
            award_title: "mug".into(),
            award_index: 2,
            rule: "rule_weight".into(),
            stocked: 1,
            ..order(3, "2026-01-01T23:59:59+08:00", 20_260_101)
        },
        order(4, "2026-01-02T00:00:00+08:00", 20_260_102),
    ];
    Table {
        user: USER,
        account: Some(account),
        orders,
        repairs: Vec::new(),
    }
}

fn points() -> StoredOrder {
    StoredOrder {
        activity: 1,
        id: 0,
        version: 1,
        ordinal: 0,
        day: 0,
        award: 101,
        award_title: "points".into(),
        award_index: 1,
        rule: "rule_default".into(),
        stocked: 0,
        created_at_ms: 0,
        request: "k".into(),
        seq: 0,
        asked: 1,
    }
}

impl Table {
    fn stored(&self) -> Stored {
        let accounts = self.account.into_iter().collect();
        Stored {
            accounts,
            calls: Vec::new(),
            orders: self.orders.clone(),
            others: Vec::new(),
            repairs: self.repairs.clone(),
        }
    }

    fn account(&mut self) -> &mut StoredAccount {
        self.account.as_mut().expect("an account")
    }
}

/// Folds tables under these versions of the campaign, read from a place in a map of two tables.
fn fold_at(place: Place, texts: &[&str], tables: &[Table]) -> (Report, Counts) {
    fold_when(NOW, place, texts, tables)
}

fn fold_when(now: &str, place: Place, texts: &[&str], tables: &[Table]) -> (Report, Counts) {
    let mut known = Known {
        claimed_runs: 1,
        ..Known::default()
    };
    known.versions.learn(
        &(1..)
            .zip(texts)
            .map(|(version, text)| stored(version, text))
            .collect::<Vec<_>>(),
    );
    let map = SlotMap::even(1, 1, 2).expect("a map");
    let context = Context {
        place,
        map: &map,
        known: &known,
        now: now.parse().expect("timestamp"),
    };
    let mut checks = DrawChecks::default();
    for table in tables {
        Walk::new(&mut checks).user(&context, table.user, table.stored());
    }
    let stocked = checks.stocked().clone();
    (
        Report {
            checks: checks.found(&known.versions),
        },
        stocked,
    )
}

fn home() -> Place {
    let map = SlotMap::even(1, 1, 2).expect("a map");
    Place {
        shard: 0,
        table: map.route(USER).table().get(),
    }
}

fn fold(table: Table) -> Report {
    fold_at(home(), &[CAMPAIGN], &[table]).0
}

/// Changes sound rows and says what is found.
fn after(change: impl FnOnce(&mut Table)) -> Report {
    let mut table = sound();
    change(&mut table);
    fold(table)
}

#[track_caller]
fn assert_red(report: &Report, name: &str, violation: &str) {
    assert_eq!(red(report), [name], "{report}");
    assert!(
        first_violation(report).contains(violation),
        "{violation:?} is not in {report}"
    );
}

#[test]
fn sound_rows_are_all_green_and_counted() {
    let (report, stocked) = fold_at(home(), &[CAMPAIGN], &[sound()]);
    assert_eq!(red(&report), [""; 0], "{report}");
    assert_eq!(stocked, Counts::from([((1, 102), 1)]));
    let checked: Vec<_> = report
        .checks
        .iter()
        .map(|check| (check.name, check.checked))
        .collect();
    assert_eq!(
        checked[1..],
        [
            ("rows_on_their_shard", 5),
            ("chances_match_orders", 1),
            // Two days and a month.
            ("day_and_month_limits", 3),
            // Four orders and a version.
            ("orders_match_their_campaign", 5),
            ("calls_are_whole", 4),
            ("chances_granted_as_published", 1),
            // The account and its orders.
            ("orders_not_in_the_future", 5),
            ("order_ids_are_unique", 4),
        ]
    );
}

#[test]
fn an_account_without_draws_is_sound_until_it_says_otherwise() {
    let idle = |used| Table {
        user: USER,
        account: Some(StoredAccount {
            activity: 1,
            granted: 10,
            used,
            ..StoredAccount::default()
        }),
        orders: Vec::new(),
        repairs: Vec::new(),
    };
    assert_eq!(red(&fold(idle(0))), [""; 0]);
    assert_red(
        &fold(idle(1)),
        "chances_match_orders",
        "used is 1, its orders say 0",
    );
}

#[test]
fn counters_that_differ_from_the_orders_are_found() {
    let name = "chances_match_orders";
    assert_red(
        &after(|table| table.account().used = 3),
        name,
        "used is 3, its orders say 4",
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
        "day is 20260103, its orders say 20260102",
    );
    assert_red(
        &after(|table| table.account().day_used = 0),
        name,
        "day_used is 0, its orders say 1",
    );
    assert_red(
        &after(|table| table.account().month_used = 5),
        name,
        "month_used is 5, its orders say 4",
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
        "is numbered 1, not 2",
    );
    let gap = after(|table| {
        table.orders.remove(1);
        table.account().used = 3;
        table.account().month_used = 3;
    });
    assert_red(&gap, name, "is numbered 3, not 2");
    assert_eq!(
        check(&gap, name).violations_total,
        1,
        "what follows a gap is not reported again"
    );
}

#[test]
fn a_day_before_the_last_one_is_found() {
    let report = after(|table| table.orders[3].day = 20_251_231);
    // Such a label is also none that the server gives at that time.
    assert_eq!(
        red(&report),
        ["chances_match_orders", "orders_match_their_campaign"]
    );
    assert!(
        first_violation(&report).contains("is of day 20251231, the one before of 20260101"),
        "{report}"
    );
}

#[test]
fn limits_are_those_of_the_widest_version() {
    let narrow = CAMPAIGN.replace("day_limit = 3", "day_limit = 2");
    let (report, _) = fold_at(home(), &[&narrow], &[sound()]);
    assert_red(
        &report,
        "day_and_month_limits",
        "has 3 orders in 20260101, the limit is 2",
    );
    let (report, _) = fold_at(home(), &[CAMPAIGN, &narrow], &[sound()]);
    assert_eq!(red(&report), [""; 0], "an earlier version allowed them");
    let narrow = CAMPAIGN.replace("month_limit = 5", "month_limit = 3");
    let (report, _) = fold_at(home(), &[&narrow], &[sound()]);
    assert_red(
        &report,
        "day_and_month_limits",
        "has 4 orders in 202601, the limit is 3",
    );
}

#[test]
fn rows_in_another_table_are_found() {
    let elsewhere = Place {
        shard: 0,
        table: 1 - home().table,
    };
    let (report, _) = fold_at(elsewhere, &[CAMPAIGN], &[sound()]);
    let (there, here) = (elsewhere.table, home().table);
    assert_eq!(
        red(&report),
        ["rows_on_their_shard", "order_ids_are_unique"],
        "{report}"
    );
    let expected = format!(
        "shard 0, table {there}: the account of user \"u1\" in activity 1 belongs to shard 0, table {here}"
    );
    assert!(first_violation(&report).contains(&expected), "{report}");
    assert_eq!(check(&report, "rows_on_their_shard").violations_total, 5);
}

#[test]
fn an_order_id_with_another_users_slot_is_found() {
    // Each second slot is one of this table.
    assert_red(
        &after(|table| table.orders[0].id += 2),
        "rows_on_their_shard",
        "carries the slot",
    );
    let minus = after(|table| table.orders[0].id = -1);
    assert_eq!(
        red(&minus),
        ["rows_on_their_shard", "order_ids_are_unique"],
        "{minus}"
    );
    assert!(
        first_violation(&minus).contains("carries the slot none"),
        "{minus}"
    );
}

type Change = fn(&mut StoredOrder);

#[test]
fn orders_that_their_version_cannot_have_made_are_found() {
    let faults: [(Change, &str); 15] = [
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
            "gave award 102, which is limited, without taking a unit",
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
            "it was made on 2025-12-31 at the activity, but counts for day 20260101",
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
fn each_rule_gives_what_is_its_own() {
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
    // The third draw is the weight rule's, so the whole pool cannot have given it.
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
    let place = Place {
        shard: 0,
        table: route.table().get(),
    };
    let (report, _) = fold_at(place, &[CAMPAIGN], &[forced]);
    assert_eq!(red(&report), [""; 0], "{report}");
}

#[test]
fn a_clock_that_was_ahead_makes_the_next_day_label_late() {
    let late = after(|table| {
        table.orders[3].day = 20_260_102;
        table.orders[3].created_at_ms -= 1;
    });
    // Nothing before it is of that day, so no clock can have been ahead.
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
    let (report, _) = fold_at(home(), &[&closed], &[sound()]);
    assert_red(
        &report,
        "orders_match_their_campaign",
        "the activity is not open in this version",
    );
}

#[test]
fn a_version_that_cannot_be_read_is_reported_once() {
    let (report, _) = fold_at(home(), &["format = 1", CAMPAIGN], &[sound()]);
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
        "nobody knows its limits"
    );
    let other = CAMPAIGN.replacen("id = 1\n", "id = 2\n", 1);
    let (report, _) = fold_at(home(), &[&other], &[sound()]);
    assert_red(
        &report,
        "orders_match_their_campaign",
        "its file is of activity 2",
    );
}

/// The same rows as a call for three draws and one for another.
fn called() -> Table {
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
        fold(table)
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
        "is draw 2 of 3 under request id \"three\", and the one before it is not there",
    );
    found(
        &|orders| orders[2].seq = 3,
        "is draw 4 of 3 under request id \"three\", and the one before it is not there",
    );
    found(
        &|orders| orders[1].request = "other".into(),
        "under request id \"other\", and the one before it is not there",
    );
    found(
        &|orders| orders[1].asked = 4,
        "is draw 2 of 4 under request id \"three\", and the one before it is not there",
    );
    found(
        &|orders| orders[3].seq = 1,
        "is draw 2 of 1 under request id \"k\", and the one before it is not there",
    );
    found(
        &|orders| orders[..3].iter_mut().for_each(|order| order.asked = 2),
        "which is one too many",
    );
    found(
        &|orders| orders[2].request = "k".into(),
        "has 2 draws of 3, the version makes all or none",
    );
    found(
        &|orders| orders[..3].iter_mut().for_each(|order| order.asked = 4),
        "has 3 draws of 4",
    );
}

#[test]
fn a_call_may_fall_short_where_its_version_says_so() {
    let partial = CAMPAIGN.replacen("state =", "when_chances_short = \"partial\"\nstate =", 1);
    let mut table = called();
    table.orders[..3]
        .iter_mut()
        .for_each(|order| order.asked = 10);
    assert_eq!(red(&fold_at(home(), &[&partial], &[table]).0), [""; 0]);
}

#[test]
fn users_and_activities_are_kept_apart() {
    let second = Table {
        user: "u1 ",
        ..sound()
    };
    let (report, _) = fold_at(home(), &[CAMPAIGN], &[sound(), second]);
    assert_eq!(check(&report, "chances_match_orders").checked, 2);
    assert!(check(&report, "chances_match_orders").ok(), "{report}");
}

#[test]
fn chances_that_no_version_welcomes_with_are_found() {
    let name = "chances_granted_as_published";
    let rich = after(|table| table.account().granted = 11);
    assert_red(
        &rich,
        name,
        "was granted 11 chances and 0 by recharge orders; version 1, which the first order names, welcomes with 10",
    );
    // The version of the first order counts, whatever later ones say.
    let later = CAMPAIGN.replace("welcome = 10", "welcome = 11");
    assert_eq!(
        red(&fold_at(home(), &[CAMPAIGN, &later], &[sound()]).0),
        [""; 0]
    );
    let idle = |granted| Table {
        user: USER,
        account: Some(StoredAccount {
            activity: 1,
            granted,
            ..StoredAccount::default()
        }),
        orders: Vec::new(),
        repairs: Vec::new(),
    };
    assert_eq!(
        red(&fold_at(home(), &[CAMPAIGN, &later], &[idle(11)]).0),
        [""; 0]
    );
    assert_red(
        &fold(idle(11)),
        name,
        "no version of the activity welcomes with as many",
    );
}

#[test]
fn an_id_of_another_table_or_of_a_run_that_nobody_claimed_is_found() {
    let name = "order_ids_are_unique";
    let unclaimed = after(|table| table.orders[1].id += 1 << 38);
    assert_red(
        &unclaimed,
        name,
        "its id is of run 2, and runs were claimed up to 1",
    );
    assert_red(
        &after(|table| table.orders[1].id &= (1 << 38) - 1),
        name,
        "no lane can have given it this id",
    );
    let other = after(|table| table.orders[1].id += 1);
    assert_eq!(red(&other), ["rows_on_their_shard", name], "{other}");
    assert!(
        check(&other, name).violations[0].contains("its id is one of shard 0, table "),
        "{other}"
    );
}

#[test]
fn orders_of_days_that_have_not_begun_are_found() {
    let name = "orders_not_in_the_future";
    // The third and the fourth order are of days that begin later.
    let at = |now| fold_when(now, home(), &[CAMPAIGN], &[sound()]).0;
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
    // A moment more than a day ahead, whatever the label says.
    let late = after(|table| table.orders[3].created_at_ms += 200 * 24 * 60 * 60 * 1000);
    assert!(red(&late).contains(&name), "{late}");
    assert!(
        check(&late, name).violations[0]
            .contains("by the database's clock it is 2026-06-01T04:00:00Z"),
        "{late}"
    );
}

/// Two draws on a day, two by a clock that was forty days ahead, and then the account was set back.
fn set_back() -> Table {
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
fn what_a_repair_noted_is_accepted_and_nothing_else() {
    let soon = "2026-01-02T12:00:00+08:00";
    let fold = |table: Table| fold_when(soon, home(), &[CAMPAIGN], &[table]).0;
    assert_eq!(red(&fold(set_back())), [""; 0], "{}", fold(set_back()));
    let mut unnoted = set_back();
    unnoted.repairs.clear();
    assert_eq!(
        red(&fold(unnoted)),
        ["chances_match_orders", "orders_not_in_the_future"]
    );
    let mut earlier = set_back();
    earlier.repairs[0].used = 3;
    assert!(
        red(&fold(earlier)).contains(&"orders_not_in_the_future"),
        "the fourth was drawn after it"
    );
    // What was drawn before it was within the limits of that day, too.
    let narrow = CAMPAIGN.replace("day_limit = 3", "day_limit = 1");
    let (report, _) = fold_when(soon, home(), &[&narrow], &[set_back()]);
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
    let report = fold_when(soon, home(), &[CAMPAIGN], std::slice::from_ref(&table)).0;
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
    let report = fold_when(soon, home(), &[CAMPAIGN], &[table]).0;
    assert_eq!(red(&report), [""; 0], "{report}");
}

#[test]
fn orders_that_belong_to_no_call_or_to_two_are_found() {
    let compared = |counts, strays: &[(i64, String)], all_whole| {
        let mut checks = DrawChecks::default();
        checks.requests.compare(home(), counts, strays, all_whole);
        Report {
            checks: checks.found(&Known::default().versions),
        }
    };
    let name = "one_order_per_request";
    let sound = compared((3, 3), &[], true);
    assert_eq!((red(&sound), check(&sound, name).checked), (Vec::new(), 3));
    let stray = compared((4, 3), &[(7, USER.to_owned())], true);
    assert_red(
        &stray,
        name,
        "order 7 of user \"u1\" belongs to no request id",
    );
    let twice = compared((3, 4), &[], true);
    assert_red(&twice, name, "the request ids name 4 orders, 3 are there");
    let lost = compared((3, 4), &[], false);
    assert_eq!(red(&lost), [""; 0], "calls_are_whole says so");
}
