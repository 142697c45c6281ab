//! Closed-loop load: N connections, each with one request in flight.
//!
//! The driver shares the machine with what it measures, so it does as little as possible: a
//! single-threaded runtime for each thread, nothing shared between threads, one write and one read
//! for each request.

use std::io;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, value_parser};
use tokio::task::JoinSet;

use crate::connection::{Connection, HttpResponse, connect_all};
use crate::error::Error;
use crate::json::print_json;
use crate::keep::{Keeper, Received};
use crate::mix::CallKind;
use crate::request::{Calls, Keys, RequestCase, Requests, Subject, run_tag};
use crate::response::{code_of, draws_in};
use crate::signed::AppKey;
use crate::tally::{About, CallOutcome, DriveReport, Tally};
use crate::target::{Target, parse_target};
use testkit::random::SplitMix64;

/// Waits of a connection after its first, second, ... error in a row: long enough not to spin on a
/// dead server, short enough to notice soon that it is back.
const BACKOFF_MS: [u64; 5] = [5, 10, 50, 100, 200];

/// Users who buy in a run, unless it has more connections: few enough to sign in within a second
/// or two of warm-up.
const BUYERS: u64 = 8_192;

#[derive(Debug, Args)]
pub(crate) struct DriveArgs {
    #[command(flatten)]
    pub(crate) plan: DrivePlan,
    /// Print the report as one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
    /// Write each call with the draw that its user received to this file, one JSON document a line.
    #[arg(long, value_name = "FILE")]
    pub(crate) keep: Option<PathBuf>,
}

/// What to drive, and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct DrivePlan {
    /// The gateway, for example `http://127.0.0.1:8091`.
    #[arg(long, value_parser = parse_target)]
    pub(crate) url: Target,
    /// The kind of request.
    #[arg(long, value_enum, default_value_t = RequestCase::Draw)]
    pub(crate) case: RequestCase,
    /// Connections, each with one request in flight.
    #[arg(long, default_value_t = 64, value_parser = value_parser!(u16).range(1..=10_000))]
    pub(crate) connections: u16,
    /// Threads of the driver.
    #[arg(long, default_value_t = 1, value_parser = value_parser!(u16).range(1..=64))]
    pub(crate) threads: u16,
    /// Seconds to measure.
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u64).range(1..=600))]
    pub(crate) seconds: u64,
    /// Seconds of load before that.
    #[arg(long, default_value_t = 0, value_parser = value_parser!(u64).range(0..=60))]
    pub(crate) warmup_seconds: u64,
    /// Users to choose from; they are called u0, u1, ...
    #[arg(long, default_value_t = 1_000_000, value_parser = value_parser!(u64).range(1..=1_000_000_000))]
    pub(crate) users: u64,
    /// The activity to draw in.
    #[arg(long, default_value_t = 200_001)]
    pub(crate) activity: u64,
    /// Draws of each call; without it a call has no count, and makes one draw.
    #[arg(long, value_parser = value_parser!(u8).range(1..=10))]
    pub(crate) count: Option<u8>,
    /// The sku that exchange and mixed buy. A sign-in in the activity must give points for it.
    #[arg(long, default_value_t = 200_011)]
    pub(crate) sku: u64,
    /// The key file of the application `load`, which report and mixed sign with. The activity must
    /// reward the behaviour `load_paid`.
    #[arg(long, value_name = "FILE")]
    pub(crate) app_key_file: Option<PathBuf>,
    /// Chooses the users. Keys differ between runs with the same seed.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
}

/// `loadtest drive`.
pub(crate) fn command(args: &DriveArgs) -> Result<(), Error> {
    if args.keep.is_some() && args.plan.case != RequestCase::Draw {
        return Err(Error::CannotRun("only draws can be kept".to_owned()));
    }
    if args.plan.count.is_some() && args.plan.case != RequestCase::Draw {
        return Err(Error::CannotRun("only draws have a count".to_owned()));
    }
    if args.plan.case.reports() && args.plan.app_key_file.is_none() {
        return Err(Error::CannotRun(format!(
            "--case {} has reports of the application \"load\": name the file of its key with --app-key-file",
            args.plan.case.name()
        )));
    }
    let keeper = args.keep.as_deref().map(Keeper::create).transpose()?;
    let report = drive(&args.plan, keeper)?;
    if args.json {
        return print_json(&report);
    }
    println!("{report}");
    Ok(())
}

