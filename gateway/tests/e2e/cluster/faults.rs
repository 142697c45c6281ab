//! What each endpoint answers while something is unavailable: exactly what `docs/faults.md`
//! promises.
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::traders::accept_reports;
use crate::support::campaign::{FALLBACK_AWARD, SCARCE_AWARD, falling_back, scarce, unlimited};
use crate::support::{Cluster, Connection, Request, Response, eventually, shop};

const FAULTS: &str = include_str!("../../../../docs/faults.md");

/// Refuses draws while the stock is unavailable.
const REFUSING: u64 = 200_003;
/// Gives the fallback prize meanwhile.
const FALLING_BACK: u64 = 200_004;
/// Needs no stock.
const UNLIMITED: u64 = 200_005;
/// Sells, and rewards sign-ins and payments.
const TRADING: u64 = 200_006;
const UNITS: u64 = 100_000;

/// No answer takes longer, whatever is unavailable.
const ANSWERED: Duration = Duration::from_secs(8);
/// All is well within this time after a fault is over; a database recovers before that.
const BACK: Duration = Duration::from_secs(20);

/// What is asked several times, so long after each other that the first one is with its shard.
const AGAIN_AFTER: Duration = Duration::from_millis(300);
const DRAWS: u32 = 3;

const WELL: &str = "all is well";

/// The shard that is sick, and one that is not.
const SICK: u16 = 1;
const SOUND: u16 = 0;

/// The answers that may be given, by what is asked.
type Answers = BTreeMap<String, BTreeSet<String>>;

/// The document's first table, by state.
fn promised() -> BTreeMap<String, Answers> {
    let rows: Vec<Vec<&str>> = FAULTS
        .lines()
        .skip_while(|line| cells(line).is_none())
        .map_while(cells)
        .collect();
    let (head, rows) = rows.split_first().expect("a table");
    let column = |place: usize| {
        let answers = |row: &Vec<&str>| row[place].split(" or ").map(str::to_owned).collect();
        rows[1..]
            .iter()
            .map(|row| (row[0].to_owned(), answers(row)))
            .collect()
    };
    (1..head.len())
        .map(|place| (head[place].to_owned(), column(place)))
        .collect()
}

/// The cells of a table's line.
fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.strip_prefix('|')?.strip_suffix('|')?;
    Some(inner.split('|').map(str::trim).collect())
}

/// Something that is asked, in the words of the document.
#[derive(Clone)]
struct Question {
    name: &'static str,
    /// On the address for players, or for operations.
    at: SocketAddr,
    request: Request,
    times: u32,
}

/// A reward that needs no unit. No demo campaign rewards the same behaviour.
const POINTS_ONLY: &str = r#"
[[reward]]
behavior = "visit"
kind = "points"
points = "1.50"
"#;

/// A number that was never used: for keys, for users who have not signed in.
fn fresh() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}

/// Commands of users of a shard: one who has points, and one who has never signed in.
fn commands(cluster: &Cluster, players: SocketAddr, user: &str) -> Vec<Question> {
    let shard = cluster.shard_of(user);
    let newcomers = std::iter::repeat_with(|| format!("s{}", fresh()));
    let mut newcomers = newcomers.filter(|user| cluster.shard_of(user) == shard);
    let newcomer = newcomers.next().expect("there is no end of them");
    let key = format!("k{}", fresh());
    let paid = shop::report(user, "visit", &key);
    let command = |name, request| Question {
        name,
        at: players,
        request,
        times: 1,
    };
    vec![
        command(
            "`sign_in`, a unit is needed",
            shop::sign_in(&newcomer, &key),
        ),
        command("`exchange`", shop::exchange(user, shop::PAIR, &key)),
        command("`reward`, no unit is needed", shop::signed(&paid)),
    ]
}

