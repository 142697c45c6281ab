//! What must hold when nothing moves any more.
use std::time::Duration;

use market::batch::StockItem;
use market::chances::Account;

use super::kinds::{chances_given, items_taken};
use crate::simulation::scenario::{CHANCES, activities, items};
use crate::simulation::tables::{Counts, ShardTables};
use crate::simulation::world::WorldState;
use crate::stock::ServerId;

impl WorldState {
    /// What still moves, or has to be reconciled yet.
    pub(in crate::simulation) fn unrest(&mut self) -> Option<String> {
        if self.weather.strays() > 0 {
            return Some(format!("{} requests are under way", self.weather.strays()));
        }
        if !self.book.operated {
            return Some("operators are not done".to_owned());
        }
        if self.meta.waiting() > 0 {
            return Some(format!("{} operations wait", self.meta.waiting()));
        }
        (0..self.servers.len()).find_map(|index| self.unrest_of(index))
    }

    fn unrest_of(&mut self, index: usize) -> Option<String> {
        let id = ServerId(u8::try_from(index + 1).expect("few servers"));
        let registered = self.meta.registered(id);
        if registered.run_id.as_deref() != Some(&self.servers[index].run_id_now()) {
            return Some(format!("server {id} is not the registered one"));
        }
        match self.servers[index].process().snapshot() {
            Err(_) => return Some(format!("server {id} has lost its units")),
            Ok((epoch, ..)) if epoch != registered.epoch => {
                return Some(format!("server {id} is behind"));
            }
            Ok((_, _, open)) if open > 0 => {
                return Some(format!("{open} grants are open on server {id}"));
            }
            Ok(_) => {}
        }
        let epochs: Vec<_> = self.shards.iter().map(|shard| shard.epoch(id)).collect();
        if epochs.iter().any(|&epoch| epoch != registered.epoch) {
            return Some(format!(
                "shards are at {epochs:?} of server {id}, not at {}",
                registered.epoch
            ));
        }
        let receipts: u64 = self
            .shards
            .iter()
            .map(|shard| shard.count_old(Duration::ZERO))
            .sum();
        (receipts > 0).then(|| format!("{receipts} receipts are not deleted"))
    }

    /// Units of an item that can be taken.
    pub(in crate::simulation) fn left_of(&mut self, item: StockItem) -> u64 {
        let snapshots = self
            .servers
            .iter_mut()
            .filter_map(|server| server.process().snapshot().ok());
        let counts = snapshots.flat_map(|(_, left, _)| left);
        counts
            .filter(|((of, _), _)| *of == item)
            .map(|(_, units)| units)
            .sum()
    }

    /// Checks the sums when nothing moves any more.
    pub(in crate::simulation) fn check_rest(&mut self) {
        let mut left = Counts::new();
        let mut issued = Counts::new();
        for index in 0..self.servers.len() {
            let id = ServerId(u8::try_from(index + 1).expect("few servers"));
            if let Ok((_, units, _)) = self.servers[index].process().snapshot() {
                left.extend(units);
            }
            for shard in &self.shards {
                for (key, units) in shard.issued_of(id) {
                    *issued.entry(key).or_default() += units;
                }
            }
        }
        if issued != self.book.used {
            let used = self.book.used.clone();
            self.violate(|| format!("the shards counted {issued:?}, their batches used {used:?}"));
        }
        for (key, total) in self.meta.totals.clone() {
            let [left, issued] =
                [&left, &issued].map(|counts| counts.get(&key).copied().unwrap_or(0));
            if left + issued != total {
                self.violate(|| {
                    format!("{key:?}: {left} left and {issued} issued are not {total}")
                });
            }
        }
        self.check_calls();
    }

    /// The rows are those that were committed, and calls, counters and accounts agree.
    fn check_calls(&mut self) {
        self.check_rows();
        for item in items() {
            let made = self.book.calls.values();
            let taken = made.flat_map(|made| items_taken(&made.made));
            let stocked = taken.filter(|taken| *taken == item).count() as u64;
            let used = self.book.used.iter();
            let used: u64 = used
                .filter(|((of, _), _)| *of == item)
                .map(|(_, units)| units)
                .sum();
            if stocked != used {
                self.violate(|| format!("{item:?}: {stocked} orders took {used} units"));
            }
        }
        for shard in 0..self.shards.len() {
            let accounts: Vec<_> = self.shards[shard].accounts.keys().cloned().collect();
            for (user, activity) in accounts {
                self.check_account(shard, &user, activity);
            }
            let points: Vec<_> = self.shards[shard].points.keys().cloned().collect();
            for user in points {
                self.check_points(shard, &user);
            }
            for user in self.counted_users(shard) {
                self.check_user_awards(shard, &user);
            }
        }
        let made = || self.book.calls.values().map(|made| &made.made);
        let orders = made().map(|made| made.orders().len() as u64).sum::<u64>();
        let given = made()
            .flat_map(|made| activities().map(|activity| u64::from(chances_given(made, activity))))
            .sum::<u64>();
        let welcome = self.shards.iter().map(welcome_chances).sum::<u64>();
        let used = sum(&self.shards, |account| account.used);
        let granted = sum(&self.shards, |account| account.granted);
        if orders != used {
            self.violate(|| format!("{used} chances were used for {orders} orders"));
        }
        if given + welcome != granted {
            self.violate(|| {
                format!("{granted} chances were granted, {given} were given besides {welcome}")
            });
        }
    }

    /// What the shards hold is what was committed to them.
    fn check_rows(&mut self) {
        let mut found = 0;
        for shard in &self.shards {
            for key in shard.calls.keys() {
                let stored = shard.earlier(key);
                let committed = self.book.calls.get(key);
                if !matches!(&stored, Ok(Some(stored)) if Some(stored) == committed) {
                    let what = format!("committed {committed:?}, stored {stored:?}");
                    return self.violate(|| what);
                }
                found += usize::from(shard.calls[key].made);
            }
        }
        let rows: usize = self
            .shards
            .iter()
            .map(|shard| shard.rows.keys().count())
            .sum();
        if rows != found {
            self.violate(|| format!("calls made {found} rows, {rows} are stored"));
        }
    }
}

/// Chances of all accounts.
fn sum(shards: &[ShardTables], chances: fn(&Account) -> u32) -> u64 {
    let accounts = shards.iter().flat_map(|shard| shard.accounts.values());
    accounts.map(chances).map(u64::from).sum()
}

/// The welcome chances of all accounts.
fn welcome_chances(shard: &ShardTables) -> u64 {
    shard.accounts.len() as u64 * u64::from(CHANCES.welcome)
}
