//! Points, ledgers and sign-ins: the rows that batches lock beside accounts of chances.
use std::sync::LazyLock;

use jiff::Timestamp;
use market::adjust::{PointsAsk, PointsChange};
use market::batch::{Batch, Rows, Settlement};
use market::calendar::Day;
use market::campaign::{Campaign, Catalogue, Published};
use market::points::{Amount, Points, PointsAccount, PointsEntry, Trade};
use market::sign_in::{SignIn, SignInAsk};
use market::{Ask, BusinessNumber, Command, RequestId};
use testkit::campaign::CampaignFile;

use super::bench::{Bench, account, activity, user};
use crate::grant::GrantId;
use crate::stock::grants::Receipt;
use crate::store::tables::points_entries;
use crate::store::tables::points_entries::PointsEntryStatements;
use crate::store::{
    CallKeys, Columns, Connection, Database, OnLock, PersistError, ShardStore, StoreError,
};

/// The activity of the bench, which rewards sign-ins.
static REWARDING: LazyLock<Catalogue> = LazyLock::new(|| {
    let reward = "[[reward]]\nbehavior = \"sign\"\nkind = \"points\"\npoints = \"1\"";
    let file = CampaignFile::one_award(activity().get()).section(reward);
    Catalogue::new([Published {
        version: 1,
        campaign: Campaign::parse(&file.text()).expect("a valid campaign"),
    }])
});

/// Sign-ins of these users, which need all three rows; of the last one its points alone.
fn batch(names: &[&str]) -> Batch {
    let (last, others) = names.split_last().expect("some users");
    let command = |name: &str, ask| Command {
        user: user(name),
        request: RequestId::new("k").expect("a key"),
        ask,
    };
    let sign_in = |name: &&str| command(name, Ask::SignIn(SignInAsk { activity: None }));
    let mut commands: Vec<Command> = others.iter().map(sign_in).collect();
    let change = PointsChange::Freeze;
    commands.push(command(last, Ask::Points(PointsAsk { change })));
    let now = "2026-06-01T12:00:00Z".parse().expect("a time");
    Batch::gather(commands, &REWARDING, now)
}

fn points(hundredths: u64, entries: u64) -> PointsAccount {
    PointsAccount {
        balance: Points::from_hundredths(hundredths).expect("an amount"),
        entries,
        frozen: entries.is_multiple_of(2),
    }
}

fn sign_in(streak: u32) -> SignIn {
    SignIn {
        day: Day::from_number(20_260_601),
        streak,
    }
}

fn entry(name: &str, number: u64) -> PointsEntry {
    PointsEntry {
        user: user(name),
        number,
        trade: Trade::ALL[usize::try_from(number).expect("few") % 4],
        activity: (number > 1).then(activity),
        amount: Amount::take(Points::MAX),
        balance: Points::MAX,
        business: BusinessNumber::new("漢 \"1\" \\ '; --").expect("a number"),
        created_at: Timestamp::from_millisecond(1_795_000_000_123).expect("a time"),
    }
}

/// Writes these rows in a transaction that has read what `names` need.
async fn persist<D: Database>(
    bench: &mut Bench<D>,
    names: &[&str],
    rows: Rows,
) -> Result<(), PersistError> {
    let batch = batch(names);
    let fetched = bench
        .store
        .prefetch(&batch, CallKeys::LookUp, OnLock::Wait, false);
    fetched.await?;
    let settlement = Settlement {
        undecided: Vec::new(),
        answers: Vec::new(),
        used: Vec::new(),
        rows,
    };
    let receipt = Receipt::default();
    bench.store.persist(GrantId(1), &settlement, &receipt).await
}

