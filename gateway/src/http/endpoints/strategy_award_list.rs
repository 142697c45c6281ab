//! The prizes of a strategy, for no particular user, as in the reference's first stage.
use crate::answer::{Data, Endpoint, Failure};
use crate::desk::Desk;
use crate::http::fields::FieldName;
use crate::http::route::{About, EndpointAnswer, EndpointRequest, Methods, Route, Serve};
use crate::http::views::awards::award_views;

/// `POST query_raffle_award_list`
pub const ROUTE: Route = Route {
    endpoint: Endpoint::StrategyAwardList,
    paths: &[("query_raffle_award_list", None)],
    methods: Methods::Read,
    takes: &[FieldName::Strategy],
    about: About::NoUser,
    serve: Serve::Read(|desk, asked| Box::pin(serve(desk, asked))),
};

async fn serve(desk: &Desk, asked: &EndpointRequest<'_>) -> Result<EndpointAnswer, Failure> {
    let published = desk.strategy(asked.fields.strategy()?)?;
    let awards = award_views(desk, &published.campaign, 0);
    Ok(Data::new(&awards.await).into())
}
