//! Identity: no caller acts for another user, and forged, expired or foreign tokens are refused.
use serde_json::{Value, json};

use crate::support::campaign::{LOAD, LOAD_ACTIVITY, unlimited};
use crate::support::token::{SECRET, Signer};
use crate::support::{Place, Request, Response, Server, shop};

const ACTIVITY: u64 = 200_003;

/// The first seconds of 2001 and of 2100.
const PAST_S: i64 = 978_307_200;
const FUTURE_S: i64 = 4_102_444_800;

/// What must be in no log and no metric.
const USER: &str = "user-4711";

fn claims(user: &str) -> Value {
    json!({"sub": user, "exp": FUTURE_S, "aud": "game", "iss": "https://login.test"})
}

fn claims_with(claim: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims(USER);
    claims[claim] = value.into();
    claims
}

fn bearer(request: Request, token: &str) -> Request {
    request.header("Authorization", format!("Bearer {token}"))
}

/// A server that takes tokens signed by the owner of `tests/keys/rsa.pem`, and logs all it can.
async fn started() -> (Place, Server) {
    let place = Place::with_campaigns(&[&unlimited(ACTIVITY)]).await;
    let key = place.file("rsa.pem", include_str!("../keys/rsa.pem"));
    let config = format!(
        "[identity]\nkind = \"jwt\"\nkey_file = {key:?}\nalgorithm = \"RS256\"\naudience = \"game\"\n\
         issuer = \"https://login.test\"\n[log]\nfilter = \"trace\"\n"
    );
    let server = Server::start_with(&place, &config).await;
    (place, server)
}

/// The reasons for which a token is refused, and the codes that callers get.
fn bad_tokens() -> Vec<(&'static str, String, &'static str)> {
    let rsa = Signer::rsa();
    let header = |algorithm| json!({"alg": algorithm, "typ": "JWT"});
    let invalid = [
        ("garbage", "garbage".to_owned()),
        ("three parts of garbage", "a.b.c".to_owned()),
        ("not yet valid", rsa.mint(&claims_with("nbf", FUTURE_S - 1))),
        ("another audience", rsa.mint(&claims_with("aud", "shop"))),
        ("no audience", rsa.mint(&claims_with("aud", Value::Null))),
        (
            "another issuer",
            rsa.mint(&claims_with("iss", "https://evil.test")),
        ),
        ("no expiry", rsa.mint(&claims_with("exp", Value::Null))),
        ("no user", rsa.mint(&claims_with("sub", Value::Null))),
        ("no user id", rsa.mint(&claims_with("sub", " u"))),
        ("alg none", Signer::Unsigned.mint(&claims(USER))),
        (
            "no signature",
            Signer::Unsigned.mint_under(&header("RS256"), &claims(USER)),
        ),
        (
            "the public key as a secret",
            Signer::Secret(include_bytes!("../keys/rsa.pem").into()).mint(&claims(USER)),
        ),
        ("another algorithm", Signer::ed25519().mint(&claims(USER))),
        (
            "a lie about the algorithm",
            Signer::ed25519().mint_under(&header("RS256"), &claims(USER)),
        ),
        (
            "an unknown crit",
            rsa.mint_under(
                &json!({"alg": "RS256", "crit": ["b64"], "b64": false}),
                &claims(USER),
            ),
        ),
        (
            "an oversized token",
            rsa.mint(&claims_with("x", "x".repeat(9_000))),
        ),
        // Of an attacker who knows that expired tokens have a code of their own, and has no key.
        (
            "expired and forged",
            Signer::Unsigned.mint_under(&header("RS256"), &claims_with("exp", PAST_S)),
        ),
    ];
    let invalid = invalid.map(|(case, token)| (case, token, "ERR_ID_002"));
    let expired = (
        "expired",
        rsa.mint(&claims_with("exp", PAST_S)),
        "ERR_ID_003",
    );
    invalid.into_iter().chain([expired]).collect()
}

/// One request to each endpoint that is about a user.
fn about(user: &str) -> Vec<Request> {
    let body = json!({"userId": user, "activityId": ACTIVITY});
    vec![
        Request::draw(user, ACTIVITY, "k"),
        Request::record(user, "requestId", "k"),
        Request::account(user, ACTIVITY),
        Request::json("strategy/query_raffle_award_list", &body),
        Request::json("strategy/query_raffle_strategy_rule_weight", &body),
        Request::json("activity/query_user_credit_account", &body),
        Request::json("activity/credit_ledger", &body),
        Request::json("activity/is_calendar_sign_rebate", &body),
        Request::json("activity/draw_records", &body),
        Request::json("activity/query_user_award_record_list", &body),
        Request::json("activity/recharge_orders", &body),
    ]
}

