//! The prizes of an activity, as a user sees them.
use crate::answer::{Data, Endpoint, Failure};
use crate::desk::Desk;
use crate::http::fields::FieldName;
use crate::http::route::{About, EndpointAnswer, EndpointRequest, Methods, Route, Serve};
use crate::http::views::awards::award_views;

/// `POST strategy/query_raffle_award_list`
pub const ROUTE: Route = Route {
    endpoint: Endpoint::AwardList,
    paths: &[("strategy/query_raffle_award_list", None)],
    methods: Methods::Read,
    takes: &[FieldName::User, FieldName::Activity],
    about: About::User,
    serve: Serve::Read(|desk, asked| Box::pin(serve(desk, asked))),
};

async fn serve(desk: &Desk, asked: &EndpointRequest<'_>) -> Result<EndpointAnswer, Failure> {
    let (user, activity) = (asked.reading_user(desk)?, asked.fields.activity()?);
    let (published, account) = desk.account_today(&user, activity).await?;
    let awards = award_views(desk, &published.campaign, account.day_used);
    Ok(Data::new(&awards.await).into())
}