/// Runs the plan on threads of its own and returns when all of them have ended.
pub(crate) fn drive(plan: &DrivePlan, keeper: Option<Keeper>) -> Result<DriveReport, Error> {
    let keeper = keeper.map(Arc::new);
    let threads = plan.threads.min(plan.connections);
    let app_key = plan.app_key_file.as_deref().map(AppKey::read).transpose()?;
    let subject = Subject {
        activity: plan.activity,
        count: plan.count,
        sku: plan.sku,
        app_key,
    };
    let calls = Arc::new(Calls::new(plan.url.0, subject));
    let streams = connect_all(plan.url.0, plan.connections)?;
    let mut shares: Vec<Vec<(u16, TcpStream)>> = (0..threads).map(|_| Vec::new()).collect();
    for (number, stream) in (0..plan.connections).zip(streams) {
        shares[usize::from(number % threads)].push((number, stream));
    }
    let run = Arc::new(Run::new(plan, calls, keeper.clone()));
    let tallies: Vec<Result<Tally, Error>> = thread::scope(|scope| {
        let handles: Vec<_> = shares
            .into_iter()
            .map(|share| scope.spawn(|| drive_share(&run, share)))
            .collect();
        let joined = handles.into_iter().map(thread::ScopedJoinHandle::join);
        joined
            .map(|tally| tally.expect("a driver thread panicked"))
            .collect()
    });
    let mut sum = Tally::new();
    for tally in tallies {
        sum.merge(&tally?);
    }
    if let Some(keeper) = keeper {
        keeper.flush().map_err(|e| Error::io("the kept file", e))?;
    }
    Ok(sum.report(about(plan, threads)))
}

fn about(plan: &DrivePlan, threads: u16) -> About {
    About {
        case: plan.case.name(),
        target: plan.url.0.to_string(),
        connections: plan.connections,
        threads,
        users: plan.users,
        seed: plan.seed,
        warmup_seconds: plan.warmup_seconds,
        seconds: plan.seconds,
    }
}

/// The data that all connections of a run share.
#[derive(Debug)]
struct Run {
    plan: DrivePlan,
    calls: Arc<Calls>,
    tag: u64,
    measure_from: Instant,
    end: Instant,
    keeper: Option<Arc<Keeper>>,
}

impl Run {
    fn new(plan: &DrivePlan, calls: Arc<Calls>, keeper: Option<Arc<Keeper>>) -> Self {
        let measure_from = Instant::now() + Duration::from_secs(plan.warmup_seconds);
        Self {
            plan: plan.clone(),
            calls,
            tag: run_tag(),
            measure_from,
            end: measure_from + Duration::from_secs(plan.seconds),
            keeper,
        }
    }

    fn is_measured(&self, ended: Instant) -> bool {
        (self.measure_from..self.end).contains(&ended)
    }

    /// The outcome of a call. Keeps the draw if there is a file for it.
    fn judge<'a>(
        &self,
        answer: HttpResponse<'a>,
        user: u64,
        requests: &Requests,
    ) -> io::Result<CallOutcome<'a>> {
        let Some(code) = code_of(answer.body) else {
            return Ok(CallOutcome::Error("malformed"));
        };
        if code != "0000" {
            return Ok(CallOutcome::Refused(code));
        }
        let outcome = match (requests.kind(), self.plan.count) {
            (CallKind::Draw, None) => CallOutcome::Ok,
            (CallKind::Draw, Some(_)) => CallOutcome::Draws(draws_in(answer.body)),
            _ => CallOutcome::Draws(0),
        };
        let Some(keeper) = &self.keeper else {
            return Ok(outcome);
        };
        match Received::from_draw(user, requests.key(), answer.body) {
            Ok(received) => keeper.keep(&received).map(|()| outcome),
            Err(_) => Ok(CallOutcome::Error("malformed")),
        }
    }
}

