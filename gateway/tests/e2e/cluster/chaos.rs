//! Chaos: under constant load of draws, sign-ins, purchases and rewards everything dies, hangs and
//! forgets, in an order that a seed decides. At the end everything that was answered is there, and
//! nothing else, and every unit was issued once at most.
//!
//! `CHAOS_SEED` repeats a run's faults, `CHAOS_FAULTS` says how many there are; `make chaos` runs
//! more of them than `make test` does.
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::mysql::MySqlConnectOptions;
use sqlx::{ConnectOptions as _, Executor as _, MySqlConnection};
use testkit::random::SplitMix64;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::client::{Client, Load};
use super::traders::{self, Traders};
use crate::support::campaign::{FALLBACK_AWARD, LOAD_ACTIVITY, SCARCE_AWARD, scarce};
use crate::support::cluster::{issued_query, numbers};
use crate::support::{Cluster, Request, ask_all, eventually, run};

const ACTIVITY: u64 = 200_003;

/// Fewer than are asked for while the faults last, so that the stock runs out, and what is added is
/// won at once.
const UNITS_PER_FAULT: u64 = 100;
const ADDED: std::ops::Range<u64> = 20..80;

const SAMPLE_INTERVAL: Duration = Duration::from_millis(200);

/// A supervisor tries for this time to start a gateway again.
const STARTED_AGAIN: Duration = Duration::from_secs(30);

/// What can happen to a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Kill,
    Pause,
    /// A database does everything but commit.
    Hold,
    /// Redis forgets everything.
    Flush,
    /// It is asked to end, and started again.
    Restart,
    /// It breaks off all connections.
    Sever,
}

/// Something that happens to a part, and for how long.
#[derive(Debug, Clone)]
struct Fault {
    kind: Kind,
    part: String,
    lasts: Duration,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Kill => write!(f, "kill -9 {}, back after {:?}", self.part, self.lasts),
            Kind::Pause => write!(f, "pause {} for {:?}", self.part, self.lasts),
            Kind::Hold => write!(f, "no commits on {} for {:?}", self.part, self.lasts),
            Kind::Flush => write!(f, "FLUSHALL on {}", self.part),
            Kind::Restart => write!(f, "restart {}", self.part),
            Kind::Sever => write!(f, "end all connections to {}", self.part),
        }
    }
}

/// The faults to come: dealt from a deck, so that each kind of fault comes before any comes twice.
/// The first deck has those that matter most, and is as long as a short run.
struct Faults {
    random: SplitMix64,
    deck: Vec<(Kind, &'static str)>,
    decks: usize,
}

const FIRST_DECK: [(Kind, &str); 10] = [
    (Kind::Kill, "gateway"),
    (Kind::Kill, "shard"),
    (Kind::Kill, "redis"),
    (Kind::Kill, "meta"),
    (Kind::Pause, "gateway"),
    (Kind::Pause, "shard"),
    (Kind::Pause, "redis"),
    (Kind::Pause, "meta"),
    (Kind::Hold, "shard"),
    (Kind::Flush, "redis"),
];

const REST_OF_DECK: [(Kind, &str); 7] = [
    (Kind::Restart, "gateway"),
    (Kind::Restart, "shard"),
    (Kind::Restart, "redis"),
    (Kind::Restart, "meta"),
    (Kind::Sever, "shard"),
    (Kind::Sever, "redis"),
    (Kind::Sever, "meta"),
];

impl Faults {
    fn new(seed: u64) -> Self {
        Self {
            random: SplitMix64::new(seed),
            deck: Vec::new(),
            decks: 0,
        }
    }

    fn next(&mut self) -> Fault {
        if self.deck.is_empty() {
            self.deck.extend(FIRST_DECK);
            if self.decks > 0 {
                self.deck.extend(REST_OF_DECK);
            }
            self.decks += 1;
        }
        let place = self.below(self.deck.len() as u64);
        let (kind, part) = self
            .deck
            .swap_remove(usize::try_from(place).expect("a place"));
        let part = match part {
            "gateway" | "shard" => format!("{part}-{}", self.below(2)),
            part => part.to_owned(),
        };
        let lasts = match kind {
            Kind::Kill => self.milliseconds(0, 2_000),
            // Some so long that others decide over the grants that it has open.
            Kind::Pause if part.starts_with("gateway") => self.milliseconds(1_000, 8_000),
            Kind::Pause => self.milliseconds(1_000, 4_000),
            // Some longer than a lane waits for a commit.
            Kind::Hold => self.milliseconds(2_000, 6_000),
            Kind::Flush | Kind::Restart | Kind::Sever => Duration::ZERO,
        };
        Fault { kind, part, lasts }
    }

