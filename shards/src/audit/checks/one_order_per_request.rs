//! One request id and place of a user has one order: the unique key is there that sees to it, and
//! the orders, read by that key, do not repeat.
use crate::audit::draws::Place;
use crate::audit::report::Check;
use crate::audit::rows::StoredOrder;

#[derive(Debug)]
pub(in crate::audit) struct OneOrderPerRequest {
    pub(super) check: Check,
    /// The place of a call that was read last, and how many orders have it.
    last: Option<(String, Box<str>, i64, u64)>,
}

impl Default for OneOrderPerRequest {
    fn default() -> Self {
        Self {
            check: Check::new("one_order_per_request"),
            last: None,
        }
    }
}

impl OneOrderPerRequest {
    /// Whether the table has its unique key.
    pub(in crate::audit) fn key(&mut self, place: Place, is_there: bool) {
        if !is_there {
            self.check.violation(|| {
                format!(
                    "{place}: the orders have lost their unique key of user_id, request_id and seq"
                )
            });
        }
    }

    /// The next order, by the key.
    pub(in crate::audit) fn order(&mut self, place: Place, user: &str, order: &StoredOrder) {
        self.check.checked += 1;
        match &mut self.last {
            Some((of, request, seq, orders))
                if (&**of, &*request, *seq) == (user, &order.request, order.seq) =>
            {
                *orders += 1;
            }
            _ => {
                self.end(place);
                self.last = Some((user.to_owned(), order.request.clone(), order.seq, 1));
            }
        }
    }

    /// All orders were read.
    pub(in crate::audit) fn end(&mut self, place: Place) {
        let Some((user, request, seq, orders)) = self.last.take() else {
            return;
        };
        if orders > 1 {
            self.check.violation(|| {
                format!("{place}: user {user:?} has {orders} orders under request id {request:?}, place {seq}")
            });
        }
    }
}
