//! What comes together makes one batch, and each command of it gets its own answer.
use super::*;

#[tokio::test]
async fn what_waits_makes_one_batch() {
    let rig = rig(&[]);
    let answers = rig
        .draw_together(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")])
        .await;
    let awards: Vec<u64> = answers
        .iter()
        .map(|answer| one(answer).award.get())
        .collect();
    assert_eq!(
        awards,
        [1, 1, 1, 101],
        "three units, given out in order of arrival"
    );
    assert_eq!(rig.store.lock().batches, [4]);
    rig.finish().await;
}

#[tokio::test]
async fn a_repeat_gets_its_first_answer_within_a_batch_and_later() {
    let rig = rig(&[]);
    let answers = rig
        .draw_together(&[("a", "1"), ("a", "1"), ("a", "2")])
        .await;
    let id = |answer| one(answer).id;
    assert_eq!(id(&answers[0]), id(&answers[1]));
    assert_ne!(id(&answers[0]), id(&answers[2]));
    assert_eq!(id(&rig.draw("a", "1").await), id(&answers[0]));
    assert_eq!(
        rig.store
            .lock()
            .accounts
            .values()
            .map(|account| account.used)
            .collect::<Vec<_>>(),
        [2]
    );
    rig.finish().await;
}

#[tokio::test]
async fn a_call_for_several_draws_takes_them_in_order() {
    let rig = rig(&[]);
    let answers = rig
        .call_together([call("a", "1", 2), call("b", "1", 3), draw("c", "1")])
        .await;
    assert_eq!(
        answers.iter().map(awards).collect::<Vec<_>>(),
        [vec![1, 1], vec![1, 101, 101], vec![101]]
    );
    let made = orders(&answers[1]);
    let places: Vec<_> = made
        .iter()
        .map(|order| (order.seq, order.ordinal, order.asked.get()))
        .collect();
    assert_eq!(places, [(0, 1, 3), (1, 2, 3), (2, 3, 3)]);
    assert_eq!(
        rig.call(call("b", "1", 3)).await,
        answers[1],
        "the same call has the same answer"
    );
    assert_eq!(
        rig.call(call("b", "1", 2)).await,
        Err(CommandError::Refused(Refusal::RequestCountDiffers))
    );
    assert_eq!(rig.store.lock().orders().count(), 6);
    rig.finish().await;
}

#[tokio::test]
async fn a_call_for_five_draws_is_one_command_and_five_draws() {
    let rig = rig(&[]);
    rig.call(call("a", "1", 5)).await.expect("five chances");
    let counted = rig.metrics.counted();
    assert_eq!([counted.admitted, counted.taken, counted.ended], [1; 3]);
    assert_eq!(
        (counted.draws.to_string(), counted.orders),
        ("5".to_owned(), 5)
    );
    rig.finish().await;
}

#[tokio::test]
async fn a_batch_that_makes_more_rows_than_a_block_has_ids_for_is_halved() {
    // The lane asks for ids of a whole batch first, and uses up a block in vain.
    let cut = Cut {
        blocks: 100,
        orders: 8,
        grants: 16,
    };
    let (store, stock) = (Store::default(), Arc::new(MemoryStock::default()));
    stock.set_total(item(), 3);
    let (entrance, task, stop) = lane_of(store.clone(), stock, parsed(&file()), metrics(), cut);
    let users = ["a", "b", "c"];
    let answers = call_together(&entrance, users.map(|user| call(user, "1", 5))).await;
    for (user, answer) in users.iter().zip(&answers) {
        let made = orders(answer);
        assert_eq!((made.len(), made[0].user.as_str()), (5, *user));
    }
    assert_eq!(store.lock().batches, [1; 3], "two calls make ten rows");
    let ids: HashSet<_> = store.lock().orders().map(|order| order.id).collect();
    assert_eq!(ids.len(), 15);
    stop.send_replace(true);
    task.await.expect("the lane ends");
}

#[tokio::test]
async fn a_call_under_the_key_of_one_that_is_refused_after_all_is_made() {
    // It costs nothing, so only its stock refuses it, when the batch is settled.
    let file = file().section("[[sku]]\nid = 5\nstock = 0\nprice_minor = 0\nchances = 1");
    let (store, stock) = (Store::default(), Arc::new(MemoryStock::default()));
    let sku = SkuId::new(5).expect("an id");
    stock.set_total(item(), 3);
    stock.set_total(StockItem::sku(item().activity, sku), 0);
    let metrics = metrics();
    let (entrance, task, stop) = lane(store.clone(), stock, parsed(&file), metrics.clone());
    let exchange = command("a", "k", Ask::Exchange(ExchangeAsk { sku }));
    let commands = [
        exchange,
        call("a", "k", 2),
        draw("b", "k"),
        call("a", "k", 3),
    ];
    let answers = call_together(&entrance, commands).await;
    let sold_out = Err(CommandError::Refused(Refusal::SkuSoldOut));
    assert_eq!(answers[0], sold_out);
    assert_eq!(orders(&answers[1]).len(), 2);
    assert_eq!(orders(&answers[2]).len(), 1);
    // The one that was made has the key.
    let differs = Err(CommandError::Refused(Refusal::RequestCountDiffers));
    assert_eq!(answers[3], differs);
    assert_eq!(store.lock().batches, [4, 2]);
    stop.send_replace(true);
    task.await.expect("the lane ends");
    let counted = metrics.counted();
    assert_eq!([counted.admitted, counted.taken, counted.ended], [4; 3]);
    assert_eq!(counted.orders, 3);
}

#[tokio::test]
async fn a_call_beyond_the_chances_makes_no_draw() {
    let rig = rig(&[]);
    assert_eq!(
        rig.call(call("a", "1", 6)).await,
        Err(CommandError::Refused(Refusal::NoChancesLeft))
    );
    assert!(rig.store.lock().calls.is_empty() && rig.store.lock().accounts.is_empty());
    rig.call(call("a", "1", 5))
        .await
        .expect("the key is free and all chances are there");
    rig.finish().await;
}

#[tokio::test]
async fn a_batch_is_full_by_its_draws() {
    let rig = rig(&[]);
    let calls = (0..20)
        .map(|number| call(&format!("u{number}"), "1", 5))
        .chain([draw("late", "1")]);
    let pending: Vec<_> = calls.map(|draw| rig.entrance.submit(draw)).collect();
    assert!(
        matches!(pending[20], Err(CommandError::QueueFull)),
        "100 draws wait and no more may"
    );
    for pending in pending.into_iter().take(20) {
        pending
            .expect("room")
            .answer(TIMEOUTS)
            .await
            .expect("orders");
    }
    assert_eq!(rig.store.lock().batches, [20]);
    assert_eq!(rig.entrance.waiting(), 0);
    rig.finish().await;
}

#[tokio::test]
async fn refusals_change_nothing_and_leave_the_key_free() {
    let rig = rig(&[]);
    for key in ["1", "2", "3", "4", "5"] {
        rig.draw("a", key).await.expect("a chance");
    }
    assert_eq!(
        rig.draw("a", "6").await,
        Err(CommandError::Refused(Refusal::NoChancesLeft))
    );
    assert_eq!(rig.store.lock().orders().count(), 5);
    rig.finish().await;
}

#[tokio::test]
async fn a_stop_commits_what_is_queued() {
    let rig = rig(&[]);
    let mut pending = rig.entrance.submit(draw("a", "1")).expect("room");
    rig.stop.send_replace(true);
    pending
        .answer(TIMEOUTS)
        .await
        .expect("it was queued before the stop");
    while rig.entrance.submit(draw("b", "1")).is_ok() {
        tokio::task::yield_now().await;
    }
    rig.finish().await;
}