    /// The next ones: mostly one, sometimes two at once, of different parts.
    fn next_at_once(&mut self, left: usize) -> Vec<Fault> {
        let first = self.next();
        if left < 2 || self.below(3) > 0 {
            return vec![first];
        }
        let second = self.next();
        if second.part == first.part {
            vec![first]
        } else {
            vec![first, second]
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    fn milliseconds(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from + 1))
    }
}

/// Starts a part that was killed or that runs. A gateway cannot start without the meta database,
/// to which something may happen too.
async fn start_again(cluster: &Cluster, part: &str) {
    eventually("it is started again", STARTED_AGAIN, async || {
        (cluster.try_restart(part).await.code == Some(0)).then_some(())
    })
    .await;
}

/// Lets a fault happen, and ends it.
async fn happen(cluster: &Cluster, fault: &Fault) {
    let Fault { kind, part, lasts } = fault;
    match kind {
        Kind::Kill => {
            cluster.kill(part).await;
            sleep(*lasts).await;
            start_again(cluster, part).await;
        }
        Kind::Restart => start_again(cluster, part).await,
        Kind::Sever if part == "redis" => {
            drop(cluster.redis(&["CLIENT", "KILL", "TYPE", "normal"]).await);
        }
        Kind::Sever => {
            let connections = "SELECT CAST(id AS SIGNED) FROM information_schema.processlist WHERE user = 'drawbridge'";
            for id in cluster.numbers(part, connections).await {
                // It may have ended by itself.
                let _ = cluster
                    .sql(part)
                    .await
                    .execute(&*format!("KILL {id}"))
                    .await;
            }
        }
        Kind::Pause => {
            cluster.signal(part, "STOP").await;
            sleep(*lasts).await;
            cluster.signal(part, "CONT").await;
        }
        Kind::Hold => {
            let mut blocker = cluster.sql(part).await;
            for stage in ["START", "FLUSH", "BLOCK_DDL", "BLOCK_COMMIT"] {
                blocker
                    .execute(&*format!("BACKUP STAGE {stage}"))
                    .await
                    .expect("a backup begins");
            }
            sleep(*lasts).await;
            blocker
                .execute("BACKUP STAGE END")
                .await
                .expect("a backup ends");
        }
        Kind::Flush => drop(cluster.redis(&["FLUSHALL"]).await),
    }
}

/// Reads repeatedly how many units are issued, on the shards that answer.
struct Sampler {
    shards: Vec<Watched>,
    /// An upper bound of the total.
    ceiling: Arc<AtomicU64>,
}

/// A shard, and its last answer.
struct Watched {
    options: MySqlConnectOptions,
    connection: Option<MySqlConnection>,
    issued: Option<u64>,
}

impl Watched {
    /// A shard that hangs has issued at least what it said last. One that was killed may have
    /// lost a commit that others could see and that was not on its disk yet: it was not answered to
    /// any caller then, so what it said last is forgotten.
    async fn look(&mut self) {
        match timeout(SAMPLE_INTERVAL, self.issued()).await {
            Ok(Ok(issued)) => self.issued = Some(issued),
            Ok(Err(_)) => {
                self.connection = None;
                self.issued = None;
            }
            Err(_) => self.connection = None,
        }
    }

    async fn issued(&mut self) -> sqlx::Result<u64> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        let issued = numbers(&mut connection, &issued_query(ACTIVITY, SCARCE_AWARD))
            .await?
            .iter()
            .sum::<i64>();
        self.connection = Some(connection);
        Ok(issued.unsigned_abs())
    }
}

