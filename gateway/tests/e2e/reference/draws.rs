//! Faults of draws, limits and publications, by their numbers in `docs/reference-faults.md`.
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use testkit::campaign::{Award, CampaignFile, Tree};
use tokio::task::JoinSet;

use crate::support::token::Signer;
use crate::support::{Envelope, Place, Request, Server, ask_all, away_from_midnight, run};

const ACTIVITY: u64 = 200_061;

const FUTURE_S: i64 = 4_102_444_800;

/// The award that runs out.
const PRIZE: u64 = 1;

fn codes(answers: &[Envelope]) -> BTreeSet<&str> {
    answers.iter().map(|answer| answer.code.as_str()).collect()
}

/// D6: a prize that a threshold promises comes out of the stock, as all others do.
#[tokio::test]
async fn guaranteed_prizes_end_with_their_stock() {
    let text = CampaignFile::new(ACTIVITY)
        .award(Award::new(PRIZE, "prize", "0.5").count(3, "tree"))
        .award(Award::new(2, "other", "0.5"))
        .award(Award::luck())
        .tree(Tree::stock("tree", CampaignFile::LUCK, None))
        .weight(1, &[PRIZE])
        .text();
    let place = Place::with_campaigns(&[&text]).await;
    let server = Server::start(&place).await;
    let draws = (0..12).map(|number| Request::draw(&format!("u{number}"), ACTIVITY, "k"));
    let answers = ask_all(server.listen, draws.collect(), 6).await;
    assert_eq!(codes(&answers), BTreeSet::from(["0000"]));
    let won = answers
        .iter()
        .filter(|answer| answer.award() == PRIZE)
        .count();
    let luck = |answer: &&Envelope| answer.award() == CampaignFile::LUCK;
    assert_eq!((won, answers.iter().filter(luck).count()), (3, 9));
    server.stop().await;
    assert_eq!(place.stock(ACTIVITY, PRIZE).await, (3, 3, 0));
    place.audited_at_rest().await;
}

/// D10, D17: the first draws of a user and a day may all come at once. Each is made, and each
/// takes one chance and at most one unit.
#[tokio::test]
async fn first_draws_of_a_day_that_come_at_once_are_all_made() {
    away_from_midnight().await;
    let text = CampaignFile::new(ACTIVITY)
        .award(Award::new(PRIZE, "prize", "1").count(50, "tree"))
        .award(Award::luck())
        .tree(Tree::stock("tree", CampaignFile::LUCK, None))
        .chances(30, 30, 30)
        .text();
    let place = Place::with_campaigns(&[&text]).await;
    let server = Server::start(&place).await;
    let draws = (0..30).map(|number| Request::draw("u", ACTIVITY, &format!("k{number}")));
    let answers = ask_all(server.listen, draws.collect(), 30).await;
    assert_eq!(codes(&answers), BTreeSet::from(["0000"]));
    let orders: BTreeSet<&str> = answers.iter().map(Envelope::order).collect();
    assert_eq!(orders.len(), 30);
    let account = server.data(&Request::account("u", ACTIVITY)).await;
    assert_eq!(account["totalCountSurplus"], 0);
    server.stop().await;
    assert_eq!(place.stock(ACTIVITY, PRIZE).await, (50, 30, 20));
    assert_eq!(place.audited_at_rest().await, 30);
}

/// The only prize, whose title names the version.
fn titled(version: u32) -> String {
    CampaignFile::new(ACTIVITY)
        .award(Award::new(7, &format!("title {version}"), "1"))
        .text()
}

