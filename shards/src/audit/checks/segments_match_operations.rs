//! In a cluster an item's units are in segments. Their totals sum to the stock operations, less
//! what servers have given to withdrawals that are not done yet. Each segment is one of the layout,
//! and on its server.
use std::collections::BTreeMap;

use crate::audit::audited::{AuditError, Audited};
use crate::audit::counts::read_counts;
use crate::audit::report::CheckReport;
use crate::audit::stock::{Counts, ItemKey, items, units};
use crate::audit::sums::StoredSums;
use crate::meta::StockOperationStatements;
use crate::stock::ServerId;
use crate::stock::cluster::Spread;
use crate::store::{Columns, Connection, Database, StoreError};

const READ_SEGMENTS: &str = include_str!("../../../sql/mysql/audit/read_segments.sql");
const READ_WITHDRAWING: &str = include_str!("../../../sql/mysql/audit/read_withdrawing.sql");

/// A segment of an item, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::audit) struct StoredSegment {
    pub(in crate::audit) item: ItemKey,
    pub(in crate::audit) number: i64,
    pub(in crate::audit) server: i64,
    pub(in crate::audit) total: i64,
}

/// What the meta database says of segments, at one moment.
#[derive(Debug, Default)]
pub(in crate::audit) struct StoredSegments {
    pub(in crate::audit) rows: Vec<StoredSegment>,
    /// Units that servers gave to withdrawals that are not done yet.
    pub(in crate::audit) withdrawing: Counts,
    pub(in crate::audit) totals: Counts,
}

/// Only clusters have segments.
pub(super) async fn check<A: Audited>(
    sums: &StoredSums<'_, A>,
) -> Result<Option<CheckReport>, AuditError> {
    let installation = sums.installation;
    let Some(spread) = installation.spread() else {
        return Ok(None);
    };
    let segments = read(&installation.meta())
        .await
        .map_err(|error| installation.meta_failed(error))?;
    Ok(Some(segments_match_operations(&segments, spread)))
}

/// Reads what the check compares.
async fn read<D: Database>(meta: &D) -> Result<StoredSegments, StoreError> {
    let mut connection = meta.connect().await?;
    connection.begin_snapshot().await?;
    let read_totals = StockOperationStatements::of::<D>().read_totals;
    let totals = read_counts(&mut connection, read_totals).await?;
    let withdrawing = read_counts(&mut connection, READ_WITHDRAWING).await?;
    let rows = connection.rows(READ_SEGMENTS, "[]").await?;
    connection.rollback().await?;
    let segment = |row: &<D::Connection as Connection>::Row| {
        Ok(StoredSegment {
            item: ItemKey::of(row)?,
            number: row.integer(3)?,
            server: row.integer(4)?,
            total: row.integer(5)?,
        })
    };
    let segments = rows
        .iter()
        .map(segment)
        .collect::<Result<_, StoreError>>()?;
    Ok(StoredSegments {
        rows: segments,
        withdrawing,
        totals,
    })
}

pub(in crate::audit) fn segments_match_operations(
    read: &StoredSegments,
    spread: Spread,
) -> CheckReport {
    let mut report = CheckReport::new("segments_match_operations");
    let mut sums: BTreeMap<ItemKey, i64> = BTreeMap::new();
    for StoredSegment {
        item,
        number,
        server,
        total,
    } in &read.rows
    {
        report.checked += 1;
        let sum = sums.entry(*item).or_default();
        *sum = sum.saturating_add(*total);
        let belongs = u16::try_from(*number)
            .ok()
            .filter(|number| *number < spread.segments);
        let belongs = belongs.map(|number| spread.server_of(number));
        if belongs.map(|ServerId(server)| i64::from(server)) != Some(*server) {
            let expected = belongs.map_or_else(
                || format!("the layout has {} segments", spread.segments),
                |expected| format!("it belongs on server {expected}"),
            );
            report.violation(|| {
                format!("{item}: segment {number} is on server {server}; {expected}")
            });
        }
        if *total < 0 {
            report.violation(|| format!("{item}: segment {number} has a total of {total}"));
        }
    }
    for item in items([&sums, &read.withdrawing, &read.totals]) {
        let (sum, total) = (units(&sums, item), units(&read.totals, item));
        let given = units(&read.withdrawing, item);
        if sum.saturating_add(given) != total {
            let given = if given == 0 {
                String::new()
            } else {
                format!(" and {given} that are being withdrawn")
            };
            report.violation(|| {
                format!(
                    "{item}: its segments have {sum} units{given}, stock operations sum to {total}"
                )
            });
        }
    }
    report
}
