//! The entries of a user's ledger of points, page by page, the newest first.
use jiff::tz::TimeZone;
use market::UserId;
use market::campaign::Catalogue;
use market::points::{Amount, Points, PointsEntry};
use serde::Serialize;
use shards::LedgerPage;

use super::draw_record::zone_of;
use crate::answer::{Data, Endpoint, Failure};
use crate::desk::Desk;
use crate::http::fields::FieldName;
use crate::http::route::{About, EndpointAnswer, EndpointRequest, Methods, Route, Serve};
use crate::text::rfc_3339;

/// `GET activity/credit_ledger`
pub const ROUTE: Route = Route {
    endpoint: Endpoint::CreditLedger,
    paths: &[("activity/credit_ledger", None)],
    methods: Methods::Read,
    takes: &[FieldName::User, FieldName::Limit, FieldName::Before],
    about: About::User,
    serve: Serve::Read(|desk, asked| Box::pin(serve(desk, asked))),
};

async fn serve(desk: &Desk, asked: &EndpointRequest<'_>) -> Result<EndpointAnswer, Failure> {
    let (user, page) = decode(desk, asked)?;
    let (entries, more) = desk.ledger(&user, page).await?;
    Ok(encode(&entries, more, &desk.catalogue()).into())
}

fn decode(desk: &Desk, asked: &EndpointRequest<'_>) -> Result<(UserId, LedgerPage), Failure> {
    let user = asked.reading_user(desk)?;
    let page = LedgerPage {
        size: asked.fields.limit()?,
        before: asked.fields.before_entry()?,
    };
    Ok((user, page))
}

#[derive(Serialize)]
struct LedgerView<'a> {
    entries: Vec<EntryView<'a>>,
    next: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
/// An entry of a ledger.
pub struct EntryView<'a> {
    entry_id: String,
    trade_name: &'static str,
    trade_type: &'static str,
    amount: Amount,
    balance: Points,
    business_no: &'a str,
    created_at: String,
}

impl<'a> EntryView<'a> {
    /// An entry, with its time in the zone of its activity. Entries of no activity are in UTC.
    pub fn new(entry: &'a PointsEntry, catalogue: &Catalogue) -> Self {
        let zone = entry.activity.map(|activity| zone_of(activity, catalogue));
        let is_taken = entry.amount.hundredths() < 0;
        Self {
            entry_id: entry.number.to_string(),
            trade_name: entry.trade.name(),
            trade_type: if is_taken { "reverse" } else { "forward" },
            amount: entry.amount,
            balance: entry.balance,
            business_no: entry.business.as_str(),
            created_at: rfc_3339(entry.created_at, &zone.unwrap_or(TimeZone::UTC)),
        }
    }
}

fn encode(entries: &[PointsEntry], more: bool, catalogue: &Catalogue) -> Data {
    let last = entries.last().filter(|_| more);
    let views = entries.iter().map(|entry| EntryView::new(entry, catalogue));
    Data::new(&LedgerView {
        entries: views.collect(),
        next: last.map(|entry| entry.number.to_string()),
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use market::points::Trade;
    use market::{BusinessNumber, UserId};

    use super::*;

    fn entry(number: u64, amount: Amount, balance: u64) -> PointsEntry {
        PointsEntry {
            user: UserId::new("u").expect("a user"),
            number,
            trade: Trade::Exchange,
            activity: None,
            amount,
            balance: Points::from_hundredths(balance).expect("points"),
            business: BusinessNumber::new("o-1").expect("a number"),
            created_at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn amounts_are_numbers_and_ids_are_strings() {
        let price = Points::from_hundredths(1_230).expect("points");
        let entries = [
            entry(2, Amount::take(price), 5),
            entry(1, Amount::add(price), 1_235),
        ];
        let data = encode(&entries, true, &Catalogue::default()).into_json();
        let expected = concat!(
            r#"{"entries":[{"entryId":"2","tradeName":"exchange","tradeType":"reverse","#,
            r#""amount":-12.3,"balance":0.05,"businessNo":"o-1","createdAt":"1970-01-01T00:00:00+00:00"},"#,
            r#"{"entryId":"1","tradeName":"exchange","tradeType":"forward","#,
            r#""amount":12.3,"balance":12.35,"businessNo":"o-1","createdAt":"1970-01-01T00:00:00+00:00"}],"#,
            r#""next":"1"}"#
        );
        assert_eq!(data, expected);
    }
}
