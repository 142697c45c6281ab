//! What the examples of tables have in common. Each table with rows that commands make has some;
//! `store/conformance/kinds.rs` writes and reads them over every store.
use market::{Kind, OrderId, UserId};
use router::{OrderNumbers, Run, Slot};

/// Ids of one kind's examples.
pub(super) struct Ids(OrderNumbers);

impl Ids {
    /// Those of a kind: no two kinds have the same.
    pub(super) fn of(kind: Kind) -> Self {
        let run = Run::new(1_000 + u32::from(kind.number()));
        Self(OrderNumbers::new(run.expect("a run")))
    }

    /// The next id for a user.
    pub(super) fn next(&mut self, user: &UserId) -> OrderId {
        let number = self.0.next(Slot::of(user.as_str()));
        number.and_then(OrderId::new).expect("an order id")
    }
}
