//! Degrade switches in the meta database: how they stand, and every change with who and why.
use std::future::Future;
use std::pin::Pin;

use jiff::Timestamp;
use market::ActivityId;
use market::switches::{Setting, SettingKey, Switch, Switches};

use crate::meta::{ChangeError, Meta};
use crate::store::{Columns, Connection, Database, StoreError, json_rows, out_of_range};

/// What is to become of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SwitchTo {
    /// It is set.
    Set(Setting),
    /// It is taken back.
    Cleared(SettingKey),
}

impl SwitchTo {
    /// Which setting.
    pub fn key(&self) -> SettingKey {
        match self {
            Self::Set(setting) => (setting.switch, setting.activity),
            Self::Cleared(key) => *key,
        }
    }

    /// The new value as it is kept; `normal` where nothing is set any more.
    pub fn value(&self) -> String {
        match self {
            Self::Set(setting) => setting.value(),
            Self::Cleared(_) => NOT_SET.to_owned(),
        }
    }

    /// When the setting ends by itself.
    pub fn expires_at(&self) -> Option<Timestamp> {
        match self {
            Self::Set(setting) => setting.expires_at,
            Self::Cleared(_) => None,
        }
    }
}

/// A change that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchChange {
    /// The new state.
    pub to: SwitchTo,
    /// Who asks.
    pub who: String,
    /// And why.
    pub why: String,
}

/// A change that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastChange {
    /// When.
    pub at: Timestamp,
    /// What was asked for.
    pub change: SwitchChange,
    /// How the switch was set before; `normal` where it was not.
    pub before: String,
}

/// What stands for a switch that nobody has set.
const NOT_SET: &str = "normal";

impl<D: Database> Meta<D> {
    /// How the switches are set. What this program does not know is left out and reported.
    pub async fn switches(&self) -> Result<Switches, StoreError> {
        // Before the rows, so that they are at least as new.
        let revision = self.revision().await?;
        let rows = self.rows(D::DIALECT.meta.read_switches, "[]").await?;
        let settings = rows
            .iter()
            .map(|row| setting(row, 0, 2))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Switches::new(settings.into_iter().flatten()).as_of(revision))
    }

    /// Sets a switch or takes a setting back, and notes who did so and why. Running servers follow
    /// within a second. Answers the revision under which the change holds.
    pub async fn change_switch(
        &self,
        change: &SwitchChange,
        now: Timestamp,
    ) -> Result<u64, ChangeError> {
        let sql = &D::DIALECT.meta;
        let mut connection = self.begin().await?;
        let (switch, activity) = change.to.key();
        let (name, activity) = (switch.name(), activity.map_or(0, ActivityId::get));
        let before = before(
            connection.rows(sql.read_switches, "[]").await?.as_slice(),
            name,
            activity,
        )?;
        let known = before != NOT_SET;
        let (value, expires_at_ms) = (
            change.to.value(),
            change.to.expires_at().map_or(0, Timestamp::as_millisecond),
        );
        let row = json_rows([(name, activity, &value, expires_at_ms)]);
        match (&change.to, known) {
            (SwitchTo::Set(_), true) => connection.execute(sql.update_switch, &row).await?,
            (SwitchTo::Set(_), false) => connection.execute(sql.insert_switch, &row).await?,
            // Somebody else has taken it back, or it never was set.
            (SwitchTo::Cleared(_), false) => {
                connection.rollback().await?;
                return Ok(self.revision().await?);
            }
            (SwitchTo::Cleared(_), true) => {
                connection
                    .execute(sql.delete_switch, &json_rows([(name, activity)]))
                    .await?
            }
        };
        let entry = (
            now.as_millisecond(),
            &change.who,
            &change.why,
            name,
            activity,
            before,
            &value,
            expires_at_ms,
        );
        connection
            .execute(sql.insert_switch_change, &json_rows([entry]))
            .await?;
        self.commit_revision(connection).await
    }

    /// The latest changes, newest first.
    pub async fn switch_changes(&self) -> Result<Vec<PastChange>, StoreError> {
        let rows = self.rows(D::DIALECT.meta.read_switch_changes, "[]").await?;
        let changes = rows
            .iter()
            .map(past_change)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(changes.into_iter().flatten().collect())
    }
}

fn before(rows: &[impl Columns], name: &str, activity: u64) -> Result<String, StoreError> {
    for row in rows {
        if row.text(0)? == name && row.number::<u64>(1)? == activity {
            return Ok(row.text(2)?.to_owned());
        }
    }
    Ok(NOT_SET.to_owned())
}

/// Columns from `first` on: name, activity; from `share` on: share, expiry. `None` for a switch of
/// a newer program.
fn setting(row: &impl Columns, first: usize, share: usize) -> Result<Option<Setting>, StoreError> {
    let (name, text) = (row.text(first)?, row.text(share)?);
    let (Ok(switch), Ok((share_of_users, observe))) =
        (name.parse::<Switch>(), Setting::parse_value(text))
    else {
        tracing::warn!(
            name,
            value = text,
            "a switch of the meta database is unknown to this program"
        );
        return Ok(None);
    };
    let expires_at = match row.integer(share + 1)? {
        0 => None,
        at_ms => Some(Timestamp::from_millisecond(at_ms).map_err(|_| out_of_range(share + 1))?),
    };
    Ok(Some(Setting {
        switch,
        activity: ActivityId::new(row.number(first + 1)?),
        share: share_of_users,
        observe,
        expires_at,
    }))
}

fn past_change(row: &impl Columns) -> Result<Option<PastChange>, StoreError> {
    let to = match (row.text(3)?.parse::<Switch>(), row.text(6)?) {
        (Ok(switch), NOT_SET) => SwitchTo::Cleared((switch, ActivityId::new(row.number(4)?))),
        _ => match setting(row, 3, 6)? {
            Some(setting) => SwitchTo::Set(setting),
            None => return Ok(None),
        },
    };
    let change = SwitchChange {
        to,
        who: row.text(1)?.to_owned(),
        why: row.text(2)?.to_owned(),
    };
    let at = Timestamp::from_millisecond(row.integer(0)?).map_err(|_| out_of_range(0))?;
    Ok(Some(PastChange {
        at,
        change,
        before: row.text(5)?.to_owned(),
    }))
}

pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;
/// The revision that a change made.
pub(crate) type Changed<'a> = Pin<Box<dyn Future<Output = Result<u64, ChangeError>> + Send + 'a>>;

/// The switches of a running server, whatever its meta database is.
pub(crate) trait SwitchStore: Send + Sync {
    fn switches(&self) -> Answer<'_, Switches>;
    fn change<'a>(&'a self, change: &'a SwitchChange, now: Timestamp) -> Changed<'a>;
    fn changes(&self) -> Answer<'_, Vec<PastChange>>;
}

impl<D: Database> SwitchStore for Meta<D> {
    fn switches(&self) -> Answer<'_, Switches> {
        Box::pin(Meta::switches(self))
    }

    fn change<'a>(&'a self, change: &'a SwitchChange, now: Timestamp) -> Changed<'a> {
        Box::pin(self.change_switch(change, now))
    }

    fn changes(&self) -> Answer<'_, Vec<PastChange>> {
        Box::pin(self.switch_changes())
    }
}
