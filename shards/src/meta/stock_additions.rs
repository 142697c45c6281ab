//! How added units reach the stock servers of a cluster. The transaction that records the addition
//! spreads the units over the item's segments, and records each server's share for delivery.
use market::batch::StockItem;

use super::columns::NOTHING;
use super::statements::statements;
use crate::stock::spread::Spread;
use crate::store::{Columns, Connection, StoreError, json_rows};

statements! {
    /// Statements on the units that each stock server must hold. Only MySQL has them.
    StockAdditionStatements in "stock_additions" for mysql {
        /// How many servers and segments there are.
        read_layout,
        /// `[[server], ...]`, sorted -> epoch, locked.
        lock_server,
        /// `[[activity, kind, good]]` -> segment, total, locked.
        lock_segments,
        /// Rows of activity, kind, good, segment, server, total.
        insert_segments,
        /// Rows of activity, kind, good, segment, change of the total.
        change_segments,
        /// Rows of operation, server, epoch, units, done.
        insert_deliveries,
    }
}

const SQL: &StockAdditionStatements = StockAdditionStatements::MYSQL;

/// Spreads the units of an addition over the item's segments, and records which servers must get
/// some.
pub(super) async fn record(
    connection: &mut impl Connection,
    operation: u64,
    item: StockItem,
    units: u64,
) -> Result<(), StoreError> {
    let spread = spread(connection).await?;
    // Locks the servers first: a rebuild that begins now either counts the addition or gets it
    // later.
    let epochs = lock_epochs(connection, spread.servers).await?;
    let shares: Vec<(u16, u64)> = spread.share(units).collect();
    add_to_segments(connection, item, spread, &shares).await?;
    let delivery = |(server, epoch): (u8, &u64)| {
        let here = shares
            .iter()
            .filter(|(segment, _)| spread.server_of(*segment).0 == server);
        let units: u64 = here.map(|(_, units)| units).sum();
        (operation, server, *epoch, units, 0_u8)
    };
    let deliveries = (1..=spread.servers).zip(&epochs).map(delivery);
    connection
        .execute(SQL.insert_deliveries, &json_rows(deliveries))
        .await
        .map(drop)
}

async fn spread(connection: &mut impl Connection) -> Result<Spread, StoreError> {
    let rows = connection.rows(SQL.read_layout, NOTHING).await?;
    let row = rows
        .first()
        .ok_or_else(|| StoreError::Data("the stock was never laid out".to_owned()))?;
    Ok(Spread {
        servers: row.number(0)?,
        segments: row.number(1)?,
    })
}

/// The epoch of each server, which stays as it is until the transaction ends.
async fn lock_epochs(
    connection: &mut impl Connection,
    servers: u8,
) -> Result<Vec<u64>, StoreError> {
    let servers: Vec<[u8; 1]> = (1..=servers).map(|server| [server]).collect();
    let rows = connection
        .rows(SQL.lock_server, &json_rows(servers))
        .await?;
    rows.iter().map(|row| row.number(0)).collect()
}

async fn add_to_segments(
    connection: &mut impl Connection,
    item: StockItem,
    spread: Spread,
    shares: &[(u16, u64)],
) -> Result<(), StoreError> {
    let (activity, kind, good) = (item.activity.get(), item.good.kind(), item.good.id());
    let known = connection
        .rows(SQL.lock_segments, &json_rows([(activity, kind, good)]))
        .await?;
    let (sql, rows) = if known.is_empty() {
        let row = |&(segment, units): &(u16, u64)| {
            let server = spread.server_of(segment).0;
            (activity, kind, good, segment, server, units)
        };
        (SQL.insert_segments, json_rows(shares.iter().map(row)))
    } else {
        let row = |&(segment, units): &(u16, u64)| (activity, kind, good, segment, units);
        (SQL.change_segments, json_rows(shares.iter().map(row)))
    };
    connection.execute(sql, &rows).await.map(drop)
}
