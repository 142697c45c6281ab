//! People who draw at a steady pace, whatever comes of it.
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::people::{Ask, Person, are_back};
use crate::support::{Connection, Request};

/// Each person draws once in this time.
pub(super) const PACE: Duration = Duration::from_millis(500);
/// After this time a caller gives up: the page then shows an error.
pub(super) const CALLER_TIMEOUT: Duration = Duration::from_secs(2);

/// Draws once, over a connection of its own: a broken one disturbs no other draw.
pub(super) async fn draw(door: SocketAddr, request: Request) -> (bool, String) {
    let exchange = async {
        let mut connection = Connection::open(door).await?;
        connection.exchange(&request).await
    };
    match timeout(CALLER_TIMEOUT, exchange).await {
        Err(_) => (false, "too late".to_owned()),
        Ok(Err(error)) => (false, error.kind().to_string()),
        Ok(Ok(response)) => {
            let answer = response.envelope();
            // A refusal that asks to try again is no answer.
            let is_refused_by_rule = answer.status == 409 && answer.retry_after_s.is_none();
            (answer.code == "0000" || is_refused_by_rule, answer.code)
        }
    }
}

/// People who draw until they are stopped: each once in [`PACE`], at the doors in turn.
pub(super) struct Crowd {
    people: usize,
    doors: usize,
    asks: Arc<Mutex<Vec<Ask>>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Crowd {
    /// `doors` are gateways, by number and address; no key comes twice.
    pub(super) fn start(
        people: Vec<Person>,
        doors: Vec<(usize, SocketAddr)>,
        keys: Arc<AtomicU64>,
    ) -> Self {
        let (asks, stop) = (Arc::default(), watch::Sender::new(false));
        let (crowd, all_doors) = (people.len(), doors.len());
        let task = tokio::spawn(ask_on(
            people,
            doors,
            keys,
            Arc::clone(&asks),
            stop.subscribe(),
        ));
        Self {
            people: crowd,
            doors: all_doors,
            asks,
            stop,
            task,
        }
    }

    /// What was asked since then and has ended.
    pub(super) fn since(&self, since: Instant) -> Vec<Ask> {
        self.asks
            .lock()
            .expect("a list")
            .iter()
            .filter(|ask| ask.sent >= since)
            .cloned()
            .collect()
    }

    /// Waits until they are all answered, of what they ask within this time; returns how long it
    /// took.
    pub(super) async fn back(&self, since: Instant, within: Duration) -> Option<Duration> {
        const LOOK_INTERVAL: Duration = Duration::from_millis(50);
        while since.elapsed() < within + CALLER_TIMEOUT {
            let mut asks = self.since(since);
            asks.retain(|ask| ask.sent <= since + within);
            if are_back(&asks, self.people * self.doors) {
                return Some(since.elapsed());
            }
            sleep(LOOK_INTERVAL).await;
        }
        None
    }

    /// Waits for what is under way; returns all that was asked since then.
    pub(super) async fn stop(self, since: Instant) -> Vec<Ask> {
        self.stop.send_replace(true);
        let asks = Arc::clone(&self.asks);
        self.task.await.expect("a crowd");
        let asks = asks.lock().expect("a list");
        asks.iter()
            .filter(|ask| ask.sent >= since)
            .cloned()
            .collect()
    }
}

/// Neighbours in the list ask together, so that a batch has draws of several of them.
pub(super) async fn ask_on(
    people: Vec<Person>,
    doors: Vec<(usize, SocketAddr)>,
    keys: Arc<AtomicU64>,
    asks: Arc<Mutex<Vec<Ask>>>,
    stop: watch::Receiver<bool>,
) {
    const GROUPS: u32 = 8;
    let mut ticks = interval(PACE / GROUPS);
    // All planned draws are made, also when the machine was busy.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let groups: Vec<&[Person]> = people
        .chunks(people.len().div_ceil(GROUPS as usize))
        .collect();
    let mut under_way = JoinSet::new();
    for round in 0.. {
        for group in 0..GROUPS as usize {
            ticks.tick().await;
            if *stop.borrow() {
                under_way.join_all().await;
                return;
            }
            for person in groups.get(group).copied().unwrap_or_default() {
                let (gateway, door) = doors[round % doors.len()];
                let key = format!("k{}", keys.fetch_add(1, Ordering::Relaxed));
                let request = Request::draw(&person.user, person.activity, &key);
                let (person, asks, sent) = (person.clone(), Arc::clone(&asks), Instant::now());
                under_way.spawn(async move {
                    let (answered, code) = draw(door, request).await;
                    asks.lock().expect("a list").push(Ask {
                        person,
                        gateway,
                        sent,
                        answered,
                        code,
                    });
                });
            }
            while under_way.try_join_next().is_some() {}
        }
    }
}
