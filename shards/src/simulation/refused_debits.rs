//! Units of purchases whose debit is refused when the batch is settled: points were enough when it
//! was planned, and a command before it has taken them. Such a unit goes back with its grant.
use std::collections::BTreeMap;

use market::Refusal;
use market::batch::Settlement;

use super::fault::Fault;
use super::world::WorldState;
use crate::grant::GrantId;
use crate::stock::cluster::server::Closing;
use crate::stock::{Part, Receipt};

/// Only for [`Fault::SkuUnitKept`]: what servers keep of grants whose batches have committed.
pub(super) type KeptUnits = BTreeMap<GrantId, Vec<Part>>;

impl WorldState {
    /// The receipt that is written for a batch: its own, unless [`Fault::SkuUnitCounted`] adds the
    /// units of refused debits.
    pub(super) fn written_receipt(
        &mut self,
        grant: GrantId,
        settlement: &Settlement,
        receipt: &Receipt,
    ) -> Receipt {
        let unused = self.units_of_refused_debits(grant, settlement, receipt);
        if !unused.is_empty() {
            self.note("unit of a refused debit", || {
                format!("{grant:?} {unused:?}")
            });
        }
        let mut written = receipt.clone();
        match self.fault {
            Some(Fault::SkuUnitCounted) => {
                for part in &unused {
                    let epoch = self.meta.epoch(part.server);
                    written.epochs.entry(part.server).or_insert(epoch);
                }
                written.used = together(&receipt.used, &unused);
            }
            Some(Fault::SkuUnitKept) => drop(self.kept.insert(grant, unused)),
            _ => {}
        }
        written
    }

    /// What was granted of skus to a batch in which a debit was refused, and that it does not use.
    fn units_of_refused_debits(
        &mut self,
        grant: GrantId,
        settlement: &Settlement,
        receipt: &Receipt,
    ) -> Vec<Part> {
        let refused = Err(Refusal::PointsShort);
        if !settlement.answers.contains(&refused) {
            return Vec::new();
        }
        let looks = (self.servers.iter_mut()).filter_map(|server| server.process().look().ok());
        let open = looks.flat_map(|stock| stock.open);
        let granted = open.filter(|open| open.grant == grant);
        let of_skus = granted
            .flat_map(|open| open.parts)
            .filter(|part| part.item.good.sku().is_some());
        let unused = of_skus.map(|part| {
            let used = receipt.used.iter().find(|used| is_same(used, &part));
            let count = part.count - used.map_or(0, |used| used.count);
            Part { count, ..part }
        });
        unused.filter(|part| part.count > 0).collect()
    }

    /// What a server closes of these grants.
    pub(super) fn closed_as(&self, closings: &[Closing]) -> Vec<Closing> {
        let closed = |closing: &Closing| {
            let kept = self.kept.get(&closing.grant).map_or(&[][..], Vec::as_slice);
            Closing {
                grant: closing.grant,
                used: together(&closing.used, kept),
            }
        };
        closings.iter().map(closed).collect()
    }
}

fn is_same(one: &Part, other: &Part) -> bool {
    (one.item, one.segment) == (other.item, other.segment)
}

/// Parts of both, one for each segment.
fn together(used: &[Part], more: &[Part]) -> Vec<Part> {
    let mut parts = used.to_vec();
    for part in more {
        match parts.iter_mut().find(|known| is_same(known, part)) {
            Some(known) => known.count += part.count,
            None => parts.push(*part),
        }
    }
    parts
}
