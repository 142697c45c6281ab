//! D13: a threshold of `rule_weight` fires once, however many draws of a user come at once.
use std::collections::HashMap;

use testkit::campaign::{Award, CampaignFile};

use crate::support::campaign::with;
use crate::support::{Cluster, Request, ask_all};

const ACTIVITY: u64 = 200_003;
/// What nothing but the threshold gives.
const SURE: u64 = 2;
const THRESHOLD: u32 = 15;
const USERS: usize = 8;

#[tokio::test]
async fn a_threshold_fires_once_for_calls_at_both_gateways() {
    let file = CampaignFile::new(ACTIVITY)
        .chances(1_000, 1_000, 1_000)
        .award(Award::new(1, "plain", "1"))
        .award(Award::new(SURE, "sure", "1").setting("on_wheel", "false"))
        .weight(THRESHOLD, &[SURE]);
    // What is beside the wheel has no place on it.
    let campaigns = [(ACTIVITY, with(&file.text(), "sort = 2\n", ""))];
    let cluster = Cluster::start().await.with_campaigns(&campaigns).await;
    let [first, second] = cluster.gateways();
    // Of each user three calls for ten and two for one at each gateway, all at once.
    let calls = |gateway: usize| {
        let of = (0..5).flat_map(|call| (0..USERS).map(move |user| (call, user)));
        let request = |(call, user): (usize, usize)| {
            let count = if call < 3 { 10 } else { 1 };
            Request::draws(
                &format!("u{user}"),
                ACTIVITY,
                &format!("{user}-{gateway}-{call}"),
                count,
            )
        };
        of.map(request).collect()
    };
    let (one, other) = tokio::join!(ask_all(first, calls(0), 24), ask_all(second, calls(1), 24));
    let mut sure: HashMap<String, usize> = HashMap::new();
    let mut draws = 0;
    for answer in one.iter().chain(&other) {
        assert_eq!(answer.code, "0000", "{}", answer.body);
        let drawn = answer.draws();
        draws += drawn.len();
        let (user, _) = answer.key().split_once('-').expect("a user's key");
        let of_user = sure.entry(user.to_owned()).or_default();
        *of_user += drawn.iter().filter(|(award, _)| *award == SURE).count();
    }
    assert_eq!(draws, USERS * 2 * 32);
    assert_eq!(sure.len(), USERS);
    assert!(sure.values().all(|&times| times == 1), "{sure:?}");
    cluster.audited().await;
}
