//! What a forecast says of campaigns whose figures can be computed otherwise.
#![allow(
    clippy::float_cmp,
    reason = "these figures are integers, or the same quotient"
)]
mod lanes;

use proptest::prelude::*;
use testkit::campaign::{Award, CampaignFile, Tree};

use super::*;
use crate::campaign::{Campaign, Turnout};
use crate::refusal::Refusal;

/// The quantile of the normal distribution that is exceeded once in a million times, on both sides.
const ONE_IN_A_MILLION: f64 = 4.892;

fn turnout(users: u32, draws_per_user: u32, days: u32) -> Turnout {
    Turnout::new(users, draws_per_user, days).expect("a turnout")
}

fn forecast(file: &CampaignFile, turnout: Turnout) -> Forecast {
    let campaign = Campaign::parse(&file.text()).expect("a valid campaign");
    Forecast::new(&campaign, turnout, 7)
}

fn run(forecast: &Forecast, number: u32) -> FinishedRun {
    forecast.run(number, &mut Buffers::default(), |_| ())
}

fn summary(forecast: &Forecast, runs: u32) -> Summary {
    let (mut tally, mut buffers) = (Tally::new(forecast), Buffers::default());
    for number in 0..runs {
        tally.add(&forecast.run(number, &mut buffers, |_| ()));
    }
    forecast.summarise(tally)
}

/// Awards without limit, from id 1 on, each with its rate in millionths and its cost.
fn unlimited(rates: &[(u32, u64)]) -> CampaignFile {
    let awards = (1..).zip(rates).map(|(id, (millionths, cost))| {
        let rate = format!("0.{millionths:06}");
        Award::new(id, "prize", &rate).setting("cost_minor", &cost.to_string())
    });
    awards.fold(CampaignFile::new(7), CampaignFile::award)
}

/// Half of all draws want one of `units` mugs behind a lock of `lock` draws; the rest is points.
fn locked(units: u64, lock: u32) -> CampaignFile {
    CampaignFile::new(7)
        .award(Award::new(1, "mug", "0.5").count(units, "tree"))
        .award(Award::new(2, "points", "0.5"))
        .award(Award::luck())
        .tree(Tree::locked("tree", lock, CampaignFile::LUCK, None))
}

#[test]
fn a_user_gets_no_more_than_the_limit_and_the_rest_is_counted() {
    let limited = Award::new(1, "mug", "1")
        .count(1_000, "tree")
        .setting("per_user", "2");
    let file = CampaignFile::new(7)
        .award(limited)
        .award(Award::luck())
        .tree(Tree::stock("tree", CampaignFile::LUCK, None));
    let forecast = forecast(&file, turnout(20, 12, 5));
    let figures = run(&forecast, 0).figures;
    let [mug, luck] = &figures.awards[..] else {
        panic!("{figures:?}");
    };
    assert_eq!(
        [mug.given, mug.issued, mug.limited, mug.gone],
        [40, 40, 200, 0]
    );
    assert_eq!([luck.given, luck.as_fallback], [200, 200]);
    let summary = summary(&forecast, 2);
    assert_eq!(summary.limited_mean(), 200.0);
}

#[test]
fn means_are_within_the_interval_of_the_exact_odds() {
    let rates = [(900_000, 0), (90_000, 50), (9_000, 1_000), (300, 90_000)];
    let forecast = forecast(&unlimited(&rates), turnout(1_000, 100, 7));
    let (runs, sum) = (10, 999_300.0);
    let draws = f64::from(runs) * 100_000.0;
    let summary = summary(&forecast, runs);
    let mut cost = 0.0;
    for (award, (rate, cost_minor)) in summary.awards.iter().zip(rates) {
        // The rates do not sum to 1: what is missing is spread.
        let odds = f64::from(rate) / sum;
        let deviation = (odds * (1.0 - odds) / draws).sqrt();
        let share = award.given_mean * f64::from(runs) / draws;
        assert!(
            (share - odds).abs() <= ONE_IN_A_MILLION * deviation,
            "award {}: {share} instead of {odds}",
            award.id
        );
        assert!((award.issued_mean - award.given_mean).abs() < 1e-9);
        cost += award.given_mean * f64::from(u32::try_from(cost_minor).expect("small"));
    }
    assert!((summary.cost_minor.mean - cost).abs() < 1e-3);
    assert!(summary.cost_minor.p5 <= summary.cost_minor.p95);
    assert!((summary.made_mean - 100_000.0).abs() < 1e-9);
}

