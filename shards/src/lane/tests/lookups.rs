//! Earlier calls are found, though batches rarely look for them.
use super::*;

/// How long the lane looks first after it met an earlier call.
const FIRST_FOR: Duration = Duration::from_secs(2);

#[tokio::test(start_paused = true)]
async fn a_repeat_costs_a_write_in_vain_and_the_next_one_does_not() {
    let rig = rig(&[]);
    let first = rig.draw("a", "1").await;
    let tried = || rig.store.lock().tried.len();
    assert_eq!(tried(), 1);
    assert_eq!(rig.draw("a", "1").await, first);
    assert_eq!(tried(), 2, "its insert met the earlier call");
    for _ in 0..3 {
        assert_eq!(rig.draw("a", "1").await, first);
    }
    assert_eq!(tried(), 2, "the lane looks first now");
    sleep(FIRST_FOR).await;
    let other = rig.draw("a", "2").await;
    assert_ne!(other, first);
    assert_eq!(rig.draw("a", "2").await, other);
    assert_eq!(tried(), 4, "after a while it does not any more");
    let used: Vec<u32> = (rig.store.lock().accounts.values())
        .map(|account| account.used)
        .collect();
    assert_eq!(used, [2]);
    rig.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_repeat_is_answered_before_any_rule_refuses_it() {
    let rig = rig(&[]);
    let first = rig.draw("a", "1").await;
    rig.call(call("a", "2", 4)).await.expect("the last chances");
    let none_left = Err(CommandError::Refused(Refusal::NoChancesLeft));
    let others = ["b", "c", "d", "e"].map(|user| draw(user, "1"));
    let repeat_and_new = [draw("a", "1"), draw("a", "3")];
    let answers = rig
        .call_together(others.into_iter().chain(repeat_and_new))
        .await;
    assert_eq!(answers[4], first, "its key is that of an earlier call");
    assert_eq!(answers[5], none_left);
    assert_eq!(
        rig.store.lock().look_ups,
        [2],
        "only what was refused is looked for"
    );
    assert_eq!(
        rig.call(call("a", "1", 2)).await,
        Err(CommandError::Refused(Refusal::RequestCountDiffers)),
    );
    assert_eq!(rig.draw("a", "1").await, first);
    rig.finish().await;
}

#[tokio::test(start_paused = true)]
async fn batches_that_are_mostly_refused_look_first() {
    let rig = rig(&[]);
    rig.call(call("a", "1", 5)).await.expect("five chances");
    let refused = |key| draw("a", key);
    for keys in [["2", "3"], ["4", "5"], ["6", "7"]] {
        for answer in rig.call_together(keys.map(refused)).await {
            assert_eq!(
                answer,
                Err(CommandError::Refused(Refusal::NoChancesLeft)),
                "{keys:?}"
            );
        }
    }
    assert_eq!(rig.store.lock().look_ups, [2], "the first of them alone");
    rig.finish().await;
}

#[tokio::test(start_paused = true)]
async fn no_refusal_is_answered_when_its_key_cannot_be_looked_for() {
    let rig = rig(&[Fault::LookUpUnavailable]);
    rig.call(call("a", "1", 5)).await.expect("five chances");
    assert_eq!(
        rig.draw("a", "2").await,
        Err(CommandError::ShardUnavailable)
    );
    sleep(UNAVAILABLE_MAX).await;
    assert_eq!(
        rig.draw("a", "2").await,
        Err(CommandError::Refused(Refusal::NoChancesLeft))
    );
    rig.finish().await;
}
