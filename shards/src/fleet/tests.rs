//! Settings over each kind of database; reports over MariaDB, which alone has several gateways.
use std::time::Duration;

use jiff::Timestamp;
use market::switches::{Setting, Share, Switch};
use tokio::time::sleep;

use super::*;
use crate::meta::{ChangeError, Meta};
use crate::store::{Access, Connection as _, Database, MysqlDatabase, SqliteFile, migrate_meta};
use crate::switches::{SwitchChange, SwitchTo};
use crate::testing::Mariadb;

async fn fresh<D: Database>(database: D) -> Meta<D> {
    migrate_meta(&database).await.expect("a fresh database");
    Meta::new(database)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).expect("a time")
}

fn change(target: &str, json: Option<&str>, expires_at: Option<Timestamp>) -> FleetChange {
    FleetChange {
        kind: "breaker".to_owned(),
        target: target.to_owned(),
        to: json.map(|json| FleetValue {
            json: json.to_owned(),
            expires_at,
        }),
        who: "Zoë \"x\" \\ 漢".to_owned(),
        why: "'; -- 😀 ?".to_owned(),
        what: "breaker set".to_owned(),
    }
}

async fn settings_come_back_replace_each_other_and_are_on_record<D: Database>(database: D) {
    let meta = fresh(database).await;
    assert_eq!(meta.fleet_settings().await, Ok(vec![]));
    let value = r#"{"mode":"forced_open","note":"漢 \" \\ 😀"}"#;
    assert_eq!(
        meta.change_fleet(&change("shard-0", Some("{}"), None), at(0))
            .await,
        Ok(1)
    );
    assert_eq!(
        meta.change_fleet(&change("shard-1", Some("1"), None), at(1))
            .await,
        Ok(2)
    );
    assert_eq!(
        meta.change_fleet(&change("shard-0", Some(value), Some(at(60))), at(2))
            .await,
        Ok(3)
    );
    let found = meta.fleet_settings().await.expect("settings");
    let FleetChange { kind, who, why, .. } = change("", None, None);
    let expected = FleetSetting {
        kind,
        target: "shard-0".to_owned(),
        value: value.to_owned(),
        who,
        why,
        set_at: at(2),
        expires_at: Some(at(60)),
        revision: 3,
    };
    assert_eq!((found.len(), &found[0]), (2, &expected));
    assert_eq!(
        (
            found[1].target.as_str(),
            found[1].expires_at,
            found[1].revision
        ),
        ("shard-1", None, 2)
    );
    assert_eq!(
        meta.change_fleet(&change("shard-1", None, None), at(3))
            .await,
        Ok(4)
    );
    assert_eq!(
        meta.fleet_settings().await.map(|settings| settings.len()),
        Ok(1)
    );
    let trail = meta.audit_log().await.expect("the record");
    let noted: Vec<_> = trail
        .iter()
        .map(|entry| (entry.what.as_str(), entry.detail.as_str()))
        .collect();
    let expected =
        ["shard-1", "shard-0", "shard-1", "shard-0"].map(|target| ("breaker set", target));
    assert_eq!(noted, expected);
    assert_eq!(meta.revision().await, Ok(4));
}

async fn what_has_ended_is_forgotten_with_a_later_change<D: Database>(database: D) {
    let meta = fresh(database).await;
    meta.change_fleet(&change("a", Some("1"), Some(at(10))), at(0))
        .await
        .expect("set");
    meta.change_fleet(&change("b", Some("1"), Some(at(1_000))), at(20))
        .await
        .expect("set");
    assert_eq!(
        meta.fleet_settings().await.map(|settings| settings.len()),
        Ok(2),
        "clocks differ"
    );
    meta.change_fleet(&change("b", Some("2"), None), at(100))
        .await
        .expect("set");
    let left = meta.fleet_settings().await.expect("settings");
    assert_eq!((left.len(), left[0].target.as_str()), (1, "b"));
}

