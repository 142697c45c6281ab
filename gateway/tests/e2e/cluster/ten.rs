//! Several draws in one call, at both gateways.
use std::collections::HashSet;

use crate::support::campaign::{FALLBACK_AWARD, LOAD_ACTIVITY, SCARCE_AWARD, bounded, with};
use crate::support::{Cluster, Envelope, Request, ask_all, away_from_midnight};

/// The scarce campaign as it is shipped.
const ACTIVITY: u64 = 200_002;
const UNITS: usize = 1_000;

#[tokio::test]
async fn calls_for_ten_at_both_gateways_win_exactly_the_thousand_units() {
    const CALLS: usize = 300;
    let cluster = Cluster::start().await;
    let [first, second] = cluster.gateways();
    let calls = |place: usize| {
        let of = (0..CALLS).skip(place).step_by(2);
        of.map(|number| {
            Request::draws(
                &format!("u{}", number % 50),
                ACTIVITY,
                &number.to_string(),
                10,
            )
        })
        .collect()
    };
    let (mut answers, more) =
        tokio::join!(ask_all(first, calls(0), 16), ask_all(second, calls(1), 16));
    answers.extend(more);
    let draws: Vec<_> = answers.iter().flat_map(Envelope::draws).collect();
    let won = |award| draws.iter().filter(|(drawn, _)| *drawn == award).count();
    assert_eq!(
        (won(SCARCE_AWARD), won(FALLBACK_AWARD)),
        (UNITS, 10 * CALLS - UNITS)
    );
    assert_eq!(
        draws
            .iter()
            .map(|(_, order)| order)
            .collect::<HashSet<_>>()
            .len(),
        10 * CALLS
    );
    assert_eq!(
        cluster.settled_units(ACTIVITY, SCARCE_AWARD).await.issued,
        UNITS as u64
    );
    assert_eq!(cluster.audited().await, 10 * CALLS as u64);
}

#[tokio::test]
async fn the_same_calls_at_both_gateways_at_once_are_made_once_each() {
    const CALLS: usize = 120;
    const PARTIAL: u64 = 200_005;
    away_from_midnight().await;
    // Chances for two calls and a half of each user, so that some calls make fewer draws than
    // others.
    let partial = with(
        &bounded(PARTIAL, 25, 25, 25),
        "state = ",
        "when_chances_short = \"partial\"\nstate = ",
    );
    let cluster = Cluster::start()
        .await
        .with_campaigns(&[(PARTIAL, partial)])
        .await;
    let [first, second] = cluster.gateways();
    let request = |number: usize, count| {
        let activity = if number.is_multiple_of(2) {
            LOAD_ACTIVITY
        } else {
            PARTIAL
        };
        Request::draws(
            &format!("u{}", number / 8),
            activity,
            &number.to_string(),
            count,
        )
    };
    let calls = || (0..CALLS).map(|number| request(number, 10)).collect();
    let (one, other) = tokio::join!(ask_all(first, calls(), 20), ask_all(second, calls(), 20));
    let mut orders = 0;
    for (number, (one, other)) in one.iter().zip(&other).enumerate() {
        assert_eq!(
            (one.status, &one.body),
            (other.status, &other.body),
            "{number}"
        );
        orders += if one.code == "0000" {
            one.draws().len()
        } else {
            0
        };
    }
    let made = |place: usize| one[place].code == "0000";
    assert!(
        (0..CALLS).step_by(2).all(made),
        "these have chances without end"
    );
    // Of four calls of a user two are whole, one has the last five chances, and one is refused.
    assert_eq!(orders, CALLS / 2 * 10 + CALLS / 8 * 25);
    // Another count under a key, at the other gateway.
    for number in (0..CALLS).step_by(2).take(10) {
        let answers = ask_all(second, vec![request(number, 9)], 1).await;
        assert_eq!((answers[0].status, &*answers[0].code), (422, "ERR_REQ_003"));
    }
    assert_eq!(cluster.audited().await, orders as u64);
}
