//! The open loop against servers in this process.

use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;

use clap::Parser as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::cli::{Cli, LoadCommand};
use crate::hello;
use crate::keep::lines;
use crate::load::report::LoadReport;

fn plan(address: SocketAddr, options: &str) -> LoadPlan {
    let url = format!("http://{address}");
    let fixed = ["loadtest", "load", "--spacing", "even", "--url", &url];
    let args =
        Cli::try_parse_from(fixed.into_iter().chain(options.split_whitespace())).expect(options);
    let LoadCommand::Load(args) = args.command else {
        panic!("another command")
    };
    args.plan
}

async fn run_in_background(plan: LoadPlan, keep: Option<std::path::PathBuf>) -> Run {
    let watch = Watch {
        progress: false,
        period_seconds: 60,
    };
    let run = tokio::task::spawn_blocking(move || run(&plan, keep.as_deref(), watch));
    run.await.expect("no panic").expect("a run")
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let address = listener.local_addr().expect("address");
    (listener, address)
}

/// Reads one request; `None` when the client has closed the connection. The driver sends each in
/// one piece, small enough to arrive in one.
async fn request(stream: &mut TcpStream) -> Option<String> {
    let mut buffer = vec![0; 4096];
    let len = stream.read(&mut buffer).await.ok().filter(|len| *len > 0)?;
    Some(String::from_utf8_lossy(&buffer[..len]).into_owned())
}

fn key_of(request: &str) -> &str {
    let line = request
        .lines()
        .find_map(|line| line.strip_prefix("Idempotency-Key: "));
    line.expect("a key")
}

async fn answer(stream: &mut TcpStream, head: &str, body: &str) {
    let answer = format!(
        "HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(answer.as_bytes()).await;
}

fn draw(request: &str) -> String {
    let key = key_of(request);
    format!(
        r#"{{"code":"0000","requestId":"{key}","data":{{"awardId":1,"awardTitle":"t","orderId":"{key}"}}}}"#
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_arrival_is_sent_once_and_counted_once() {
    let (listener, address) = listen().await;
    let answered = Arc::new(AtomicU64::new(0));
    let counter = answered.clone();
    let server = tokio::spawn(hello::serve(listener, move || {
        counter.fetch_add(1, Ordering::Relaxed);
    }));
    let plan = plan(
        address,
        "--profile ramp:0..1000:1s,hold:500:500ms --threads 2 --connections 8 --spread zipf:1.1",
    );
    let run = run_in_background(plan.clone(), None).await;
    server.abort();

    assert_eq!(run.record.arrivals, 750);
    assert_eq!(run.record.counts.ok, 750, "{:?}", run.record.counts);
    assert_eq!(answered.load(Ordering::Relaxed), 750);
    let report = LoadReport::new(&plan, &run);
    assert_eq!(
        report
            .series
            .iter()
            .map(|second| second.arrivals)
            .sum::<u64>(),
        750
    );
    assert_eq!(
        report.series.iter().map(|second| second.ok).sum::<u64>(),
        750
    );
    assert_eq!(
        (report.dropped, report.counts.errors, report.retries),
        (0, 0, 0)
    );
    let json = serde_json::to_value(&report).expect("JSON");
    for name in [
        "target",
        "arrivals",
        "ok",
        "refused",
        "dropped",
        "response",
        "service",
        "driver_lag",
        "series",
    ] {
        assert!(json.get(name).is_some(), "{name}");
    }
}

/// The server stalls once, for half a second. All users who were due meanwhile have waited. A
/// closed loop would show one slow request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stall_is_in_the_latency_of_all_users_who_came_meanwhile() {
    const STALL: Duration = Duration::from_millis(500);
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("accept");
        let mut seen = 0;
        while let Some(request) = request(&mut stream).await {
            seen += 1;
            if seen == 50 {
                tokio::time::sleep(STALL).await;
            }
            answer(&mut stream, "200 OK", &draw(&request)).await;
        }
    });
    let run = run_in_background(
        plan(address, "--rate 200 --seconds 1 --connections 1"),
        None,
    )
    .await;
    server.await.expect("the server's end");

    assert_eq!(run.record.counts.ok, 200);
    let slow = |us: &hdrhistogram::Histogram<u64>| us.count_between(250_000, u64::MAX / 2);
    // The 50 that were due in the first quarter second of the stall waited at least another
    // quarter, however slow this machine is.
    let waited = slow(&run.record.latencies.response_us);
    assert!(waited >= 50, "{waited}");
    assert!(slow(&run.record.latencies.service_us) < waited);
    assert!(run.record.latencies.service_us.max() >= 499_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arrivals_beyond_the_backlog_are_dropped_and_counted() {
    let (listener, address) = listen().await;
    let release = Arc::new(AtomicBool::new(false));
    let released = release.clone();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("accept");
        while let Some(request) = request(&mut stream).await {
            while !released.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            answer(&mut stream, "200 OK", &draw(&request)).await;
        }
    });
    // The server responds after all have arrived: one is in flight, ten wait.
    let plan = plan(
        address,
        "--rate 100 --seconds 1 --connections 1 --backlog 10",
    );
    let running = tokio::spawn(run_in_background(plan, None));
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    release.store(true, Ordering::Relaxed);
    let run = running.await.expect("no panic");
    server.await.expect("the server's end");

    let (ok, dropped) = (run.record.counts.ok, run.record.dropped);
    assert_eq!((run.record.arrivals, ok + dropped), (100, 100));
    // 11 and 89. On a machine so slow that arrivals are released only after the first response,
    // those that are released together still have room for ten.
    assert!(ok >= 10 && dropped >= 50, "{ok} {dropped}");
}

