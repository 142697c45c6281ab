//! The daily sign-in, and whether there is one left today.
use market::{ActivityId, RequestId, UserId};

use crate::answer::{Data, Endpoint, Failure};
use crate::desk::Desk;
use crate::http::fields::FieldName;
use crate::http::route::{About, EndpointAnswer, EndpointRequest, Methods, Route, Serve};

/// `POST activity/calendar_sign_rebate`
pub const ROUTE: Route = Route {
    endpoint: Endpoint::SignIn,
    paths: &[("activity/calendar_sign_rebate", None)],
    methods: Methods::Change,
    takes: &[FieldName::User, FieldName::Activity, FieldName::Request],
    about: About::User,
    serve: Serve::Command(|desk, asked, request| Box::pin(serve(desk, asked, request))),
};

/// `POST activity/is_calendar_sign_rebate`
pub const LOOK_ROUTE: Route = Route {
    endpoint: Endpoint::IsSignedIn,
    paths: &[("activity/is_calendar_sign_rebate", None)],
    methods: Methods::Read,
    takes: &[FieldName::User, FieldName::Activity],
    about: About::User,
    serve: Serve::Read(|desk, asked| Box::pin(look(desk, asked))),
};

async fn serve(
    desk: &Desk,
    asked: &EndpointRequest<'_>,
    request: RequestId,
) -> Result<EndpointAnswer, Failure> {
    let (user, activity) = (asked.user()?, asked.fields.optional_activity()?);
    desk.sign_in(user, request, activity).await?;
    Ok(Data::new(&true).into())
}

async fn look(desk: &Desk, asked: &EndpointRequest<'_>) -> Result<EndpointAnswer, Failure> {
    let (user, activity): (UserId, Option<ActivityId>) =
        (asked.reading_user(desk)?, asked.fields.optional_activity()?);
    let is_signed_in = desk.is_signed_in(&user, activity).await?;
    Ok(Data::new(&is_signed_in).into())
}
