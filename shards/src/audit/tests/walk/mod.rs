//! The checks that go by rows, fault by fault, without a database.
mod accounts;
mod calls;
mod campaigns;
mod future;
mod places;
mod points;
mod user_awards;

use crate::audit::stock::ItemKey;
use jiff::Timestamp;
use router::{OrderNumbers, Run, Slot, SlotMap};

use super::super::AuditReport;
use super::super::checks;
use super::super::draws::Walk;
use super::super::history::{RowContext, TableLocation};
use super::super::known::Known;
use super::super::pages::Stored;
use super::super::rows::{LabelRepair, StoredAccount, StoredOrder, StoredUserAward};
use super::super::stock::Counts;
use super::{CAMPAIGN, first_violation, red, stored};
use crate::installation::embedded::Folder;

/// When the rows are read.
const NOW: &str = "2026-06-01T12:00:00+08:00";

const USER: &str = "u1";

/// One user's rows, in the order of the walk.
#[derive(Clone)]
struct UserRows {
    user: &'static str,
    account: Option<StoredAccount>,
    orders: Vec<StoredOrder>,
    repairs: Vec<LabelRepair>,
    user_awards: Vec<StoredUserAward>,
}

/// Three draws on one day, the third from the weight rule, and one on the next.
fn sound() -> UserRows {
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
    UserRows {
        user: USER,
        account: Some(account),
        orders,
        repairs: Vec::new(),
        user_awards: Vec::new(),
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
        promise: 1,
        points: 0,
        created_at_ms: 0,
        request: "k".into(),
        seq: 0,
        asked: 1,
    }
}

impl UserRows {
    fn stored(&self) -> Stored {
        let accounts = self.account.into_iter().collect();
        Stored {
            accounts,
            calls: Vec::new(),
            orders: self.orders.clone(),
            repairs: self.repairs.clone(),
            user_awards: self.user_awards.clone(),
            ..Stored::default()
        }
    }

    fn account(&mut self) -> &mut StoredAccount {
        self.account.as_mut().expect("an account")
    }
}

/// Walks through the rows of users in a table of a map of two tables, under these versions of the
/// campaign.
fn walk_at(at: TableLocation, texts: &[&str], tables: &[UserRows]) -> (AuditReport, Counts) {
    walk_when(NOW, at, texts, tables)
}

fn walk_when(
    now: &str,
    at: TableLocation,
    texts: &[&str],
    tables: &[UserRows],
) -> (AuditReport, Counts) {
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
    let context = RowContext {
        at,
        map: &map,
        known: &known,
        now: now.parse().expect("timestamp"),
    };
    let mut checks = checks::by_rows::<Folder>();
    for table in tables {
        Walk::new(&mut checks).user(&context, table.user, table.stored());
    }
    let stocked = checks.stocked().clone();
    (
        AuditReport {
            checks: checks.into_reports(&known.versions),
        },
        stocked,
    )
}

fn home() -> TableLocation {
    let map = SlotMap::even(1, 1, 2).expect("a map");
    TableLocation {
        shard: 0,
        table: map.route(USER).table().get(),
    }
}

fn walk(table: UserRows) -> AuditReport {
    walk_at(home(), &[CAMPAIGN], &[table]).0
}

/// Changes sound rows. Returns what is found then.
fn after(change: impl FnOnce(&mut UserRows)) -> AuditReport {
    let mut table = sound();
    change(&mut table);
    walk(table)
}

#[track_caller]
fn assert_red(report: &AuditReport, name: &str, violation: &str) {
    assert_eq!(red(report), [name], "{report}");
    assert!(
        first_violation(report).contains(violation),
        "{violation:?} is not in {report}"
    );
}

#[test]
fn sound_rows_are_all_green_and_counted() {
    let (report, stocked) = walk_at(home(), &[CAMPAIGN], &[sound()]);
    assert_eq!(red(&report), [""; 0], "{report}");
    assert_eq!(stocked, Counts::from([(ItemKey::award(1, 102), 1)]));
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
            ("user_awards_match_orders", 0),
            // Four orders and a version.
            ("orders_match_their_campaign", 5),
            ("calls_are_whole", 4),
            ("chances_granted_as_published", 1),
            ("purchases_equal_chances", 0),
            ("points_equal_entries", 0),
            ("one_reward_per_behaviour", 0),
            // The account and its orders.
            ("orders_not_in_the_future", 5),
            ("order_ids_are_unique", 4),
        ]
    );
}
