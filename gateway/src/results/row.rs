//! The fields of a row: of a draw, of a recharge order, of an entry of a ledger.
use std::num::NonZeroU32;
use std::str::FromStr;

use jiff::tz::TimeZone;
use market::campaign::Campaign;
use market::draw::Promise;
use market::points::{Amount, Points, PointsEntry};
use market::{ActivityId, Order, RechargeOrder, RequestId, SkuId};
use serde::Serialize;

use super::csv::Cell;
use crate::text::rfc_3339;

/// How far the delivery of a prize is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum PrizeState {
    /// Nothing is to be delivered.
    None,
    /// The prize has a distributor, and waits for it.
    Created,
}

/// A word that is no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected none or created")]
pub struct InvalidState;

impl PrizeState {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Created => "created",
        }
    }

    /// That of an order. Orders from before promise nothing.
    pub const fn of(order: &Order) -> Self {
        match order.promise {
            None | Some(Promise::Nothing) => Self::None,
            Some(Promise::Points(_) | Promise::Delivery) => Self::Created,
        }
    }
}

impl FromStr for PrizeState {
    type Err = InvalidState;

    fn from_str(text: &str) -> Result<Self, InvalidState> {
        [Self::None, Self::Created]
            .into_iter()
            .find(|state| state.name() == text)
            .ok_or(InvalidState)
    }
}

/// A row of a file: what it is called, and what is in it.
pub trait Row: Serialize {
    /// The names of its fields, in their order.
    const FIELDS: &'static [&'static str];

    /// Its fields as cells.
    fn cells(&self) -> Vec<Cell<'_>>;
}

/// A draw.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DrawRow<'a> {
    pub order_id: String,
    pub request_id: &'a str,
    pub user_id: &'a str,
    pub award_id: u64,
    pub award_title: &'a str,
    /// Null where the version cannot be read.
    pub award_config: Option<&'a str>,
    /// The points that it paid; null for other prizes.
    pub award_amount: Option<Points>,
    pub state: PrizeState,
    pub rule: &'static str,
    pub version: u32,
    pub ordinal: u32,
    pub stocked: bool,
    pub created_at: String,
}

impl<'a> DrawRow<'a> {
    /// The row of an order that was drawn under this version of its campaign.
    pub fn new(order: &'a Order, campaign: Option<&'a Campaign>, zone: &TimeZone) -> Self {
        let config = |campaign: &'a Campaign| order.config_in(&campaign.strategy);
        Self {
            order_id: order.id.to_string(),
            request_id: order.request.as_str(),
            user_id: order.user.as_str(),
            award_id: order.award.get(),
            award_title: &order.award_title,
            award_config: campaign.and_then(config),
            award_amount: order.points(),
            state: PrizeState::of(order),
            rule: order.rule.name(),
            version: order.version,
            ordinal: order.ordinal,
            stocked: order.stocked,
            created_at: rfc_3339(order.created_at, zone),
        }
    }
}

impl Row for DrawRow<'_> {
    const FIELDS: &'static [&'static str] = &[
        "orderId",
        "requestId",
        "userId",
        "awardId",
        "awardTitle",
        "awardConfig",
        "awardAmount",
        "state",
        "rule",
        "version",
        "ordinal",
        "stocked",
        "createdAt",
    ];

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            Cell::Plain(&self.order_id),
            Cell::Text(self.request_id),
            Cell::Text(self.user_id),
            Cell::Number(self.award_id),
            Cell::Text(self.award_title),
            self.award_config.map_or(Cell::Empty, Cell::Text),
            self.award_amount.map_or(Cell::Empty, Cell::Points),
            Cell::Plain(self.state.name()),
            Cell::Plain(self.rule),
            Cell::Number(self.version.into()),
            Cell::Number(self.ordinal.into()),
            Cell::Bool(self.stocked),
            Cell::Plain(&self.created_at),
        ]
    }
}

/// What a user was given or has bought beside prizes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RechargeRow<'a> {
    pub order_id: String,
    /// None for reports: their key is their behaviour and number.
    pub request_id: Option<&'a str>,
    pub user_id: &'a str,
    pub kind: &'static str,
    pub sku: Option<u64>,
    pub chances: u32,
    pub points: Option<Amount>,
    pub behaviour: Option<&'a str>,
    pub business_no: Option<&'a str>,
    pub streak: Option<u32>,
    pub created_at: String,
}