/// The same, with those that this campaign has nothing for.
fn all_about(user: &str) -> Vec<Request> {
    let mut all = about(user);
    all.push(shop::sign_in(user, "sign"));
    all.push(shop::exchange(user, 1, "buy"));
    all
}

fn challenge(response: &Response) -> &str {
    response.header("WWW-Authenticate").expect("a challenge")
}

#[tokio::test]
async fn bad_tokens_open_nothing_and_leave_no_trace() {
    let (place, server) = started().await;
    let good = Signer::rsa().mint(&claims(USER));
    for request in all_about(USER) {
        let answer = server.send(&request).await;
        assert_eq!(challenge(&answer), "Bearer realm=\"drawbridge\"");
        answer.envelope().expect(401, "ERR_ID_001");
    }
    let tokens = bad_tokens();
    for (case, token, code) in &tokens {
        for request in all_about(USER) {
            let answer = server.send(&bearer(request, token)).await;
            assert!(
                challenge(&answer).contains("error=\"invalid_token\""),
                "{case}"
            );
            let envelope = answer.envelope();
            assert_eq!(
                (envelope.status, envelope.code.as_str()),
                (401, *code),
                "{case}: {}",
                envelope.body
            );
        }
    }
    for scheme in ["Basic", "Digest"] {
        let request =
            Request::draw(USER, ACTIVITY, "k").header("Authorization", format!("{scheme} {good}"));
        server.ask(&request).await.expect(401, "ERR_ID_002");
    }
    let twice = bearer(bearer(Request::draw(USER, ACTIVITY, "k"), &good), &good);
    server.ask(&twice).await.expect(401, "ERR_ID_002");
    for request in about(USER) {
        server
            .ask(&bearer(request, &good))
            .await
            .expect(200, "0000");
    }
    let metrics = server.ask_admin("GET", "/metrics").await.text();
    assert!(
        metrics.contains("drawbridge_http_requests_total{code=\"ERR_ID_003\",endpoint=\"draw\"} 1"),
        "{metrics}"
    );
    let log = server.stderr();
    assert!(log.contains("ready"), "this is the log: {log}");
    // A token's last part is its own; the first ones stand in others too.
    let last = |token: &str| token.rsplit('.').next().unwrap_or_default().to_owned();
    let tokens = tokens
        .iter()
        .map(|(_, token, _)| last(token))
        .chain([last(&good)]);
    for secret in tokens
        .filter(|part| part.len() > 20)
        .chain([USER.to_owned()])
    {
        assert!(
            !log.contains(&secret) && !metrics.contains(&secret),
            "{secret}"
        );
    }
    server.stop().await;
    assert_eq!(
        place.audited_at_rest().await,
        1,
        "one draw was made, by the good token"
    );
}

#[tokio::test]
async fn no_caller_acts_for_another_user() {
    let (place, server) = started().await;
    let (mine, theirs) = (
        Signer::rsa().mint(&claims("me")),
        Signer::rsa().mint(&claims("them")),
    );
    let made = server
        .ask(&bearer(Request::draw("them", ACTIVITY, "k"), &theirs))
        .await
        .expect(200, "0000");
    for request in all_about("them") {
        server
            .ask(&bearer(request, &mine))
            .await
            .expect(403, "ERR_ID_004");
    }
    let by_order = Request::record("them", "orderId", made.order());
    server
        .ask(&bearer(by_order, &mine))
        .await
        .expect(403, "ERR_ID_004");
    // A request without a user is about its caller: there is a draw of this key, but of another
    // user.
    let record = || Request::get("activity/draw_record?requestId=k");
    server
        .ask(&bearer(record(), &mine))
        .await
        .expect(404, "ERR_REQ_002");
    assert_eq!(
        server.data(&bearer(record(), &theirs)).await["orderId"],
        made.order()
    );
    let draw = Request::json(
        "activity/draw",
        &json!({"activityId": ACTIVITY, "requestId": "k"}),
    );
    let own = server
        .ask(&bearer(draw.clone(), &mine))
        .await
        .expect(200, "0000");
    assert_ne!(own.order(), made.order());
    assert_eq!(
        server
            .ask(&bearer(draw, &theirs))
            .await
            .expect(200, "0000")
            .order(),
        made.order()
    );
    server.stop().await;
    assert_eq!(place.audited_at_rest().await, 2);
}

