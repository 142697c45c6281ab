//! Claimed keys: a call that is inserted before its batch is planned.
use market::Call;

use super::bench::{Bench, calls_for, gather, orders_of, receipt};
use crate::grant::GrantId;
use crate::store::{CallKeys, Database, PersistError, ShardStore, StoreError};

/// The calls of a settlement, as a batch of these commands claims them.
fn claims(made: impl Iterator<Item = Call>) -> CallKeys {
    CallKeys::Claim(made.collect())
}

pub(super) async fn calls_that_are_made_as_claimed_are_found<D: Database>(database: D) {
    let mut bench = Bench::new(database).await;
    let names: Vec<String> = (0..40).map(|number| format!("user{number}")).collect();
    let odd = ["u", "U", "ú", "a b", "\"'\\;--", "漢字", "😀"];
    let names = names.iter().map(String::as_str).chain(odd);
    let calls: Vec<(&str, &str)> = names.map(|name| (name, "Key")).collect();
    let settlement = bench.settlement(&calls);
    let keys = claims(settlement.rows.calls().cloned());
    let known = bench.begin(&gather(&calls), keys).await.expect("free keys");
    assert!(known.accounts.iter().all(Option::is_none));
    assert!(known.calls.iter().all(Option::is_none));
    let receipt = receipt::<D>(&settlement);
    let persisted = bench.store.persist(GrantId(1), &settlement, &receipt);
    persisted.await.expect("persisted");
    let known = bench.prefetch(&gather(&calls)).await.expect("read");
    bench.store.undo().await;
    let made: Vec<_> = settlement.rows.made.into_iter().map(Some).collect();
    assert_eq!(known.calls, made);
    let batch = gather(&calls);
    let again = bench.begin(&batch, CallKeys::Claim(Vec::new())).await;
    assert_eq!(again.expect("read").accounts, known.accounts);
    bench.store.undo().await;
}

pub(super) async fn claims_are_put_right<D: Database>(database: D) {
    let mut bench = Bench::new(database).await;
    let asked = [("all", "k", 10), ("short", "k", 10), ("none", "k", 1)];
    let claimed = calls_for(&mut bench, &asked);
    let mut keys: Vec<Call> = claimed.rows.calls().cloned().collect();
    // Both get three draws; one of them was to get ten.
    let mut made = calls_for(&mut bench, &[("all", "k", 3), ("short", "k", 3)]);
    keys[0] = made.rows.made[0].call.clone();
    keys[1].first_id = made.rows.made[1].call.first_id;
    made.rows.made[1].call.asked = 10;
    let batch = gather(&[("all", "k"), ("short", "k"), ("none", "k")]);
    let begun = bench.begin(&batch, CallKeys::Claim(keys)).await;
    begun.expect("free keys");
    let receipt = receipt::<D>(&made);
    let persisted = bench.store.persist(GrantId(1), &made, &receipt).await;
    persisted.expect("persisted");
    let known = bench.prefetch(&batch).await.expect("read");
    bench.store.undo().await;
    let found: Vec<usize> = orders_of(&known).iter().map(Vec::len).collect();
    assert_eq!(found, [3, 3, 0]);
    let call = |index: usize| {
        known.calls[index]
            .as_ref()
            .map(|made| (made.call.asked, made.call.made))
    };
    assert_eq!(
        [call(0), call(1), call(2)],
        [Some((3, 3)), Some((10, 3)), None]
    );
    let free = calls_for(&mut bench, &[("none", "k", 1)]);
    bench.persist(2, &free).await.expect("its key stayed free");
}

pub(super) async fn a_key_that_has_a_call_cannot_be_claimed<D: Database>(database: D) {
    let mut bench = Bench::new(database).await;
    let first = bench.settlement(&[("a", "1")]);
    bench.persist(1, &first).await.expect("persisted");
    let repeat = bench.settlement(&[("b", "1"), ("a", "1")]);
    let batch = gather(&[("b", "1"), ("a", "1")]);
    let keys = claims(repeat.rows.calls().cloned());
    let refused = bench.begin(&batch, keys).await.map(|_| ());
    assert!(
        matches!(refused, Err(StoreError::Conflict(_))),
        "{refused:?}"
    );
    bench.store.undo().await;
    let known = bench.prefetch(&batch).await.expect("read");
    bench.store.undo().await;
    assert_eq!(
        orders_of(&known),
        [Vec::new(), first.rows.made[0].made.orders().to_vec()],
        "all of the batch is undone"
    );
}

pub(super) async fn claims_that_are_undone_leave_nothing<D: Database>(database: D) {
    let mut bench = Bench::new(database).await;
    let settlement = bench.settlement(&[("a", "1"), ("b", "1")]);
    let batch = gather(&[("a", "1"), ("b", "1")]);
    for _ in 0..2 {
        let keys = claims(settlement.rows.calls().cloned());
        bench.begin(&batch, keys).await.expect("free keys");
        bench.store.undo().await;
    }
    let known = bench.prefetch(&batch).await.expect("read");
    assert!(known.calls.iter().all(Option::is_none));
    bench.store.undo().await;
    // What is not claimed any more is inserted with the rest.
    let persisted: Result<(), PersistError> = bench.persist(1, &settlement).await;
    persisted.expect("persisted");
}
