//! A recharge order: chances that a user was given, as it is stored and answered.
//!
//! What an account was granted in all is the welcome chances of its activity and the sum of its
//! recharge orders.
use jiff::Timestamp;

use crate::ids::{ActivityId, OrderId, RequestId, UserId};

/// The record of chances that were given to a user. It is never changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RechargeOrder {
    /// Its own id; it carries the user's slot.
    pub id: OrderId,
    /// Who got the chances.
    pub user: UserId,
    /// The idempotency key of its call, unique per user.
    pub request: RequestId,
    /// In which activity.
    pub activity: ActivityId,
    /// Why they were given.
    pub kind: RechargeKind,
    /// How many.
    pub chances: u32,
    /// When the call was planned.
    pub created_at: Timestamp,
}

/// Why chances were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RechargeKind {
    /// An operator gave them.
    Operator,
}

impl RechargeKind {
    const ALL: [Self; 1] = [Self::Operator];

    /// The stored name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
        }
    }

    /// The kind of a stored name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for kind in RechargeKind::ALL {
            assert_eq!(RechargeKind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(RechargeKind::from_name("reward"), None);
    }
}
