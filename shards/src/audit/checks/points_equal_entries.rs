//! A user's account of points is the last balance of the ledger. Entries are numbered from 1 without
//! a gap, and each balance is the one before plus the amount. Each entry is that of one order which
//! pays or takes points, and each such order has one entry.
//!
//! Orders from before promise nothing, and have no entries.
use std::collections::BTreeMap;

use super::row_check::RowCheck;
use crate::audit::history::{DrawHistory, RowContext};
use crate::audit::report::{CheckReport, LISTED_MAX};
use crate::audit::rows::{BesideDraws, StoredEntry, StoredOrder, StoredPoints, StoredRecharge};

/// What an order promises that pays points.
const PAYS_POINTS: i64 = 2;

/// Looks for the entries of one part of a user's orders at a time. All entries come with each part.
#[derive(Debug, Default)]
pub(super) struct PointsEqualEntries {
    account: StoredPoints,
    /// The last entry of the chain, as it must be. The first part follows it.
    last: StoredPoints,
    /// Whether the chain was followed to its end.
    followed: bool,
    /// What moved points and whose entry has not come yet, by the id of the order.
    moved: BTreeMap<i64, Moved>,
    /// How many entries came, and how many of them were those of an order.
    entries: u64,
    matched: u64,
    /// Entries that no order of this part has; the first ones.
    strange: Vec<(i64, Box<str>)>,
}

/// The entry that an order must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Moved {
    trade: &'static str,
    activity: i64,
    amount: i64,
}

impl RowCheck for PointsEqualEntries {
    fn name(&self) -> &'static str {
        "points_equal_entries"
    }

    fn user(&mut self, _: &mut CheckReport, _: &RowContext<'_>, beside: &BesideDraws<'_>) {
        *self = Self {
            account: beside.points.unwrap_or_default(),
            moved: beside.recharges.iter().filter_map(moved_by).collect(),
            ..Self::default()
        };
    }

    fn order(
        &mut self,
        _: &mut CheckReport,
        _: &RowContext<'_>,
        history: &DrawHistory,
        order: &StoredOrder,
    ) {
        if order.promise == PAYS_POINTS {
            let moved = Moved {
                trade: "prize",
                activity: history.activity,
                amount: order.points,
            };
            self.moved.insert(order.id, moved);
        }
    }

    fn entry(
        &mut self,
        report: &mut CheckReport,
        context: &RowContext<'_>,
        user: &str,
        entry: &StoredEntry,
    ) {
        let at = context.at;
        if !self.followed {
            report.checked += 1;
            self.entries += 1;
            self.follow(report, context, user, entry);
        }
        let order = entry.business.parse().ok();
        let Some(moved) = order.and_then(|order: i64| self.moved.remove(&order)) else {
            if self.strange.len() < LISTED_MAX {
                self.strange.push((entry.number, entry.business.clone()));
            }
            return;
        };
        self.matched += 1;
        let stored = (&*entry.trade, entry.activity, entry.amount);
        if stored != (moved.trade, moved.activity, moved.amount) {
            let (number, business) = (entry.number, &entry.business);
            report.violation(|| {
                format!(
                    "{at}: entry {number} of user {user:?} says trade, activity and amount {stored:?}, order \
                     {business} {:?}",
                    (moved.trade, moved.activity, moved.amount)
                )
            });
        }
    }

    fn entries_over(
        &mut self,
        report: &mut CheckReport,
        context: &RowContext<'_>,
        user: &str,
        last: bool,
    ) {
        let at = context.at;
        let is_only_part = last && !self.followed;
        for (order, Moved { trade, amount, .. }) in std::mem::take(&mut self.moved) {
            report.violation(|| {
                format!(
                    "{at}: order {order} of user {user:?} moved {amount} hundredths of a point ({trade}) and has \
                     no entry"
                )
            });
        }
        if !self.followed {
            self.followed = true;
            self.compare_account(report, context, user);
        }
        let strange = std::mem::take(&mut self.strange);
        let left = if last {
            self.entries.saturating_sub(self.matched)
        } else {
            0
        };
        // Of several parts it is unknown which entries those of the others are.
        for (number, business) in strange
            .iter()
            .take(if is_only_part { LISTED_MAX } else { 0 })
        {
            report.violation(|| {
                format!(
                    "{at}: entry {number} of user {user:?} is of order {business:?}, which moved no points of this \
                     user or has another entry"
                )
            });
        }
        if !is_only_part && left > 0 {
            report.violation(|| {
                format!("{at}: {left} entries of user {user:?} are of no order that moved points")
            });
        }
    }
}

impl PointsEqualEntries {
    fn follow(
        &mut self,
        report: &mut CheckReport,
        context: &RowContext<'_>,
        user: &str,
        entry: &StoredEntry,
    ) {
        let at = context.at;
        let expected = StoredPoints {
            balance: self.last.balance.saturating_add(entry.amount),
            entries: self.last.entries + 1,
        };
        let stored = StoredPoints {
            balance: entry.balance,
            entries: entry.number,
        };
        self.last = stored;
        if stored != expected || stored.balance < 0 {
            report.violation(|| {
                format!(
                    "{at}: an entry of user {user:?} has the number {} and the balance {}; {} and {} follow from \
                     the one before",
                    stored.entries, stored.balance, expected.entries, expected.balance
                )
            });
        }
    }

    fn compare_account(&self, report: &mut CheckReport, context: &RowContext<'_>, user: &str) {
        let (at, account, last) = (context.at, self.account, self.last);
        if account != last {
            report.violation(|| {
                format!(
                    "{at}: the account of points of user {user:?} has {} hundredths after {} entries, the ledger {} \
                     after {}",
                    account.balance, account.entries, last.balance, last.entries
                )
            });
        }
    }
}

/// The entry that a recharge order must have, if it must have one.
fn moved_by(order: &StoredRecharge) -> Option<(i64, Moved)> {
    let moved = Moved {
        trade: order.trade()?,
        activity: order.activity,
        amount: order.points,
    };
    Some((order.id, moved))
}
