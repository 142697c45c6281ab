//! Thousands of runs in which everything holds, and one run for each broken rule in which it shows.
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::fault::Fault;
use super::run::{RunOutcome, run};

/// Seeds of a full test; `SIM_SEEDS` says another number.
const SEEDS: u64 = 10_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().expect("a number"))
}

fn seeds() -> u64 {
    number("SIM_SEEDS").unwrap_or(SEEDS)
}

fn report(seed: u64, outcome: &RunOutcome) -> String {
    let violation = outcome.violation.as_deref().unwrap_or("nothing");
    format!(
        "seed {seed}: {violation}\nreplay: SIM_SEED={seed} SIM_TRACE=1 cargo test -p shards simulation -- --nocapture"
    )
}

/// Runs seeds on all processors until one says to stop.
fn run_all(count: u64, each: impl Fn(u64) -> bool + Sync) {
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= count || !each(seed) {
                        next.store(count, Ordering::Relaxed);
                        return;
                    }
                }
            });
        }
    });
}

fn replay(seed: u64) {
    let outcome = run(seed, None, true);
    if number("SIM_TRACE").is_some() {
        outcome.trace.iter().for_each(|line| println!("{line}"));
    }
    println!("{:?}", outcome.tally);
    assert_eq!(outcome.violation, None, "{}", report(seed, &outcome));
}

/// What must have happened at least once in a thousand runs: else they would prove little.
const EVENTS: [&str; 54] = [
    "answer: a unit",
    "answer: no unit",
    "answer: stock unavailable",
    "answer: no chances",
    "answer: several draws",
    "answer: chances given",
    "answer: bought",
    "answer: signed in",
    "answer: rewarded",
    "answer: points changed",
    "answer: too few points",
    "answer: sold out",
    "answer: nothing to reward",
    "points: won",
    "limit for one user reached",
    "two kinds under one key",
    "answer: fewer draws",
    "answer: request id reused",
    "answer: count differs",
    "answer: limit",
    "answer: data refused",
    "answer: queue full",
    "answer: too old",
    "answer: unknown",
    "answer: shard unavailable",
    "answer: held",
    "answer: clocks differ",
    "answer: stopping",
    "batch: conflict",
    "batch: fenced",
    "batch: data",
    "batch: shard unavailable",
    "commit",
    "commit: not confirmed",
    "commit: too late",
    "verdict: void",
    "verdict: committed",
    "decided: void",
    "decided: committed",
    "rebuilt",
    "reclaimed",
    "folded",
    "delivered",
    "unit of a refused debit",
    "withdrawn",
    "withdrawal ended",
    "lock wait",
    "lock refused",
    "held",
    "answer: while others stand still",
    "gateway crashed",
    "gateway drained",
    "stranger",
    "calm",
];

#[test]
fn everything_holds_whatever_happens() {
    if let Some(seed) = number("SIM_SEED") {
        return replay(seed);
    }
    let (tally, failed): (Mutex<BTreeMap<&'static str, u64>>, Mutex<Option<String>>) =
        Default::default();
    run_all(seeds(), |seed| {
        let outcome = run(seed, None, false);
        let mut tally = tally.lock().expect("no panic in here");
        outcome
            .tally
            .iter()
            .for_each(|(event, count)| *tally.entry(event).or_default() += count);
        if outcome.violation.is_some() {
            *failed.lock().expect("no panic in here") = Some(report(seed, &outcome));
        }
        outcome.violation.is_none()
    });
    let failed = failed.into_inner().expect("no panic in there");
    assert!(failed.is_none(), "{}", failed.unwrap_or_default());
    let tally = tally.into_inner().expect("no panic in there");
    println!("{} seeds, and everything held: {tally:?}", seeds());
    let never: Vec<_> = EVENTS
        .iter()
        .filter(|event| !tally.contains_key(*event))
        .collect();
    assert!(
        seeds() < 1_000 || never.is_empty(),
        "never happened: {never:?}"
    );
}

#[test]
fn a_seed_decides_everything() {
    for seed in 0..30 {
        let [one, two] = [run(seed, None, true), run(seed, None, true)];
        let differs = one
            .trace
            .iter()
            .zip(&two.trace)
            .find(|(one, two)| one != two);
        assert_eq!(differs, None, "seed {seed} does not replay");
        assert_eq!(one.digest, two.digest, "seed {seed} does not replay");
    }
}

/// Runs seeds until the broken rule shows.
fn is_found_out(fault: Fault) {
    let trace = number("SIM_TRACE").is_some();
    for seed in 0..SEEDS {
        let outcome = run(seed, Some(fault), trace);
        if let Some(violation) = outcome.violation {
            outcome.trace.iter().for_each(|line| println!("{line}"));
            println!("{fault:?} shows with seed {seed}: {violation}");
            return;
        }
    }
    panic!("{fault:?} does not show");
}

macro_rules! planted {
    ($($name:ident: $fault:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                is_found_out(Fault::$fault);
            }
        )*
    };
}

planted!(
    a_commit_must_be_fenced_by_the_epoch: NoEpoch,
    a_process_must_have_a_name_of_its_own: NoInc,
    a_void_row_must_stop_the_commit: NoVoid,
    a_server_that_is_behind_must_be_rebuilt: NoBehind,
    what_is_closed_must_not_be_given_back: GiveBackTwice,
    the_epoch_must_be_raised_before_the_sum: EarlySum,
    grants_must_be_closed_before_their_receipts_are_reclaimed: ReclaimOpen,
    a_fold_must_add_what_it_deletes: FoldUnlocked,
    a_verdict_must_be_forced: SelectOnly,
    a_grant_id_must_not_be_used_again: ReuseId,
    a_grant_must_not_be_settled_before_the_commit: SettleFirst,
    absent_accounts_must_not_be_upserted: Upsert,
    a_call_must_be_looked_up_whole: FirstOnly,
    a_key_must_belong_to_one_call_of_whatever_kind: KeyByKind,
    a_key_that_has_a_call_must_not_be_claimed: ClaimUnseen,
    a_verdict_must_go_by_the_batch_s_own_call: VerdictByKey,
    what_changes_points_must_have_an_entry: DebitWithoutEntry,
    an_entry_must_change_the_points: EntryWithoutDebit,
    the_unit_of_a_refused_debit_must_not_count: SkuUnitCounted,
    the_unit_of_a_refused_debit_must_go_back: SkuUnitKept,
    a_day_must_have_one_sign_in: SignInTwice,
    what_a_user_was_given_must_be_counted: GivenUncounted,
    what_a_user_was_given_must_be_looked_up: GivenUnseen,
    a_day_must_not_come_from_the_clock_alone: ClockLabel,
    a_lane_must_not_delete_the_receipt_of_an_open_grant: DeleteOpen,
    who_is_held_must_not_hold_up_others: HeldTogether,
    clocks_must_be_compared: ClockUnchecked,
    an_addition_must_count_once: AddTwice,
    an_addition_must_not_reach_a_later_epoch: AddLate,
    a_withdrawal_must_take_once: WithdrawTwice,
    what_was_withdrawn_in_a_past_epoch_must_not_count: NoteLate,
    a_withdrawal_must_not_reach_a_later_epoch: WithdrawLate,
    a_process_must_not_close_grants_of_later_epochs: CloseFlatters,
    the_units_of_another_cluster_must_not_be_taken: NoIdentity,
);
