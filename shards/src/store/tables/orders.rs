//! `raffle_order_N`: what was drawn and by whom, one row for each draw. Its call says under which
//! request id and when. The orders of a call have consecutive ids, so they are a range of the
//! primary key, and an order costs no other index. Ids of one lane ascend, so rows are appended.
use std::sync::Arc;

use market::calendar::Day;
use market::draw::{Promise, Rule};
use market::{AwardId, Call, DrawCount, Order, OrderId, Points, UserId};

use super::calls::StoredCall;
use super::table::{NumberedTable, OfUsers, ReadLast, Table};
use crate::store::rows::{activity_id, number, order_id};
use crate::store::statements::numbered_statements;
use crate::store::{Columns, Rows, StoreError, Value, out_of_range};

numbered_statements! {
    /// Statements on orders.
    OrderStatements in "orders" {
        /// Writes orders.
        insert,
        /// `[order, ...]` -> orders.
        of_ids,
        /// `[[user, order]]` -> the order's call, and the order.
        find,
        /// The greatest order id; 0 without any.
        read_last,
        /// Activities and versions that orders name.
        scan_versions,
        /// How many orders there are, and how many the calls for draws say there are.
        count,
        /// At most 100 orders that belong to no call.
        strays,
    }
}

/// The table.
#[derive(Debug)]
pub(crate) struct Orders;

impl NumberedTable for Orders {
    const NAME: &'static str = "raffle_order";
    const READ_LAST: Option<ReadLast> =
        Some(|dialect, table| OrderStatements::of(dialect, table).read_last);
    const SHOWS_USE: bool = true;
}

impl Table for Orders {
    type Key = OrderId;
    type Row = Order;

    fn key(row: &Order) -> OrderId {
        row.id
    }

    fn write<'r>(row: &'r Order, rows: &mut Rows<'r>) {
        rows.push([
            number(row.id.get()),
            row.user.as_str().into(),
            number(row.activity.get()),
            row.version.into(),
            row.ordinal.into(),
            row.day.number().into(),
            number(row.award.get()),
            (&*row.award_title).into(),
            row.award_index.into(),
            row.rule.name().into(),
            Value::Integer(row.stocked.into()),
            row.promise.map_or(0, Promise::number).into(),
            number(row.points().map_or(0, Points::hundredths)),
            row.config.as_deref().unwrap_or_default().into(),
        ]);
    }
}

impl OfUsers for Orders {
    fn user(row: &Self::Row) -> &UserId {
        &row.user
    }
}

/// An order that this call made. Its columns begin with column `first`: order, user, activity,
/// version, ordinal, day, award, title, index, rule, stocked, promise, points, config.
pub(crate) fn read(row: &impl Columns, first: usize, call: &Call) -> Result<Order, StoreError> {
    let id = order_id(row, first)?;
    if row.text(first + 1)? != call.user.as_str() {
        return Err(out_of_range(first + 1));
    }
    Ok(Order {
        id,
        user: call.user.clone(),
        request: call.request.clone(),
        seq: index_in(call, id).ok_or_else(|| out_of_range(first))?,
        asked: asked(call)?,
        activity: activity_id(row, first + 2)?,
        version: row.number(first + 3)?,
        ordinal: row.number(first + 4)?,
        day: Day::from_number(row.number(first + 5)?),
        award: AwardId::new(row.number(first + 6)?).ok_or_else(|| out_of_range(first + 6))?,
        award_title: Arc::from(row.text(first + 7)?),
        award_index: row.number(first + 8)?,
        rule: Rule::from_name(row.text(first + 9)?).ok_or_else(|| out_of_range(first + 9))?,
        stocked: row.integer(first + 10)? != 0,
        promise: promise(row, first + 11)?,
        config: Some(row.text(first + 13)?)
            .filter(|config| !config.is_empty())
            .map(Arc::from),
        created_at: call.created_at,
    })
}

