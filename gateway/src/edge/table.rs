//! Who is connected: the bounds on connections, for all and for each address, and who gives way
//! when a bound is met. A connection with a request under way never does.
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::give_way::{Silent, Wait, give_way_order};
use super::group::{ConnectionId, Group};
use super::metrics::{Closed, ConnectionMetrics};
use super::peer::{Peer, TrustedProxies};
use super::state::{Activity, ConnectionState};
use crate::limits::address::Client;

/// How far a listener is on the way to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Phase {
    /// It serves.
    Serving,
    /// It serves, and says `Connection: close` with each answer.
    Closing,
    /// It takes no more connections, and those without a request end.
    Draining,
}

/// ConnectionBounds on connections.
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
    /// Its address has as many as it may, and each of them has a request under way.
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
    phase: watch::Sender<Phase>,
}

#[derive(Debug, Default)]
struct Entries {
    next_id: ConnectionId,
    /// Connections that have a place, those included that were asked to give way.
    by_id: HashMap<ConnectionId, (Group, Arc<ConnectionState>)>,
    /// Those that were not asked.
    by_group: HashMap<Group, Members>,
    /// How many there are in all groups.
    not_asked: usize,
    order: GiveWayOrder,
}

#[derive(Debug, Default)]
struct Members {
    ids: HashSet<ConnectionId>,
    order: GiveWayOrder,
}

/// Who gives way next, as it was found a moment ago. To look at all connections for each new one
/// would be dear in a flood.
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
pub struct Entry {
    table: Arc<ConnectionTable>,
    id: ConnectionId,
    group: Group,
    state: Arc<ConnectionState>,
}

