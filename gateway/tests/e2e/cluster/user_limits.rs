//! Prizes of which one user gets one at most, at both gateways at once.
use std::collections::HashMap;

use crate::support::campaign::{SCARCE_AWARD, scarce, with};
use crate::support::cluster::ask;
use crate::support::{Cluster, Request, ask_all};

const ENOUGH: u64 = 200_003;
const TOO_FEW: u64 = 200_004;
const USERS: usize = 30;
const UNITS: u64 = 20;

fn limited(activity: u64, units: u64) -> (u64, String) {
    let count = format!("count = {units}\n");
    let text = scarce(activity, units);
    (
        activity,
        with(&text, &count, &format!("{count}per_user = 1\n")),
    )
}

#[tokio::test]
async fn calls_at_both_gateways_give_each_user_one() {
    let campaigns = [limited(ENOUGH, 1_000), limited(TOO_FEW, UNITS)];
    let cluster = Cluster::start().await.with_campaigns(&campaigns).await;
    let [first, second] = cluster.gateways();
    // Each user calls four times in each activity at once, for one draw or for ten.
    let calls = |gateway: usize| {
        let of = (0..2).flat_map(|call| (0..USERS).map(move |user| (call, user)));
        let requests = of.flat_map(|(call, user)| {
            let (user, key) = (format!("u{user}"), format!("{gateway}-{call}"));
            let count = [1, 10][(gateway + call) % 2];
            [ENOUGH, TOO_FEW].map(|activity| {
                Request::draws(&user, activity, &format!("{key}-{activity}"), count)
            })
        });
        requests.collect()
    };
    let (one, other) = tokio::join!(ask_all(first, calls(0), 24), ask_all(second, calls(1), 24));
    let mut wins: HashMap<String, usize> = HashMap::new();
    let mut draws = 0;
    for answer in one.iter().chain(&other) {
        assert_eq!(answer.code, "0000", "{}", answer.body);
        for (award, _) in answer.draws() {
            draws += 1;
            if award == SCARCE_AWARD {
                let activity = answer.key().rsplit('-').next().expect("an activity");
                *wins.entry(activity.to_owned()).or_default() += 1;
            }
        }
    }
    let won = |activity: u64| wins[&activity.to_string()];
    assert_eq!(won(ENOUGH), USERS, "one for each");
    let enough = cluster.settled_units(ENOUGH, SCARCE_AWARD).await;
    assert_eq!(enough.issued, USERS as u64);
    // What a batch that was undone had taken is back now. Each unit can be had, and no more.
    let left = cluster.settled_units(TOO_FEW, SCARCE_AWARD).await.left;
    assert_eq!(won(TOO_FEW) as u64 + left, UNITS);
    for late in 0..=left {
        let ten = Request::draws(&format!("late{late}"), TOO_FEW, "k", 10);
        let drawn = ask(first, &ten).await.expect(200, "0000").draws();
        draws += 10;
        let won = drawn.iter().filter(|(award, _)| *award == SCARCE_AWARD);
        assert_eq!(won.count(), usize::from(late < left));
    }
    // The audit compares them user by user, and knows the limit.
    assert_eq!(cluster.audited().await, draws);
}
