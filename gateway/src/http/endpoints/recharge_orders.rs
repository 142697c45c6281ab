//! What a user was given or has bought beside prizes, page by page, the newest first.
use std::num::NonZeroU32;

use jiff::tz::TimeZone;
use market::campaign::Catalogue;
use market::points::Amount;
use market::{ActivityId, RechargeOrder, RequestId, SkuId, UserId};
use serde::Serialize;
use shards::{FoundRecharges, RechargesPage};

use super::draw_record::zone_of;
use crate::answer::{Data, Endpoint, Failure};
use crate::desk::Desk;
use crate::http::fields::FieldName;
use crate::http::route::{About, EndpointAnswer, EndpointRequest, Methods, Route, Serve};
use crate::text::rfc_3339;

/// `GET activity/recharge_orders`
pub const ROUTE: Route = Route {
    endpoint: Endpoint::RechargeOrders,
    paths: &[("activity/recharge_orders", None)],
    methods: Methods::Read,
    takes: &[FieldName::User, FieldName::Limit, FieldName::Before],
    about: About::User,
    serve: Serve::Read(|desk, asked| Box::pin(serve(desk, asked))),
};

async fn serve(desk: &Desk, asked: &EndpointRequest<'_>) -> Result<EndpointAnswer, Failure> {
    let (user, page) = decode(desk, asked)?;
    let found = desk.recharges_page(&user, page).await?;
    Ok(encode(&found, &desk.catalogue()).into())
}

fn decode(desk: &Desk, asked: &EndpointRequest<'_>) -> Result<(UserId, RechargesPage), Failure> {
    let user = asked.reading_user(desk)?;
    let page = RechargesPage {
        size: asked.fields.limit()?,
        before: asked.fields.before()?,
    };
    Ok((user, page))
}

#[derive(Serialize)]
struct RechargesView<'a> {
    records: Vec<RechargeView<'a>>,
    next: Option<String>,
}

/// A recharge order, by the names that exported results have.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RechargeView<'a> {
    order_id: String,
    /// Null for what an application reported: no caller can ask by that key.
    request_id: Option<&'a str>,
    activity_id: Option<u64>,
    kind: &'static str,
    sku: Option<u64>,
    chances: u32,
    points: Option<Amount>,
    behaviour: Option<&'a str>,
    business_no: Option<&'a str>,
    streak: Option<u32>,
    created_at: String,
}

impl<'a> RechargeView<'a> {
    /// A recharge order, with its time in the zone of its activity, or in UTC without one.
    fn new(order: &'a RechargeOrder, catalogue: &Catalogue) -> Self {
        let zone = order.activity.map(|activity| zone_of(activity, catalogue));
        let reward = order.kind.reward();
        let request = Some(&order.request).filter(|request| !request.is_of_reward());
        Self {
            order_id: order.id.to_string(),
            request_id: request.map(RequestId::as_str),
            activity_id: order.activity.map(ActivityId::get),
            kind: order.kind.name(),
            sku: order.kind.sku().map(SkuId::get),
            chances: order.chances,
            points: order.points,
            behaviour: reward.map(|reward| reward.behaviour.as_str()),
            business_no: reward.map(|reward| reward.number.as_str()),
            streak: reward.and_then(|reward| reward.streak.map(NonZeroU32::get)),
            created_at: rfc_3339(order.created_at, &zone.unwrap_or(TimeZone::UTC)),
        }
    }
}

fn encode(found: &FoundRecharges, catalogue: &Catalogue) -> Data {
    let views = found.orders.iter();
    let views = views.map(|order| RechargeView::new(order, catalogue));
    Data::new(&RechargesView {
        records: views.collect(),
        next: found.next.map(|order| order.to_string()),
    })
}
