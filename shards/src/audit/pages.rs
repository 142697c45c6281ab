//! A table pair in pages of users, in the order of their keys: nothing is sorted, by the database
//! or by us, and no page is longer than [`ROWS_MAX`] rows of a kind. Each is read in a snapshot of
//! its own that lasts some milliseconds.
//!
//! A page ends between two users. Where one user has more rows than a page, the page ends before,
//! and that user is read alone ([`Giant`]).
use std::collections::BTreeMap;

use serde::Serialize;

use super::rows::{LabelRepair, OfUser, OrderPlace, StoredAccount, StoredOrder, of_user};
use crate::store::{AuditStatements, Connection, StoreError};

/// Rows of a kind in one page: some milliseconds of reading.
pub(super) const ROWS_MAX: usize = 2_000;

/// Orders of one user that are in memory at a time.
pub(super) const GIANT_ORDERS_MAX: usize = 100_000;

/// What is stored of one user in one table pair.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) accounts: Vec<StoredAccount>,
    /// In the order of the key of requests.
    pub(super) orders: Vec<StoredOrder>,
    pub(super) repairs: Vec<LabelRepair>,
}

/// Users who lie next to each other, with all their rows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) users: BTreeMap<String, Stored>,
    /// The one after them, who has too many rows for a page.
    pub(super) giant: Option<String>,
}

/// Where the reading of a table pair has come to.
#[derive(Debug)]
pub(super) struct Pages<'a> {
    sql: &'a AuditStatements,
    rows_max: usize,
    /// The last user that was read.
    after: String,
    ended: bool,
}

/// How far a page goes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct End {
    /// The last user of it.
    upto: String,
    /// That one is too long for a page, and left out of it.
    giant: bool,
}

impl End {
    /// After all users: no id is behind this one, and none is as long.
    fn of_table() -> Self {
        Self {
            upto: char::MAX.to_string().repeat(market::UserId::CHARS_MAX),
            giant: false,
        }
    }

    /// Leaves out the rows of the user who may have more than were read, and ends the page before.
    fn cut<T>(&mut self, rows: &mut Vec<(String, T)>, rows_max: usize) {
        if rows.len() >= rows_max
            && let Some(last) = rows.last().map(|(user, _)| user.clone())
        {
            rows.retain(|(user, _)| *user != last);
            *self = match rows.last() {
                Some((user, _)) => Self {
                    upto: user.clone(),
                    giant: false,
                },
                None => Self {
                    upto: last,
                    giant: true,
                },
            };
        } else if self.giant {
            rows.retain(|(user, _)| *user != self.upto);
        }
    }
}

impl<'a> Pages<'a> {
    /// `rows_max` is that of the statements.
    pub(super) fn new(sql: &'a AuditStatements, rows_max: usize) -> Self {
        Self {
            sql,
            rows_max,
            after: String::new(),
            ended: false,
        }
    }

    /// The next users; `None` after the last.
    pub(super) async fn next(
        &mut self,
        connection: &mut impl Connection,
    ) -> Result<Option<Page>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        connection.begin_snapshot().await?;
        let page = self.read(connection).await?;
        connection.rollback().await?;
        Ok(Some(page))
    }

    /// The accounts of the next users, without their orders; `None` after the last.
    pub(super) async fn next_accounts(
        &mut self,
        connection: &mut impl Connection,
    ) -> Result<Option<Vec<(String, StoredAccount)>>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        let mut end = End::of_table();
        let mut accounts = self
            .rows(connection, &self.sql.page_accounts, &mut end)
            .await?;
        if end.giant {
            let of_giant = all_of(connection, &self.sql.accounts_of, &end.upto).await?;
            accounts = of_giant
                .into_iter()
                .map(|account| (end.upto.clone(), account))
                .collect();
        }
        self.ended = end == End::of_table();
        self.after = end.upto;
        Ok(Some(accounts))
    }

    async fn read(&mut self, connection: &mut impl Connection) -> Result<Page, StoreError> {
        let (sql, mut end) = (self.sql, End::of_table());
        loop {
            let orders: Vec<(_, StoredOrder)> =
                self.rows(connection, &sql.page_orders, &mut end).await?;
            let of_orders = end.clone();
            let accounts: Vec<(_, StoredAccount)> =
                self.rows(connection, &sql.page_accounts, &mut end).await?;
            let repairs: Vec<(_, LabelRepair)> = self
                .rows(connection, &sql.page_label_repairs, &mut end)
                .await?;
            // An earlier end leaves too much in what was read before it was known.
            if end != of_orders {
                continue;
            }
            let mut users: BTreeMap<String, Stored> = BTreeMap::new();
            gather(&mut users, orders, |stored| &mut stored.orders);
            gather(&mut users, accounts, |stored| &mut stored.accounts);
            gather(&mut users, repairs, |stored| &mut stored.repairs);
            self.ended = end == End::of_table();
            self.after.clone_from(&end.upto);
            return Ok(Page {
                users,
                giant: end.giant.then_some(end.upto),
            });
        }
    }

    async fn rows<T: OfUser>(
        &self,
        connection: &mut impl Connection,
        sql: &str,
        end: &mut End,
    ) -> Result<Vec<(String, T)>, StoreError> {
        let rows = connection
            .rows(sql, &json(&(&self.after, &end.upto)))
            .await?;
        let mut rows = rows.iter().map(of_user).collect::<Result<Vec<_>, _>>()?;
        end.cut(&mut rows, self.rows_max);
        Ok(rows)
    }
}

