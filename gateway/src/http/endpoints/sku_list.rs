//! The bundles of chances that an activity sells for points.
use market::ActivityId;
use market::campaign::Sku;
use market::points::Points;
use serde::Serialize;
use shards::stock::Left;

use crate::answer::{Data, Endpoint, Failure};
use crate::desk::Desk;
use crate::http::fields::FieldName;
use crate::http::route::{About, EndpointAnswer, EndpointRequest, Methods, Route, Serve};

/// `POST activity/query_sku_product_list_by_activity_id`
pub const ROUTE: Route = Route {
    endpoint: Endpoint::SkuList,
    paths: &[("activity/query_sku_product_list_by_activity_id", None)],
    methods: Methods::Read,
    takes: &[FieldName::Activity],
    about: About::NoUser,
    serve: Serve::Read(|desk, asked| Box::pin(serve(desk, asked))),
};

async fn serve(desk: &Desk, asked: &EndpointRequest<'_>) -> Result<EndpointAnswer, Failure> {
    let activity = asked.fields.activity()?;
    let published = desk.activity(activity)?;
    desk.refresh_left().await;
    let skus = published.campaign.skus.iter();
    let views = skus.map(|sku| {
        let total = desk.sku_total(activity, sku.id);
        SkuView::new(activity, sku, total, desk.sku_left(activity, sku.id))
    });
    Ok(Data::new(&views.collect::<Vec<_>>()).into())
}

/// A bundle of chances.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SkuView {
    sku: u64,
    activity_id: u64,
    /// The reference has a list of counts of its own. Here each sku has one.
    activity_count_id: u64,
    stock_count: u64,
    /// Null while nothing is known of it.
    stock_count_surplus: Option<u64>,
    product_amount: Points,
    activity_count: CountView,
}

/// How many chances a bundle has. It raises the total alone; clients of the reference show one of
/// the three.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the reference's names")]
struct CountView {
    total_count: u32,
    day_count: u32,
    month_count: u32,
}

impl SkuView {
    /// A sku, how many units of it there are in all, and how many are left.
    fn new(activity: ActivityId, sku: &Sku, total: Option<u64>, left: Left) -> Self {
        let left = match left {
            Left::Units { units, .. } => Some(units),
            Left::Unknown => None,
        };
        Self {
            sku: sku.id.get(),
            activity_id: activity.get(),
            activity_count_id: sku.id.get(),
            // The file counts what a sku begins with. Of two readings the later one may know more.
            stock_count: total.unwrap_or(sku.stock).max(left.unwrap_or(0)),
            stock_count_surplus: left,
            product_amount: Points::from_hundredths(sku.price_minor).unwrap_or(Points::MAX),
            activity_count: CountView {
                total_count: sku.chances,
                day_count: sku.chances,
                month_count: sku.chances,
            },
        }
    }
}