fn drive_share(run: &Arc<Run>, share: Vec<(u16, TcpStream)>) -> Result<Tally, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::io("runtime", e))?;
    runtime.block_on(async {
        let tally = Arc::new(Mutex::new(Tally::new()));
        let mut tasks = JoinSet::new();
        for (number, stream) in share {
            let connection = Connection::from_std(stream).map_err(|e| Error::io("socket", e))?;
            tasks.spawn(drive_connection(
                Arc::clone(run),
                number,
                connection,
                tally.clone(),
            ));
        }
        for outcome in tasks.join_all().await {
            outcome.map_err(|e| Error::io("the kept file", e))?;
        }
        let tally = Arc::into_inner(tally).expect("all tasks have ended");
        Ok(tally.into_inner().expect("no holder panics"))
    })
}

async fn drive_connection(
    run: Arc<Run>,
    number: u16,
    mut connection: Connection,
    tally: Arc<Mutex<Tally>>,
) -> io::Result<()> {
    let keys = Keys::new(run.tag, number);
    let buyers = BUYERS.div_ceil(u64::from(run.plan.connections));
    let mut requests = Requests::new(run.plan.case, Arc::clone(&run.calls), keys, buyers);
    let mut random = SplitMix64::stream(run.plan.seed, u64::from(number));
    let mut errors_in_a_row = 0;
    let mut started = Instant::now();
    while started < run.end {
        let user = random.below(run.plan.users);
        let answered = connection.exchange(requests.next(user)).await;
        let ended = Instant::now();
        let outcome = match &answered {
            Ok(answer) => run.judge(*answer, user, &requests)?,
            Err(error) => CallOutcome::Error(error.kind()),
        };
        tally.lock().expect("no holder panics").note(
            run.is_measured(ended),
            requests.kind(),
            outcome,
            ended - started,
        );
        if answered.is_ok() {
            errors_in_a_row = 0;
            started = ended;
        } else {
            let wait_ms = BACKOFF_MS[errors_in_a_row.min(BACKOFF_MS.len() - 1)];
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            errors_in_a_row += 1;
            started = Instant::now();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hello;

    fn plan(address: std::net::SocketAddr) -> DrivePlan {
        DrivePlan {
            url: Target(address),
            case: RequestCase::Draw,
            connections: 4,
            threads: 2,
            seconds: 1,
            warmup_seconds: 0,
            users: 1_000,
            activity: 1,
            count: None,
            sku: 1,
            app_key_file: None,
            seed: 1,
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn counts_of_a_real_drive_add_up() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("bind");
        let address = listener.local_addr().expect("address");
        let answered = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let counter = answered.clone();
        let server = tokio::spawn(hello::serve(listener, move || {
            counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }));
        let drive = tokio::task::spawn_blocking(move || drive(&plan(address), None));
        let report = drive.await.expect("no panic").expect("driven");
        server.abort();

        let answered = answered.load(std::sync::atomic::Ordering::Relaxed);
        assert!(report.window.ok > 100, "{report}");
        assert_eq!(report.whole_run.requests, answered);
        assert_eq!(report.whole_run.ok, answered);
        // At most one request of each connection was in flight when the measurement ended.
        let around = report.whole_run.requests - report.window.requests;
        assert!(around <= 4, "{around}");
        assert_eq!(report.window.errors + report.window.refused_total(), 0);
        assert!(report.p50_ms <= report.p99_ms && report.p99_ms <= report.max_ms);
    }

    #[test]
    fn a_server_that_does_not_listen_is_reported_at_once() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
        let address = free.local_addr().expect("address");
        drop(free);
        let error = drive(&plan(address), None).expect_err("a free port");
        assert!(error.to_string().contains("connection 0 to"), "{error}");
    }
}
