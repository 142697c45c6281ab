//! What operators do to activities beside publishing: pauses, closes and rollbacks, each with who
//! did it and why. How an activity is halted now follows from its latest change. A publication
//! changes none of that.
use jiff::Timestamp;
use market::ActivityId;
use market::campaign::{Halt, Halts, LifeChange};

use super::audit_log::{self, AuditEntry};
use super::columns::{NOTHING, json, string, time};
use super::error::ChangeError;
use super::statements::statements;
use super::topic::topic;
use crate::store::{Columns, Connection, Database, StoreError, json_rows, out_of_range};

statements! {
    /// Statements on what operators did to activities.
    CampaignChangeStatements in "campaign_changes" {
        /// The latest pause, resume or close of each activity.
        read_halts,
        /// The latest changes of an activity, newest first.
        read_changes,
        /// Whether an activity is published.
        find_activity,
        /// Adds a change.
        insert_change,
    }
}

/// The table that a meta database of the version before lacks.
const TABLE: &str = "campaign_change";

/// The kind of a change that brought an older version back.
const ROLLBACK: &str = "rollback";

/// What was done to an activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CampaignChangeKind {
    /// It was paused, resumed or closed.
    Life(LifeChange),
    /// An older version was published again.
    Rollback {
        /// The new version.
        version: u32,
        /// The version that it repeats.
        of: u32,
    },
}

/// A change of an activity, with who made it, why and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CampaignChange {
    /// What was done.
    pub kind: CampaignChangeKind,
    /// Who asked for it.
    pub who: String,
    /// And why.
    pub why: String,
    /// When.
    pub at: Timestamp,
}

/// An activity that is halted, with the change that halted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HaltRecord {
    /// The activity.
    pub activity: ActivityId,
    /// How it is halted.
    pub halt: Halt,
    /// By whom.
    pub who: String,
    /// And why.
    pub why: String,
    /// Since when.
    pub at: Timestamp,
}

/// Why the life of an activity was not changed.
#[derive(Debug, thiserror::Error)]
pub enum LifeError {
    /// No campaign with this activity id is published.
    #[error("activity {0} is not published")]
    Unknown(ActivityId),
    /// It is closed, and stays closed.
    #[error("{0}")]
    Closed(HaltRecord),
    /// The database failed.
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl From<StoreError> for LifeError {
    fn from(error: StoreError) -> Self {
        Self::Change(error.into())
    }
}

/// Says what was done when, by whom and why.
impl std::fmt::Display for HaltRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            activity,
            halt,
            who,
            why,
            at,
        } = self;
        match halt {
            Halt::Paused => write!(
                f,
                "activity {activity} was paused by {who} at {at:.0} ({why})"
            ),
            Halt::Closed => write!(
                f,
                "activity {activity} was closed by {who} at {at:.0} ({why}), and a closed activity stays closed: give \
                 the campaign a new activity id"
            ),
        }
    }
}

topic! {
    /// What operators did to the activities of an installation.
    CampaignChanges,
    /// What operators did to its activities.
    campaign_changes
}

impl<D: Database> CampaignChanges<'_, D> {
    const SQL: &'static CampaignChangeStatements = CampaignChangeStatements::of::<D>();

    /// The halted activities, each with the change that halted it.
    pub async fn halted(&self) -> Result<Vec<HaltRecord>, StoreError> {
        halt_records(&self.rows(Self::SQL.read_halts, NOTHING).await?)
    }

    /// The halted activities.
    pub async fn halts(&self) -> Result<Halts, StoreError> {
        Ok(halts(&self.halted().await?))
    }

    /// The latest thousand changes of an activity, newest first.
    pub async fn of_activity(
        &self,
        activity: ActivityId,
    ) -> Result<Vec<CampaignChange>, StoreError> {
        let key = json(&[activity.get()]);
        let rows = self.rows(Self::SQL.read_changes, &key).await?;
        rows.iter().map(change).collect()
    }

    /// Pauses, resumes or closes an activity, and notes who did so and why. Returns false when it
    /// was like that already: then nothing is noted. Running gateways follow within a second.
    pub async fn change_life(
        &self,
        activity: ActivityId,
        change: LifeChange,
        (who, why): (&str, &str),
        now: Timestamp,
    ) -> Result<bool, LifeError> {
        let mut connection = self.0.begin().await?;
        let key = json(&[activity.get()]);
        let published = connection.rows(Self::SQL.find_activity, &key).await?;
        if published.is_empty() {
            return Err(LifeError::Unknown(activity));
        }
        let halted = halted_in::<D>(&mut connection).await?;
        let record = halted.into_iter().find(|halt| halt.activity == activity);
        match change.changes(record.as_ref().map(|record| record.halt)) {
            Ok(true) => {}
            Ok(false) => {
                connection.rollback().await?;
                return Ok(false);
            }
            Err(_) => {
                let record = record.expect("a closed activity has the record of its close");
                return Err(LifeError::Closed(record));
            }
        }
        let made = CampaignChange {
            kind: CampaignChangeKind::Life(change),
            who: who.to_owned(),
            why: why.to_owned(),
            at: now,
        };
        insert::<D>(&mut connection, activity, &made).await?;
        self.0.commit_revision(connection).await?;
        Ok(true)
    }

    async fn rows(
        &self,
        sql: &str,
        json: &str,
    ) -> Result<Vec<<D::Connection as Connection>::Row>, StoreError> {
        self.0.rows_of_newer_table(TABLE, sql, json).await
    }
}