async fn there_are_not_too_many<D: Database>(database: D) {
    let meta = fresh(database).await;
    // All but one at once: a change each would take its time.
    let rows =
        (0..SETTINGS_MAX).map(|number| ("breaker", number.to_string(), "1", "w", "y", 0, 0, 1));
    let mut connection = meta.begin().await.expect("begun");
    connection
        .execute(
            D::DIALECT.meta.put_fleet_setting,
            &crate::store::json_rows(rows),
        )
        .await
        .expect("planted");
    meta.commit(connection).await.expect("planted");
    let refused = meta
        .change_fleet(&change("one-more", Some("1"), None), at(0))
        .await;
    assert_eq!(refused, Err(ChangeError::TooMany(SETTINGS_MAX)));
    assert_eq!(meta.revision().await, Ok(0));
    meta.change_fleet(&change("7", Some("2"), None), at(0))
        .await
        .expect("one that is there may change");
    meta.change_fleet(&change("7", None, None), at(0))
        .await
        .expect("and go");
    meta.change_fleet(&change("one-more", Some("1"), None), at(0))
        .await
        .expect("room again");
}

async fn a_switch_is_set_and_taken_back<D: Database>(database: D) {
    let meta = fresh(database).await;
    let setting = Setting {
        switch: Switch::Draw,
        activity: None,
        share: Share::OFF,
        observe: false,
        expires_at: None,
    };
    let change = |to| SwitchChange {
        to,
        who: "w".to_owned(),
        why: "y".to_owned(),
    };
    let (set, clear) = (
        change(SwitchTo::Set(setting)),
        change(SwitchTo::Cleared((Switch::Draw, None))),
    );
    assert_eq!(
        meta.change_switch(&clear, at(0)).await,
        Ok(0),
        "nothing to take back is no change"
    );
    assert_eq!(meta.change_switch(&set, at(1)).await, Ok(1));
    assert_eq!(meta.change_switch(&clear, at(2)).await, Ok(2));
    assert_eq!(
        meta.switches()
            .await
            .map(|switches| switches.current(at(3)).count()),
        Ok(0)
    );
    assert_eq!(meta.change_switch(&set, at(4)).await, Ok(3));
    let past = meta.switch_changes().await.expect("changes");
    let past: Vec<_> = past
        .iter()
        .map(|past| (past.before.clone(), past.change.to.value()))
        .collect();
    let expected = [("normal", "off"), ("off", "normal"), ("normal", "off")];
    assert_eq!(
        past,
        expected.map(|(before, after)| (before.to_owned(), after.to_owned()))
    );
}

macro_rules! over_each_database {
    ($($name:ident),* $(,)?) => {
        mod over_sqlite {
            use super::*;
            $(
                #[tokio::test]
                async fn $name() {
                    let folder = tempfile::tempdir().expect("a folder");
                    let file = SqliteFile { path: folder.path().join("meta.sqlite"), access: Access::Create };
                    super::$name(file).await;
                }
            )*
        }

        mod over_mariadb {
            use super::*;
            $(
                #[tokio::test]
                async fn $name() {
                    super::$name(Mariadb::shared_database().await).await;
                }
            )*
        }
    };
}

over_each_database!(
    settings_come_back_replace_each_other_and_are_on_record,
    what_has_ended_is_forgotten_with_a_later_change,
    there_are_not_too_many,
    a_switch_is_set_and_taken_back,
);

#[tokio::test]
async fn what_does_not_fit_in_mariadb_is_refused_and_changes_nothing() {
    let meta = fresh(Mariadb::shared_database().await).await;
    let long = "x".repeat(2_049);
    for bad in [
        change(&"t".repeat(257), Some("1"), None),
        change("t", Some(&long), None),
    ] {
        let refused = meta.change_fleet(&bad, at(0)).await;
        assert!(
            matches!(refused, Err(ChangeError::NotMade(_))),
            "{refused:?}"
        );
    }
    assert_eq!(
        (meta.fleet_settings().await, meta.revision().await),
        (Ok(vec![]), Ok(0))
    );
}

fn report(name: &str, instance: &str, revision: u64) -> Report {
    Report {
        name: name.to_owned(),
        instance: instance.to_owned(),
        admin: "127.0.0.1:8092".to_owned(),
        version: "1.2.3".to_owned(),
        revision,
        config_hash: "00ff".to_owned(),
        overrides: r#"[{"what":"漢 \" \\ 😀"}]"#.to_owned(),
        failures: "[]".to_owned(),
        out_because: String::new(),
        started_at: at(0),
    }
}

async fn names(meta: &Meta<MysqlDatabase>) -> Vec<String> {
    let gateways = meta.gateways().await.expect("the list");
    gateways
        .into_iter()
        .map(|gateway| format!("{} {}", gateway.report.name, gateway.report.instance))
        .collect()
}

