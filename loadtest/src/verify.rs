//! Reads the draws that a drive kept from a gateway's records, and compares.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clap::{Args, value_parser};
use serde::Serialize;
use tokio::task::JoinSet;

use crate::connection::{Connection, HttpResponse};
use crate::error::Error;
use crate::json::print_json;
use crate::keep::{Drawn, Received, received_draws};
use crate::request::get;
use crate::response::code_of;
use crate::target::{Target, parse_target};
use testkit::random::SplitMix64;

/// Examples listed for each kind of finding.
const LISTED_MAX: usize = 10;

/// Tries before a draw counts as unanswered: the gateway may be restarting.
const TRIES: u32 = 5;
const RETRY_MS: u64 = 200;

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The gateway, for example `http://127.0.0.1:8091`.
    #[arg(long, value_parser = parse_target)]
    pub(crate) url: Target,
    /// A file written by `drive --keep` or `load --keep`.
    #[arg(long)]
    pub(crate) file: PathBuf,
    /// Read this many draws, chosen by the seed, instead of all.
    #[arg(long, value_parser = value_parser!(u64).range(1..))]
    pub(crate) sample: Option<u64>,
    /// Chooses the sample.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Connections to the gateway.
    #[arg(long, default_value_t = 16, value_parser = value_parser!(u16).range(1..=1_000))]
    pub(crate) connections: u16,
    /// Print the results as one JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The results for all kept draws.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Findings {
    checked: usize,
    same: usize,
    missing: usize,
    different: usize,
    /// Neither found nor missing: no response, or a refusal.
    unanswered: usize,
    examples: Vec<String>,
}

/// `loadtest verify`.
pub(crate) fn command(args: &VerifyArgs) -> Result<(), Error> {
    let received = to_ask(&args.file, args.sample, args.seed)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::io("runtime", e))?;
    let findings = runtime.block_on(verify(args.url.0, args.connections, received))?;
    if args.json {
        print_json(&findings)?;
    } else {
        println!("{findings}");
    }
    findings.judge()
}

/// The draws to check: all, read from the file one by one, or a sample, each with the same chance.
pub(crate) fn to_ask(path: &Path, sample_size: Option<u64>, seed: u64) -> Result<Queue, Error> {
    let received = received_draws(path)?;
    match sample_size {
        None => Ok(Box::new(received)),
        Some(size) => Ok(Box::new(sample(received, size, seed)?.into_iter().map(Ok))),
    }
}

/// The draws that are still to be checked.
pub(crate) type Queue = Box<dyn Iterator<Item = Result<Received, Error>> + Send>;

/// Keeps `size` of the draws without knowing how many will come: the n-th replaces one of those
/// kept with the chance `size / n`.
fn sample(
    received: impl Iterator<Item = Result<Received, Error>>,
    size: u64,
    seed: u64,
) -> Result<Vec<Received>, Error> {
    let mut random = SplitMix64::new(seed);
    let mut kept = Vec::new();
    for (seen, received) in (1..).zip(received) {
        if seen <= size {
            kept.push(received?);
        } else if let Some(place) = usize::try_from(random.below(seen))
            .ok()
            .and_then(|place| kept.get_mut(place))
        {
            *place = received?;
        }
    }
    Ok(kept)
}

/// Checks draws over this many connections.
pub(crate) async fn verify(
    address: SocketAddr,
    connections: u16,
    received: Queue,
) -> Result<Findings, Error> {
    let findings = Arc::new(Mutex::new(Findings::default()));
    let queue = Arc::new(Mutex::new(received));
    let mut tasks = JoinSet::new();
    for _ in 0..connections {
        tasks.spawn(verify_from(queue.clone(), address, findings.clone()));
    }
    for outcome in tasks.join_all().await {
        outcome?;
    }
    let findings = Arc::into_inner(findings).expect("all tasks have ended");
    Ok(findings.into_inner().expect("no holder panics"))
}

async fn verify_from(
    queue: Arc<Mutex<Queue>>,
    address: SocketAddr,
    findings: Arc<Mutex<Findings>>,
) -> Result<(), Error> {
    let mut connection = Connection::new(address);
    loop {
        let next = queue.lock().expect("no holder panics").next();
        let Some(received) = next.transpose()? else {
            return Ok(());
        };
        let finding = ask(&mut connection, address, &received).await;
        findings
            .lock()
            .expect("no holder panics")
            .note(&received, finding);
    }
}

/// The result for one draw.
#[derive(Debug, PartialEq, Eq)]
enum Finding {
    Same,
    Missing,
    Different(Drawn),
    Unanswered(String),
}

async fn ask(connection: &mut Connection, address: SocketAddr, received: &Received) -> Finding {
    let request = get(address, &record_path(received));
    let mut finding = Finding::Unanswered(String::new());
    for attempt in 0..TRIES {
        if attempt > 0 {
            tokio::time::sleep(Duration::from_millis(RETRY_MS)).await;
        }
        finding = match connection.exchange(&request).await {
            Ok(answer) => compare(answer, received),
            Err(error) => Finding::Unanswered(error.to_string()),
        };
        if !matches!(finding, Finding::Unanswered(_)) {
            break;
        }
    }
    finding
}