/// D29, D30: draws amid publications all succeed, and each sees one version whole.
#[tokio::test]
async fn each_draw_amid_publications_sees_one_version() {
    const VERSIONS: u32 = 5;
    let place = Place::with_campaigns(&[&titled(1)]).await;
    let server = Server::start(&place).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut drawing = JoinSet::new();
    for worker in 0..4 {
        let (listen, stopped) = (server.listen, stopped.clone());
        drawing.spawn(async move {
            let mut answers = Vec::new();
            while !*stopped.borrow() {
                let key = format!("{worker}-{}", answers.len());
                let draw = Request::draw(&format!("u{worker}"), ACTIVITY, &key);
                answers.extend(ask_all(listen, vec![draw], 1).await);
            }
            answers
        });
    }
    for version in 2..=VERSIONS {
        place.publish(&titled(version)).await.ok();
    }
    let path = format!("strategy/query_raffle_award_list?userId=u&activityId={ACTIVITY}");
    let newest = format!("title {VERSIONS}");
    crate::support::eventually(
        "the newest is shown",
        crate::support::FOLLOWED,
        async || {
            let shown = server.data(&Request::get(&path)).await;
            (shown[0]["awardTitle"] == newest.as_str()).then_some(())
        },
    )
    .await;
    stop.send_replace(true);
    let answers: Vec<Envelope> = drawing.join_all().await.into_iter().flatten().collect();
    assert_eq!(codes(&answers), BTreeSet::from(["0000"]));
    let activity = ACTIVITY.to_string();
    let words = ["results", &activity, "--format", "ndjson"];
    let lines = place.run_here(&words).await.ok();
    let rows: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let titles: BTreeMap<&str, &Value> = rows
        .iter()
        .map(|row| (row["orderId"].as_str().expect("an id"), row))
        .collect();
    assert_eq!(titles.len(), answers.len());
    for answer in &answers {
        let row = titles[answer.order()];
        assert_eq!(row["awardTitle"], answer.data["awardTitle"]);
        assert_eq!(row["awardTitle"], format!("title {}", row["version"]));
    }
    let versions: BTreeSet<_> = rows.iter().map(|row| row["version"].as_u64()).collect();
    assert!(
        versions.len() > 1,
        "draws met one version only: {versions:?}"
    );
    server.stop().await;
    place.audited_at_rest().await;
}

/// D40: a path by token has the limits and the switch of the plain one.
#[tokio::test]
async fn paths_by_token_have_the_limits_of_the_plain_ones() {
    let text = CampaignFile::one_award(ACTIVITY).text();
    let place = Place::with_campaigns(&[&text]).await;
    let signer = Signer::stranger();
    let keys = json!({"keys": [signer.jwk("k")]});
    let keys = place.file("keys.json", keys.to_string());
    let config = format!(
        "[identity]\nkind = \"jwt\"\njwks_file = {keys:?}\n\
         [limits.route.draw]\nper_second = 0.001\nburst = 4\n\
         [limits.user]\nper_second = 0.001\nburst = 2\n"
    );
    let server = Server::start_with(&place, &config).await;
    let draw = |user: &str, path: &str| {
        let token = signer.mint_as("k", &json!({"sub": user, "exp": FUTURE_S}));
        Request::json(path, &json!({"activityId": ACTIVITY})).header("Authorization", token)
    };
    let (plain, by_token) = ("activity/draw", "activity/draw_by_token");
    for path in [plain, by_token] {
        server.ask(&draw("u", path)).await.expect(200, "0000");
    }
    for (user, path, code) in [
        ("u", by_token, "0005"),
        ("v", plain, "0000"),
        ("w", by_token, "ERR_GW_011"),
        ("w", plain, "ERR_GW_011"),
    ] {
        let answer = server.ask(&draw(user, path)).await;
        assert_eq!(answer.code, code, "{user} at {path}: {}", answer.body);
    }
    let (admin, token) = (
        format!("http://{}", server.admin),
        crate::support::text_of(&place.data().join("admin-token")),
    );
    let words = ["switch", "set", "draw", "off", "--reason", "a test"];
    let at = ["--admin", &admin, "--token-file", &token];
    let lifted = ["switch", "set", "limits", "off", "--reason", "a test"];
    for words in [words, lifted] {
        run(place.command(&[&words[..], &at].concat())).await.ok();
    }
    for path in [plain, by_token] {
        server.ask(&draw("x", path)).await.expect(503, "0004");
    }
    server.stop().await;
}
