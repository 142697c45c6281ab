//! Drives one case, in a closed or an open loop, and measures which processes use the processors
//! meanwhile.

use crate::bench::options::ACTIVITY;
use crate::bench::options::Effort;
use crate::bench::results::{Figure, Latency};
use crate::cpu::{Usage, Watched};
use crate::drive::{DrivePlan, drive};
use crate::error::Error;
use crate::load::{LoadPlan, LoadReport, Watch, run};
use crate::request::RequestCase;
use crate::tally::DriveReport;
use crate::target::Target;

const WARMUP_SECONDS: u64 = 2;
const USERS: u64 = 1_000_000;

/// Responses of another kind that a case may have, in parts per thousand. Refusing is cheaper than
/// drawing, so more of them would make the figure too good.
const OTHERS_MAX_PERMILLE: u64 = 10;

/// The length of a record's periods, which these cases do not look at.
const PERIOD_SECONDS: usize = 60;

/// Refused draws that a case with thousands of connections may have.
const REFUSED_MAX: f64 = 0.2;

/// The results of one drive.
#[derive(Clone, Debug)]
pub(super) struct Driven {
    pub(super) report: DriveReport,
    pub(super) usage: Usage,
}

impl Driven {
    pub(super) fn latency(&self) -> Latency {
        Latency {
            p50_ms: self.report.p50_ms,
            p99_ms: self.report.p99_ms,
        }
    }

    fn require_nearly_all(self, expected: u64) -> Result<Self, Error> {
        require_nearly_all(expected, self.report.window.requests)?;
        Ok(self)
    }

    /// Of all requests, those that were not answered with a draw.
    pub(super) fn refused_share(&self) -> f64 {
        1.0 - self.report.ok_per_second / self.report.requests_per_second
    }

    pub(super) fn refused_per_second(&self) -> f64 {
        self.report.requests_per_second - self.report.ok_per_second
    }

    pub(super) fn figure(&self, name: &'static str) -> Figure {
        Figure {
            name,
            unit: "requests/s",
            value: self.report.ok_per_second,
            latency: Some(self.latency()),
            connections: Some(self.report.about.connections),
        }
    }

    /// The same of calls for several draws.
    pub(super) fn figure_of_draws(&self, name: &'static str) -> Figure {
        Figure {
            unit: "draws/s",
            value: self.report.draws_per_second,
            ..self.figure(name)
        }
    }
}

fn require_nearly_all(expected: u64, all: u64) -> Result<(), Error> {
    if expected == 0 || (all - expected) * 1_000 > all * OTHERS_MAX_PERMILLE {
        return Err(Error::DoesNotHold(
            "too many requests were not answered as expected".to_owned(),
        ));
    }
    Ok(())
}

/// A share of a rate, at least one a second.
pub(super) fn share_of(max: f64, percent: u32) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a rate"
    )]
    let rate = (max * f64::from(percent) / 100.0) as u32;
    rate.max(1)
}

/// The usual plan: users from a million, activity 200001.
pub(super) fn plan(
    effort: Effort,
    url: std::net::SocketAddr,
    case: RequestCase,
    connections: u16,
) -> DrivePlan {
    DrivePlan {
        url: Target(url),
        case,
        connections,
        threads: effort.threads,
        seconds: effort.seconds,
        warmup_seconds: WARMUP_SECONDS,
        users: USERS,
        activity: ACTIVITY,
        count: None,
        sku: 0,
        app_key_file: None,
        seed: 1,
    }
}

/// Drives from a thread of this process, which does nothing else meanwhile. A process of its own
/// for the driver would be one more child to end, and the cores would be no less busy.
pub(super) async fn drive_once(plan: DrivePlan, watched: &Watched) -> Result<Driven, Error> {
    let driven = drive_any(plan, watched).await?;
    let ok = driven.report.window.ok;
    driven.require_nearly_all(ok)
}

/// The same where a queue may refuse some: with thousands of connections more calls wait than it
/// takes. The draws count, and the refused share is reported with them.
pub(super) async fn drive_crowd(plan: DrivePlan, watched: &Watched) -> Result<Driven, Error> {
    let driven = drive_any(plan, watched).await?;
    if driven.refused_share() > REFUSED_MAX {
        return Err(Error::DoesNotHold(
            "too many requests were refused".to_owned(),
        ));
    }
    Ok(driven)
}

