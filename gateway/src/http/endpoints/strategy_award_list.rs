//! The prizes of a strategy, for no particular user, as in the reference's first stage.
use crate::answer::{Data, Endpoint, Failure};
use crate::desk::Desk;
use crate::http::fields::Name;
use crate::http::route::{About, Asked, EndpointAnswer, Methods, Route, Serve};
use crate::http::views::awards::award_views;

/// `POST query_raffle_award_list`
pub const ROUTE: Route = Route {
    endpoint: Endpoint::StrategyAwardList,
    paths: &[("query_raffle_award_list", None)],
    methods: Methods::Read,
    takes: &[Name::Strategy],
    about: About::Nobody,
    serve: Serve::Look(serve),
};

fn serve(desk: &Desk, asked: &Asked<'_>) -> Result<EndpointAnswer, Failure> {
    let published = desk.strategy(asked.fields.strategy()?)?;
    Ok(Data::new(&award_views(&published.campaign.strategy, 0)).into())
}
