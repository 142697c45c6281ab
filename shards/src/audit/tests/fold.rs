//! The pure parts, fault by fault.
use jiff::Timestamp;
use market::batch::Prize;
use market::{ActivityId, AwardId};
use router::{OrderNumbers, Run, Slot, SlotMap};

use super::super::Report;
use super::super::campaigns::Versions;
use super::super::draws::{Fold, Place};
use super::super::report::{Check, Checks};
use super::super::rows::{Content, StoredAccount, StoredOrder, StoredRow};
use super::super::stock::{Counts, Look, Sum, check_counters, check_oversold};
use super::{CAMPAIGN, first_violation, red, stored};
use crate::stock::Picture;

const USER: &str = "u1";

/// One user's rows, in the order of the scan.
#[derive(Clone)]
struct Table {
    user: &'static str,
    account: Option<StoredAccount>,
    orders: Vec<StoredOrder<'static>>,
}

/// Three draws on one day, the third from the weight rule, and one on the next.
fn sound() -> Table {
    let account = StoredAccount { granted: 10, used: 4, day: 20_260_102, day_used: 1, month_used: 4 };
    let mut numbers = OrderNumbers::new(Run::new(1).expect("run"));
    let mut order = |ordinal, at: &str, day| {
        let id = numbers.next(Slot::of(USER)).expect("a number").cast_signed();
        let at: Timestamp = at.parse().expect("timestamp");
        StoredOrder { id, ordinal, day, created_at_ms: at.as_millisecond(), ..points() }
    };
    let orders = vec![
        order(1, "2026-01-01T00:00:00+08:00", 20_260_101),
        order(2, "2026-01-01T00:00:00+08:00", 20_260_101),
        StoredOrder {
            award: 102,
            award_title: "mug",
            award_index: 2,
            rule: "rule_weight",
            stocked: 1,
            ..order(3, "2026-01-01T23:59:59+08:00", 20_260_101)
        },
        order(4, "2026-01-02T00:00:00+08:00", 20_260_102),
    ];
    Table { user: USER, account: Some(account), orders }
}

fn points() -> StoredOrder<'static> {
    StoredOrder {
        id: 0,
        version: 1,
        ordinal: 0,
        day: 0,
        award: 101,
        award_title: "points",
        award_index: 1,
        rule: "rule_default",
        stocked: 0,
        created_at_ms: 0,
        request: "k",
        seq: 0,
        asked: 1,
    }
}

impl Table {
    fn rows(&self) -> Vec<StoredRow<'static>> {
        let account = self.account.map(Content::Account);
        let contents = account.into_iter().chain(self.orders.iter().copied().map(Content::Order));
        contents.map(|content| StoredRow { user: self.user, activity: 1, content }).collect()
    }

    fn account(&mut self) -> &mut StoredAccount {
        self.account.as_mut().expect("an account")
    }
}

fn versions(checks: &mut Checks, texts: &[&str]) -> Versions {
    let stored: Vec<_> = (1..).zip(texts).map(|(version, text)| stored(version, text)).collect();
    let mut versions = Versions::default();
    versions.learn(&stored, &mut checks.orders_match_their_campaign);
    versions
}

/// Folds tables under these versions of the campaign, read from a place in a map of two tables.
fn fold_at(place: Place, texts: &[&str], tables: &[Table]) -> (Report, Counts) {
    let (mut checks, mut stocked) = (Checks::new(), Counts::new());
    let versions = versions(&mut checks, texts);
    let map = SlotMap::even(1, 1, 2).expect("a map");
    let mut fold =
        Fold { place, map: &map, versions: &versions, checks: &mut checks, stocked: &mut stocked, history: None };
    tables.iter().flat_map(Table::rows).for_each(|row| fold.row(&row));
    fold.finish();
    (checks.report(), stocked)
}

fn home() -> Place {
    let map = SlotMap::even(1, 1, 2).expect("a map");
    Place { shard: 0, table: map.route(USER).table().get() }
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
    assert!(first_violation(report).contains(violation), "{violation:?} is not in {report}");
}

#[test]
fn sound_rows_are_all_green_and_counted() {
    let (report, stocked) = fold_at(home(), &[CAMPAIGN], &[sound()]);
    assert_eq!(red(&report), [""; 0], "{report}");
    assert_eq!(stocked, Counts::from([((1, 102), 1)]));
    let checked: Vec<_> = report.checks.iter().map(|check| (check.name, check.checked)).collect();
    assert_eq!(
        checked[3..],
        [
            ("one_order_per_request", 4),
            ("rows_on_their_shard", 5),
            ("chances_match_orders", 1),
            // Two days and a month.
            ("day_and_month_limits", 3),
            // Four orders and a version.
            ("orders_match_their_campaign", 5),
            ("calls_are_whole", 4),
        ]
    );
}

