//! A client that behaves: it draws at a constant rate whatever the servers do, and asks again,
//! under the same key and at any door, for what it got no answer to. It remembers all answers.
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use testkit::random::SplitMix64;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::support::cluster::SETTLED;
use crate::support::{Call, Connection, Envelope, ask_all};

const TICK: Duration = Duration::from_millis(10);

/// Requests under way; more are not sent.
const IN_FLIGHT_MAX: usize = 600;

/// One of this number of calls is sent twice at once; one of the other number repeats a call that
/// was answered.
const ONE_IN: u64 = 25;

/// What a client does.
#[derive(Debug, Clone)]
pub struct Load {
    pub seed: u64,
    /// Where to come in.
    pub doors: Vec<SocketAddr>,
    pub users: Vec<String>,
    /// What to draw from: activities and their shares.
    pub mix: Vec<(u64, u64)>,
    pub per_second: u32,
    /// An answer that takes longer is not waited for.
    pub timeouts: Duration,
}

/// How one request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Answered,
    /// With one of our codes.
    Refused(String),
    /// The outcome is not known: no connection, no answer, or no gateway behind nginx.
    Lost,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub activity: u64,
    pub sent: Instant,
    pub took: Duration,
    pub outcome: Outcome,
}

#[derive(Debug, Default)]
struct Ledger {
    answers: HashMap<Call, Envelope>,
    /// In the order of their answers.
    calls: Vec<Call>,
    unanswered: VecDeque<Call>,
    attempts: Vec<Attempt>,
    sent: u64,
}

/// The client.
#[derive(Debug)]
pub struct Client {
    pub begun: Instant,
    load: Load,
    ledger: Mutex<Ledger>,
    /// Idle connections, by door.
    idle: Vec<Mutex<Vec<Connection>>>,
}

/// A client that draws until it is stopped.
#[derive(Debug)]
pub struct Drawing {
    pub client: Arc<Client>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

/// Codes that mean: ask again.
pub(super) const PASSING: [&str; 9] = [
    "0006",
    "ERR_GW_001",
    "ERR_GW_002",
    "ERR_GW_003",
    "ERR_GW_004",
    "ERR_GW_005",
    "ERR_GW_006",
    "ERR_GW_007",
    "ERR_GW_014",
];

impl Client {
    pub fn new(load: Load) -> Arc<Self> {
        let idle = load.doors.iter().map(|_| Mutex::default()).collect();
        Arc::new(Self {
            begun: Instant::now(),
            load,
            ledger: Mutex::default(),
            idle,
        })
    }

    /// Begins to draw.
    pub fn start(self: &Arc<Self>) -> Drawing {
        let stop = watch::Sender::new(false);
        let task = tokio::spawn(self.clone().draw(stop.subscribe()));
        Drawing {
            client: self.clone(),
            stop,
            task,
        }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("no panic while it was held")
    }

    async fn draw(self: Arc<Self>, stop: watch::Receiver<bool>) {
        let mut random = SplitMix64::new(self.load.seed);
        let room = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
        let (begun, mut due) = (Instant::now(), 0);
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut under_way = JoinSet::new();
        while !*stop.borrow() {
            ticks.tick().await;
            let reached = begun.elapsed().as_millis() * u128::from(self.load.per_second) / 1_000;
            while due < reached {
                due += 1;
                // A call without a place is dropped: the rate stays what it is.
                let Ok(place) = room.clone().try_acquire_owned() else {
                    continue;
                };
                let (call, door) = (self.next_call(&mut random), self.door(&mut random));
                if random.below(ONE_IN) == 0 {
                    let (again, other_door) = (call.clone(), self.door(&mut random));
                    under_way.spawn(self.clone().attempt(again, other_door));
                }
                let client = self.clone();
                under_way.spawn(async move {
                    client.attempt(call, door).await;
                    drop(place);
                });
            }
            while let Some(done) = under_way.try_join_next() {
                done.expect("an attempt");
            }
        }
        under_way.join_all().await;
    }

    fn door(&self, random: &mut SplitMix64) -> usize {
        usize::try_from(random.below(self.load.doors.len() as u64)).expect("a place")
    }

    /// Every other call is one that was not answered yet, as long as there are any.
    fn next_call(&self, random: &mut SplitMix64) -> Call {
        let mut ledger = self.ledger();
        if random.below(2) == 0
            && let Some(call) = ledger.unanswered.pop_front()
        {
            return call;
        }
        if random.below(ONE_IN) == 0 && !ledger.calls.is_empty() {
            let place = random.below(ledger.calls.len() as u64);
            return ledger.calls[usize::try_from(place).expect("a place")].clone();
        }
        ledger.sent += 1;
        let Load {
            users, mix, seed, ..
        } = &self.load;
        let user =
            users[usize::try_from(random.below(users.len() as u64)).expect("a place")].clone();
        let mut share = random.below(mix.iter().map(|(_, share)| share).sum());
        let chosen = mix.iter().find(|(_, size)| {
            let here = share < *size;
            share = share.saturating_sub(*size);
            here
        });
        let (activity, _) = *chosen.expect("shares sum to their sum");
        Call {
            user,
            key: format!("{seed:x}-{}", ledger.sent),
            activity,
        }
    }

