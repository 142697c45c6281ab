//! An application reports what a user did, and the user is rewarded.
use market::{Behaviour, BusinessNumber, UserId};

use crate::answer::{Data, Endpoint, Failure};
use crate::desk::Desk;
use crate::http::fields::FieldName;
use crate::http::route::{About, EndpointAnswer, EndpointRequest, Methods, Route, Serve};

/// `POST rebate/rebate`
pub const ROUTE: Route = Route {
    endpoint: Endpoint::Reward,
    paths: &[("rebate/rebate", None)],
    methods: Methods::Change,
    takes: &[
        FieldName::App,
        FieldName::AppToken,
        FieldName::Data,
        FieldName::User,
        FieldName::Behaviour,
        FieldName::BusinessNumber,
    ],
    about: About::App,
    serve: Serve::Report(|desk, asked| Box::pin(serve(desk, asked))),
};

async fn serve(desk: &Desk, asked: &EndpointRequest<'_>) -> Result<EndpointAnswer, Failure> {
    let (app, token) = (asked.fields.app()?, asked.fields.app_token()?);
    // Who calls comes before what is wrong with the rest: strangers learn nothing of that.
    desk.check_app(Endpoint::Reward, &asked.caller, &app, token.as_deref())?;
    let (user, behaviour, number) = decode(asked)?;
    desk.reward(user, behaviour, number).await?;
    Ok(Data::new(&true).into())
}

fn decode(asked: &EndpointRequest<'_>) -> Result<(UserId, Behaviour, BusinessNumber), Failure> {
    let user = asked.fields.reported_user()?;
    let behaviour = asked.fields.behaviour()?;
    if behaviour.is_sign() {
        let expected = "sign-ins come by activity/calendar_sign_rebate";
        return Err(Failure::field(FieldName::Behaviour.as_str(), expected));
    }
    Ok((user, behaviour, asked.fields.business_number()?))
}
