//! `recharge_order_N`: what users were given or have bought beside prizes. What an account was
//! granted is its activity's welcome chances and the sum of its recharge orders.
use std::num::NonZeroU32;

use jiff::Timestamp;
use market::points::Amount;
use market::recharge::{RechargeKind, RewardFor};
use market::{
    ActivityId, Behaviour, BusinessNumber, OrderId, RechargeOrder, RequestId, SkuId, UserId,
};

use super::table::{NumberedTable, OfUsers, ReadLast, Table};
use crate::store::rows::{number, optional_activity_id, order_id, user_id};
use crate::store::statements::numbered_statements;
use crate::store::{Columns, Rows, StoreError, Value, out_of_range};

numbered_statements! {
    /// Statements on recharge orders.
    RechargeOrderStatements in "recharge_orders" {
        /// Writes recharge orders.
        insert,
        /// `[order, ...]` -> recharge orders.
        of_ids,
        /// `[[user, order]]` -> the recharge order's call, and the recharge order.
        find,
        /// The greatest id; 0 without any.
        read_last,
    }
}

/// The table.
#[derive(Debug)]
pub(crate) struct RechargeOrders;

impl NumberedTable for RechargeOrders {
    const NAME: &'static str = "recharge_order";
    const READ_LAST: Option<ReadLast> =
        Some(|dialect, table| RechargeOrderStatements::of(dialect, table).read_last);
}

impl Table for RechargeOrders {
    type Key = OrderId;
    type Row = RechargeOrder;

    fn key(row: &RechargeOrder) -> OrderId {
        row.id
    }

    fn write<'r>(row: &'r RechargeOrder, rows: &mut Rows<'r>) {
        let reward = row.kind.reward();
        rows.push([
            number(row.id.get()),
            row.user.as_str().into(),
            row.request.as_str().into(),
            number(row.activity.map_or(0, ActivityId::get)),
            row.kind.name().into(),
            row.chances.into(),
            Value::Integer(row.created_at.as_millisecond()),
            Value::Integer(row.points.map_or(0, Amount::hundredths)),
            number(row.kind.sku().map_or(0, SkuId::get)),
            reward.map_or("", |reward| reward.behaviour.as_str()).into(),
            reward.map_or("", |reward| reward.number.as_str()).into(),
            reward
                .and_then(|reward| reward.streak)
                .map_or(0, NonZeroU32::get)
                .into(),
        ]);
    }
}

impl OfUsers for RechargeOrders {
    fn user(row: &Self::Row) -> &UserId {
        &row.user
    }
}

/// A whole row, whose columns begin with column `first`.
pub(crate) fn read(row: &impl Columns, first: usize) -> Result<RechargeOrder, StoreError> {
    let points = row.integer(first + 7)?;
    Ok(RechargeOrder {
        id: order_id(row, first)?,
        user: user_id(row, first + 1)?,
        request: RequestId::stored(row.text(first + 2)?).map_err(|_| out_of_range(first + 2))?,
        activity: optional_activity_id(row, first + 3)?,
        kind: kind(row, first)?,
        chances: row.number(first + 5)?,
        points: (points != 0).then(|| Amount::from_hundredths(points)),
        created_at: Timestamp::from_millisecond(row.integer(first + 6)?)
            .map_err(|_| out_of_range(first + 6))?,
    })
}

/// Why a recharge order is there: its columns kind, sku, behaviour, business number, streak.
fn kind(row: &impl Columns, first: usize) -> Result<RechargeKind, StoreError> {
    let sku = || Ok::<_, StoreError>(SkuId::new(row.number(first + 8)?));
    Ok(match row.text(first + 4)? {
        "operator" => RechargeKind::Operator,
        "freeze" => RechargeKind::Freeze,
        "unfreeze" => RechargeKind::Unfreeze,
        "credit_pay_trade" => {
            RechargeKind::Exchange(sku()?.ok_or_else(|| out_of_range(first + 8))?)
        }
        "rebate_no_pay_trade" => RechargeKind::Reward(RewardFor {
            behaviour: Behaviour::new(row.text(first + 9)?).map_err(|_| out_of_range(first + 9))?,
            number: BusinessNumber::new(row.text(first + 10)?)
                .map_err(|_| out_of_range(first + 10))?,
            sku: sku()?,
            streak: NonZeroU32::new(row.number(first + 11)?),
        }),
        _ => return Err(out_of_range(first + 4)),
    })
}