/// The halted activities among these records.
pub(super) fn halts(records: &[HaltRecord]) -> Halts {
    records
        .iter()
        .map(|record| (record.activity, record.halt))
        .collect()
}

/// The halted activities as a transaction sees them.
pub(super) async fn halted_in<D: Database>(
    connection: &mut D::Connection,
) -> Result<Vec<HaltRecord>, StoreError> {
    let sql = CampaignChangeStatements::of::<D>();
    halt_records(&connection.rows(sql.read_halts, NOTHING).await?)
}

/// Adds a change and its entry in the audit log, within the transaction that makes it.
pub(super) async fn insert<D: Database>(
    connection: &mut D::Connection,
    activity: ActivityId,
    change: &CampaignChange,
) -> Result<(), StoreError> {
    let CampaignChange { kind, who, why, at } = change;
    let (name, version, of) = match *kind {
        CampaignChangeKind::Life(change) => (change.name(), 0, 0),
        CampaignChangeKind::Rollback { version, of } => (ROLLBACK, version, of),
    };
    let row = (
        activity.get(),
        name,
        version,
        of,
        who,
        why,
        at.as_millisecond(),
    );
    let sql = CampaignChangeStatements::of::<D>();
    connection
        .execute(sql.insert_change, &json_rows([row]))
        .await?;
    let detail = match *kind {
        CampaignChangeKind::Life(_) => format!("activity {activity}"),
        CampaignChangeKind::Rollback { version, of } => {
            format!("activity {activity}: version {version} repeats version {of}")
        }
    };
    let entry = AuditEntry {
        at: *at,
        who: who.clone(),
        what: format!("campaign {name}"),
        detail,
        why: why.clone(),
    };
    audit_log::insert::<D>(connection, &entry).await
}

fn halt_records(rows: &[impl Columns]) -> Result<Vec<HaltRecord>, StoreError> {
    let records = rows
        .iter()
        .map(halt_record)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(records.into_iter().flatten().collect())
}

/// Columns: activity, kind, who, why, when. `None` for an activity that was resumed.
fn halt_record(row: &impl Columns) -> Result<Option<HaltRecord>, StoreError> {
    let change = LifeChange::from_name(row.text(1)?).ok_or_else(|| out_of_range(1))?;
    let Some(halt) = change.leads_to() else {
        return Ok(None);
    };
    Ok(Some(HaltRecord {
        activity: ActivityId::new(row.number(0)?).ok_or_else(|| out_of_range(0))?,
        halt,
        who: string(row, 2)?,
        why: string(row, 3)?,
        at: time(row, 4)?,
    }))
}

/// Columns: kind, version, the version that it repeats, who, why, when.
fn change(row: &impl Columns) -> Result<CampaignChange, StoreError> {
    let kind = match row.text(0)? {
        ROLLBACK => CampaignChangeKind::Rollback {
            version: row.number(1)?,
            of: row.number(2)?,
        },
        name => {
            CampaignChangeKind::Life(LifeChange::from_name(name).ok_or_else(|| out_of_range(0))?)
        }
    };
    Ok(CampaignChange {
        kind,
        who: string(row, 3)?,
        why: string(row, 4)?,
        at: time(row, 5)?,
    })
}

#[cfg(test)]
mod tests {
    use market::campaign::LifeState;

    use super::*;
    use crate::meta::campaigns::PublishError;
    use crate::meta::connections::Meta;
    use crate::meta::testing::{CAMPAIGN, WHO, WHY, at, fresh, mug, now, over_each_database};

    async fn published<D: Database>(database: D) -> Meta<D> {
        let meta = fresh(database).await;
        let published = meta.campaigns().publish(&[CAMPAIGN], "ops", now()).await;
        published.expect("published");
        meta
    }