impl<'a> RechargeRow<'a> {
    /// The row of a recharge order.
    pub fn new(order: &'a RechargeOrder, zone: &TimeZone) -> Self {
        let reward = order.kind.reward();
        let request = Some(&order.request).filter(|request| !request.is_of_reward());
        Self {
            order_id: order.id.to_string(),
            request_id: request.map(RequestId::as_str),
            user_id: order.user.as_str(),
            kind: order.kind.name(),
            sku: order.kind.sku().map(SkuId::get),
            chances: order.chances,
            points: order.points,
            behaviour: reward.map(|reward| reward.behaviour.as_str()),
            business_no: reward.map(|reward| reward.number.as_str()),
            streak: reward.and_then(|reward| reward.streak.map(NonZeroU32::get)),
            created_at: rfc_3339(order.created_at, zone),
        }
    }
}

impl Row for RechargeRow<'_> {
    const FIELDS: &'static [&'static str] = &[
        "orderId",
        "requestId",
        "userId",
        "kind",
        "sku",
        "chances",
        "points",
        "behaviour",
        "businessNo",
        "streak",
        "createdAt",
    ];

    fn cells(&self) -> Vec<Cell<'_>> {
        let streak = self.streak.map(u64::from);
        vec![
            Cell::Plain(&self.order_id),
            self.request_id.map_or(Cell::Empty, Cell::Text),
            Cell::Text(self.user_id),
            Cell::Plain(self.kind),
            self.sku.map_or(Cell::Empty, Cell::Number),
            Cell::Number(self.chances.into()),
            self.points.map_or(Cell::Empty, Cell::Amount),
            self.behaviour.map_or(Cell::Empty, Cell::Text),
            self.business_no.map_or(Cell::Empty, Cell::Text),
            streak.map_or(Cell::Empty, Cell::Number),
            Cell::Plain(&self.created_at),
        ]
    }
}

/// An entry of a user's ledger of points.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryRow<'a> {
    pub user_id: &'a str,
    pub entry_id: String,
    pub trade_name: &'static str,
    pub trade_type: &'static str,
    pub amount: Amount,
    pub balance: Points,
    pub business_no: &'a str,
    pub created_at: String,
    pub activity_id: Option<u64>,
}

impl<'a> EntryRow<'a> {
    /// The row of an entry.
    pub fn new(entry: &'a PointsEntry, zone: &TimeZone) -> Self {
        let is_taken = entry.amount.hundredths() < 0;
        Self {
            user_id: entry.user.as_str(),
            entry_id: entry.number.to_string(),
            trade_name: entry.trade.name(),
            trade_type: if is_taken { "reverse" } else { "forward" },
            amount: entry.amount,
            balance: entry.balance,
            business_no: entry.business.as_str(),
            created_at: rfc_3339(entry.created_at, zone),
            activity_id: entry.activity.map(ActivityId::get),
        }
    }
}