/// A recharge order as it stands, for the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredRecharge {
    pub(crate) id: i64,
    pub(crate) activity: i64,
    pub(crate) kind: Box<str>,
    pub(crate) chances: i64,
    pub(crate) points: i64,
    pub(crate) sku: i64,
    pub(crate) behaviour: Box<str>,
    pub(crate) business: Box<str>,
    pub(crate) streak: i64,
}

impl StoredRecharge {
    /// The recharge order in a row.
    pub(crate) fn of(row: &impl Columns) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.integer(0)?,
            activity: row.integer(3)?,
            kind: row.text(4)?.into(),
            chances: row.integer(5)?,
            points: row.integer(7)?,
            sku: row.integer(8)?,
            behaviour: row.text(9)?.into(),
            business: row.text(10)?.into(),
            streak: row.integer(11)?,
        })
    }
}

/// The call of this kind that made this recharge order, with it.
#[cfg(test)]
pub(crate) fn made_with(kind: market::Kind, order: RechargeOrder) -> market::MadeCall {
    let granted = kind == market::Kind::Grant;
    let call = market::Call {
        user: order.user.clone(),
        request: order.request.clone(),
        kind,
        activity: order.activity.filter(|_| granted),
        asked: if granted { order.chances.into() } else { 1 },
        first_id: order.id,
        made: 1,
        created_at: order.created_at,
    };
    let made = market::Made::Recharges([order].into());
    market::MadeCall { call, made }
}

/// Three calls of a kind, with odd values.
#[cfg(test)]
pub(crate) fn examples(kind: market::Kind) -> Vec<market::MadeCall> {
    use market::Kind;
    use market::points::Points;

    let mut ids = super::examples::Ids::of(kind);
    let sku = SkuId::new(u64::MAX >> 1).expect("an id");
    let reward = |sku, streak| {
        RechargeKind::Reward(RewardFor {
            behaviour: Behaviour::new("openai_pay").expect("a word"),
            number: BusinessNumber::new("漢 \"1\" \\ '; --").expect("a number"),
            sku,
            streak: NonZeroU32::new(streak),
        })
    };
    let points = Some(Amount::take(Points::MAX));
    let rows = match kind {
        Kind::Exchange => [
            (RechargeKind::Exchange(sku), 3, points),
            (RechargeKind::Exchange(sku), 1, None),
            (RechargeKind::Exchange(sku), u32::MAX, points),
        ],
        Kind::SignIn | Kind::Reward => [
            (reward(Some(sku), 0), 3, None),
            (reward(None, 7), 0, Some(Amount::add(Points::MAX))),
            (reward(None, 0), 0, Some(Amount::from_hundredths(1))),
        ],
        Kind::Points => [
            (RechargeKind::Operator, 0, points),
            (RechargeKind::Freeze, 0, None),
            (RechargeKind::Unfreeze, 0, None),
        ],
        Kind::Draw | Kind::Grant => [
            (RechargeKind::Operator, 3, None),
            (RechargeKind::Operator, u32::MAX, None),
            (RechargeKind::Operator, 1, None),
        ],
    };
    let name = format!("{kind:?}").to_lowercase();
    let users = [name.clone(), name.to_uppercase(), format!("{name}ù")];
    let made = |(user, (index, (why, chances, points))): (String, (usize, (_, u32, _)))| {
        let user = UserId::new(&user).expect("a user");
        let request = RequestId::new(["g", "G!", "g"][index]).expect("a key");
        let activity = market::ActivityId::new(100_301);
        made_with(
            kind,
            RechargeOrder {
                id: ids.next(&user),
                user,
                request,
                activity: activity.filter(|_| kind != Kind::Points),
                kind: why,
                chances,
                points,
                created_at: Timestamp::from_millisecond(1_795_000_000_123).expect("a time"),
            },
        )
    };
    users
        .into_iter()
        .zip(rows.into_iter().enumerate())
        .map(made)
        .collect()
}
