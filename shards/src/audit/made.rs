//! What calls made, by the ids that follow from the calls.
use std::collections::HashMap;

use market::Kind;

use super::paged_tables::{PagedTables, json};
use super::rows::{StoredCall, StoredOrder, StoredRecharge};
use crate::store::{Columns, Connection, MadeTable, StoreError, StoredMade};

/// Calls of a page, and what they made; each with its user.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) calls: Vec<(String, StoredCall)>,
    /// In the order of their calls.
    pub(super) orders: Vec<(String, StoredOrder)>,
    pub(super) recharges: Vec<(String, StoredRecharge)>,
}

/// Reads what calls made. A row counts for the call that names its id, if it is of the call's user.
/// Where two calls name one id, it counts for the first.
pub(super) async fn made_by(
    connection: &mut impl Connection,
    tables: &PagedTables,
    calls: Vec<(String, StoredCall)>,
) -> Result<Made, StoreError> {
    let mut made = Made {
        calls,
        ..Made::default()
    };
    for kind in Kind::ALL {
        let named = named_by(&made.calls, kind);
        let ids: Vec<i64> = named.keys().copied().collect();
        for ids in ids.chunks(tables.rows_max.max(1)) {
            made.read(connection, tables, kind, ids, &named).await?;
        }
    }
    made.orders
        .sort_by(|(a, x), (b, y)| (a, &x.request, x.seq).cmp(&(b, &y.request, y.seq)));
    Ok(made)
}

/// The ids that calls of a kind name: each with the index of the first call that does, and its own
/// index in that call.
fn named_by(calls: &[(String, StoredCall)], kind: Kind) -> HashMap<i64, (usize, i64)> {
    let mut named = HashMap::new();
    for (index, (_, call)) in calls.iter().enumerate() {
        if call.is(kind) {
            for (seq, id) in (0..).zip(call.ids()) {
                named.entry(id).or_insert((index, seq));
            }
        }
    }
    named
}

impl Made {
    async fn read(
        &mut self,
        connection: &mut impl Connection,
        tables: &PagedTables,
        kind: Kind,
        ids: &[i64],
        named: &HashMap<i64, (usize, i64)>,
    ) -> Result<(), StoreError> {
        let sql = (MadeTable::of(kind).of_ids)(&tables.sql);
        for row in connection.rows(sql, &json(&ids)).await? {
            let Some(&(index, seq)) = named.get(&row.integer(0)?) else {
                continue;
            };
            let (user, call) = &mut self.calls[index];
            if row.text(1)? != user {
                continue;
            }
            call.found += 1;
            match StoredMade::read(&row, kind, call, seq)? {
                StoredMade::Order(order) => self.orders.push((user.clone(), order)),
                StoredMade::Recharge(order) => self.recharges.push((user.clone(), order)),
            }
        }
        Ok(())
    }
}
