//! Who counts as one caller, and which gateway is whose.
use std::collections::BTreeMap;

use super::*;
use crate::support::token::{SECRET, Signer};

const BURST: usize = 5;

/// Calls from these addresses, one after another: how many get each status.
async fn statuses(nginx: &Nginx, addresses: impl Iterator<Item = String>) -> BTreeMap<u16, usize> {
    let mut statuses = BTreeMap::new();
    for address in addresses {
        let request =
            Request::get("activity/armory?activityId=200001").header("X-Forwarded-For", address);
        let answer = nginx.send_bytes(&request.bytes()).await.expect("an answer");
        *statuses.entry(answer.status).or_default() += 1;
    }
    statuses
}

#[tokio::test]
async fn an_ipv6_network_is_one_caller_and_each_ipv4_address_is_one() {
    let (place, server) = started("").await;
    let balanced = "include drawbridge/limits.conf;\nset_real_ip_from 127.0.0.1;\nreal_ip_header X-Forwarded-For;\n\
                    include drawbridge/server.conf;";
    let low = [
        ("zones.conf", "rate=1000r/s", "rate=1r/m"),
        ("limits.conf", "burst=2000", &*format!("burst={BURST}")),
        (FORM, "include drawbridge/server.conf;", balanced),
        (
            FORM,
            "include drawbridge/http.conf;",
            "include drawbridge/http.conf;\ninclude drawbridge/zones.conf;",
        ),
    ];
    let form = Form {
        changes: &low,
        ..Form::shaped(Shape::Plain, server.listen)
    };
    let nginx = Nginx::start(&place, "strict", &form).await;
    let (one, each) = (
        BTreeMap::from([(200, BURST + 1), (429, 20 - BURST - 1)]),
        BTreeMap::from([(200, 20)]),
    );
    let numbers = || 10..30;
    assert_eq!(
        statuses(&nginx, numbers().map(|n| format!("2001:db8:1:1::{n:x}"))).await,
        one
    );
    // Short forms, and bytes that mean something to a regular expression or to a line.
    assert_eq!(
        statuses(&nginx, numbers().map(|n| format!("::{n:x}"))).await,
        one
    );
    assert_eq!(
        statuses(
            &nginx,
            numbers().map(|n| format!("2001:a0a:a0a:a0a:a0a:a0a:a0a:a{n:02x}"))
        )
        .await,
        one
    );
    assert_eq!(
        statuses(&nginx, numbers().map(|n| format!("2001:db8:2:{n:x}::1"))).await,
        each
    );
    assert_eq!(
        statuses(&nginx, numbers().map(|n| format!("192.0.2.{n}"))).await,
        each
    );
    assert_eq!(
        statuses(&nginx, numbers().map(|n| format!("::ffff:198.51.100.{n}"))).await,
        each
    );
    // Each of those has one call behind it, however it is written now.
    let again = BTreeMap::from([(200, BURST), (429, 20 - BURST)]);
    assert_eq!(
        statuses(&nginx, numbers().map(|_| "198.51.100.10".to_owned())).await,
        again
    );
    server.stop().await;
}

/// Requests that a gateway has answered.
async fn answered(server: &Server) -> u64 {
    let metrics = server.ask_admin("GET", "/metrics").await.text();
    let counts = metrics
        .lines()
        .filter(|line| line.starts_with("drawbridge_http_requests_total{"));
    counts
        .map(|line| {
            line.rsplit(' ')
                .next()
                .and_then(|count| count.parse::<u64>().ok())
                .expect("a count")
        })
        .sum()
}

