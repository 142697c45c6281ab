//! What programs read: the JSON of lists and of refusals.
use super::ACTIVITY;
use crate::support::Place;
use crate::support::campaign::scarce;

#[tokio::test]
async fn lists_are_json_where_programs_ask_for_it() {
    let place = Place::with_campaigns(&[&scarce(ACTIVITY, 12)]).await;
    let json = async |arguments: &[&str]| {
        let text = place.run_here(arguments).await.ok();
        serde_json::from_str::<serde_json::Value>(&text).expect("JSON")
    };
    let list = json(&["campaign", "list", "--json"]).await;
    assert_eq!(
        (&list[0]["activity"], &list[0]["version"], &list[0]["state"]),
        (&ACTIVITY.into(), &1.into(), &"open".into())
    );
    let stock = json(&["stock", "show", "--json", "--history"]).await;
    assert_eq!(
        (&stock[0]["total"], &stock[0]["left"]),
        (&12.into(), &12.into())
    );
    assert_eq!(
        (
            &stock[0]["history"][0]["kind"],
            &stock[0]["history"][0]["applied"]
        ),
        (&"publish".into(), &12.into())
    );
    assert!(json(&["stock", "show", "--json"]).await[0]["history"].is_null());
    let route = json(&["route", "u1", "u2", "--json"]).await;
    assert_eq!(
        (&route["slotMap"]["shards"], &route["users"][1]["userId"]),
        (&2.into(), &"u2".into())
    );
    let file = place.file("scarce.toml", scarce(ACTIVITY, 12));
    let checked = place
        .run(&["campaign", "check", &file, "--json"])
        .await
        .ok();
    let checked: serde_json::Value = serde_json::from_str(&checked).expect("JSON");
    assert_eq!(
        (&checked["ok"], &checked["awards"][0]["odds"]),
        (&true.into(), &"1/1".into())
    );
    let faulty = place.file("faulty.toml", "format = 2\n");
    let ran = place.run(&["campaign", "check", &faulty, "--json"]).await;
    let faults: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(
        (ran.code, &faults["ok"], &*ran.stderr),
        (Some(1), &false.into(), "")
    );
    assert!(
        faults["faults"][0]["location"].is_string() && faults["faults"][0]["message"].is_string(),
        "{faults}"
    );
}
