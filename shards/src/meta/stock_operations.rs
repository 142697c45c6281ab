//! Stock operations: every change of an item's stock, with who asked for it and why. An item's
//! total is what was published and added, less what was withdrawn.
use std::collections::BTreeMap;

use jiff::Timestamp;
use market::batch::StockItem;

use super::columns::{NOTHING, item, json, only_number, only_row, string, time};
use super::statements::statements;
use super::topic::topic;
use super::{revision, stock_additions};
use crate::store::{Columns, Connection, Database, Issuing, StoreError, out_of_range};

statements! {
    /// Statements on stock operations.
    StockOperationStatements in "stock_operations" {
        /// Adds a stock operation.
        insert_operation,
        /// The id of the operation added last.
        last_operation,
        /// Each item's total.
        read_totals,
        /// What each limited item was first published with.
        read_published_counts,
        /// The oldest withdrawals that wait for the holder of the stock.
        read_waiting_operations,
        /// What waiting withdrawals ask of each item.
        read_waiting_units,
        /// The outcome of one operation.
        read_operation,
        /// A page of the operations on an item.
        read_operations,
        /// Records the outcome of a waiting operation.
        apply_operation,
    }
}

/// A change of an item's stock that was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockOperation {
    /// Its id: operations apply in this order.
    pub id: u64,
    /// `publish`, `add` or `withdraw`.
    pub kind: String,
    /// The units asked for.
    pub units: u64,
    /// The change of the total; `None` while a withdrawal waits.
    pub applied: Option<i64>,
    /// Who asked for it.
    pub who: String,
    /// And why.
    pub why: String,
    /// When.
    pub at: Timestamp,
}

/// A withdrawal that waits for the holder of the stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Withdrawal {
    /// The operation.
    pub id: u64,
    /// From which item.
    pub item: StockItem,
    /// At most this many.
    pub units: u64,
}

/// A change of stock to be recorded.
#[derive(Debug, Clone)]
pub struct StockChange {
    /// Of which item.
    pub item: StockItem,
    /// How many units. Only an item that begins without units has 0.
    pub units: u64,
    /// Who asks.
    pub who: String,
    /// And why.
    pub why: String,
}

topic! {
    /// The stock operations of an installation.
    StockOperations,
    /// Its stock operations.
    stock_operations
}