fn record_path(received: &Received) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("userId", &received.user_id)
        .append_pair("requestId", &received.request_id)
        .finish();
    format!("/api/v1/raffle/activity/draw_record?{query}")
}

fn compare(answer: HttpResponse<'_>, received: &Received) -> Finding {
    if answer.status == 404 {
        return Finding::Missing;
    }
    if code_of(answer.body) != Some("0000") {
        let body = String::from_utf8_lossy(answer.body);
        return Finding::Unanswered(format!("HTTP {} {body}", answer.status));
    }
    match Drawn::from_body(answer.body) {
        Ok(drawn) if drawn.is(&received.drawn) => Finding::Same,
        Ok(drawn) => Finding::Different(drawn),
        Err(error) => Finding::Unanswered(error.to_string()),
    }
}

impl Findings {
    fn note(&mut self, received: &Received, finding: Finding) {
        self.checked += 1;
        let (count, what) = match finding {
            Finding::Same => {
                self.same += 1;
                return;
            }
            Finding::Missing => (&mut self.missing, "missing".to_owned()),
            Finding::Different(now) => (&mut self.different, format!("different, now {now:?}")),
            Finding::Unanswered(why) => (&mut self.unanswered, format!("unanswered, {why}")),
        };
        *count += 1;
        if *count <= LISTED_MAX {
            self.examples.push(format!("{what}: {received:?}"));
        }
    }

    pub(crate) fn judge(&self) -> Result<(), Error> {
        if self.missing + self.different > 0 {
            return Err(Error::DoesNotHold("draws are missing or differ".to_owned()));
        }
        if self.unanswered > 0 {
            return Err(Error::CannotRun("some draws could not be read".to_owned()));
        }
        Ok(())
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "checked {}, same {}, missing {}, different {}, unanswered {}",
            self.checked, self.same, self.missing, self.different, self.unanswered
        )?;
        for example in &self.examples {
            write!(f, "\n{example}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keep::Prize;

    fn received(number: u64) -> Received {
        let drawn = Drawn::One(Prize {
            award_id: 7,
            order_id: "9".to_owned(),
            award_title: None,
        });
        Received {
            user_id: format!("u {number}"),
            request_id: "K&1".to_owned(),
            drawn,
        }
    }

    #[test]
    fn each_response_has_its_finding() {
        let same = br#"{"code":"0000","data":{"awardId":7,"orderId":"9","state":"created"}}"#;
        let other = br#"{"code":"0000","data":{"awardId":8,"orderId":"9"}}"#;
        let list =
            br#"{"code":"0000","data":{"draws":[{"awardId":7,"orderId":"9"}],"state":"created"}}"#;
        let more = br#"{"code":"0000","data":{"draws":[{"awardId":7,"orderId":"9"},{"awardId":7,"orderId":"10"}]}}"#;
        let refused = br#"{"code":"X"}"#;
        let compare = |status, body| {
            compare(
                HttpResponse {
                    status,
                    retry_after_s: None,
                    body,
                },
                &received(1),
            )
        };
        assert_eq!(compare(200, same), Finding::Same);
        assert_eq!(compare(200, list), Finding::Same);
        assert!(matches!(compare(200, other), Finding::Different(_)));
        assert!(matches!(compare(200, more), Finding::Different(_)));
        assert_eq!(compare(404, refused), Finding::Missing);
        assert!(matches!(compare(503, refused), Finding::Unanswered(_)));
    }

    #[test]
    fn missing_outweighs_unanswered() {
        let mut findings = Findings::default();
        findings.note(&received(1), Finding::Same);
        assert!(findings.judge().is_ok());
        findings.note(&received(2), Finding::Unanswered("x".to_owned()));
        assert!(matches!(findings.judge(), Err(Error::CannotRun(_))));
        findings.note(&received(3), Finding::Missing);
        assert!(matches!(findings.judge(), Err(Error::DoesNotHold(_))));
        assert_eq!(findings.checked, 3);
    }

    #[test]
    fn ids_are_escaped() {
        let path = record_path(&received(1));
        assert_eq!(
            path,
            "/api/v1/raffle/activity/draw_record?userId=u+1&requestId=K%261"
        );
    }

    #[test]
    fn a_sample_has_its_size_no_doubles_and_follows_the_seed() {
        let pick = |size, seed| {
            sample((0..100).map(|number| Ok(received(number))), size, seed).expect("readable")
        };
        assert_eq!(pick(10, 1), pick(10, 1));
        assert_ne!(pick(10, 1), pick(10, 2));
        let users: std::collections::BTreeSet<_> =
            pick(10, 1).into_iter().map(|t| t.user_id).collect();
        assert_eq!(users.len(), 10);
        assert_eq!(pick(200, 1).len(), 100);
    }

    #[test]
    fn every_draw_is_sampled_equally_often() {
        let mut picked = [0_u32; 10];
        for seed in 0..2_000 {
            for received in
                sample((0..10).map(|number| Ok(received(number))), 3, seed).expect("readable")
            {
                let number: usize = received.user_id[2..].parse().expect("a number");
                picked[number] += 1;
            }
        }
        // 600 expected, standard deviation 20.
        assert!(
            picked.iter().all(|count| (500..700).contains(count)),
            "{picked:?}"
        );
    }
}
