//! The cluster that faults happen to.
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::{Executor as _, MySqlConnection};
use tokio::time::sleep;

use super::crowd::{Crowd, draw};
use super::faults::{BACK, Fault, FaultKind, GATEWAYS};
use super::people::{FALLING_BACK, HELD, Person, REFUSING, UNLIMITED, codes};
use super::report::FaultReport;
use crate::support::campaign::{SCARCE_AWARD, falling_back, scarce, unlimited};
use crate::support::cluster::TABLES;
use crate::support::{Cluster, Proxy, ProxyWay, Request, eventually};

const UNITS: u64 = 1_000_000;
const SHARDS: [&str; 2] = ["shard-0", "shard-1"];
/// How long all is well before a fault begins.
const CALM: Duration = Duration::from_secs(1);
/// A cluster that is not well after this time needs an operator.
const WELL_MAX: Duration = Duration::from_mins(1);
/// The delay of each piece to a part that is slow, and back.
const DELAY: Duration = Duration::from_millis(300);
/// The lock for which batches of [`HELD`] wait after they have written.
const HOLD: &str = "hold";

/// The way of a gateway to a part.
struct Link {
    gateway: &'static str,
    part: &'static str,
    proxy: Proxy,
}

/// A cluster, its people, and the proxies between its parts.
pub(super) struct Scene {
    cluster: Cluster,
    /// Where the gateways answer.
    doors: [SocketAddr; 2],
    links: Vec<Link>,
    /// People of each lane and each activity, lane after lane.
    bystanders: Vec<Person>,
    /// One of each lane.
    held_people: Vec<Person>,
    /// No key comes twice.
    keys: Arc<AtomicU64>,
}

impl Scene {
    pub(super) async fn set() -> Self {
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
        let (held_people, bystanders) = users
            .map(person)
            .partition(|person| person.activity == HELD);
        for shard in SHARDS {
            for table in 0..TABLES {
                // A free lock is taken and released at once.
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
            bystanders,
            held_people,
            keys: Arc::default(),
        }
    }

    fn all_people(&self) -> Vec<Person> {
        self.bystanders
            .iter()
            .chain(&self.held_people)
            .cloned()
            .collect()
    }

    /// These people draw at these gateways from now on.
    fn crowd(&self, people: Vec<Person>, gateways: &[usize]) -> Crowd {
        let doors = gateways
            .iter()
            .map(|&gateway| (gateway, self.doors[gateway]));
        Crowd::start(people, doors.collect(), Arc::clone(&self.keys))
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
            FaultKind::Frozen => cluster.signal(fault.part, "STOP").await,
            FaultKind::Killed => cluster.kill(fault.part).await,
            FaultKind::CutOff => self.way(fault, ProxyWay::Silent),
            FaultKind::Slow => self.way(fault, ProxyWay::Slow(DELAY)),
            FaultKind::ReadOnly => self.read_only(fault.part, true).await,
        }
    }

    async fn end(&self, fault: &Fault) {
        let cluster = &self.cluster;
        match fault.what {
            FaultKind::Frozen => cluster.signal(fault.part, "CONT").await,
            FaultKind::Killed => cluster.restart(fault.part).await,
            FaultKind::CutOff | FaultKind::Slow => self.way(fault, ProxyWay::Open),
            FaultKind::ReadOnly => self.read_only(fault.part, false).await,
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
    /// stays there as long as the returned connections are kept.
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
        for held in &self.held_people {
            let key = format!("k{}", self.keys.fetch_add(1, Ordering::Relaxed));
            tokio::spawn(draw(door, Request::draw(&held.user, held.activity, &key)));
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

    /// Lets a fault happen, ends it, and reports which draws it cost.
    pub(super) async fn happen(&self, fault: &Fault, lasts: Duration) -> FaultReport {
        let all_doors = [0, 1];
        let crowd = self.crowd(self.bystanders.clone(), &fault.doors());
        sleep(CALM).await;
        let held = match fault.holder() {
            Some(gateway) => self.hold(gateway).await,
            None => Vec::new(),
        };
        let begun = Instant::now();
        self.begin(fault).await;
        // Now the databases execute what the gateway asked for; it is not there to commit it.
        drop(held);
        let held_people = fault.holder().map(|holder| {
            let doors: Vec<usize> = all_doors
                .into_iter()
                .filter(|&gateway| GATEWAYS[gateway] != holder)
                .collect();
            self.crowd(self.held_people.clone(), &doors)
        });
        sleep(lasts).await;
        let mut free_after = None;
        if let (Some(held_people), Some(within)) = (&held_people, fault.free_after) {
            free_after = held_people.back(begun, within).await;
        }

        self.end(fault).await;
        let ended = Instant::now();
        let all = self.crowd(self.all_people(), &all_doors);
        let back_after = all.back(ended, fault.back).await;
        if back_after.is_none() {
            let well = all.back(ended, WELL_MAX).await;
            assert!(
                well.is_some(),
                "{fault}: it was never well again: {:?}",
                codes(&all.since(ended))
            );
        }
        let mut asks = crowd.stop(begun).await;
        asks.extend(all.stop(ended).await);
        if let Some(held_people) = held_people {
            asks.extend(held_people.stop(begun).await);
        }
        FaultReport {
            fault: *fault,
            asks,
            free_after,
            back_after,
        }
    }

    /// All is exact when all is over.
    pub(super) async fn audit(&self) {
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
