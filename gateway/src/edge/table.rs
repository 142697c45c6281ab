//! The open connections: the bounds for all and for each address, and which connection gives way
//! at a bound. A connection with a request under way never does.
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::give_way::{HeadWait, SilentConnection, give_way_order};
use super::group::{ConnectionGroup, ConnectionId};
use super::metrics::{CloseReason, ConnectionMetrics};
use super::peer::{Peer, TrustedProxies};
use super::state::{ConnectionActivity, ConnectionState};
use crate::limits::address::ClientAddress;

/// How far a listener is on the way to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ListenerPhase {
    /// It serves.
    Serving,
    /// It serves, and says `Connection: close` with each answer.
    Closing,
    /// It takes no more connections, and those without a request end.
    Draining,
}

/// Bounds on connections.
#[derive(Debug, Clone)]
pub struct ConnectionBounds {
    /// Open connections; more wait in the system's queue.
    pub connections_max: usize,
    /// Open connections of one address.
    pub connections_per_address_max: usize,
    /// Proxies, to which the bound for an address does not apply.
    pub exempt: TrustedProxies,
}

/// Why there is no place for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPlace {
    /// Its address is at its bound, and each of its connections has a request under way.
    Address,
    /// All places are taken. One may be free in a moment.
    Full,
}

/// The connections of a listener.
#[derive(Debug)]
pub struct ConnectionTable {
    bounds: ConnectionBounds,
    metrics: ConnectionMetrics,
    entries: Mutex<Entries>,
    /// A place has become free.
    left: Notify,
    /// The same as `phase`, cheap enough to be read with each answer.
    phase_now: AtomicU8,
    phase: watch::Sender<ListenerPhase>,
}

#[derive(Debug, Default)]
struct Entries {
    next_id: ConnectionId,
    /// Connections that have a place, those included that were asked to give way.
    by_id: HashMap<ConnectionId, (ConnectionGroup, Arc<ConnectionState>)>,
    /// Those that were not asked.
    by_group: HashMap<ConnectionGroup, Members>,
    /// How many there are in all groups.
    not_asked: usize,
    order: GiveWayOrder,
}

#[derive(Debug, Default)]
struct Members {
    ids: HashSet<ConnectionId>,
    order: GiveWayOrder,
}

/// The connections that give way next, by a recent scan. A scan for each new connection would cost
/// too much in a flood.
#[derive(Debug, Default)]
struct GiveWayOrder {
    ids: Vec<ConnectionId>,
    look: Option<Scan>,
}

/// A look at all connections.
#[derive(Debug, Clone, Copy)]
struct Scan {
    at: Instant,
    took: Duration,
    looked_at: usize,
    found: usize,
    /// Of those found, how many have given way since, or had gone before they were asked.
    gone: usize,
}

/// A connection's place; free again when dropped.
#[derive(Debug)]
pub struct ConnectionEntry {
    table: Arc<ConnectionTable>,
    id: ConnectionId,
    group: ConnectionGroup,
    state: Arc<ConnectionState>,
}

impl ConnectionTable {
    /// A table without connections.
    pub fn new(bounds: ConnectionBounds, metrics: ConnectionMetrics) -> Self {
        metrics.bounded(bounds.connections_max);
        let phase_now = AtomicU8::new(ListenerPhase::Serving as u8);
        let (phase, _) = watch::channel(ListenerPhase::Serving);
        Self {
            bounds,
            metrics,
            entries: Mutex::default(),
            left: Notify::new(),
            phase_now,
            phase,
        }
    }

    /// A place for a connection from `peer`. Where all are taken, a connection without a request is
    /// asked to give way, and its place is free in a moment.
    pub fn enter(self: &Arc<Self>, peer: Peer, now: Instant) -> Result<ConnectionEntry, NoPlace> {
        let group = ConnectionGroup {
            exempt: self.bounds.exempt.contains(peer),
            client: ClientAddress::from(peer.0),
        };
        let mut entries = self.lock();
        let is_full = entries.by_id.len() >= self.bounds.connections_max;
        if !group.exempt && entries.connections_of(group) >= self.bounds.connections_per_address_max
        {
            entries
                .one_of(group, now)
                .ok_or(NoPlace::Address)?
                .ask_to_give_way();
        } else if is_full
            // A connection that was asked goes in a moment: one is enough.
            && entries.asked() == 0
            && let Some(state) = entries.one_of_all(group, now)
        {
            state.ask_to_give_way();
        }
        if is_full {
            return Err(NoPlace::Full);
        }
        let state = Arc::new(ConnectionState::new(now));
        let id = entries.insert(group, state.clone());
        drop(entries);
        self.metrics.opened();
        Ok(ConnectionEntry {
            table: self.clone(),
            id,
            group,
            state,
        })
    }

