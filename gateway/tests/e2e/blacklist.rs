//! Blacklists that operators keep beside the campaign files.
use std::fs::File;
use std::process::Stdio;

use serde_json::Value;
use testkit::campaign::{Award, CampaignFile};

use crate::support::{FOLLOWED, Place, Ran, Request, Server, eventually, run_as_it_is, text_of};

const ACTIVITY: u64 = 300_001;
const PRIZE: u64 = 1;

/// Everybody draws the prize, but for those whom the rule gives the luck award.
fn campaign() -> CampaignFile {
    let file = CampaignFile::new(ACTIVITY).award(Award::new(PRIZE, "prize", "1"));
    file.award(Award::luck())
}

fn with_rule() -> String {
    campaign().blacklist(CampaignFile::LUCK, &[]).text()
}

/// A change of the list by a file of users.
async fn change(place: &Place, change: &str, users: &str) -> Ran {
    let (id, file) = (ACTIVITY.to_string(), place.file("users.txt", users));
    let words = ["campaign", "blacklist", change, &id, &file];
    let words = [&words[..], &["--reason", "an inquiry", "--who", "Ada"]].concat();
    place.run_here(&words).await
}

/// The same by standard input.
async fn change_by_standard_input(place: &Place, change: &str, users: &str) -> Ran {
    let (id, data) = (ACTIVITY.to_string(), text_of(&place.data()));
    let words = [
        "campaign",
        "blacklist",
        change,
        &id,
        "-",
        "--reason",
        "an appeal",
    ];
    let mut command = place.command(&[&words[..], &["--data", &data]].concat());
    let input = File::open(place.file("input.txt", users)).expect("a file");
    command
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    run_as_it_is(command).await
}

async fn shown(place: &Place, option: &str) -> String {
    let id = ACTIVITY.to_string();
    let words = ["campaign", "blacklist", "show", &id, option];
    place.run_here(&words).await.ok()
}

async fn drawn(server: &Server, user: &str) -> u64 {
    let drawn = server.ask(&Request::keyless_draw(user, ACTIVITY)).await;
    drawn.expect(200, "0000").data["awardId"]
        .as_u64()
        .expect("an id")
}

async fn until_drawn(server: &Server, user: &str, award: u64) {
    eventually("another prize", FOLLOWED, async || {
        (drawn(server, user).await == award).then_some(())
    })
    .await;
}

#[tokio::test]
async fn listed_users_get_the_award_of_the_rule() {
    let place = Place::with_campaigns(&[&with_rule()]).await;
    let server = Server::start(&place).await;
    assert_eq!(drawn(&server, "ada").await, PRIZE);
    let said = change(&place, "add", "ada\nbob\n\nbob\n").await.ok();
    assert_eq!(said, "activity 300001: 2 added; 2 users are listed\n");
    until_drawn(&server, "ada", CampaignFile::LUCK).await;
    assert_eq!(drawn(&server, "bob").await, CampaignFile::LUCK);
    assert_eq!(drawn(&server, "ad").await, PRIZE);
    let said = change(&place, "add", "ada\n").await.ok();
    assert_eq!(said, "activity 300001: nothing to do; 2 users are listed\n");
    let said = change_by_standard_input(&place, "remove", "ada").await.ok();
    assert_eq!(said, "activity 300001: 1 removed; 1 users are listed\n");
    until_drawn(&server, "ada", PRIZE).await;
    let said = change(&place, "import", "ada\ncleo\n").await.ok();
    assert_eq!(
        said,
        "activity 300001: 2 added, 1 removed; 2 users are listed\n"
    );
    until_drawn(&server, "bob", PRIZE).await;
    let log = server.stderr() + &server.stdout();
    assert!(!log.contains("cleo"), "user ids stay out of the log");
    server.stop().await;

    // A server has the list before its first draw, and a new version leaves it as it is.
    let renamed = with_rule().replacen("\"prize\"", "\"a prize\"", 1);
    place.publish(&renamed).await.ok();
    let server = Server::start(&place).await;
    assert_eq!(drawn(&server, "cleo").await, CampaignFile::LUCK);
    server.stop().await;
    place.audited_at_rest().await;

    let users = shown(&place, "--users").await;
    let mut users: Vec<&str> = users.lines().collect();
    users.sort_unstable();
    assert_eq!(users, ["ada", "cleo"]);
    let shown: Value = serde_json::from_str(&shown(&place, "--json").await).expect("JSON");
    assert_eq!(
        (&shown["users"], &shown["changedBy"]),
        (&2.into(), &"Ada".into())
    );
}

#[tokio::test]
async fn a_list_without_its_rule_is_refused() {
    let place = Place::with_campaigns(&[&campaign().text()]).await;
    let refused = change(&place, "add", "ada\n").await.failed(1);
    assert!(
        refused.contains("publish a version of its file that has"),
        "{refused}"
    );
    let refused = change(&place, "add", "ada\n bob\n").await.failed(1);
    let expected = "line 2: a user id must not begin or end with white space";
    assert!(
        refused.contains(expected) && !refused.contains("bob"),
        "{refused}"
    );
    place.publish(&with_rule()).await.ok();
    change(&place, "add", "ada\n").await.ok();
    let refused = place.publish(&campaign().text()).await.failed(1);
    assert!(refused.contains("keep the rule"), "{refused}");
}
