//! The fields of a row: of a draw, and of a recharge order.
use std::str::FromStr;

use jiff::tz::TimeZone;
use market::campaign::Campaign;
use market::{Order, RechargeOrder};
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
    const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Created => "created",
        }
    }

    /// That of an order which was drawn under this version of its campaign. What its prize is
    /// delivered by is known from there.
    fn of(order: &Order, campaign: Option<&Campaign>) -> Self {
        let award = campaign.and_then(|campaign| order.award_in(&campaign.strategy));
        match award {
            Some(award) if !award.key.is_empty() => Self::Created,
            _ => Self::None,
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
    /// Null: no prize has points yet.
    pub award_amount: (),
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
            award_amount: (),
            state: PrizeState::of(order, campaign),
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
            Cell::Empty,
            Cell::Plain(self.state.name()),
            Cell::Plain(self.rule),
            Cell::Number(self.version.into()),
            Cell::Number(self.ordinal.into()),
            Cell::Bool(self.stocked),
            Cell::Plain(&self.created_at),
        ]
    }
}

/// Chances that were given.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RechargeRow<'a> {
    pub order_id: String,
    pub request_id: &'a str,
    pub user_id: &'a str,
    pub kind: &'static str,
    pub chances: u32,
    pub created_at: String,
}

impl<'a> RechargeRow<'a> {
    /// The row of a recharge order.
    pub fn new(order: &'a RechargeOrder, zone: &TimeZone) -> Self {
        Self {
            order_id: order.id.to_string(),
            request_id: order.request.as_str(),
            user_id: order.user.as_str(),
            kind: order.kind.name(),
            chances: order.chances,
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
        "chances",
        "createdAt",
    ];

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            Cell::Plain(&self.order_id),
            Cell::Text(self.request_id),
            Cell::Text(self.user_id),
            Cell::Plain(self.kind),
            Cell::Number(self.chances.into()),
            Cell::Plain(&self.created_at),
        ]
    }
}
