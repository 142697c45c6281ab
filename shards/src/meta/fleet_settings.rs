//! Settings that all gateways obey, beside campaigns and switches. The meaning of a kind and of its
//! values is up to the gateway. Gateways never connect to each other: a setting travels as a row,
//! under the revision of its change.
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::audit_log::{self, AuditEntry};
use super::columns::{NOTHING, expiry, expiry_ms, only_number, string, time};
use super::error::ChangeError;
use super::revision;
use super::statements::statements;
use super::topic::topic;
use crate::store::{Columns, Connection, Database, StoreError, json_rows};

statements! {
    /// Statements on settings for all gateways.
    FleetSettingStatements in "fleet_settings" {
        /// All of them.
        read,
        /// How many there are.
        count,
        /// Adds or replaces one.
        put,
        /// Clears one.
        delete,
        /// Deletes those that expired before a moment.
        delete_expired,
    }
}

/// The maximum number of settings. The statement that reads them has it as its limit.
pub const SETTINGS_MAX: usize = 1_000;

/// A later change deletes a setting that expired this long ago. Not at once, because clocks differ.
const EXPIRED_KEPT: Duration = Duration::from_mins(1);

/// A setting as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetSetting {
    /// Its kind: `breaker`, `limit`, ...
    pub kind: String,
    /// What it is for: the name of a breaker, a user id, ...
    pub target: String,
    /// JSON.
    pub value: String,
    /// Who set it.
    pub who: String,
    /// And why.
    pub why: String,
    /// When.
    pub set_at: Timestamp,
    /// From this moment on it has no effect.
    pub expires_at: Option<Timestamp>,
    /// Under which revision it was set.
    pub revision: u64,
}

/// A new value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetValue {
    /// JSON, at most 2,048 characters.
    pub json: String,
    /// From this moment on it has no effect.
    pub expires_at: Option<Timestamp>,
}

/// A change of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetChange {
    /// Its kind; at most 32 characters.
    pub kind: String,
    /// What it is for; at most 256 characters.
    pub target: String,
    /// The new value; `None` clears the setting.
    pub to: Option<FleetValue>,
    /// Who asks; at most 128 characters.
    pub who: String,
    /// And why.
    pub why: String,
    /// What the audit log calls it; at most 64 characters.
    pub what: String,
}

topic! {
    /// The settings of an installation, for all its gateways.
    FleetSettings,
    /// Its settings for all gateways.
    fleet_settings
}

impl<D: Database> FleetSettings<'_, D> {
    const SQL: &'static FleetSettingStatements = FleetSettingStatements::of::<D>();

    /// All settings, also those that have expired.
    pub async fn read(&self) -> Result<Vec<FleetSetting>, StoreError> {
        let rows = self.0.rows(Self::SQL.read, NOTHING).await?;
        rows.iter().map(setting).collect()
    }

    /// Makes a change, and adds to the audit log who did so and why. Returns the revision of the
    /// change.
    pub async fn change(&self, change: &FleetChange, now: Timestamp) -> Result<u64, ChangeError> {
        let mut connection = self.0.begin().await?;
        delete_expired::<D>(&mut connection, now).await?;
        write::<D>(&mut connection, change, now).await?;
        let count: usize = only_number(&connection.rows(Self::SQL.count, NOTHING).await?)?;
        if count > SETTINGS_MAX {
            connection.rollback().await?;
            return Err(ChangeError::TooMany(SETTINGS_MAX));
        }
        let entry = AuditEntry {
            at: now,
            who: change.who.clone(),
            what: change.what.clone(),
            detail: change.target.clone(),
            why: change.why.clone(),
        };
        audit_log::insert::<D>(&mut connection, &entry).await?;
        self.0.commit_revision(connection).await
    }
}

async fn delete_expired<D: Database>(
    connection: &mut D::Connection,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = FleetSettingStatements::of::<D>();
    let kept = SignedDuration::try_from(EXPIRED_KEPT).unwrap_or(SignedDuration::ZERO);
    let before = now.saturating_sub(kept).unwrap_or(now).as_millisecond();
    connection
        .execute(sql.delete_expired, &json_rows([[before]]))
        .await
        .map(drop)
}

/// Puts or clears a setting within a transaction that raises the revision at its end.
async fn write<D: Database>(
    connection: &mut D::Connection,
    change: &FleetChange,
    now: Timestamp,
) -> Result<(), StoreError> {
    let sql = FleetSettingStatements::of::<D>();
    let (kind, target) = (&change.kind, &change.target);
    let touched = if let Some(FleetValue { json, expires_at }) = &change.to {
        let revision = revision::read::<D>(connection).await? + 1;
        let row = (
            kind,
            target,
            json,
            &change.who,
            &change.why,
            now.as_millisecond(),
            expiry_ms(*expires_at),
            revision,
        );
        let row = json_rows([row]);
        connection.execute(sql.put, &row).await
    } else {
        let key = json_rows([(kind, target)]);
        connection.execute(sql.delete, &key).await
    };
    touched.map(drop)
}

