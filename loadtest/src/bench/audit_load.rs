//! The audit during draws: a cluster with millions of orders is audited while users draw at a share
//! of its maximum. No draw may be refused. The audit must end in time and find nothing, and its
//! memory must not grow after its first quarter.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use clap::{Args, value_parser};
use router::{OrderNumbers, Run as RunNumber, SlotMap};
use serde::Serialize;
use sqlx::{Connection as _, Executor as _, Row as _};
use testkit::campaign::{Award, CampaignFile};
use tokio::process::Command;
use tokio::sync::{mpsc, watch};
use tokio::time::{interval, timeout};

use crate::bench::cluster::{Cluster, Memory, Setup, TABLES};
use crate::bench::driving::{in_background, share_of};
use crate::bench::files::{folder_of, require_files};
use crate::bench::growth::accounts::in_order_of_strings;
use crate::bench::interrupt::run_to_end;
use crate::bench::options::{ACTIVITY, Programs};
use crate::bench::process;
use crate::bench::soak::{measure_max, parse_rss};
use crate::database::Database;
use crate::error::Error;
use crate::load::record::histogram;
use crate::load::report::ms;
use crate::load::{LoadPlan, Spread, Watch, run};
use crate::target::Target;

/// The activity of the orders that are written before the audit.
const FILLED: u64 = 200_901;

/// Orders of each user.
const ORDERS: u64 = 10;

/// Users of one statement.
const USERS: u64 = 200;

/// The moment of all orders, and its day in the activity's time zone.
const CREATED_AT_MS: u64 = 1_748_750_400_000;
const DAY: u32 = 20_250_601;

/// The length of a round of draws. Rounds follow each other until the audit ends.
const ROUND_SECONDS: u64 = 20;

/// How much the audit's memory may grow after its first quarter, besides a tenth.
const RSS_SLACK_KIB: u64 = 16 * 1024;

#[derive(Clone, Debug, Args)]
pub(crate) struct AuditLoadArgs {
    /// Orders to write before the audit.
    #[arg(long, default_value_t = 10_000_000, value_parser = value_parser!(u64).range(10_000..=100_000_000))]
    pub(crate) orders: u64,
    /// The cluster's maximum of draws a second; measured first when it is not given.
    #[arg(long, value_parser = value_parser!(u32).range(2..=1_000_000))]
    pub(crate) max_rate: Option<u32>,
    /// The share of the maximum to send during the audit, in percent.
    #[arg(long, default_value_t = 50, value_parser = value_parser!(u32).range(1..=100))]
    pub(crate) percent: u32,
    /// How many minutes the audit may take.
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u64).range(1..=120))]
    pub(crate) minutes: u64,
    /// Shards of the cluster.
    #[arg(long, default_value_t = 2, value_parser = value_parser!(u16).range(1..=64))]
    pub(crate) shards: u16,
    #[command(flatten)]
    pub(crate) programs: Programs,
    /// Where to write the results; the same folder holds the data of the run until it ends.
    #[arg(long, default_value = "target/bench/audit-load.json")]
    pub(crate) out: PathBuf,
}

/// `audit-load.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Results {
    orders: u64,
    fill_seconds: f64,
    max_per_second: Option<f64>,
    rate: u32,
    audit_seconds: f64,
    /// The audit's largest memory in its first quarter, and after it.
    rss_kib_first: u64,
    rss_kib_later: u64,
    drawn: Drawn,
}

/// How the draws ended meanwhile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
struct Drawn {
    arrivals: u64,
    ok: u64,
    /// Refused, without an answer, or dropped.
    others: u64,
    p50_ms: f64,
    p99_ms: f64,
}

/// `loadtest audit-load`.
pub(crate) fn command(args: &AuditLoadArgs) -> Result<(), Error> {
    run_to_end(audit_load(args))
}