#[test]
fn an_account_without_draws_is_sound_until_it_says_otherwise() {
    let idle = |used| Table {
        user: USER,
        account: Some(StoredAccount { granted: 10, used, ..StoredAccount::default() }),
        orders: Vec::new(),
    };
    assert_eq!(red(&fold(idle(0))), [""; 0]);
    assert_red(&fold(idle(1)), "chances_match_orders", "used is 1, its orders say 0");
}

#[test]
fn counters_that_differ_from_the_orders_are_found() {
    let name = "chances_match_orders";
    assert_red(&after(|table| table.account().used = 3), name, "used is 3, its orders say 4");
    assert_red(&after(|table| table.account().granted = 3), name, "4 chances are used and 3 were granted");
    assert_red(&after(|table| table.account().day = 20_260_103), name, "day is 20260103, its orders say 20260102");
    assert_red(&after(|table| table.account().day_used = 0), name, "day_used is 0, its orders say 1");
    assert_red(&after(|table| table.account().month_used = 5), name, "month_used is 5, its orders say 4");
    assert_red(&after(|table| table.account = None), name, "has 4 orders and no account");
}

#[test]
fn ordinals_count_up_from_one() {
    let name = "chances_match_orders";
    assert_red(&after(|table| table.orders[1].ordinal = 1), name, "is numbered 1, not 2");
    let gap = after(|table| {
        table.orders.remove(1);
        table.account().used = 3;
        table.account().month_used = 3;
    });
    assert_red(&gap, name, "is numbered 3, not 2");
    assert_eq!(gap.checks[5].violations_total, 1, "what follows a gap is not reported again");
}

#[test]
fn a_day_before_the_last_one_is_found() {
    let report = after(|table| table.orders[3].day = 20_251_231);
    // Such a label is also none that the server gives at that time.
    assert_eq!(red(&report), ["chances_match_orders", "orders_match_their_campaign"]);
    assert!(first_violation(&report).contains("is of day 20251231, the one before of 20260101"), "{report}");
}

#[test]
fn limits_are_those_of_the_widest_version() {
    let narrow = CAMPAIGN.replace("day_limit = 3", "day_limit = 2");
    let (report, _) = fold_at(home(), &[&narrow], &[sound()]);
    assert_red(&report, "day_and_month_limits", "has 3 orders in 20260101, the limit is 2");
    let (report, _) = fold_at(home(), &[CAMPAIGN, &narrow], &[sound()]);
    assert_eq!(red(&report), [""; 0], "an earlier version allowed them");
    let narrow = CAMPAIGN.replace("month_limit = 5", "month_limit = 3");
    let (report, _) = fold_at(home(), &[&narrow], &[sound()]);
    assert_red(&report, "day_and_month_limits", "has 4 orders in 202601, the limit is 3");
}

#[test]
fn rows_in_another_table_are_found() {
    let elsewhere = Place { shard: 0, table: 1 - home().table };
    let (report, _) = fold_at(elsewhere, &[CAMPAIGN], &[sound()]);
    let (there, here) = (elsewhere.table, home().table);
    assert_red(
        &report,
        "rows_on_their_shard",
        &format!("shard 0, table {there}: the account of user \"u1\" in activity 1 belongs to shard 0, table {here}"),
    );
    assert_eq!(report.checks[4].violations_total, 5);
}

#[test]
fn an_order_id_with_another_users_slot_is_found() {
    assert_red(&after(|table| table.orders[0].id += 1), "rows_on_their_shard", "carries the slot");
    assert_red(&after(|table| table.orders[0].id = -1), "rows_on_their_shard", "carries the slot none");
}

type Change = fn(&mut StoredOrder<'static>);

#[test]
fn orders_that_their_version_cannot_have_made_are_found() {
    let faults: [(Change, &str); 15] = [
        (|order| order.version = 9, "there is no such version"),
        (|order| order.award = 999, "the version has no award 999"),
        (|order| order.award_title = "pints", "is titled \"pints\", in the version \"points\""),
        (|order| order.award_index = 2, "has the index 2, in the version 1"),
        (|order| order.stocked = 1, "took a unit of award 101, which has no stock"),
        (|order| order.stocked = 2, "stocked is 2"),
        (|order| *order = mug(order, "rule_default", 0), "gave award 102, which is limited, without taking a unit"),
        (|order| *order = mug(order, "rule_luck_award", 1), "took a unit of stock for a consolation"),
        (|order| *order = mug(order, "rule_luck_award", 0), "rule_luck_award cannot have given this user award 102"),
        (|order| *order = mug(order, "rule_weight", 1), "rule_weight cannot have given this user award 102 on draw 1"),
        (|order| order.rule = "rule_blacklist", "rule_blacklist cannot have given this user award 101"),
        (|order| order.rule = "rule_lock", "\"rule_lock\" is no rule"),
        (|order| *order = badge(order), "rule_default cannot have given this user award 103"),
        (|order| order.created_at_ms = 0, "outside the activity's window"),
        (|order| order.created_at_ms -= 1, "it was made on 2025-12-31 at the activity, but counts for day 20260101"),
    ];
    for (change, violation) in faults {
        let report = after(|table| change(&mut table.orders[0]));
        assert_red(&report, "orders_match_their_campaign", violation);
        assert_eq!(report.checks[7].violations_total, 1);
    }
}

fn mug(order: &StoredOrder<'static>, rule: &'static str, stocked: i64) -> StoredOrder<'static> {
    StoredOrder { award: 102, award_title: "mug", award_index: 2, rule, stocked, ..*order }
}

