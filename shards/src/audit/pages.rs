//! Reads a table pair in pages of users, in the order of their keys. So the database sorts nothing,
//! and no page is longer than [`ROWS_MAX`] rows of a kind. Each page is read in a snapshot of its
//! own that lasts some milliseconds.
//!
//! A page ends between two users. Where one user has more rows than a page holds, the page ends
//! before, and that user is read alone ([`Giant`]).
use std::collections::BTreeMap;

use super::made::{Made, made_by};
use super::paged_tables::{PagedTables, json};
use super::rows::{
    LabelRepair, OfUser, OrderPlace, StoredAccount, StoredCall, StoredOrder, of_user,
};
use crate::store::{Connection, StoreError, StoredMade};

/// Rows of a kind in one page: some milliseconds of reading.
pub(super) const ROWS_MAX: usize = 2_000;

/// Orders of one user that are in memory at a time.
pub(super) const GIANT_ORDERS_MAX: usize = 100_000;

/// What is stored of one user in one table pair.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) accounts: Vec<StoredAccount>,
    /// By request id.
    pub(super) calls: Vec<StoredCall>,
    /// In the order of their calls.
    pub(super) orders: Vec<StoredOrder>,
    /// What calls made that are not for draws.
    pub(super) others: Vec<StoredMade>,
    pub(super) repairs: Vec<LabelRepair>,
}

/// Users whose keys follow each other, with all their rows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) users: BTreeMap<String, Stored>,
    /// The user after them, who has too many rows for a page.
    pub(super) giant: Option<String>,
}

/// How far a table pair was read.
#[derive(Debug)]
pub(super) struct Pages<'a> {
    tables: &'a PagedTables,
    /// The last user that was read.
    after: String,
    ended: bool,
}

/// How far a page goes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct End {
    /// Its last user.
    upto: String,
    /// Whether that user has too many rows for a page, and is left out of it.
    giant: bool,
}

impl End {
    /// After all users: no id is as long as this one, or comes after it.
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
    pub(super) fn new(tables: &'a PagedTables) -> Self {
        Self {
            tables,
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
            .rows(connection, &self.tables.sql.accounts.page, &mut end)
            .await?;
        if end.giant {
            let of_giant = all_of(connection, &self.tables.sql.accounts.of_user, &end.upto).await?;
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
        let (sql, mut end) = (&self.tables.sql, End::of_table());
        loop {
            let calls: Vec<(_, StoredCall)> =
                self.rows(connection, &sql.calls.page, &mut end).await?;
            let of_calls = end.clone();
            let accounts: Vec<(_, StoredAccount)> =
                self.rows(connection, &sql.accounts.page, &mut end).await?;
            let repairs: Vec<(_, LabelRepair)> = self
                .rows(connection, &sql.label_repairs.page, &mut end)
                .await?;
            // What was read before the end was known may go beyond it.
            if end != of_calls {
                continue;
            }
            let mut users: BTreeMap<String, Stored> = BTreeMap::new();
            let Made {
                calls,
                orders,
                others,
            } = made_by(connection, self.tables, calls).await?;
            gather(&mut users, calls, |stored| &mut stored.calls);
            gather(&mut users, orders, |stored| &mut stored.orders);
            gather(&mut users, others, |stored| &mut stored.others);
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
        end.cut(&mut rows, self.tables.rows_max);
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

/// A user with more rows than a page holds. The orders are read several times, each time in a
/// snapshot of its own. Each time those are kept that come next by activity and ordinal.
#[derive(Debug)]
pub(super) struct Giant<'a> {
    tables: &'a PagedTables,
    orders_max: usize,
    pub(super) user: String,
    /// The accounts at the first read. Orders that were made later are left out.
    accounts: Option<Vec<StoredAccount>>,
    /// And what calls had made by then that are not for draws.
    others: Vec<StoredMade>,
    /// The last order that was returned.
    after: Option<OrderPlace>,
    ended: bool,
}

impl<'a> Giant<'a> {
    pub(super) fn new(tables: &'a PagedTables, user: String, orders_max: usize) -> Self {
        Self {
            tables,
            orders_max,
            user,
            accounts: None,
            others: Vec::new(),
            after: None,
            ended: false,
        }
    }

    /// Whether the orders that were returned last were the last ones.
    pub(super) fn is_over(&self) -> bool {
        self.ended
    }

    /// The user's next orders, by activity and ordinal, and the user's other rows, which are the
    /// same each time; `None` after the last. The first time `each` gets all calls, in the order of
    /// their keys.
    pub(super) async fn next(
        &mut self,
        connection: &mut impl Connection,
        each: impl FnMut(&StoredCall) + Send,
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
        mut each: impl FnMut(&StoredCall) + Send,
    ) -> Result<Stored, StoreError> {
        let sql = &self.tables.sql;
        let now: Vec<StoredAccount> = all_of(connection, &sql.accounts.of_user, &self.user).await?;
        let repairs = all_of(connection, &sql.label_repairs.of_user, &self.user).await?;
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
        let mut calls = CallsOf::new(self.tables, &self.user);
        while let Some(made) = calls.next(connection).await? {
            if first_time {
                made.calls.iter().for_each(|(_, call)| each(call));
                self.others
                    .extend(made.others.into_iter().map(|(_, other)| other));
            }
            for (_, order) in made.orders {
                if after.is_none_or(|after| order.place() > after) && !came_later(&order) {
                    next.insert(order.place(), order);
                    if next.len() > orders_max {
                        next.pop_last();
                        more = true;
                    }
                }
            }
        }
        self.after = next.last_key_value().map(|(place, _)| *place).or(after);
        self.ended = !more;
        Ok(Stored {
            accounts,
            calls: Vec::new(),
            orders: next.into_values().collect(),
            others: self.others.clone(),
            repairs,
        })
    }
}

/// The calls of one user, page by page, and what they made.
#[derive(Debug)]
pub(super) struct CallsOf<'a> {
    tables: &'a PagedTables,
    user: &'a str,
    /// The last request id that was read.
    after: Box<str>,
    ended: bool,
}

impl<'a> CallsOf<'a> {
    pub(super) fn new(tables: &'a PagedTables, user: &'a str) -> Self {
        Self {
            tables,
            user,
            after: Box::default(),
            ended: false,
        }
    }

    /// The next page; `None` after the last.
    pub(super) async fn next(
        &mut self,
        connection: &mut impl Connection,
    ) -> Result<Option<Made>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        let key = json(&(self.user, &self.after));
        let rows = connection
            .rows(&self.tables.sql.calls.of_user, &key)
            .await?;
        let calls: Vec<(String, StoredCall)> =
            rows.iter().map(of_user).collect::<Result<_, _>>()?;
        self.ended = calls.len() < self.tables.rows_max;
        if let Some((_, last)) = calls.last() {
            self.after.clone_from(&last.request);
        }
        made_by(connection, self.tables, calls).await.map(Some)
    }
}

/// All rows of a kind that a user has.
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
    /// Sorts the orders by activity and ordinal.
    pub(super) fn by_ordinal(mut self) -> Self {
        self.orders.sort_unstable_by_key(StoredOrder::place);
        self
    }
}
