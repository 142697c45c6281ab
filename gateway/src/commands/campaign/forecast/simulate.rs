//! Runs of a forecast on all cores.
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use market::forecast::{Buffers, Forecast, Summary, Tally};

use crate::commands::block_on::block_on;
use crate::commands::progress::{rate, watched};

/// The memory of all threads together, in bytes.
const MEMORY_MAX: u64 = 1 << 30;
/// The length of the progress bar.
const BAR_CHARS: u64 = 30;

/// Simulates, and shows on a terminal how far it is.
pub(super) fn watched_simulation(forecast: Forecast, runs: u32) -> (Arc<Forecast>, Summary) {
    let (forecast, done) = (Arc::new(forecast), Arc::new(AtomicU64::new(0)));
    let all = forecast.turnout().draws() * u64::from(runs);
    let summary = block_on(async {
        let (simulated, counted) = (forecast.clone(), done.clone());
        let work = tokio::task::spawn_blocking(move || {
            simulate(&simulated, runs, &|draws| {
                counted.fetch_add(draws, Ordering::Relaxed);
            })
        });
        let line = |passed| line(done.load(Ordering::Relaxed), all, passed);
        watched(line, work).await.expect("a simulation ends")
    });
    (forecast, summary)
}

fn line(done: u64, all: u64, passed: Duration) -> String {
    let full = usize::try_from(BAR_CHARS * done / all).expect("a short bar");
    let bar = "#".repeat(full);
    let width = usize::try_from(BAR_CHARS).expect("a short bar");
    format!(
        "forecast: [{bar:<width$}] {} %, {done} of {all} draws, {} a second",
        100 * done / all,
        rate(done, passed)
    )
}

/// Simulates on as many threads as there are cores, runs, and memory for.
pub(super) fn simulate(forecast: &Forecast, runs: u32, report: &(impl Fn(u64) + Sync)) -> Summary {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let fitting = MEMORY_MAX / Buffers::bytes(forecast);
    let threads = cores
        .min(usize::try_from(runs).unwrap_or(usize::MAX))
        .min(usize::try_from(fitting).unwrap_or(usize::MAX));
    forecast.summarise(tally(forecast, runs, threads.max(1), report))
}

/// The tally of all runs. Each thread takes the next run that no other thread has.
fn tally(forecast: &Forecast, runs: u32, threads: usize, report: &(impl Fn(u64) + Sync)) -> Tally {
    let next = AtomicU32::new(0);
    let work = || {
        let (mut tally, mut buffers) = (Tally::new(forecast), Buffers::default());
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= runs {
                return tally;
            }
            tally.add(&forecast.run(number, &mut buffers, report));
        }
    };
    thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut tally = work();
        for other in others {
            tally.merge(other.join().expect("a simulation ends"));
        }
        tally
    })
}

#[cfg(test)]
mod tests {
    use market::campaign::{Campaign, Turnout};
    use testkit::campaign::{Award, CampaignFile, Tree};

    use super::super::{csv, json, table};
    use super::*;

    fn forecast() -> Forecast {
        let file = CampaignFile::new(7)
            .weight(3, &[1])
            .award(Award::new(1, "mug", "0.2").count(30, "tree"))
            .award(Award::new(2, "points", "0.8").setting("cost_minor", "7"))
            .award(Award::luck())
            .tree(Tree::locked("tree", 1, CampaignFile::LUCK, None));
        let campaign = Campaign::parse(&file.text()).expect("a valid campaign");
        let turnout = Turnout::new(40, 10, 3).expect("a turnout");
        Forecast::new(&campaign, turnout, 5)
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let forecast = forecast();
        let printed = |threads| {
            let summary = forecast.summarise(tally(&forecast, 23, threads, &|_| ()));
            let json = json::document(&forecast, &summary).to_string();
            [
                json,
                csv::text(&summary),
                table::text(&forecast, &summary),
                table::brief(&forecast, &summary),
            ]
        };
        let alone = printed(1);
        for threads in [2, 3, 8, 40] {
            assert_eq!(printed(threads), alone, "{threads} threads");
        }
    }

    #[test]
    fn all_draws_of_all_runs_are_reported() {
        let done = AtomicU64::new(0);
        tally(&forecast(), 5, 3, &|draws| {
            done.fetch_add(draws, Ordering::Relaxed);
        });
        assert_eq!(done.into_inner(), 5 * 400);
    }

    #[test]
    fn the_bar_is_filled_from_end_to_end() {
        let second = Duration::from_secs(1);
        assert_eq!(
            line(0, 100_000_000_000, second),
            "forecast: [                              ] 0 %, 0 of 100000000000 draws, 0 a second"
        );
        assert_eq!(
            line(300, 600, second),
            "forecast: [###############               ] 50 %, 300 of 600 draws, 300 a second"
        );
        assert!(
            line(600, 600, second).starts_with("forecast: [##############################] 100 %")
        );
    }
}
