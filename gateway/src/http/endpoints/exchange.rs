//! Points are exchanged for chances.
use market::RequestId;

use crate::answer::{Data, Endpoint, Failure};
use crate::desk::Desk;
use crate::http::fields::FieldName;
use crate::http::route::{About, EndpointAnswer, EndpointRequest, Methods, Route, Serve};

/// `POST activity/credit_pay_exchange_sku`
pub const ROUTE: Route = Route {
    endpoint: Endpoint::Exchange,
    paths: &[("activity/credit_pay_exchange_sku", None)],
    methods: Methods::Change,
    takes: &[FieldName::User, FieldName::Sku, FieldName::Request],
    about: About::User,
    serve: Serve::Command(|desk, asked, request| Box::pin(serve(desk, asked, request))),
};

async fn serve(
    desk: &Desk,
    asked: &EndpointRequest<'_>,
    request: RequestId,
) -> Result<EndpointAnswer, Failure> {
    let (user, sku) = (asked.user()?, asked.fields.sku()?);
    desk.exchange(user, request, sku).await?;
    Ok(Data::new(&true).into())
}
