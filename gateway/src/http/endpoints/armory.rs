//! Says that a campaign is loaded, and changes nothing.
use crate::answer::{Data, Endpoint, Failure};
use crate::desk::Desk;
use crate::http::fields::Name;
use crate::http::route::{About, Asked, EndpointAnswer, Methods, Route, Serve};

/// `GET activity/armory`
pub const ROUTE: Route = Route {
    endpoint: Endpoint::Armory,
    paths: &[("activity/armory", None)],
    methods: Methods::Read,
    takes: &[Name::Activity],
    about: About::Nobody,
    serve: Serve::Look(serve),
};

fn serve(desk: &Desk, asked: &Asked<'_>) -> Result<EndpointAnswer, Failure> {
    let activity = asked.fields.activity()?;
    desk.activity(activity)?;
    Ok(Data::new(&true).into())
}