/// An operator's change of a user's points.
fn points_change(cluster: &Cluster, gateway: &str, user: &str) -> Question {
    let body = json!({
        "userId": user, "action": "adjust", "amount": "0.01",
        "requestId": format!("p{}", fresh()), "who": "alice", "reason": "the test wants it",
    });
    let request = Request::raw("POST", "/admin/points");
    Question {
        name: "`POST /admin/points`",
        at: cluster.admin(gateway),
        request: request
            .header("Authorization", format!("Bearer {}", cluster.token()))
            .with_body(body.to_string()),
        times: 1,
    }
}

/// All that can be asked at a gateway for users of a shard.
fn questions(cluster: &Cluster, gateway: &str, shard: u16) -> Vec<Question> {
    let (players, operations) = (cluster.listen(gateway), cluster.admin(gateway));
    // Each of another table, so that no draw waits for one of another row.
    let users: Vec<String> = cluster
        .users_of_lanes(1)
        .into_iter()
        .filter(|user| cluster.shard_of(user) == shard)
        .collect();
    let player = |name, request| Question {
        name,
        at: players,
        request,
        times: 1,
    };
    let draw = |name, user: usize, activity| Question {
        times: DRAWS,
        ..player(name, Request::keyless_draw(&users[user], activity))
    };
    let user = &users[3];
    let of_user =
        |path: &str| Request::json(path, &json!({"userId": user, "activityId": REFUSING}));
    let of_strategy = |path: &str| Request::json(path, &json!({"strategyId": REFUSING}));
    let bearer = format!("Bearer {}", cluster.token());
    let operation = |name: &'static str, path: &str, body: Option<serde_json::Value>| {
        let request = Request::raw(if body.is_some() { "POST" } else { "GET" }, path);
        let request = request.header("Authorization", bearer.clone());
        let request = body.map_or(request.clone(), |body| request.with_body(body.to_string()));
        Question {
            name,
            at: operations,
            request,
            times: 1,
        }
    };
    let who = |mut body: serde_json::Value| {
        body["who"] = "alice".into();
        body["reason"] = "the test wants it".into();
        Some(body)
    };
    let config = "/api/v1/raffle/dcc/update_config";
    let mut questions = commands(cluster, players, user);
    questions.extend([
        draw("`draw`, a unit is needed", 0, REFUSING),
        draw(
            "`draw`, a unit is needed, `when_stock_unavailable = \"fallback\"`",
            1,
            FALLING_BACK,
        ),
        draw("`draw`, no unit is needed", 2, UNLIMITED),
        player(
            "`draw_record`",
            Request::record(user, "requestId", "before"),
        ),
        player("`draw_records`", of_user("activity/draw_records")),
        player(
            "`award_record_list`",
            Request::json(
                "activity/query_user_award_record_list",
                &json!({"userId": user}),
            ),
        ),
        player("`account`", Request::account(user, REFUSING)),
        player("`award_list`", of_user("strategy/query_raffle_award_list")),
        player(
            "`rule_weight`",
            of_user("strategy/query_raffle_strategy_rule_weight"),
        ),
        player(
            "`credit_account`",
            of_user("activity/query_user_credit_account"),
        ),
        player("`credit_ledger`", of_user("activity/credit_ledger")),
        player("`recharge_orders`", of_user("activity/recharge_orders")),
        player(
            "`is_signed_in`",
            Request::get(&format!("activity/is_calendar_sign_rebate?userId={user}")),
        ),
        player(
            "`sku_list`",
            of_user("activity/query_sku_product_list_by_activity_id"),
        ),
        player(
            "`strategy_award_list`",
            of_strategy("query_raffle_award_list"),
        ),
        player("`random_raffle`", of_strategy("strategy/random_raffle")),
        player(
            "`armory`",
            Request::get(&format!("activity/armory?activityId={REFUSING}")),
        ),
        player(
            "`strategy_armory`",
            Request::get(&format!("strategy/strategy_armory?strategyId={REFUSING}")),
        ),
        player(
            "`stage`",
            Request::get("activity/query_stage_activity_id?channel=c01&source=s01"),
        ),
        player(
            "`activity`",
            Request::get(&format!("activity/query_activity?activityId={REFUSING}")),
        ),
        operation("`GET /healthz`", "/healthz", None),
        operation("`GET /readyz`", "/readyz", None),
        operation("`GET /metrics`", "/metrics", None),
        operation("`GET /admin/switches`", "/admin/switches", None),
        // As it is anyway.
        operation(
            "`POST /admin/switches`",
            "/admin/switches",
            who(json!({"name": "signin", "value": "on"})),
        ),
        operation(
            "`GET /admin/switches/history`",
            "/admin/switches/history",
            None,
        ),
        operation(
            "`GET /api/v1/raffle/dcc/update_config`",
            &format!("{config}?key=degradeSwitch&value=close"),
            None,
        ),
        points_change(cluster, gateway, user),
        operation("`GET /admin/breakers`", "/admin/breakers", None),
        operation(
            "`POST /admin/breakers`",
            "/admin/breakers",
            who(json!({"name": format!("shard-{SOUND}"), "mode": "automatic"})),
        ),
        operation("`GET /admin/gateways`", "/admin/gateways", None),
        operation("`GET /admin/cooldowns`", "/admin/cooldowns", None),
        operation("`GET /admin/limits`", "/admin/limits", None),
    ]);
    questions
}

