//! How many of an award users were given, where the award has a limit for one user.
use std::sync::LazyLock;

use market::batch::{Batch, Rows, Settlement, UserAwardKey};
use market::campaign::{Campaign, Catalogue, Published};
use market::draw::DrawAsk;
use market::{Ask, AwardId, Command, DrawCount, RequestId};
use testkit::campaign::{Award, CampaignFile, Tree};

use super::bench::{Bench, activity, user};
use crate::grant::GrantId;
use crate::stock::grants::Receipt;
use crate::store::{CallKeys, Database, OnLock, PersistError, ShardStore, StoreError};

/// The awards that have a limit; the third one has none.
const LIMITED: [u64; 2] = [7, 8];

static LIMITING: LazyLock<Catalogue> = LazyLock::new(|| {
    let limited = |id| {
        Award::new(id, "prize", "0.3")
            .setting("tree", "\"tree\"")
            .setting("per_user", "1")
    };
    let [one, other] = LIMITED.map(limited);
    let file = CampaignFile::new(activity().get())
        .award(one)
        .award(other)
        .award(Award::new(9, "for all", "0.3"))
        .award(Award::luck())
        .tree(Tree::stock("tree", CampaignFile::LUCK, None));
    Catalogue::new([Published {
        version: 1,
        campaign: Campaign::parse(&file.text()).expect("a valid campaign"),
    }])
});

/// Draws of these users, each of which needs a row for each award that has a limit.
fn batch(names: &[&str]) -> Batch {
    let draw = |name: &&str| Command {
        user: user(name),
        request: RequestId::new("k").expect("a key"),
        ask: Ask::Draw(DrawAsk {
            activity: activity(),
            count: DrawCount::ONE,
        }),
    };
    let commands = names.iter().map(draw).collect();
    let now = "2026-06-01T12:00:00Z".parse().expect("a time");
    Batch::gather(commands, &LIMITING, now)
}

fn key(name: &str, award: u64) -> UserAwardKey {
    let award = AwardId::new(award).expect("an id");
    (user(name), activity(), award)
}

/// Writes these rows in a transaction that has read what `names` need.
async fn persist(
    store: &mut impl ShardStore,
    names: &[&str],
    rows: Vec<(UserAwardKey, Option<u32>, Option<u32>)>,
) -> Result<(), PersistError> {
    let batch = batch(names);
    let fetched = store.prefetch(&batch, CallKeys::LookUp, OnLock::Wait, false);
    fetched.await?;
    let settlement = Settlement {
        answers: Vec::new(),
        used: Vec::new(),
        undecided: Vec::new(),
        rows: Rows {
            user_awards: rows.into_iter().collect(),
            ..Rows::default()
        },
    };
    let receipt = Receipt::default();
    store.persist(GrantId(1), &settlement, &receipt).await
}

/// What a batch of these users finds: for each both awards.
async fn found(store: &mut impl ShardStore, names: &[&str]) -> Vec<Option<u32>> {
    let batch = batch(names);
    let fetched = store.prefetch(&batch, CallKeys::LookUp, OnLock::Wait, false);
    let known = fetched.await.expect("read").known;
    store.undo().await;
    known.user_awards
}

pub(super) async fn what_users_were_given_is_found_in_databases<D: Database>(database: D) {
    what_users_were_given_is_found(&mut Bench::new(database).await.store).await;
}

pub(super) async fn what_was_given_meanwhile_is_a_conflict_in_databases<D: Database>(database: D) {
    what_was_given_meanwhile_is_a_conflict(&mut Bench::new(database).await.store).await;
}

/// Users have rows of some awards, which change by themselves.
pub(crate) async fn what_users_were_given_is_found(store: &mut impl ShardStore) {
    let names = ["u", "U", "ú", "a b", "\"'\\;--", "漢字", "😀"];
    assert_eq!(found(store, &names).await, [None; 14]);
    let [one, other] = LIMITED;
    let first = names.map(|name| (key(name, one), None, Some(1)));
    persist(store, &names, first.to_vec()).await.expect("new");
    let expected: Vec<_> = names.iter().flat_map(|_| [Some(1), None]).collect();
    assert_eq!(found(store, &names).await, expected);
    let changed = names.map(|name| (key(name, one), Some(1), Some(1_000_000)));
    let new = names.map(|name| (key(name, other), None, Some(2)));
    persist(store, &names, [changed, new].concat())
        .await
        .expect("new and changed");
    let expected: Vec<_> = (names.iter())
        .flat_map(|_| [Some(1_000_000), Some(2)])
        .collect();
    assert_eq!(found(store, &names).await, expected);
    assert_eq!(found(store, &["v"]).await, [None, None]);
}

/// Two gateways that both saw no row: one of them plans again.
pub(crate) async fn what_was_given_meanwhile_is_a_conflict(store: &mut impl ShardStore) {
    let row = || vec![(key("u", LIMITED[0]), None, Some(1))];
    persist(store, &["u"], row()).await.expect("persisted");
    let refused = persist(store, &["u"], row()).await;
    let is_conflict = matches!(refused, Err(PersistError::Undone(StoreError::Conflict(_))));
    assert!(is_conflict, "{refused:?}");
    store.undo().await;
    assert_eq!(found(store, &["u"]).await, [Some(1), None]);
}
