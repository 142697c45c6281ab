//! The open loop. In each thread a dispatcher releases arrivals when they are due, whether earlier
//! ones have ended or not, and free connections send them.

use std::io;
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::call::{Call, RunKeys};
use crate::connection::{Connection, HttpResponse, connect_all};
use crate::cpu::{Usage, Watched};
use crate::error::Error;
use crate::keep::{Keeper, KeptLine, NotReceived, NotReceivedOutcome, Received};
use crate::load::agenda::{Agenda, Job};
use crate::load::arrivals::{Arrival, Arrivals};
use crate::load::plan::LoadPlan;
use crate::load::profile::Profile;
use crate::load::progress;
use crate::load::record::{Ended, RunRecord};
use crate::load::retry::{AttemptVerdict, Meaning, Policy, judge_answer, judge_error};
use crate::load::spread::Chooser;
use crate::load::timer::Timer;
use crate::request::run_tag;
use crate::response::code_of;
use crate::tally::CallOutcome;
use testkit::random::SplitMix64;

/// Arrivals that are due within this of each other are released together. To wake up for each would
/// take processor time from the server.
const TICK: Duration = Duration::from_micros(100);

/// The maximum time between two reads of the agenda by the dispatcher: retries are added while it
/// sleeps.
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// Time for the threads to start.
const HEAD_START: Duration = Duration::from_millis(20);

/// A run that has ended.
pub(crate) struct Run {
    pub(crate) profile: Profile,
    pub(crate) threads: u16,
    /// From the start to the last response.
    pub(crate) length: Duration,
    pub(crate) record: RunRecord,
    /// The length of the record's periods.
    pub(crate) period_seconds: usize,
    pub(crate) usage: Usage,
}

/// What a run shows and records besides its totals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch {
    pub(crate) progress: bool,
    /// The length of the record's periods.
    pub(crate) period_seconds: usize,
}

/// Runs the plan on threads of its own and returns when all of them have ended.
pub(crate) fn run(plan: &LoadPlan, keep: Option<&Path>, watch: Watch) -> Result<Run, Error> {
    let profile = plan.profile()?;
    let keys = RunKeys::new(run_tag());
    let keeper = keep.map(|path| Ledger::create(path, keys)).transpose()?;
    let threads = plan.threads.min(plan.connections);
    let streams = connect_all(plan.url.0, plan.connections)?;
    let mut shares: Vec<Vec<TcpStream>> = (0..threads).map(|_| Vec::new()).collect();
    for (number, stream) in streams.into_iter().enumerate() {
        shares[number % usize::from(threads)].push(stream);
    }

    let watched = Watched::new(Vec::new());
    let before = watched.read();
    let shared = Shared {
        plan: plan.clone(),
        profile,
        threads,
        call: Call::new(
            plan.url.0,
            &plan.path,
            &plan.user_pattern,
            plan.activity,
            &[],
        ),
        keys,
        chooser: Chooser::new(plan.spread, plan.users),
        policy: Policy {
            retries: plan.retries,
            keyed: !plan.no_key,
        },
        start: Instant::now() + HEAD_START,
        record: Mutex::new(RunRecord::new(plan.warmup(), watch.period_seconds)),
        ledger: keeper,
    };
    let shared = Arc::new(shared);
    let workers: Vec<_> = (0..)
        .zip(shares)
        .map(|(number, share)| spawn(&shared, number, share))
        .collect();
    progress::show_until(watch.progress, &shared.record, || {
        workers.iter().all(thread::JoinHandle::is_finished)
    });
    for worker in workers {
        worker.join().expect("a driver thread panicked")?;
    }

    let shared = Arc::into_inner(shared).expect("all threads have ended");
    let length = shared.now();
    if let Some(ledger) = &shared.ledger {
        ledger.finish().map_err(kept_file)?;
    }
    let mut record = shared.record.into_inner().expect("no holder panics");
    record.close();
    let usage = before.until(&watched.read(), record.whole_run.requests);
    Ok(Run {
        profile: shared.profile,
        threads,
        length,
        record,
        period_seconds: watch.period_seconds,
        usage,
    })
}

fn kept_file(error: io::Error) -> Error {
    Error::io("the kept file", error)
}

/// The file of kept calls, and how many there are.
struct Ledger {
    keeper: Keeper,
    kept: AtomicU64,
}

impl Ledger {
    fn create(path: &Path, keys: RunKeys) -> Result<Self, Error> {
        let keeper = Keeper::create(path)?;
        keeper
            .write(&KeptLine::Run { run: keys.prefix() })
            .map_err(kept_file)?;
        Ok(Self {
            keeper,
            kept: AtomicU64::new(0),
        })
    }

    fn write(&self, line: &KeptLine) -> io::Result<()> {
        self.kept.fetch_add(1, Ordering::Relaxed);
        self.keeper.write(line)
    }

