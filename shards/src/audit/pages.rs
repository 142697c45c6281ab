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
    BesideDraws, LabelRepair, OfUser, OrderPlace, SignInRepair, StoredAccount, StoredCall,
    StoredEntry, StoredOrder, StoredPoints, StoredRecharge, StoredRepair, StoredSignIn,
    StoredUserAward, of_user,
};
use crate::store::{Connection, StoreError};

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
    pub(super) recharges: Vec<StoredRecharge>,
    pub(super) points: Option<StoredPoints>,
    /// By number.
    pub(super) entries: Vec<StoredEntry>,
    pub(super) sign_ins: Vec<StoredSignIn>,
    pub(super) user_awards: Vec<StoredUserAward>,
    pub(super) repairs: Vec<LabelRepair>,
    pub(super) sign_in_repairs: Vec<SignInRepair>,
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

    /// The rows of one table of the next users, by the statements that read a page of it and the
    /// rows of one user; `None` after the last.
    pub(super) async fn next_rows<T: OfUser>(
        &mut self,
        connection: &mut impl Connection,
        (page, of_user): (&str, &str),
    ) -> Result<Option<Vec<(String, T)>>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        let mut end = End::of_table();
        let mut rows = self.rows(connection, page, &mut end).await?;
        if end.giant {
            let of_giant = all_of(connection, of_user, &end.upto).await?;
            rows = of_giant
                .into_iter()
                .map(|row| (end.upto.clone(), row))
                .collect();
        }
        self.ended = end == End::of_table();
        self.after = end.upto;
        Ok(Some(rows))
    }

    async fn read(&mut self, connection: &mut impl Connection) -> Result<Page, StoreError> {
        let (sql, mut end) = (&self.tables.sql, End::of_table());
        loop {
            let calls: Vec<(_, StoredCall)> =
                self.rows(connection, &sql.calls.page, &mut end).await?;
            let of_calls = end.clone();
            let accounts: Vec<(_, StoredAccount)> =
                self.rows(connection, &sql.accounts.page, &mut end).await?;
            let repairs: Vec<(_, StoredRepair)> = self
                .rows(connection, &sql.label_repairs.page, &mut end)
                .await?;
            let sign_ins = self.rows(connection, &sql.sign_ins.page, &mut end).await?;
            let user_awards = self
                .rows(connection, &sql.user_awards.page, &mut end)
                .await?;
            let points: Vec<(_, StoredPoints)> = self
                .rows(connection, &sql.points_accounts.page, &mut end)
                .await?;
            let entries = self
                .rows(connection, &sql.points_entries.page, &mut end)
                .await?;
            // What was read before the end was known may go beyond it.
            if end != of_calls {
                continue;
            }
            let mut users: BTreeMap<String, Stored> = BTreeMap::new();
            let Made {
                calls,
                orders,
                recharges,
            } = made_by(connection, self.tables, calls).await?;
            gather(&mut users, calls, |stored| &mut stored.calls);
            gather(&mut users, orders, |stored| &mut stored.orders);
            gather(&mut users, recharges, |stored| &mut stored.recharges);
            gather(&mut users, entries, |stored| &mut stored.entries);
            gather(&mut users, sign_ins, |stored| &mut stored.sign_ins);
            gather(&mut users, user_awards, |stored| &mut stored.user_awards);
            for (user, account) in points {
                users.entry(user).or_default().points = Some(account);
            }
            gather(&mut users, accounts, |stored| &mut stored.accounts);
            for (user, repair) in repairs {
                users.entry(user).or_default().add(repair);
            }
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
/// snapshot of its own. Each time those are kept that come next by activity and ordinal. The entries
/// are read after each part, page by page ([`Giant::entries`]).
#[derive(Debug)]
pub(super) struct Giant<'a> {
    tables: &'a PagedTables,
    orders_max: usize,
    pub(super) user: String,
    first: Option<FirstRead>,
    /// The last order that was returned.
    after: Option<OrderPlace>,
    ended: bool,
}

/// A giant's rows at the first read. Orders and entries that were made later are left out.
#[derive(Debug)]
struct FirstRead {
    accounts: Vec<StoredAccount>,
    recharges: Vec<StoredRecharge>,
    points: Option<StoredPoints>,
    sign_ins: Vec<StoredSignIn>,
    user_awards: Vec<StoredUserAward>,
    /// The number of the last entry.
    last_entry: i64,
}

impl<'a> Giant<'a> {
    pub(super) fn new(tables: &'a PagedTables, user: String, orders_max: usize) -> Self {
        Self {
            tables,
            orders_max,
            user,
            first: None,
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
        let repairs: Vec<StoredRepair> =
            all_of(connection, &sql.label_repairs.of_user, &self.user).await?;
        let first_time = self.first.is_none();
        let first = match self.first.take() {
            Some(first) => first,
            None => self.first_read(connection, now.clone()).await?,
        };
        let first = self.first.insert(first);
        let accounts = first.accounts.clone();
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
                let recharges = made.recharges.into_iter().map(|(_, order)| order);
                first.recharges.extend(recharges);
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
        let (recharges, sign_ins) = (first.recharges.clone(), first.sign_ins.clone());
        let user_awards = first.user_awards.clone();
        let points = first.points;
        self.after = next.last_key_value().map(|(place, _)| *place).or(after);
        self.ended = !more;
        let mut stored = Stored {
            accounts,
            orders: next.into_values().collect(),
            recharges,
            points,
            sign_ins,
            user_awards,
            ..Stored::default()
        };
        for repair in repairs {
            stored.add(repair);
        }
        Ok(stored)
    }

    /// All but the recharge orders, which come with the calls.
    async fn first_read(
        &self,
        connection: &mut impl Connection,
        accounts: Vec<StoredAccount>,
    ) -> Result<FirstRead, StoreError> {
        let (sql, user) = (&self.tables.sql, &self.user);
        let points: Vec<StoredPoints> =
            all_of(connection, &sql.points_accounts.of_user, user).await?;
        let latest = json(&(user, i64::MAX));
        let latest = connection.rows(&sql.points_entries.latest, &latest).await?;
        let latest = latest.first().map(StoredEntry::of).transpose()?;
        Ok(FirstRead {
            accounts,
            recharges: Vec::new(),
            points: points.first().copied(),
            sign_ins: all_of(connection, &sql.sign_ins.of_user, user).await?,
            user_awards: all_of(connection, &sql.user_awards.of_user, user).await?,
            last_entry: latest.map_or(0, |entry| entry.number),
        })
    }

    /// The user's entries, once more from the first one on.
    pub(super) fn entries(&self) -> EntriesOf<'_> {
        EntriesOf {
            tables: self.tables,
            user: &self.user,
            after: i64::MIN,
            last: self.first.as_ref().map_or(0, |first| first.last_entry),
            ended: false,
        }
    }
}

/// The entries of one user up to a number, page by page. They are never changed, so each page may
/// be read at a moment of its own.
#[derive(Debug)]
pub(super) struct EntriesOf<'a> {
    tables: &'a PagedTables,
    user: &'a str,
    /// The last number that was read.
    after: i64,
    last: i64,
    ended: bool,
}