#[tokio::test]
async fn identity_is_asked_for_after_the_method_and_before_the_body() {
    let (_place, server) = started().await;
    server
        .ask(&Request::get("activity/draw"))
        .await
        .expect(405, "ERR_REQ_005");
    server
        .ask(&Request::get("activity/nowhere"))
        .await
        .expect(404, "ERR_REQ_004");
    let large = || Request::post("activity/draw", "application/json", vec![b' '; 70_000]);
    server.ask(&large()).await.expect(401, "ERR_ID_001");
    let good = Signer::rsa().mint(&claims(USER));
    server
        .ask(&bearer(large(), &good))
        .await
        .expect(413, "ERR_REQ_006");
    let refused = server
        .ask(&Request::draw(USER, ACTIVITY, "its-key"))
        .await
        .expect(401, "ERR_ID_001");
    assert_eq!(refused.key(), "its-key", "a draw's refusals name its key");
    // A preflight carries no token, by its nature.
    assert_eq!(
        server
            .send(&Request::new("OPTIONS", "activity/draw"))
            .await
            .status,
        204
    );
}

#[tokio::test]
async fn a_request_about_no_user_needs_no_token() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let secret = place.file("secret", SECRET);
    let config =
        format!("[identity]\nkind = \"jwt\"\nkey_file = {secret:?}\nalgorithm = \"HS256\"\n");
    let server = Server::start_with(&place, &config).await;
    let strategy = json!({"strategyId": LOAD_ACTIVITY});
    for request in [
        Request::get(&format!("activity/armory?activityId={LOAD_ACTIVITY}")),
        Request::get("activity/query_stage_activity_id?channel=c&source=s"),
        Request::get(&format!(
            "activity/query_activity?activityId={LOAD_ACTIVITY}"
        )),
        Request::get(&format!(
            "strategy/strategy_armory?strategyId={LOAD_ACTIVITY}"
        )),
        Request::json("query_raffle_award_list", &strategy),
        Request::json("strategy/random_raffle", &strategy),
    ] {
        let without = server.ask(&request).await;
        assert_ne!(without.status, 401, "{}", without.body);
        let with_garbage = server.ask(&bearer(request, "garbage")).await;
        assert_eq!(
            (with_garbage.status, with_garbage.code),
            (without.status, without.code)
        );
    }
    let draw = || Request::draw("u", LOAD_ACTIVITY, "k");
    server.ask(&draw()).await.expect(401, "ERR_ID_001");
    let token = Signer::secret().mint(&json!({"sub": "u", "exp": FUTURE_S}));
    server
        .ask(&bearer(draw(), &token))
        .await
        .expect(200, "0000");
    for path in [
        "activity/armory_by_token",
        "query_raffle_award_list_by_token",
        "_by_token",
        "activity/_by_token",
    ] {
        server
            .ask(&Request::get(path))
            .await
            .expect(404, "ERR_REQ_004");
    }
}

#[tokio::test]
async fn the_references_paths_by_token_take_its_tokens() {
    let place = Place::with_campaigns(&[&unlimited(ACTIVITY)]).await;
    let (old, new) = (Signer::ed25519(), Signer::stranger());
    let keys = json!({"keys": [old.jwk("2024"), new.jwk("2025")]});
    let keys = place.file("keys.json", keys.to_string());
    let config =
        format!("[identity]\nkind = \"jwt\"\njwks_file = {keys:?}\nuser_claim = \"openId\"\n");
    let server = Server::start_with(&place, &config).await;
    let claims = json!({"openId": "wx-1", "exp": FUTURE_S});
    let by_token = |path: &str| {
        Request::json(
            &format!("{path}_by_token"),
            &json!({"activityId": ACTIVITY}),
        )
    };
    // Its clients send the token alone.
    let ask = |request: Request, token: &str| request.header("Authorization", token.to_owned());
    for (signer, kid) in [(&old, "2024"), (&new, "2025")] {
        let token = signer.mint_as(kid, &claims);
        server
            .ask(&ask(by_token("activity/draw"), &token))
            .await
            .expect(200, "0000");
    }
    let token = new.mint_as("2025", &claims);
    let account = server
        .data(&ask(
            by_token("activity/query_user_activity_account"),
            &token,
        ))
        .await;
    let (total, left) = (
        account["totalCount"].as_u64(),
        account["totalCountSurplus"].as_u64(),
    );
    assert_eq!(
        total.zip(left).map(|(total, left)| total - left),
        Some(2),
        "both draws were his"
    );
    for (path, expected) in [
        ("activity/query_user_credit_account", json!(0.0)),
        ("activity/is_calendar_sign_rebate", json!(true)),
    ] {
        let data = server.data(&ask(by_token(path), &token)).await;
        assert_eq!(data, expected, "{path}");
    }
    assert!(
        server
            .data(&ask(by_token("strategy/query_raffle_award_list"), &token))
            .await
            .is_array()
    );
    for token in [
        new.mint_as("2026", &claims),
        new.mint(&claims),
        old.mint_as("2025", &claims),
    ] {
        server
            .ask(&ask(by_token("activity/draw"), &token))
            .await
            .expect(401, "ERR_ID_002");
    }
    server
        .ask(&by_token("activity/draw"))
        .await
        .expect(401, "ERR_ID_001");
}

