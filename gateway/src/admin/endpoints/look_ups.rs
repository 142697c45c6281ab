//! Look-ups for support: `/admin/orders` and `/admin/accounts`, with the JSON that the user would
//! get. `drawbridge order` and `drawbridge account` read the same from stored data.
use std::fmt::Display;
use std::str::FromStr;

use hyper::StatusCode;
use market::campaign::{Catalogue, Published};
use market::chances::Account;
use market::points::{Points, PointsAccount};
use market::{ActivityId, Order, OrderId, RequestId, UserId};
use serde::Serialize;
use shards::OrderKey;

use crate::admin::call::AdminCall;
use crate::admin::respond::{fault, json, shard_unavailable};
use crate::admin::state::Admin;
use crate::answer::Data;
use crate::desk::today;
use crate::edge::HttpResponse;
use crate::http::endpoints::account::AccountView;
use crate::http::endpoints::draw_record;
use crate::http::endpoints::draw_record::Record;
use crate::http::views::drawn::Drawn;

impl Admin {
    pub(super) async fn look_up_orders(
        &self,
        AdminCall { caller, query, .. }: AdminCall,
    ) -> HttpResponse {
        let OrderQuestion { user, key } = match OrderQuestion::parse(&query) {
            Ok(question) => question,
            Err(why) => return fault(StatusCode::BAD_REQUEST, &why),
        };
        tracing::info!(who = caller.name, "orders of a user are looked up");
        match self.shards.orders(&user, key.clone()).await {
            Ok(orders) => match order_json(&key, &orders, &self.shards.catalogue()) {
                Some(found) => json(StatusCode::OK, found),
                None => fault(StatusCode::NOT_FOUND, "this user has no such order"),
            },
            Err(error) => shard_unavailable(error),
        }
    }

    pub(super) async fn look_up_account(
        &self,
        AdminCall { caller, query, .. }: AdminCall,
    ) -> HttpResponse {
        let AccountQuestion { user, activity } = match AccountQuestion::parse(&query) {
            Ok(question) => question,
            Err(why) => return fault(StatusCode::BAD_REQUEST, &why),
        };
        let Some(published) = self.shards.catalogue().activity(activity).cloned() else {
            return fault(
                StatusCode::NOT_FOUND,
                &format!("activityId: no activity {activity} is published"),
            );
        };
        tracing::info!(who = caller.name, "an account of a user is looked up");
        let stored = self.shards.account(&user, activity).await;
        let points = self.shards.points(&user).await;
        match (stored, points) {
            (Ok(stored), Ok(points)) => {
                let points = points.unwrap_or_default();
                json(StatusCode::OK, account_json(&published, stored, points))
            }
            (Err(error), _) | (_, Err(error)) => shard_unavailable(error),
        }
    }
}

/// Which orders of which user to look up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderQuestion {
    /// The user.
    pub user: UserId,
    /// All of a call, one, or the latest.
    pub key: OrderKey,
}

/// Which account of which user to look up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountQuestion {
    /// The user.
    pub user: UserId,
    /// In which activity.
    pub activity: ActivityId,
}

/// A query's field, unless it is absent.
pub(super) fn field<T: FromStr<Err: Display>>(
    query: &str,
    name: &str,
) -> Result<Option<T>, String> {
    let mut found = form_urlencoded::parse(query.as_bytes())
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value);
    match (found.next(), found.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value
            .parse()
            .map(Some)
            .map_err(|error| format!("{name}: {error}")),
        (Some(_), Some(_)) => Err(format!("{name}: is given twice")),
    }
}

/// The user that a query names.
pub(super) fn user(query: &str) -> Result<UserId, String> {
    let text: Option<String> = field(query, "userId")?;
    let text = text.ok_or("userId: is missing")?;
    UserId::new(&text).map_err(|error| format!("userId: {error}"))
}

