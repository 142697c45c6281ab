//! Calls that a batch has inserted before it was planned, beside those that it has made.
use std::cmp::Ordering;

use market::Call;

/// What is to be put right about claimed calls.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ClaimChanges<'c> {
    /// They were claimed, and not made so.
    pub(super) taken_back: Vec<&'c Call>,
    /// They were made, and not claimed so.
    pub(super) inserted: Vec<&'c Call>,
}

impl<'c> ClaimChanges<'c> {
    /// Of the calls that were claimed and those that were made; each of them has a key of its own.
    pub(super) fn of(claimed: &'c [Call], made: impl Iterator<Item = &'c Call>) -> Self {
        let mut changes = Self::default();
        let (mut claimed, mut made) = (by_key(claimed.iter()), by_key(made));
        loop {
            let order = match (claimed.peek(), made.peek()) {
                (None, None) => return changes,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(claimed), Some(made)) if claimed == made => Ordering::Equal,
                // A call that was made otherwise is taken back here and inserted in a later turn.
                (Some(claimed), Some(made)) => key(claimed).cmp(&key(made)).then(Ordering::Less),
            };
            match order {
                Ordering::Less => changes.taken_back.extend(claimed.next()),
                Ordering::Greater => changes.inserted.extend(made.next()),
                Ordering::Equal => {
                    claimed.next();
                    made.next();
                }
            }
        }
    }
}

fn key(call: &Call) -> (&str, &str) {
    (call.user.as_str(), call.request.as_str())
}

fn by_key<'c>(
    calls: impl Iterator<Item = &'c Call>,
) -> std::iter::Peekable<std::vec::IntoIter<&'c Call>> {
    let mut calls: Vec<&Call> = calls.collect();
    calls.sort_unstable_by_key(|call| key(call));
    calls.into_iter().peekable()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use market::{ActivityId, Kind, OrderId, RequestId, UserId};

    use super::*;

    fn call(user: &str, made: u16) -> Call {
        Call {
            user: UserId::new(user).expect("a user"),
            request: RequestId::new("k").expect("a key"),
            kind: Kind::Draw,
            activity: ActivityId::new(1),
            asked: 10,
            first_id: OrderId::new(1).expect("an id"),
            made,
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn what_was_not_made_as_claimed_is_put_right() {
        let claimed = [
            call("refused", 10),
            call("short", 10),
            call("all", 10),
            call("z", 1),
        ];
        let made = [call("short", 3), call("all", 10), call("new", 1)];
        let changes = ClaimChanges::of(&claimed, made.iter());
        assert_eq!(changes.taken_back, [&claimed[0], &claimed[1], &claimed[3]]);
        assert_eq!(changes.inserted, [&made[2], &made[0]]);
    }

    #[test]
    fn what_was_made_as_claimed_costs_nothing() {
        let claimed = [call("b", 1), call("a", 2)];
        assert_eq!(
            ClaimChanges::of(&claimed, claimed.iter()),
            ClaimChanges::default()
        );
        assert_eq!(
            ClaimChanges::of(&[], claimed.iter()).inserted,
            [&claimed[1], &claimed[0]]
        );
    }
}