    fn finish(&self) -> io::Result<()> {
        self.keeper.write(&KeptLine::Kept {
            kept: self.kept.load(Ordering::Relaxed),
        })?;
        self.keeper.flush()
    }
}

/// The data that all connections of a run share.
struct Shared {
    plan: LoadPlan,
    profile: Profile,
    threads: u16,
    call: Call,
    keys: RunKeys,
    chooser: Chooser,
    policy: Policy,
    start: Instant,
    record: Mutex<RunRecord>,
    ledger: Option<Ledger>,
}

impl Shared {
    fn now(&self) -> Duration {
        Instant::now().saturating_duration_since(self.start)
    }

    fn record(&self) -> MutexGuard<'_, RunRecord> {
        self.record.lock().expect("no holder panics")
    }

    /// The arrivals of one thread. Each thread computes all of them and skips those of the others,
    /// so they are the same for any number of threads.
    fn arrivals(&self, thread: u16) -> impl Iterator<Item = Arrival> {
        let all = Arrivals::new(&self.profile, self.plan.spacing, self.plan.seed);
        let threads = u64::from(self.threads);
        all.filter(move |arrival| arrival.number % threads == u64::from(thread))
    }

    /// The same user for the same arrival, at each attempt and in each run with the seed.
    fn user_of(&self, job: Job) -> u64 {
        self.chooser
            .choose(&mut SplitMix64::stream(self.plan.seed, job.number))
    }

    fn jitter_of(&self, job: Job) -> SplitMix64 {
        SplitMix64::stream(
            self.plan.seed.wrapping_add(1 + u64::from(job.attempt)),
            job.number,
        )
    }

    fn keep_not_received(&self, job: Job, unknown: bool) -> io::Result<()> {
        let Some(ledger) = &self.ledger else {
            return Ok(());
        };
        let mut request_id = String::new();
        self.keys.write(job.number, &mut request_id);
        let user_id = self.plan.user_pattern.name(self.user_of(job));
        let outcome = if unknown {
            NotReceivedOutcome::Unknown
        } else {
            NotReceivedOutcome::Refused
        };
        ledger.write(&KeptLine::NotReceived(NotReceived {
            user_id,
            request_id,
            outcome,
        }))
    }
}

fn spawn(
    shared: &Arc<Shared>,
    number: u16,
    share: Vec<TcpStream>,
) -> thread::JoinHandle<Result<(), Error>> {
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Error::io("runtime", e))?;
        runtime.block_on(drive_share(shared, number, share))
    })
}

async fn drive_share(shared: Arc<Shared>, number: u16, share: Vec<TcpStream>) -> Result<(), Error> {
    // Each thread has its part of the backlog.
    let places = usize::try_from(shared.plan.backlog)
        .unwrap_or(usize::MAX)
        .div_ceil(usize::from(shared.threads));
    let desk = Arc::new(Desk {
        agenda: Mutex::new(Agenda::new(places)),
        free: Notify::new(),
    });
    let mut tasks = JoinSet::new();
    for stream in share {
        let mut connection = Connection::with_timeout(shared.plan.url.0, shared.plan.timeout());
        connection
            .adopt(stream)
            .map_err(|e| Error::io("socket", e))?;
        let client = Client {
            connection,
            key: String::new(),
            request: Vec::with_capacity(512),
        };
        tasks.spawn(client.work(shared.clone(), desk.clone()));
    }
    let dispatched = dispatch(&shared, &desk, number).await;
    desk.close(&shared).map_err(kept_file)?;
    for outcome in tasks.join_all().await {
        outcome.map_err(kept_file)?;
    }
    dispatched.map_err(|e| Error::io("timer", e))
}

/// Where the dispatcher of a thread puts jobs, and its connections take them.
struct Desk {
    agenda: Mutex<Agenda>,
    free: Notify,
}

impl Desk {
    fn agenda(&self) -> MutexGuard<'_, Agenda> {
        self.agenda.lock().expect("no holder panics")
    }

    /// Waits for the next job; `None` at the end.
    async fn take(&self) -> Option<Job> {
        loop {
            let mut freed = std::pin::pin!(self.free.notified());
            // Before the read, so that no notification between read and wait is missed.
            freed.as_mut().enable();
            {
                let mut agenda = self.agenda();
                if let Some(job) = agenda.take() {
                    return Some(job);
                }
                if agenda.is_closed() {
                    return None;
                }
            }
            freed.await;
        }
    }

    /// Ends the work. Jobs that were never sent are dropped, and no further retries are made.
    fn close(&self, shared: &Shared) -> io::Result<()> {
        let left = self.agenda().close();
        self.free.notify_waiters();
        let now = shared.now();
        for job in left {
            if job.attempt == 0 {
                shared.record().note_dropped(now, 1);
            } else {
                shared.record().note_end(Ended {
                    outcome: CallOutcome::Error("gave_up"),
                    due: job.due,
                    at: now,
                });
                shared.keep_not_received(job, job.unknown)?;
            }
        }
        Ok(())
    }
}

