//! Questions about single rows of users, asked together: one statement for each table of rows, one
//! round trip for all, and with it the question whether the server still takes writes.
use std::collections::BTreeMap;

use super::question::{Found, FoundRecords, ReadQuestion};
use crate::store::tables::Numbered;
use crate::store::tables::accounts::Accounts;
use crate::store::tables::locked::LockedTable;
use crate::store::tables::points_accounts::PointsAccounts;
use crate::store::{Columns, Connection, Input, Rows, SqlStep, StoreError};

/// Whether a question may be asked together with others.
pub(super) fn goes_together(question: &ReadQuestion) -> bool {
    matches!(
        question,
        ReadQuestion::Account(..) | ReadQuestion::Points(_)
    )
}

/// What is found for each question, and whether the server still takes writes. A row that cannot be
/// understood fails the questions for it, and no others.
pub(super) async fn read_together<C: Connection>(
    connection: &mut C,
    sql: &Numbered,
    questions: &[&ReadQuestion],
) -> Result<(Vec<Found>, bool), StoreError> {
    let (mut accounts, mut points) = (Vec::new(), Vec::new());
    for question in questions {
        match question {
            ReadQuestion::Account(user, activity) => accounts.push((user.clone(), *activity)),
            ReadQuestion::Points(user) => points.push(user.clone()),
            _ => {}
        }
    }
    let mut steps = Vec::with_capacity(2);
    if !accounts.is_empty() {
        steps.push(SqlStep::read(
            &sql.accounts.read,
            keys::<Accounts>(&accounts),
        ));
    }
    if !points.is_empty() {
        steps.push(SqlStep::read(
            &sql.points_accounts.read,
            keys::<PointsAccounts>(&points),
        ));
    }
    let read = connection.read_all(steps).await?;
    let mut rows = read.outcomes.iter().map(|outcome| &*outcome.rows);
    let mut next_if = |asked: bool| if asked { rows.next() } else { None };
    let (of_accounts, of_points) = (next_if(!accounts.is_empty()), next_if(!points.is_empty()));
    let accounts = states::<Accounts>(of_accounts.unwrap_or_default())?;
    let points = states::<PointsAccounts>(of_points.unwrap_or_default())?;
    let found = questions.iter().map(|question| -> Found {
        let mut found = FoundRecords::default();
        match question {
            ReadQuestion::Account(user, activity) => {
                let account = accounts.get(&(user.as_str(), *activity));
                found.account = account.cloned().transpose()?;
            }
            ReadQuestion::Points(user) => {
                found.points = points.get(user.as_str()).cloned().transpose()?;
            }
            _ => {}
        }
        Ok(found)
    });
    Ok((found.collect(), read.may_write))
}

fn keys<T: LockedTable>(of: &[T::Key]) -> Input<'_> {
    let mut rows = Rows::default();
    for key in of {
        T::write_key(key, &mut rows);
    }
    Input::Rows(rows)
}

/// What each row holds, by its key.
type States<'r, T> =
    BTreeMap<<T as LockedTable>::KeyOfRow<'r>, Result<<T as LockedTable>::State, StoreError>>;

fn states<T: LockedTable>(rows: &[impl Columns]) -> Result<States<'_, T>, StoreError> {
    rows.iter()
        .map(|row| Ok((T::read_key(row)?, T::read_state(row))))
        .collect()
}
