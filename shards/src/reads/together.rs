//! Questions about single rows of users, asked together: one statement for each table of rows, one
//! round trip for all, and with it the question whether the server still takes writes.
use std::collections::BTreeMap;

use market::UserId;

use super::{FoundRecords, ReadQuestion};
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

/// What is found for each question, and whether the server still takes writes.
pub(super) async fn read_together<C: Connection>(
    connection: &mut C,
    sql: &Numbered,
    questions: &[&ReadQuestion],
) -> Result<(Vec<FoundRecords>, bool), StoreError> {
    let (mut accounts, mut points) = (Vec::new(), Vec::new());
    for question in questions {
        match question {
            ReadQuestion::Account(user, activity) => accounts.push((user.clone(), *activity)),
            ReadQuestion::Points(user) => points.push(user.clone()),
            _ => {}
        }
    }
    let steps = vec![
        SqlStep::read(&sql.accounts.read, keys::<Accounts>(&accounts)),
        SqlStep::read(&sql.points_accounts.read, keys::<PointsAccounts>(&points)),
    ];
    let (outcomes, may_write) = connection.read_all(steps).await?;
    let [accounts, points] = &outcomes[..] else {
        let why = "the database did not answer both statements";
        return Err(StoreError::Unavailable(why.to_owned()));
    };
    let accounts = states::<Accounts>(&accounts.rows)?;
    let points = states::<PointsAccounts>(&points.rows)?;
    let found = questions.iter().map(|question| match question {
        ReadQuestion::Account(user, activity) => FoundRecords {
            account: accounts.get(&(user.as_str(), *activity)).copied(),
            ..FoundRecords::default()
        },
        ReadQuestion::Points(user) => FoundRecords {
            points: points.get(UserId::as_str(user)).copied(),
            ..FoundRecords::default()
        },
        _ => FoundRecords::default(),
    });
    Ok((found.collect(), may_write))
}

fn keys<T: LockedTable>(of: &[T::Key]) -> Input<'_> {
    let mut rows = Rows::default();
    for key in of {
        T::write_key(key, &mut rows);
    }
    Input::Rows(rows)
}

fn states<T: LockedTable>(
    rows: &[impl Columns],
) -> Result<BTreeMap<T::KeyOfRow<'_>, T::State>, StoreError> {
    rows.iter()
        .map(|row| Ok((T::read_key(row)?, T::read_state(row)?)))
        .collect()
}
