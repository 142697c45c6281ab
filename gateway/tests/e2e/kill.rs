//! `kill -9`, again and again, at moments that a seed decides: every answered draw is there, under
//! its request id and as it was answered; no key has two answers, and nothing is sold twice.
//!
//! The client remembers every answer. It asks again for what it got no answer to, so at the end
//! it knows of every draw that there may be, and the stored orders are compared by number too.
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use testkit::random::SplitMix64;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::campaign::{LOAD, LOAD_ACTIVITY, SCARCE_AWARD, scarce};
use crate::support::{Call, Connection, Envelope, Place, Request, Server, ask_all, text_of};

const KILLS: u64 = 20;
const WORKERS: usize = 24;
const USERS: u64 = 40;

const SCARCE_ACTIVITY: u64 = 200_003;
const SCARCE_UNITS: u64 = 300;

/// The load goes on for so long before a kill.
const LOAD_MS: std::ops::RangeInclusive<u64> = 50..=400;

/// Scarce draws come in bursts, so that the stock lasts for about half of the kills and several
/// of them are under way at each.
const BURST_INTERVAL_MS: u128 = 40;
const BURST: u128 = 4;

/// Answers that are looked up again after each restart.
const SAMPLE: u64 = 40;

/// What the client knows.
#[derive(Debug, Default)]
struct Ledger {
    answers: HashMap<Call, Envelope>,
    /// In the order of their answers, for samples that a seed decides.
    calls: Vec<Call>,
    /// Draws that broke off before their answer, and of these those that had been made.
    lost: u64,
    lost_but_made: u64,
    /// Scarce draws since the load began.
    scarce: u128,
}

impl Ledger {
    fn note(&mut self, call: Call, answer: Envelope) {
        if let Some(before) = self.answers.get(&call) {
            assert_eq!(answer.body, before.body, "two answers for one key");
            return;
        }
        self.calls.push(call.clone());
        self.answers.insert(call, answer);
    }

    fn wins(&self) -> u64 {
        let won = |(call, answer): &(&Call, &Envelope)| {
            call.activity == SCARCE_ACTIVITY && answer.award() == SCARCE_AWARD
        };
        self.answers.iter().filter(won).count() as u64
    }
}

/// The client: workers that draw until the server is gone.
struct Client {
    seed: u64,
    ledger: Mutex<Ledger>,
}

/// A worker's place in its sequence of calls.
#[derive(Debug)]
struct Worker {
    number: usize,
    calls: u64,
    /// Sent, and not answered yet.
    pending: Option<Call>,
}