#[tokio::test]
async fn an_open_server_has_no_identity_to_give() {
    let place = Place::with_campaigns(&[&unlimited(ACTIVITY)]).await;
    let server = Server::start(&place).await;
    let request = Request::json(
        "activity/draw_by_token",
        &json!({"userId": "u", "activityId": ACTIVITY}),
    );
    for request in [
        request.clone(),
        bearer(request, &Signer::rsa().mint(&claims("u"))),
    ] {
        let refused = server.ask(&request).await.expect(401, "ERR_ID_001");
        assert!(
            refused.info.contains("identity.kind is open"),
            "{}",
            refused.info
        );
    }
    // A token does no harm where it is not read.
    server
        .ask(&bearer(Request::draw("u", ACTIVITY, "k"), "garbage"))
        .await
        .expect(200, "0000");
}

#[tokio::test]
async fn a_trusted_proxy_says_who_calls() {
    let place = Place::with_campaigns(&[&unlimited(ACTIVITY)]).await;
    let config =
        "[http]\ntrusted_proxies = [\"127.0.0.0/8\"]\n[identity]\nkind = \"trusted-header\"\n";
    let server = Server::start_with(&place, config).await;
    let from = |user: &str, request: Request| request.header("X-User-Id", user.as_bytes());
    for user in ["u", "用户", "a%20b"] {
        for request in about(user) {
            server.ask(&from(user, request)).await.expect(200, "0000");
        }
        let nameless = Request::json("activity/draw_by_token", &json!({"activityId": ACTIVITY}));
        server.ask(&from(user, nameless)).await.expect(200, "0000");
        for request in about("another") {
            server
                .ask(&from(user, request))
                .await
                .expect(403, "ERR_ID_004");
        }
    }
    let draw = || Request::draw("u", ACTIVITY, "k");
    let refused = server.send(&draw()).await;
    assert!(
        challenge(&refused).starts_with("TrustedProxy "),
        "{refused:?}"
    );
    refused.envelope().expect(401, "ERR_ID_001");
    server
        .ask(&from("u", from("u", draw())))
        .await
        .expect(401, "ERR_ID_002");
    server
        .ask(&draw().header("X-User-Id", vec![0xfa]))
        .await
        .expect(401, "ERR_ID_002");
    // Tokens are another kind's.
    server
        .ask(&bearer(draw(), &Signer::rsa().mint(&claims("u"))))
        .await
        .expect(401, "ERR_ID_001");
}

#[tokio::test]
async fn a_header_from_elsewhere_is_not_believed() {
    let place = Place::with_campaigns(&[&unlimited(ACTIVITY)]).await;
    let config =
        "[http]\ntrusted_proxies = [\"10.0.0.1\"]\n[identity]\nkind = \"trusted-header\"\n";
    let server = Server::start_with(&place, config).await;
    for request in about("u") {
        server
            .ask(&request.clone().header("X-User-Id", "u"))
            .await
            .expect(403, "ERR_ID_005");
        server.ask(&request).await.expect(403, "ERR_ID_005");
    }
}

#[tokio::test]
async fn a_server_that_believes_all_callers_listens_on_loopback_only() {
    let place = Place::new();
    let config = place.file(
        "open.toml",
        "[http]\nlisten = \"0.0.0.0:0\"\nadmin = \"127.0.0.1:0\"\n",
    );
    for command in ["serve", "check-config"] {
        let message = place
            .run_here(&[command, "--config", &config])
            .await
            .refused_at_once();
        assert!(
            message.contains("identity.kind") && message.contains("1 fault"),
            "{message}"
        );
    }
    let message = place
        .run_here(&["serve", "--listen", "0.0.0.0:0", "--admin", "127.0.0.1:0"])
        .await
        .refused_at_once();
    assert!(message.contains("identity.kind"), "{message}");
    assert!(
        !place.data().exists(),
        "a server that cannot start leaves nothing behind"
    );
    let config = place.file("proxies.toml", "[identity]\nkind = \"trusted-header\"\n");
    let message = place
        .run(&["check-config", "--config", &config])
        .await
        .refused_at_once();
    assert!(message.contains("http.trusted_proxies"), "{message}");
}