#[tokio::test]
async fn a_token_has_one_gateway_whatever_its_calls_say() {
    const CALLS: u64 = 12;
    const FUTURE_S: i64 = 4_102_444_800;
    let place = Place::new();
    let secret = place.file("secret", SECRET);
    let config =
        format!("[identity]\nkind = \"jwt\"\nkey_file = {secret:?}\nalgorithm = \"HS256\"\n");
    let places = [
        Place::with_campaigns(&[LOAD]).await,
        Place::with_campaigns(&[LOAD]).await,
    ];
    let servers = [
        Server::start_with(&places[0], &config).await,
        Server::start_with(&places[1], &config).await,
    ];
    let gateways = servers.iter().map(|server| server.listen).collect();
    let form = Form {
        gateways,
        ..Form::shaped(Shape::Plain, servers[0].listen)
    };
    let nginx = Nginx::start(&place, "two", &form).await;
    let token = Signer::secret().mint(&json!({"sub": "u", "exp": FUTURE_S}));
    for (number, scheme) in (0..CALLS).zip(["", "Bearer ", "bearer  "].into_iter().cycle()) {
        let body = json!({"activityId": LOAD_ACTIVITY, "x": {"userId": format!("x{number}")}});
        let draw = Request::json(&format!("activity/draw?userId={number}"), &body);
        let draw = draw.header("Authorization", format!("{scheme}{token}"));
        let answer = nginx.send_bytes(&draw.bytes()).await.expect("an answer");
        assert!(answer.status < 500, "{}", answer.text());
    }
    let counts = [answered(&servers[0]).await, answered(&servers[1]).await];
    assert!(counts == [CALLS, 0] || counts == [0, CALLS], "{counts:?}");
    // Without a token the query of a POST chooses nothing beside a user in its body; other users have
    // other gateways.
    for number in 0..CALLS {
        let body = json!({"userId": "one", "activityId": LOAD_ACTIVITY});
        let draw = Request::json(&format!("activity/draw?userId={number}"), &body);
        nginx
            .send_bytes(&draw.bytes())
            .await
            .expect("an answer")
            .envelope()
            .expect(401, "ERR_ID_001");
    }
    let after = [answered(&servers[0]).await, answered(&servers[1]).await];
    assert!(
        after
            .iter()
            .zip(counts)
            .any(|(after, before)| *after == before),
        "{after:?}"
    );
    for number in 0..20 {
        let draw = Request::draw(&format!("u{number}"), LOAD_ACTIVITY, "k");
        nginx
            .send_bytes(&draw.bytes())
            .await
            .expect("an answer")
            .envelope()
            .expect(401, "ERR_ID_001");
    }
    let spread = [answered(&servers[0]).await, answered(&servers[1]).await];
    assert!(
        spread
            .iter()
            .zip(after)
            .all(|(spread, before)| *spread > before),
        "{spread:?}"
    );
    by_query(&nginx, &servers).await;
}

/// A POST whose body names no user has the gateway of the user in its query, whatever stands beside.
async fn by_query(nginx: &Nginx, servers: &[Server; 2]) {
    let counts = async || [answered(&servers[0]).await, answered(&servers[1]).await];
    let sign = "activity/calendar_sign_rebate";
    let send = async |request: Request| {
        let answer = nginx.send_bytes(&request.bytes()).await;
        let answer = answer.expect("an answer").envelope();
        answer.expect(401, "ERR_ID_001");
    };
    let before = counts().await;
    for number in 0..6 {
        let path = format!("{sign}?userid=x{number}&userId=one&x={number}");
        send(Request::new("POST", &path)).await;
        let path = format!("activity/credit_pay_exchange_sku?userId=one&x={number}");
        send(Request::json(&path, &json!({"sku": number}))).await;
        let path = format!("activity/query_user_credit_account?userId=one&x={number}");
        send(Request::get(&path)).await;
    }
    let after = counts().await;
    let stayed = (0..2).filter(|&place| after[place] == before[place]);
    assert_eq!(stayed.count(), 1, "{before:?} {after:?}");
    for number in 0..20 {
        let path = format!("{sign}?userId=u{number}");
        send(Request::new("POST", &path)).await;
    }
    let spread = counts().await;
    assert!(
        (0..2).all(|place| spread[place] > after[place]),
        "{spread:?}"
    );
}
