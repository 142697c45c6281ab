//! A user's chances.
use market::campaign::Published;
use market::chances::Account;
use market::{ActivityId, UserId};
use serde::Serialize;

use crate::answer::{Data, Endpoint, Failure};
use crate::desk::Desk;
use crate::http::fields::FieldName;
use crate::http::route::{About, EndpointAnswer, EndpointRequest, Methods, Route, Serve};

/// `POST activity/query_user_activity_account`
pub const ROUTE: Route = Route {
    endpoint: Endpoint::Account,
    paths: &[("activity/query_user_activity_account", None)],
    methods: Methods::Read,
    takes: &[FieldName::User, FieldName::Activity],
    about: About::User,
    serve: Serve::Read(|desk, asked| Box::pin(serve(desk, asked))),
};

async fn serve(desk: &Desk, asked: &EndpointRequest<'_>) -> Result<EndpointAnswer, Failure> {
    let (user, activity) = decode(desk, asked)?;
    let (published, account) = desk.account_today(&user, activity).await?;
    Ok(Data::new(&AccountView::new(&published, account)).into())
}

fn decode(desk: &Desk, asked: &EndpointRequest<'_>) -> Result<(UserId, ActivityId), Failure> {
    Ok((asked.reading_user(desk)?, asked.fields.activity()?))
}

/// A user's chances. What is left is what can be drawn now: pages show the day's as "draws you
/// have".
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountView {
    total_count: u32,
    total_count_surplus: u32,
    day_count: u32,
    day_count_surplus: u32,
    month_count: u32,
    month_count_surplus: u32,
}

impl AccountView {
    /// The chances of an account as of the day that it is brought to.
    pub fn new(published: &Published, account: Account) -> Self {
        let chances = published.campaign.chances;
        let left = account.left(chances);
        Self {
            total_count: account.granted,
            total_count_surplus: left.total,
            day_count: chances.day_limit,
            day_count_surplus: left.today,
            month_count: chances.month_limit,
            month_count_surplus: left.this_month,
        }
    }
}