#[test]
fn a_prize_that_all_draw_runs_out_at_its_last_unit() {
    let file = CampaignFile::one_prize(7, 30);
    let summary = summary(&forecast(&file, turnout(10, 20, 4)), 3);
    let [prize, luck] = &summary.awards[..] else {
        panic!("two awards");
    };
    assert_eq!(
        [prize.issued_mean, prize.given_mean, prize.gone_mean],
        [30.0, 30.0, 170.0]
    );
    assert_eq!(
        [luck.given_mean, luck.as_fallback_mean, luck.issued_mean],
        [170.0; 3]
    );
    // The 30th of 200 draws in 4 days.
    let day = Some(29.0 * 4.0 / 200.0);
    let expected = RunsOut {
        share: 1.0,
        day_p5: day,
        day_p50: day,
        day_p95: day,
    };
    assert_eq!(prize.runs_out, expected);
    assert_eq!(luck.runs_out.share, 0.0);
    assert_eq!((summary.locked_mean(), summary.gone_mean()), (0.0, 170.0));
}

#[test]
fn points_prizes_pay_what_the_giving_node_says() {
    let points = Award::luck()
        .setting("key", "\"user_credit_random\"")
        .setting("config", "\"2,4\"");
    let file = |config| {
        CampaignFile::new(7)
            .award(Award::new(1, "prize", "1").count(30, "tree"))
            .award(points.clone())
            .tree(Tree::stock("tree", CampaignFile::LUCK, config))
    };
    let mean = |file: &CampaignFile| summary(&forecast(file, turnout(10, 20, 4)), 3).points_mean;
    // 170 fallbacks, each of 1 to 2 points, or of 2 to 4.
    assert_eq!(mean(&file(Some("1,2"))), Some(255.0));
    assert_eq!(mean(&file(None)), Some(510.0));
    assert_eq!(mean(&CampaignFile::one_prize(7, 30)), None);
}

#[test]
fn a_prize_that_lasts_has_no_day() {
    let file = CampaignFile::one_prize(7, 201);
    let summary = summary(&forecast(&file, turnout(10, 20, 4)), 3);
    let runs_out = summary.awards[0].runs_out;
    assert_eq!((runs_out.share, runs_out.day_p5), (0.0, None));
    assert_eq!(summary.awards[0].issued_mean, 200.0);
}

#[test]
fn locks_are_opened_by_those_who_draw_often_on_a_day() {
    // Three draws a day: the first two find the lock closed.
    let often = forecast(&locked(1_000, 2), turnout(100, 6, 2));
    let summary_often = summary(&often, 5);
    assert_eq!(
        summary_often.locks,
        [LockSummary {
            award: summary_often.awards[0].id,
            draws: 2,
            users_mean: 100.0
        }]
    );
    let mug = &summary_often.awards[0];
    assert!(
        mug.given_mean > 60.0 && mug.given_mean < 140.0,
        "half of 200 draws: {mug:?}"
    );
    assert!((mug.locked_mean + mug.given_mean - 300.0).abs() < 60.0);
    assert_eq!(mug.gone_mean, 0.0);
    // Two draws a day: no user gets there.
    let seldom = summary(&forecast(&locked(1_000, 2), turnout(100, 6, 3)), 5);
    assert_eq!(seldom.locks[0].users_mean, 0.0);
    assert_eq!(seldom.awards[0].given_mean, 0.0);
}

#[test]
fn guarantees_are_for_those_who_draw_often_enough_and_are_not_listed() {
    let file = locked(10, 1)
        .blacklist(2, &["user0", "mallory", "eve"])
        .weight(5, &[1])
        .weight(11, &[1]);
    let forecast = forecast(&file, turnout(40, 10, 1));
    assert_eq!(forecast.blacklisted(), 3);
    for number in 0..5 {
        let figures = run(&forecast, number).figures;
        let [fifth, eleventh] = figures.guarantees[..] else {
            panic!("two thresholds");
        };
        assert_eq!(fifth.reached, 37);
        // 10 mugs are not enough for all.
        assert!(fifth.fell_back >= 27, "{fifth:?}");
        assert_eq!(eleventh, GuaranteeCounts::default());
        assert_eq!(figures.awards[0].issued, 10);
        assert!(figures.awards[1].given >= 30, "the listed users' draws");
    }
    // A list that is longer than the users are many.
    let few = super::Forecast::new(forecast.campaign(), turnout(2, 10, 1), 7);
    assert_eq!(few.blacklisted(), 2);
    assert_eq!(run(&few, 0).figures.awards[1].given, 20);
}