/// The badge has the rate 0: only the blacklist gives it.
fn badge(order: &StoredOrder<'static>) -> StoredOrder<'static> {
    StoredOrder { award: 103, award_title: "badge", award_index: 3, ..*order }
}

#[test]
fn each_rule_gives_what_is_its_own() {
    let consoled = after(|table| {
        let order = &mut table.orders[2];
        *order = StoredOrder {
            award: 104,
            award_title: "consolation",
            award_index: 4,
            rule: "rule_luck_award",
            stocked: 0,
            ..*order
        };
    });
    assert_eq!(red(&consoled), [""; 0], "{consoled}");
    // The third draw is the weight rule's, so the whole pool cannot have given it.
    let drawn = after(|table| table.orders[2].rule = "rule_default");
    assert_red(&drawn, "orders_match_their_campaign", "rule_default cannot have given this user award 102 on draw 3");
    let mut forced = sound();
    forced.user = "banned";
    for order in &mut forced.orders {
        order.id = (order.id >> 10 << 10) + i64::from(Slot::of("banned").get());
        *order = StoredOrder { rule: "rule_blacklist", stocked: 0, ..badge(order) };
    }
    let route = SlotMap::even(1, 1, 2).expect("a map").route("banned");
    let place = Place { shard: 0, table: route.table().get() };
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
    assert_red(&late, "orders_match_their_campaign", "counts for day 20260102");
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
    assert_red(&report, "orders_match_their_campaign", "the activity is not open in this version");
}

#[test]
fn a_version_that_cannot_be_read_is_reported_once() {
    let (report, _) = fold_at(home(), &["format = 1", CAMPAIGN], &[sound()]);
    assert_red(&report, "orders_match_their_campaign", "version 1 of activity 1 cannot be read: ");
    assert_eq!(report.checks[7].violations_total, 1);
    assert_eq!(report.checks[6].checked, 0, "nobody knows its limits");
    let other = CAMPAIGN.replacen("id = 1\n", "id = 2\n", 1);
    let (report, _) = fold_at(home(), &[&other], &[sound()]);
    assert_red(&report, "orders_match_their_campaign", "its file is of activity 2");
}

/// The same rows as a call for three draws and one for another.
fn called() -> Table {
    let mut table = sound();
    for (seq, order) in (0..).zip(&mut table.orders[..3]) {
        *order = StoredOrder { request: "three", seq, asked: 3, ..*order };
    }
    table
}

#[test]
fn a_call_that_is_not_whole_is_found() {
    let after = |change: &dyn Fn(&mut [StoredOrder<'static>])| {
        let mut table = called();
        change(&mut table.orders);
        fold(table)
    };
    let whole = after(&|_| {});
    assert_eq!((red(&whole), whole.checks[8].checked), (Vec::new(), 2), "{whole}");
    let found = |change: &dyn Fn(&mut [StoredOrder<'static>]), violation: &str| {
        let report = after(change);
        assert_eq!(red(&report), ["calls_are_whole"], "{report}");
        assert!(report.to_string().contains(violation), "{violation:?} is not in {report}");
    };
    found(&|orders| orders[0].seq = 1, "is draw 2 of 3 under request id \"three\", and the one before it is not there");
    found(&|orders| orders[2].seq = 3, "is draw 4 of 3 under request id \"three\", and the one before it is not there");
    found(&|orders| orders[1].request = "other", "under request id \"other\", and the one before it is not there");
    found(
        &|orders| orders[1].asked = 4,
        "is draw 2 of 4 under request id \"three\", and the one before it is not there",
    );
    found(&|orders| orders[3].seq = 1, "is draw 2 of 1 under request id \"k\", and the one before it is not there");
    found(&|orders| orders[..3].iter_mut().for_each(|order| order.asked = 2), "which is one too many");
    found(&|orders| orders[2].request = "k", "has 2 draws of 3, the version makes all or none");
    found(&|orders| orders[..3].iter_mut().for_each(|order| order.asked = 4), "has 3 draws of 4");
}

#[test]
fn a_call_may_fall_short_where_its_version_says_so() {
    let partial = CAMPAIGN.replacen("state =", "when_chances_short = \"partial\"\nstate =", 1);
    let mut table = called();
    table.orders[..3].iter_mut().for_each(|order| order.asked = 10);
    assert_eq!(red(&fold_at(home(), &[&partial], &[table]).0), [""; 0]);
}

#[test]
fn users_and_activities_are_kept_apart() {
    let second = Table { user: "u1 ", ..sound() };
    let (report, _) = fold_at(home(), &[CAMPAIGN], &[sound(), second]);
    assert_eq!(report.checks[5].checked, 2);
    assert_eq!(report.checks[5].ok(), Some(true), "{report}");
}

#[test]
fn overselling_is_found() {
    let mut check = Check::new("stock_not_oversold");
    check_oversold(&mut check, &Counts::from([((1, 102), 50)]), &Counts::from([((1, 102), 50), ((1, 105), 9)]));
    assert_eq!((check.ok(), check.checked), (Some(true), 2));
    check_oversold(&mut check, &Counts::from([((1, 102), 51), ((1, 103), 1)]), &Counts::from([((1, 102), 50)]));
    assert_eq!(
        check.violations,
        [
            "activity 1, award 102: 51 units are in orders and there are 50",
            "activity 1, award 103: 1 units are in orders and there are 0"
        ]
    );
}

#[test]
fn counters_are_compared_both_ways() {
    let mut check = Check::new("issued_counters_match_orders");
    check_counters(&mut check, 0, &Counts::from([((1, 1), 5)]), &Counts::from([((1, 1), 5)]));
    assert_eq!(check.ok(), Some(true));
    check_counters(&mut check, 3, &Counts::from([((1, 1), 5)]), &Counts::from([((1, 2), 5)]));
    assert_eq!(
        check.violations,
        [
            "shard 3, activity 1, award 1: award_issued says 0, 5 orders took a unit",
            "shard 3, activity 1, award 2: award_issued says 5, 0 orders took a unit"
        ]
    );
}

fn picture(left: u64, open: u64, issued: u64) -> Picture {
    let prize = Prize { activity: ActivityId::new(1).expect("id"), award: AwardId::new(102).expect("id") };
    Picture { prize, total: left + open + issued, left, open, issued }
}

fn look(held: bool, picture: Picture, issued: i64, total: i64) -> Look {
    let counts = |units| Counts::from([((1, 102), units)]);
    Look { held, pictures: Ok(vec![picture]), issued: counts(issued), totals: counts(total) }
}

fn faults(look: &Look) -> Vec<String> {
    match look.sum() {
        Sum::Wrong(_, faults) => faults,
        Sum::Right(_) | Sum::Unknown(_) => Vec::new(),
    }
}

#[test]
fn the_running_servers_stock_adds_up_or_not() {
    assert_eq!(look(true, picture(40, 0, 10), 10, 50).sum(), Sum::Right(1));
    assert!(matches!(look(true, picture(39, 1, 10), 10, 50).sum(), Sum::Unknown(_)));
    let lost = look(true, picture(40, 0, 10), 9, 50);
    assert_eq!(faults(&lost), ["activity 1, award 102: 40 units left and 9 issued are not the total of 50"]);
    let unknown = look(true, picture(40, 0, 10), 10, 60);
    assert_eq!(
        faults(&unknown),
        ["activity 1, award 102: the running server has 50 units, stock operations sum to 60"]
    );
    let other = Prize { award: AwardId::new(103).expect("id"), ..picture(0, 0, 0).prize };
    let missing = look(true, Picture { prize: other, ..picture(0, 0, 0) }, 10, 50);
    assert_eq!(faults(&missing), ["activity 1, award 102: the running server does not know its stock of 50"]);
    let starting = Look { pictures: Ok(Vec::new()), ..look(true, picture(40, 0, 10), 10, 50) };
    assert!(matches!(starting.sum(), Sum::Unknown(_)));
}

#[test]
fn at_rest_the_next_start_must_have_something_to_offer() {
    // What a server that is gone believed last does not matter.
    assert_eq!(look(false, picture(7, 7, 7), 50, 50).sum(), Sum::Right(1));
    let oversold = look(false, picture(7, 7, 7), 51, 50);
    assert_eq!(faults(&oversold), ["activity 1, award 102: 51 units are issued and there are 50"]);
    let negative = look(false, picture(7, 7, 7), 0, -1);
    assert_eq!(faults(&negative), ["activity 1, award 102: its stock operations sum to -1"]);
}
