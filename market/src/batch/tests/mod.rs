//! Batches whose campaigns, accounts and stock are made up.
mod draws;
mod keys;
mod life;
mod mixed;
mod points;
mod rewards;
mod user_limits;

use jiff::Timestamp;
use testkit::campaign::{Award, CampaignFile, Tree};
use testkit::random::seeded;

use super::*;
use crate::calendar::Day;
use crate::campaign::{Campaign, Catalogue, Published};
use crate::chances::Account;
use crate::command::draw::{DrawAsk, DrawCount, Orders};
use crate::command::grant::{ChanceCount, GrantAsk};
use crate::command::{Ask, Command, Made};
use crate::ids::{ActivityId, OrderId, RequestId, UserId};
use crate::random::CommandNumbers;

/// A prize behind a lock of two draws today, one guaranteed on the fourth draw, points for the
/// rest.
pub(super) fn campaign() -> CampaignFile {
    CampaignFile::new(1)
        .between("2026-01-01T00:00:00+00:00", "2027-01-01T00:00:00+00:00")
        .chances(9, 7, 8)
        .weight(4, &[3])
        .award(Award::new(1, "mug", "0.5").count(10, "locked"))
        .award(Award::new(2, "points", "0.499"))
        .award(Award::new(3, "car", "0.001").count(10, "stock"))
        .award(Award::luck())
        .tree(Tree::locked("locked", 2, CampaignFile::LUCK, Some("1,100")))
        .tree(Tree::stock("stock", CampaignFile::LUCK, Some("1,100")))
}

pub(super) fn catalogue(text: &str) -> Catalogue {
    Catalogue::new([Published {
        version: 1,
        campaign: Campaign::parse(text).expect("a valid campaign"),
    }])
}

pub(super) fn partial() -> String {
    campaign().partial().text()
}

pub(super) fn activity() -> ActivityId {
    ActivityId::new(1).expect("an id")
}

fn command(user: &str, request: &str, ask: Ask) -> Command {
    Command {
        user: UserId::new(user).expect("a user"),
        request: RequestId::new(request).expect("a key"),
        ask,
    }
}

/// A call for draws.
pub(super) fn call(user: &str, request: &str, count: u8) -> Command {
    let (activity, count) = (activity(), DrawCount::new(count).expect("a count"));
    command(user, request, Ask::Draw(DrawAsk { activity, count }))
}

/// Chances for a user.
pub(super) fn grant(user: &str, request: &str, chances: u32) -> Command {
    let (activity, chances) = (activity(), ChanceCount::new(chances).expect("a count"));
    command(user, request, Ask::Grant(GrantAsk { activity, chances }))
}

/// An account with this number of draws on the day of the batch.
pub(super) fn after(draws: u32) -> Option<Account> {
    let account = Account {
        granted: 9,
        used: draws,
        day: Day::from_number(20_260_601),
        day_used: draws,
        month_used: draws,
    };
    (draws > 0).then_some(account)
}

pub(super) fn noon() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().expect("a time")
}

/// Plans with fresh numbers, under the rules of `text`.
pub(super) fn planned(text: &str, batch: Batch, known: Known, supply: &Supply) -> Plan {
    let around = Circumstances {
        catalogue: &catalogue(text),
        supply,
        now: noon(),
    };
    let mut numbers: Vec<_> = batch
        .commands()
        .iter()
        .map(|_| CommandNumbers::default())
        .collect();
    plan(batch, known, &around, &mut numbers, &mut seeded(7))
}

/// What is known where nothing was called before; each account has this number of draws.
pub(super) fn unknown(batch: &Batch, before: u32) -> Known {
    Known {
        accounts: vec![after(before); batch.needs().accounts.len()],
        ..Known::nothing(batch.needs())
    }
}

/// A batch under the rules of `text`.
pub(super) fn gathered(text: &str, commands: Vec<Command>) -> Batch {
    Batch::gather(commands, &catalogue(text), noon())
}

/// Ids from 1 on.
pub(super) fn minted() -> impl FnMut(usize, &UserId) -> OrderId {
    let mut ids = 0;
    move |_, _| {
        ids += 1;
        OrderId::new(ids).expect("above 0")
    }
}

/// One batch of calls of one user or some new users. There are `mugs` mugs, and enough of the rest.
pub(super) fn settled(
    text: &str,
    commands: Vec<Command>,
    before: u32,
    mugs: u32,
    supply: &Supply,
) -> Settlement {
    let batch = gathered(text, commands);
    let known = unknown(&batch, before);
    let plan = planned(text, batch, known, supply);
    let mut granted = plan.wants().to_vec();
    granted
        .iter_mut()
        .filter(|units| units.item.good.id() == 1)
        .for_each(|units| units.count = units.count.min(mugs));
    settle(plan, &granted, minted())
}

/// The accounts that a batch writes: those that are new, and those that are changed.
pub(super) fn written(rows: &Rows) -> [Vec<(AccountKey, Account)>; 2] {
    let owned = |(key, account): (&AccountKey, &Account)| (key.clone(), *account);
    [
        rows.accounts.new_rows().map(owned).collect(),
        rows.accounts.changed_rows().map(owned).collect(),
    ]
}

/// The orders of an answer.
pub(super) fn orders(answer: &CommandAnswer) -> &Orders {
    match answer {
        Ok(Made::Draws(orders)) => orders,
        other => panic!("{other:?}"),
    }
}