async fn dispatch(shared: &Shared, desk: &Desk, number: u16) -> io::Result<()> {
    let mut arrivals = shared.arrivals(number).peekable();
    let deadline = shared.profile.length() + shared.plan.drain();
    let timer = Timer::new()?;
    timer
        .sleep(shared.start.saturating_duration_since(Instant::now()))
        .await?;
    loop {
        let now = shared.now();
        let (released, next_retry, is_idle) = {
            let mut agenda = desk.agenda();
            let mut record = shared.record();
            let released = agenda.release(now, &mut arrivals, |arrival| {
                record.note_arrival(arrival.due, now);
            });
            record.note_released(now, released, agenda.backlog_len());
            (released, agenda.next_retry(), agenda.is_idle())
        };
        for _ in 0..released.waiting {
            desk.free.notify_one();
        }
        let next_arrival = arrivals.peek().map(|arrival| arrival.due);
        if now >= deadline || (next_arrival.is_none() && is_idle) {
            return Ok(());
        }
        let next = next_arrival.into_iter().chain(next_retry).min();
        let wait = next.map_or(LOOK_INTERVAL, |next| next.saturating_sub(now));
        timer.sleep(wait.clamp(TICK, LOOK_INTERVAL)).await?;
    }
}

/// One connection, and the buffers that its requests are made in.
struct Client {
    connection: Connection,
    key: String,
    request: Vec<u8>,
}

/// What follows an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Again,
    End { unknown: bool },
}

impl Client {
    async fn work(mut self, shared: Arc<Shared>, desk: Arc<Desk>) -> io::Result<()> {
        while let Some(job) = desk.take().await {
            let done = self.attempt(&shared, &desk, job).await;
            desk.agenda().done();
            done?;
        }
        Ok(())
    }

    async fn attempt(&mut self, shared: &Shared, desk: &Desk, job: Job) -> io::Result<()> {
        let user = shared.user_of(job);
        shared.keys.write(job.number, &mut self.key);
        let key = (!shared.plan.no_key).then_some(&*self.key);
        shared.call.write(user, key, &mut self.request);

        let sent = shared.now();
        let answered = self.connection.exchange(&self.request).await;
        let at = shared.now();

        let mut received = None;
        let other;
        let (verdict, outcome) = match &answered {
            Err(error) => (judge_error(error), CallOutcome::Error(error.kind())),
            Ok(answer) => match read_told(shared, user, &self.key, *answer) {
                Err(verdict) => (verdict, CallOutcome::Error("malformed")),
                Ok(read) => {
                    received = read;
                    let verdict = judge_answer(*answer);
                    match code_of(answer.body) {
                        Some("0000") => (verdict, CallOutcome::Ok),
                        Some(code) => (verdict, CallOutcome::Refused(code)),
                        None => {
                            other = format!("http_{}", answer.status);
                            (verdict, CallOutcome::Refused(&other))
                        }
                    }
                }
            },
        };
        let next = next_step(shared, desk, job, verdict, at);
        {
            let mut record = shared.record();
            record.note_attempt(job.due, at.saturating_sub(sent));
            match next {
                Next::Again => record.note_retry(job.due, at),
                Next::End { .. } => record.note_end(Ended {
                    outcome,
                    due: job.due,
                    at,
                }),
            }
        }
        match (next, received, &shared.ledger) {
            (Next::End { .. }, Some(received), Some(ledger)) => {
                ledger.write(&KeptLine::Received(received))
            }
            (Next::End { unknown }, None, Some(_)) => shared.keep_not_received(job, unknown),
            _ => Ok(()),
        }
    }
}

/// Reads the draw that a user received, if draws are kept.
fn read_told(
    shared: &Shared,
    user: u64,
    key: &str,
    answer: HttpResponse<'_>,
) -> Result<Option<Received>, AttemptVerdict> {
    if shared.ledger.is_none() || code_of(answer.body) != Some("0000") {
        return Ok(None);
    }
    let user_id = shared.plan.user_pattern.name(user);
    // A response that does not say which draw was made: for the auditor the outcome is unknown.
    Received::from_body(user_id, key, answer.body)
        .map(Some)
        .map_err(|error| judge_error(&error.into()))
}

fn next_step(
    shared: &Shared,
    desk: &Desk,
    job: Job,
    verdict: AttemptVerdict,
    at: Duration,
) -> Next {
    let unknown =
        verdict.meaning == Meaning::Unknown || (job.unknown && verdict.meaning != Meaning::Made);
    if let Some(wait) = shared
        .policy
        .wait(verdict, job.attempt, &mut shared.jitter_of(job))
    {
        let again = Job {
            attempt: job.attempt + 1,
            unknown,
            ..job
        };
        if desk.agenda().retry(at + wait, again) {
            return Next::Again;
        }
    }
    Next::End { unknown }
}

#[cfg(test)]
mod tests;
