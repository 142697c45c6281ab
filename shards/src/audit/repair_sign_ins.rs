//! The repair of sign-ins. A clock that was ahead once can leave a row that says a day which has not
//! begun. Right clocks then refuse the user's sign-ins until that day. The repair sets the row back
//! to the last sign-in on a day that has begun, by the rewards, and notes the days that it sets
//! aside. What was given for them stays given.
use market::Behaviour;

use super::paged_tables::{PagedTables, json};
use super::pages::{CallsOf, all_of};
use super::repair_outcome::{LabelRepaired, Suspect, TRIES_MAX};
use super::rows::{OfUser, SignInRepair, StoredRecharge, StoredRepair, StoredSignIn};
use super::sign_ins::{SetBack, SignIns, day_of};
use crate::store::{Connection, StoreError, json_rows, out_of_range};

/// A sign-in that may be ahead.
pub(super) struct SuspectSignIn<'a>(pub(super) Suspect<'a>);

impl SuspectSignIn<'_> {
    pub(super) async fn repair(
        &self,
        connection: &mut impl Connection,
        tables: &PagedTables,
    ) -> Result<LabelRepaired, StoreError> {
        for _ in 0..TRIES_MAX {
            let Some(row) = self.row(connection, tables).await? else {
                return Ok(LabelRepaired::Correct);
            };
            if row.day <= self.0.latest {
                return Ok(LabelRepaired::Correct);
            }
            let Some(set_back) = self.set_back(connection, tables, &row).await? else {
                continue;
            };
            // The rewards were read without a lock. They are complete if the row is still the same.
            connection.begin().await?;
            let key = json(&(self.0.user, self.0.activity));
            let locked = connection.rows(&tables.sql.sign_ins.lock, &key).await?;
            if locked.first().map(StoredSignIn::of).transpose()? != Some(row) {
                connection.rollback().await?;
                continue;
            }
            self.write(connection, tables, row, set_back).await?;
            connection.commit().await?;
            return Ok(LabelRepaired::SetBack);
        }
        Ok(LabelRepaired::Left)
    }

    async fn row(
        &self,
        connection: &mut impl Connection,
        tables: &PagedTables,
    ) -> Result<Option<StoredSignIn>, StoreError> {
        let rows: Vec<StoredSignIn> =
            all_of(connection, &tables.sql.sign_ins.of_user, self.0.user).await?;
        Ok(rows.into_iter().find(|row| row.activity == self.0.activity))
    }

    async fn set_back(
        &self,
        connection: &mut impl Connection,
        tables: &PagedTables,
        row: &StoredSignIn,
    ) -> Result<Option<SetBack>, StoreError> {
        let repairs: Vec<StoredRepair> =
            all_of(connection, &tables.sql.label_repairs.of_user, self.0.user).await?;
        let (mut rewards, sign): (Vec<StoredRecharge>, _) = (Vec::new(), Behaviour::sign());
        let mut calls = CallsOf::new(tables, self.0.user);
        while let Some(made) = calls.next(connection).await? {
            let orders = made.recharges.into_iter().map(|(_, order)| order);
            rewards.extend(orders.filter(|order| {
                order.activity == self.0.activity && *order.behaviour == *sign.as_str()
            }));
        }
        let mut sign_ins = SignIns::default();
        for order in &rewards {
            let Some(day) = day_of(&order.business) else {
                return Ok(None);
            };
            sign_ins.take(day, order);
        }
        let repairs = repairs.into_iter().filter_map(StoredRepair::of_sign_in);
        for repair in repairs.filter(|repair| repair.activity == self.0.activity) {
            sign_ins.note(repair);
        }
        Ok(sign_ins.set_back(row, self.0.latest))
    }

    async fn write(
        &self,
        connection: &mut impl Connection,
        tables: &PagedTables,
        row: StoredSignIn,
        set_back: SetBack,
    ) -> Result<(), StoreError> {
        let (user, activity) = (self.0.user, self.0.activity);
        let note = |repair: &SignInRepair| {
            let at_ms = self.0.now.as_millisecond();
            (
                user,
                activity,
                repair.stored(),
                repair.given,
                row.day,
                at_ms,
            )
        };
        let notes = json_rows(set_back.set_aside.iter().map(note));
        connection
            .execute(&tables.sql.label_repairs.insert, &notes)
            .await?;
        let (day, streak) = set_back.last;
        let set = json_rows([(user, activity, day, streak)]);
        // The row is locked and its day differs, so exactly one changes.
        match connection
            .execute(&tables.sql.sign_ins.set_last, &set)
            .await?
        {
            1 => Ok(()),
            _ => Err(out_of_range(0)),
        }
    }
}