impl Sampler {
    /// Samples until a signal stops it. Returns how many samples saw all shards.
    async fn run(mut self, stop: watch::Receiver<bool>) -> usize {
        let mut samples = 0;
        let mut ticks = interval(SAMPLE_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !*stop.borrow() {
            ticks.tick().await;
            for shard in &mut self.shards {
                shard.look().await;
            }
            let issued: u64 = self.shards.iter().filter_map(|shard| shard.issued).sum();
            // Read after the orders: an addition is counted before it can be drawn.
            let ceiling = self.ceiling.load(Ordering::SeqCst);
            assert!(
                issued <= ceiling,
                "oversold: {issued} of {ceiling} units are issued"
            );
            samples += usize::from(self.shards.iter().all(|shard| shard.issued.is_some()));
        }
        samples
    }
}

fn variable(name: &str, default: impl FnOnce() -> u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or_else(default)
}

#[tokio::test]
async fn whatever_dies_hangs_or_forgets_no_answer_is_lost_and_no_unit_sold_twice() {
    let seed = variable("CHAOS_SEED", || {
        jiff::Timestamp::now().as_microsecond().unsigned_abs()
    });
    let faults = variable("CHAOS_FAULTS", || 10);
    println!("CHAOS_SEED={seed} CHAOS_FAULTS={faults}");
    chaos(seed, usize::try_from(faults).expect("a number of faults")).await;
}

async fn chaos(seed: u64, faults_max: usize) {
    let units = UNITS_PER_FAULT * faults_max as u64;
    let cluster = Cluster::start()
        .await
        .with_campaigns(&[
            (ACTIVITY, scarce(ACTIVITY, units)),
            (traders::ACTIVITY, traders::campaign()),
        ])
        .await;
    traders::accept_reports(&cluster).await;
    let ceiling = Arc::new(AtomicU64::new(units));
    let stop = watch::Sender::new(false);
    let watched = |part| Watched {
        options: cluster.database(part),
        connection: None,
        issued: None,
    };
    let sampler = Sampler {
        shards: ["shard-0", "shard-1"].map(watched).into(),
        ceiling: ceiling.clone(),
    };
    let sampler = tokio::spawn(sampler.run(stop.subscribe()));
    let load = Load {
        seed,
        doors: cluster.doors(),
        users: (0..400).map(|number| format!("u{number}")).collect(),
        mix: vec![(LOAD_ACTIVITY, 2), (ACTIVITY, 2), (traders::ACTIVITY, 1)],
        per_second: 300,
        timeouts: Duration::from_secs(3),
    };
    let traders = load.users[..30].to_vec();
    let trading = Traders::start(cluster.doors(), traders, seed);
    let drawing = Client::new(load).start();
    sleep(Duration::from_millis(500)).await;

    let begun = Instant::now();
    let happened = break_everything(&cluster, &mut Faults::new(seed), faults_max, &ceiling).await;
    sleep(Duration::from_millis(500)).await;
    let client = drawing.stop().await;
    println!(
        "{:?} for {happened} faults; {:?}",
        begun.elapsed(),
        client.tally(begun)
    );
    client.answer_all().await;
    trading.settle(&cluster).await;
    stop.send_replace(true);
    let samples = sampler.await.expect("no sample was oversold");
    println!("{} draws, {samples} samples", client.answered());
    assert!(samples > faults_max, "the sampler saw nothing");
    // The load was large enough to prove something.
    assert!(client.answered() > 100 * faults_max as u64);
    nothing_is_lost(&cluster, &client).await;
}

/// Lets faults happen, one after the other or two at once, and adds stock meanwhile.
async fn break_everything(
    cluster: &Cluster,
    faults: &mut Faults,
    faults_max: usize,
    ceiling: &AtomicU64,
) -> usize {
    let mut happened = 0;
    let mut additions = JoinSet::new();
    while happened < faults_max {
        let added = ADDED.start + faults.below(ADDED.end - ADDED.start);
        ceiling.fetch_add(added, Ordering::SeqCst);
        let (activity, award, added) = (
            ACTIVITY.to_string(),
            SCARCE_AWARD.to_string(),
            added.to_string(),
        );
        // It may fail, and have been recorded all the same.
        additions.spawn(run(cluster.command(&[
            "stock", "add", &activity, &award, &added, "--reason", "chaos",
        ])));
        let (trade, reason) = (traders::ACTIVITY.to_string(), ["--reason", "chaos"]);
        for given in [
            &["chances", "grant", "u0", &trade, "3"][..],
            &["points", "adjust", "u0", "1.50"],
        ] {
            additions.spawn(run(cluster.command(&[given, &reason].concat())));
        }

        let at_once = faults.next_at_once(faults_max - happened);
        let reported: Vec<String> = at_once.iter().map(Fault::to_string).collect();
        println!(
            "fault {}: {}",
            happened + 1,
            reported.join(", and at once ")
        );
        match &*at_once {
            [one, other] => drop(tokio::join!(happen(cluster, one), happen(cluster, other))),
            faults => happen(cluster, &faults[0]).await,
        }
        happened += at_once.len();
        sleep(faults.milliseconds(100, 1_000)).await;
    }
    additions.join_all().await;
    happened
}

/// What must hold when all parts are there again and there are no more draws.
async fn nothing_is_lost(cluster: &Cluster, client: &Arc<Client>) {
    for gateway in cluster.gateways() {
        client.verify(gateway).await;
    }
    let units = cluster.settled_units(ACTIVITY, SCARCE_AWARD).await;
    println!("{units:?}");
    assert_eq!(units.issued, client.wins(ACTIVITY, SCARCE_AWARD));
    assert_eq!(
        cluster.stock(ACTIVITY, SCARCE_AWARD).await,
        (units.total, units.issued, units.left)
    );
    // Every order is one that the client knows of, and the other way round.
    assert_eq!(cluster.audited().await, client.answered());

    // Whatever is left can be won, and no more than that.
    let draws = (0..units.left + 50).map(|number| {
        Request::draw(
            &format!("u{}", number % 400),
            ACTIVITY,
            &format!("rest-{number}"),
        )
    });
    let answers = ask_all(cluster.listen("nginx"), draws.collect(), 48).await;
    let won = |award| {
        answers
            .iter()
            .filter(|answer| answer.code == "0000" && answer.award() == award)
            .count() as u64
    };
    assert_eq!((won(SCARCE_AWARD), won(FALLBACK_AWARD)), (units.left, 50));
    assert_eq!(
        cluster.settled_units(ACTIVITY, SCARCE_AWARD).await.issued,
        units.total
    );
    assert_eq!(cluster.audited().await, client.answered() + units.left + 50);
    for gateway in ["gateway-0", "gateway-1"] {
        let log = cluster.log(gateway);
        let faults: HashSet<&str> = log
            .lines()
            .filter(|line| line.contains("panicked") || line.contains("ERROR"))
            .collect();
        assert!(faults.is_empty(), "{gateway}: {faults:?}");
    }
}
