//! Degrade switches: how each is set, and each change with who made it and why.
use jiff::Timestamp;
use market::ActivityId;
use market::switches::{Setting, SettingKey, Switch, Switches};

use super::columns::{NOTHING, expiry, expiry_ms, string, time};
use super::error::ChangeError;
use super::statements::statements;
use super::topic::topic;
use crate::store::{Columns, Connection, Database, StoreError, json_rows};

statements! {
    /// Statements on switches.
    SwitchStatements in "switches" {
        /// How the degrade switches are set.
        read_switches,
        /// Sets a switch that was set before.
        update_switch,
        /// Sets one that was not.
        insert_switch,
        /// Clears a switch.
        delete_switch,
        /// Records who changed a switch, and why.
        insert_switch_change,
        /// The latest changes of switches, newest first.
        read_switch_changes,
    }
}

/// The new state of a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SwitchTo {
    /// It is set.
    Set(Setting),
    /// It is cleared.
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

    /// The new value as it is stored; `normal` for a switch that is cleared.
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

/// A change of a switch.
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
pub struct PastSwitchChange {
    /// When.
    pub at: Timestamp,
    /// What was changed.
    pub change: SwitchChange,
    /// How the switch was set before; `normal` where it was not.
    pub before: String,
}

/// The value of a switch that is not set.
const NOT_SET: &str = "normal";

topic! {
    /// The switches of an installation, for all its gateways.
    SwitchSettings,
    /// Its switches.
    switches
}

impl<D: Database> SwitchSettings<'_, D> {
    const SQL: &'static SwitchStatements = SwitchStatements::of::<D>();

    /// How the switches are set. Those that this program does not know are left out and reported.
    pub async fn read(&self) -> Result<Switches, StoreError> {
        // Before the rows, so that they are at least as new.
        let revision = self.0.revision().await?;
        let rows = self.0.rows(Self::SQL.read_switches, NOTHING).await?;
        let settings = rows
            .iter()
            .map(|row| setting(row, 0, 2))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Switches::new(settings.into_iter().flatten()).as_of(revision))
    }

    /// Sets or clears a switch, and records who did so and why. Running gateways follow within a
    /// second. Returns the revision under which the change holds.
    pub async fn change(&self, change: &SwitchChange, now: Timestamp) -> Result<u64, ChangeError> {
        let mut connection = self.0.begin().await?;
        let key = change.to.key();
        let rows = connection.rows(Self::SQL.read_switches, NOTHING).await?;
        let before = before(&rows, key)?;
        if before == NOT_SET && matches!(change.to, SwitchTo::Cleared(_)) {
            // It never was set, or another operator has cleared it.
            connection.rollback().await?;
            return Ok(self.0.revision().await?);
        }
        write::<D>(&mut connection, &change.to, before != NOT_SET).await?;
        let (name, activity) = columns_of(key);
        let entry = (
            now.as_millisecond(),
            &change.who,
            &change.why,
            name,
            activity,
            before,
            change.to.value(),
            expiry_ms(change.to.expires_at()),
        );
        connection
            .execute(Self::SQL.insert_switch_change, &json_rows([entry]))
            .await?;
        self.0.commit_revision(connection).await
    }

    /// The latest changes, newest first.
    pub async fn changes(&self) -> Result<Vec<PastSwitchChange>, StoreError> {
        let rows = self.0.rows(Self::SQL.read_switch_changes, NOTHING).await?;
        let changes = rows
            .iter()
            .map(past_change)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(changes.into_iter().flatten().collect())
    }
}

/// Writes the new state of a switch within a transaction.
async fn write<D: Database>(
    connection: &mut D::Connection,
    to: &SwitchTo,
    was_set: bool,
) -> Result<(), StoreError> {
    let sql = SwitchStatements::of::<D>();
    let (name, activity) = columns_of(to.key());
    let row = json_rows([(name, activity, to.value(), expiry_ms(to.expires_at()))]);
    let touched = match (to, was_set) {
        (SwitchTo::Set(_), true) => connection.execute(sql.update_switch, &row).await,
        (SwitchTo::Set(_), false) => connection.execute(sql.insert_switch, &row).await,
        (SwitchTo::Cleared(_), _) => {
            let key = json_rows([(name, activity)]);
            connection.execute(sql.delete_switch, &key).await
        }
    };
    touched.map(drop)
}

/// A setting's key as it is stored: activity 0 stands for all.
fn columns_of((switch, activity): SettingKey) -> (&'static str, u64) {
    (switch.name(), activity.map_or(0, ActivityId::get))
}

/// How a switch is set; [`NOT_SET`] where it is not.
fn before(rows: &[impl Columns], key: SettingKey) -> Result<String, StoreError> {
    let (name, activity) = columns_of(key);
    for row in rows {
        if row.text(0)? == name && row.number::<u64>(1)? == activity {
            return string(row, 2);
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
    Ok(Some(Setting {
        switch,
        activity: ActivityId::new(row.number(first + 1)?),
        share: share_of_users,
        observe,
        expires_at: expiry(row, share + 1)?,
    }))
}

fn past_change(row: &impl Columns) -> Result<Option<PastSwitchChange>, StoreError> {
    let to = match (row.text(3)?.parse::<Switch>(), row.text(6)?) {
        (Ok(switch), NOT_SET) => SwitchTo::Cleared((switch, ActivityId::new(row.number(4)?))),
        _ => match setting(row, 3, 6)? {
            Some(setting) => SwitchTo::Set(setting),
            None => return Ok(None),
        },
    };
    let change = SwitchChange {
        to,
        who: string(row, 1)?,
        why: string(row, 2)?,
    };
    Ok(Some(PastSwitchChange {
        at: time(row, 0)?,
        change,
        before: string(row, 5)?,
    }))
}

#[cfg(test)]
mod tests {
    use market::switches::Share;

    use super::*;
    use crate::meta::testing::{at, fresh, over_each_database};

    async fn a_switch_is_set_and_cleared<D: Database>(database: D) {
        let meta = fresh(database).await;
        let switches = meta.switches();
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
            switches.change(&clear, at(0)).await,
            Ok(0),
            "nothing to clear is no change"
        );
        assert_eq!(switches.change(&set, at(1)).await, Ok(1));
        assert_eq!(switches.change(&clear, at(2)).await, Ok(2));
        let current = switches.read().await.expect("switches");
        assert_eq!(current.current(at(3)).count(), 0);
        assert_eq!(switches.change(&set, at(4)).await, Ok(3));
        let past = switches.changes().await.expect("changes");
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

    over_each_database!(a_switch_is_set_and_cleared);
}
