//! Blacklists that operators keep beside the campaign files: more users than a file holds, and
//! changed without a new version. The users get the award of the activity's `rule_blacklist`.
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::ids::{ActivityId, UserId};

/// Users, each once. They lie one after the other in one string, sorted, so that a million of them
/// take about as many bytes as their ids have.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct UserList {
    text: Box<str>,
    /// Where each id ends.
    ends: Box<[u32]>,
}

/// The list of an activity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blacklist {
    /// The users.
    pub users: UserList,
    /// How far the stored list was read.
    pub read: ReadMark,
}

/// How far a stored list was read, so that only what is newer need be read again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadMark {
    /// How many changes it had seen.
    pub changes: u64,
    /// How many pages it had. Later users are on the last one and on further ones.
    pub pages: u64,
}

/// The lists of all activities that have one, or had one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blacklists(HashMap<ActivityId, Arc<Blacklist>>);

impl UserList {
    /// The most users of one list.
    pub const USERS_MAX: u64 = 1_000_000;
    /// The most bytes that their ids have together.
    pub const BYTES_MAX: u64 = 64 * 1024 * 1024;

    /// Whether a user is listed.
    pub fn contains(&self, user: &UserId) -> bool {
        let (mut from, mut to) = (0, self.ends.len());
        while from < to {
            let middle = from.midpoint(to);
            match self.at(middle).cmp(user.as_str()) {
                std::cmp::Ordering::Equal => return true,
                std::cmp::Ordering::Less => from = middle + 1,
                std::cmp::Ordering::Greater => to = middle,
            }
        }
        false
    }

    /// How many users there are.
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether no user is listed.
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The same list with more users, who may be there already.
    #[must_use]
    pub fn with(&self, mut more: Vec<UserId>) -> Self {
        more.sort_unstable();
        more.dedup();
        let bytes: usize = more.iter().map(|user| user.as_str().len()).sum();
        let mut text = String::with_capacity(self.text.len() + bytes);
        let mut ends = Vec::with_capacity(self.ends.len() + more.len());
        let mut add = |user: &str| {
            text.push_str(user);
            // Past 4 GiB no further user is taken; far less is ever stored.
            match u32::try_from(text.len()) {
                Ok(end) => ends.push(end),
                Err(_) => text.truncate(text.len() - user.len()),
            }
        };
        let mut more = more.iter().map(UserId::as_str).peekable();
        for index in 0..self.len() {
            let known = self.at(index);
            while let Some(user) = more.next_if(|user| *user < known) {
                add(user);
            }
            more.next_if_eq(&known);
            add(known);
        }
        more.for_each(add);
        Self {
            text: text.into(),
            ends: ends.into(),
        }
    }

    fn at(&self, index: usize) -> &str {
        let from = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[from as usize..self.ends[index] as usize]
    }
}

impl FromIterator<UserId> for UserList {
    fn from_iter<I: IntoIterator<Item = UserId>>(users: I) -> Self {
        Self::default().with(users.into_iter().collect())
    }
}

// User ids stay out of logs.
impl fmt::Debug for UserList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserList({} users)", self.len())
    }
}

impl Blacklists {
    /// The list of an activity, if it has one.
    pub fn of(&self, activity: ActivityId) -> Option<&Arc<Blacklist>> {
        self.0.get(&activity)
    }

    /// Replaces the list of an activity.
    pub fn put(&mut self, activity: ActivityId, list: Blacklist) {
        self.0.insert(activity, Arc::new(list));
    }

    /// Whether a user is on the list of an activity.
    pub fn contains(&self, activity: ActivityId, user: &UserId) -> bool {
        self.of(activity)
            .is_some_and(|list| list.users.contains(user))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn user(id: &str) -> UserId {
        UserId::new(id).expect("a user")
    }

    #[test]
    fn ids_that_begin_alike_are_different_users() {
        let list: UserList = ["b", "a", "ab", "漢", "b"].map(user).into_iter().collect();
        assert_eq!(list.len(), 4);
        for listed in ["a", "ab", "b", "漢"] {
            assert!(list.contains(&user(listed)), "{listed}");
        }
        for other in ["aa", "abc", "B", "漢字", "ba"] {
            assert!(!list.contains(&user(other)), "{other}");
        }
        assert!(!UserList::default().contains(&user("a")));
        assert!(!format!("{list:?}").contains("ab"));
    }

    #[test]
    fn a_list_belongs_to_its_activity() {
        let activity = ActivityId::new(7).expect("an id");
        let list = |users: &[&str]| Blacklist {
            users: users.iter().map(|id| user(id)).collect(),
            read: ReadMark::default(),
        };
        let mut lists = Blacklists::default();
        lists.put(activity, list(&["u"]));
        assert!(lists.contains(activity, &user("u")));
        assert!(!lists.contains(ActivityId::new(8).expect("an id"), &user("u")));
        lists.put(activity, list(&[]));
        assert!(!lists.contains(activity, &user("u")));
    }

    proptest! {
        /// Whatever is added in whatever order: the list has exactly the users of a set.
        #[test]
        fn a_list_is_a_set(batches in prop::collection::vec(prop::collection::vec("[ab]{1,4}", 0..20), 0..5)) {
            let (mut list, mut set) = (UserList::default(), BTreeSet::new());
            for batch in batches {
                set.extend(batch.iter().cloned());
                list = list.with(batch.iter().map(|id| user(id)).collect());
                prop_assert_eq!(list.len(), set.len());
                for (index, id) in set.iter().enumerate() {
                    prop_assert_eq!(list.at(index), id);
                    prop_assert!(list.contains(&user(id)));
                }
                for other in ["b", "ab", "bbb", "c", "aaaaa"] {
                    prop_assert_eq!(list.contains(&user(other)), set.contains(other));
                }
            }
        }
    }
}
