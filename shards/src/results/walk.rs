//! A walk through one table by the key of its calls, page by page, each with what its calls made; or
//! by the key of its entries.
use std::future::Future;
use std::pin::Pin;

use market::points::PointsEntry;
use market::{Call, Order, OrderId, RechargeOrder, UserId};
use router::TableId;

use super::filter::{ResultKind, ResultsFilter};
use crate::store::tables::calls::ids_of;
use crate::store::tables::{Numbered, calls, orders, points_entries, recharge_orders};
use crate::store::{Columns, Connection, Database, StoreError, json_rows, out_of_range};

/// A walk through a table of any database.
pub(crate) trait Walk: Send {
    /// The next page; `None` behind the last. After an error the same page is read again.
    fn next<'a>(&'a mut self, filter: &'a ResultsFilter) -> NextPage<'a>;
}

pub(crate) type NextPage<'a> =
    Pin<Box<dyn Future<Output = Result<Option<WalkedPage>, StoreError>> + Send + 'a>>;

/// What calls of a page made that is wanted.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct WalkedPage {
    /// The number of calls or entries that were read, wanted or not.
    pub(crate) calls: usize,
    /// Users of wanted calls or entries who were in no page before.
    pub(crate) users: usize,
    pub(crate) orders: Vec<Order>,
    pub(crate) recharges: Vec<RechargeOrder>,
    pub(crate) entries: Vec<PointsEntry>,
}

/// A walk through a table of a database, which opens a connection of its own.
pub(crate) struct Walker<D: Database> {
    database: D,
    connection: Option<D::Connection>,
    sql: Numbered,
    rows_max: usize,
    /// The key of the last call that was read.
    after: (String, String),
    /// The key of the last entry that was read.
    after_entry: (String, u64),
    /// The user of the last wanted call or entry.
    last_user: Option<UserId>,
    ended: bool,
}

impl<D: Database> Walker<D> {
    /// Pages have at most `rows_max` calls.
    pub(crate) fn new(database: D, table: TableId, rows_max: usize) -> Self {
        let mut sql = Numbered::of(&D::DIALECT, table.get());
        for text in [&mut sql.calls.walk, &mut sql.points_entries.walk] {
            *text = text.replace("{rows_max}", &rows_max.to_string());
        }
        Self {
            database,
            connection: None,
            sql,
            rows_max,
            after: Default::default(),
            after_entry: Default::default(),
            last_user: None,
            ended: false,
        }
    }

    async fn page(&mut self, filter: &ResultsFilter) -> Result<Option<WalkedPage>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        // After an error it is unknown how much of the answer is still to come.
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.database.connect().await?,
        };
        let page = match filter.kind {
            ResultKind::Points => self.entries(&mut connection, filter).await?,
            ResultKind::Draws | ResultKind::Recharges => self.made(&mut connection, filter).await?,
        };
        self.ended = page.calls < self.rows_max;
        self.connection = Some(connection).filter(|_| !self.ended);
        Ok(Some(page))
    }

    /// The next calls, and what they made.
    async fn made(
        &mut self,
        connection: &mut D::Connection,
        filter: &ResultsFilter,
    ) -> Result<WalkedPage, StoreError> {
        let calls = calls_after(connection, &self.sql, &self.after).await?;
        let mut page = WalkedPage {
            calls: calls.len(),
            ..WalkedPage::default()
        };
        let wanted: Vec<&Call> = calls
            .iter()
            .filter(|call| filter.wants_call(call))
            .collect();
        add_made(connection, &self.sql, filter, &wanted, &mut page).await?;
        // Calls come in the order of their users.
        page.users = self.users(wanted.iter().map(|call| &call.user));
        if let Some(last) = calls.last() {
            self.after = (last.user.as_str().into(), last.request.as_str().into());
        }
        Ok(page)
    }

    /// The next entries.
    async fn entries(
        &mut self,
        connection: &mut D::Connection,
        filter: &ResultsFilter,
    ) -> Result<WalkedPage, StoreError> {
        let after = serde_json::to_string(&self.after_entry).expect("plain values");
        let rows = connection
            .rows(&self.sql.points_entries.walk, &after)
            .await?;
        let entries = rows.iter().map(points_entries::read);
        let mut entries: Vec<PointsEntry> = entries.collect::<Result<_, _>>()?;
        let calls = entries.len();
        if let Some(last) = entries.last() {
            self.after_entry = (last.user.as_str().into(), last.number);
        }
        entries.retain(|entry| filter.wants_entry(entry));
        Ok(WalkedPage {
            calls,
            users: self.users(entries.iter().map(|entry| &entry.user)),
            entries,
            ..WalkedPage::default()
        })
    }

    /// How many of these users were in no page before. They come in their order.
    fn users<'u>(&mut self, of: impl Iterator<Item = &'u UserId>) -> usize {
        let mut users = 0;
        for user in of {
            if self.last_user.as_ref() != Some(user) {
                users += 1;
                self.last_user = Some(user.clone());
            }
        }
        users
    }
}

impl<D: Database> Walk for Walker<D> {
    fn next<'a>(&'a mut self, filter: &'a ResultsFilter) -> NextPage<'a> {
        Box::pin(self.page(filter))
    }
}

/// The calls after a key.
async fn calls_after(
    connection: &mut impl Connection,
    sql: &Numbered,
    after: &(String, String),
) -> Result<Vec<Call>, StoreError> {
    let after = serde_json::to_string(after).expect("plain values");
    let rows = connection.rows(&sql.calls.walk, &after).await?;
    rows.iter().map(|row| calls::read(row, 0)).collect()
}

/// Adds what these calls made.
async fn add_made(
    connection: &mut impl Connection,
    sql: &Numbered,
    filter: &ResultsFilter,
    calls: &[&Call],
    page: &mut WalkedPage,
) -> Result<(), StoreError> {
    // In the order of the ids: rows that were written together are read together.
    let mut named: Vec<(OrderId, &Call)> = calls
        .iter()
        .flat_map(|&call| ids_of(call).map(move |id| (id, call)))
        .collect();
    named.sort_unstable_by_key(|(id, _)| *id);
    if named.is_empty() {
        return Ok(());
    }
    let ids = json_rows(named.iter().map(|(id, _)| id.get()));
    let draws = filter.kind == ResultKind::Draws;
    let of_ids = if draws {
        &sql.orders.of_ids
    } else {
        &sql.recharge_orders.of_ids
    };
    let rows = connection.rows(of_ids, &ids).await?;
    if rows.len() != named.len() {
        let why = "calls are there, and not all that they made: `drawbridge audit` finds which";
        return Err(StoreError::Data(why.to_owned()));
    }
    for row in &rows {
        let id = OrderId::new(row.number(0)?).ok_or_else(|| out_of_range(0))?;
        let found = named.binary_search_by_key(&id, |(id, _)| *id);
        let (_, call) = named[found.map_err(|_| out_of_range(0))?];
        if draws {
            let order = orders::read(row, 0, call)?;
            page.orders
                .extend(Some(order).filter(|order| filter.wants_order(order)));
        } else {
            let order = recharge_orders::read(row, 0)?;
            page.recharges
                .extend(Some(order).filter(|order| filter.wants_recharge(order)));
        }
    }
    Ok(())
}
