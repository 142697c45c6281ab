//! Calls of applications that are not proven yet: their bodies are read before it is known who
//! calls. Each client address has room for some at once, so that no stranger holds much.
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::address::ClientAddress;

/// Bodies that are read at once from one address. A body that has come is read in a moment: no
/// sound application has so many under way.
pub const UNPROVEN_MAX: u32 = 64;

/// The calls that are not proven yet, by address. There are no more than requests in flight.
#[derive(Debug, Default)]
pub struct UnprovenCalls(Mutex<HashMap<ClientAddress, u32>>);

/// A call that is counted until this is dropped.
#[derive(Debug)]
pub struct UnprovenCall {
    calls: Arc<UnprovenCalls>,
    client: ClientAddress,
}

impl UnprovenCalls {
    /// Counts a call in; `None` when its address has no room.
    pub fn enter(self: &Arc<Self>, client: IpAddr) -> Option<UnprovenCall> {
        let client = ClientAddress::from(client);
        let mut counts = self.lock();
        let count = counts.entry(client).or_default();
        if *count == UNPROVEN_MAX {
            return None;
        }
        *count += 1;
        Some(UnprovenCall {
            calls: self.clone(),
            client,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ClientAddress, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for UnprovenCall {
    fn drop(&mut self) {
        let mut counts = self.calls.lock();
        if let Some(count) = counts.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_room_for_some_and_leaves_nothing_behind() {
        let calls = Arc::<UnprovenCalls>::default();
        let enter = |client: &str| calls.enter(client.parse().expect("an address"));
        let mut held: Vec<_> = (0..UNPROVEN_MAX).map(|_| enter("192.0.2.1")).collect();
        assert!(held.iter().all(Option::is_some));
        assert!(enter("192.0.2.1").is_none());
        assert!(enter("192.0.2.2").is_some(), "others have their own");
        held.pop();
        assert!(enter("192.0.2.1").is_some());
        held.clear();
        assert!(calls.lock().is_empty());
    }
}