fn gather<T>(
    users: &mut BTreeMap<String, Stored>,
    rows: Vec<(String, T)>,
    of: fn(&mut Stored) -> &mut Vec<T>,
) {
    for (user, row) in rows {
        of(users.entry(user).or_default()).push(row);
    }
}

/// A bound value.
pub(super) fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("plain values")
}

/// A user with more rows than a page holds. The orders are read several times, and each time
/// those are kept that come next by activity and ordinal, in a snapshot for each time.
#[derive(Debug)]
pub(super) struct Giant<'a> {
    sql: &'a AuditStatements,
    orders_max: usize,
    pub(super) user: String,
    /// The accounts as they stood at first. Orders that were made later are left out.
    accounts: Option<Vec<StoredAccount>>,
    /// The last order that was handed out.
    after: Option<OrderPlace>,
    ended: bool,
}

impl<'a> Giant<'a> {
    pub(super) fn new(sql: &'a AuditStatements, user: String, orders_max: usize) -> Self {
        Self {
            sql,
            orders_max,
            user,
            accounts: None,
            after: None,
            ended: false,
        }
    }

    /// Whether the orders that were handed out last were the last.
    pub(super) fn is_over(&self) -> bool {
        self.ended
    }

    /// The user's next orders, by activity and ordinal, and what else there is, which is the same
    /// each time; `None` after the last. `each` sees all orders, in the order of the key of
    /// requests, at the first time.
    pub(super) async fn next(
        &mut self,
        connection: &mut impl Connection,
        each: impl FnMut(&StoredOrder) + Send,
    ) -> Result<Option<Stored>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        connection.begin_snapshot().await?;
        let stored = self.read(connection, each).await?;
        connection.rollback().await?;
        Ok(Some(stored))
    }

    async fn read(
        &mut self,
        connection: &mut impl Connection,
        mut each: impl FnMut(&StoredOrder) + Send,
    ) -> Result<Stored, StoreError> {
        let now: Vec<StoredAccount> = all_of(connection, &self.sql.accounts_of, &self.user).await?;
        let repairs = all_of(connection, &self.sql.label_repairs_of, &self.user).await?;
        let first_time = self.accounts.is_none();
        let accounts = self.accounts.get_or_insert_with(|| now.clone()).clone();
        let used = |accounts: &[StoredAccount], activity| {
            accounts
                .iter()
                .find(|account| account.activity == activity)
                .map_or(0, |account| account.used)
        };
        let came_later = |order: &StoredOrder| {
            used(&accounts, order.activity) < order.ordinal
                && order.ordinal <= used(&now, order.activity)
        };
        let (after, orders_max) = (self.after, self.orders_max);
        let (mut next, mut more) = (BTreeMap::new(), false);
        let row = |row: &_| {
            let order = StoredOrder::of(row)?;
            if first_time {
                each(&order);
            }
            if after.is_none_or(|after| order.place() > after) && !came_later(&order) {
                next.insert(order.place(), order);
                if next.len() > orders_max {
                    next.pop_last();
                    more = true;
                }
            }
            Ok(())
        };
        let (activity, ordinal, _) = after.unwrap_or((i64::MIN, i64::MIN, i64::MIN));
        connection
            .scan(
                &self.sql.orders_of,
                &json(&(&self.user, activity, ordinal)),
                row,
            )
            .await?;
        self.after = next.last_key_value().map(|(place, _)| *place).or(after);
        self.ended = !more;
        Ok(Stored {
            accounts,
            orders: next.into_values().collect(),
            repairs,
        })
    }
}

/// Everything of a kind that a user has.
pub(super) async fn all_of<T: OfUser>(
    connection: &mut impl Connection,
    sql: &str,
    user: &str,
) -> Result<Vec<T>, StoreError> {
    connection
        .rows(sql, &json(&[user]))
        .await?
        .iter()
        .map(T::of)
        .collect()
}

impl Stored {
    /// Puts the orders by activity and ordinal.
    pub(super) fn by_ordinal(mut self) -> Self {
        self.orders.sort_unstable_by_key(StoredOrder::place);
        self
    }
}
