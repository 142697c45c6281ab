//! The rows that a batch's transaction writes about the units that it issues. Why there are such
//! rows is explained in `stock`.
use std::collections::BTreeMap;

use market::batch::StockItem;

use super::rows::{json_rows, number};
use super::tables::epochs::EPOCHS;
use super::tables::issued::IssuedStatements;
use super::tables::receipts::{RECEIPTS, grant_rows, receipt_row};
use super::tables::{LockOrder, Writes};
use super::{
    Columns, Dialect, ExpectedRows, Input, Issuing, Rows, SqlOutcome, SqlStep, StoreError,
};
use crate::grant::GrantId;
use crate::lane::run_of_grant;
use crate::stock::grants::{Part, Receipt};
use crate::stock::ids::{Epoch, ServerId};

/// The rows about the units of one batch.
pub(crate) struct GrantNote<'r> {
    grant: GrantId,
    /// Which of the run's lanes on this shard writes. No two lanes write the same counter.
    lane: u16,
    receipt: &'r Receipt,
    /// The units as the receipt's row has them.
    text: String,
    /// What each counter grows by, in the order of their keys.
    counts: BTreeMap<(ServerId, StockItem, u16), u64>,
}

impl<'r> GrantNote<'r> {
    pub(crate) fn new(grant: GrantId, lane: u16, receipt: &'r Receipt) -> Self {
        let mut counts = BTreeMap::new();
        for Part {
            server,
            item,
            segment,
            count,
        } in &receipt.used
        {
            *counts.entry((*server, *item, *segment)).or_default() += u64::from(*count);
        }
        Self {
            grant,
            lane,
            receipt,
            text: units_text(receipt),
            counts,
        }
    }

    /// Adds the statements that write it. There are none when no units were taken and no receipt is
    /// to be deleted.
    pub(crate) fn write<'a>(&'a self, dialect: &Dialect, writes: &mut Writes<'a>) {
        match dialect.issuing {
            Issuing::FromServers => self.write_receipt(dialect, writes),
            Issuing::FromMemory => write_counts(dialect, self.item_counts(), writes),
        }
        if dialect.issuing == Issuing::FromServers && !self.receipt.closed.is_empty() {
            let step = SqlStep {
                sql: RECEIPTS.delete,
                input: Input::Rows(grant_rows(&self.receipt.closed)),
                expected: ExpectedRows::Any,
            };
            writes.add_step(LockOrder::Receipts, step);
        }
    }

    /// Those statements.
    #[cfg(test)]
    pub(crate) fn steps(&self, dialect: &Dialect) -> Vec<SqlStep<'_>> {
        let mut writes = Writes::default();
        self.write(dialect, &mut writes);
        writes.in_order()
    }

    fn write_receipt<'a>(&'a self, dialect: &Dialect, writes: &mut Writes<'a>) {
        if self.counts.is_empty() {
            return;
        }
        let hold = SqlStep::read(EPOCHS.hold, Input::Rows(self.servers()));
        writes.add_step(LockOrder::Epochs, hold);
        let note = SqlStep {
            sql: RECEIPTS.insert,
            input: Input::Rows(receipt_row(self.grant, false, &self.text)),
            expected: ExpectedRows::Rows(1),
        };
        writes.add_step(LockOrder::Receipts, note);
        write_counts(dialect, self.lane_counts(), writes);
    }

    /// Checks that each server's epoch is still the one that its units were granted under, by what
    /// the statements have read.
    pub(crate) fn check<R: Columns>(
        &self,
        steps: &[SqlStep<'_>],
        outcomes: &[SqlOutcome<R>],
    ) -> Result<(), StoreError> {
        let held = steps.iter().position(|step| step.sql == EPOCHS.hold);
        match held.and_then(|index| outcomes.get(index)) {
            Some(epochs) => self.check_epochs(&epochs.rows),
            None => Ok(()),
        }
    }

    fn check_epochs<R: Columns>(&self, rows: &[R]) -> Result<(), StoreError> {
        let mut current = 0;
        for row in rows {
            let (server, epoch) = (ServerId(row.number(0)?), Epoch(row.number(1)?));
            current += usize::from(self.receipt.epochs.get(&server) == Some(&epoch));
        }
        let wanted = self.receipt.epochs.len();
        if current != wanted {
            return Err(StoreError::Fenced(format!(
                "{current} of {wanted} stock servers still have that epoch"
            )));
        }
        Ok(())
    }

    fn servers(&self) -> Rows<'_> {
        let mut rows = Rows::default();
        for server in self.receipt.epochs.keys() {
            rows.push([server.0.into()]);
        }
        rows
    }

    fn lane_counts(&self) -> Rows<'_> {
        let run = run_of_grant(self.grant);
        let mut rows = Rows::default();
        for ((server, item, segment), &count) in &self.counts {
            rows.push([
                server.0.into(),
                number(item.activity.get()),
                item.good.kind().into(),
                number(item.good.id()),
                u32::from(*segment).into(),
                number(run),
                u32::from(self.lane).into(),
                number(count),
            ]);
        }
        rows
    }

    fn item_counts(&self) -> Rows<'_> {
        let mut counts: BTreeMap<StockItem, u64> = BTreeMap::new();
        for ((_, item, _), count) in &self.counts {
            *counts.entry(*item).or_default() += count;
        }
        let mut rows = Rows::default();
        for (item, count) in counts {
            rows.push([
                number(item.activity.get()),
                item.good.kind().into(),
                number(item.good.id()),
                number(count),
            ]);
        }
        rows
    }
}

/// `[[server, epoch, [[activity, kind, good, segment, count], ...]], ...]`
fn units_text(receipt: &Receipt) -> String {
    let of_server = |(&server, &epoch): (&ServerId, &Epoch)| {
        let parts = receipt
            .used
            .iter()
            .filter(move |part| part.server == server);
        let units = parts.map(|part| {
            (
                part.item.activity.get(),
                part.item.good.kind(),
                part.item.good.id(),
                part.segment,
                part.count,
            )
        });
        (server.0, epoch.0, units.collect::<Vec<_>>())
    };
    json_rows(receipt.epochs.iter().map(of_server))
}

fn write_counts<'a>(dialect: &Dialect, rows: Rows<'a>, writes: &mut Writes<'a>) {
    let count = rows.by_row().len();
    if count == 0 {
        return;
    }
    let expected = match dialect.issuing {
        Issuing::FromServers => ExpectedRows::AddedOrChanged(count),
        Issuing::FromMemory => ExpectedRows::Rows(count),
    };
    let step = SqlStep {
        sql: IssuedStatements::of(dialect).count,
        input: Input::Rows(rows),
        expected,
    };
    writes.add_step(LockOrder::Issued, step);
}
