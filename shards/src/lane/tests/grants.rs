//! Chances that operators give, through the lane that draws.
use super::*;

#[tokio::test]
async fn chances_are_given_once_and_raise_no_limit() {
    let rig = rig(&[]);
    rig.call(call("a", "1", 5)).await.expect("five chances");
    let none_left = Err(CommandError::Refused(Refusal::NoChancesLeft));
    assert_eq!(rig.draw("a", "2").await, none_left);
    let given = rig.call(grant("a", "g", 3)).await;
    let Ok(Made::Recharges(orders)) = &given else {
        panic!("{given:?}")
    };
    let order = &orders[0];
    assert_eq!((order.chances, order.user.as_str()), (3, "a"));
    assert_eq!(rig.call(grant("a", "g", 3)).await, given, "a repeat");
    let accounts = rig.store.lock().accounts.clone();
    let granted: Vec<u32> = accounts.values().map(|account| account.granted).collect();
    assert_eq!(granted, [8]);
    // The limits of days and months are not raised.
    let limit = Err(CommandError::Refused(Refusal::MonthLimit));
    assert_eq!(rig.draw("a", "2").await, limit);
    rig.finish().await;
}

#[tokio::test]
async fn a_key_belongs_to_one_call_of_whatever_kind() {
    let rig = rig(&[]);
    let reused = Err(CommandError::Refused(Refusal::RequestIdReused));
    let answers = rig
        .call_together([grant("a", "k", 3), draw("a", "k"), draw("b", "k")])
        .await;
    assert!(answers[0].is_ok() && answers[2].is_ok(), "{answers:?}");
    assert_eq!(answers[1], reused);
    assert_eq!(rig.draw("a", "k").await, reused, "in a later batch too");
    assert_eq!(rig.call(grant("b", "k", 1)).await, reused);
    assert_eq!(rig.call(grant("a", "k", 4)).await, reused, "other chances");
    rig.finish().await;
}

#[tokio::test]
async fn a_commit_in_doubt_is_found_out_without_draws() {
    for fault in [Fault::CommitLost, Fault::CommitFailed] {
        let rig = rig(&[fault]);
        rig.call(grant("a", "g", 3))
            .await
            .expect("it is found out, or tried again");
        let granted: Vec<u32> = rig
            .store
            .lock()
            .accounts
            .values()
            .map(|account| account.granted)
            .collect();
        assert_eq!(granted, [8]);
        rig.finish().await;
    }
}
