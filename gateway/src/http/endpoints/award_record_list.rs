//! A user's latest draws in all activities, as clients of the reference read them.
use market::campaign::Catalogue;
use market::{Order, UserId};
use serde::Serialize;
use shards::OrdersPage;

use super::draw_record::zone_of;
use crate::answer::{Data, Endpoint, Failure};
use crate::desk::Desk;
use crate::http::fields::FieldName;
use crate::http::route::{About, EndpointAnswer, EndpointRequest, Methods, Route, Serve};
use crate::text::rfc_3339;

/// `POST activity/query_user_award_record_list`
pub const ROUTE: Route = Route {
    endpoint: Endpoint::AwardRecordList,
    paths: &[("activity/query_user_award_record_list", None)],
    methods: Methods::Read,
    takes: &[FieldName::User, FieldName::Limit],
    about: About::User,
    serve: Serve::Read(|desk, asked| Box::pin(serve(desk, asked))),
};

async fn serve(desk: &Desk, asked: &EndpointRequest<'_>) -> Result<EndpointAnswer, Failure> {
    let (user, page) = decode(desk, asked)?;
    let found = desk.orders_page(&user, page).await?;
    Ok(encode(&found.orders, &desk.catalogue()).into())
}

fn decode(desk: &Desk, asked: &EndpointRequest<'_>) -> Result<(UserId, OrdersPage), Failure> {
    let user = asked.reading_user(desk)?;
    let page = OrdersPage {
        activity: None,
        size: asked.fields.limit()?,
        before: None,
    };
    Ok((user, page))
}

/// A draw by the reference's names.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AwardRecordView<'a> {
    user_id: &'a str,
    activity_id: u64,
    strategy_id: Option<u64>,
    order_id: String,
    award_id: u64,
    award_title: &'a str,
    award_time: String,
    /// The reference's word for what has not been delivered.
    award_state: &'static str,
}

fn encode(orders: &[Order], catalogue: &Catalogue) -> Data {
    let strategy = |order: &Order| {
        let published = catalogue.activity(order.activity);
        published.map(|published| published.campaign.strategy.id.get())
    };
    let views = orders.iter().map(|order| AwardRecordView {
        user_id: order.user.as_str(),
        activity_id: order.activity.get(),
        strategy_id: strategy(order),
        order_id: order.id.to_string(),
        award_id: order.award.get(),
        award_title: &order.award_title,
        award_time: rfc_3339(order.created_at, &zone_of(order.activity, catalogue)),
        award_state: "create",
    });
    Data::new(&views.collect::<Vec<_>>())
}
