//! Draws that were made earlier: one by its order, a call by its request.
use jiff::tz::TimeZone;
use market::campaign::Catalogue;
use market::{ActivityId, DrawCount, Order, UserId};
use serde::Serialize;
use shards::OrderKey;

use crate::answer::{Code, Data, Endpoint, Failure};
use crate::desk::Desk;
use crate::http::fields::FieldName;
use crate::http::route::{About, EndpointAnswer, EndpointRequest, Methods, Route, Serve};
use crate::http::views::drawn::{Drawn, DrawnTogether};
use crate::text::rfc_3339;

/// `GET activity/draw_record`
pub const ROUTE: Route = Route {
    endpoint: Endpoint::DrawRecord,
    paths: &[("activity/draw_record", None)],
    methods: Methods::Read,
    takes: &[FieldName::User, FieldName::Request, FieldName::Order],
    about: About::User,
    serve: Serve::Read(|desk, asked| Box::pin(serve(desk, asked))),
};

async fn serve(desk: &Desk, asked: &EndpointRequest<'_>) -> Result<EndpointAnswer, Failure> {
    let (user, key) = decode(desk, asked)?;
    let by_request = matches!(key, OrderKey::Request(_));
    let orders = desk.orders(&user, key).await?;
    let data = encode(&orders, by_request, &desk.catalogue()).ok_or(Code::RecordUnknown)?;
    Ok(data.into())
}

fn decode(desk: &Desk, asked: &EndpointRequest<'_>) -> Result<(UserId, OrderKey), Failure> {
    let user = asked.reading_user(desk)?;
    let key = match (asked.fields.request()?, asked.fields.order()?) {
        (Some(request), None) => OrderKey::Request(request),
        (None, Some(order)) => OrderKey::Order(order),
        (None, None) => {
            return Err(Failure::field(
                FieldName::Request.as_str(),
                "is missing; orderId would do as well",
            ));
        }
        (Some(_), Some(_)) => {
            return Err(Failure::field(
                FieldName::Order.as_str(),
                "give either requestId or orderId",
            ));
        }
    };
    Ok((user, key))
}

/// The record of draws that were made earlier: of a call as it was answered, or of one draw. `None`
/// where there are none.
pub fn encode(orders: &[Order], by_request: bool, catalogue: &Catalogue) -> Option<Data> {
    let order = orders.first()?;
    Some(if by_request && order.asked > DrawCount::ONE {
        Data::new(&Record::new(DrawnTogether::from(orders), order, catalogue))
    } else {
        Data::new(&record(order, catalogue))
    })
}

/// The record of one draw.
pub fn record<'a>(order: &'a Order, catalogue: &Catalogue) -> Record<'a, Drawn<'a>> {
    Record::new(Drawn::from(order), order, catalogue)
}

/// The zone of an activity's times.
pub fn zone_of(activity: ActivityId, catalogue: &Catalogue) -> TimeZone {
    let published = catalogue.activity(activity);
    published.map_or(TimeZone::UTC, |published| {
        published.campaign.activity.time_zone.clone()
    })
}

/// Draws that were made earlier.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record<'a, T> {
    #[serde(flatten)]
    drawn: T,
    activity_id: u64,
    request_id: &'a str,
    state: &'static str,
    created_at: String,
}

impl<'a, T> Record<'a, T> {
    /// The record of a call, from its first order.
    fn new(drawn: T, order: &'a Order, catalogue: &Catalogue) -> Self {
        Self {
            drawn,
            activity_id: order.activity.get(),
            request_id: order.request.as_str(),
            state: "created",
            created_at: rfc_3339(order.created_at, &zone_of(order.activity, catalogue)),
        }
    }
}