async fn audit_load(args: &AuditLoadArgs) -> Result<(), Error> {
    require_files([&args.programs.drawbridge, &args.programs.cluster])?;
    let folder = folder_of(&args.out)?;
    let setup = Setup {
        shards: args.shards,
        gateways: 1,
        memory: Memory::Ample,
    };
    let cluster = Cluster::start(&args.programs, &folder, setup).await?;
    publish(&cluster, &folder).await?;
    let began = Instant::now();
    fill(&cluster, args).await?;
    let fill_seconds = began.elapsed().as_secs_f64();
    eprintln!("{} orders written in {fill_seconds:.0} s", args.orders);
    cluster.wait_drawing(ACTIVITY).await?;
    let max_per_second = match args.max_rate {
        Some(_) => None,
        None => Some(measure_max(&cluster).await?),
    };
    let rate = share_of(
        args.max_rate
            .map_or(max_per_second.unwrap_or_default(), f64::from),
        args.percent,
    );
    eprintln!("auditing beside {rate} draws a second");

    let (stop, stopped) = watch::channel(false);
    let drawing = draw_until(stopped, open_loop(&cluster, rate));
    let auditing = async {
        let audited = audit(&cluster, args).await;
        stop.send_replace(true);
        audited
    };
    let (audited, drawn) = tokio::join!(auditing, drawing);
    let (audit_seconds, rss) = audited?;
    let (rss_kib_first, rss_kib_later) = peaks(&rss);
    let results = Results {
        orders: args.orders,
        fill_seconds,
        max_per_second,
        rate,
        audit_seconds,
        rss_kib_first,
        rss_kib_later,
        drawn: drawn?,
    };
    let failed = |e| Error::io(args.out.display().to_string(), e);
    let text = serde_json::to_string_pretty(&results).map_err(|e| failed(e.into()))?;
    std::fs::write(&args.out, &text).map_err(failed)?;
    println!("{text}\nwritten to {}", args.out.display());
    results.judge()
}

impl Results {
    fn judge(&self) -> Result<(), Error> {
        let mut faults = Vec::new();
        if self.drawn.others > 0 {
            faults.push(format!(
                "{} of {} draws were not made",
                self.drawn.others, self.drawn.arrivals
            ));
        }
        if self.rss_kib_later > self.rss_kib_first + self.rss_kib_first / 10 + RSS_SLACK_KIB {
            faults.push(format!(
                "the audit grew from {} to {} KiB",
                self.rss_kib_first, self.rss_kib_later
            ));
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(Error::DoesNotHold(faults.join("; ")))
        }
    }
}

fn open_loop(cluster: &Cluster, rate: u32) -> LoadPlan {
    LoadPlan {
        url: Target(cluster.entrance()),
        rate,
        seconds: ROUND_SECONDS,
        users: 1_000_000,
        spread: Spread::Uniform,
        connections: 256,
        activity: ACTIVITY,
        ..LoadPlan::usual()
    }
}

/// Sends draws, round by round, until `stopped`. Returns the sum of the rounds.
async fn draw_until(stopped: watch::Receiver<bool>, plan: LoadPlan) -> Result<Drawn, Error> {
    let (mut drawn, mut response_us) = (Drawn::default(), histogram(2));
    let mut seed = plan.seed;
    while !*stopped.borrow() {
        seed += 1;
        let round = LoadPlan {
            seed,
            ..plan.clone()
        };
        let watch = Watch {
            progress: false,
            period_seconds: usize::try_from(ROUND_SECONDS).expect("few"),
        };
        let run = in_background(move || run(&round, None, watch)).await?;
        for period in &run.record.periods {
            drawn.arrivals += period.arrivals;
            drawn.ok += period.ok;
            drawn.others += period.others;
            response_us
                .add(&period.response_us)
                .expect("the same bounds");
        }
    }
    let quantile = |share| ms(response_us.value_at_quantile(share));
    Ok(Drawn {
        p50_ms: quantile(0.5),
        p99_ms: quantile(0.99),
        ..drawn
    })
}

/// Audits. Returns how long that took, and the audit's memory at each second.
async fn audit(cluster: &Cluster, args: &AuditLoadArgs) -> Result<(f64, Vec<u64>), Error> {
    let began = Instant::now();
    let mut audit: Command = cluster.command(&["audit", "--json"]);
    let failed = |e| Error::io("drawbridge audit", e);
    let child = audit
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let pid = child
        .id()
        .ok_or_else(|| Error::CannotRun("the audit ended at once".to_owned()))?;
    let mut ended = std::pin::pin!(timeout(
        Duration::from_mins(args.minutes),
        child.wait_with_output()
    ));
    let (mut rss, mut seconds) = (Vec::new(), interval(Duration::from_secs(1)));
    let output = loop {
        tokio::select! {
            output = &mut ended => break output,
            _ = seconds.tick() => {
                rss.extend(std::fs::read_to_string(format!("/proc/{pid}/status")).ok().and_then(|text| parse_rss(&text)));
            }
        }
    };
    let late = |_| {
        Error::DoesNotHold(format!(
            "the audit took longer than {} minutes",
            args.minutes
        ))
    };
    let output = output.map_err(late)?.map_err(failed)?;
    if output.status.success() {
        return Ok((began.elapsed().as_secs_f64(), rss));
    }
    let (said, complaint) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    Err(Error::DoesNotHold(format!(
        "audit: {}\n{}",
        output.status,
        process::last_lines(&format!("{said}{complaint}"))
    )))
}

