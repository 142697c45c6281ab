//! Grants of chances: an account, a call and a recharge order.
use jiff::Timestamp;
use market::batch::{Rows, Settlement, Slots};
use market::grant::{ChanceCount, GrantAsk};
use market::recharge::RechargeKind;
use market::{Ask, Command, Kind, MadeCall, OrderId, RechargeOrder, RequestId};
use router::Slot;

use super::bench::{Bench, TABLES, account, activity, calls_for, gather, user};
use crate::store::tables::recharge_orders::{RechargeOrderStatements, made_with};
use crate::store::{
    Columns, CommitVerdict, Connection, Database, PersistError, ShardStore, StoreError,
};

impl<D: Database> Bench<D> {
    /// Chances for new users.
    fn grants(&mut self, calls: &[(&str, &str, u32)]) -> Settlement {
        let made: Vec<MadeCall> = calls
            .iter()
            .map(|(name, key, chances)| {
                let order = RechargeOrder {
                    id: self
                        .numbers
                        .next(Slot::of(name))
                        .and_then(OrderId::new)
                        .expect("an id"),
                    user: user(name),
                    request: RequestId::new(key).expect("a key"),
                    activity: Some(activity()),
                    kind: RechargeKind::Operator,
                    chances: *chances,
                    points: None,
                    created_at: Timestamp::from_millisecond(1_795_000_000_123).expect("a time"),
                };
                made_with(Kind::Grant, order)
            })
            .collect();
        let new =
            |(name, ..): &(&str, &str, u32)| ((user(name), activity()), None, Some(account(0)));
        Settlement {
            undecided: Vec::new(),
            answers: Vec::new(),
            used: Vec::new(),
            rows: Rows {
                made,
                accounts: calls.iter().map(new).collect(),
                ..Rows::default()
            },
        }
    }
}

pub(super) async fn a_grant_is_found_with_its_chances<D: Database>(database: D) {
    let mut bench = Bench::new(database.clone()).await;
    let calls = [("a", "g", 3), ("b", "g", u32::MAX), ("c", "G!", 1)];
    let settlement = bench.grants(&calls);
    bench.persist(1, &settlement).await.expect("persisted");
    assert_eq!(
        bench.verdict(1, &settlement).await,
        Ok(CommitVerdict::Committed)
    );
    // Whatever the repeat asks for, the call that is there is found.
    let repeats = gather(&calls.map(|(name, key, _)| (name, key)));
    let known = bench.prefetch(&repeats).await.expect("read");
    bench.store.undo().await;
    let rows = &settlement.rows;
    for (index, expected) in rows.made.iter().enumerate() {
        assert_eq!(known.calls[index].as_ref(), Some(expected));
        assert_eq!(known.accounts[index], Some(account(0)));
    }
    let mut greatest = 0;
    let mut connection = database.connect().await.expect("a connection");
    for table in 0..TABLES {
        let sql = RechargeOrderStatements::of(&D::DIALECT, table).read_last;
        let last = connection.rows(&sql, "[]").await.expect("read");
        greatest = greatest.max(last[0].number(0).expect("an id"));
    }
    let ids = rows.made.iter().map(|made| made.made.first_id().get());
    assert_eq!(ids.max(), Some(greatest));
    assert_eq!(bench.issued().await, 0);
}

/// A draw and a grant under one request id of a user: the second is undone whole.
pub(super) async fn a_grant_and_a_draw_under_one_request_id_collide<D: Database>(database: D) {
    let mut bench = Bench::new(database).await;
    let granted = bench.grants(&[("a", "1", 3)]);
    bench.persist(1, &granted).await.expect("persisted");
    let mut draws = calls_for(&mut bench, &[("b", "1", 2), ("a", "1", 2)]);
    draws.rows.accounts = Slots::new(Vec::new(), Vec::new());
    refused(&mut bench, 2, &draws).await;
    let drawn = calls_for(&mut bench, &[("b", "1", 2)]);
    bench.persist(3, &drawn).await.expect("persisted");
    let mut grants = bench.grants(&[("c", "1", 1), ("b", "1", 1)]);
    grants.rows.accounts = Slots::new(Vec::new(), Vec::new());
    refused(&mut bench, 4, &grants).await;
    assert_eq!(bench.verdict(4, &grants).await, Ok(CommitVerdict::Void));
    let ask = GrantAsk {
        activity: activity(),
        chances: ChanceCount::new(1).expect("a count"),
    };
    let grant = |name| Command {
        user: user(name),
        request: RequestId::new("1").expect("a key"),
        ask: Ask::Grant(ask),
    };
    let batch = market::batch::Batch::gather(
        ["a", "b", "c"].map(grant).into(),
        &market::campaign::Catalogue::default(),
        Timestamp::UNIX_EPOCH,
    );
    let known = bench.prefetch(&batch).await.expect("read");
    bench.store.undo().await;
    let kinds: Vec<_> = known
        .calls
        .iter()
        .map(|call| call.as_ref().map(|call| call.call.kind))
        .collect();
    assert_eq!(kinds, [Some(Kind::Grant), Some(Kind::Draw), None]);
    assert_eq!(bench.issued().await, 2);
}

async fn refused<D: Database>(bench: &mut Bench<D>, grant: u64, settlement: &Settlement) {
    let refused = bench.persist(grant, settlement).await;
    assert!(
        matches!(refused, Err(PersistError::Undone(StoreError::Conflict(_)))),
        "{refused:?}"
    );
    bench.store.undo().await;
}