impl<D: Database> StockOperations<'_, D> {
    const SQL: &'static StockOperationStatements = StockOperationStatements::of::<D>();

    /// Each item's total.
    pub async fn totals(&self) -> Result<BTreeMap<StockItem, u64>, StoreError> {
        let rows = self.0.rows(Self::SQL.read_totals, NOTHING).await?;
        rows.iter()
            .map(|row| Ok((item(row, 0)?, total(row, 3)?)))
            .collect()
    }

    /// Adds units to an item: they count from now on. Returns the operation's id.
    pub async fn add(&self, change: &StockChange, now: Timestamp) -> Result<u64, StoreError> {
        self.record("add", change, Some(change.units), now).await
    }

    /// Asks the holder of the stock to withdraw units. Returns the operation's id.
    pub async fn ask_withdrawal(
        &self,
        change: &StockChange,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        self.record("withdraw", change, None, now).await
    }

    /// The oldest withdrawals that wait, at most 1,000 of them.
    pub async fn waiting_withdrawals(&self) -> Result<Vec<Withdrawal>, StoreError> {
        let rows = self
            .0
            .rows(Self::SQL.read_waiting_operations, NOTHING)
            .await?;
        rows.iter().map(withdrawal).collect()
    }

    /// How many units of each item waiting withdrawals ask for.
    pub async fn waiting_units(&self) -> Result<BTreeMap<StockItem, u64>, StoreError> {
        let rows = self.0.rows(Self::SQL.read_waiting_units, NOTHING).await?;
        rows.iter()
            .map(|row| Ok((item(row, 0)?, row.number(3)?)))
            .collect()
    }

    /// Records that `units` were withdrawn: the item's total falls by them. Does nothing to a
    /// withdrawal that is recorded already.
    pub async fn record_withdrawn(&self, withdrawal: u64, units: u64) -> Result<(), StoreError> {
        let applied = -i64::try_from(units).map_err(|_| out_of_range(1))?;
        let mut connection = self.0.begin().await?;
        connection
            .execute(Self::SQL.apply_operation, &json(&(withdrawal, applied)))
            .await?;
        revision::raise::<D>(&mut connection).await?;
        self.0.commit(connection).await
    }

    /// The change of the total that an operation made; `None` while it waits.
    pub async fn applied(&self, operation: u64) -> Result<Option<i64>, StoreError> {
        let sql = Self::SQL.read_operation;
        let rows = self.0.rows(sql, &json(&[operation])).await?;
        only_row(&rows)?.optional_integer(0)
    }

    /// The same, once no transaction is under way that could still change it.
    pub(crate) async fn applied_for_good(&self, operation: u64) -> Result<Option<i64>, StoreError> {
        // Writers take turns: every earlier transaction has ended.
        let mut connection = self.0.begin().await?;
        let rows = connection
            .rows(Self::SQL.read_operation, &json(&[operation]))
            .await?;
        connection.rollback().await?;
        only_row(&rows)?.optional_integer(0)
    }

    /// A page of the operations on an item, oldest first: those after the operation `after`, where
    /// 0 stands for the beginning. Empty at the end.
    pub async fn page_of(
        &self,
        item: StockItem,
        after: u64,
    ) -> Result<Vec<StockOperation>, StoreError> {
        let StockItem { activity, good } = item;
        let key = json(&(activity.get(), good.kind(), good.id(), after));
        let rows = self.0.rows(Self::SQL.read_operations, &key).await?;
        rows.iter().map(operation).collect()
    }

    async fn record(
        &self,
        kind: &str,
        change: &StockChange,
        applied: Option<u64>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        if change.units == 0 {
            return Err(StoreError::Data(
                "a stock operation needs at least one unit".to_owned(),
            ));
        }
        let mut connection = self.0.begin().await?;
        let id = insert_operation::<D>(&mut connection, kind, change, applied, now).await?;
        revision::raise::<D>(&mut connection).await?;
        self.0.commit(connection).await?;
        Ok(id)
    }
}

/// Adds an operation within a transaction. Returns its id.
pub(super) async fn insert_operation<D: Database>(
    connection: &mut D::Connection,
    kind: &str,
    change: &StockChange,
    applied: Option<u64>,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let sql = StockOperationStatements::of::<D>();
    let item = change.item;
    let row = json(&(
        item.activity.get(),
        item.good.kind(),
        item.good.id(),
        kind,
        change.units,
        applied,
        &change.who,
        &change.why,
        now.as_millisecond(),
    ));
    connection.execute(sql.insert_operation, &row).await?;
    let id = only_number(&connection.rows(sql.last_operation, NOTHING).await?)?;
    let on_servers = matches!(D::DIALECT.issuing, Issuing::FromServers);
    // Added units must reach the servers that hold the stock. A withdrawal is recorded when it is
    // done.
    if on_servers && applied.is_some() {
        stock_additions::record(connection, id, item, change.units).await?;
    }
    Ok(id)
}

/// The counts that items were first published with.
pub(super) async fn published_counts<D: Database>(
    connection: &mut D::Connection,
) -> Result<BTreeMap<StockItem, u64>, StoreError> {
    let sql = StockOperationStatements::of::<D>();
    let rows = connection.rows(sql.read_published_counts, NOTHING).await?;
    rows.iter()
        .map(|row| Ok((item(row, 0)?, row.number(3)?)))
        .collect()
}

/// A total is below zero only when rows were changed by hand. Then no units are left, and the audit
/// reports it.
fn total(row: &impl Columns, index: usize) -> Result<u64, StoreError> {
    Ok(row.integer(index)?.max(0).unsigned_abs())
}

fn withdrawal(row: &impl Columns) -> Result<Withdrawal, StoreError> {
    Ok(Withdrawal {
        id: row.number(0)?,
        item: item(row, 1)?,
        units: row.number(4)?,
    })
}