/// The same where nearly all must be refused with this code.
pub(super) async fn drive_refused(
    plan: DrivePlan,
    watched: &Watched,
    code: &str,
) -> Result<Driven, Error> {
    let driven = drive_any(plan, watched).await?;
    let refused = driven
        .report
        .window
        .refused
        .get(code)
        .copied()
        .unwrap_or_default();
    driven.require_nearly_all(refused)
}

/// The same where every request must have a success, the warm-up included.
pub(super) async fn drive_all(plan: DrivePlan, watched: &Watched) -> Result<Driven, Error> {
    let driven = drive_any(plan, watched).await?;
    let about = &driven.report.about.case;
    if let Some(failures) = driven.report.failures() {
        return Err(Error::DoesNotHold(format!(
            "{about}: not all requests had a success: {failures}"
        )));
    }
    let all = &driven.report.whole_run;
    if all.ok < all.requests {
        return Err(Error::DoesNotHold(format!(
            "{about}: {} requests around the measured seconds had no success: {:?} {:?}",
            all.requests - all.ok,
            all.refused,
            all.error_kinds
        )));
    }
    Ok(driven)
}

async fn drive_any(plan: DrivePlan, watched: &Watched) -> Result<Driven, Error> {
    let before = watched.read();
    let report = in_background(move || drive(&plan, None)).await?;
    let usage = before.until(&watched.read(), report.whole_run.requests);
    let text = report.to_string().replace('\n', "\n  ");
    eprintln!("  {text}\n  {usage}");
    Ok(Driven { report, usage })
}

/// The usual plan of an open loop: Poisson arrivals, users and activity as in a closed one.
pub(super) fn open_plan(
    effort: Effort,
    url: std::net::SocketAddr,
    rate: u32,
    connections: u16,
) -> LoadPlan {
    LoadPlan {
        url: Target(url),
        rate,
        seconds: WARMUP_SECONDS + effort.seconds,
        warmup_seconds: WARMUP_SECONDS,
        users: USERS,
        connections,
        threads: effort.threads,
        activity: ACTIVITY,
        ..LoadPlan::usual()
    }
}

/// Sends what is due. Nearly all of it must be answered with a draw; how late does not matter here.
/// Latencies count from when the draws were due.
pub(super) async fn load_once(
    plan: LoadPlan,
    watched: &Watched,
    name: &'static str,
) -> Result<Figure, Error> {
    let report = load_any(plan, watched).await?;
    require_nearly_all(report.counts.ok, report.arrivals)?;
    Ok(Figure {
        name,
        unit: "requests/s",
        value: report.ok_per_second,
        latency: Some(Latency {
            p50_ms: report.response.p50_ms,
            p99_ms: report.response.p99_ms,
        }),
        connections: Some(report.about.connections),
    })
}

/// Sends what is due, whatever is answered.
pub(super) async fn load_any(plan: LoadPlan, watched: &Watched) -> Result<LoadReport, Error> {
    let watch = Watch {
        progress: false,
        period_seconds: PERIOD_SECONDS,
    };
    let before = watched.read();
    let report =
        in_background(move || run(&plan, None, watch).map(|run| LoadReport::new(&plan, &run)))
            .await?;
    let usage = before.until(&watched.read(), report.whole_run.requests);
    let text = report.to_string().replace('\n', "\n  ");
    eprintln!("  {text}\n  {usage}");
    Ok(report)
}

/// Runs work that blocks.
pub(super) async fn in_background<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let outcome = tokio::task::spawn_blocking(work).await;
    outcome.map_err(|e| Error::io("a measuring thread", e.into()))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_at_least_one() {
        assert_eq!(share_of(37_153.0, 50), 18_576);
        assert_eq!(share_of(0.9, 50), 1);
    }

    #[test]
    fn one_answer_of_a_hundred_may_be_another() {
        assert!(require_nearly_all(990, 1_000).is_ok());
        assert!(require_nearly_all(989, 1_000).is_err());
        assert!(require_nearly_all(0, 0).is_err());
    }

    #[test]
    fn an_open_loop_is_warmed_up_beside_what_is_measured() {
        let effort = Effort {
            seconds: 3,
            threads: 1,
        };
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
        let plan = open_plan(effort, address, 100, 512);
        assert_eq!((plan.seconds, plan.warmup_seconds), (5, 2));
        assert!(plan.profile().is_ok());
    }
}
