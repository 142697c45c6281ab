//! Says that a campaign is loaded, and changes nothing.
use crate::answer::{Data, Endpoint, Failure};
use crate::desk::Desk;
use crate::http::fields::FieldName;
use crate::http::route::{About, EndpointAnswer, EndpointRequest, Methods, Route, Serve};

/// `GET activity/armory`
pub const ROUTE: Route = Route {
    endpoint: Endpoint::Armory,
    paths: &[("activity/armory", None)],
    methods: Methods::Read,
    takes: &[FieldName::Activity],
    about: About::NoUser,
    serve: Serve::Look(serve),
};

fn serve(desk: &Desk, asked: &EndpointRequest<'_>) -> Result<EndpointAnswer, Failure> {
    let activity = asked.fields.activity()?;
    desk.activity(activity)?;
    Ok(Data::new(&true).into())
}