/// An answer in the words of the document.
fn reported(name: &str, response: &Response) -> String {
    if name.contains('/') {
        return response.status.to_string();
    }
    let answer = response.envelope();
    assert!(
        answer.code == "0000" || answer.retry_after_s.is_some(),
        "{name}: {answer:?}"
    );
    let luck = if answer.data["awardId"] == FALLBACK_AWARD && name.contains("draw`") {
        " luck award"
    } else {
        ""
    };
    format!("{} `{}`{luck}", answer.status, answer.code)
}

async fn ask(question: &Question) -> String {
    let exchange = async {
        let mut connection = Connection::open(question.at).await.expect("a connection");
        connection
            .exchange(&question.request)
            .await
            .expect("an answer")
    };
    let response = timeout(ANSWERED, exchange)
        .await
        .unwrap_or_else(|_| panic!("{} takes too long", question.name));
    reported(question.name, &response)
}

/// Asks everything at once, at both gateways; returns the answers.
async fn ask_everything(cluster: &Cluster, shard: u16) -> Answers {
    let mut asking = JoinSet::new();
    for gateway in cluster.gateway_names() {
        for question in questions(cluster, &gateway, shard) {
            for time in 0..question.times {
                let question = question.clone();
                asking.spawn(async move {
                    sleep(AGAIN_AFTER * time).await;
                    (question.name.to_owned(), ask(&question).await)
                });
            }
        }
    }
    let mut answers = Answers::new();
    for (name, answer) in asking.join_all().await {
        answers.entry(name).or_default().insert(answer);
    }
    answers
}

#[track_caller]
fn assert_kept(state: &str, promised: &Answers, reported: &Answers) {
    let names = |answers: &Answers| answers.keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        names(reported),
        names(promised),
        "the table has other rows than the test"
    );
    for (name, answers) in reported {
        if name.contains("draw`") {
            assert_eq!(answers, &promised[name], "{name}, {state}");
        } else {
            // They share a table: which of them is with the shard is left to chance.
            let is_kept = answers.is_subset(&promised[name]);
            assert!(is_kept, "{name}, {state}: {answers:?}");
        }
    }
}

async fn order_breaker(cluster: &Cluster, mode: &str) {
    let body = json!({"name": format!("shard-{SICK}"), "mode": mode, "who": "alice", "reason": "the test wants it"});
    for gateway in cluster.gateway_names() {
        let request = Request::raw("POST", "/admin/breakers").with_body(body.to_string());
        assert_eq!(cluster.ask_admin(&gateway, request).await.status, 200);
    }
}

