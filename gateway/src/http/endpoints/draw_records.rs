//! A user's draws in an activity, page by page, the newest first.
use market::UserId;
use market::campaign::Catalogue;
use serde::Serialize;
use shards::{FoundPage, OrdersPage};

use super::draw_record::{Record, record};
use crate::answer::{Data, Endpoint, Failure};
use crate::desk::Desk;
use crate::http::fields::FieldName;
use crate::http::route::{About, EndpointAnswer, EndpointRequest, Methods, Route, Serve};
use crate::http::views::drawn::Drawn;

/// `GET activity/draw_records`
pub const ROUTE: Route = Route {
    endpoint: Endpoint::DrawRecords,
    paths: &[("activity/draw_records", None)],
    methods: Methods::Read,
    takes: &[
        FieldName::User,
        FieldName::Activity,
        FieldName::Limit,
        FieldName::Before,
    ],
    about: About::User,
    serve: Serve::Read(|desk, asked| Box::pin(serve(desk, asked))),
};

async fn serve(desk: &Desk, asked: &EndpointRequest<'_>) -> Result<EndpointAnswer, Failure> {
    let (user, page) = decode(desk, asked)?;
    if let Some(activity) = page.activity {
        desk.activity(activity)?;
    }
    let found = desk.orders_page(&user, page).await?;
    Ok(encode(&found, &desk.catalogue()).into())
}

fn decode(desk: &Desk, asked: &EndpointRequest<'_>) -> Result<(UserId, OrdersPage), Failure> {
    let user = asked.reading_user(desk)?;
    let page = OrdersPage {
        activity: Some(asked.fields.activity()?),
        size: asked.fields.limit()?,
        before: asked.fields.before()?,
    };
    Ok((user, page))
}

#[derive(Serialize)]
struct RecordsView<'a> {
    records: Vec<Record<'a, Drawn<'a>>>,
    next: Option<String>,
}

fn encode(found: &FoundPage, catalogue: &Catalogue) -> Data {
    let records = found.orders.iter().map(|order| record(order, catalogue));
    Data::new(&RecordsView {
        records: records.collect(),
        next: found.next.map(|order| order.to_string()),
    })
}
