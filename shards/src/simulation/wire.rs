//! How requests travel. A request lands at once, late, or never, and its sender does not know. One
//! that its sender no longer waits for may land any time after that, and an answer may get lost.
use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use super::scenario::Storm;
use super::world::{World, WorldState};
use crate::stock::StockUnavailable;
use crate::store::StoreError;

/// How late a request may land.
const LATE_MS_MAX: u64 = 7_000;

/// Between which sides a request travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Link {
    Shard(usize),
    Server(usize),
    /// From this gateway, or from the operators, whose number is one above.
    Meta(usize),
}

impl Link {
    /// How long its callers wait for an answer.
    const fn timeouts(self) -> Duration {
        match self {
            Link::Shard(_) => Duration::from_secs(3),
            Link::Server(_) => Duration::from_millis(300),
            Link::Meta(_) => Duration::from_secs(1),
        }
    }
}

/// No answer came; the request may have landed, or may land yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Silence {
    /// The sender knew at once.
    Refused,
    /// The sender has waited.
    Late,
}

impl From<Silence> for StoreError {
    fn from(_: Silence) -> Self {
        StoreError::Unavailable("no answer".to_owned())
    }
}

impl From<Silence> for StockUnavailable {
    fn from(_: Silence) -> Self {
        StockUnavailable::Unavailable("no answer".to_owned())
    }
}

/// How a single request goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mishap {
    /// It is refused at once.
    Refused,
    /// It never lands.
    Lost,
    /// It lands, and its answer is lost.
    Unanswered,
    /// It takes about as long as its sender waits.
    Slow,
    /// It lands any time after its sender no longer waits.
    Late,
}

impl Mishap {
    pub(super) const ALL: [Self; 5] = [
        Self::Refused,
        Self::Lost,
        Self::Unanswered,
        Self::Slow,
        Self::Late,
    ];
}

/// What is wrong with the network now.
pub(super) struct Weather {
    /// How many requests in a thousand go wrong.
    storm: Storm,
    /// How they do.
    mishaps: Vec<Mishap>,
    /// Links on which everything is refused until then.
    unavailable: BTreeMap<Link, Instant>,
    /// Links on which nothing lands before then.
    held: BTreeMap<Link, Instant>,
    /// Links that are slow until then.
    slow: BTreeMap<Link, Instant>,
    /// Whether the bad weather is over.
    calm: bool,
    /// Requests that travel on their own, whether or not their senders wait for them.
    strays: usize,
}

impl Weather {
    pub(super) fn new(storm: Storm, mishaps: Vec<Mishap>) -> Self {
        let links = BTreeMap::new;
        Self {
            storm,
            mishaps,
            unavailable: links(),
            held: links(),
            slow: links(),
            calm: false,
            strays: 0,
        }
    }

    pub(super) fn stay_unavailable(&mut self, link: Link, length: Duration) {
        self.unavailable.insert(link, Instant::now() + length);
    }

    pub(super) fn hold(&mut self, link: Link, length: Duration) {
        self.held.insert(link, Instant::now() + length);
    }

    pub(super) fn slow_down(&mut self, link: Link, length: Duration) {
        self.slow.insert(link, Instant::now() + length);
    }

    /// From now on nothing more goes wrong. Requests that travel already still do.
    pub(super) fn calm(&mut self) {
        *self = Self {
            strays: self.strays,
            calm: true,
            ..Self::new(Storm::default(), Vec::new())
        };
    }

    fn storm_on(&self, link: Link) -> u64 {
        match link {
            Link::Shard(_) => self.storm.shards,
            Link::Server(_) => self.storm.servers,
            Link::Meta(_) => self.storm.meta,
        }
    }

    pub(super) fn is_calm(&self) -> bool {
        self.calm
    }

    pub(super) fn strays(&self) -> usize {
        self.strays
    }

    fn until(which: &BTreeMap<Link, Instant>, link: Link) -> Duration {
        which.get(&link).map_or(Duration::ZERO, |until| {
            until.saturating_duration_since(Instant::now())
        })
    }
}

/// What becomes of one request.
enum Passage {
    /// It is answered. If its sender dies meanwhile, it may not have landed.
    Prompt { there: Duration, back: Duration },
    /// It travels on its own, whether or not its sender waits for it.
    Stray { there: Duration, answers: bool },
    /// It is refused at once.
    Refused,
    /// It never lands.
    Lost,
}

impl WorldState {
    fn passage(&mut self, link: Link) -> Passage {
        if !Weather::until(&self.weather.unavailable, link).is_zero() {
            return Passage::Refused;
        }
        let held = Weather::until(&self.weather.held, link);
        let slow = !Weather::until(&self.weather.slow, link).is_zero();
        let drag = if slow {
            self.dice.millis(500, 2_500)
        } else {
            Duration::ZERO
        };
        let there = held + drag + self.dice.hop();
        if !self.dice.per_mille(self.weather.storm_on(link)) {
            let back = self.dice.hop();
            return if there > link.timeouts() {
                Passage::Stray {
                    there,
                    answers: true,
                }
            } else {
                Passage::Prompt { there, back }
            };
        }
        let place = self.dice.place(self.weather.mishaps.len());
        match self.weather.mishaps[place] {
            Mishap::Refused => Passage::Refused,
            Mishap::Lost => Passage::Lost,
            Mishap::Unanswered => Passage::Stray {
                there,
                answers: false,
            },
            Mishap::Slow => Passage::Stray {
                there: there + self.dice.millis(1, 600),
                answers: true,
            },
            Mishap::Late => Passage::Stray {
                there: there + self.dice.millis(200, LATE_MS_MAX),
                answers: true,
            },
        }
    }
}

/// Sends a request and waits for the answer. `landing` is what happens at its receiver.
pub(super) async fn send<T, L>(world: &Arc<World>, link: Link, landing: L) -> Result<T, Silence>
where
    T: Send + 'static,
    L: Future<Output = T> + Send + 'static,
{
    let passage = world.state().passage(link);
    match passage {
        Passage::Prompt { there, back } => {
            let journey = async {
                pause(there).await;
                let answer = landing.await;
                pause(back).await;
                answer
            };
            if matches!(link, Link::Shard(_)) {
                // It may wait there for others.
                timeout(link.timeouts(), journey)
                    .await
                    .map_err(|_| Silence::Late)
            } else {
                Ok(journey.await)
            }
        }
        Passage::Stray { there, answers } => {
            let answer = stray(world, there, landing);
            match timeout(link.timeouts(), answer).await {
                Ok(Ok(answer)) if answers => Ok(answer),
                Ok(_) | Err(_) => Err(Silence::Late),
            }
        }
        Passage::Refused => {
            pause(Duration::from_millis(1)).await;
            Err(Silence::Refused)
        }
        Passage::Lost => {
            pause(link.timeouts()).await;
            Err(Silence::Late)
        }
    }
}

/// Sends a request that travels on its own.
fn stray<T, L>(world: &Arc<World>, there: Duration, landing: L) -> oneshot::Receiver<T>
where
    T: Send + 'static,
    L: Future<Output = T> + Send + 'static,
{
    let (sender, receiver) = oneshot::channel();
    let world = world.clone();
    world.state().weather.strays += 1;
    tokio::spawn(async move {
        pause(there).await;
        let answer = landing.await;
        world.state().weather.strays -= 1;
        let _ = sender.send(answer);
    });
    receiver
}

/// Sleeps, unless the length is zero.
pub(super) async fn pause(length: Duration) {
    if !length.is_zero() {
        sleep(length).await;
    }
}
