//! The one table of endpoints, and where a method and a path lead. Tests compare `docs/api.md` and
//! nginx's files with it.
use hyper::Method;
use hyper::http::request::Parts;

use super::endpoints::{
    account, activity, armory, award_list, award_record_list, credit_account, credit_ledger, draw,
    draw_record, draw_records, exchange, page, preflight, random_raffle, recharge_orders, reward,
    rule_weight, sign_in, sku_list, stage, strategy_armory, strategy_award_list, unknown,
};
use super::route::{About, Route, RoutedCall};
use crate::answer::Endpoint;

/// Below this lie all endpoints.
const BASE: &str = "/api/v1/raffle/";

/// Ends the paths for callers who are known by their token.
const BY_TOKEN: &str = "_by_token";

/// In the order of the endpoints' numbers.
static ROUTES: [Route; Endpoint::ALL.len()] = {
    const ROUTES: [Route; Endpoint::ALL.len()] = [
        draw::ROUTE,
        draw_record::ROUTE,
        draw_records::ROUTE,
        award_record_list::ROUTE,
        armory::ROUTE,
        account::ROUTE,
        stage::ROUTE,
        activity::ROUTE,
        strategy_armory::ROUTE,
        award_list::ROUTE,
        strategy_award_list::ROUTE,
        rule_weight::ROUTE,
        random_raffle::ROUTE,
        credit_account::ROUTE,
        credit_ledger::ROUTE,
        recharge_orders::ROUTE,
        sku_list::ROUTE,
        sign_in::ROUTE,
        sign_in::LOOK_ROUTE,
        exchange::ROUTE,
        reward::ROUTE,
        page::ROUTE,
        preflight::ROUTE,
        unknown::ROUTE,
    ];
    let mut index = 0;
    while index < ROUTES.len() {
        assert!(
            ROUTES[index].endpoint as usize == index,
            "a route does not stand where its endpoint does in answer/endpoint.rs"
        );
        index += 1;
    }
    ROUTES
};

/// Where a request leads.
pub fn call(head: &Parts) -> RoutedCall {
    if head.method == Method::OPTIONS {
        plain(Endpoint::Preflight)
    } else {
        call_at(head.uri.path())
    }
}

/// Where a path leads, which may end in one slash.
pub fn call_at(path: &str) -> RoutedCall {
    if path == "/" {
        return plain(Endpoint::Page);
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    path.strip_prefix(BASE)
        .and_then(below_base)
        .unwrap_or_else(|| plain(Endpoint::Unknown))
}

fn below_base(path: &str) -> Option<RoutedCall> {
    let bare = path.strip_suffix(BY_TOKEN);
    let (path, by_token) = (bare.unwrap_or(path), bare.is_some());
    let (route, count) = ROUTES.iter().find_map(|route| {
        let (_, count) = route.paths.iter().find(|(known, _)| *known == path)?;
        Some((route, *count))
    })?;
    (!by_token || route.about == About::User).then_some(RoutedCall {
        route,
        by_token,
        count,
    })
}

fn plain(endpoint: Endpoint) -> RoutedCall {
    RoutedCall {
        route: &ROUTES[endpoint as usize],
        by_token: false,
        count: None,
    }
}

#[cfg(test)]
mod tests;
