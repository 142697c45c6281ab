//! Settings for all gateways in the meta database. What a kind means, and what its values say, is
//! the gateway's business.
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::meta::{ChangeError, Meta};
use crate::store::{Columns, Connection, Database, StoreError, json_rows, out_of_range};
use crate::switches::{Answer, Changed};

/// There are at most so many.
pub const SETTINGS_MAX: usize = 1_000;

/// A setting that ended so long ago is deleted by a later change: clocks differ.
const ENDED_KEPT: Duration = Duration::from_mins(1);

/// A setting as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetSetting {
    /// What sort of setting it is: `breaker`, `limit`, ...
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
    /// From this moment it does not count any more.
    pub expires_at: Option<Timestamp>,
    /// Under which revision it was set.
    pub revision: u64,
}

/// A new value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetValue {
    /// JSON, at most 2,048 characters.
    pub json: String,
    /// From this moment it does not count any more.
    pub expires_at: Option<Timestamp>,
}

/// A change that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetChange {
    /// What sort of setting it is; at most 32 characters.
    pub kind: String,
    /// What it is for; at most 256 characters.
    pub target: String,
    /// The new value; `None` takes the setting back.
    pub to: Option<FleetValue>,
    /// Who asks; at most 128 characters.
    pub who: String,
    /// And why.
    pub why: String,
    /// What the audit log calls it; at most 64 characters.
    pub what: String,
}

impl<D: Database> Meta<D> {
    /// All settings, also those that have ended.
    pub async fn fleet_settings(&self) -> Result<Vec<FleetSetting>, StoreError> {
        self.rows(D::DIALECT.meta.read_fleet_settings, "[]")
            .await?
            .iter()
            .map(setting)
            .collect()
    }

    /// Makes a change, and notes in the audit log who did so and why. Answers the revision under
    /// which it holds.
    pub async fn change_fleet(
        &self,
        change: &FleetChange,
        now: Timestamp,
    ) -> Result<u64, ChangeError> {
        let sql = &D::DIALECT.meta;
        let FleetChange {
            kind,
            target,
            to,
            who,
            why,
            what,
        } = change;
        let mut connection = self.begin().await?;
        let kept = SignedDuration::try_from(ENDED_KEPT).unwrap_or(SignedDuration::ZERO);
        let ended = now.saturating_sub(kept).unwrap_or(now).as_millisecond();
        connection
            .execute(sql.delete_expired_fleet_settings, &json_rows([[ended]]))
            .await?;
        match to {
            Some(FleetValue { json, expires_at }) => {
                let revision: u64 =
                    number(connection.rows(sql.read_revision, "[]").await?.as_slice())?;
                let expires_at_ms = expires_at.map_or(0, Timestamp::as_millisecond);
                let row = (
                    kind,
                    target,
                    json,
                    who,
                    why,
                    now.as_millisecond(),
                    expires_at_ms,
                    revision + 1,
                );
                connection
                    .execute(sql.put_fleet_setting, &json_rows([row]))
                    .await?;
            }
            None => {
                connection
                    .execute(sql.delete_fleet_setting, &json_rows([(kind, target)]))
                    .await?;
            }
        }
        let count: usize = number(
            connection
                .rows(sql.count_fleet_settings, "[]")
                .await?
                .as_slice(),
        )?;
        if count > SETTINGS_MAX {
            connection.rollback().await?;
            return Err(ChangeError::TooMany(SETTINGS_MAX));
        }
        let entry = (now.as_millisecond(), who, what, target, why);
        connection
            .execute(sql.insert_trail_entry, &json_rows([entry]))
            .await?;
        self.commit_revision(connection).await
    }
}

fn number<T: TryFrom<i64>>(rows: &[impl Columns]) -> Result<T, StoreError> {
    rows.first().ok_or_else(|| out_of_range(0))?.number(0)
}

fn setting(row: &impl Columns) -> Result<FleetSetting, StoreError> {
    let text = |index| row.text(index).map(str::to_owned);
    let time =
        |index| Timestamp::from_millisecond(row.integer(index)?).map_err(|_| out_of_range(index));
    Ok(FleetSetting {
        kind: text(0)?,
        target: text(1)?,
        value: text(2)?,
        who: text(3)?,
        why: text(4)?,
        set_at: time(5)?,
        expires_at: if row.integer(6)? == 0 {
            None
        } else {
            Some(time(6)?)
        },
        revision: row.number(7)?,
    })
}

/// The settings of a running server, whatever its meta database is.
pub(crate) trait FleetStore: Send + Sync {
    fn settings(&self) -> Answer<'_, Vec<FleetSetting>>;
    fn change_setting<'a>(&'a self, change: &'a FleetChange, now: Timestamp) -> Changed<'a>;
}

impl<D: Database> FleetStore for Meta<D> {
    fn settings(&self) -> Answer<'_, Vec<FleetSetting>> {
        Box::pin(self.fleet_settings())
    }

    fn change_setting<'a>(&'a self, change: &'a FleetChange, now: Timestamp) -> Changed<'a> {
        Box::pin(self.change_fleet(change, now))
    }
}