fn setting(row: &impl Columns) -> Result<FleetSetting, StoreError> {
    Ok(FleetSetting {
        kind: string(row, 0)?,
        target: string(row, 1)?,
        value: string(row, 2)?,
        who: string(row, 3)?,
        why: string(row, 4)?,
        set_at: time(row, 5)?,
        expires_at: expiry(row, 6)?,
        revision: row.number(7)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::testing::{WHO, WHY, at, fresh, over_each_database};
    use crate::testing::shared_database;

    fn change(target: &str, json: Option<&str>, expires_at: Option<Timestamp>) -> FleetChange {
        FleetChange {
            kind: "breaker".to_owned(),
            target: target.to_owned(),
            to: json.map(|json| FleetValue {
                json: json.to_owned(),
                expires_at,
            }),
            who: WHO.to_owned(),
            why: WHY.to_owned(),
            what: "breaker set".to_owned(),
        }
    }

    async fn settings_come_back_replace_each_other_and_are_on_record<D: Database>(database: D) {
        let meta = fresh(database).await;
        let fleet = meta.fleet_settings();
        assert_eq!(fleet.read().await, Ok(vec![]));
        let value = r#"{"mode":"forced_open","note":"漢 \" \\ 😀"}"#;
        for (number, target, json, expires_at) in [
            (0, "shard-0", "{}", None),
            (1, "shard-1", "1", None),
            (2, "shard-0", value, Some(at(60))),
        ] {
            let change = change(target, Some(json), expires_at);
            let revision = u64::try_from(number + 1).expect("small");
            assert_eq!(fleet.change(&change, at(number)).await, Ok(revision));
        }
        let found = fleet.read().await.expect("settings");
        let expected = FleetSetting {
            kind: "breaker".to_owned(),
            target: "shard-0".to_owned(),
            value: value.to_owned(),
            who: WHO.to_owned(),
            why: WHY.to_owned(),
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
        let cleared = fleet.change(&change("shard-1", None, None), at(3)).await;
        assert_eq!(cleared, Ok(4));
        assert_eq!(fleet.read().await.map(|settings| settings.len()), Ok(1));
        let log = meta.audit_log().latest().await.expect("the audit log");
        let noted: Vec<_> = log
            .iter()
            .map(|entry| (entry.what.as_str(), entry.detail.as_str()))
            .collect();
        let expected =
            ["shard-1", "shard-0", "shard-1", "shard-0"].map(|target| ("breaker set", target));
        assert_eq!(noted, expected);
        assert_eq!(meta.revision().await, Ok(4));
    }

    async fn what_has_expired_is_forgotten_with_a_later_change<D: Database>(database: D) {
        let meta = fresh(database).await;
        let fleet = meta.fleet_settings();
        for (target, expires, second) in [("a", 10, 0), ("b", 1_000, 20)] {
            let change = change(target, Some("1"), Some(at(expires)));
            fleet.change(&change, at(second)).await.expect("set");
        }
        assert_eq!(
            fleet.read().await.map(|settings| settings.len()),
            Ok(2),
            "clocks differ"
        );
        let change = change("b", Some("2"), None);
        fleet.change(&change, at(100)).await.expect("set");
        let left = fleet.read().await.expect("settings");
        assert_eq!((left.len(), left[0].target.as_str()), (1, "b"));
    }

    async fn there_are_not_too_many<D: Database>(database: D) {
        let meta = fresh(database).await;
        let fleet = meta.fleet_settings();
        // All but one at once: a change for each would take long.
        let rows =
            (0..SETTINGS_MAX).map(|number| ("breaker", number.to_string(), "1", "w", "y", 0, 0, 1));
        let sql = FleetSettingStatements::of::<D>().put;
        meta.execute(sql, &json_rows(rows)).await.expect("planted");
        let one_more = change("one-more", Some("1"), None);
        let refused = fleet.change(&one_more, at(0)).await;
        assert_eq!(refused, Err(ChangeError::TooMany(SETTINGS_MAX)));
        assert_eq!(meta.revision().await, Ok(0));
        let existing = change("7", Some("2"), None);
        fleet
            .change(&existing, at(0))
            .await
            .expect("an existing one may change");
        let cleared = change("7", None, None);
        fleet.change(&cleared, at(0)).await.expect("and go");
        fleet.change(&one_more, at(0)).await.expect("room again");
    }

    over_each_database!(
        settings_come_back_replace_each_other_and_are_on_record,
        what_has_expired_is_forgotten_with_a_later_change,
        there_are_not_too_many,
    );

    #[tokio::test]
    async fn what_does_not_fit_in_mariadb_is_refused_and_changes_nothing() {
        let meta = fresh(shared_database().await).await;
        let long = "x".repeat(2_049);
        for bad in [
            change(&"t".repeat(257), Some("1"), None),
            change("t", Some(&long), None),
        ] {
            let refused = meta.fleet_settings().change(&bad, at(0)).await;
            assert!(
                matches!(refused, Err(ChangeError::NotMade(_))),
                "{refused:?}"
            );
        }
        assert_eq!(
            (meta.fleet_settings().read().await, meta.revision().await),
            (Ok(vec![]), Ok(0))
        );
    }
}