impl ConnectionTable {
    /// A table without connections.
    pub fn new(bounds: ConnectionBounds, metrics: ConnectionMetrics) -> Self {
        metrics.bounded(bounds.connections_max);
        let phase_now = AtomicU8::new(Phase::Serving as u8);
        let (phase, _) = watch::channel(Phase::Serving);
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
    pub fn enter(self: &Arc<Self>, peer: Peer, now: Instant) -> Result<Entry, NoPlace> {
        let group = Group {
            exempt: self.bounds.exempt.contains(peer),
            client: Client::from(peer.0),
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
        Ok(Entry {
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
    pub fn phase(&self) -> Phase {
        match self.phase_now.load(Ordering::Relaxed) {
            0 => Phase::Serving,
            1 => Phase::Closing,
            _ => Phase::Draining,
        }
    }

    /// Goes on to a later phase.
    pub fn enter_phase(&self, phase: Phase) {
        self.phase_now.fetch_max(phase as u8, Ordering::Relaxed);
        self.phase.send_modify(|known| *known = phase.max(*known));
        if phase == Phase::Draining {
            for (_, state) in self.lock().by_id.values() {
                state.wake();
            }
        }
    }

    /// Waits for a phase.
    pub async fn reached(&self, phase: Phase) {
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
            .filter(|(_, state)| state.activity() == Activity::Answering)
            .count()
    }

    /// Counts a connection that is closed without an answer.
    pub fn count_closed(&self, why: Closed) {
        self.metrics.closed(why);
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
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

impl Drop for Entry {
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
    fn insert(&mut self, group: Group, state: Arc<ConnectionState>) -> ConnectionId {
        let id = self.next_id;
        self.next_id += 1;
        self.by_id.insert(id, (group, state));
        self.join_group(id, group);
        id
    }

    fn join_group(&mut self, id: ConnectionId, group: Group) {
        self.not_asked += usize::from(self.by_group.entry(group).or_default().ids.insert(id));
    }

    fn leave_group(&mut self, id: ConnectionId, group: Group) {
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

    fn connections_of(&self, group: Group) -> usize {
        self.by_group
            .get(&group)
            .map_or(0, |members| members.ids.len())
    }

    /// The one of a group that gives way, which is counted there no more.
    fn one_of(&mut self, group: Group, now: Instant) -> Option<Arc<ConnectionState>> {
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
    fn one_of_all(&mut self, newcomer: Group, now: Instant) -> Option<Arc<ConnectionState>> {
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
    ) -> Option<(ConnectionId, Group)> {
        self.next_in(order, now).or_else(|| {
            if !order.may_be_renewed(now) {
                return None;
            }
            *order = look(self);
            self.next_in(order, now)
        })
    }

    /// The next one that is still there and still without a request. The end of an order is never
    /// reached: there stand those who give way last, and by then they need not.
    fn next_in(&self, order: &mut GiveWayOrder, now: Instant) -> Option<(ConnectionId, Group)> {
        while !order.is_outdated(now) {
            let id = *order.ids.last()?;
            if let Some((group, state)) = self.by_id.get(&id)
                && !self.was_asked(id, *group)
                && state.activity() != Activity::Answering
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
        (id, group): (ConnectionId, Group),
    ) -> Option<Arc<ConnectionState>> {
        order.take();
        self.leave_group(id, group);
        self.by_id.get(&id).map(|(_, state)| state.clone())
    }

    /// The number by which groups give way: that of their connections.
    fn rank(&self, group: Group) -> usize {
        if group.exempt {
            0
        } else {
            self.connections_of(group)
        }
    }

    fn was_asked(&self, id: ConnectionId, group: Group) -> bool {
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

    fn silent(&self, id: ConnectionId) -> Option<Silent> {
        let (group, state) = self.by_id.get(&id)?;
        if self.was_asked(id, *group) {
            return None;
        }
        let wait = match state.activity() {
            Activity::Answering => return None,
            Activity::FirstHead => Wait {
                was_served: false,
                since: state.accepted(),
            },
            Activity::IdleSince(since) => Wait {
                was_served: true,
                since: state.accepted() + since,
            },
        };
        Some(Silent {
            id,
            group: *group,
            connections: self.connections_of(*group),
            wait,
        })
    }
}

impl GiveWayOrder {
    /// Whether others may come first by now: those who were there then have waited for long, or
    /// half of them have gone.
    fn is_outdated(&self, now: Instant) -> bool {
        const OLD: Duration = Duration::from_secs(1);
        self.look.is_none_or(|look| {
            now.saturating_duration_since(look.at) > OLD || look.gone * 2 >= look.found
        })
    }

    /// Whether all may be looked at again: where nearly all have a request, looking again and again
    /// must not take the time in which they are answered.
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
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn table(
        connections_max: usize,
        connections_per_address_max: usize,
        exempt: &[&str],
    ) -> Arc<ConnectionTable> {
        let networks = exempt
            .iter()
            .map(|text| super::super::network(text).expect("a network"));
        let exempt = TrustedProxies::new(networks.collect());
        let bounds = ConnectionBounds {
            connections_max,
            connections_per_address_max,
            exempt,
        };
        Arc::new(ConnectionTable::new(
            bounds,
            ConnectionMetrics::unregistered(),
        ))
    }

    fn peer(address: &str) -> Peer {
        Peer(address.parse::<IpAddr>().expect("an address"))
    }

    fn enter(table: &Arc<ConnectionTable>, address: &str) -> Result<Entry, NoPlace> {
        table.enter(peer(address), Instant::now())
    }

    #[test]
    fn whoever_waits_longest_is_asked_once_and_its_place_is_taken_when_it_has_gone() {
        let table = table(2, 10, &[]);
        let (first, second) = (
            enter(&table, "192.0.2.1").expect("a place"),
            enter(&table, "192.0.2.1"),
        );
        let second = second.expect("a place");
        assert_eq!(enter(&table, "192.0.2.1").err(), Some(NoPlace::Full));
        assert!(first.state().takes_give_way() && !second.state().takes_give_way());
        drop(first);
        let _third = enter(&table, "192.0.2.1").expect("the place of the first");
    }

    #[test]
    fn a_request_under_way_is_never_asked_and_keeps_its_place() {
        let table = table(2, 10, &[]);
        let entries =
            ["192.0.2.1", "192.0.2.2"].map(|address| enter(&table, address).expect("a place"));
        let answering = entries.each_ref().map(|entry| entry.state().answers());
        for _ in 0..3 {
            assert_eq!(enter(&table, "192.0.2.3").err(), Some(NoPlace::Full));
        }
        assert!(entries.iter().all(|entry| !entry.state().takes_give_way()));
        assert_eq!(table.answering(), 2);
        drop(answering);
    }

    #[test]
    fn an_address_at_its_bound_makes_room_among_its_own_and_proxies_have_no_bound() {
        let table = table(100, 2, &["10.0.0.1"]);
        let other = enter(&table, "192.0.2.2").expect("a place");
        let first = enter(&table, "2001:db8::1").expect("a place");
        let second = enter(&table, "2001:db8::2").expect("a place");
        let third = enter(&table, "2001:db8::3").expect("the first one of this network gives way");
        assert!(first.state().takes_give_way());
        let answering = [second.state().answers(), third.state().answers()];
        assert_eq!(
            enter(&table, "2001:db8::4").err(),
            Some(NoPlace::Address),
            "both have a request"
        );
        // The first has a request after all.
        first.stays();
        drop(answering);
        // Not at once: who has just looked at all does not look again.
        let later = Instant::now() + Duration::from_secs(1);
        let _fourth = table.enter(peer("2001:db8::4"), later).expect("a place");
        assert!(!other.state().takes_give_way());
        let proxies: Vec<_> = (0..20)
            .map(|_| enter(&table, "10.0.0.1").expect("as many as it needs"))
            .collect();
        assert!(proxies.iter().all(|entry| !entry.state().takes_give_way()));
    }

    #[test]
    fn in_a_flood_whoever_was_served_stays() {
        let table = table(40, 40, &[]);
        let served = enter(&table, "192.0.2.1").expect("a place");
        drop(served.state().answers());
        let mut silent: Vec<_> = (1..40)
            .map(|_| enter(&table, "192.0.2.1").expect("a place"))
            .collect();
        for _ in 0..400 {
            assert_eq!(enter(&table, "192.0.2.1").err(), Some(NoPlace::Full));
            assert!(!served.state().takes_give_way());
            silent.retain(|entry| !entry.state().takes_give_way());
            silent.push(enter(&table, "192.0.2.1").expect("a place that has become free"));
        }
    }

    #[test]
    fn a_flood_that_is_asked_faster_than_it_goes_takes_nobody_elses_place() {
        let table = table(64, 32, &[]);
        let other = enter(&table, "192.0.2.2").expect("a place");
        let mut flood: Vec<_> = (0..63)
            .map(|_| enter(&table, "192.0.2.1").expect("a place"))
            .collect();
        for _ in 0..200 {
            // Each place is asked for several times before somebody has gone.
            for _ in 0..3 {
                assert_eq!(enter(&table, "192.0.2.1").err(), Some(NoPlace::Full));
            }
            assert!(!other.state().takes_give_way());
            let asked = flood
                .iter()
                .position(|entry| entry.state().takes_give_way())
                .expect("one that was asked");
            flood.remove(asked);
            flood.push(enter(&table, "192.0.2.1").expect("a place that has become free"));
        }
    }

    #[test]
    fn a_flood_gives_way_to_itself_where_most_connections_are_others() {
        let table = table(200, 200, &["10.0.0.1"]);
        let mut others: Vec<_> = (0..140)
            .map(|number| enter(&table, &format!("192.0.2.{number}")))
            .collect();
        others.extend((0..10).map(|_| enter(&table, "10.0.0.1")));
        let others: Vec<_> = others
            .into_iter()
            .map(|entry| entry.expect("a place"))
            .collect();
        for entry in &others {
            drop(entry.state().answers());
        }
        let mut flood: Vec<_> = (0..50)
            .map(|_| enter(&table, "198.51.100.1").expect("a place"))
            .collect();
        for _ in 0..400 {
            assert_eq!(enter(&table, "198.51.100.1").err(), Some(NoPlace::Full));
            let asked = flood
                .iter()
                .position(|entry| entry.state().takes_give_way())
                .expect("one that was asked");
            assert!(others.iter().all(|entry| !entry.state().takes_give_way()));
            flood.remove(asked);
            flood.push(enter(&table, "198.51.100.1").expect("a place that has become free"));
        }
    }

    #[test]
    fn nothing_is_left_of_connections_that_have_gone() {
        let table = table(10, 10, &[]);
        let entries: Vec<_> = (0..10)
            .map(|number| enter(&table, &format!("192.0.2.{number}")))
            .collect();
        assert_eq!(enter(&table, "192.0.2.77").err(), Some(NoPlace::Full));
        drop(entries);
        let entries = table.lock();
        assert!(entries.by_id.is_empty() && entries.by_group.is_empty() && entries.not_asked == 0);
    }

    #[tokio::test]
    async fn phases_go_one_way_and_wake_who_waits() {
        let table = table(10, 10, &[]);
        let entry = enter(&table, "192.0.2.1").expect("a place");
        table.enter_phase(Phase::Draining);
        table.enter_phase(Phase::Closing);
        assert_eq!(table.phase(), Phase::Draining);
        table.reached(Phase::Closing).await;
        table.reached(Phase::Draining).await;
        entry.state().changed().await;
    }
}
