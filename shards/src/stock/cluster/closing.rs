//! Grants that lanes close: what a server still has to do, and which receipts can go after that.
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::server::Closing;
use crate::grant::GrantId;
use crate::stock::ids::{Epoch, ServerId};

/// Receipts of closed grants that wait for their lane's next batch. `reclaim` finds those that do
/// not fit.
const CLOSED_MAX: usize = 4_096;

/// Receipts that one batch deletes at most.
const CLOSED_AT_ONCE: usize = 256;

/// Grants of one lane that are closed wherever they were open.
#[derive(Debug, Default)]
pub(super) struct ClosedGrants(Mutex<VecDeque<GrantId>>);

impl ClosedGrants {
    fn add(&self, grant: GrantId) {
        let mut grants = lock(&self.0);
        if grants.len() < CLOSED_MAX {
            grants.push_back(grant);
        }
    }

    /// Takes some of them, if there are at least `min`.
    pub(super) fn take(&self, min: usize) -> Vec<GrantId> {
        let mut grants = lock(&self.0);
        let count = grants.len().min(CLOSED_AT_ONCE);
        if count < min {
            Vec::new()
        } else {
            grants.drain(..count).collect()
        }
    }
}

/// A grant with a receipt that is being closed on its servers.
#[derive(Debug)]
pub(super) struct GrantBeingClosed {
    grant: GrantId,
    /// The servers whose units it used and that have not closed it yet, with the epochs under which
    /// they granted.
    missing: Mutex<BTreeMap<ServerId, Epoch>>,
    closed: Arc<ClosedGrants>,
}

impl GrantBeingClosed {
    /// A grant whose receipt goes to `closed` once all these servers have closed it.
    pub(super) fn new(
        grant: GrantId,
        missing: BTreeMap<ServerId, Epoch>,
        closed: Arc<ClosedGrants>,
    ) -> Self {
        Self {
            grant,
            missing: Mutex::new(missing),
            closed,
        }
    }

    /// Notes that nothing is open on a server that was granted under this epoch or an earlier one.
    pub(super) fn note_closed(&self, server: ServerId, current: Epoch) {
        let mut missing = lock(&self.missing);
        if missing.get(&server).is_some_and(|epoch| current >= *epoch) {
            missing.remove(&server);
            if missing.is_empty() {
                self.closed.add(self.grant);
            }
        }
    }
}

/// A grant to close on one server, and what to notify then.
pub(super) struct CloseRequest {
    pub(super) closing: Closing,
    pub(super) notified: Option<Arc<GrantBeingClosed>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
