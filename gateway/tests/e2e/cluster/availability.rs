//! Availability: while one part is frozen, killed, cut off, made read-only or slow, whoever has
//! nothing to do with it is answered, and soon after it is over everybody is.
//!
//! People draw at a steady pace whatever comes of it, each draw under a key of its own, and what
//! counts is how many of them were answered: with a prize, or with the no of a rule. (A rate would
//! say how fast the machine is.) Each fault is one entry of [`faults`].
//!
//! `make test` has the faults that matter most, once. `CHAOS_AVAILABILITY_ROUNDS` asks for all of
//! them, so many times, in an order that `CHAOS_AVAILABILITY_SEED` repeats;
//! `CHAOS_AVAILABILITY_ONLY` takes those whose name has this text.
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sqlx::{Executor as _, MySqlConnection};
use testkit::random::SplitMix64;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::support::campaign::{SCARCE_AWARD, falling_back, scarce, unlimited};
use crate::support::cluster::TABLES;
use crate::support::{Cluster, Connection, Proxy, ProxyWay, Request, eventually};

/// Refuses draws while the stock cannot be reached.
const REFUSING: u64 = 200_003;
/// Gives the fallback prize meanwhile.
const FALLING_BACK: u64 = 200_004;
/// Needs no stock.
const UNLIMITED: u64 = 200_005;
/// That of the batches in which a gateway stands still.
const HELD: u64 = 200_006;
const UNITS: u64 = 1_000_000;

const GATEWAYS: [&str; 2] = ["gateway-0", "gateway-1"];
const SHARDS: [&str; 2] = ["shard-0", "shard-1"];

/// The shard that something happens to.
const SICK: u16 = 1;

/// Each person draws so often.
const PACE: Duration = Duration::from_millis(500);
/// A caller's own: then the page says that something is wrong.
const PATIENCE: Duration = Duration::from_secs(2);
/// Of a hundred draws more than so many are answered.
const ANSWERED_PERCENT: usize = 90;

/// All is well for so long before a fault begins.
const CALM: Duration = Duration::from_secs(1);
/// Who has to do with a part is answered so soon after the part is well again.
const BACK: Duration = Duration::from_secs(5);
/// A cluster that is not well after this has to be looked at.
const WELL_MAX: Duration = Duration::from_mins(1);
/// Each piece takes so long to a part that is slow, and back.
const DELAY: Duration = Duration::from_millis(300);

/// The lock for which batches of [`HELD`] wait after they have written.
const HOLD: &str = "hold";

/// What happens to a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Frozen,
    Killed,
    /// Nothing comes through, and nobody is told.
    CutOff,
    Slow,
    ReadOnly,
}

/// A fault, and who has to do with it.
#[derive(Debug, Clone, Copy)]
struct Fault {
    what: What,
    part: &'static str,
    /// Only this gateway has the trouble with the part.
    from: Option<&'static str>,
    /// It finds the gateway in the middle of a batch on each table: of the row of somebody who then
    /// goes to the other gateway and waits there for nobody to finish.
    in_mid_batch: bool,
    /// Whether it may cost a person's draws at a gateway.
    concerns: fn(&Person, &str) -> bool,
    lasts: Duration,
    /// Whose rows a gateway holds is answered again after so long, although the fault lasts.
    free_after: Option<Duration>,
    /// Everybody is answered, so soon after its end.
    back: Duration,
    /// One of those that `make test` has.
    always: bool,
}

/// A gateway that holds rows and is silent loses its transactions to the databases after 5 s, and
/// who was found locked is remembered for one more.
const FREE: Option<Duration> = Some(Duration::from_secs(8));

const PLAIN: Fault = Fault {
    what: What::Frozen,
    part: "",
    from: None,
    in_mid_batch: false,
    concerns: |_, _| false,
    lasts: Duration::from_secs(3),
    free_after: None,
    back: BACK,
    always: false,
};

