//! The rows of a batch: those that it reads and may change, and those that it appends.
use super::slots::{AccountKey, Slots};
use crate::call::{Call, MadeCall};
use crate::chances::Account;
use crate::command::draw::Order;

/// All rows of a batch.
#[derive(Debug)]
pub struct Rows {
    /// The accounts that it has read.
    pub accounts: Slots<AccountKey, Account>,
    /// New: the calls that made something, and what they made, in the batch's order.
    pub made: Vec<MadeCall>,
}

impl Rows {
    /// Nothing is changed yet.
    pub fn new(accounts: Slots<AccountKey, Account>) -> Self {
        Self {
            accounts,
            made: Vec::new(),
        }
    }

    /// The new calls.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.made.iter().map(|made| &made.call)
    }

    /// The new orders of all calls.
    pub fn orders(&self) -> impl Iterator<Item = &Order> {
        self.made.iter().flat_map(|made| made.made.orders())
    }

    /// Whether there is nothing to write. Commands that change a row make something.
    pub fn is_empty(&self) -> bool {
        self.made.is_empty()
    }
}
