//! Degrade switches in the meta database: how they stand, and every change with who and why.
use std::future::Future;
use std::pin::Pin;

use jiff::Timestamp;
use market::ActivityId;
use market::switches::{Setting, Switch, Switches};

use crate::meta::Meta;
use crate::store::{Columns, Connection, Database, StoreError, json_rows, out_of_range};

/// A change that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchChange {
    /// The new state.
    pub setting: Setting,
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
        let settings = rows.iter().map(|row| setting(row, 0, 2)).collect::<Result<Vec<_>, _>>()?;
        Ok(Switches::new(settings.into_iter().flatten()).as_of(revision))
    }

    /// Sets a switch, and notes who did so and why. Running servers follow within a second.
    pub async fn set_switch(&self, change: &SwitchChange, now: Timestamp) -> Result<(), StoreError> {
        let sql = &D::DIALECT.meta;
        let mut connection = self.begin().await?;
        let before = before(connection.rows(sql.read_switches, "[]").await?.as_slice(), &change.setting)?;
        let value = change.setting.value();
        let Setting { switch, activity, expires_at, .. } = &change.setting;
        let (name, activity) = (switch.name(), activity.map_or(0, ActivityId::get));
        let expires_at_ms = expires_at.map_or(0, Timestamp::as_millisecond);
        let row = json_rows([(name, activity, &value, expires_at_ms)]);
        let known = before != NOT_SET;
        connection.execute(if known { sql.update_switch } else { sql.insert_switch }, &row).await?;
        let entry = (now.as_millisecond(), &change.who, &change.why, name, activity, before, &value, expires_at_ms);
        connection.execute(sql.insert_switch_change, &json_rows([entry])).await?;
        connection.execute(sql.raise_revision, "[]").await?;
        self.commit(connection).await
    }

    /// The latest changes, newest first.
    pub async fn switch_changes(&self) -> Result<Vec<PastChange>, StoreError> {
        let rows = self.rows(D::DIALECT.meta.read_switch_changes, "[]").await?;
        let changes = rows.iter().map(past_change).collect::<Result<Vec<_>, _>>()?;
        Ok(changes.into_iter().flatten().collect())
    }
}

fn before(rows: &[impl Columns], setting: &Setting) -> Result<String, StoreError> {
    for row in rows {
        let activity: u64 = row.number(1)?;
        if row.text(0)? == setting.switch.name() && activity == setting.activity.map_or(0, ActivityId::get) {
            return Ok(row.text(2)?.to_owned());
        }
    }
    Ok(NOT_SET.to_owned())
}

/// Columns from `first` on: name, activity; from `share` on: share, expiry. `None` for a switch of
/// a newer program.
fn setting(row: &impl Columns, first: usize, share: usize) -> Result<Option<Setting>, StoreError> {
    let (name, text) = (row.text(first)?, row.text(share)?);
    let (Ok(switch), Ok((share_of_users, observe))) = (name.parse::<Switch>(), Setting::parse_value(text)) else {
        tracing::warn!(name, value = text, "a switch of the meta database is unknown to this program");
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
    let Some(setting) = setting(row, 3, 6)? else { return Ok(None) };
    let change = SwitchChange { setting, who: row.text(1)?.to_owned(), why: row.text(2)?.to_owned() };
    let at = Timestamp::from_millisecond(row.integer(0)?).map_err(|_| out_of_range(0))?;
    Ok(Some(PastChange { at, change, before: row.text(5)?.to_owned() }))
}

pub(crate) type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// The switches of a running server, whatever its meta database is.
pub(crate) trait SwitchStore: Send + Sync {
    fn switches(&self) -> Answer<'_, Switches>;
    fn set<'a>(&'a self, change: &'a SwitchChange, now: Timestamp) -> Answer<'a, ()>;
    fn changes(&self) -> Answer<'_, Vec<PastChange>>;
}

impl<D: Database> SwitchStore for Meta<D> {
    fn switches(&self) -> Answer<'_, Switches> {
        Box::pin(Meta::switches(self))
    }

    fn set<'a>(&'a self, change: &'a SwitchChange, now: Timestamp) -> Answer<'a, ()> {
        Box::pin(self.set_switch(change, now))
    }

    fn changes(&self) -> Answer<'_, Vec<PastChange>> {
        Box::pin(self.switch_changes())
    }
}