    /// Asks once.
    async fn attempt(self: Arc<Self>, call: Call, door: usize) {
        let sent = Instant::now();
        let outcome = match timeout(self.load.timeouts, self.exchange(&call, door)).await {
            Ok(outcome) => outcome,
            Err(_) => Outcome::Lost,
        };
        let mut ledger = self.ledger();
        ledger.attempts.push(Attempt {
            activity: call.activity,
            sent,
            took: sent.elapsed(),
            outcome: outcome.clone(),
        });
        if outcome != Outcome::Answered && !ledger.answers.contains_key(&call) {
            ledger.unanswered.push_back(call);
        }
    }

    async fn exchange(&self, call: &Call, door: usize) -> Outcome {
        let kept = self.idle[door].lock().expect("a list").pop();
        let connection = match kept {
            Some(connection) => Ok(connection),
            None => Connection::open(self.load.doors[door]).await,
        };
        let Ok(mut connection) = connection else {
            return Outcome::Lost;
        };
        let Ok(response) = connection.exchange(&call.request()).await else {
            return Outcome::Lost;
        };
        if !response.closes() {
            self.idle[door].lock().expect("a list").push(connection);
        }
        let answer = response.envelope();
        assert_eq!(
            answer.request.as_deref(),
            Some(&*call.key),
            "{}",
            answer.body
        );
        if answer.code == "0000" {
            self.note(call, answer);
            return Outcome::Answered;
        }
        assert!(
            PASSING.contains(&&*answer.code) && answer.retry_after_s.is_some(),
            "{call:?}: {answer:?}"
        );
        Outcome::Refused(answer.code)
    }

    fn note(&self, call: &Call, answer: Envelope) {
        let mut ledger = self.ledger();
        if let Some(before) = ledger.answers.get(call) {
            assert_eq!(answer.body, before.body, "two answers for one key");
            return;
        }
        ledger.calls.push(call.clone());
        ledger.answers.insert(call.clone(), answer);
    }

    /// Asks for all that was not answered, until it is: now nothing is in the way any more.
    pub async fn answer_all(self: &Arc<Self>) {
        let begun = Instant::now();
        loop {
            let mut asked = JoinSet::new();
            let unanswered = std::mem::take(&mut self.ledger().unanswered);
            if unanswered.is_empty() {
                return;
            }
            let left = unanswered.len();
            assert!(
                begun.elapsed() < SETTLED,
                "{left} draws are not answered: {:?}",
                self.tally(begun)
            );
            let room = Arc::new(Semaphore::new(32));
            for (place, call) in unanswered.into_iter().enumerate() {
                let (client, room, door) =
                    (self.clone(), room.clone(), place % self.load.doors.len());
                asked.spawn(async move {
                    let _place = room.acquire().await;
                    client.attempt(call, door).await;
                });
            }
            asked.join_all().await;
            sleep(TICK).await;
        }
    }

    /// Looks all answers up at a door, and asks for some of them again.
    pub async fn verify(&self, door: SocketAddr) {
        const REPEATED_MAX: usize = 1_000;
        let calls = self.ledger().calls.clone();
        let records = ask_all(door, calls.iter().map(Call::record).collect(), 24).await;
        for (call, record) in calls.iter().zip(records) {
            let reported = self.ledger().answers[call].clone();
            call.assert_as_answered(&reported, &record.expect(200, "0000").data);
        }
        let step = calls.len().div_ceil(REPEATED_MAX).max(1);
        let some: Vec<&Call> = calls.iter().step_by(step).collect();
        let repeated = ask_all(door, some.iter().map(|call| call.request()).collect(), 24).await;
        for (call, repeated) in some.into_iter().zip(repeated) {
            assert_eq!(repeated.body, self.ledger().answers[call].body, "{call:?}");
        }
    }

    /// How many draws were answered.
    pub fn answered(&self) -> u64 {
        self.ledger().answers.len() as u64
    }

    /// How many draws in an activity gave this prize.
    pub fn wins(&self, activity: u64, award: u64) -> u64 {
        let ledger = self.ledger();
        let won = |(call, answer): &(&Call, &Envelope)| {
            call.activity == activity && answer.award() == award
        };
        ledger.answers.iter().filter(won).count() as u64
    }

    /// Requests that were sent at this time or later and have ended.
    pub fn attempts_since(&self, since: Instant) -> Vec<Attempt> {
        self.ledger()
            .attempts
            .iter()
            .filter(|attempt| attempt.sent >= since)
            .cloned()
            .collect()
    }

    /// How requests ended that were sent since then.
    pub fn tally(&self, since: Instant) -> BTreeMap<String, usize> {
        let mut tally = BTreeMap::new();
        for attempt in self.attempts_since(since) {
            let name = match attempt.outcome {
                Outcome::Answered => "0000".to_owned(),
                Outcome::Refused(code) => code,
                Outcome::Lost => "lost".to_owned(),
            };
            *tally.entry(name).or_default() += 1;
        }
        tally
    }
}

impl Drawing {
    /// Stops drawing and waits for what is under way.
    pub async fn stop(self) -> Arc<Client> {
        self.stop.send_replace(true);
        self.task.await.expect("the client's checks hold");
        self.client
    }
}