    /// Waits until a connection ends, but not for long: by then another one may give way.
    pub async fn place_left(&self) {
        const LOOK_AGAIN: Duration = Duration::from_millis(10);
        let _ = timeout(LOOK_AGAIN, self.left.notified()).await;
    }

    /// How far the listener is.
    pub fn phase(&self) -> ListenerPhase {
        match self.phase_now.load(Ordering::Relaxed) {
            0 => ListenerPhase::Serving,
            1 => ListenerPhase::Closing,
            _ => ListenerPhase::Draining,
        }
    }

    /// Goes on to a later phase.
    pub fn enter_phase(&self, phase: ListenerPhase) {
        self.phase_now.fetch_max(phase as u8, Ordering::Relaxed);
        self.phase.send_modify(|known| *known = phase.max(*known));
        if phase == ListenerPhase::Draining {
            for (_, state) in self.lock().by_id.values() {
                state.wake();
            }
        }
    }

    /// Waits for a phase.
    pub async fn reached(&self, phase: ListenerPhase) {
        // Its sender is our own.
        let _ = self
            .phase
            .subscribe()
            .wait_for(|&reached| reached >= phase)
            .await;
    }

    /// Connections with a request under way.
    pub fn answering(&self) -> usize {
        let entries = self.lock();
        entries
            .by_id
            .values()
            .filter(|(_, state)| state.activity() == ConnectionActivity::Answering)
            .count()
    }

