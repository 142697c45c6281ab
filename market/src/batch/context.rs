//! What a kind of command plans and settles with.
use jiff::Timestamp;

use super::slots::AccountRow;
use crate::campaign::Catalogue;
use crate::ids::{RequestId, UserId};
use crate::units::{Purse, Supply};

/// What all commands of a batch are planned under.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// One version of each campaign, and the switches.
    pub catalogue: &'a Catalogue,
    /// Whether the stock can be asked.
    pub supply: &'a Supply,
    /// One reading of the clock.
    pub now: Timestamp,
}

/// A command while it is planned.
pub(crate) struct Planning<'a, R> {
    pub(crate) around: &'a Circumstances<'a>,
    pub(crate) user: &'a UserId,
    /// Its account, as the commands before it leave it.
    pub(crate) account: AccountRow<'a>,
    /// Its random numbers.
    pub(crate) random: R,
}

/// A command while it is settled.
pub(crate) struct Settling<'a, M> {
    pub(crate) user: &'a UserId,
    pub(crate) request: &'a RequestId,
    pub(crate) now: Timestamp,
    /// What the batch was granted.
    pub(crate) purse: &'a mut Purse,
    /// Makes an id that carries the user's slot.
    pub(crate) mint: &'a mut M,
}