/// Brings a state of the document about.
async fn begin(cluster: &Cluster, state: &str) {
    // What it remembers of the state before must not open it.
    order_breaker(cluster, "automatic").await;
    match (state, part(state)) {
        ("shard's breaker open", _) => order_breaker(cluster, "forced_open").await,
        (_, Some(part)) if state.ends_with("down") => cluster.kill(&part).await,
        (_, Some(part)) => cluster.signal(&part, "STOP").await,
        (_, None) => panic!("{state} cannot be brought about"),
    }
}

async fn end(cluster: &Cluster, state: &str) {
    match (state, part(state)) {
        (_, None) => order_breaker(cluster, "automatic").await,
        (_, Some(part)) if state.ends_with("down") => cluster.restart(&part).await,
        (_, Some(part)) => cluster.signal(&part, "CONT").await,
    }
}

/// What is down or paused.
fn part(state: &str) -> Option<String> {
    let (part, _) = state.split_once(' ')?;
    match part {
        "shard" => Some(format!("shard-{SICK}")),
        "Redis" | "meta" => Some(part.to_lowercase()),
        _ => None,
    }
}

/// Gives a user points for many exchanges.
async fn endow(cluster: &Cluster, user: &str) {
    let body = json!({
        "userId": user, "action": "adjust", "amount": "1000000", "requestId": "endow",
        "who": "alice", "reason": "the test wants it",
    });
    let request = Request::raw("POST", "/admin/points").with_body(body.to_string());
    let answer = cluster.ask_admin("gateway-0", request).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[tokio::test]
async fn every_endpoint_answers_what_is_promised_while_something_is_unavailable() {
    let mut states = promised();
    let well = states
        .remove(WELL)
        .expect("the column of a cluster that is well");
    assert_eq!(states.len(), 7, "{:?}", states.keys());
    let campaigns = [
        (REFUSING, scarce(REFUSING, UNITS)),
        (FALLING_BACK, falling_back(FALLING_BACK, UNITS)),
        (UNLIMITED, unlimited(UNLIMITED)),
        (
            TRADING,
            shop::campaign(TRADING).replace("stock = 1000", "stock = 1000000") + POINTS_ONLY,
        ),
    ];
    let cluster = Cluster::start().await.with_campaigns(&campaigns).await;
    // All questions at once are more calls than a breaker wants to see before it opens. What an open
    // one answers is a state of its own.
    for gateway in cluster.gateway_names() {
        cluster.add_to_config(&gateway, "[breakers]\ncalls_min = 200\n");
    }
    accept_reports(&cluster).await;
    for shard in [SICK, SOUND] {
        for user in cluster
            .users_of_lanes(1)
            .iter()
            .filter(|user| cluster.shard_of(user) == shard)
        {
            endow(&cluster, user).await;
            let draw = Request::draw(user, REFUSING, "before");
            crate::support::cluster::ask(cluster.listen("nginx"), &draw)
                .await
                .expect(200, "0000");
        }
        assert_kept(WELL, &well, &ask_everything(&cluster, shard).await);
    }
    for (state, promised) in &states {
        begin(&cluster, state).await;
        let begun = Instant::now();
        let (sick, sound) = tokio::join!(
            ask_everything(&cluster, SICK),
            ask_everything(&cluster, SOUND)
        );
        println!("{state}: answered after {:?}", begun.elapsed());
        assert_kept(state, promised, &sick);
        // Users of another shard do not notice one that is sick.
        let others = if state.starts_with("shard") {
            &well
        } else {
            promised
        };
        assert_kept(&format!("{state}, users of another shard"), others, &sound);

        end(&cluster, state).await;
        let ended = Instant::now();
        eventually("all is well again", BACK, async || {
            let (sick, sound) = tokio::join!(
                ask_everything(&cluster, SICK),
                ask_everything(&cluster, SOUND)
            );
            (sick == well && sound == well).then_some(())
        })
        .await;
        println!("{state}: well again after {:?}", ended.elapsed());
    }
    for activity in [REFUSING, FALLING_BACK] {
        cluster.settled_units(activity, SCARCE_AWARD).await;
    }
    cluster.audited().await;
}
