//! Overload: three times what the shards can commit arrives, by a fixed schedule.
//!
//! The driver has to share the processors with what it drives, so the shards are slowed: each batch
//! takes most of a second, whatever the machine is doing. `OVERLOAD_SECONDS` says how long it
//! lasts; `make overload` makes it longer than `make test` does.
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::support::campaign::{LOAD_ACTIVITY, unlimited};
use crate::support::cluster::ask;
use crate::support::{Cluster, Connection, Request, eventually};

const UNLIMITED: u64 = 200_005;
const GATEWAY: &str = "gateway-0";

/// What each batch takes, besides its work: longer than half of `breakers.slow_ms`. So a draw
/// that waits for one batch and is in the next one waits longer than that.
const BATCH_TAKES_S: f64 = 0.6;
/// `lanes.batch_max`.
const BATCH_MAX: usize = 24;

/// Lanes of the gateway: two shards of four tables.
const LANES: usize = 8;
/// Callers at once that keep all lanes busy: one batch commits, and one waits.
const CALLERS: usize = LANES * BATCH_MAX * 2;

/// Then all batches are full.
const WARM_AFTER: Duration = Duration::from_secs(2);
const CAPACITY_MEASURED_FOR: Duration = Duration::from_secs(4);
const TIMES: f64 = 3.0;

/// `lanes.queue_timeout_ms`, a commit, and some for a busy machine.
const P99_MAX: Duration = Duration::from_millis(2_000 + 600 + 1_000);

/// All is well again within this time after the overload.
const RECOVERED: Duration = Duration::from_secs(5);
/// What a draw takes then: the batch before it and its own, and some for a busy machine.
const CALM: Duration = Duration::from_secs(2);

/// What the server may need for it, besides what it has before.
const MEMORY_MAX_KIB: u64 = 64 * 1024;

/// One request, from the moment when it was due.
struct Arrival {
    took: Duration,
    ended: Instant,
    code: String,
}

/// The callers, over a pool of connections that grows as it must.
#[derive(Clone)]
struct Crowd {
    door: SocketAddr,
    users: Arc<Vec<String>>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Crowd {
    /// A draw of the user whose turn it is.
    async fn draw(&self, number: usize, due: Instant) -> Arrival {
        let kept = self.idle.lock().expect("a list").pop();
        let mut connection = match kept {
            Some(connection) => connection,
            None => Connection::open(self.door).await.expect("a connection"),
        };
        let draw = Request::keyless_draw(&self.users[number % self.users.len()], UNLIMITED);
        let code = connection
            .exchange(&draw)
            .await
            .expect("an answer")
            .envelope()
            .code;
        self.idle.lock().expect("a list").push(connection);
        let ended = Instant::now();
        Arrival {
            took: ended - due,
            ended,
            code,
        }
    }

    /// Draws per second of callers who each wait for their answer.
    async fn capacity(&self) -> f64 {
        let warm = Instant::now() + WARM_AFTER;
        let end = warm + CAPACITY_MEASURED_FOR;
        let mut callers = JoinSet::new();
        for caller in 0..CALLERS {
            let crowd = self.clone();
            callers.spawn(async move {
                let mut drawn = 0_u32;
                while Instant::now() < end {
                    let arrival = crowd.draw(caller, Instant::now()).await;
                    drawn +=
                        u32::from(arrival.code == "0000" && (warm..end).contains(&arrival.ended));
                }
                drawn
            });
        }
        f64::from(callers.join_all().await.iter().sum::<u32>())
            / CAPACITY_MEASURED_FOR.as_secs_f64()
    }

    /// Draws that are due at a constant rate, whatever becomes of those before.
    async fn flood(&self, per_second: f64, lasts: Duration) -> Vec<Arrival> {
        let begun = Instant::now();
        let mut under_way = JoinSet::new();
        let mut arrivals = Vec::new();
        for number in 0.. {
            let due = begun + Duration::from_secs_f64(f64::from(number) / per_second);
            if due > begun + lasts {
                break;
            }
            sleep_until(due).await;
            let (crowd, number) = (self.clone(), usize::try_from(number).expect("a place"));
            under_way.spawn(async move { crowd.draw(number, due).await });
            while let Some(arrival) = under_way.try_join_next() {
                arrivals.push(arrival.expect("an answer"));
            }
        }
        arrivals.extend(under_way.join_all().await);
        arrivals
    }
}

fn tally(arrivals: &[Arrival]) -> BTreeMap<&str, usize> {
    let mut tally = BTreeMap::new();
    for arrival in arrivals {
        *tally.entry(&*arrival.code).or_default() += 1;
    }
    tally
}

/// What 99 of 100 of those that were drawn took at most.
fn p99(arrivals: &[Arrival]) -> Duration {
    let drawn = arrivals.iter().filter(|arrival| arrival.code == "0000");
    let mut times: Vec<Duration> = drawn.map(|arrival| arrival.took).collect();
    times.sort_unstable();
    times[(times.len() - 1) * 99 / 100]
}

/// A line of `/proc/PID/status`, in KiB.
fn memory_kib(pid: u64, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let value = status.lines().find_map(|line| {
        line.strip_prefix(name)?
            .strip_prefix(':')?
            .split_whitespace()
            .next()
    });
    value.and_then(|value| value.parse().ok()).expect("KiB")
}

/// Seconds of processor time, as a `stat` file of `/proc` has them.
fn processor_s(stat: &str) -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(stat).expect("a process");
    let (_, fields) = stat.rsplit_once(") ").expect("a name");
    let ticks = |place: usize| {
        fields
            .split(' ')
            .nth(place)
            .and_then(|ticks| ticks.parse::<f64>().ok())
    };
    (ticks(11).expect("user time") + ticks(12).expect("system time")) / TICKS_PER_SECOND
}

