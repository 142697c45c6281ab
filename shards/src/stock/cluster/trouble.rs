//! Why lanes get no units of a server, for the log.
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::server::Taken;
use crate::stock::StockUnavailable;
use crate::stock::ids::ServerId;

/// The last failure of a server. It is logged when it changes, not for each batch.
#[derive(Debug, Default)]
pub(super) struct ServerTrouble(Mutex<Option<String>>);

impl ServerTrouble {
    pub(super) fn last(&self) -> Option<String> {
        self.lock().clone()
    }

    /// Notes the outcome of a take.
    pub(super) fn note(&self, server: ServerId, taken: &Result<Taken, StockUnavailable>) {
        let why = match taken {
            Ok(_) => None,
            // The lane tries once more.
            Err(StockUnavailable::EndedAtOnce(_)) => return,
            Err(error) => Some(error.to_string()),
        };
        if !self.change(why.clone()) {
            return;
        }
        if let Some(why) = why {
            tracing::warn!(%server, why, "lanes get no units of a stock server");
        } else {
            tracing::info!(%server, "lanes get units of the stock server again");
        }
    }

    /// Remembers the failure, or that there is none. Returns whether that is a change.
    pub(super) fn change(&self, why: Option<String>) -> bool {
        let mut last = self.lock();
        let changed = *last != why;
        *last = why;
        changed
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_logged_when_it_changes() {
        let trouble = ServerTrouble::default();
        let changes = |why: Option<&str>| trouble.change(why.map(str::to_owned));
        let changed = [
            None,
            Some("a"),
            Some("a"),
            Some("b"),
            Some("b"),
            None,
            None,
            Some("b"),
        ]
        .map(changes);
        assert_eq!(
            changed,
            [false, true, false, true, false, true, false, true]
        );
    }
}