impl Client {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().expect("no panic while it was held")
    }

    /// The next call of a worker. The first four are two pairs that make the same calls, each at
    /// its own pace: every key of theirs is asked for twice, often at once.
    fn next_call(&self, worker: &mut Worker, begun: Instant) -> Call {
        let paired = worker.number < 4;
        let stream = if paired {
            worker.number / 2
        } else {
            worker.number
        };
        worker.calls += 1;
        let number = worker.calls;
        let mut random = SplitMix64::new(self.seed ^ (stream as u64) << 32 ^ number);
        let user = format!("u{}", random.below(USERS));
        let activity = if !paired && self.scarce_is_due(begun) {
            SCARCE_ACTIVITY
        } else {
            LOAD_ACTIVITY
        };
        Call {
            user,
            key: format!("{stream}-{number}"),
            activity,
        }
    }

    fn scarce_is_due(&self, begun: Instant) -> bool {
        let mut ledger = self.ledger();
        let due = ledger.scarce < (begun.elapsed().as_millis() / BURST_INTERVAL_MS + 1) * BURST;
        ledger.scarce += u128::from(due);
        due
    }

    /// Draws until the connection breaks.
    async fn draw(self: Arc<Self>, server: SocketAddr, mut worker: Worker) -> Worker {
        let begun = Instant::now();
        let Ok(mut connection) = Connection::open(server).await else {
            return worker;
        };
        loop {
            let call = match worker.pending.take() {
                Some(call) => call,
                None => self.next_call(&mut worker, begun),
            };
            let Ok(response) = connection.exchange(&call.request()).await else {
                self.ledger().lost += 1;
                worker.pending = Some(call);
                return worker;
            };
            let answer = response.envelope();
            if answer.status == 504 {
                // A disk that stalls: too old or unknown, and in both cases to be asked again.
                worker.pending = Some(call);
            } else {
                self.ledger().note(call, answer.expect(200, "0000"));
            }
        }
    }

    /// Asks what became of the draws that broke off. If one was made, a repeated call must get
    /// the same; if not, the load that follows repeats the call first of all.
    async fn look_for_lost(&self, server: &Server, workers: &[Worker]) {
        // Every other one is repeated without a look, as a client would.
        let pending: Vec<&Call> = workers
            .iter()
            .filter_map(|worker| worker.pending.as_ref())
            .step_by(2)
            .collect();
        let records = ask_all(
            server.listen,
            pending.iter().map(|call| call.record()).collect(),
            4,
        )
        .await;
        for (call, record) in pending.into_iter().zip(records) {
            if record.code == "ERR_REQ_002" {
                continue;
            }
            let record = record.expect(200, "0000");
            let repeated = server.ask(&call.request()).await.expect(200, "0000");
            call.assert_as_answered(&repeated, &record.data);
            let mut ledger = self.ledger();
            ledger.lost_but_made += 1;
            ledger.note(call.clone(), repeated);
        }
    }

    /// Looks answers up under their request ids, and asks for them again.
    async fn verify(&self, server: &Server, calls: &[Call]) {
        let records = ask_all(server.listen, calls.iter().map(Call::record).collect(), 24).await;
        let repeated = ask_all(server.listen, calls.iter().map(Call::request).collect(), 24).await;
        let ledger = self.ledger();
        for ((call, record), repeated) in calls.iter().zip(records).zip(repeated) {
            let reported = &ledger.answers[call];
            call.assert_as_answered(reported, &record.expect(200, "0000").data);
            assert_eq!(repeated.body, reported.body, "{call:?}");
        }
    }

    /// All draws that were made, and how many of them won the scarce prize.
    fn knows(&self) -> (Vec<Call>, u64) {
        let ledger = self.ledger();
        let (
            wins,
            Ledger {
                calls,
                lost,
                lost_but_made,
                ..
            },
        ) = (ledger.wins(), &*ledger);
        println!(
            "{} draws, {lost} lost answers, {lost_but_made} of them seen to be made, {wins} wins",
            calls.len()
        );
        assert!(*lost >= KILLS, "the kills came while no draw was under way");
        (calls.clone(), wins)
    }

    fn sample(&self, random: &mut SplitMix64) -> Vec<Call> {
        let ledger = self.ledger();
        let below = |random: &mut SplitMix64| {
            usize::try_from(random.below(ledger.calls.len() as u64)).expect("an index")
        };
        (0..SAMPLE.min(ledger.calls.len() as u64))
            .map(|_| ledger.calls[below(random)].clone())
            .collect()
    }
}

