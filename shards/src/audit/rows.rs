//! Rows as the audit sees them. Their types belong to their tables.
use crate::store::{Columns, StoreError};

pub(super) use crate::store::tables::StoredOfUser as OfUser;
pub(super) use crate::store::tables::accounts::StoredAccount;
pub(super) use crate::store::tables::calls::StoredCall;
pub(super) use crate::store::tables::label_repairs::{LabelRepair, SignInRepair, StoredRepair};
pub(super) use crate::store::tables::orders::StoredOrder;
pub(super) use crate::store::tables::points_accounts::StoredPoints;
pub(super) use crate::store::tables::points_entries::StoredEntry;
pub(super) use crate::store::tables::recharge_orders::StoredRecharge;
pub(super) use crate::store::tables::sign_ins::StoredSignIn;
pub(super) use crate::store::tables::user_awards::StoredUserAward;

/// What a user's orders are sorted by.
pub(super) type OrderPlace = (i64, i64, i64);

impl StoredOrder {
    pub(super) fn place(&self) -> OrderPlace {
        (self.activity, self.ordinal, self.id)
    }
}

/// A user's id with something of this user.
pub(super) fn of_user<T: OfUser>(row: &impl Columns) -> Result<(String, T), StoreError> {
    Ok((row.text(0)?.to_owned(), T::of(row)?))
}

/// What is stored of a user beside orders and entries. It is the same with each part of a user who
/// is read in parts.
#[derive(Debug, Clone, Copy)]
pub(super) struct BesideDraws<'a> {
    pub(super) user: &'a str,
    pub(super) accounts: &'a [StoredAccount],
    pub(super) recharges: &'a [StoredRecharge],
    pub(super) points: Option<StoredPoints>,
    pub(super) sign_ins: &'a [StoredSignIn],
    pub(super) sign_in_repairs: &'a [SignInRepair],
    pub(super) user_awards: &'a [StoredUserAward],
}
