//! Users whose rows another process has locked, and the others, who do not wait for them.
use futures_util::FutureExt;

use super::*;

fn lock(rig: &Rig, users: &[&str]) {
    rig.store.lock().locked = users
        .iter()
        .map(|user| UserId::new(user).expect("a user"))
        .collect();
}

#[tokio::test(start_paused = true)]
async fn strangers_do_not_wait_for_users_whose_rows_are_held() {
    let rig = rig(&[]);
    lock(&rig, &["a", "b"]);
    let began = Instant::now();
    let mut held = ["a", "b"].map(|user| rig.entrance.submit(draw(user, "1")).expect("room"));
    for answer in rig.draw_together(&[("c", "1"), ("d", "1")]).await {
        answer.expect("these are free");
    }
    assert_eq!(began.elapsed(), Duration::ZERO, "no lock was waited for");
    for pending in &mut held {
        assert_eq!(pending.answer(TIMEOUTS).await, Err(CommandError::Held));
        assert!(
            pending.held_up() >= Duration::from_secs(1),
            "that was no slowness of the shard"
        );
    }
    assert!(began.elapsed() < Duration::from_millis(1_200));
    rig.draw("c", "2").await.expect("it is still free");
    rig.finish().await;
}

#[tokio::test(start_paused = true)]
async fn who_is_held_for_long_is_told_so_at_once_for_a_second() {
    let rig = rig(&[]);
    lock(&rig, &["a"]);
    assert_eq!(rig.draw("a", "1").await, Err(CommandError::Held));
    let asked = rig.store.lock().batches.len();
    let began = Instant::now();
    assert_eq!(rig.draw("a", "1").await, Err(CommandError::Held));
    assert_eq!(
        (began.elapsed(), rig.store.lock().batches.len()),
        (Duration::ZERO, asked)
    );
    lock(&rig, &[]);
    sleep(Duration::from_secs(1)).await;
    rig.draw("a", "1").await.expect("it is free again");
    rig.finish().await;
}

#[tokio::test(start_paused = true)]
async fn rows_that_come_free_soon_are_waited_for_with_all_later_calls_of_their_user() {
    let rig = rig(&[]);
    lock(&rig, &["a"]);
    let mut first = rig.entrance.submit(draw("a", "1")).expect("room");
    let (waiting, ()) = tokio::join!(first.answer(TIMEOUTS), async {
        rig.draw("b", "1").await.expect("it is free");
        let mut second = rig.entrance.submit(draw("a", "2")).expect("room");
        sleep(Duration::from_millis(300)).await;
        lock(&rig, &[]);
        second.answer(TIMEOUTS).await.expect("it is free");
    });
    waiting.expect("it is free");
    rig.finish().await;
}

#[tokio::test(start_paused = true)]
async fn rows_that_are_found_held_when_they_are_written_are_parted_with_too() {
    let rig = rig(&[]);
    lock(&rig, &["a"]);
    rig.store.lock().locked_late = true;
    let began = Instant::now();
    let mut held = rig.entrance.submit(draw("a", "1")).expect("room");
    let mut free = rig.entrance.submit(draw("b", "1")).expect("room");
    free.answer(TIMEOUTS).await.expect("it is free");
    assert_eq!(
        began.elapsed(),
        LOCK_WAIT,
        "one wait, then it is known who is held"
    );
    assert_eq!(
        free.held_up(),
        LOCK_WAIT,
        "that was no slowness of the shard"
    );
    assert_eq!(held.answer(TIMEOUTS).await, Err(CommandError::Held));
    rig.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_lock_on_unknown_rows_costs_the_halves_of_a_batch_that_meet_it() {
    let rig = rig(&[]);
    lock(&rig, &["a"]);
    (
        rig.store.lock().locked_late,
        rig.store.lock().locks_are_hidden,
    ) = (true, true);
    let began = Instant::now();
    let answers = rig
        .draw_together(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")])
        .await;
    assert_eq!(answers[0], Err(CommandError::Held));
    assert!(answers[2].is_ok() && answers[3].is_ok(), "{answers:?}");
    assert!(
        began.elapsed() <= 2 * LOCK_WAIT,
        "who waits behind must not get too old"
    );
    rig.finish().await;
}

#[tokio::test]
async fn a_stop_tells_those_who_are_set_aside() {
    let rig = rig(&[]);
    lock(&rig, &["a"]);
    let mut held = rig.entrance.submit(draw("a", "1")).expect("room");
    rig.draw("b", "1").await.expect("it is free");
    rig.finish().await;
    assert_eq!(held.answer(TIMEOUTS).await, Err(CommandError::Held));
}

#[tokio::test(start_paused = true)]
async fn room_for_those_who_are_held_is_bounded() {
    let rig = rig(&[]);
    let users: Vec<String> = (0..400).map(|number| format!("u{number}")).collect();
    lock(&rig, &users.iter().map(String::as_str).collect::<Vec<_>>());
    let began = Instant::now();
    let mut at_once = 0;
    for users in users.chunks(100) {
        let pending: Vec<_> = users
            .iter()
            .map(|user| rig.entrance.submit(draw(user, "1")).expect("room"))
            .collect();
        sleep(Duration::from_millis(5)).await;
        for mut pending in pending {
            if let Some(answer) = pending.answer(TIMEOUTS).now_or_never() {
                assert_eq!(answer, Err(CommandError::Held));
                at_once += 1;
            } else {
                tokio::spawn(async move { pending.answer(TIMEOUTS).await });
            }
        }
    }
    assert_eq!(
        at_once,
        400 - 256,
        "they are told at once where there is no room"
    );
    rig.draw("stranger", "1").await.expect("it is free");
    assert!(began.elapsed() < Duration::from_secs(1));
    rig.finish().await;
}
