//! What happens when a step fails: nothing is lost, and no other command fails.
use jiff::SignedDuration;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_shard_that_is_unavailable_answers_everyone_and_keeps_no_units() {
    let rig = rig(&[Fault::PrefetchUnavailable, Fault::PersistUnavailable]);
    assert_eq!(
        rig.draw("a", "1").await,
        Err(CommandError::ShardUnavailable)
    );
    assert_eq!(
        rig.draw("a", "1").await,
        Err(CommandError::ShardUnavailable)
    );
    assert_eq!(
        rig.store.lock().faults.len(),
        1,
        "the second draw was answered without asking the shard"
    );
    sleep(UNAVAILABLE_MIN).await;
    assert_eq!(
        rig.draw("a", "1").await,
        Err(CommandError::ShardUnavailable)
    );
    assert_eq!(rig.snapshot().left, 3);
    sleep(UNAVAILABLE_MIN * 2).await;
    rig.draw("a", "1").await.expect("the shard is back");
    rig.finish().await;
}

#[tokio::test]
async fn a_conflict_is_planned_again_under_another_grant() {
    let rig = rig(&[Fault::PersistConflict, Fault::PersistConflict]);
    rig.draw("a", "1").await.expect("the third try");
    rig.finish().await;
}

#[tokio::test]
async fn conflicts_without_end_give_up() {
    let rig = rig(&[Fault::PersistConflict; TRIES_MAX]);
    assert_eq!(
        rig.draw("a", "1").await,
        Err(CommandError::ShardUnavailable)
    );
    rig.finish().await;
}

#[tokio::test]
async fn a_lost_confirmation_of_a_commit_that_landed_is_found_out() {
    let rig = rig(&[Fault::CommitLost]);
    let orders = rig.draw("a", "1").await.expect("the commit has landed");
    assert_eq!(rig.draw("a", "1").await, Ok(orders));
    rig.finish().await;
}

#[tokio::test]
async fn a_commit_that_failed_is_made_void_and_tried_again() {
    let rig = rig(&[Fault::CommitFailed]);
    rig.draw("a", "1").await.expect("the second try");
    assert_eq!(rig.store.lock().grants.len(), 2);
    rig.finish().await;
}

#[tokio::test(start_paused = true)]
async fn while_the_verdict_is_out_the_outcome_is_unknown() {
    for commit in [Fault::CommitLost, Fault::CommitFailed] {
        let rig = rig(&[commit, Fault::VerdictUnavailable]);
        assert_eq!(rig.draw("a", "1").await, Err(CommandError::OutcomeUnknown));
        assert_eq!(
            rig.snapshot().open,
            1,
            "the unit is neither issued nor free"
        );
        sleep(UNAVAILABLE_MIN).await;
        rig.draw("a", "1").await.expect("the same key asks again");
        assert_eq!(rig.store.lock().orders().count(), 1);
        rig.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_in_doubt_is_resolved_although_no_command_comes() {
    for commit in [Fault::CommitLost, Fault::CommitFailed] {
        let rig = rig(&[
            commit,
            Fault::VerdictUnavailable,
            Fault::VerdictUnavailable,
            Fault::VerdictUnavailable,
        ]);
        assert_eq!(rig.draw("a", "1").await, Err(CommandError::OutcomeUnknown));
        assert_eq!(rig.snapshot().open, 1);
        sleep(UNAVAILABLE_MAX * 3).await;
        let snapshot = rig.snapshot();
        assert_eq!(
            (snapshot.open, snapshot.issued),
            (0, u64::from(commit == Fault::CommitLost))
        );
        rig.finish().await;
    }
}

#[tokio::test]
async fn a_lane_that_stops_in_doubt_finds_out_first() {
    let rig = rig(&[Fault::CommitLost, Fault::VerdictUnavailable]);
    assert_eq!(rig.draw("a", "1").await, Err(CommandError::OutcomeUnknown));
    rig.finish().await;
}

#[tokio::test]
async fn one_bad_command_never_fails_its_neighbours() {
    let rig = rig(&[]);
    rig.store.lock().poisoned = Some(UserId::new("bad").expect("a user"));
    let answers = rig
        .draw_together(&[("a", "1"), ("b", "1"), ("bad", "1"), ("c", "1"), ("d", "1")])
        .await;
    let refused: Vec<bool> = answers
        .iter()
        .map(|answer| *answer == Err(CommandError::DataRefused))
        .collect();
    assert_eq!(refused, [false, false, true, false, false]);
    assert_eq!(rig.store.lock().orders().count(), 4);
    rig.finish().await;
}

#[tokio::test]
async fn one_command_that_others_keep_changing_never_fails_its_neighbours() {
    let rig = rig(&[]);
    rig.store.lock().contested = Some(UserId::new("bad").expect("a user"));
    let answers = rig
        .draw_together(&[("a", "1"), ("b", "1"), ("bad", "1"), ("c", "1"), ("d", "1")])
        .await;
    let failed: Vec<bool> = answers
        .iter()
        .map(|answer| *answer == Err(CommandError::ShardUnavailable))
        .collect();
    assert_eq!(failed, [false, false, true, false, false]);
    rig.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_costs_one_batch_its_answer_and_nothing_else() {
    let rig = rig(&[Fault::Panic]);
    assert_eq!(rig.draw("a", "1").await, Err(CommandError::OutcomeUnknown));
    sleep(UNAVAILABLE_MIN).await;
    rig.draw("a", "1").await.expect("the lane lives on");
    assert_eq!(rig.store.lock().orders().count(), 1);
    rig.finish().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_planned_by_a_clock_that_the_shards_own_contradicts() {
    let rig = rig(&[]);
    rig.store.lock().clock_ahead = Some(SignedDuration::from_hours(-40 * 24));
    let ahead_seconds = 40 * 24 * 3600;
    assert_eq!(
        rig.draw("a", "1").await,
        Err(CommandError::ClocksDiffer { ahead_seconds })
    );
    assert!(rig.store.lock().calls.is_empty() && rig.store.lock().accounts.is_empty());
    rig.store.lock().clock_ahead = Some(SignedDuration::from_secs(59));
    rig.draw("a", "1").await.expect("a little is borne");
    rig.finish().await;
}