fn faults() -> Vec<Fault> {
    use What::{CutOff, Frozen, Killed, ReadOnly, Slow};
    let gateway = Fault {
        part: "gateway-1",
        in_mid_batch: true,
        ..PLAIN
    };
    let shard = Fault {
        part: "shard-1",
        concerns: |person, _| person.shard == SICK,
        ..PLAIN
    };
    let meta = Fault {
        part: "meta",
        ..PLAIN
    };
    let redis = Fault {
        part: "redis",
        concerns: |person, _| person.needs_a_unit(),
        ..PLAIN
    };
    vec![
        Fault {
            what: Frozen,
            free_after: FREE,
            always: true,
            ..gateway
        },
        Fault {
            what: Killed,
            ..gateway
        },
        Fault {
            what: Frozen,
            always: true,
            ..shard
        },
        Fault {
            what: Killed,
            ..shard
        },
        Fault {
            what: ReadOnly,
            always: true,
            ..shard
        },
        Fault {
            what: Slow,
            ..shard
        },
        Fault {
            what: CutOff,
            from: Some("gateway-1"),
            in_mid_batch: true,
            free_after: FREE,
            concerns: |person, gateway| person.shard == SICK && gateway == "gateway-1",
            ..shard
        },
        Fault {
            what: Frozen,
            always: true,
            ..meta
        },
        Fault {
            what: Killed,
            ..meta
        },
        Fault {
            what: ReadOnly,
            ..meta
        },
        Fault { what: Slow, ..meta },
        Fault {
            what: CutOff,
            ..meta
        },
        Fault {
            what: Frozen,
            ..redis
        },
        Fault {
            what: Killed,
            ..redis
        },
        Fault {
            what: ReadOnly,
            ..redis
        },
        Fault {
            what: Slow,
            ..redis
        },
        Fault {
            what: CutOff,
            from: Some("gateway-1"),
            concerns: |person, gateway| person.needs_a_unit() && gateway == "gateway-1",
            ..redis
        },
    ]
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.what {
            What::Frozen => "frozen",
            What::Killed => "killed",
            What::CutOff => "cut off",
            What::Slow => "slow",
            What::ReadOnly => "read-only",
        };
        write!(f, "{} {what}", self.part)?;
        self.from
            .map_or(Ok(()), |gateway| write!(f, " from {gateway}"))
    }
}

impl Fault {
    /// The gateway that it finds in the middle of batches.
    fn holder(&self) -> Option<&'static str> {
        self.in_mid_batch.then(|| self.from.unwrap_or(self.part))
    }

    /// Gateways that are well, or as well as the part lets them be.
    fn doors(&self) -> Vec<usize> {
        (0..GATEWAYS.len())
            .filter(|&gateway| GATEWAYS[gateway] != self.part)
            .collect()
    }

    fn excepts(&self, ask: &Ask) -> bool {
        ask.person.activity == HELD || (self.concerns)(&ask.person, GATEWAYS[ask.gateway])
    }
}

/// Somebody who draws.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Person {
    user: String,
    shard: u16,
    activity: u64,
}

impl Person {
    fn needs_a_unit(&self) -> bool {
        [REFUSING, HELD].contains(&self.activity)
    }
}

/// One draw that was asked for, and how that ended.
#[derive(Debug, Clone)]
struct Ask {
    person: Person,
    gateway: usize,
    sent: Instant,
    answered: bool,
    code: String,
}

/// How many of them were answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Share {
    answered: usize,
    asked: usize,
}

impl Share {
    fn of<'a>(asks: impl IntoIterator<Item = &'a Ask>) -> Self {
        asks.into_iter().fold(
            Self {
                answered: 0,
                asked: 0,
            },
            |share, ask| Self {
                answered: share.answered + usize::from(ask.answered),
                asked: share.asked + 1,
            },
        )
    }

    /// Nobody asked is nobody answered.
    fn is_enough(self) -> bool {
        self.answered * 100 > self.asked * ANSWERED_PERCENT
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/{} ({} %)",
            self.answered,
            self.asked,
            self.answered * 100 / self.asked.max(1)
        )
    }
}

/// Whether so many people, at each of so many gateways, were answered when they asked last.
fn are_back(asks: &[Ask], asking: usize) -> bool {
    let mut last: BTreeMap<(&Person, usize), &Ask> = BTreeMap::new();
    for ask in asks {
        let place = last.entry((&ask.person, ask.gateway)).or_insert(ask);
        if ask.sent >= place.sent {
            *place = ask;
        }
    }
    last.len() == asking && Share::of(last.into_values()).is_enough()
}