/// Set the variable to repeat a run's moments.
fn seed() -> u64 {
    let given = std::env::var("E2E_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| jiff::Timestamp::now().as_microsecond().unsigned_abs());
    println!("E2E_SEED={seed}");
    seed
}

/// Starts the server on the folder as it was left, lets the client draw, kills the server.
async fn load_and_kill(
    place: &Place,
    client: &Arc<Client>,
    workers: Vec<Worker>,
    random: &mut SplitMix64,
) -> Vec<Worker> {
    let mut server = Server::start(place).await;
    client.look_for_lost(&server, &workers).await;
    client.verify(&server, &client.sample(random)).await;
    client.ledger().scarce = 0;
    let mut drawing = JoinSet::new();
    for worker in workers {
        drawing.spawn(client.clone().draw(server.listen, worker));
    }
    sleep(Duration::from_millis(
        LOAD_MS.start() + random.below(LOAD_MS.end() - LOAD_MS.start() + 1),
    ))
    .await;
    server.kill();
    drawing.join_all().await
}

#[tokio::test]
async fn twenty_kills_under_load_lose_nothing_and_sell_nothing_twice() {
    let seed = seed();
    let mut random = SplitMix64::new(seed);
    let place = Place::with_campaigns(&[LOAD, &scarce(SCARCE_ACTIVITY, SCARCE_UNITS)]).await;
    let client = Arc::new(Client {
        seed,
        ledger: Mutex::default(),
    });
    let mut workers: Vec<_> = (0..WORKERS)
        .map(|number| Worker {
            number,
            calls: 0,
            pending: None,
        })
        .collect();
    for kill in 1..=KILLS {
        workers = load_and_kill(&place, &client, workers, &mut random).await;
        assert!(
            client.ledger().wins() <= SCARCE_UNITS,
            "oversold after kill {kill}"
        );
        if kill % 5 == 0 {
            place.audited_at_rest().await;
        }
    }

    let server = Server::start(&place).await;
    for worker in &mut workers {
        if let Some(call) = worker.pending.take() {
            let answer = server.ask(&call.request()).await.expect(200, "0000");
            client.ledger().note(call, answer);
        }
    }
    let (calls, wins) = client.knows();
    client.verify(&server, &calls).await;
    assert!(wins > 0 && wins <= SCARCE_UNITS, "{wins}");
    chances_match(&server, &calls).await;
    server.stop().await;

    // Every order is one that the client knows of, and the other way round.
    assert_eq!(place.audited_at_rest().await, calls.len() as u64);
    let (total, issued, left) = place.stock(SCARCE_ACTIVITY, SCARCE_AWARD).await;
    assert_eq!(
        (total, issued, left),
        (SCARCE_UNITS, wins, SCARCE_UNITS - wins)
    );
}

/// Each user has spent one chance for each draw that the client knows.
async fn chances_match(server: &Server, calls: &[Call]) {
    let mut draws: HashMap<(&str, u64), u64> = HashMap::new();
    for call in calls {
        *draws.entry((&call.user, call.activity)).or_default() += 1;
    }
    let accounts = draws
        .keys()
        .map(|(user, activity)| Request::account(user, *activity))
        .collect();
    for ((account, drawn), answer) in draws.iter().zip(ask_all(server.listen, accounts, 8).await) {
        let number = |name: &str| answer.data[name].as_u64().expect("a number");
        assert_eq!(
            number("totalCount") - number("totalCountSurplus"),
            *drawn,
            "{account:?}"
        );
    }
}

/// A first start that is killed at such a moment is over or under way.
const FIRST_START_MS: u64 = 60;

/// Starts for the first time a few times, and kills each start.
async fn kill_first_starts(place: &Place, random: &mut SplitMix64) {
    for _ in 0..3 {
        let data = text_of(&place.data());
        let free = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        let mut server = Server::spawned(
            place,
            place.command(&[&["serve", "--data", &data], &free[..]].concat()),
        );
        sleep(Duration::from_millis(random.below(FIRST_START_MS))).await;
        server.kill();
    }
}

#[tokio::test]
async fn a_first_start_that_is_killed_half_way_begins_again() {
    let mut random = SplitMix64::new(seed());
    for _ in 0..10 {
        let place = Place::with_campaigns(&[LOAD]).await;
        kill_first_starts(&place, &mut random).await;
        let server = Server::start(&place).await;
        let draws = (0..20)
            .map(|user| Request::draw(&format!("u{user}"), LOAD_ACTIVITY, "k"))
            .collect();
        let answers = ask_all(server.listen, draws, 4).await;
        assert!(
            answers.iter().all(|answer| answer.code == "0000"),
            "{answers:?}"
        );
        server.stop().await;
        assert_eq!(place.audited_at_rest().await, 20);
    }
}

#[tokio::test]
async fn a_first_start_that_is_killed_half_way_leaves_all_demo_campaigns_to_the_next() {
    let mut random = SplitMix64::new(seed());
    for _ in 0..10 {
        let place = Place::new();
        kill_first_starts(&place, &mut random).await;
        let server = Server::start(&place).await;
        for activity in [100_301, 100_401] {
            server
                .ask(&Request::draw("u", activity, &activity.to_string()))
                .await
                .expect(200, "0000");
        }
    }
}
