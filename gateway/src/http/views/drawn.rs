//! Draws that were made, as callers read them.
use market::{Order, Points};
use serde::Serialize;

/// What a draw gave.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drawn<'a> {
    award_id: u64,
    award_title: &'a str,
    award_index: u32,
    /// The points that it paid; absent for other prizes.
    #[serde(skip_serializing_if = "Option::is_none")]
    award_amount: Option<Points>,
    order_id: String,
}

impl<'a> From<&'a Order> for Drawn<'a> {
    fn from(order: &'a Order) -> Self {
        Self {
            award_id: order.award.get(),
            award_title: &order.award_title,
            award_index: order.award_index,
            award_amount: order.points(),
            order_id: order.id.to_string(),
        }
    }
}

/// What a call for several draws gave, in the order in which they were drawn.
#[derive(Serialize)]
pub struct DrawnTogether<'a> {
    pub draws: Vec<Drawn<'a>>,
}

impl<'a> From<&'a [Order]> for DrawnTogether<'a> {
    fn from(orders: &'a [Order]) -> Self {
        Self {
            draws: orders.iter().map(Drawn::from).collect(),
        }
    }
}