async fn age_all(meta: &Meta<MysqlDatabase>, age: Duration) {
    let sql = format!(
        "UPDATE gateway SET seen_at = seen_at - INTERVAL {} SECOND",
        age.as_secs()
    );
    meta.database()
        .connect()
        .await
        .expect("a connection")
        .run(&sql)
        .await
        .expect("aged");
}

#[tokio::test]
async fn gateways_are_listed_as_they_reported_last() {
    let meta = fresh(Mariadb::shared_database().await).await;
    assert_eq!(
        meta.report(&report("a", "1", 7), true).await,
        Ok(Reported::Noted)
    );
    assert_eq!(
        meta.report(&report("b", "2", 7), true).await,
        Ok(Reported::Noted)
    );
    assert_eq!(
        meta.report(&report("a", "1", 8), false).await,
        Ok(Reported::Noted)
    );
    let listed = meta.gateways().await.expect("the list");
    assert_eq!(
        listed
            .iter()
            .map(|gateway| &gateway.report)
            .collect::<Vec<_>>(),
        [&report("a", "1", 8), &report("b", "2", 7)]
    );
    assert!(
        listed.iter().all(|gateway| gateway.age < SILENT_AFTER),
        "{listed:?}"
    );
    // The database's clock counts, not anybody's word.
    age_all(&meta, Duration::from_mins(1)).await;
    assert!(
        meta.gateways()
            .await
            .expect("the list")
            .iter()
            .all(|gateway| gateway.age >= Duration::from_mins(1))
    );
    meta.remove("a", "other").await.expect("nothing");
    assert_eq!(names(&meta).await, ["a 1", "b 2"]);
    meta.remove("a", "1").await.expect("removed");
    assert_eq!(names(&meta).await, ["b 2"]);
    // One that is still there comes back with its next report.
    assert_eq!(
        meta.report(&report("a", "1", 9), false).await,
        Ok(Reported::Noted)
    );
    assert_eq!(names(&meta).await, ["a 1", "b 2"]);
}

#[tokio::test]
async fn a_restart_takes_the_name_and_two_that_live_do_not_hide_each_other() {
    let meta = fresh(Mariadb::shared_database().await).await;
    meta.report(&report("a", "old", 1), true)
        .await
        .expect("noted");
    assert_eq!(
        meta.report(&report("a", "new", 1), true).await,
        Ok(Reported::Noted)
    );
    assert_eq!(names(&meta).await, ["a new"]);
    let taken = meta.report(&report("a", "old", 2), false).await;
    assert_eq!(
        taken,
        Ok(Reported::NameTaken {
            by: "new".to_owned()
        })
    );
    assert_eq!(names(&meta).await, ["a new"]);
    // When that one is silent the name is free.
    age_all(&meta, SILENT_AFTER).await;
    assert_eq!(
        meta.report(&report("a", "old", 2), false).await,
        Ok(Reported::Noted)
    );
    assert_eq!(names(&meta).await, ["a old"]);
}

#[tokio::test]
async fn a_gateway_that_is_gone_for_long_is_not_listed_and_swept_by_the_next() {
    let meta = fresh(Mariadb::shared_database().await).await;
    meta.report(&report("gone", "1", 1), true)
        .await
        .expect("noted");
    age_all(&meta, FORGOTTEN_AFTER + Duration::from_secs(1)).await;
    assert!(names(&meta).await.is_empty());
    sleep(Duration::from_millis(2)).await;
    meta.report(&report("b", "2", 1), true)
        .await
        .expect("noted");
    let mut connection = meta.database().connect().await.expect("a connection");
    let rows = connection
        .rows("SELECT name FROM gateway", "[]")
        .await
        .expect("rows");
    assert_eq!(rows.len(), 1);
}

#[tokio::test]
async fn the_only_gateway_remembers_its_own_report() {
    let alone = Alone::default();
    assert_eq!(alone.gateways().await, Ok(vec![]));
    assert_eq!(
        alone.report(&report("a", "1", 7), true).await,
        Ok(Reported::Noted)
    );
    assert_eq!(
        alone.gateways().await.expect("the list")[0].report,
        report("a", "1", 7)
    );
    alone.remove("a", "1").await.expect("removed");
    assert_eq!(alone.gateways().await, Ok(vec![]));
}
