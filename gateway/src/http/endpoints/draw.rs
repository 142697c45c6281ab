//! Draws: one, several, or ten.
use market::draw::DrawAsk;
use market::{DrawCount, Orders, RequestId, UserId};
use serde::Serialize;

use crate::answer::{Data, Endpoint, Failure};
use crate::desk::Desk;
use crate::http::fields::FieldName;
use crate::http::route::{
    About, EndpointAnswer, EndpointRequest, Methods, Route, RoutedCall, Serve,
};
use crate::http::views::drawn::{Drawn, DrawnTogether};

const TEN: Option<DrawCount> = Some(DrawCount::MAX);

/// `POST activity/draw`
pub const ROUTE: Route = Route {
    endpoint: Endpoint::Draw,
    paths: &[
        ("activity/draw", None),
        ("activity/ten_draw", TEN),
        ("activity/drawTen", TEN),
        ("activity/ten_times_raffle", TEN),
    ],
    methods: Methods::Change,
    takes: &[
        FieldName::User,
        FieldName::Activity,
        FieldName::Request,
        FieldName::Count,
    ],
    about: About::User,
    serve: Serve::Command(|desk, asked, request| Box::pin(serve(desk, asked, request))),
};

async fn serve(
    desk: &Desk,
    asked: &EndpointRequest<'_>,
    request: RequestId,
) -> Result<EndpointAnswer, Failure> {
    let (user, ask, form) = decode(asked)?;
    let orders = desk.draw(user, request, ask).await?;
    Ok(encode(&orders, form))
}

fn decode(asked: &EndpointRequest<'_>) -> Result<(UserId, DrawAsk, DrawnForm), Failure> {
    let (user, activity) = (asked.user()?, asked.fields.activity()?);
    let count = count(asked.call, asked.fields.count()?)?;
    let form = match (asked.call.count, count) {
        (Some(_), _) => DrawnForm::Ten,
        (None, Some(_)) => DrawnForm::List,
        (None, None) => DrawnForm::One,
    };
    let ask = DrawAsk {
        activity,
        count: count.unwrap_or(DrawCount::ONE),
    };
    Ok((user, ask, form))
}

/// How many draws a call asks for: by its path, by its `count`, or by both in agreement.
fn count(call: RoutedCall, field: Option<DrawCount>) -> Result<Option<DrawCount>, Failure> {
    match (call.count, field) {
        (Some(of_path), Some(field)) if of_path != field => Err(Failure::field(
            FieldName::Count.as_str(),
            format!("this path asks for {} draws", of_path.get()),
        )),
        (of_path, field) => Ok(of_path.or(field)),
    }
}

/// The same under the name that clients of the paths for ten draws read, too.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TenDrawn<'a> {
    draws: &'a [Drawn<'a>],
    draw_results: &'a [Drawn<'a>],
}

/// What the answer to a draw looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DrawnForm {
    /// One draw.
    One,
    /// A list: the call has named a `count`, whatever it was.
    List,
    /// A list under two names: the path stands for ten draws.
    Ten,
}

fn encode(orders: &Orders, form: DrawnForm) -> EndpointAnswer {
    let data = match form {
        DrawnForm::One => Data::new(&Drawn::from(&orders[0])),
        DrawnForm::List => Data::new(&DrawnTogether::from(&**orders)),
        DrawnForm::Ten => {
            let DrawnTogether { draws } = DrawnTogether::from(&**orders);
            Data::new(&TenDrawn {
                draws: &draws,
                draw_results: &draws,
            })
        }
    };
    EndpointAnswer::Json {
        data,
        draws: orders.len(),
    }
}
