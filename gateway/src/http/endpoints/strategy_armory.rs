//! Says that a strategy is loaded, and changes nothing.
use crate::answer::{Data, Endpoint, Failure};
use crate::desk::Desk;
use crate::http::fields::FieldName;
use crate::http::route::{About, EndpointAnswer, EndpointRequest, Methods, Route, Serve};

/// `GET strategy/strategy_armory`
pub const ROUTE: Route = Route {
    endpoint: Endpoint::StrategyArmory,
    paths: &[
        ("strategy/strategy_armory", None),
        ("strategy/armory", None),
        ("strategy_armory", None),
    ],
    methods: Methods::Read,
    takes: &[FieldName::Strategy],
    about: About::NoUser,
    serve: Serve::Look(serve),
};

fn serve(desk: &Desk, asked: &EndpointRequest<'_>) -> Result<EndpointAnswer, Failure> {
    let strategy = asked.fields.strategy()?;
    desk.strategy(strategy)?;
    Ok(Data::new(&true).into())
}
