//! Random numbers belong to a command. Whatever happens to the commands beside it, another try is
//! no second chance.
use testkit::campaign::Award;

use super::*;

/// Ten prizes without limit, each as likely as another.
fn raffle() -> Campaign {
    let award = |id: u64| Award::new(id, &format!("prize {id}"), "0.1");
    let file = CampaignFile::new(1).chances(5, 5, 5);
    parsed(&(1..=10).map(award).fold(file, CampaignFile::award))
}

/// What each user has drawn, by the tries of their batches.
fn drawn(made: &[Made]) -> Vec<(String, Vec<u64>)> {
    let of_call = |made: &Made| {
        let orders = made.orders();
        let awards = orders.iter().map(|order| order.award.get()).collect();
        (orders[0].user.as_str().to_owned(), awards)
    };
    made.iter().map(of_call).collect()
}

/// Calls of five users in one batch, which is tried as the store says. Answers what was tried, and
/// what was answered.
async fn tried(faults: &[Fault], set: impl Fn(&mut Tables)) -> (Vec<Vec<Made>>, Vec<Made>) {
    let store = Store::default();
    set(&mut store.lock());
    store.lock().faults = faults.to_vec();
    let stock = Arc::new(MemoryStock::default());
    let (entrance, task, stop) = lane(store.clone(), stock, raffle(), metrics());
    let users = ["a", "b", "bad", "c", "d"];
    let pending: Vec<_> = users
        .iter()
        .map(|user| entrance.submit(call(user, "1", 4)).expect("room"))
        .collect();
    let mut answers = Vec::new();
    for mut pending in pending {
        answers.extend(pending.answer(TIMEOUTS).await);
    }
    stop.send_replace(true);
    task.await.expect("the lane ends");
    let tried = store.lock().tried.clone();
    (tried, answers)
}

#[tokio::test]
async fn neighbours_of_a_refused_command_get_what_they_had_drawn() {
    let bad = || Some(UserId::new("bad").expect("a user"));
    for set in [
        (|tables, bad| tables.poisoned = bad) as fn(&mut Tables, Option<UserId>),
        |tables, bad| tables.contested = bad,
    ] {
        let (tried, answers) = tried(&[], |tables| set(tables, bad())).await;
        assert!(tried.len() > 3, "the batch was halved: {}", tried.len());
        let mut first = drawn(&tried[0]);
        first.retain(|(user, _)| user != "bad");
        assert_eq!(drawn(&answers), first);
    }
}

#[tokio::test]
async fn a_batch_that_is_tried_again_draws_what_it_had_drawn() {
    let (tried, answers) = tried(&[Fault::PersistConflict, Fault::CommitFailed], |_| {}).await;
    assert_eq!(tried.len(), 3);
    for made in [&tried[0], &tried[1], &answers] {
        assert_eq!(drawn(made), drawn(&tried[2]));
    }
}
