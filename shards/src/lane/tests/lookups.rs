//! Earlier calls are found, though batches rarely look for them.
use super::*;

/// How long the lane looks after it met an earlier call.
const LOOK_FOR: Duration = Duration::from_secs(2);

#[tokio::test(start_paused = true)]
async fn a_repeat_costs_a_claim_in_vain_and_the_next_one_does_not() {
    let rig = rig(&[]);
    let claims = || rig.store.lock().claims;
    let first = rig.draw("a", "1").await;
    assert_eq!(claims(), 1);
    assert_eq!(rig.draw("a", "1").await, first);
    assert_eq!(claims(), 2, "it met the earlier call");
    for _ in 0..3 {
        assert_eq!(rig.draw("a", "1").await, first);
    }
    assert_eq!(claims(), 2, "the lane looks now");
    sleep(LOOK_FOR).await;
    let other = rig.draw("a", "2").await;
    assert_ne!(other, first);
    assert_eq!(rig.draw("a", "2").await, other);
    assert_eq!(claims(), 4, "after a while it does not any more");
    assert_eq!(rig.store.lock().tried.len(), 2, "nothing was written twice");
    rig.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_repeat_is_answered_before_any_rule_refuses_it() {
    let rig = rig(&[]);
    let first = rig.draw("a", "1").await;
    rig.call(call("a", "2", 4)).await.expect("the last chances");
    let none_left = Err(CommandError::Refused(Refusal::NoChancesLeft));
    let answers = rig
        .call_together([draw("b", "1"), draw("a", "1"), draw("a", "3")])
        .await;
    assert_eq!(answers[1], first, "its key is that of an earlier call");
    assert_eq!(answers[2], none_left);
    assert_eq!(
        rig.call(call("a", "1", 2)).await,
        Err(CommandError::Refused(Refusal::RequestCountDiffers)),
    );
    rig.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_key_of_a_refused_call_stays_free() {
    let rig = rig(&[]);
    rig.call(call("a", "1", 5)).await.expect("five chances");
    let others = ["b", "c", "d", "e"].map(|user| draw(user, "1"));
    let answers = rig
        .call_together(others.into_iter().chain([draw("a", "2")]))
        .await;
    assert_eq!(
        answers[4],
        Err(CommandError::Refused(Refusal::NoChancesLeft))
    );
    rig.call(grant("a", "2", 7)).await.expect("its key is free");
    rig.finish().await;
}

#[tokio::test(start_paused = true)]
async fn batches_that_are_mostly_refused_look_first() {
    let rig = rig(&[]);
    rig.call(call("a", "1", 5)).await.expect("five chances");
    for keys in [["2", "3"], ["4", "5"], ["6", "7"]] {
        for answer in rig.call_together(keys.map(|key| draw("a", key))).await {
            let none_left = Err(CommandError::Refused(Refusal::NoChancesLeft));
            assert_eq!(answer, none_left, "{keys:?}");
        }
    }
    assert_eq!(rig.store.lock().claims, 2, "the first of them alone");
    rig.finish().await;
}

/// One key twice in a batch: which of its calls has it depends on what the rules refuse.
#[tokio::test(start_paused = true)]
async fn a_batch_with_one_key_twice_claims_nothing() {
    let rig = rig(&[]);
    let answers = rig.draw_together(&[("a", "1"), ("a", "1")]).await;
    assert_eq!(answers[0], answers[1]);
    assert_eq!(rig.store.lock().claims, 0);
    rig.finish().await;
}

#[tokio::test(start_paused = true)]
async fn orders_of_a_claimed_call_follow_its_id_and_have_its_time() {
    let rig = rig(&[]);
    let answers = rig
        .call_together([call("a", "1", 3), call("b", "1", 2)])
        .await;
    assert_eq!(rig.store.lock().claims, 1);
    for answer in &answers {
        let made = orders(answer);
        let tables = rig.store.lock();
        let call = tables
            .calls
            .get(&(made[0].user.clone(), made[0].request.clone()));
        let call = &call.expect("it is made").call;
        for (order, nth) in made.iter().zip(0..) {
            let id = router::nth_after(call.first_id.get(), nth);
            assert_eq!(Some(order.id.get()), id);
            assert_eq!(order.created_at, call.created_at);
        }
    }
    rig.finish().await;
}
