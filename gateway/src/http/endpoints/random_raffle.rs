//! A look into a strategy's pool: takes no stock and writes no order.
use serde::Serialize;

use crate::answer::{Data, Endpoint, Failure};
use crate::desk::Desk;
use crate::http::fields::FieldName;
use crate::http::route::{About, EndpointAnswer, EndpointRequest, Methods, Route, Serve};

/// `POST strategy/random_raffle`
pub const ROUTE: Route = Route {
    endpoint: Endpoint::RandomRaffle,
    paths: &[("strategy/random_raffle", None), ("random_raffle", None)],
    methods: Methods::Read,
    takes: &[FieldName::Strategy],
    about: About::NoUser,
    serve: Serve::Look(serve),
};

/// What a pool gave.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RandomAward {
    award_id: u64,
    award_index: u32,
}

fn serve(desk: &Desk, asked: &EndpointRequest<'_>) -> Result<EndpointAnswer, Failure> {
    let published = desk.strategy(asked.fields.strategy()?)?;
    let award = published.campaign.strategy.award(desk.sample(&published));
    let data = Data::new(&RandomAward {
        award_id: award.id.get(),
        award_index: award.sort,
    });
    Ok(data.into())
}
