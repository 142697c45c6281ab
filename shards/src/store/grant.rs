//! What a batch's transaction notes of the units that it issues. Here is only what the rows look
//! like; why there are any is told in `stock`.
use std::collections::BTreeMap;

use market::batch::Prize;

use super::rows::{json_rows, number};
use super::{Columns, Dialect, Expected, Input, Issuing, Outcome, Rows, Step, StoreError};
use crate::grant::GrantId;
use crate::lane::run_of_grant;
use crate::stock::{Epoch, Part, Receipt, ServerId};

/// The rows about the units of one batch.
pub(crate) struct GrantNote<'r> {
    grant: GrantId,
    /// Which of the run's lanes on this shard writes: no two write one counter.
    lane: u16,
    receipt: &'r Receipt,
    /// The units as the receipt's row says them.
    text: String,
    /// What each counter grows by, in the order of their keys.
    counts: BTreeMap<(ServerId, Prize, u16), u64>,
}

impl<'r> GrantNote<'r> {
    pub(crate) fn new(grant: GrantId, lane: u16, receipt: &'r Receipt) -> Self {
        let mut counts = BTreeMap::new();
        for Part {
            server,
            prize,
            segment,
            count,
        } in &receipt.used
        {
            *counts.entry((*server, *prize, *segment)).or_default() += u64::from(*count);
        }
        Self {
            grant,
            lane,
            receipt,
            text: units_text(receipt),
            counts,
        }
    }

    /// The statements that note it, for [`GrantNote::check`] to look at what they did. None where
    /// no units were taken and nothing is to be deleted.
    pub(crate) fn steps(&self, dialect: &Dialect) -> Vec<Step<'_>> {
        let mut steps = Vec::new();
        let used = !self.counts.is_empty();
        match dialect.issuing {
            Issuing::FromServers(sql) => {
                let mut push = |sql, rows, expected| {
                    steps.push(Step {
                        sql,
                        input: Input::Rows(rows),
                        expected,
                    });
                };
                if used {
                    push(sql.hold_epochs, self.servers(), Expected::Any);
                    push(
                        sql.insert_receipt,
                        receipt_row(self.grant, false, &self.text),
                        Expected::Rows(1),
                    );
                    push(
                        sql.count_issued,
                        self.lane_counts(),
                        Expected::AddedOrChanged(self.counts.len()),
                    );
                }
                if !self.receipt.closed.is_empty() {
                    push(
                        sql.delete_receipts,
                        grant_rows(&self.receipt.closed),
                        Expected::Any,
                    );
                }
            }
            Issuing::FromMemory { count_issued } if used => {
                let rows = self.prize_counts();
                let expected = Expected::Rows(rows.by_row().len());
                steps.push(Step {
                    sql: count_issued,
                    input: Input::Rows(rows),
                    expected,
                });
            }
            Issuing::FromMemory { .. } => {}
        }
        steps
    }

    /// Whether each server's epoch is still the one that its units were granted under.
    pub(crate) fn check<R: Columns>(
        &self,
        dialect: &Dialect,
        outcomes: &[Outcome<R>],
    ) -> Result<(), StoreError> {
        match (dialect.issuing, outcomes) {
            (Issuing::FromServers(_), [epochs, ..]) if !self.counts.is_empty() => {
                self.check_epochs(&epochs.rows)
            }
            _ => Ok(()),
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
                "{current} of {wanted} stock servers have still that epoch"
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
        for ((server, prize, segment), &count) in &self.counts {
            rows.push([
                server.0.into(),
                number(prize.activity.get()),
                number(prize.award.get()),
                u32::from(*segment).into(),
                number(run),
                u32::from(self.lane).into(),
                number(count),
            ]);
        }
        rows
    }

    fn prize_counts(&self) -> Rows<'_> {
        let mut counts: BTreeMap<Prize, u64> = BTreeMap::new();
        for ((_, prize, _), count) in &self.counts {
            *counts.entry(*prize).or_default() += count;
        }
        let mut rows = Rows::default();
        for (prize, count) in counts {
            rows.push([
                number(prize.activity.get()),
                number(prize.award.get()),
                number(count),
            ]);
        }
        rows
    }
}

/// The one row of a grant's receipt; a void one forbids its batch.
pub(crate) fn receipt_row(grant: GrantId, void: bool, units: &str) -> Rows<'_> {
    let mut rows = Rows::default();
    rows.push([number(grant.0), u8::from(void).into(), units.into()]);
    rows
}

/// Rows of grants, in their order.
pub(crate) fn grant_rows<'a>(grants: &[GrantId]) -> Rows<'a> {
    let mut grants = grants.to_vec();
    grants.sort_unstable();
    let mut rows = Rows::default();
    for grant in grants {
        rows.push([number(grant.0)]);
    }
    rows
}

/// `[[server, epoch, [[activity, award, segment, count], ...]], ...]`
fn units_text(receipt: &Receipt) -> String {
    let of_server = |(&server, &epoch): (&ServerId, &Epoch)| {
        let parts = receipt
            .used
            .iter()
            .filter(move |part| part.server == server);
        let units = parts.map(|part| {
            (
                part.prize.activity.get(),
                part.prize.award.get(),
                part.segment,
                part.count,
            )
        });
        (server.0, epoch.0, units.collect::<Vec<_>>())
    };
    json_rows(receipt.epochs.iter().map(of_server))
}