/// The largest sample of the first quarter, and of the rest.
fn peaks(rss: &[u64]) -> (u64, u64) {
    let (first, later) = rss.split_at(rss.len().div_ceil(4));
    let peak = |samples: &[u64]| samples.iter().max().copied().unwrap_or_default();
    (peak(first), peak(later))
}

async fn publish(cluster: &Cluster, folder: &Path) -> Result<(), Error> {
    let failed = |e| Error::io("a campaign file", e);
    let file = tempfile::Builder::new()
        .suffix(".toml")
        .tempfile_in(folder)
        .map_err(failed)?;
    std::fs::write(file.path(), campaign()).map_err(failed)?;
    cluster.publish(file.path()).await
}

/// A campaign with one prize without stock: its orders need no stock counters.
fn campaign() -> String {
    CampaignFile::new(FILLED)
        .named("Filled")
        .time_zone("Asia/Shanghai")
        .chances(1_000, 1_000, 1_000)
        .award(Award::new(1, "Points", "1"))
        .text()
}

/// Writes the orders as lanes do, under a run that is claimed for them.
async fn fill(cluster: &Cluster, args: &AuditLoadArgs) -> Result<(), Error> {
    let map = SlotMap::even(1, args.shards, TABLES).map_err(|e| Error::CannotRun(e.to_string()))?;
    let run = claim_run(cluster.meta()).await?;
    let (mut senders, mut writers) = (Vec::new(), Vec::new());
    for shard in cluster.shards() {
        let (sender, receiver) = mpsc::channel(2);
        senders.push(sender);
        writers.push(tokio::spawn(write_all(shard.clone(), receiver)));
    }
    let users = args.orders / ORDERS;
    in_background(move || {
        each_statement(&map, run, users, |shard, sql| {
            // If a writer has ended, its error is returned below.
            let _ = senders[shard].blocking_send(sql);
        });
        Ok(())
    })
    .await?;
    for writer in writers {
        writer
            .await
            .map_err(|e| Error::io("a writer", e.into()))??;
    }
    Ok(())
}

async fn claim_run(meta: &Database) -> Result<RunNumber, Error> {
    let mut connection = meta.connect().await?;
    connection
        .execute("UPDATE id_run SET claimed = claimed + 1")
        .await?;
    let row = connection
        .fetch_one("SELECT CAST(claimed AS SIGNED) FROM id_run")
        .await?;
    let claimed: i64 = row.try_get(0)?;
    connection.close().await?;
    let run = u32::try_from(claimed).ok().and_then(RunNumber::new);
    run.ok_or_else(|| Error::CannotRun(format!("{claimed} is no run number")))
}

async fn write_all(shard: Database, mut statements: mpsc::Receiver<String>) -> Result<(), Error> {
    let mut connection = shard.connect().await?;
    while let Some(sql) = statements.recv().await {
        connection.execute(&*sql).await?;
    }
    Ok(connection.close().await?)
}

/// Rows of one table that wait for their statement.
#[derive(Debug, Default)]
struct Waiting {
    accounts: String,
    calls: String,
    orders: String,
    users: u64,
}

impl Waiting {
    fn add(&mut self, user: &str, slot: router::Slot, numbers: &mut OrderNumbers) {
        let comma = |rows: &String| if rows.is_empty() { "" } else { "," };
        // Writing to a String cannot fail.
        let before = comma(&self.accounts);
        let _ = write!(
            self.accounts,
            "{before}('{user}',{FILLED},1000,{ORDERS},{DAY},{ORDERS},{ORDERS})"
        );
        for ordinal in 1..=ORDERS {
            let id = numbers
                .next(slot)
                .expect("a run has more numbers than a fill has orders");
            let before = comma(&self.calls);
            let _ = write!(
                self.calls,
                "{before}('{user}','k{ordinal:02}',1,{FILLED},1,{id},1,{CREATED_AT_MS})"
            );
            let before = comma(&self.orders);
            let _ = write!(
                self.orders,
                "{before}({id},'{user}',{FILLED},1,{ordinal},{DAY},1,'Points',1,'rule_default',0)"
            );
        }
        self.users += 1;
    }

