//! Recorded additions of units, on the side of the meta database. Imports nothing of `meta`, which
//! uses it.
use market::batch::Prize;

use crate::stock::spread::Spread;
use crate::store::{Columns, Connection, StoreError, json_rows};

macro_rules! texts {
    ($($name:ident),* $(,)?) => {
        $(pub(super) const $name: &str =
            include_str!(concat!("../../../sql/mysql/stock/", stringify!($name), ".sql"));)*
    };
}

/// Statements on the meta database; each is described in its file.
#[allow(non_upper_case_globals, reason = "named as their files")]
mod texts {
    texts!(
        change_segments,
        insert_deliveries,
        insert_segments,
        lock_segments,
        lock_server,
        read_layout,
    );
}

/// Spreads the units of an addition over the prize's segments and notes which servers have to
/// get some, within the transaction that records it.
pub(crate) async fn record_addition(
    link: &mut impl Connection,
    operation: u64,
    prize: Prize,
    units: u64,
) -> Result<(), StoreError> {
    let layout = link.rows(texts::read_layout, "[]").await?;
    let layout = layout
        .first()
        .ok_or_else(|| StoreError::Data("the stock was never laid out".to_owned()))?;
    let spread = Spread {
        servers: layout.number(0)?,
        segments: layout.number(1)?,
    };
    let (activity, award) = (prize.activity.get(), prize.award.get());
    // The servers first: a rebuild that begins now either counts the addition or gets it later.
    let servers: Vec<[u8; 1]> = (1..=spread.servers).map(|server| [server]).collect();
    let epochs = link.rows(texts::lock_server, &json_rows(servers)).await?;
    let epochs = epochs
        .iter()
        .map(|row| row.number::<u64>(0))
        .collect::<Result<Vec<_>, _>>()?;
    let known = link
        .rows(texts::lock_segments, &json_rows([(activity, award)]))
        .await?;
    let shares: Vec<(u16, u64)> = spread.share(units).collect();
    if known.is_empty() {
        let row = |&(segment, units): &(u16, u64)| {
            (activity, award, segment, spread.server_of(segment).0, units)
        };
        link.execute(texts::insert_segments, &json_rows(shares.iter().map(row)))
            .await?;
    } else {
        let row = |&(segment, units): &(u16, u64)| (activity, award, segment, units);
        link.execute(texts::change_segments, &json_rows(shares.iter().map(row)))
            .await?;
    }
    let delivery = |(server, epoch): (u8, &u64)| {
        let here = shares
            .iter()
            .filter(|(segment, _)| spread.server_of(*segment).0 == server);
        (
            operation,
            server,
            *epoch,
            here.map(|(_, units)| units).sum::<u64>(),
            0_u8,
        )
    };
    let deliveries = (1..=spread.servers).zip(&epochs).map(delivery);
    link.execute(texts::insert_deliveries, &json_rows(deliveries))
        .await
        .map(drop)
}