impl OrderQuestion {
    /// Reads the query `userId` with `requestId`, `orderId`, `activityId` or none of them.
    fn parse(query: &str) -> Result<Self, String> {
        let request: Option<String> = field(query, "requestId")?;
        let request = request
            .map(|text| RequestId::new(&text).map_err(|error| format!("requestId: {error}")));
        let key = order_key(
            request.transpose()?,
            field(query, "orderId")?,
            field(query, "activityId")?,
        );
        let key = key.ok_or("orderId: give one of requestId, orderId and activityId, or none")?;
        Ok(Self {
            user: user(query)?,
            key,
        })
    }
}

/// Which orders to look up, by at most one of the three.
pub fn order_key(
    request: Option<RequestId>,
    order: Option<OrderId>,
    activity: Option<ActivityId>,
) -> Option<OrderKey> {
    match (request, order, activity) {
        (Some(request), None, None) => Some(OrderKey::Request(request)),
        (None, Some(order), None) => Some(OrderKey::Order(order)),
        (None, None, activity) => Some(OrderKey::Latest(activity)),
        _ => None,
    }
}

impl AccountQuestion {
    /// Reads the query `userId` and `activityId`.
    fn parse(query: &str) -> Result<Self, String> {
        let activity = field(query, "activityId")?.ok_or("activityId: is missing")?;
        Ok(Self {
            user: user(query)?,
            activity,
        })
    }
}

/// The record of orders: for a call or an order as `draw_record` returns it, for the latest orders
/// a list of such records. `None` where there is none.
pub fn order_json(key: &OrderKey, orders: &[Order], catalogue: &Catalogue) -> Option<String> {
    match key {
        OrderKey::Latest(_) => Some(latest_json(orders, catalogue)),
        key => draw_record::encode(orders, matches!(key, OrderKey::Request(_)), catalogue)
            .map(Data::into_json),
    }
}

fn latest_json(orders: &[Order], catalogue: &Catalogue) -> String {
    #[derive(Serialize)]
    struct Latest<'a> {
        orders: Vec<Record<'a, Drawn<'a>>>,
    }
    let records = orders
        .iter()
        .map(|order| draw_record::record(order, catalogue));
    serde_json::to_string(&Latest {
        orders: records.collect(),
    })
    .expect("plain values")
}

/// A user's chances today, as `query_user_activity_account` returns them, and the user's points.
pub fn account_json(
    published: &Published,
    stored: Option<Account>,
    points: PointsAccount,
) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct WithPoints {
        #[serde(flatten)]
        chances: AccountView,
        points: Points,
        points_frozen: bool,
    }
    let shown = WithPoints {
        chances: AccountView::new(published, today(published, stored)),
        points: points.balance,
        points_frozen: points.frozen,
    };
    serde_json::to_string(&shown).expect("plain values")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_names_a_user_and_at_most_one_key() {
        let key = |query: &str| OrderQuestion::parse(query).map(|question| question.key);
        let request = RequestId::new("k").expect("a key");
        assert_eq!(key("userId=u&requestId=k"), Ok(OrderKey::Request(request)));
        assert_eq!(
            key("userId=u&orderId=7"),
            Ok(OrderKey::Order(OrderId::new(7).expect("an id")))
        );
        assert_eq!(
            key("userId=u&activityId=7"),
            Ok(OrderKey::Latest(ActivityId::new(7)))
        );
        assert_eq!(key("userId=u"), Ok(OrderKey::Latest(None)));
        for (query, part) in [
            ("", "userId: is missing"),
            ("userId=%0a", "userId: "),
            ("userId=u&userId=v", "userId: is given twice"),
            ("userId=u&orderId=x", "orderId: expected"),
            ("userId=u&requestId=", "requestId: must be"),
            ("userId=u&requestId=k&orderId=7", "give one of"),
        ] {
            let error = key(query).expect_err(query);
            assert!(
                error.starts_with(part) || error.contains(part),
                "{query}: {error}"
            );
        }
        assert!(
            AccountQuestion::parse("userId=u")
                .expect_err("no activity")
                .starts_with("activityId: is missing")
        );
    }
}
