//! What each kind of command makes, by the examples of its table, over every store: a new kind
//! needs nothing here.
use std::collections::BTreeSet;

use jiff::Timestamp;
use market::batch::{AccountKey, Batch, Known, Rows, Settlement, Slots};
use market::campaign::Catalogue;
use market::draw::DrawAsk;
use market::{Ask, Command, DrawCount, Kind, MadeCall};

use super::bench::{Bench, account, activity};
use crate::grant::GrantId;
use crate::stock::grants::Receipt;
use crate::store::makings::examples;
use crate::store::{
    CallKeys, CommitVerdict, Database, InDoubtBatch, OnLock, PersistError, ShardStore, StoreError,
};

pub(super) async fn what_each_kind_makes_is_found_in_databases<D: Database>(database: D) {
    what_each_kind_makes_is_found(&mut Bench::new(database).await.store).await;
}

pub(super) async fn kinds_under_one_request_id_collide_in_databases<D: Database>(database: D) {
    kinds_under_one_request_id_collide(&mut Bench::new(database).await.store).await;
}

/// What is written is found again, whatever a repeat asks for: by a batch that repeats calls of one
/// kind, and by one that repeats those of all kinds.
pub(crate) async fn what_each_kind_makes_is_found(store: &mut impl ShardStore) {
    let mut all = Vec::new();
    for (number, kind) in (1..).zip(Kind::ALL) {
        let made = examples(kind);
        assert!(!made.is_empty(), "{kind:?} has no examples");
        let settlement = settlement_of(made.clone());
        persist(store, number, &settlement)
            .await
            .expect("persisted");
        let batch = InDoubtBatch {
            grant: GrantId(number),
            call: made[0].call.clone(),
            issues: false,
        };
        let verdict = store.verdict(&batch).await;
        assert_eq!(verdict, Ok(CommitVerdict::Committed), "{kind:?}");
        is_found(store, &made).await;
        all.extend(made);
    }
    is_found(store, &all).await;
}

/// A call under a request id that a call of another kind has is refused, and its batch is undone
/// whole.
pub(crate) async fn kinds_under_one_request_id_collide(store: &mut impl ShardStore) {
    let holders = Kind::ALL.map(|kind| examples(kind)[0].clone());
    persist(store, 1, &settlement_of(holders.to_vec()))
        .await
        .expect("persisted");
    let pairs = holders.iter().flat_map(|holder| {
        let others = Kind::ALL.into_iter();
        others.filter_map(move |kind| (kind != holder.call.kind).then_some((holder, kind)))
    });
    for (number, (holder, kind)) in (2..).zip(pairs) {
        let mut late = examples(kind)[1..].to_vec();
        late[0].call.user = holder.call.user.clone();
        late[0].call.request = holder.call.request.clone();
        let mut settlement = settlement_of(late.clone());
        // The key of calls refuses it, not that of accounts.
        settlement.rows.accounts = Slots::new(Vec::new(), Vec::new());
        let refused = persist(store, number, &settlement).await;
        assert!(
            matches!(refused, Err(PersistError::Undone(StoreError::Conflict(_)))),
            "{kind:?}: {refused:?}"
        );
        store.undo().await;
        let known = known(store, &late[1..]).await.calls;
        assert!(known.iter().all(Option::is_none), "{known:?}");
        is_found(store, &holders).await;
    }
}

/// Reads what calls made under the keys of these calls, which is the same.
async fn is_found(store: &mut impl ShardStore, made: &[MadeCall]) {
    let known = known(store, made).await;
    let found: Vec<&MadeCall> = known.calls.iter().flatten().collect();
    assert_eq!(found, made.iter().collect::<Vec<_>>());
    assert!(
        known
            .accounts
            .iter()
            .all(|found| *found == Some(account(1)))
    );
}

/// What is known of the users and keys of these calls.
async fn known(store: &mut impl ShardStore, made: &[MadeCall]) -> Known {
    let command = |MadeCall { call, .. }: &MadeCall| Command {
        user: call.user.clone(),
        request: call.request.clone(),
        ask: Ask::Draw(DrawAsk {
            activity: activity(),
            count: DrawCount::ONE,
        }),
    };
    let commands = made.iter().map(command).collect();
    let batch = Batch::gather(commands, &Catalogue::default(), Timestamp::UNIX_EPOCH);
    let fetched = store
        .prefetch(&batch, CallKeys::LookUp, OnLock::Wait, true)
        .await;
    store.undo().await;
    fetched.expect("read").known
}

async fn persist(
    store: &mut impl ShardStore,
    grant: u64,
    settlement: &Settlement,
) -> Result<(), PersistError> {
    let nothing = Batch::gather(Vec::new(), &Catalogue::default(), Timestamp::UNIX_EPOCH);
    store
        .prefetch(&nothing, CallKeys::LookUp, OnLock::Wait, true)
        .await?;
    let receipt = Receipt::default();
    store.persist(GrantId(grant), settlement, &receipt).await
}

/// New accounts for these calls, and what they made.
fn settlement_of(made: Vec<MadeCall>) -> Settlement {
    let keys = made.iter().map(|made| (made.call.user.clone(), activity()));
    let keys: BTreeSet<AccountKey> = keys.collect();
    let new = |key| (key, None, Some(account(1)));
    Settlement {
        undecided: Vec::new(),
        answers: Vec::new(),
        used: Vec::new(),
        rows: Rows {
            made,
            accounts: keys.into_iter().map(new).collect(),
            ..Rows::default()
        },
    }
}
