//! In a cluster a prize's units lie in segments. Their totals sum to what stock operations sum to,
//! less what servers have given to a withdrawal that is not done yet; and each segment is one of
//! the layout, on its server.
use std::collections::BTreeMap;

use crate::audit::counts::read_counts;
use crate::audit::report::Check;
use crate::audit::stock::{Counts, PrizeKey, name, prizes, units};
use crate::stock::ServerId;
use crate::stock::cluster::Spread;
use crate::store::{Columns, Connection, Database, StoreError};

const READ_SEGMENTS: &str = include_str!("../../../sql/mysql/audit/read_segments.sql");
const READ_WITHDRAWING: &str = include_str!("../../../sql/mysql/audit/read_withdrawing.sql");

/// A segment of a prize.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::audit) struct Segment {
    pub(in crate::audit) prize: PrizeKey,
    pub(in crate::audit) number: i64,
    pub(in crate::audit) server: i64,
    pub(in crate::audit) total: i64,
}

/// What the meta database says of the stock, at one moment.
#[derive(Debug, Default)]
pub(in crate::audit) struct Segments {
    pub(in crate::audit) rows: Vec<Segment>,
    /// Given to withdrawals that are not done yet.
    pub(in crate::audit) withdrawing: Counts,
    pub(in crate::audit) totals: Counts,
}

/// Reads what the check compares. Only MySQL has segments.
pub(in crate::audit) async fn read<D: Database>(meta: &D) -> Result<Segments, StoreError> {
    let mut connection = meta.connect().await?;
    connection.begin_snapshot().await?;
    let read_totals = crate::meta::StockOperationStatements::of::<D>().read_totals;
    let totals = read_counts(&mut connection, read_totals).await?;
    let withdrawing = read_counts(&mut connection, READ_WITHDRAWING).await?;
    let rows = connection.rows(READ_SEGMENTS, "[]").await?;
    connection.rollback().await?;
    let segment = |row: &<D::Connection as Connection>::Row| {
        Ok(Segment {
            prize: (row.integer(0)?, row.integer(1)?),
            number: row.integer(2)?,
            server: row.integer(3)?,
            total: row.integer(4)?,
        })
    };
    let segments = rows
        .iter()
        .map(segment)
        .collect::<Result<_, StoreError>>()?;
    Ok(Segments {
        rows: segments,
        withdrawing,
        totals,
    })
}

pub(in crate::audit) fn segments_match_operations(read: &Segments, spread: Spread) -> Check {
    let mut check = Check::new("segments_match_operations");
    let mut sums: BTreeMap<PrizeKey, i64> = BTreeMap::new();
    for Segment {
        prize,
        number,
        server,
        total,
    } in &read.rows
    {
        check.checked += 1;
        let sum = sums.entry(*prize).or_default();
        *sum = sum.saturating_add(*total);
        let belongs = u16::try_from(*number)
            .ok()
            .filter(|number| *number < spread.segments);
        let belongs = belongs.map(|number| spread.server_of(number));
        if belongs.map(|ServerId(server)| i64::from(server)) != Some(*server) {
            let expected = belongs.map_or_else(
                || format!("there are {} segments", spread.segments),
                |expected| format!("it belongs on server {expected}"),
            );
            check.violation(|| {
                format!(
                    "{}: segment {number} is on server {server}; {expected}",
                    name(*prize)
                )
            });
        }
        if *total < 0 {
            check
                .violation(|| format!("{}: segment {number} has a total of {total}", name(*prize)));
        }
    }
    for prize in prizes([&sums, &read.withdrawing, &read.totals]) {
        let (sum, total) = (units(&sums, prize), units(&read.totals, prize));
        let given = units(&read.withdrawing, prize);
        if sum.saturating_add(given) != total {
            let given = if given == 0 {
                String::new()
            } else {
                format!(" with {given} that are being withdrawn")
            };
            check.violation(|| {
                format!(
                    "{}: its segments have {sum} units{given}, stock operations sum to {total}",
                    name(prize)
                )
            });
        }
    }
    check
}