fn codes<'a>(asks: impl IntoIterator<Item = &'a Ask>) -> BTreeMap<&'a str, usize> {
    let mut codes = BTreeMap::new();
    for ask in asks {
        *codes.entry(&*ask.code).or_default() += 1;
    }
    codes
}

/// Draws once; a connection of its own, so that nobody suffers from what another one met.
async fn draw(door: SocketAddr, request: Request) -> (bool, String) {
    let exchange = async {
        let mut connection = Connection::open(door).await?;
        connection.exchange(&request).await
    };
    match timeout(PATIENCE, exchange).await {
        Err(_) => (false, "too late".to_owned()),
        Ok(Err(error)) => (false, error.kind().to_string()),
        Ok(Ok(response)) => {
            let answer = response.envelope();
            // Whoever is told to come again was not answered.
            let is_no_of_a_rule = answer.status == 409 && answer.retry_after_s.is_none();
            (answer.code == "0000" || is_no_of_a_rule, answer.code)
        }
    }
}

/// People who draw until they are told to stop: each once in [`PACE`], at the doors in turn.
struct Crowd {
    people: usize,
    doors: usize,
    asks: Arc<Mutex<Vec<Ask>>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Crowd {
    fn start(scene: &Scene, people: Vec<Person>, doors: &[usize]) -> Self {
        let doors: Vec<(usize, SocketAddr)> = doors
            .iter()
            .map(|&gateway| (gateway, scene.doors[gateway]))
            .collect();
        let (asks, stop) = (Arc::default(), watch::Sender::new(false));
        let (crowd, all_doors) = (people.len(), doors.len());
        let task = tokio::spawn(ask_on(
            people,
            doors,
            scene.keys.clone(),
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
    fn since(&self, since: Instant) -> Vec<Ask> {
        self.asks
            .lock()
            .expect("a list")
            .iter()
            .filter(|ask| ask.sent >= since)
            .cloned()
            .collect()
    }

    /// Waits until they are all answered, of what they ask within this time; answers how long it
    /// took.
    async fn back(&self, since: Instant, within: Duration) -> Option<Duration> {
        const LOOK_INTERVAL: Duration = Duration::from_millis(50);
        while since.elapsed() < within + PATIENCE {
            let mut asks = self.since(since);
            asks.retain(|ask| ask.sent <= since + within);
            if are_back(&asks, self.people * self.doors) {
                return Some(since.elapsed());
            }
            sleep(LOOK_INTERVAL).await;
        }
        None
    }

    /// Lets what is under way end; answers all that was asked since then.
    async fn stop(self, since: Instant) -> Vec<Ask> {
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
async fn ask_on(
    people: Vec<Person>,
    doors: Vec<(usize, SocketAddr)>,
    keys: Arc<AtomicU64>,
    asks: Arc<Mutex<Vec<Ask>>>,
    stop: watch::Receiver<bool>,
) {
    const GROUPS: u32 = 8;
    let mut ticks = interval(PACE / GROUPS);
    // All are asked for, as many as planned, also when the machine was busy.
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

/// The way of a gateway to a part.
struct Link {
    gateway: &'static str,
    part: &'static str,
    proxy: Proxy,
}

struct Scene {
    cluster: Cluster,
    /// Where the gateways answer.
    doors: [SocketAddr; 2],
    links: Vec<Link>,
    /// People of each lane and each activity, lane after lane.
    strangers: Vec<Person>,
    /// One of each lane.
    hostages: Vec<Person>,
    /// No key comes twice.
    keys: Arc<AtomicU64>,
}

impl Scene {
    async fn set() -> Self {
        let campaigns = [
            (REFUSING, scarce(REFUSING, UNITS)),
            (FALLING_BACK, falling_back(FALLING_BACK, UNITS)),
            (UNLIMITED, unlimited(UNLIMITED)),
            (HELD, scarce(HELD, UNITS)),
        ];
        let cluster = Cluster::start().await.with_campaigns(&campaigns).await;
        let links = links(&cluster).await;
        let mix = [
            REFUSING,
            FALLING_BACK,
            UNLIMITED,
            REFUSING,
            FALLING_BACK,
            UNLIMITED,
            HELD,
        ];
        let users = cluster
            .users_of_lanes(mix.len())
            .into_iter()
            .zip(mix.into_iter().cycle());
        let person = |(user, activity): (String, u64)| Person {
            shard: cluster.shard_of(&user),
            user,
            activity,
        };
        let (hostages, strangers) = users
            .map(person)
            .partition(|person| person.activity == HELD);
        for shard in SHARDS {
            for table in 0..TABLES {
                // A lock that is free is had and given back in no time.
                let trigger = format!(
                    "CREATE TRIGGER hold_{table} BEFORE INSERT ON raffle_order_{table} FOR EACH ROW SET @held = \
                     IF(NEW.activity_id = {HELD}, GET_LOCK('{HOLD}', 30) + RELEASE_LOCK('{HOLD}'), 0)"
                );
                cluster.execute(shard, &trigger).await;
            }
        }
        Self {
            doors: cluster.gateways(),
            cluster,
            links,
            strangers,
            hostages,
            keys: Arc::default(),
        }
    }

    fn everybody(&self) -> Vec<Person> {
        self.strangers
            .iter()
            .chain(&self.hostages)
            .cloned()
            .collect()
    }

    fn way(&self, fault: &Fault, way: ProxyWay) {
        let of_fault = |link: &&Link| {
            link.part == fault.part && fault.from.is_none_or(|from| from == link.gateway)
        };
        for link in self.links.iter().filter(of_fault) {
            link.proxy.set(way);
        }
    }

    async fn begin(&self, fault: &Fault) {
        let cluster = &self.cluster;
        match fault.what {
            What::Frozen => cluster.signal(fault.part, "STOP").await,
            What::Killed => cluster.kill(fault.part).await,
            What::CutOff => self.way(fault, ProxyWay::Silent),
            What::Slow => self.way(fault, ProxyWay::Slow(DELAY)),
            What::ReadOnly => self.read_only(fault.part, true).await,
        }
    }

    async fn end(&self, fault: &Fault) {
        let cluster = &self.cluster;
        match fault.what {
            What::Frozen => cluster.signal(fault.part, "CONT").await,
            What::Killed => cluster.restart(fault.part).await,
            What::CutOff | What::Slow => self.way(fault, ProxyWay::Open),
            What::ReadOnly => self.read_only(fault.part, false).await,
        }
    }

    async fn read_only(&self, part: &str, on: bool) {
        let value = u8::from(on);
        if part == "redis" {
            // It takes no writes without replicas, and it has none.
            self.cluster
                .redis(&["CONFIG", "SET", "min-replicas-to-write", &value.to_string()])
                .await;
            return;
        }
        self.cluster
            .execute(part, &format!("SET GLOBAL read_only = {value}"))
            .await;
    }

    /// Brings a gateway to where each of its lanes has written a batch and not committed it. It
    /// stays there as long as the connections are kept that this answers.
    async fn hold(&self, gateway: &str) -> Vec<MySqlConnection> {
        let mut locks = Vec::new();
        for shard in SHARDS {
            let mut lock = self.cluster.sql(shard).await;
            lock.execute(&*format!("DO GET_LOCK('{HOLD}', 5)"))
                .await
                .expect("the lock");
            locks.push(lock);
        }
        let door = self.cluster.listen(gateway);
        for hostage in &self.hostages {
            let key = format!("k{}", self.keys.fetch_add(1, Ordering::Relaxed));
            tokio::spawn(draw(
                door,
                Request::draw(&hostage.user, hostage.activity, &key),
            ));
        }
        let waiting =
            "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User lock'";
        for shard in SHARDS {
            eventually("all lanes are in the middle of a batch", BACK, async || {
                (self.cluster.numbers(shard, waiting).await == [i64::from(TABLES)]).then_some(())
            })
            .await;
        }
        locks
    }

    /// Lets a fault happen, ends it, and tells what it did to whom.
    async fn happen(&self, fault: &Fault, lasts: Duration) -> Told {
        let all_doors = [0, 1];
        let crowd = Crowd::start(self, self.strangers.clone(), &fault.doors());
        sleep(CALM).await;
        let held = match fault.holder() {
            Some(gateway) => self.hold(gateway).await,
            None => Vec::new(),
        };
        let begun = Instant::now();
        self.begin(fault).await;
        // Now the databases end what the gateway asked for; nobody is there to commit it.
        drop(held);
        let hostages = fault.holder().map(|holder| {
            let doors: Vec<usize> = all_doors
                .into_iter()
                .filter(|&gateway| GATEWAYS[gateway] != holder)
                .collect();
            Crowd::start(self, self.hostages.clone(), &doors)
        });
        sleep(lasts).await;
        let mut free_after = None;
        if let (Some(hostages), Some(within)) = (&hostages, fault.free_after) {
            free_after = hostages.back(begun, within).await;
        }

        self.end(fault).await;
        let ended = Instant::now();
        let everybody = Crowd::start(self, self.everybody(), &all_doors);
        let back_after = everybody.back(ended, fault.back).await;
        if back_after.is_none() {
            let well = everybody.back(ended, WELL_MAX).await;
            assert!(
                well.is_some(),
                "{fault}: it was never well again: {:?}",
                codes(&everybody.since(ended))
            );
        }
        let mut asks = crowd.stop(begun).await;
        asks.extend(everybody.stop(ended).await);
        if let Some(hostages) = hostages {
            asks.extend(hostages.stop(begun).await);
        }
        Told {
            fault: *fault,
            asks,
            free_after,
            back_after,
        }
    }

    /// All is exact when all is over.
    async fn audit(&self) {
        for shard in SHARDS {
            for table in 0..TABLES {
                self.cluster
                    .execute(shard, &format!("DROP TRIGGER hold_{table}"))
                    .await;
            }
        }
        for activity in [REFUSING, FALLING_BACK, HELD] {
            self.cluster.settled_units(activity, SCARCE_AWARD).await;
        }
        self.cluster.audited().await;
    }
}

/// Puts a proxy into each way of each gateway, and starts the gateways again.
async fn links(cluster: &Cluster) -> Vec<Link> {
    let [first, second] = GATEWAYS.map(|gateway| links_of(cluster, gateway));
    let (first, second) = tokio::join!(first, second);
    [first, second].into_iter().flatten().collect()
}

async fn links_of(cluster: &Cluster, gateway: &'static str) -> Vec<Link> {
    let (mut links, mut ports) = (Vec::new(), Vec::new());
    for part in ["shard-0", "shard-1", "meta", "redis"] {
        let port = cluster.port(part);
        let proxy = Proxy::before(port).await;
        ports.push((port, proxy.port()));
        links.push(Link {
            gateway,
            part,
            proxy,
        });
    }
    cluster.reroute(gateway, &ports).await;
    links
}

/// What a fault did.
struct Told {
    fault: Fault,
    asks: Vec<Ask>,
    free_after: Option<Duration>,
    back_after: Option<Duration>,
}

impl Told {
    /// Draws that should not notice, at a gateway that is well.
    fn unconcerned(&self, gateway: usize) -> Vec<&Ask> {
        let of_gateway = |ask: &&Ask| ask.gateway == gateway && !self.fault.excepts(ask);
        self.asks.iter().filter(of_gateway).collect()
    }

    /// What it did that it must not do.
    fn complaints(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        for gateway in self.fault.doors() {
            let asks = self.unconcerned(gateway);
            let share = Share::of(asks.iter().copied());
            if !share.is_enough() {
                let name = GATEWAYS[gateway];
                complaints.push(format!(
                    "{name} answered {share} of people it did not concern, {:?}",
                    codes(asks)
                ));
            }
        }
        if let Some(within) = self.fault.free_after.filter(|_| self.free_after.is_none()) {
            complaints.push(format!(
                "rows that a gateway held are not free after {within:?}"
            ));
        }
        if self.back_after.is_none() {
            complaints.push(format!(
                "not everybody is answered {:?} after its end",
                self.fault.back
            ));
        }
        complaints
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after = |time: Option<Duration>| {
            time.map_or("never".to_owned(), |time| {
                format!("{:.1} s", time.as_secs_f64())
            })
        };
        write!(f, "{}:", self.fault)?;
        for gateway in self.fault.doors() {
            write!(
                f,
                " {} {},",
                GATEWAYS[gateway],
                Share::of(self.unconcerned(gateway))
            )?;
        }
        let concerned: Vec<&Ask> = self
            .asks
            .iter()
            .filter(|ask| self.fault.excepts(ask))
            .collect();
        if !concerned.is_empty() {
            write!(
                f,
                " concerned {} {:?},",
                Share::of(concerned.iter().copied()),
                codes(concerned)
            )?;
        }
        if self.fault.free_after.is_some() {
            write!(f, " rows free after {},", after(self.free_after))?;
        }
        write!(f, " everybody back after {}", after(self.back_after))
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

fn number(name: &str) -> Option<u64> {
    variable(name).map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} must be an integer, not {text:?}"))
    })
}

/// What is to happen, and for how long.
fn plan() -> Vec<(Fault, Duration)> {
    const LONGER_MAX_MS: u64 = 4_000;
    let rounds = number("CHAOS_AVAILABILITY_ROUNDS");
    let seed = number("CHAOS_AVAILABILITY_SEED")
        .unwrap_or_else(|| jiff::Timestamp::now().as_microsecond().unsigned_abs());
    let only = variable("CHAOS_AVAILABILITY_ONLY").unwrap_or_default();
    let chosen = || {
        faults()
            .into_iter()
            .filter(|fault| fault.to_string().contains(&only))
    };
    let Some(rounds) = rounds else {
        return chosen()
            .filter(|fault| fault.always || !only.is_empty())
            .map(|fault| (fault, fault.lasts))
            .collect();
    };
    println!("CHAOS_AVAILABILITY_SEED={seed} CHAOS_AVAILABILITY_ROUNDS={rounds}");
    let mut random = SplitMix64::new(seed);
    let mut planned = Vec::new();
    for _ in 0..rounds {
        let mut left: Vec<Fault> = chosen().collect();
        while !left.is_empty() {
            let place = usize::try_from(random.below(left.len() as u64)).expect("a place");
            let fault = left.swap_remove(place);
            planned.push((
                fault,
                fault.lasts + Duration::from_millis(random.below(LONGER_MAX_MS)),
            ));
        }
    }
    planned
}

#[tokio::test]
async fn who_has_nothing_to_do_with_a_fault_is_answered_and_soon_after_it_everybody_is() {
    let planned = plan();
    assert!(!planned.is_empty(), "no fault has such a name");
    let scene = Scene::set().await;
    let mut complaints = Vec::new();
    for (fault, lasts) in planned {
        let told = scene.happen(&fault, lasts).await;
        println!("{told}");
        complaints.extend(
            told.complaints()
                .into_iter()
                .map(|complaint| format!("{fault}: {complaint}")),
        );
    }
    scene.audit().await;
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(user: &str, gateway: usize, sent: Instant, answered: bool) -> Ask {
        let person = Person {
            user: user.to_owned(),
            shard: 0,
            activity: UNLIMITED,
        };
        Ask {
            person,
            gateway,
            sent,
            answered,
            code: String::new(),
        }
    }

    #[test]
    fn a_share_is_counted_in_answers_and_nobody_asked_is_not_enough() {
        let share = |answered, asked| Share { answered, asked }.is_enough();
        assert!(share(91, 100) && !share(90, 100) && !share(0, 0));
        let now = Instant::now();
        let asks = [ask("u1", 0, now, true), ask("u2", 0, now, false)];
        assert_eq!(
            Share::of(&asks),
            Share {
                answered: 1,
                asked: 2
            }
        );
    }

    #[test]
    fn people_are_back_when_the_last_that_each_of_them_asked_was_answered() {
        let (now, later) = (Instant::now(), Instant::now() + PACE);
        let mut asks = vec![
            ask("u1", 0, now, false),
            ask("u1", 0, later, true),
            ask("u1", 1, now, true),
        ];
        assert!(are_back(&asks, 2));
        assert!(!are_back(&asks, 3), "somebody has not asked yet");
        // What was asked first may end last.
        asks.push(ask("u1", 0, now, false));
        assert!(are_back(&asks, 2));
        asks.push(ask("u1", 1, later, false));
        assert!(!are_back(&asks, 2));
    }
}
