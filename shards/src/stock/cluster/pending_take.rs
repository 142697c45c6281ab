//! What a lane has got so far while it asks one server after the other.
use std::collections::BTreeSet;

use market::batch::{StockItem, Units};

use super::server::Taken;
use crate::stock::StockUnavailable;
use crate::stock::grants::{Granted, Part};
use crate::stock::ids::{Epoch, ServerId};

/// What is still wanted, and what was granted so far.
pub(super) struct PendingTake {
    pub(super) wants: Vec<Units>,
    pub(super) granted: Granted,
    /// Prizes of which a server has units that were not delivered yet.
    undelivered: BTreeSet<StockItem>,
    /// Why a server did not answer.
    unavailable: Option<StockUnavailable>,
    /// Servers whose answer was cut off: they may have granted something.
    pub(super) cut_off: Vec<ServerId>,
}

impl PendingTake {
    pub(super) fn new(wants: Vec<Units>) -> Self {
        Self {
            wants,
            granted: Granted::default(),
            undelivered: BTreeSet::new(),
            unavailable: None,
            cut_off: Vec::new(),
        }
    }

    /// Adds the answer of a server.
    pub(super) fn add(&mut self, server: ServerId, taken: Result<Taken, StockUnavailable>) {
        match taken {
            Ok(Taken::Granted(epoch, parts)) => self.grant(server, epoch, parts),
            Ok(Taken::Undelivered(items)) => self.undelivered.extend(items),
            Err(error) => {
                if matches!(error, StockUnavailable::EndedAtOnce(_)) {
                    self.cut_off.push(server);
                }
                // An error that would come again takes precedence.
                if !matches!(self.unavailable, Some(StockUnavailable::Unavailable(_))) {
                    self.unavailable = Some(error);
                }
            }
        }
    }

    fn grant(&mut self, server: ServerId, epoch: Epoch, parts: Vec<Part>) {
        for part in &parts {
            for want in self.wants.iter_mut().filter(|want| want.item == part.item) {
                want.count = want.count.saturating_sub(part.count);
            }
        }
        self.wants.retain(|want| want.count > 0);
        if !parts.is_empty() {
            self.granted.epochs.insert(server, epoch);
            self.granted.parts.extend(parts);
        }
    }

    /// Why there may be more units than were granted; `None` when there are none.
    pub(super) fn failure(&self) -> Option<StockUnavailable> {
        if self.wants.is_empty() {
            return None;
        }
        let wanted = |item: &&StockItem| self.wants.iter().any(|want| want.item == **item);
        let undelivered: Vec<StockItem> = self.undelivered.iter().filter(wanted).copied().collect();
        // A server that is unavailable may have the units that are missing.
        self.unavailable
            .clone()
            .or((!undelivered.is_empty()).then_some(StockUnavailable::Undelivered(undelivered)))
    }
}
