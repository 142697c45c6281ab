//! Availability: while one part is frozen, killed, cut off, made read-only or slow, all users who
//! do not depend on it are answered. Soon after the fault is over, all are.
//!
//! People draw at a steady pace, each draw under a key of its own. What counts is how many draws
//! were answered: with a prize, or with a refusal by a rule. (A rate would measure the machine.)
//! Each fault is one entry of [`faults`].
//!
//! `make test` has the faults that matter most, once. `CHAOS_AVAILABILITY_ROUNDS` asks for that
//! number of rounds of all of them, in an order that `CHAOS_AVAILABILITY_SEED` repeats.
//! `CHAOS_AVAILABILITY_ONLY` takes those whose name contains this string.
mod crowd;
mod faults;
mod people;
mod report;
mod scene;

use std::time::Duration;

use testkit::random::SplitMix64;

use self::faults::{Fault, faults};
use self::scene::Scene;

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
async fn a_fault_disturbs_only_its_own_users_and_soon_after_it_all_are_answered() {
    let planned = plan();
    assert!(!planned.is_empty(), "no fault has such a name");
    let scene = Scene::set().await;
    let mut complaints = Vec::new();
    for (fault, lasts) in planned {
        let reported = scene.happen(&fault, lasts).await;
        println!("{reported}");
        complaints.extend(
            reported
                .complaints()
                .into_iter()
                .map(|complaint| format!("{fault}: {complaint}")),
        );
    }
    scene.audit().await;
    assert!(complaints.is_empty(), "{complaints:#?}");
}