    async fn change<D: Database>(meta: &Meta<D>, change: LifeChange, second: i64) -> bool {
        let activity = mug().activity;
        let changes = meta.campaign_changes();
        let changed = changes.change_life(activity, change, (WHO, WHY), at(second));
        changed.await.expect("a change")
    }

    async fn state<D: Database>(meta: &Meta<D>) -> LifeState {
        let catalogue = meta.campaigns().catalogue().await.expect("a catalogue");
        let published = catalogue.activity(mug().activity).expect("published");
        catalogue.state(&published.campaign.activity, now())
    }

    async fn a_pause_survives_a_publication_and_ends_by_resume<D: Database>(database: D) {
        let meta = published(database).await;
        assert_eq!(state(&meta).await, LifeState::Open);
        assert!(!change(&meta, LifeChange::Resume, 0).await, "it is open");
        assert!(change(&meta, LifeChange::Pause, 1).await);
        assert!(!change(&meta, LifeChange::Pause, 2).await, "again");
        assert_eq!(meta.revision().await, Ok(2));
        let next = CAMPAIGN.replace("welcome = 10", "welcome = 11");
        let again = meta.campaigns().publish(&[&next], "ops", at(3)).await;
        assert_eq!(again.expect("published")[0].version, 2);
        assert_eq!(state(&meta).await, LifeState::Paused);
        assert!(change(&meta, LifeChange::Resume, 4).await);
        assert_eq!(state(&meta).await, LifeState::Open);
        let made = |change, second| CampaignChange {
            kind: CampaignChangeKind::Life(change),
            who: WHO.to_owned(),
            why: WHY.to_owned(),
            at: at(second),
        };
        assert_eq!(
            meta.campaign_changes().of_activity(mug().activity).await,
            Ok(vec![
                made(LifeChange::Resume, 4),
                made(LifeChange::Pause, 1)
            ])
        );
        let log = meta.audit_log().latest().await.expect("the audit log");
        let noted: Vec<_> = log
            .iter()
            .map(|entry| {
                (
                    entry.what.as_str(),
                    entry.detail.as_str(),
                    entry.who.as_str(),
                )
            })
            .collect();
        let expected = ["campaign resume", "campaign pause"].map(|what| (what, "activity 1", WHO));
        assert_eq!(noted, expected);
    }

    async fn a_close_is_final<D: Database>(database: D) {
        let meta = published(database).await;
        assert!(change(&meta, LifeChange::Pause, 1).await);
        assert!(change(&meta, LifeChange::Close, 2).await);
        assert!(!change(&meta, LifeChange::Close, 3).await);
        assert_eq!(state(&meta).await, LifeState::Closed);
        let changes = meta.campaign_changes();
        for refused in [LifeChange::Resume, LifeChange::Pause] {
            let refused = changes.change_life(mug().activity, refused, (WHO, WHY), at(4));
            let refused = refused.await.expect_err("it is closed").to_string();
            assert!(
                refused.contains("was closed by") && refused.contains(WHO),
                "{refused}"
            );
        }
        for text in [CAMPAIGN, &CAMPAIGN.replace("welcome = 10", "welcome = 11")] {
            let refused = meta.campaigns().publish(&[text], "ops", at(5)).await;
            let Err(PublishError::Refused(reasons)) = refused else {
                panic!("{refused:?}")
            };
            assert!(
                reasons[0].contains("a closed activity stays closed"),
                "{reasons:?}"
            );
        }
        assert_eq!(meta.revision().await, Ok(3));
        let unknown = ActivityId::new(77).expect("an id");
        let refused = changes.change_life(unknown, LifeChange::Close, (WHO, WHY), at(6));
        assert!(matches!(refused.await, Err(LifeError::Unknown(id)) if id == unknown));
        let halted = changes.halted().await.expect("read");
        assert_eq!(
            (halted.len(), halted[0].halt, halted[0].at),
            (1, Halt::Closed, at(2))
        );
    }

    async fn a_database_of_the_version_before_has_no_halts<D: Database>(database: D) {
        let meta = published(database).await;
        let mut connection = meta.database().connect().await.expect("a connection");
        let dropped = connection.run(&format!("DROP TABLE {TABLE}")).await;
        dropped.expect("dropped");
        assert_eq!(meta.campaign_changes().halted().await, Ok(vec![]));
        assert_eq!(state(&meta).await, LifeState::Open);
    }

    over_each_database!(
        a_pause_survives_a_publication_and_ends_by_resume,
        a_close_is_final,
        a_database_of_the_version_before_has_no_halts,
    );
}
