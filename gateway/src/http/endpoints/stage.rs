//! The activity that is shown at a channel and a source.
use market::ActivityId;
use market::campaign::Stage;

use crate::answer::{Data, Endpoint, Failure};
use crate::desk::Desk;
use crate::http::fields::FieldName;
use crate::http::route::{About, EndpointAnswer, EndpointRequest, Methods, Route, Serve};

/// `GET activity/query_stage_activity_id`
pub const ROUTE: Route = Route {
    endpoint: Endpoint::Stage,
    paths: &[("activity/query_stage_activity_id", None)],
    methods: Methods::Read,
    takes: &[FieldName::Channel, FieldName::Source],
    about: About::NoUser,
    serve: Serve::Look(serve),
};

fn serve(desk: &Desk, asked: &EndpointRequest<'_>) -> Result<EndpointAnswer, Failure> {
    let stage = Stage {
        channel: asked.fields.text(FieldName::Channel)?,
        source: asked.fields.text(FieldName::Source)?,
    };
    // Null where nothing is shown, as in the reference.
    let shown = desk.shown_at(&stage).map(ActivityId::get);
    Ok(Data::new(&shown).into())
}
