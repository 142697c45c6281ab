//! The life of an activity: pauses, closes, rollbacks, and what pages and operators are told.
use serde_json::{Value, json};

use crate::chances::entries;
use crate::support::campaign::{LOAD, LOAD_ACTIVITY, in_state, with};
use crate::support::{FOLLOWED, Place, Ran, Request, Server, eventually};

/// A subcommand about the load activity, with a reason.
async fn change(place: &Place, change: &str, reason: &str) -> Ran {
    let id = LOAD_ACTIVITY.to_string();
    let words = ["campaign", change, &id, "--reason", reason, "--who", "Ada"];
    place.run_here(&words).await
}

async fn told(place: &Place, words: &[&str]) -> Value {
    let words = [words, &["--json"]].concat();
    serde_json::from_str(&place.run_here(&words).await.ok()).expect("JSON")
}

async fn page(server: &Server) -> Value {
    let request = Request::get(&format!(
        "activity/query_activity?activityId={LOAD_ACTIVITY}"
    ));
    server.data(&request).await
}

/// Waits until a fresh draw is answered with a code.
async fn until_draws_get(server: &Server, code: &str) {
    eventually(code, FOLLOWED, async || {
        let answer = server
            .ask(&Request::keyless_draw("late", LOAD_ACTIVITY))
            .await;
        (answer.code == code).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_pause_survives_a_publication_and_a_close_is_final() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let server = Server::start(&place).await;
    let drawn = Request::draw("u", LOAD_ACTIVITY, "k");
    let first = server.ask(&drawn).await.expect(200, "0000");
    let shown = page(&server).await;
    assert_eq!(
        [&shown["activityId"], &shown["state"], &shown["timeZone"]],
        [
            &json!(LOAD_ACTIVITY),
            &json!("open"),
            &json!("Asia/Shanghai")
        ]
    );
    for field in ["beginsAt", "endsAt", "now"] {
        let time = shown[field].as_str().expect("a time");
        assert!(time.ends_with("+08:00"), "{field}: {time}");
        time.parse::<jiff::Timestamp>().expect("RFC 3339");
    }

    change(&place, "pause", "a wrong title").await.ok();
    until_draws_get(&server, "ERR_BIZ_003").await;
    assert_eq!(page(&server).await["state"], "paused");
    assert_eq!(
        server.ask(&drawn).await.body,
        first.body,
        "the earlier call"
    );
    // A new version does not end it.
    let renamed = with(LOAD, "title = \"Prize 1\"", "title = \"First prize\"");
    let reported = place.publish(&renamed).await.ok();
    assert!(
        reported.contains("prizes: award 1, title: \"Prize 1\" -> \"First prize\""),
        "{reported}"
    );
    let list = Request::json(
        "query_raffle_award_list",
        &json!({"strategyId": LOAD_ACTIVITY}),
    );
    eventually("the new version", FOLLOWED, async || {
        (server.data(&list).await[0]["awardTitle"] == "First prize").then_some(())
    })
    .await;
    server
        .ask(&Request::keyless_draw("u", LOAD_ACTIVITY))
        .await
        .expect(409, "ERR_BIZ_003");
    let again = change(&place, "pause", "again").await.ok();
    assert!(again.contains("nothing to do"), "{again}");
    change(&place, "resume", "it is right now").await.ok();
    until_draws_get(&server, "0000").await;

    change(&place, "close", "the budget is spent").await.ok();
    until_draws_get(&server, "ERR_BIZ_003").await;
    assert_eq!(page(&server).await["state"], "closed");
    assert_eq!(
        server.ask(&drawn).await.body,
        first.body,
        "the earlier call"
    );
    for refused in [
        place.publish(LOAD).await,
        change(&place, "resume", "no").await,
        change(&place, "pause", "no").await,
    ] {
        let message = refused.failed(1);
        assert!(
            message.contains("was closed by Ada") && message.contains("new activity id"),
            "{message}"
        );
    }
    let id = LOAD_ACTIVITY.to_string();
    let shown = told(&place, &["campaign", "show", &id]).await;
    assert_eq!(
        (
            &shown["state"],
            &shown["version"],
            &shown["halted"]["reason"]
        ),
        (&json!("closed"), &json!(2), &json!("the budget is spent"))
    );
    let history = told(&place, &["campaign", "history", &id]).await;
    let history: Vec<_> = history
        .as_array()
        .expect("a list")
        .iter()
        .map(|event| {
            (
                event["kind"].as_str().expect("a kind"),
                event["reason"].as_str(),
            )
        })
        .collect();
    let expected = [
        ("close", Some("the budget is spent")),
        ("resume", Some("it is right now")),
        ("version", None),
        ("pause", Some("a wrong title")),
        ("version", None),
    ];
    assert_eq!(history, expected);
    let audit = entries(&place, &server).await;
    let noted: Vec<_> = audit
        .iter()
        .map(|entry| (entry["what"].as_str(), entry["who"].as_str()))
        .collect();
    let expected = ["campaign close", "campaign resume", "campaign pause"];
    assert_eq!(noted, expected.map(|what| (Some(what), Some("Ada"))));
}

#[tokio::test]
async fn testers_draw_from_a_trial_before_the_opening() {
    const TRIAL: u64 = 200_099;
    let file = with(LOAD, "begins_at = 2024", "begins_at = 2043");
    let file = with(
        &file,
        "state = \"open\"",
        "state = \"open\"\ntesters = [\"ada\"]",
    );
    let place = Place::with_campaigns(&[&file]).await;
    let written = place.file("load.toml", &file);
    let trial = TRIAL.to_string();
    let words = ["campaign", "publish", &written, "--trial", &trial];
    place.run_here(&words).await.ok();
    let server = Server::start(&place).await;
    for (user, activity, status, code) in [
        ("ada", TRIAL, 200, "0000"),
        ("bob", TRIAL, 409, "ERR_BIZ_010"),
        ("ada", LOAD_ACTIVITY, 409, "ERR_BIZ_010"),
    ] {
        let draw = Request::keyless_draw(user, activity);
        server.ask(&draw).await.expect(status, code);
    }
    let request = Request::get(&format!("activity/query_activity?activityId={TRIAL}"));
    assert_eq!(server.data(&request).await["state"], "scheduled");
    place.audited().await;
    let id = LOAD_ACTIVITY.to_string();
    let words = ["campaign", "publish", &written, "--trial", &id];
    let message = place.run_here(&words).await.failed(1);
    assert!(message.contains("an activity id of its own"), "{message}");
    let none = place.file("none.toml", LOAD);
    let words = ["campaign", "publish", &none, "--trial", &trial];
    let message = place.run_here(&words).await.failed(1);
    assert!(message.contains("a trial needs testers"), "{message}");
}

#[tokio::test]
async fn warnings_are_lines_of_their_own_and_faults_when_strict() {
    let place = Place::new();
    let past = place.file("past.toml", with(LOAD, "ends_at = 2044", "ends_at = 2025"));
    let check = async |words: &[&str]| {
        let words = [&["campaign", "check", past.as_str()], words].concat();
        place.run(&words).await
    };
    let expected = "warning: the activity is over: it ended at 2025-01-01 00:00:00 +08:00";
    for (words, code) in [(&[][..], 0), (&["--strict"], 1)] {
        let ran = check(words).await;
        assert_eq!(ran.code, Some(code), "{ran:?}");
        assert!(ran.stdout.lines().any(|line| line == expected), "{ran:?}");
    }
    let ran = check(&["--strict", "--json"]).await;
    let found: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!((ran.code, &found["ok"]), (Some(1), &json!(false)));
    let warnings = found["warnings"].as_array().expect("a list");
    assert!(
        warnings
            .iter()
            .any(|text| expected.ends_with(text.as_str().expect("a text")))
    );
}

#[tokio::test]
async fn a_file_is_compared_and_an_older_version_returns() {
    let place = Place::with_campaigns(&[LOAD]).await;
    let id = LOAD_ACTIVITY.to_string();
    let same = place.file("same.toml", format!("# A comment.\n{LOAD}"));
    place.run_here(&["campaign", "diff", &same]).await.ok();
    let draft = place.file("draft.toml", in_state(LOAD, "draft"));
    let ran = place
        .run_here(&["campaign", "diff", &draft, "--json"])
        .await;
    let told_of: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let change =
        json!([{"section": "activity", "what": "state", "before": "open", "after": "draft"}]);
    assert_eq!(
        (ran.code, &told_of["equal"], &told_of["changes"]),
        (Some(1), &json!(false), &change)
    );
    let new = with(LOAD, "id = 200001", "id = 200077");
    let new = place.file("new.toml", new);
    let ran = place.run_here(&["campaign", "diff", &new]).await;
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.contains("is not published yet"), "{ran:?}");

    place.run_here(&["campaign", "publish", &draft]).await.ok();
    assert_eq!(
        told(&place, &["campaign", "show", &id]).await["state"],
        "draft"
    );
    let back = ["campaign", "rollback", &id, "--reason", "too early"];
    let reported = place
        .run_here(&[&back[..], &["--to", "1"]].concat())
        .await
        .ok();
    assert!(
        reported.contains("version 3, which repeats version 1")
            && reported.contains("activity: state: draft -> open"),
        "{reported}"
    );
    let shown = told(&place, &["campaign", "show", &id]).await;
    assert_eq!(
        (&shown["state"], &shown["version"]),
        (&json!("open"), &json!(3))
    );
    let history = told(&place, &["campaign", "history", &id]).await;
    assert_eq!(
        (&history[0]["rolledBackTo"], &history[0]["reason"]),
        (&json!(1), &json!("too early"))
    );
    let message = place
        .run_here(&[&back[..], &["--to", "9"]].concat())
        .await
        .failed(1);
    assert!(
        message.contains("has no version 9; its current one is 3"),
        "{message}"
    );
    for words in [
        &["campaign", "show", "77"][..],
        &["campaign", "history", "77"],
        &["campaign", "rollback", "77", "--to", "1", "--reason", "x"],
        &["campaign", "pause", "77", "--reason", "x"],
        &["campaign", "close", "77", "--reason", "x"],
    ] {
        let message = place.run_here(words).await.failed(1);
        assert!(
            message.contains("activity 77 is not published; 200001 is"),
            "{message}"
        );
    }
}
