//! `drawbridge campaign forecast`, and what `campaign publish` says of a turnout.
use serde_json::Value;

use crate::support::Place;
use crate::support::campaign::{DEMO, scarce, with};

const TURNOUT: [&str; 6] = ["--users", "50", "--draws-per-user", "12", "--days", "3"];

async fn forecast(place: &Place, file: &str, options: &[&str]) -> String {
    let arguments = [&["campaign", "forecast", file][..], options].concat();
    place.run(&arguments).await.ok()
}

/// The demo with five coupons, so that they run out.
fn demo(place: &Place) -> String {
    place.file("demo.toml", with(DEMO, "count = 100\n", "count = 5\n"))
}

#[tokio::test]
async fn the_same_seed_gives_the_same_bytes() {
    let place = Place::new();
    let file = demo(&place);
    for format in ["table", "json", "csv"] {
        let of_seed = async |seed: &str| {
            let options = [
                &TURNOUT[..],
                &["--runs", "20", "--format", format, "--seed", seed],
            ];
            forecast(&place, &file, &options.concat()).await
        };
        let first = of_seed("7").await;
        assert_eq!(of_seed("7").await, first);
        assert_ne!(of_seed("8").await, first);
    }
    assert!(!place.data().exists(), "it made a folder");
}

#[tokio::test]
async fn programs_get_all_figures() {
    let place = Place::new();
    let file = demo(&place);
    let options = [&TURNOUT[..], &["--runs", "20", "--json"]].concat();
    let text = forecast(&place, &file, &options).await;
    let all: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&all["runs"], &all["seed"], &all["users"], &all["days"]),
        (&20.into(), &1.into(), &50.into(), &3.into())
    );
    assert_eq!(all["blacklisted_users"], 3);
    assert_eq!(all["draws"]["made_mean"], 600.0);
    let cost = ["p5", "mean", "p95"].map(|name| all["cost_minor"][name].as_f64().unwrap());
    assert!(cost[0] > 0.0 && cost.is_sorted(), "{text}");
    let awards = all["awards"].as_array().unwrap();
    // 47 users reach their tenth draw, and each of them gets one of two prizes, of which one has
    // five units.
    let member = &awards[1];
    assert_eq!(
        (&member["id"], &member["issued_mean"]),
        (&102.into(), &5.0.into())
    );
    assert_eq!(member["runs_out_share"], 1.0);
    let day = member["runs_out_day_p50"].as_f64().unwrap();
    assert!(day > 0.0 && day < 3.0, "{day}");
    assert!(awards[7]["runs_out_day_p50"].is_null(), "{text}");
    let given: f64 = awards
        .iter()
        .map(|award| award["given_mean"].as_f64().unwrap())
        .sum();
    assert!((given - 600.0).abs() < 0.01, "{given}");
    // Each of the random points is 1 to 100, drawn or given in place of another prize.
    let points = awards[0]["given_mean"].as_f64().unwrap() * 50.5;
    assert!(
        (all["points_mean"].as_f64().unwrap() - points).abs() < 0.01,
        "{text}"
    );
    let guarantees = all["guarantees"].as_array().unwrap();
    assert_eq!(guarantees[0]["draw"], 10);
    assert_eq!(guarantees[0]["users_mean"], 47.0);
    assert_eq!(guarantees[1]["users_mean"], 0.0);
    assert!(all["fallbacks"]["locked_mean"].as_f64().unwrap() > 0.0);
    assert!(all["fallbacks"]["gone_mean"].as_f64().unwrap() > 0.0);
    // Four draws a day open the lock of three.
    assert_eq!(all["locks"][0]["award"], 105);
    assert_eq!(all["locks"][0]["users_mean"], 50.0);
}

#[tokio::test]
async fn spreadsheets_get_one_table() {
    let place = Place::new();
    let text = with(
        &scarce(200_003, 12),
        "title = \"Scarce prize\"",
        "title = \"=Prize, \\\"1\\\"\"",
    );
    let file = place.file("scarce.toml", text);
    let options = [&TURNOUT[..], &["--runs", "3", "--format", "csv"]].concat();
    let csv = forecast(&place, &file, &options).await;
    let columns = |line: &str| line.split(',').count();
    let lines: Vec<&str> = csv.lines().collect();
    assert!(lines[0].starts_with("kind,id,title,count,mean,"), "{csv}");
    assert!(lines[1].starts_with("draws,,,,600,"), "{csv}");
    assert!(
        lines[2].starts_with("award,1,\"'=Prize, \"\"1\"\"\",12,12,"),
        "{csv}"
    );
    assert_eq!(columns(lines[0]), columns(lines[1]));
}

#[tokio::test]
async fn a_publication_shows_what_its_file_expects() {
    let place = Place::new();
    let turnout = |users: u32| {
        let section = format!("[forecast]\nusers = {users}\ndraws_per_user = 6\ndays = 2\n");
        format!("{}\n{section}", scarce(200_003, 12))
    };
    let file = place.file("scarce.toml", turnout(20));
    let of_file = forecast(&place, &file, &[]).await;
    let said = "20 users with 6 draws each in 2 days; 100 runs, seed 1";
    assert!(of_file.contains(said), "{of_file}");
    // An option replaces one number of the file.
    let other = forecast(&place, &file, &["--days", "3"]).await;
    assert!(
        other.contains("20 users with 6 draws each in 3 days"),
        "{other}"
    );
    let reported = place
        .run(&["campaign", "publish", &file, "--data", "new"])
        .await
        .ok();
    // The twelfth of 120 draws in two days.
    let expected = "\
forecast of 20 users with 6 draws each in 2 days, 100 runs: costs 0 minor units (0 to 0)
  award 1 runs out in 100 % of the runs, on day 0.18 (0.18 to 0.18)
  a fallback, since the prize is gone: 108 draws of a run (90 %)
made the data folder new
activity 200003: published version 1
";
    assert_eq!(reported, expected);
    let file = place.file("many.toml", turnout(1_000_000));
    let reported = place
        .run(&["campaign", "publish", &file, "--data", "new"])
        .await
        .ok();
    assert_eq!(
        reported,
        "forecast: not made here, since 6000000 draws take too long; \
         see `drawbridge campaign forecast`\nactivity 200003: published version 2\n  activity: \
         forecast: 20 users, 6 draws each, 2 days -> 1000000 users, 6 draws each, 2 days\n"
    );
}