/// The server refuses each first attempt, closes the connection after each second one, and responds
/// to each third one with a draw.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_has_the_same_key_and_the_last_answer_is_kept() {
    let (listener, address) = listen().await;
    let seen = Arc::new(Mutex::new(std::collections::BTreeMap::<String, u32>::new()));
    let counts = seen.clone();
    let server = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("accept");
            let counts = counts.clone();
            tokio::spawn(async move {
                while let Some(request) = request(&mut stream).await {
                    let attempt = {
                        let mut counts = counts.lock().expect("no holder panics");
                        let count = counts.entry(key_of(&request).to_owned()).or_default();
                        *count += 1;
                        *count
                    };
                    match attempt {
                        1 => answer(&mut stream, "503 x", r#"{"code":"ERR_GW_003"}"#).await,
                        2 => return,
                        _ => answer(&mut stream, "200 OK", &draw(&request)).await,
                    }
                }
            });
        }
    });
    let folder = tempfile::tempdir().expect("a folder");
    let kept = folder.path().join("kept");
    let options = "--rate 20 --seconds 1 --connections 4 --user-pattern x{}y";
    let patient = run_in_background(
        plan(address, &format!("{options} --retries 2")),
        Some(kept.clone()),
    )
    .await;
    assert_eq!(
        (patient.record.counts.ok, patient.record.retries),
        (20, 40),
        "{:?}",
        patient.record.counts
    );
    assert!(
        seen.lock()
            .expect("no holder panics")
            .values()
            .all(|count| *count == 3)
    );
    let received: Vec<KeptLine> = lines(&kept)
        .expect("opened")
        .map(|line| line.expect("read"))
        .collect();
    assert_eq!(received.len(), 22);
    assert!(matches!(&received[0], KeptLine::Run { run } if run.len() == 10));
    assert!(matches!(&received[21], KeptLine::Kept { kept: 20 }));
    assert!(
        matches!(&received[1], KeptLine::Received(received) if received.user_id.starts_with('x') && received.drawn.prizes()[0].order_id == received.request_id)
    );

    // With one retry less the outcome is unknown.
    let hasty = run_in_background(
        plan(address, &format!("{options} --retries 1")),
        Some(kept.clone()),
    )
    .await;
    assert_eq!(hasty.record.counts.error_kinds["io"], 20);
    let unknown = lines(&kept).expect("opened").filter(|line| {
        matches!(
            line,
            Ok(KeptLine::NotReceived(NotReceived {
                outcome: NotReceivedOutcome::Unknown,
                ..
            }))
        )
    });
    assert_eq!(unknown.count(), 20);

    // Without retries it is known: refused.
    let meek = run_in_background(plan(address, options), Some(kept.clone())).await;
    assert_eq!(meek.record.counts.refused["ERR_GW_003"], 20);
    let refused = lines(&kept).expect("opened").filter(|line| {
        matches!(
            line,
            Ok(KeptLine::NotReceived(NotReceived {
                outcome: NotReceivedOutcome::Refused,
                ..
            }))
        )
    });
    assert_eq!(refused.count(), 20);
    server.abort();
}