    fn statements(&mut self, table: router::TableId) -> [String; 3] {
        self.users = 0;
        let (accounts, calls, orders) = (
            std::mem::take(&mut self.accounts),
            std::mem::take(&mut self.calls),
            std::mem::take(&mut self.orders),
        );
        [
            format!(
                "INSERT INTO raffle_account_{table} (user_id, activity_id, granted, used, day, day_used, month_used) \
                 VALUES {accounts}"
            ),
            format!(
                "INSERT INTO raffle_call_{table} (user_id, request_id, kind, activity_id, asked, first_id, made, \
                 created_at_ms) VALUES {calls}"
            ),
            format!(
                "INSERT INTO raffle_order_{table} (order_id, user_id, activity_id, version, ordinal, day, award_id, \
                 award_title, award_index, rule, stocked) VALUES {orders}"
            ),
        ]
    }
}

/// Makes the statements for all users, each with the number of its shard. In each table user ids
/// ascend as strings, so that the pages of its keys are filled one after the other.
fn each_statement(map: &SlotMap, run: RunNumber, users: u64, mut take: impl FnMut(usize, String)) {
    let mut waiting: std::collections::BTreeMap<_, Waiting> = std::collections::BTreeMap::new();
    let mut numbers = OrderNumbers::new(run);
    for number in in_order_of_strings(users) {
        let user = format!("f{number}");
        let route = map.route(&user);
        let place = (route.shard(), route.table());
        let rows = waiting.entry(place).or_default();
        rows.add(&user, route.slot(), &mut numbers);
        if rows.users == USERS {
            rows.statements(place.1)
                .into_iter()
                .for_each(|sql| take(usize::from(place.0.get()), sql));
        }
    }
    for ((shard, table), mut rows) in waiting {
        if rows.users > 0 {
            rows.statements(table)
                .into_iter()
                .for_each(|sql| take(usize::from(shard.get()), sql));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::calendar::Day;
    use market::campaign::Campaign;

    #[test]
    fn the_campaign_is_accepted_and_its_orders_are_of_their_day() {
        let campaign = Campaign::parse(&campaign()).expect("a valid campaign");
        assert_eq!(campaign.activity.id.get(), FILLED);
        let at = jiff::Timestamp::from_millisecond(CREATED_AT_MS.cast_signed()).expect("a moment");
        assert_eq!(Day::of(at, &campaign.activity.time_zone).number(), DAY);
    }

    #[test]
    fn each_user_is_written_once_to_its_shard() {
        let map = SlotMap::even(1, 2, 1).expect("a map");
        let (mut users, mut calls, mut orders) = (Vec::new(), 0, 0);
        each_statement(
            &map,
            RunNumber::new(1).expect("a run"),
            1_001,
            |shard, sql| {
                let of_row = |row: &str| row.split('\'').nth(1).expect("a user").to_owned();
                let rows: Vec<&str> = sql
                    .split_once("VALUES ")
                    .expect("rows")
                    .1
                    .split("),(")
                    .collect();
                assert!(
                    rows.iter()
                        .all(|row| usize::from(map.route(&of_row(row)).shard().get()) == shard)
                );
                if sql.starts_with("INSERT INTO raffle_account_0") {
                    users.extend(rows.into_iter().map(of_row));
                } else if sql.starts_with("INSERT INTO raffle_call_0") {
                    calls += rows.len();
                } else {
                    orders += rows.len();
                }
            },
        );
        users.sort();
        users.dedup();
        assert_eq!((users.len(), calls, orders), (1_001, 10_010, 10_010));
    }

    #[test]
    fn memory_that_grows_and_draws_that_are_refused_are_found() {
        assert_eq!(peaks(&[5, 9, 3, 4, 8, 7, 2, 1]), (9, 8));
        let drawn = Drawn {
            arrivals: 9,
            ok: 9,
            ..Drawn::default()
        };
        let sound = Results {
            orders: 10,
            fill_seconds: 1.0,
            max_per_second: None,
            rate: 1,
            audit_seconds: 1.0,
            rss_kib_first: 20_000,
            rss_kib_later: 22_000 + RSS_SLACK_KIB,
            drawn,
        };
        assert!(sound.judge().is_ok());
        assert!(
            Results {
                rss_kib_later: sound.rss_kib_later + 1,
                ..sound.clone()
            }
            .judge()
            .is_err()
        );
        assert!(
            Results {
                drawn: Drawn { others: 1, ..drawn },
                ..sound
            }
            .judge()
            .is_err()
        );
    }
}