impl EntriesOf<'_> {
    /// The next page; `None` after the last.
    pub(super) async fn next(
        &mut self,
        connection: &mut impl Connection,
    ) -> Result<Option<Vec<StoredEntry>>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        let key = json(&(self.user, self.after));
        let sql = &self.tables.sql.points_entries.of_user;
        let rows = connection.rows(sql, &key).await?;
        let mut entries: Vec<StoredEntry> =
            rows.iter().map(StoredEntry::of).collect::<Result<_, _>>()?;
        self.ended = entries.len() < self.tables.rows_max;
        self.after = entries.last().map_or(self.after, |entry| entry.number);
        entries.retain(|entry| entry.number <= self.last);
        Ok(Some(entries))
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
    /// Adds what a repair has noted.
    fn add(&mut self, repair: StoredRepair) {
        match repair {
            StoredRepair::OfAccount(repair) => self.repairs.push(repair),
            StoredRepair::OfSignIn(repair) => self.sign_in_repairs.push(repair),
        }
    }

    /// What is not an order or an entry.
    pub(super) fn beside_draws<'s>(&'s self, user: &'s str) -> BesideDraws<'s> {
        BesideDraws {
            user,
            accounts: &self.accounts,
            recharges: &self.recharges,
            points: self.points,
            sign_ins: &self.sign_ins,
            sign_in_repairs: &self.sign_in_repairs,
            user_awards: &self.user_awards,
        }
    }

    /// Sorts the orders by activity and ordinal.
    pub(super) fn by_ordinal(mut self) -> Self {
        self.orders.sort_unstable_by_key(StoredOrder::place);
        self
    }
}