    /// Counts a connection that is closed without an answer.
    pub fn count_closed(&self, why: CloseReason) {
        self.metrics.closed(why);
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionEntry {
    /// What the connection is doing.
    pub fn state(&self) -> &ConnectionState {
        &self.state
    }

    /// The same, for what outlives a borrow.
    pub fn shared_state(&self) -> Arc<ConnectionState> {
        self.state.clone()
    }

    /// The table that it stands in.
    pub fn table(&self) -> &ConnectionTable {
        &self.table
    }

    /// It was asked to give way and does not: its request came first.
    pub fn stays(&self) {
        self.table.lock().join_group(self.id, self.group);
    }
}

impl Drop for ConnectionEntry {
    fn drop(&mut self) {
        let mut entries = self.table.lock();
        entries.by_id.remove(&self.id);
        entries.leave_group(self.id, self.group);
        drop(entries);
        self.table.metrics.left();
        self.table.left.notify_one();
    }
}

impl Entries {
    fn insert(&mut self, group: ConnectionGroup, state: Arc<ConnectionState>) -> ConnectionId {
        let id = self.next_id;
        self.next_id += 1;
        self.by_id.insert(id, (group, state));
        self.join_group(id, group);
        id
    }

    fn join_group(&mut self, id: ConnectionId, group: ConnectionGroup) {
        self.not_asked += usize::from(self.by_group.entry(group).or_default().ids.insert(id));
    }

    fn leave_group(&mut self, id: ConnectionId, group: ConnectionGroup) {
        if let Some(members) = self.by_group.get_mut(&group) {
            self.not_asked -= usize::from(members.ids.remove(&id));
            if members.ids.is_empty() {
                self.by_group.remove(&group);
            }
        }
    }

    /// How many were asked to give way and have not gone yet.
    fn asked(&self) -> usize {
        self.by_id.len() - self.not_asked
    }

    fn connections_of(&self, group: ConnectionGroup) -> usize {
        self.by_group
            .get(&group)
            .map_or(0, |members| members.ids.len())
    }

    /// The one of a group that gives way, which is counted there no more.
    fn one_of(&mut self, group: ConnectionGroup, now: Instant) -> Option<Arc<ConnectionState>> {
        let mut order = std::mem::take(&mut self.by_group.get_mut(&group)?.order);
        let next = self.next_of(&mut order, now, |entries| {
            let ids = entries.by_group.get(&group).map(|members| &members.ids);
            entries.look(ids.into_iter().flatten(), now)
        });
        let found = next.and_then(|next| self.ask(&mut order, next));
        if let Some(members) = self.by_group.get_mut(&group) {
            members.order = order;
        }
        found
    }

    /// The one of all that gives way to a newcomer: one of the newcomer's own group where that has
    /// more connections, since those that came after the order was made are not in it.
    fn one_of_all(
        &mut self,
        newcomer: ConnectionGroup,
        now: Instant,
    ) -> Option<Arc<ConnectionState>> {
        let mut order = std::mem::take(&mut self.order);
        let next = self.next_of(&mut order, now, |entries| {
            entries.look(entries.by_id.keys(), now)
        });
        let has_more = next.is_some_and(|(_, group)| self.rank(newcomer) > self.rank(group));
        let own = if has_more {
            self.one_of(newcomer, now)
        } else {
            None
        };
        let found = own.or_else(|| self.ask(&mut order, next?));
        self.order = order;
        found
    }

    fn next_of(
        &self,
        order: &mut GiveWayOrder,
        now: Instant,
        look: impl Fn(&Self) -> GiveWayOrder,
    ) -> Option<(ConnectionId, ConnectionGroup)> {
        self.next_in(order, now).or_else(|| {
            if !order.may_be_renewed(now) {
                return None;
            }
            *order = look(self);
            self.next_in(order, now)
        })
    }

    /// The next one that is still there and still without a request. The end of an order is never
    /// reached: the order is renewed when half of it has gone.
    fn next_in(
        &self,
        order: &mut GiveWayOrder,
        now: Instant,
    ) -> Option<(ConnectionId, ConnectionGroup)> {
        while !order.is_outdated(now) {
            let id = *order.ids.last()?;
            if let Some((group, state)) = self.by_id.get(&id)
                && !self.was_asked(id, *group)
                && state.activity() != ConnectionActivity::Answering
            {
                return Some((id, *group));
            }
            order.take();
        }
        None
    }

    /// Takes the next one off its order and out of its group.
    fn ask(
        &mut self,
        order: &mut GiveWayOrder,
        (id, group): (ConnectionId, ConnectionGroup),
    ) -> Option<Arc<ConnectionState>> {
        order.take();
        self.leave_group(id, group);
        self.by_id.get(&id).map(|(_, state)| state.clone())
    }

    /// The number by which groups give way: that of their connections.
    fn rank(&self, group: ConnectionGroup) -> usize {
        if group.exempt {
            0
        } else {
            self.connections_of(group)
        }
    }

    fn was_asked(&self, id: ConnectionId, group: ConnectionGroup) -> bool {
        !self
            .by_group
            .get(&group)
            .is_some_and(|members| members.ids.contains(&id))
    }

    /// The order of these connections, as far as they have no request and were not asked yet.
    fn look<'a>(&self, ids: impl Iterator<Item = &'a ConnectionId>, now: Instant) -> GiveWayOrder {
        let begun = Instant::now();
        let mut looked_at = 0;
        let silent = ids
            .inspect(|_| looked_at += 1)
            .filter_map(|&id| self.silent(id))
            .collect();
        let ids = give_way_order(silent);
        let look = Scan {
            at: now,
            took: begun.elapsed(),
            looked_at,
            found: ids.len(),
            gone: 0,
        };
        GiveWayOrder {
            ids,
            look: Some(look),
        }
    }

    fn silent(&self, id: ConnectionId) -> Option<SilentConnection> {
        let (group, state) = self.by_id.get(&id)?;
        if self.was_asked(id, *group) {
            return None;
        }
        let wait = match state.activity() {
            ConnectionActivity::Answering => return None,
            ConnectionActivity::FirstHead => HeadWait {
                was_served: false,
                since: state.accepted(),
            },
            ConnectionActivity::IdleSince(since) => HeadWait {
                was_served: true,
                since: state.accepted() + since,
            },
        };
        Some(SilentConnection {
            id,
            group: *group,
            connections: self.connections_of(*group),
            wait,
        })
    }
}

impl GiveWayOrder {
    /// Whether others may come first by now: the scan is old, or half of what it found has gone.
    fn is_outdated(&self, now: Instant) -> bool {
        const OLD: Duration = Duration::from_secs(1);
        self.look.is_none_or(|look| {
            now.saturating_duration_since(look.at) > OLD || look.gone * 2 >= look.found
        })
    }

    /// Whether another scan is due. Where nearly all connections have a request, scans must not
    /// take the time in which these are answered.
    fn may_be_renewed(&self, now: Instant) -> bool {
        self.look.is_none_or(|look| {
            look.gone * 8 >= look.looked_at.max(1)
                || now.saturating_duration_since(look.at) >= look.took * 20
        })
    }

    fn take(&mut self) {
        if let Some(look) = &mut self.look {
            look.gone += 1;
        }
        self.ids.pop();
    }
}

#[cfg(test)]
mod tests;