#[test]
fn limits_and_the_end_refuse_draws() {
    let refused = |file: CampaignFile, turnout| {
        let figures = run(&forecast(&file, turnout), 0).figures;
        let all: u64 = figures.refused.iter().map(|(_, count)| count).sum();
        assert_eq!(figures.made + all, turnout.draws());
        figures.refused
    };
    let file = CampaignFile::one_award(7);
    // Three chances, ten draws.
    let short = refused(file.clone().chances(3, 10, 100), turnout(5, 10, 2));
    assert_eq!(short, [(Refusal::NoChancesLeft, 35)]);
    let daily = refused(file.clone().chances(100, 2, 100), turnout(5, 10, 2));
    assert_eq!(daily, [(Refusal::DayLimit, 30)]);
    // The days from 30 January on are in two months.
    let file = file.between("2026-01-30T00:00:00+00:00", "2026-02-02T00:00:00+00:00");
    let monthly = refused(file.clone().chances(100, 9, 3), turnout(5, 8, 4));
    // Day by day: 2, 1 (the month is full), 2; then it is over.
    assert_eq!(
        monthly,
        [(Refusal::MonthLimit, 5), (Refusal::ActivityOver, 10)]
    );
}

#[test]
fn a_draft_is_simulated_as_if_it_were_open() {
    let text = CampaignFile::one_award(7).text();
    let text = text.replacen("state = \"open\"", "state = \"create\"", 1);
    let campaign = Campaign::parse(&text).expect("a valid campaign");
    let forecast = Forecast::new(&campaign, turnout(3, 3, 1), 7);
    assert_eq!(run(&forecast, 0).figures.made, 9);
}

#[test]
fn a_run_depends_on_the_seed_and_its_number_only() {
    let file = locked(20, 1).weight(3, &[1]).blacklist(2, &["mallory"]);
    let forecast = forecast(&file, turnout(50, 7, 3));
    let mut buffers = Buffers::default();
    let mut reused = |number| forecast.run(number, &mut buffers, |_| ());
    let runs: Vec<_> = (0..4).map(&mut reused).collect();
    for number in [3, 1] {
        let again = run(&forecast, number);
        assert_eq!(again, runs[number as usize]);
    }
    assert_ne!(runs[0], runs[1]);
    let other_seed = Forecast::new(forecast.campaign(), forecast.turnout(), 8);
    assert_ne!(run(&other_seed, 0), runs[0]);
    // Summed up in another order, by another division.
    let tally = |numbers: &[usize]| {
        let mut tally = Tally::new(&forecast);
        for &number in numbers {
            tally.add(&runs[number]);
        }
        tally
    };
    let mut divided = tally(&[3, 1]);
    divided.merge(tally(&[2, 0]));
    assert_eq!(
        forecast.summarise(divided),
        forecast.summarise(tally(&[0, 1, 2, 3]))
    );
}

#[test]
fn all_draws_are_reported() {
    let forecast = forecast(&CampaignFile::one_award(7), turnout(1_000, 200, 2));
    let mut reports = Vec::new();
    forecast.run(0, &mut Buffers::default(), |draws| reports.push(draws));
    assert_eq!(reports.iter().sum::<u64>(), 200_000);
    assert!(reports.len() >= 4, "{reports:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever the stock and the turnout: no unit is given twice, and each draw has an award.
    #[test]
    fn no_more_units_are_issued_than_there_are(
        units in 1_u64..60,
        lock in 1_u32..4,
        users in 1_u32..20,
        draws in 1_u32..20,
        days in 1_u32..8,
        seed: u64,
    ) {
        let file = locked(units, lock).chances(15, 5, 14).weight(3, &[1]);
        let campaign = Campaign::parse(&file.text()).expect("a valid campaign");
        let forecast = Forecast::new(&campaign, turnout(users, draws, days), seed);
        let FinishedRun { figures, last_units } = run(&forecast, 0);
        let refused: u64 = figures.refused.iter().map(|(_, count)| count).sum();
        prop_assert_eq!(figures.made + refused, forecast.turnout().draws());
        let given: u64 = figures.awards.iter().map(|award| award.given).sum();
        prop_assert_eq!(given, figures.made);
        let [mug, _, luck] = figures.awards[..] else { panic!("three awards") };
        prop_assert!(mug.issued <= units);
        prop_assert_eq!(mug.issued, mug.given);
        prop_assert_eq!(last_units[0].is_some(), mug.issued == units);
        prop_assert!(mug.gone == 0 || mug.issued == units);
        prop_assert_eq!(luck.as_fallback, mug.gone + mug.locked);
    }
}
