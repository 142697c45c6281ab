//! Says that a strategy is loaded, and changes nothing.
use crate::answer::{Data, Endpoint, Failure};
use crate::desk::Desk;
use crate::http::fields::Name;
use crate::http::route::{About, Asked, EndpointAnswer, Methods, Route, Serve};

/// `GET strategy/strategy_armory`
pub const ROUTE: Route = Route {
    endpoint: Endpoint::StrategyArmory,
    paths: &[
        ("strategy/strategy_armory", None),
        ("strategy/armory", None),
        ("strategy_armory", None),
    ],
    methods: Methods::Read,
    takes: &[Name::Strategy],
    about: About::Nobody,
    serve: Serve::Look(serve),
};

fn serve(desk: &Desk, asked: &Asked<'_>) -> Result<EndpointAnswer, Failure> {
    let strategy = asked.fields.strategy()?;
    desk.strategy(strategy)?;
    Ok(Data::new(&true).into())
}