/// All rows of these users, which had these before.
fn rows(names: &[&str], before: Option<u64>, now: u64) -> Rows {
    let streak = |number| sign_in(u32::try_from(number).expect("small"));
    let key = |name: &&str| (user(name), activity());
    let accounts = names.iter().map(|name| {
        (
            key(name),
            before.map(|_| account(0)),
            Some(account(u32::try_from(now).expect("small"))),
        )
    });
    let of_points = |name: &&str| {
        (
            user(name),
            before.map(|n| points(n, n)),
            Some(points(now, now)),
        )
    };
    let of_sign_ins = |name: &&str| (key(name), before.map(streak), Some(streak(now)));
    Rows {
        accounts: accounts.collect(),
        points: names.iter().map(of_points).collect(),
        sign_ins: names.iter().map(of_sign_ins).collect(),
        entries: names.iter().map(|name| entry(name, now)).collect(),
        ..Rows::default()
    }
}

pub(super) async fn points_and_sign_ins_are_found<D: Database>(database: D) {
    let mut bench = Bench::new(database).await;
    let names = ["u", "U", "ú", "a b", "\"'\\;--", "漢字", "😀", "last"];
    for (before, now) in [(None, 1), (Some(1), 7)] {
        persist(&mut bench, &names, rows(&names, before, now))
            .await
            .expect("persisted");
        let known = bench
            .begin(&batch(&names), CallKeys::LookUp)
            .await
            .expect("read");
        bench.store.undo().await;
        assert_eq!(known.points, vec![Some(points(now, now)); 8]);
        let streak = u32::try_from(now).expect("small");
        assert_eq!(known.sign_ins, vec![Some(sign_in(streak)); 7]);
        assert_eq!(known.accounts, vec![Some(account(streak)); 7]);
    }
    let unknown = bench
        .begin(&batch(&["x", "y"]), CallKeys::LookUp)
        .await
        .expect("read");
    assert_eq!(
        (unknown.points, unknown.sign_ins),
        (vec![None; 2], vec![None])
    );
}

/// Two gateways that both saw no row, or an entry of a number that is taken.
pub(super) async fn points_and_sign_ins_that_came_meanwhile_are_conflicts<D: Database>(
    database: D,
) {
    let mut bench = Bench::new(database).await;
    let name = ["u", "last"];
    persist(&mut bench, &name, rows(&name, None, 1))
        .await
        .expect("persisted");
    let all = rows(&name, None, 2);
    let parts = [
        Rows {
            points: all.points,
            ..Rows::default()
        },
        Rows {
            sign_ins: all.sign_ins,
            ..Rows::default()
        },
        Rows {
            entries: vec![entry("u", 1)],
            ..Rows::default()
        },
    ];
    for part in parts {
        let refused = persist(&mut bench, &name, part).await;
        let is_conflict = matches!(refused, Err(PersistError::Undone(StoreError::Conflict(_))));
        assert!(is_conflict, "{refused:?}");
        bench.store.undo().await;
    }
}

pub(super) async fn a_ledger_is_read_from_its_end<D: Database>(database: D) {
    let mut bench = Bench::new(database.clone()).await;
    let entries: Vec<PointsEntry> = (1..=5).map(|number| entry("u", number)).collect();
    let rows = Rows {
        entries: entries.iter().cloned().chain([entry("v", 1)]).collect(),
        ..Rows::default()
    };
    persist(&mut bench, &["u"], rows).await.expect("persisted");
    let sql = PointsEntryStatements::of(&D::DIALECT, super::table_of("u"));
    let mut connection = database.connect().await.expect("a connection");
    for (before, found) in [(i64::MAX, 5), (4, 3), (1, 0)] {
        let key = format!(r#"["u",{before}]"#);
        let rows = connection.rows(&sql.latest, &key).await.expect("rows");
        let read: Result<Vec<_>, _> = rows.iter().map(points_entries::read).collect();
        let mut expected = entries[..found].to_vec();
        expected.reverse();
        assert_eq!(read, Ok(expected));
    }
    let behind = connection
        .rows(&sql.of_user.replace("{rows_max}", "9"), r#"["u",3]"#)
        .await;
    let numbers: Vec<i64> = (behind.expect("rows").iter())
        .map(|row| row.integer(1).expect("a number"))
        .collect();
    assert_eq!(numbers, [4, 5]);
}
