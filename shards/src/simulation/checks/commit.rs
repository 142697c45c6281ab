//! What must hold of each commit.
use std::collections::{BTreeMap, BTreeSet};

use market::batch::StockItem;
use market::{Call, MadeCall, OrderId};

use super::kinds::{is_whole, items_taken};
use crate::simulation::clocks::{VERY_WRONG_MS, right_time};
use crate::simulation::rows::RowsByTable;
use crate::simulation::tables::{Counts, TableWrite};
use crate::simulation::world::WorldState;
use crate::store::tables::calls::ids_of;

impl WorldState {
    /// Checks what a commit has changed.
    pub(in crate::simulation) fn check_commit(&mut self, shard: usize, writes: &[TableWrite]) {
        let mut noted: BTreeMap<StockItem, u64> = BTreeMap::new();
        let (mut counted, mut receipt) = (Counts::new(), Counts::new());
        let (mut accounts, mut users) = (BTreeSet::new(), BTreeSet::new());
        for write in writes {
            match write {
                TableWrite::Call(call) => {
                    self.check_call(call);
                    users.insert(call.user.clone());
                }
                TableWrite::Row((_, id), _) => self.check_id(*id),
                TableWrite::Count((item, segment, ..), units) => {
                    *self.book.used.entry((*item, *segment)).or_default() += units;
                    *counted.entry((*item, *segment)).or_default() += units;
                    *noted.entry(*item).or_default() += units;
                }
                TableWrite::Receipt(_, row) => {
                    for part in &row.used {
                        *receipt.entry((part.item, part.segment)).or_default() +=
                            u64::from(part.count);
                    }
                }
                TableWrite::Account(key, _) => drop(accounts.insert(key.clone())),
                TableWrite::Points(user, _) | TableWrite::UserAward((user, ..), _) => {
                    users.insert(user.clone());
                }
                TableWrite::Entry(entry) => drop(users.insert(entry.user.clone())),
                TableWrite::SignIn(..)
                | TableWrite::Epoch(..)
                | TableWrite::Delete(..)
                | TableWrite::Fold(..) => {}
            }
        }
        let mut took: BTreeMap<StockItem, u64> = BTreeMap::new();
        match made_together(writes) {
            Ok(made) => {
                for made in &made {
                    for item in items_taken(&made.made) {
                        *took.entry(item).or_default() += 1;
                    }
                    if made
                        .made
                        .orders()
                        .iter()
                        .any(|order| order.points().is_some())
                    {
                        self.note("points: won", String::new);
                    }
                    let orders = made.made.orders().iter();
                    let drawn = orders.map(|order| (order.user.clone(), order.activity));
                    accounts.extend(drawn);
                    let given = made.made.recharges().iter();
                    accounts.extend(
                        given.filter_map(|order| Some((order.user.clone(), order.activity?))),
                    );
                }
                self.book.calls.extend(made.into_iter().map(|made| {
                    let key = (made.call.user.clone(), made.call.request.clone());
                    (key, made)
                }));
            }
            Err(torn) => self.violate(|| torn),
        }
        for (user, activity) in accounts {
            self.check_account(shard, &user, activity);
        }
        for user in users {
            self.check_points(shard, &user);
            self.check_user_awards(shard, &user);
        }
        if took != noted {
            self.violate(|| format!("a batch's orders took {took:?}, its counters say {noted:?}"));
        }
        if receipt != counted {
            self.violate(|| format!("a batch counted {counted:?}, its receipt says {receipt:?}"));
        }
        for (item, units) in took {
            *self.book.issued.entry(item).or_default() += units;
        }
        self.check_totals();
    }

    /// A key has one call, of whatever kind.
    fn check_call(&mut self, call: &Call) {
        let key = (call.user.clone(), call.request.clone());
        if self.book.calls.contains_key(&key) {
            self.violate(|| format!("a key has two calls, one of them {call:?}"));
        }
        let ahead = call.created_at.duration_since(right_time());
        if ahead.as_millis() > i128::from(VERY_WRONG_MS) {
            self.violate(|| format!("call {} is of the future, by {ahead}", call.first_id));
        }
    }

    /// An id has one row.
    fn check_id(&mut self, id: OrderId) {
        if !self.book.ids.insert(id) {
            self.violate(|| format!("id {id} was used twice"));
        }
    }

    /// Issued is never above the total, of any item and any segment.
    pub(in crate::simulation) fn check_totals(&mut self) {
        let total = |key| self.meta.totals.get(key).copied().unwrap_or(0);
        let above = self
            .book
            .used
            .iter()
            .find(|&(key, &used)| used > total(key));
        let above = above
            .map(|(key, used)| format!("{used} of {} units of {key:?} are issued", total(key)));
        let oversold = self
            .book
            .issued
            .iter()
            .find(|&(&item, &issued)| issued > self.meta.total_of(item));
        let oversold = oversold.map(|(item, issued)| format!("{issued} of {item:?} are issued"));
        if let Some(what) = oversold.or(above) {
            self.violate(|| what);
        }
    }
}

/// What calls made that were committed together, or what is wrong with it. Each call has the rows
/// that it made, which are found by the ids that follow from it, and there are no other rows.
fn made_together(writes: &[TableWrite]) -> Result<Vec<MadeCall>, String> {
    let (mut rows, mut calls) = (RowsByTable::default(), Vec::new());
    for write in writes {
        match write {
            TableWrite::Row(key, row) => rows.insert(*key, row.clone()),
            TableWrite::Call(call) => calls.push(call),
            _ => {}
        }
    }
    let torn = |call: &Call| format!("a call was torn: {call:?}");
    let whole = |call: &&Call| {
        let made = rows.made_by(call).map_err(|_| torn(call))?;
        is_whole(&made).then_some(made).ok_or_else(|| torn(call))
    };
    let made = calls.iter().map(whole).collect::<Result<Vec<_>, _>>()?;
    let named: BTreeSet<OrderId> = calls.iter().flat_map(|call| ids_of(call)).collect();
    let strays: Vec<_> = rows.keys().filter(|(_, id)| !named.contains(id)).collect();
    if strays.is_empty() {
        Ok(made)
    } else {
        Err(format!("rows of no call: {strays:?}"))
    }
}
