//! What earlier calls made: looked for by the ids that follow from the calls.
use std::collections::HashMap;

use market::call::{EarlierCall, Kind};
use market::{Call, Made, Order, OrderId, RechargeOrder, RequestId, UserId};

use super::rows::json_rows;
use super::tables::{Numbered, calls, orders, recharge_orders};
use super::{Columns, Input, Outcome, Step, StoreError, out_of_range};

/// What calls of a shard made.
#[derive(Debug, Default)]
pub(crate) struct Makings<'a> {
    looks: Vec<Look<'a>>,
    orders: HashMap<(&'a UserId, &'a RequestId), Vec<Order>>,
    recharge_orders: HashMap<OrderId, RechargeOrder>,
}

/// A look at one table.
#[derive(Debug)]
struct Look<'a> {
    sql: &'a str,
    kind: Kind,
    call_of: HashMap<OrderId, &'a Call>,
}

impl<'a> Makings<'a> {
    /// Looks for what these calls made, whose users' tables have these statements. A table that
    /// none of them made rows of is not looked at.
    pub(crate) fn look_for(
        &mut self,
        sql: &'a Numbered,
        calls: &(impl Iterator<Item = &'a Call> + Clone),
    ) {
        for kind in Kind::ALL {
            let calls = calls.clone().filter(|call| call.kind == kind);
            let call_of: HashMap<_, _> = calls
                .flat_map(|call| calls::ids_of(call).map(move |id| (id, call)))
                .collect();
            if !call_of.is_empty() {
                let sql = sql.made_by(kind);
                self.looks.push(Look { sql, kind, call_of });
            }
        }
    }

    /// The statements that read it.
    pub(crate) fn steps(&self) -> Vec<Step<'a>> {
        let step = |look: &Look<'a>| {
            let ids = look.call_of.keys().map(|id| id.get());
            Step::read(look.sql, Input::Json(json_rows(ids)))
        };
        self.looks.iter().map(step).collect()
    }

    /// Takes what the statements have found.
    pub(crate) fn found<R: Columns>(&mut self, outcomes: &[Outcome<R>]) -> Result<(), StoreError> {
        for (look, outcome) in self.looks.iter().zip(outcomes) {
            for row in &outcome.rows {
                let id = OrderId::new(row.number(0)?).ok_or_else(|| out_of_range(0))?;
                let call = look.call_of.get(&id).ok_or_else(|| out_of_range(0))?;
                match look.kind {
                    Kind::Draw => {
                        let order = orders::read(row, 0, call)?;
                        let key = (&call.user, &call.request);
                        self.orders.entry(key).or_default().push(order);
                    }
                    Kind::Grant => {
                        let order = recharge_orders::read(row, 0)?;
                        self.recharge_orders.insert(id, order);
                    }
                }
            }
        }
        Ok(())
    }

    /// What a call made, all of it.
    pub(crate) fn of(&self, call: &Call) -> Result<EarlierCall, StoreError> {
        let made = match call.kind {
            Kind::Draw => self.draws(call).map(|orders| Made::Draws(orders.into())),
            Kind::Grant => self
                .recharge_orders
                .get(&call.first_id)
                .cloned()
                .map(Made::Grant),
        };
        let made = made.ok_or_else(|| {
            StoreError::Data("a call is there, and what it made is not".to_owned())
        })?;
        Ok(EarlierCall {
            call: call.clone(),
            made,
        })
    }

    /// The orders of a call in their order; `None` where one is missing.
    fn draws(&self, call: &Call) -> Option<Vec<Order>> {
        let mut orders = self.orders.get(&(&call.user, &call.request))?.clone();
        orders.sort_unstable_by_key(|order| order.seq);
        (orders.len() == usize::from(call.made)).then_some(orders)
    }
}