impl Row for EntryRow<'_> {
    const FIELDS: &'static [&'static str] = &[
        "userId",
        "entryId",
        "tradeName",
        "tradeType",
        "amount",
        "balance",
        "businessNo",
        "createdAt",
        "activityId",
    ];

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            Cell::Text(self.user_id),
            Cell::Plain(&self.entry_id),
            Cell::Plain(self.trade_name),
            Cell::Plain(self.trade_type),
            Cell::Amount(self.amount),
            Cell::Points(self.balance),
            Cell::Text(self.business_no),
            Cell::Plain(&self.created_at),
            self.activity_id.map_or(Cell::Empty, Cell::Number),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;
    use market::calendar::Day;
    use market::draw::Rule;
    use market::points::Trade;
    use market::recharge::{RechargeKind, RewardFor};
    use market::{AwardId, Behaviour, BusinessNumber, DrawCount, OrderId, RequestId, UserId};
    use serde_json::Value;
    use shards::results::ResultKind;

    use super::super::sheet::{Format, Sheet};
    use super::*;

    /// Both the award and the luck nodes of the trees have a parameter for award 101.
    const DEMO: &str = include_str!("../../../deploy/campaigns/100301.toml");

    fn order(award: u64, rule: Rule) -> Order {
        Order {
            id: OrderId::new(34_359_740_074).expect("an id"),
            user: UserId::new("@u, \"1\"").expect("a user"),
            request: RequestId::new("-k").expect("a key"),
            seq: 0,
            asked: DrawCount::ONE,
            activity: ActivityId::new(100_301).expect("an id"),
            version: 3,
            ordinal: 7,
            day: Day::from_number(20_261_130),
            award: AwardId::new(award).expect("an id"),
            award_title: Arc::from("=title"),
            award_index: 1,
            rule,
            stocked: true,
            promise: Some(Promise::Delivery),
            config: None,
            created_at: Timestamp::from_millisecond(1_796_000_000_120).expect("a time"),
        }
    }

    fn sheet(format: Format) -> Sheet {
        Sheet {
            format,
            byte_order_mark: false,
            zone: TimeZone::get("Asia/Shanghai").expect("a zone"),
            state: None,
        }
    }

    #[test]
    fn objects_have_the_fields_in_their_order_and_texts_as_they_are() {
        let campaign = Campaign::parse(DEMO).expect("valid");
        let mut line = String::new();
        sheet(Format::Ndjson).add_draw(&mut line, &order(102, Rule::Default), Some(&campaign));
        let expected = "{\"orderId\":\"34359740074\",\"requestId\":\"-k\",\
            \"userId\":\"@u, \\\"1\\\"\",\"awardId\":102,\"awardTitle\":\"=title\",\
            \"awardConfig\":\"5\",\"awardAmount\":null,\"state\":\"created\",\
            \"rule\":\"rule_default\",\"version\":3,\"ordinal\":7,\"stocked\":true,\
            \"createdAt\":\"2026-11-30T12:53:20.12+08:00\"}\n";
        let read = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        let (found, wanted) = (read(&line), read(expected));
        for field in DrawRow::FIELDS.iter().filter(|name| **name != "createdAt") {
            assert_eq!(found[field], wanted[field], "{field}");
        }
        let at = |field: &&str| line.find(&format!("\"{field}\":")).expect("a field");
        let places: Vec<usize> = DrawRow::FIELDS.iter().map(at).collect();
        assert!(places.is_sorted(), "{line}");
        let created_at = found["createdAt"].as_str().expect("a text");
        assert!(created_at.ends_with("+08:00"), "{created_at}");
        let at: Timestamp = created_at.parse().expect("RFC 3339");
        assert_eq!(at, order(102, Rule::Default).created_at);
    }

    #[test]
    fn lines_of_csv_are_safe_and_have_all_fields() {
        let campaign = Campaign::parse(DEMO).expect("valid");
        let sheet = sheet(Format::Csv);
        assert_eq!(
            sheet.head(ResultKind::Draws),
            format!("{}\n", DrawRow::FIELDS.join(","))
        );
        let mut line = String::new();
        sheet.add_draw(&mut line, &order(102, Rule::Default), Some(&campaign));
        let begin =
            "34359740074,'-k,\"'@u, \"\"1\"\"\",102,'=title,5,,created,rule_default,3,7,true,";
        assert!(line.starts_with(begin), "{line}");
    }

    #[test]
    fn points_that_were_paid_are_an_amount() {
        let points = Points::from_hundredths(1_230);
        let paid = Order {
            promise: points.map(Promise::Points),
            ..order(102, Rule::Default)
        };
        let mut line = String::new();
        sheet(Format::Ndjson).add_draw(&mut line, &paid, None);
        assert!(line.contains("\"awardAmount\":12.3,"), "{line}");
        line.clear();
        sheet(Format::Csv).add_draw(&mut line, &paid, None);
        assert!(line.contains(",12.30,"), "{line}");
    }

    #[test]
    fn a_configuration_is_that_of_the_node_that_gave_the_prize() {
        let campaign = Campaign::parse(DEMO).expect("valid");
        let trees = campaign.strategy.trees.iter();
        let mut nodes = trees.flat_map(market::tree::Tree::luck_awards);
        let (award, config) = nodes.next().expect("a luck node");
        let given = Order {
            promise: None,
            ..order(campaign.strategy.award(award).id.get(), Rule::Luck)
        };
        assert_eq!(given.config_in(&campaign.strategy), Some(config));
        let drawn = Order {
            rule: Rule::Default,
            ..given
        };
        let own = campaign.strategy.award(award).config.as_str();
        assert_eq!(drawn.config_in(&campaign.strategy), Some(own));
        assert_eq!(order(999, Rule::Luck).config_in(&campaign.strategy), None);
        let zone = TimeZone::UTC;
        let unknown = order(102, Rule::Default);
        let unknown = DrawRow::new(&unknown, None, &zone);
        assert_eq!(
            (unknown.award_config, unknown.state),
            (None, PrizeState::Created)
        );
    }

    #[test]
    fn points_are_shown_and_orders_from_before_promise_nothing() {
        let paid = Points::from_hundredths(1_250).expect("an amount");
        let row = |promise| {
            let order = Order {
                promise,
                ..order(101, Rule::Default)
            };
            let row = DrawRow::new(&order, None, &TimeZone::UTC);
            (row.award_amount, row.state)
        };
        assert_eq!(row(None), (None, PrizeState::None));
        assert_eq!(row(Some(Promise::Nothing)), (None, PrizeState::None));
        let of_points = (Some(paid), PrizeState::Created);
        assert_eq!(row(Some(Promise::Points(paid))), of_points);
    }

    #[test]
    fn recharges_and_entries_have_all_fields() {
        let points = |hundredths| Points::from_hundredths(hundredths).expect("an amount");
        let entry = PointsEntry {
            user: UserId::new("=u").expect("a user"),
            number: 7,
            trade: Trade::Exchange,
            activity: ActivityId::new(100_301),
            amount: Amount::take(points(150)),
            balance: points(5),
            business: BusinessNumber::new("34359740074").expect("a number"),
            created_at: order(1, Rule::Luck).created_at,
        };
        let mut line = String::new();
        let csv = sheet(Format::Csv);
        csv.add_entry(&mut line, &entry);
        let begin = "'=u,7,exchange,reverse,-1.50,0.05,34359740074,2026-11-30T";
        assert!(
            line.starts_with(begin) && line.ends_with(",100301\n"),
            "{line}"
        );
        let head = |kind| csv.head(kind).trim_end().to_owned();
        assert_eq!(head(ResultKind::Points), EntryRow::FIELDS.join(","));
        assert_eq!(head(ResultKind::Recharges), RechargeRow::FIELDS.join(","));
        let reward = RewardFor {
            behaviour: Behaviour::sign(),
            number: BusinessNumber::new("20261130").expect("a number"),
            sku: SkuId::new(9_901),
            streak: NonZeroU32::new(7),
        };
        let recharge = RechargeOrder {
            id: OrderId::new(34_359_740_074).expect("an id"),
            user: UserId::new("u").expect("a user"),
            request: RequestId::new("-k").expect("a key"),
            activity: ActivityId::new(100_301),
            kind: RechargeKind::Reward(reward),
            chances: 1,
            points: None,
            created_at: entry.created_at,
        };
        let mut line = String::new();
        csv.add_recharge(&mut line, &recharge);
        let begin = "34359740074,'-k,u,rebate_no_pay_trade,9901,1,,sign,20261130,7,2026-";
        assert!(line.starts_with(begin), "{line}");
        let mut object = String::new();
        sheet(Format::Ndjson).add_entry(&mut object, &entry);
        let object: Value = serde_json::from_str(&object).expect("JSON");
        let fields = object.as_object().expect("an object").len();
        assert_eq!((&object["amount"], fields), (&(-1.5).into(), 9));
    }

    #[test]
    fn draws_in_another_state_are_left_out() {
        let campaign = Campaign::parse(DEMO).expect("valid");
        let of_created = Sheet {
            state: Some(PrizeState::None),
            ..sheet(Format::Csv)
        };
        let mut lines = String::new();
        let is_in = of_created.add_draw(&mut lines, &order(102, Rule::Default), Some(&campaign));
        assert_eq!((is_in, lines.as_str()), (false, ""));
        assert_eq!("created".parse(), Ok(PrizeState::Created));
        assert_eq!("Created".parse::<PrizeState>(), Err(InvalidState));
    }
}