/// How many times breakers have changed, and what they are.
async fn breakers_never_changed(cluster: &Cluster) {
    let list = cluster
        .ask_admin(GATEWAY, Request::raw("GET", "/admin/breakers"))
        .await
        .text();
    let list: Value = serde_json::from_str(&list).expect("JSON");
    for breaker in list["breakers"].as_array().expect("breakers") {
        assert_eq!(
            (&breaker["state"], &breaker["reason"]),
            (&"closed".into(), &"the process began".into()),
            "{list}"
        );
    }
}

/// The queues are empty, and a draw of every lane is answered soon.
async fn is_calm(cluster: &Cluster, crowd: &Crowd) -> Option<()> {
    for shard in 0..2 {
        let waiting = format!("drawbridge_lane_queue_draws{{shard=\"{shard}\"}}");
        if cluster.metric(GATEWAY, &waiting).await > 0.0 {
            return None;
        }
    }
    let mut draws = JoinSet::new();
    for lane in 0..LANES {
        let crowd = crowd.clone();
        draws.spawn(async move { crowd.draw(lane, Instant::now()).await });
    }
    let arrivals = draws.join_all().await;
    arrivals
        .iter()
        .all(|arrival| arrival.code == "0000" && arrival.took < CALM)
        .then_some(())
}

async fn slowed() -> Cluster {
    let cluster = Cluster::start()
        .await
        .with_campaigns(&[(UNLIMITED, unlimited(UNLIMITED))])
        .await;
    // Each batch writes its orders by one statement, during which the clock stands still for
    // triggers.
    for shard in ["shard-0", "shard-1"] {
        for table in 0..LANES / 2 {
            let slow = format!(
                "CREATE TRIGGER slow_{table} BEFORE INSERT ON raffle_order_{table} \
                 FOR EACH ROW SET @slept = IF(@began <=> NOW(6), 0, SLEEP({BATCH_TAKES_S})), @began = NOW(6)"
            );
            cluster.execute(shard, &slow).await;
        }
    }
    cluster
        .reconfigure(GATEWAY, &format!("[lanes]\nbatch_max = {BATCH_MAX}\n"))
        .await;
    cluster
}

#[tokio::test]
async fn three_times_the_capacity_is_refused_down_to_the_capacity() {
    let lasts = std::env::var("OVERLOAD_SECONDS")
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(20);
    let lasts = Duration::from_secs(lasts);
    let cluster = slowed().await;
    // In turn one of each lane, so that all lanes have the same to do.
    let by_lane = cluster.users_of_lanes(BATCH_MAX);
    let users = (0..by_lane.len())
        .map(|place| by_lane[place % LANES * BATCH_MAX + place / LANES].clone())
        .collect();
    let crowd = Crowd {
        door: cluster.listen(GATEWAY),
        users: Arc::new(users),
        idle: Arc::default(),
    };

    let capacity = crowd.capacity().await;
    eventually("all is calm before", RECOVERED, async || {
        is_calm(&cluster, &crowd).await
    })
    .await;
    let (pid, own) = (cluster.pid(GATEWAY), "/proc/thread-self/stat");
    let servers = format!("/proc/{pid}/stat");
    let before = memory_kib(pid, "VmRSS");
    let processors = || [processor_s(&servers), processor_s(own)];
    let (processors_before, begun) = (processors(), Instant::now());
    let arrivals = crowd.flood(capacity * TIMES, lasts).await;
    let over = begun + lasts;

    eventually(
        "it recovers",
        RECOVERED.saturating_sub(over.elapsed()),
        async || is_calm(&cluster, &crowd).await,
    )
    .await;
    let recovered_after = over.elapsed();
    let processors_after = processors();
    let used = [0, 1].map(|place| processors_after[place] - processors_before[place]);
    let peak = memory_kib(pid, "VmHWM");
    let drawn = arrivals
        .iter()
        .filter(|arrival| arrival.code == "0000" && arrival.ended <= over)
        .count();
    let goodput = f64::from(u32::try_from(drawn).expect("a count")) / lasts.as_secs_f64();
    let p99 = p99(&arrivals);
    let share = used.iter().sum::<f64>() / (2.0 * lasts.as_secs_f64());
    println!(
        "capacity {capacity:.0}/s, offered {:.0}/s, goodput {goodput:.0}/s, p99 {p99:?}, recovered after \
         {recovered_after:?}, {before} KiB before, {peak} KiB at most, processor seconds of server and driver {used:?} \
         ({:.0} % of two), {:?}",
        capacity * TIMES,
        share * 100.0,
        tally(&arrivals)
    );
    assert!(goodput >= 0.8 * capacity);
    assert!(p99 < P99_MAX);
    assert!(peak < before + MEMORY_MAX_KIB);
    assert!(share < 0.6, "this measures the driver");
    let codes = tally(&arrivals);
    assert!(
        codes["ERR_GW_002"] > drawn / 2
            && codes
                .keys()
                .all(|code| ["0000", "ERR_GW_002", "ERR_GW_005"].contains(code))
    );
    breakers_never_changed(&cluster).await;

    // Half of what can be done is all done.
    let calm = crowd.flood(capacity / 2.0, Duration::from_secs(2)).await;
    assert_eq!(tally(&calm).keys().collect::<Vec<_>>(), [&"0000"]);
    ask(crowd.door, &Request::keyless_draw("u", LOAD_ACTIVITY))
        .await
        .expect(200, "0000");
    for shard in ["shard-0", "shard-1"] {
        for table in 0..LANES / 2 {
            cluster
                .execute(shard, &format!("DROP TRIGGER slow_{table}"))
                .await;
        }
    }
    cluster.audited().await;
}
