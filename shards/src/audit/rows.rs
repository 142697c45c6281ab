//! Rows as the audit sees them. Their types belong to their tables.
use crate::store::{Columns, StoreError};

pub(super) use crate::store::tables::StoredOfUser as OfUser;
pub(super) use crate::store::tables::accounts::StoredAccount;
pub(super) use crate::store::tables::calls::StoredCall;
pub(super) use crate::store::tables::label_repairs::LabelRepair;
pub(super) use crate::store::tables::orders::StoredOrder;

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
