//! The invariants: what must hold at every commit, at every answer, and when all has come to rest.
//!
//! * `commit.rs`: what a transaction has changed
//! * `account.rs`: accounts and the calls that explain them
//! * `points.rs`: accounts of points, their ledgers, and rewards
//! * `user_awards.rs`: prizes of which a user gets a few at most
//! * `answer.rs`: what players are answered, and how soon
//! * `rest.rs`: the sums, when nothing moves any more
//! * `kinds.rs`: what must hold of each kind of command. A new kind has its lines there.
mod account;
mod answer;
mod commit;
mod kinds;
mod points;
mod rest;
mod user_awards;

use std::collections::{BTreeMap, BTreeSet};

use market::batch::StockItem;
use market::{Made, MadeCall, OrderId, RequestId, UserId};

pub(super) use self::answer::ANSWERED_WITHIN;
use self::answer::Standstill;
use super::tables::Counts;

/// What was seen so far.
#[derive(Default)]
pub(super) struct Book {
    standstills: Vec<Standstill>,
    /// How many orders took a unit.
    issued: BTreeMap<StockItem, u64>,
    /// The units that they took, by segment.
    used: Counts,
    /// The ids of rows that calls made.
    ids: BTreeSet<OrderId>,
    /// The calls that were committed, and what they made.
    calls: BTreeMap<(UserId, RequestId), MadeCall>,
    /// What players were answered first.
    answers: BTreeMap<(UserId, RequestId), Made>,
    /// Players who are not done yet.
    pub(super) playing: usize,
    /// Whether operators are done.
    pub(super) operated: bool,
}
