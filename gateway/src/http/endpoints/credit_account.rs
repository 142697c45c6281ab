//! The points that a user has.
use crate::answer::{Data, Endpoint, Failure};
use crate::desk::Desk;
use crate::http::fields::FieldName;
use crate::http::route::{About, EndpointAnswer, EndpointRequest, Methods, Route, Serve};

/// `POST activity/query_user_credit_account`
pub const ROUTE: Route = Route {
    endpoint: Endpoint::CreditAccount,
    paths: &[("activity/query_user_credit_account", None)],
    methods: Methods::Read,
    takes: &[FieldName::User],
    about: About::User,
    serve: Serve::Read(|desk, asked| Box::pin(serve(desk, asked))),
};

async fn serve(desk: &Desk, asked: &EndpointRequest<'_>) -> Result<EndpointAnswer, Failure> {
    let user = asked.reading_user(desk)?;
    let account = desk.points(&user).await?;
    Ok(Data::new(&account.balance).into())
}
