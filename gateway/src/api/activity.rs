//! Endpoints of activities: draw, its record, a user's chances, what is loaded.
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use market::calendar::Day;
use market::campaign::{Campaign, Catalogue, Published, Stage};
use market::chances::Account;
use market::{ActivityId, DrawCount, Order, Orders};
use serde::Serialize;
use shards::{OrderKey, Shards};

use super::answer::{Data, Failure, Outcome};
use super::code::Code;
use super::fields::{Fields, Name};
use crate::identity::Caller;

/// What a draw gave.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Drawn<'a> {
    award_id: u64,
    award_title: &'a str,
    award_index: u32,
    order_id: String,
}

impl<'a> From<&'a Order> for Drawn<'a> {
    fn from(order: &'a Order) -> Self {
        Self {
            award_id: order.award.get(),
            award_title: &order.award_title,
            award_index: order.award_index,
            order_id: order.id.to_string(),
        }
    }
}

/// What a call for several draws gave, in the order in which they were drawn.
#[derive(Serialize)]
struct DrawnTogether<'a> {
    draws: Vec<Drawn<'a>>,
}

impl<'a> From<&'a [Order]> for DrawnTogether<'a> {
    fn from(orders: &'a [Order]) -> Self {
        Self {
            draws: orders.iter().map(Drawn::from).collect(),
        }
    }
}

/// The same under the name that clients of the paths for ten draws read, too.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TenDrawn<'a> {
    draws: &'a [Drawn<'a>],
    draw_results: &'a [Drawn<'a>],
}

/// What the answer to a draw looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DrawnForm {
    /// One draw.
    One,
    /// A list: the call has named a `count`, whatever it was.
    List,
    /// A list under two names: the path stands for ten draws.
    Ten,
}

/// `POST activity/draw`
pub(super) fn drawn(orders: &Orders, form: DrawnForm) -> Data {
    match form {
        DrawnForm::One => Data::new(&Drawn::from(&orders[0])),
        DrawnForm::List => Data::new(&DrawnTogether::from(&**orders)),
        DrawnForm::Ten => {
            let DrawnTogether { draws } = DrawnTogether::from(&**orders);
            Data::new(&TenDrawn {
                draws: &draws,
                draw_results: &draws,
            })
        }
    }
}

/// Draws that were made earlier.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a, T> {
    #[serde(flatten)]
    drawn: T,
    activity_id: u64,
    request_id: &'a str,
    state: &'static str,
    created_at: String,
}

impl<'a, T> Record<'a, T> {
    /// The record of a call, as its first order tells it.
    fn new(drawn: T, order: &'a Order, zone: &TimeZone) -> Self {
        Self {
            drawn,
            activity_id: order.activity.get(),
            request_id: order.request.as_str(),
            state: "created",
            created_at: rfc_3339(order.created_at, zone),
        }
    }
}

/// `GET activity/draw_record`: by its order one draw, by its request a call as it was answered.
pub(super) async fn draw_record(shards: &Shards, caller: &Caller, fields: &Fields<'_>) -> Outcome {
    let user = fields.user(caller)?;
    let key = match (fields.request()?, fields.order()?) {
        (Some(request), None) => OrderKey::Request(request),
        (None, Some(order)) => OrderKey::Order(order),
        (None, None) => {
            return Err(Failure::field(
                "requestId",
                "is missing; orderId would do as well",
            ));
        }
        (Some(_), Some(_)) => {
            return Err(Failure::field(
                "orderId",
                "give either requestId or orderId",
            ));
        }
    };
    let by_request = matches!(key, OrderKey::Request(_));
    let orders = shards.orders(&user, key).await?;
    record(&orders, by_request, &shards.catalogue()).ok_or_else(|| Code::RecordUnknown.into())
}

/// The record of draws that were made earlier: of a call as it was answered, or of one draw. `None`
/// where there are none.
pub fn record(orders: &[Order], by_request: bool, catalogue: &Catalogue) -> Option<Data> {
    let order = orders.first()?;
    let published = catalogue.activity(order.activity);
    let zone = published.map_or(TimeZone::UTC, |published| {
        published.campaign.activity.time_zone.clone()
    });
    Some(if by_request && order.asked > DrawCount::ONE {
        Data::new(&Record::new(DrawnTogether::from(orders), order, &zone))
    } else {
        Data::new(&Record::new(Drawn::from(order), order, &zone))
    })
}

/// The time in its zone, with the zone's offset.
fn rfc_3339(at: Timestamp, zone: &TimeZone) -> String {
    at.display_with_offset(zone.to_offset(at)).to_string()
}

/// A user's chances. What is left is what can be drawn now: pages show the day's as "draws you
/// have".
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AccountView {
    total_count: u32,
    total_count_surplus: u32,
    day_count: u32,
    day_count_surplus: u32,
    month_count: u32,
    month_count_surplus: u32,
}

/// `POST activity/query_user_activity_account`
pub(super) async fn account(shards: &Shards, caller: &Caller, fields: &Fields<'_>) -> Outcome {
    let (campaign, account) = account_today(shards, caller, fields).await?;
    Ok(account_view(&campaign, account))
}

/// The chances of an account as of the day that it is brought to.
pub fn account_view(published: &Published, account: Account) -> Data {
    let chances = published.campaign.chances;
    let left = account.left(chances);
    Data::new(&AccountView {
        total_count: account.granted,
        total_count_surplus: left.total,
        day_count: chances.day_limit,
        day_count_surplus: left.today,
        month_count: chances.month_limit,
        month_count_surplus: left.this_month,
    })
}

/// The campaign and the account that a request names, as of today. Who has never drawn has the
/// welcome chances.
pub(super) async fn account_today(
    shards: &Shards,
    caller: &Caller,
    fields: &Fields<'_>,
) -> Result<(Arc<Published>, Account), Failure> {
    let (user, activity) = (fields.user(caller)?, fields.activity()?);
    let published = shards
        .catalogue()
        .activity(activity)
        .cloned()
        .ok_or(Code::ActivityUnknown)?;
    let stored = shards.account(&user, activity).await?;
    let account = today(&published, stored);
    Ok((published, account))
}

/// An account as of today. Who has never drawn has the welcome chances.
pub fn today(published: &Published, stored: Option<Account>) -> Account {
    let Campaign {
        chances, activity, ..
    } = &published.campaign;
    let account = stored.unwrap_or_else(|| Account::new(*chances));
    account.on(Day::of(Timestamp::now(), &activity.time_zone))
}

/// `GET activity/armory`: says that the campaign is loaded, and changes nothing.
pub(super) fn armory(shards: &Shards, fields: &Fields<'_>) -> Outcome {
    let activity = fields.activity()?;
    let catalogue = shards.catalogue();
    catalogue
        .activity(activity)
        .map(|_| Data::new(&true))
        .ok_or_else(|| Code::ActivityUnknown.into())
}

/// `GET activity/query_stage_activity_id`: null where nothing is shown, as in the reference.
pub(super) fn stage(shards: &Shards, fields: &Fields<'_>) -> Outcome {
    let stage = Stage {
        channel: fields.text(Name::Channel)?,
        source: fields.text(Name::Source)?,
    };
    Ok(Data::new(
        &shards.catalogue().stage(&stage).map(ActivityId::get),
    ))
}
