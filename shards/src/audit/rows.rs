//! Stored rows as they stand. Numbers are not narrowed to the ranges that the program writes:
//! a value out of its range is for the checks to find, not a reason to stop looking.
use crate::store::{Columns, StoreError};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct StoredAccount {
    pub(super) activity: i64,
    pub(super) granted: i64,
    pub(super) used: i64,
    pub(super) day: i64,
    pub(super) day_used: i64,
    pub(super) month_used: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredOrder {
    pub(super) activity: i64,
    pub(super) ordinal: i64,
    pub(super) id: i64,
    pub(super) version: i64,
    pub(super) day: i64,
    pub(super) award: i64,
    pub(super) award_title: Box<str>,
    pub(super) award_index: i64,
    pub(super) rule: Box<str>,
    pub(super) stocked: i64,
    pub(super) created_at_ms: i64,
    pub(super) request: Box<str>,
    pub(super) seq: i64,
    pub(super) asked: i64,
}

/// An account's label was ahead of the clock and was set back: of its first `used` orders, those
/// labelled later than `today` do not count for the label any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LabelRepair {
    pub(super) activity: i64,
    pub(super) used: i64,
    pub(super) today: i64,
}

/// The place by which a user's orders are gone through.
pub(super) type OrderPlace = (i64, i64, i64);

impl StoredOrder {
    pub(super) fn place(&self) -> OrderPlace {
        (self.activity, self.ordinal, self.id)
    }
}

/// Something of a user, whose id is the first column.
pub(super) trait OfUser: Sized {
    fn of(row: &impl Columns) -> Result<Self, StoreError>;
}

impl OfUser for StoredAccount {
    fn of(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self {
            activity: row.integer(1)?,
            granted: row.integer(2)?,
            used: row.integer(3)?,
            day: row.integer(4)?,
            day_used: row.integer(5)?,
            month_used: row.integer(6)?,
        })
    }
}

impl OfUser for StoredOrder {
    fn of(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self {
            activity: row.integer(1)?,
            ordinal: row.integer(2)?,
            id: row.integer(3)?,
            version: row.integer(4)?,
            day: row.integer(5)?,
            award: row.integer(6)?,
            award_title: row.text(7)?.into(),
            award_index: row.integer(8)?,
            rule: row.text(9)?.into(),
            stocked: row.integer(10)?,
            created_at_ms: row.integer(11)?,
            request: row.text(12)?.into(),
            seq: row.integer(13)?,
            asked: row.integer(14)?,
        })
    }
}

impl OfUser for LabelRepair {
    fn of(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self {
            activity: row.integer(1)?,
            used: row.integer(2)?,
            today: row.integer(3)?,
        })
    }
}

/// A user's id with something of this user.
pub(super) fn of_user<T: OfUser>(row: &impl Columns) -> Result<(String, T), StoreError> {
    Ok((row.text(0)?.to_owned(), T::of(row)?))
}