fn operation(row: &impl Columns) -> Result<StockOperation, StoreError> {
    Ok(StockOperation {
        id: row.number(0)?,
        kind: string(row, 1)?,
        units: row.number(2)?,
        applied: row.optional_integer(3)?,
        who: string(row, 4)?,
        why: string(row, 5)?,
        at: time(row, 6)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::testing::{CAMPAIGN, WHO, WHY, fresh, mug, now, over_each_database};
    use crate::testing::shared_database;

    fn change(units: u64) -> StockChange {
        StockChange {
            item: mug(),
            units,
            who: WHO.to_owned(),
            why: WHY.to_owned(),
        }
    }

    async fn stock_operations_add_up<D: Database>(database: D) {
        let meta = fresh(database).await;
        meta.campaigns()
            .publish(&[CAMPAIGN], "ops", now())
            .await
            .expect("published");
        let stock = meta.stock_operations();
        let (five, seven) = (change(5), change(7));
        let (one, two) = tokio::join!(stock.add(&five, now()), stock.add(&seven, now()));
        assert_ne!(one.expect("added"), two.expect("added"));
        let asked = stock
            .ask_withdrawal(&change(20), now())
            .await
            .expect("recorded");
        assert_eq!(stock.totals().await, Ok(BTreeMap::from([(mug(), 62)])));
        let waiting = Withdrawal {
            id: asked,
            item: mug(),
            units: 20,
        };
        assert_eq!(stock.waiting_withdrawals().await, Ok(vec![waiting]));
        let units = BTreeMap::from([(mug(), 20)]);
        assert_eq!(stock.waiting_units().await, Ok(units));
        assert_eq!(stock.applied(asked).await, Ok(None));
        stock.record_withdrawn(asked, 15).await.expect("recorded");
        stock
            .record_withdrawn(asked, 20)
            .await
            .expect("recorded already");
        assert_eq!(stock.applied(asked).await, Ok(Some(-15)));
        assert_eq!(stock.waiting_withdrawals().await, Ok(vec![]));
        assert_eq!(stock.waiting_units().await, Ok(BTreeMap::new()));
        assert_eq!(stock.totals().await, Ok(BTreeMap::from([(mug(), 47)])));
        let operations = stock.page_of(mug(), 0).await.expect("operations");
        let applied: Vec<_> = operations
            .iter()
            .map(|operation| operation.applied)
            .collect();
        assert!(
            applied == [Some(50), Some(5), Some(7), Some(-15)]
                || applied == [Some(50), Some(7), Some(5), Some(-15)]
        );
        let last = operations.last().expect("the withdrawal");
        let StockChange {
            units, who, why, ..
        } = change(20);
        let expected = StockOperation {
            id: asked,
            kind: "withdraw".to_owned(),
            units,
            applied: Some(-15),
            who,
            why,
            at: now(),
        };
        assert_eq!(*last, expected);
    }

    async fn operations_come_page_by_page<D: Database>(database: D) {
        let meta = fresh(database).await;
        let mut connection = meta.begin().await.expect("begun");
        let mut expected = Vec::new();
        for units in 1..=203 {
            let change = change(units);
            let inserted =
                insert_operation::<D>(&mut connection, "withdraw", &change, None, now()).await;
            expected.push((inserted.expect("planted"), units));
        }
        meta.commit(connection).await.expect("committed");
        let (stock, mut found) = (meta.stock_operations(), Vec::new());
        let mut after = 0;
        loop {
            let page = stock.page_of(mug(), after).await.expect("a page");
            let Some(last) = page.last() else { break };
            after = last.id;
            assert!(page.len() <= 100);
            found.extend(page.iter().map(|operation| (operation.id, operation.units)));
        }
        assert_eq!(found, expected);
    }

    over_each_database!(stock_operations_add_up, operations_come_page_by_page);

    #[tokio::test]
    async fn what_does_not_fit_in_mariadb_is_refused_and_changes_nothing() {
        let meta = fresh(shared_database().await).await;
        let stock = meta.stock_operations();
        let long = StockChange {
            who: "x".repeat(129),
            ..change(5)
        };
        let refused = stock.add(&long, now()).await;
        assert!(matches!(refused, Err(StoreError::Data(_))), "{refused:?}");
        let none = stock.add(&change(0), now()).await;
        assert!(matches!(none, Err(StoreError::Data(_))), "{none:?}");
        assert_eq!(meta.revision().await, Ok(0));
        assert_eq!(stock.page_of(mug(), 0).await, Ok(vec![]));
    }
}