/// What an order promises, in two columns.
fn promise(row: &impl Columns, first: usize) -> Result<Option<Promise>, StoreError> {
    let points = || {
        let points = Points::from_hundredths(row.number(first + 1)?);
        points.ok_or_else(|| out_of_range(first + 1))
    };
    Ok(match row.integer(first)? {
        0 => None,
        1 => Some(Promise::Nothing),
        2 => Some(Promise::Points(points()?)),
        3 => Some(Promise::Delivery),
        _ => return Err(out_of_range(first)),
    })
}

/// An order's index among those of its call.
fn index_in(call: &Call, id: OrderId) -> Option<u8> {
    let index = super::calls::ids_of(call).position(|of_call| of_call == id)?;
    u8::try_from(index).ok()
}

fn asked(call: &Call) -> Result<DrawCount, StoreError> {
    let asked = u8::try_from(call.asked).ok();
    asked
        .and_then(|asked| DrawCount::new(asked).ok())
        .ok_or_else(|| StoreError::Data("a call for draws asks for a wrong number".to_owned()))
}

/// An order as it stands, for the audit, and what its call says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredOrder {
    pub(crate) activity: i64,
    pub(crate) ordinal: i64,
    pub(crate) id: i64,
    pub(crate) version: i64,
    pub(crate) day: i64,
    pub(crate) award: i64,
    pub(crate) award_title: Box<str>,
    pub(crate) award_index: i64,
    pub(crate) rule: Box<str>,
    pub(crate) stocked: i64,
    pub(crate) promise: i64,
    pub(crate) points: i64,
    pub(crate) created_at_ms: i64,
    pub(crate) request: Box<str>,
    pub(crate) seq: i64,
    pub(crate) asked: i64,
}

impl StoredOrder {
    /// The order in a row, which has this index in its call.
    pub(crate) fn of(row: &impl Columns, call: &StoredCall, seq: i64) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.integer(0)?,
            activity: row.integer(2)?,
            version: row.integer(3)?,
            ordinal: row.integer(4)?,
            day: row.integer(5)?,
            award: row.integer(6)?,
            award_title: row.text(7)?.into(),
            award_index: row.integer(8)?,
            rule: row.text(9)?.into(),
            stocked: row.integer(10)?,
            promise: row.integer(11)?,
            points: row.integer(12)?,
            created_at_ms: call.created_at_ms,
            request: call.request.clone(),
            seq,
            asked: call.asked,
        })
    }
}

/// Calls for one draw and for several, some of which got fewer.
#[cfg(test)]
pub(crate) fn examples() -> Vec<market::MadeCall> {
    let mut ids = super::examples::Ids::of(market::Kind::Draw);
    let promises = [
        Some(Promise::Points(Points::MAX)),
        None,
        Some(Promise::Nothing),
        Some(Promise::Delivery),
    ];
    let call = |(user, request, asked, made): (&str, &str, u8, u8)| {
        let user = UserId::new(user).expect("a user");
        let order = |seq| Order {
            id: ids.next(&user),
            user: user.clone(),
            request: market::RequestId::new(request).expect("a key"),
            seq,
            asked: DrawCount::new(asked).expect("a count"),
            activity: market::ActivityId::new(100_301).expect("an id"),
            version: u32::MAX,
            ordinal: 7 + u32::from(seq),
            day: Day::from_number(20_261_121),
            award: AwardId::new(101).expect("an id"),
            award_title: Arc::from("随机积分 \"1\" \\ '; --"),
            award_index: 8,
            rule: Rule::Luck,
            stocked: false,
            promise: promises[usize::from(seq) % promises.len()],
            config: (seq == 1).then(|| Arc::from("1,100")),
            created_at: jiff::Timestamp::from_millisecond(1_795_000_000_123).expect("a time"),
        };
        market::MadeCall::of_orders((0..made).map(order).collect::<Vec<_>>())
    };
    let calls = [
        ("drawer", "one", 1, 1),
        ("漢字", "ten", 10, 10),
        ("a b", "~few~", 10, 3),
    ];
    calls.into_iter().map(call).collect()
}
